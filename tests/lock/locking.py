"""Locks of packages called demo, by the real uv against an index on loopback."""

from __future__ import annotations

import hashlib

import pytest

from envsnap.errors import MissingExtraError
from envsnap.lock import Indexes, LockOptions, make_lock
from envsnap.lock._uv import find_uv
from envsnap.sections import Artifact, Lock, Package, Reason, Unknown
from tests import made

NO_SIZE = Unknown(Reason.NOT_SUPPORTED, "the index does not say")


def has_uv() -> bool:
    try:
        return bool(find_uv())
    except MissingExtraError:
        return False


needs_uv = pytest.mark.skipif(not has_uv(), reason="uv is not installed (the extra 'lock')")


def locked(packages: tuple[Package, ...], address: str, **options: object) -> Lock:
    asked = LockOptions(indexes=Indexes(default=f"http://{address}/simple"), **options)  # type: ignore[arg-type]
    return make_lock(made.manifest(packages).with_lock(None), asked)


def artifact(version: str, name: str, raw: bytes, url: str | None, **changes: object) -> Artifact:
    known: dict[str, object] = {"size": NO_SIZE, **changes}
    return made.artifact(
        "demo", version, name, url=url, sha256=hashlib.sha256(raw).hexdigest(), **known
    )
