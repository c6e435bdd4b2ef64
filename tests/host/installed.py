"""A package on disk, made by hand, and what hashing its files finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from envsnap.host import LocalHost, ToVerify, Verified
from envsnap.sections import Fact
from tests.inside.rows import row

if TYPE_CHECKING:
    from pathlib import Path

SITE = "lib/python3.11/site-packages"
NOTHING = dict.fromkeys(("edited", "missing", "extra", "unchecked"), 0)


class Installed:
    """A package on disk, as its RECORD says or not."""

    def __init__(self, prefix: Path, name: str = "pkg") -> None:
        self.prefix = prefix
        self.site = prefix / SITE
        self.dist_info = self.site / f"{name}-1.0.dist-info"
        self.dist_info.mkdir(parents=True)
        self.record = ""

    def has(self, path: str, data: bytes = b"x", *, stated: bytes | None = None) -> Path:
        """A file, and its row."""
        place = self.site / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return self.names(path, data if stated is None else stated)

    def names(self, path: str, data: bytes = b"x") -> Path:
        """A row alone."""
        self.record += row(path, data)
        return self.site / path

    def asked(self) -> ToVerify:
        own = f"{self.dist_info.name}/RECORD,,\n"
        (self.dist_info / "RECORD").write_bytes(
            (self.record + own).encode("utf-8", "surrogateescape")
        )
        return ToVerify(str(self.dist_info / "RECORD"), str(self.prefix))


def verified(*packages: Installed) -> list[Fact[Verified]]:
    return [*LocalHost().verified([each.asked() for each in packages], lambda _: None)()]


def one(package: Installed) -> Verified:
    (found,) = verified(package)
    assert isinstance(found, Verified), found
    return found


def changes(found: Verified) -> Mapping[str, tuple[str, ...]]:
    """The kinds of change that there are."""
    kinds = {kind: getattr(found, kind) for kind in NOTHING}
    return {kind: paths for kind, paths in kinds.items() if paths}
