"""Every file of an image's environment, held against the RECORD or archive that names it."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Container, Iterator

from envsnap.images import Entry
from envsnap.inside import around, compared, content
from envsnap.proof import _conda
from envsnap.proof._environment import Distribution, Environment
from envsnap.proof._held import Held
from envsnap.proof._model import Tampered
from envsnap.proof._outside import first_layer
from envsnap.proof._programs import is_own_python, programs

_OWN = re.compile(r"[^/]+-info/")


class Files:
    """What was compared, and what differs."""

    def __init__(
        self,
        environment: Environment,
        held: Held,
        sure: Container[bytes],
        names: Container[str] | None = None,
        *,
        covered: Container[str] = (),
    ) -> None:
        """Compare the files of all packages, or of those of these canonical names.

        Those of conda's records that are `sure` are held against their archives. Of the files that
        are `covered` the manifest knows what RECORDs must state.
        """
        self.environment = environment
        self._covered = covered
        self._names = names
        self.tampered: list[Tampered] = []
        self.files = self.size = self.outside = 0
        self.bytecode: list[str] = []
        self.unknown: list[str] = []
        """Files of conda's of which cannot be told what they were in their archives."""
        self.programs: list[str] = []
        """Programs of pip's packages that neither an entry point nor a digest vouches for."""
        self.beyond: list[str] = []
        """Files of no package, in folders where nothing is looked for to be run."""
        self.named: set[str] = set()
        """The files that packages state."""
        links = self._of_conda(held, sure)
        self.of_conda = frozenset(self.named)
        """Those of them that conda's packages do."""
        for found in environment.distributions:
            if found.record is not None and f"{found.place}/RECORD" not in self.of_conda:
                self._rows(found.installed.name, found.site, found.record)
            elif found.record is not None:
                self.named.add(f"{found.place}/RECORD")
        _conda.links(self, links, held, _conda.rows(environment, sure))
        self._scripts()

    def _of_conda(self, held: Held, sure: Container[bytes]) -> list[_conda.Link]:
        links: list[_conda.Link] = []
        for each in self.environment.conda:
            if each.place in sure and self._asks(each.name):
                links += _conda.held_against(self, each, held)
            else:
                self.named |= {f"{self.environment.prefix}/{link}" for link in each.links}
                self._rows(each.name, self.environment.prefix, each.record)
        return links

    def _asks(self, package: str) -> bool:
        return self._names is None or compared.canonical(package) in self._names

    def _rows(self, package: str, folder: str, record: bytes) -> None:
        rows = content.rows_of(record)
        if isinstance(rows, content.Refusal) or not self._asks(package):
            return  # of no use, which is said of its digest; or not asked for
        bad = [(path, b"") for path, _ in rows.bad]
        for path, digest in [*zip(rows.paths, rows.hexes, strict=True), *bad]:
            text = path[1:].decode("utf-8", "surrogateescape")
            place = content.place_of(folder, text)
            if digest or not text.endswith(".pyc"):
                self.named.add(place)
            if digest:
                is_outside = "/site-packages/" not in place or place.endswith(".pyc")
                is_outside = is_outside and place not in self._covered
                self.outside += self.compare(package, place, digest.decode()) and is_outside

    def compare(
        self,
        package: str,
        place: str,
        wanted: str,
        found: Callable[[str, Entry], str | None] | None = None,
    ) -> bool:
        """Whether a file is there to be compared; `found` tells what it was in an archive."""
        environment = self.environment
        entry, real = environment.inside.get(place), place
        if entry is None or entry.kind == "link":
            leads = environment.tree.real(place)
            if leads is None:
                self.tell("missing", place, package, wanted=wanted)
                return False
            if not (environment.is_inside(leads) and environment.is_inside(place)):
                self.tell("unchecked", place, package, wanted=wanted)
                return False
            self.named.add(leads)
            entry, real = environment.tree.entries[leads], leads
        self.files += 1
        self.size += entry.size
        digest = entry.sha256 if found is None or entry.kind != "file" else found(real, entry)
        if digest is None:
            self.unknown.append(place)
        elif entry.kind != "file" or digest != wanted:
            self.tell("edited", place, package, wanted=wanted, found=digest or entry.sha256)
            if found is not None:
                only = self.tampered.pop()
                says = only.says.replace("that its RECORD states", "of its archive")
                self.tampered.append(only._replace(says=says))
        return True

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
                is_own = path.endswith(".pyc") and path not in self.of_conda
                if is_own and entry.kind != "folder":
                    self._brought(path, is_imported=site is not None)
                continue
            if site is not None:
                self._stray(path, path[len(site) + 1 :])
            elif path.startswith(programs) and not self._is_pythons_own(path):
                self.tell("unowned", path)
        runs, self.beyond = _conda.beyond(self)
        for path in runs:
            self.tell("unowned", path)

    def _is_pythons_own(self, path: str) -> bool:
        """Whether a program is one that the maker of the environment put beside Python.

        Each name of Python's is that of `python`, which is judged on its own. The others have no
        digest: what a later layer brings was not that maker's.
        """
        environment, tree = self.environment, self.environment.tree
        folder = f"{environment.prefix}/bin"
        name = path.removeprefix(f"{folder}/")
        raw = os.fsencode(name)
        if environment.conda:
            return False
        if around.is_pythons(raw):
            is_there = name == "python" or tree.entry(path) is not None
            return is_there and is_own_python(tree, folder, name)
        if raw not in around.OWN_PROGRAMS or path in tree.replaced:
            return False
        return environment.inside[path].layer == first_layer(environment)

    def _brought(self, path: str, *, is_imported: bool) -> None:
        """Bytecode of a wheel, which no digest is over: its RECORD alone speaks for a cache.

        Beside a source that can be read as one Python takes that; without it, the bytecode.
        """
        is_cached = posixpath.basename(posixpath.dirname(path)) == "__pycache__"
        source = self.environment.tree.entry(path[:-1])
        has_source = source is not None and source.kind == "file"
        if not (is_imported and (is_cached or has_source)):
            self.bytecode.append(path)

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
        """The programs of pip's packages; those of conda's were held against their archives."""
        pips = filter(self.is_pips, self.environment.distributions)
        asked = [each for each in pips if self._asks(each.installed.name)]
        found = programs(self.environment, asked, self._covered)
        for place, fault in found.faults:
            self.tell("script", place, found=fault.found)
        self.programs = found.unknown

    def is_pips(self, found: Distribution) -> bool:
        """Whether a distribution is none that a conda package brought."""
        return not {f"{found.place}/METADATA", f"{found.place}/PKG-INFO"} & self.of_conda

    def record_of(self, package: str) -> tuple[str, int | None, tuple[int, ...]]:
        """A package's file in conda-meta, the layer that brought it, and the earlier ones."""
        tree = self.environment.tree
        for each in self.environment.conda:
            if each.name == package:
                place = os.fsdecode(each.place)
                layer = tree.entries[place].layer if len(tree.layers) > 1 else None
                return place, layer, tree.replaced.get(place, ())
        return "", None, ()

    def outside_of(self, package: str) -> tuple[str, int | None, tuple[int, ...]]:
        """The same of the one file of pip's that lies elsewhere, or that a later layer replaced."""
        tree, start = self.environment.tree, f"{self.environment.prefix}/"
        places = [
            f"{start}{os.fsdecode(inner)}"
            for each in self.environment.distributions
            if each.installed.name == package
            for inner in each.installed.covered
        ]
        late = [place for place in places if tree.replaced.get(place)]
        place = next(iter(late if late or len(places) > 1 else places), "")
        entry = tree.entries.get(place)
        layer = entry.layer if entry and len(tree.layers) > 1 else None
        return place, layer, tree.replaced.get(place, ())

    def replaced_of(self, package: str) -> tuple[str, ...]:
        """The files of a package that a later layer put in the place of others."""
        return tuple(dict.fromkeys(self._replaced_of(package)))

    def _replaced_of(self, package: str) -> Iterator[str]:
        replaced, start = self.environment.tree.replaced, f"{self.environment.prefix}/"
        for each in self.environment.distributions:
            if each.installed.name == package:
                yield from (place for place in each.named() if replaced.get(place))
        for of_conda in self.environment.conda:
            if of_conda.name == package:
                places = (f"{start}{row.place}" for row in of_conda.files)
                yield from (place for place in places if replaced.get(place))
