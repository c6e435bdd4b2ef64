"""Compares the environment of the Python that runs it with a manifest, from the files alone.

Run as `python -I -B verify.py [OPTION]... MANIFEST`; exit status 0 when Python, every package and
every file are the manifest's, 1 when one is not, 2 when that could not be found out.

  --only NAME,NAME   these packages alone, and nothing around them
  --without NAME     a package that was left out on purpose; may be given again
  --others-ok        other packages and files may be there, too
  --quick            compare what RECORDs state; hash no file
  --json             write one JSON document

Every file is hashed and compared with its RECORD, and what the RECORD states with the manifest
(envsnap-content-1) where the manifest knows the very file that was installed: of others the
version is compared. The syntax is good for Python 3.6 and newer, and only the standard library is
used: images carry it, with what it imports from beside itself.
"""

import json
import os
import sys
import sysconfig

if __package__:
    from envsnap.inside import around, compared, conda_files, content, hashed, named, outside
else:  # beside this file: an envsnap of the environment's own is not asked
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import around  # type: ignore[import-not-found, no-redef]
    import compared  # type: ignore[import-not-found, no-redef]
    import conda_files  # type: ignore[import-not-found, no-redef]
    import content  # type: ignore[import-not-found, no-redef]
    import hashed  # type: ignore[import-not-found, no-redef]
    import named  # type: ignore[import-not-found, no-redef]
    import outside  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any

    from envsnap.inside.compared import Fault, Installed, Judged  # noqa: F401 - in a comment

FORM = "1.0"
_SHOWN = 20
_LIMIT_BYTES = 64 * 1024 * 1024
_INFO = b".dist-info"
_FLAGS = ("--others-ok", "--quick", "--json", "--files")
_KINDS = ("edited", "missing", "unchecked")


class Asked:
    """What the command line asks for."""

    def __init__(self, words: "list[str]") -> None:
        """Read the words.

        Raises:
            ValueError: They make no sense.
        """
        only, without, paths = [], [], []  # type: list[str], list[str], list[str]
        flags = set()
        left = iter(words)
        for word in left:
            if word in ("--only", "--without"):
                value = next(left, None)
                if value is None:
                    raise ValueError("%s needs a name" % word)
                names = [each for each in value.split(",") if each]
                (only if word == "--only" else without).extend(names)
            elif word in _FLAGS:
                flags.add(word)
            elif word.startswith("-"):
                raise ValueError("there is no option %r" % word)
            else:
                paths.append(word)
        if len(paths) != 1:
            raise ValueError("name one manifest")
        self.path = paths[0]
        self.is_quick, self.is_json = "--quick" in flags, "--json" in flags
        self.scope = compared.Scope(only, without, others_ok="--others-ok" in flags)

    def names(self, name: str, wanted: "Container[str]") -> bool:
        """Whether a package is looked at: where others may be there, they are not."""
        is_wanted = not self.scope.others_ok or compared.canonical(name) in wanted
        return is_wanted and self.scope.has(name)

    def hashes(self, name: str, wanted: "Container[str]") -> bool:
        """Whether its files are hashed, too."""
        return not self.is_quick and self.names(name, wanted)


