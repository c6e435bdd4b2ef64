"""Every file of an image's environment, held against the RECORD that names it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Container, Iterator

from envsnap.inside import around, compared, content
from envsnap.proof._environment import Environment
from envsnap.proof._model import Tampered

_OWN = re.compile(r"[^/]+-info/")


class Files:
    """What was compared, and what differs."""

    def __init__(self, environment: Environment, names: Container[str] | None = None) -> None:
        """Compare the files of all packages, or of those of these canonical names."""
        self.environment = environment
        self._names = names
        self.tampered: list[Tampered] = []
        self.files = self.size = self.outside = 0
        self.bytecode: list[str] = []
        self.named: set[str] = set()
        """The files that packages state."""
        for each in environment.conda:
            self.named |= {f"{environment.prefix}/{link}" for link in each.links}
            self._rows(each.name, environment.prefix, each.record)
        owned = frozenset(self.named)
        for found in environment.distributions:
            if found.record is not None and f"{found.place}/RECORD" not in owned:
                self._rows(found.installed.name, found.site, found.record)
            elif found.record is not None:
                self.named.add(f"{found.place}/RECORD")
        self._scripts()

    def _asks(self, package: str) -> bool:
        return self._names is None or compared.canonical(package) in self._names

    def _rows(self, package: str, folder: str, record: bytes) -> None:
        rows = content.rows_of(record)
        if isinstance(rows, content.Refusal) or not self._asks(package):
            return  # of no use, which is said of its digest; or not asked for
        bad = [(path, b"") for path, _ in rows.bad]
        for path, digest in [*zip(rows.paths, rows.hexes, strict=True), *bad]:
            text = path[1:].decode("utf-8", "surrogateescape")
            place = posixpath.normpath(posixpath.join(folder, text))
            if digest or not text.endswith(".pyc"):
                self.named.add(place)
            if digest:
                self._compare(package, place, digest.decode())

    def _compare(self, package: str, place: str, wanted: str) -> None:
        environment = self.environment
        entry = environment.inside.get(place)
        if entry is None or entry.kind == "link":
            real = environment.tree.real(place)
            if real is None:
                self.tell("missing", place, package, wanted=wanted)
                return
            if not environment.is_inside(real):
                self.tell("unchecked", place, package, wanted=wanted)
                return
            self.named.add(real)
            entry = environment.tree.entries[real]
        self.files += 1
        self.size += entry.size
        self.outside += "/site-packages/" not in place or place.endswith(".pyc")
        if entry.kind != "file" or entry.sha256 != wanted:
            self.tell("edited", place, package, wanted=wanted, found=entry.sha256)

    def tell(self, kind: str, place: str, package: str = "", **sides: str) -> None:
        """Keep one difference; the layer that brought the file is named."""
        path = place.removeprefix(f"{self.environment.prefix}/")
        fault = compared.Fault(kind, path, package, **sides)
        tree = self.environment.tree
        entry = tree.entries.get(place)
        layer = entry.layer if entry and len(tree.layers) > 1 else None
        over = tree.replaced.get(place, ())
        says, both = str(fault), (fault.wanted, fault.found)
        self.tampered.append(Tampered(kind, says, package, place, *both, layer, over))

    def strays(self) -> None:
        """What lies among packages or programs, and belongs to none."""
        environment = self.environment
        programs = f"{environment.prefix}/bin/"
        for path, entry in environment.inside.items():
            site = next((each for each in environment.sites if path.startswith(f"{each}/")), None)
            if entry.kind == "folder" or path in self.named:
                continue
            if site is not None:
                self._stray(path, path[len(site) + 1 :])
            elif path.startswith(programs) and not _is_pythons_own(path[len(programs) :]):
                self.tell("unowned", path)

    def _stray(self, path: str, inner: str) -> None:
        entry = self.environment.inside[path]
        own = _OWN.match(inner)
        is_cached = posixpath.basename(posixpath.dirname(path)) == "__pycache__"
        raw = b"\n" + inner.encode("utf-8", "surrogateescape")
        if entry.kind == "link":
            self.tell("link", path, found=entry.link)
        elif entry.kind == "file" and is_cached and path.endswith(".pyc"):
            self.bytecode.append(path)
        elif path.endswith(".pyc") or not (
            own and content.is_of_installers(raw, b"\n" + own[0].encode("utf-8", "surrogateescape"))
        ):
            self.tell("unowned", path)

    def _scripts(self) -> None:
        """The starts of the programs that installers write."""
        folder = f"{self.environment.prefix}/bin"
        for each in self.environment.distributions:
            is_asked = self._asks(each.installed.name)
            for name in compared.scripts(each.entry_points) if is_asked else ():
                text = self.environment.tree.contents.get(f"{folder}/{name}")
                if text is None:
                    continue  # of a row that it has, its RECORD says that it is missing
                fault = compared.script_fault(f"bin/{name}", text, folder)
                if fault is not None:
                    self.tell("script", f"{folder}/{name}", found=fault.found)

    def replaced_of(self, package: str) -> tuple[str, ...]:
        """The files of a package that a later layer put in the place of others."""
        return tuple(self._replaced_of(package))

    def _replaced_of(self, package: str) -> Iterator[str]:
        for each in self.environment.distributions:
            if each.installed.name == package:
                yield from (
                    place for place in each.named() if self.environment.tree.replaced.get(place)
                )


def _is_pythons_own(name: str) -> bool:
    raw = name.encode("utf-8", "surrogateescape")
    return raw in around.OWN_PROGRAMS or around.is_pythons(raw)