class Seen:
    """The environment of the Python that runs this."""

    def __init__(self, asked: Asked, manifest: "dict[str, Any]") -> None:
        wanted = names_of(manifest)
        self.prefix = sys.prefix
        self.bin = os.path.dirname(os.fsencode(sys.executable))
        paths = sysconfig.get_paths()
        sites = {os.path.realpath(os.fsencode(paths[each])) for each in ("purelib", "platlib")}
        self.sites = sorted(each for each in sites if os.path.isdir(each))
        self.conda = conda_files.packages(self.prefix)
        self.installed = []  # type: list[Installed]
        self.places = []  # type: list[bytes]
        self.owned = set()  # type: set[bytes]
        """Files that conda put there."""
        self.work = named.Work()
        self._in_work = []  # type: list[tuple[str, bool]]
        self._give_up_replaced(manifest)
        for each in self.conda:
            is_hashed = asked.hashes(each.name, wanted)
            self._add(each.name, each.place, each.record, is_hashed=is_hashed)
            root = os.path.realpath(os.fsencode(self.prefix)) + b"/"
            self.owned |= {root + os.fsencode(link) for link in each.links}
            self.owned |= {root + row[1:] for row in self.work.packages[-1].rows.paths}
        for site in self.sites:
            for name in sorted(os.listdir(site)):
                if name.endswith((b".dist-info", b".egg-info")):
                    self._take(os.path.join(site, name), asked, wanted)

    def _give_up_replaced(self, manifest: "dict[str, Any]") -> None:
        """What pip has put in the place of conda's files is stated by pip's RECORDs alone."""
        gone = conda_files.replaced(self.conda, manifest)
        by_pip, root = conda_files.of_pip(manifest), os.path.realpath(os.fsencode(self.prefix))
        claimed = set()  # type: set[bytes]
        for site in self.sites if gone else ():
            for name in os.listdir(site):
                said = compared.canonical(os.fsdecode(name)[: -len(_INFO)].rpartition("-")[0])
                if name.endswith(_INFO) and said in by_pip:
                    claimed |= _claims(os.path.join(site, name, b"RECORD"), root)
        for each in gone:
            conda_files.give_up(
                each, claimed, lambda path: os.path.lexists(os.path.join(root, path))
            )

    def _take(self, place: bytes, asked: Asked, wanted: "Container[str]") -> None:
        """One distribution."""
        texts = [_read(os.path.join(place, part)) for part in (b"METADATA", b"PKG-INFO")]
        folder = os.fsdecode(os.path.basename(place))
        each = compared.distribution(texts[0] or texts[1] or b"", folder)
        if each is None:
            return
        path = os.path.join(place, b"RECORD")
        record = _read(path)
        if record is not None:
            points = _read(os.path.join(place, b"entry_points.txt")) or b""
            each.states(
                record, os.path.dirname(place), points, outside.read_here, real=os.path.realpath
            )
            is_hashed = asked.hashes(each.name, wanted) and path not in self.owned
            self._add(each.name, path, record, is_hashed=is_hashed)
        self.installed.append(each)
        self.places.append(place)

    def _add(self, name: str, place: bytes, record: bytes, *, is_hashed: bool) -> None:
        self._in_work.append((name, is_hashed))
        self.work.add(named.Package(place, os.fsencode(self.prefix)), record, is_hashed=is_hashed)

    def file_faults(self) -> "list[Fault]":
        """What differs about the files of what is hashed; it takes the work apart."""
        self.work.unchecked = [row for row in self.work.unchecked if self._in_work[row[0]][1]]
        stated = [
            dict(zip(each.rows.paths, each.rows.hexes))  # noqa: B905 - new in 3.10
            for each in self.work.packages
        ]
        answers = hashed.answers_of(self.work, lambda _: None)
        faults = []
        for (name, is_hashed), found, rows in zip(self._in_work, answers.found, stated):  # noqa: B905
            rising = [
                (kind, each) for kind in _KINDS for each in sorted(found.get(kind, {}).items())
            ]
            for kind, (path, digest) in rising if is_hashed else ():
                wanted, is_here = rows.get(b"\n" + path, b"").decode(), digest.decode()
                faults.append(
                    compared.Fault(kind, os.fsdecode(path), name, wanted=wanted, found=is_here)
                )
        return faults


def _claims(path: bytes, root: bytes) -> "set[bytes]":
    """The files that one RECORD names, relative to the prefix, whether they are there or not."""
    rows = content.rows_of(_read(path) or b"")
    if isinstance(rows, content.Refusal):
        return set()
    site = os.path.dirname(os.path.dirname(path))
    named = [each[1:] for each in rows.paths] + [each[1:] for each, _ in rows.bad]
    return {os.path.relpath(os.path.join(site, each), root) for each in named}


def names_of(manifest: "dict[str, Any]") -> "set[str]":
    """The packages that a manifest knows: by canonical name, and by conda's."""
    return {*compared.active(manifest), *conda_files.wanted(manifest)}


def _read(path: bytes) -> "bytes | None":
    try:
        return content.read_file(path, _LIMIT_BYTES)
    except OSError:
        return None


def python_facts() -> "dict[str, Any]":
    """What the interpreter that runs this is."""
    version = "%d.%d.%d" % sys.version_info[:3]
    level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(sys.version_info[3])
    variable = sysconfig.get_config_var
    return {
        "architecture": os.uname().machine,
        "debug": bool(variable("Py_DEBUG")),
        "free_threaded": bool(variable("Py_GIL_DISABLED")),
        "implementation": sys.implementation.name,
        "soabi": variable("SOABI"),
        "version": version + ("%s%d" % (level, sys.version_info[4]) if level else ""),
    }


def compare(manifest: "dict[str, Any]", asked: Asked) -> "tuple[Judged, dict[str, Any]]":
    """All that differs, and how much was looked at."""
    wanted, seen = names_of(manifest), Seen(asked, manifest)
    judged = compared.judge(manifest, seen.installed, asked.scope)
    conda_files.judge(manifest, seen.conda, asked.scope, judged)
    names = [each.name for each in seen.installed] + [each.name for each in seen.conda]
    count = sum(asked.names(name, wanted) for name in names)
    looked = {"packages": count, "hashed": 0, "bytecode": 0}
    for each, place in zip(seen.installed, seen.places):  # noqa: B905 - new in 3.10
        if asked.names(each.name, wanted):
            judged.faults += around.script_faults(place, seen.bin, each.covered)
    if not asked.scope.only:
        judged.faults[:0] = compared.python_faults(manifest, python_facts())
        judged.faults += compared.setting_faults(around.config_of(seen.prefix))
    if not (asked.scope.only or asked.scope.others_ok):
        strays = around.Strays(seen.work, seen.owned)
        for site in seen.sites:
            strays.below(site)
        judged.faults += strays.faults
        judged.faults += around.program_faults(seen.bin, seen.work, seen.owned)
        looked["bytecode"] = strays.bytecode
    if not asked.is_quick:
        looked["hashed"], looked["bytes"] = seen.work.files, seen.work.bytes
        judged.faults += seen.file_faults()
    judged.faults += [
        compared.Fault("untold", why, package=name) for name, why in judged.outside_unknown.items()
    ]
    return judged, looked


def as_json(manifest: "dict[str, Any]", judged: "Judged", looked: "dict[str, Any]") -> str:
    """The whole answer as one document."""
    text = {
        "verify": FORM,
        "answer": "differs" if judged.faults else "same",
        "environment": manifest.get("environment"),
        "facts_digest": manifest.get("facts_digest"),
        "differs": [each.plain() for each in judged.faults],
        "by_content": len(judged.proved - {each.package for each in judged.faults}),
        "by_version": judged.by_version,
        "looked_at": looked,
        "host": [{"what": what, "captured": said} for what, said in compared.host_facts(manifest)],
    }
    return json.dumps(text, indent=2, sort_keys=True)


def as_text(manifest: "dict[str, Any]", judged: "Judged", looked: "dict[str, Any]") -> str:
    """The answer for people; a manifest's words as any terminal takes them."""
    lines = ["differs: %s" % each for each in judged.faults[:_SHOWN]]
    if len(judged.faults) > _SHOWN:
        lines.append("and %d more" % (len(judged.faults) - _SHOWN))
    if not judged.faults:
        lines.append("Python and %d packages are those of the manifest" % looked["packages"])
        if looked["hashed"]:
            lines.append("%d files hashed, each as its RECORD states" % looked["hashed"])
    if judged.by_version:
        names = sorted(judged.by_version)
        more = " and %d more" % (len(names) - _SHOWN) if len(names) > _SHOWN else ""
        lines.append("by version alone: %s%s" % (", ".join(names[:_SHOWN]), more))
    if looked["bytecode"]:
        lines.append("not compared: %d files of bytecode" % looked["bytecode"])
    host = ["%s %s" % each for each in compared.host_facts(manifest)]
    if host:
        lines.append("not in an image: %s were the author's" % ", ".join(host[:_SHOWN]))
    return "\n".join(ascii(line)[1:-1] for line in lines)


def main(words: "list[str]") -> int:
    """Compare, print what differs, and answer the exit status."""
    try:
        asked = Asked(words)
        with open(asked.path, encoding="utf-8") as file:
            manifest = json.load(file)
        judged, looked = compare(manifest, asked)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        print("cannot verify: " + ascii(_why(error))[1:-1], file=sys.stderr)
        return 2
    print((as_json if asked.is_json else as_text)(manifest, judged, looked))
    return 1 if judged.faults else 0


def _why(error: Exception) -> str:
    """What is wrong, in words."""
    if isinstance(error, OSError):
        return "%s: %s" % (error.filename, error.strerror)
    if isinstance(error, ValueError):  # of the words, or of JSON
        return str(error)
    return "the manifest lacks something: %s: %s" % (type(error).__name__, error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
