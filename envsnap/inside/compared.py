"""What an environment has other than its manifest says: the judgement that verifiers share.

The one inside an image gives it what it sees around itself; the one outside, what an image's files
say. Values in, values out. Syntax for Python 3.6 and newer, standard library only.
"""

import re

if __package__:
    from envsnap.inside import content, entry_points, outside
else:  # beside this file, wherever that is
    import content  # type: ignore[import-not-found, no-redef]
    import entry_points  # type: ignore[import-not-found, no-redef]
    import outside  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from envsnap.inside.outside import Read, Real

    Json = dict[str, Any]

PYTHON = ("architecture", "debug", "free_threaded", "implementation", "soabi", "version")
"""The facts about an interpreter that are its identity."""
_HEADER = re.compile(r"^(Name|Version):[ \t]*(\S[^\r\n]*?)[ \t]*$", re.MULTILINE)
_HEAD_BYTES = 65536
_SAYS = {
    "python": "Python's {path}: wanted {wanted}, found {found}",
    "not-installed": "{package} {wanted} is missing",
    "version": "{package}: wanted {wanted}, found {found}",
    "content": "{package} {found} holds other files than it did: {path}",
    "outside": "{package} {found} put other files outside of site-packages than it did: {path}",
    "untold": "{package}: nobody can tell what it put outside of site-packages: {path}",
    "not-wanted": "{package} {found} is not the manifest's",
    "twice": "{package} is there twice: {found}",
    "edited": "{package} {path} is not the file that its RECORD states",
    "missing": "{package} {path} is not there",
    "unchecked": "{package} {path} could not be read where it should lie",
    "unowned": "{path} belongs to no package",
    "link": "{path} is a link to {found}",
    "script": "{path} starts with {found}, not with the environment's own Python",
    "setting": "{path}: wanted {wanted}, found {found}",
}
"""Every kind of difference, and how it is told."""


_NAMED = 3
_MADE = ("made", "built")
_NO_DIGEST = "the manifest has no digest of what was installed"
_OTHERS = "it has other files than were captured, and no lock says that they should be the same"


class Fault:
    """One difference. What a kind has no use for is empty; digests are SHA-256 in hex."""

    __slots__ = ("found", "kind", "package", "path", "wanted")

    def __init__(self, kind: str, path: str = "", package: str = "", **sides: str) -> None:
        self.kind, self.path, self.package = kind, path, package
        self.wanted, self.found = sides.get("wanted", ""), sides.get("found", "")

    def __str__(self) -> str:
        parts = {name: getattr(self, name) for name in self.__slots__}
        text = _SAYS[self.kind].format(**parts)
        if self.kind == "edited" and self.wanted:
            text += " (sha256 %s..., found %s)" % (self.wanted[:12], _short(self.found))
        return text

    def plain(self) -> "Json":
        """The same for JSON."""
        parts = {name: getattr(self, name) or None for name in self.__slots__}  # type: Json
        parts["says"] = str(self)
        return parts


def _short(digest: str) -> str:
    return digest[:12] + "..." if digest else "no regular file"


class Installed:
    """One distribution that is there: its dist-info's name, and what its RECORD states."""

    __slots__ = ("covered", "folder", "name", "no_other", "other", "stated", "version", "why")

    def __init__(self, name: str, version: str, folder: str) -> None:
        self.name, self.version, self.folder = name, version, folder
        self.stated = None  # type: str | None
        self.why = "it has no RECORD"
        self.other = None  # type: str | None
        self.no_other = content.Refusal("absent", self.why)  # type: content.Refusal | None
        self.covered = []  # type: list[bytes]
        """The files outside of its folder that `other` is over, relative to the prefix."""

    def states(
        self, record: bytes, site: bytes, points: bytes, read: "Read", *, real: "Real" = bytes
    ) -> "Installed":
        """The same, with the digests that this RECORD states of the wheel's files.

        `site` is the folder that it lies in, `points` its entry_points.txt.
        """
        found = content.stated(record, self.folder.encode("utf-8", "surrogateescape"))
        outside.judge(found, site, content.scripts_of(points), read, real=real)
        self.stated, self.why = found.content, found.refusal.detail if found.refusal else ""
        self.other, self.no_other, self.covered = found.other, found.other_refusal, found.covered
        return self


class Scope:
    """What is compared: all packages or `only` some; some may be left out, or others be there."""

    __slots__ = ("only", "others_ok", "without")

    def __init__(
        self, only: "Iterable[str]" = (), without: "Iterable[str]" = (), *, others_ok: bool = False
    ) -> None:
        self.only = frozenset(map(canonical, only))
        self.without = frozenset(map(canonical, without))
        self.others_ok = others_ok

    def has(self, name: str) -> bool:
        """Whether a package of that name is compared."""
        return canonical(name) in self.only if self.only else True


class Judged:
    """What differs, which packages have the manifest's digest, and which have none to compare."""

    __slots__ = ("by_version", "faults", "of_conda", "outside", "outside_unknown", "proved")

    def __init__(self) -> None:
        self.faults = []  # type: list[Fault]
        self.by_version = {}  # type: dict[str, str]
        self.proved = set()  # type: set[str]
        self.outside = set()  # type: set[str]
        """Those that have the manifest's digest of what they put outside of site-packages, too."""
        self.outside_unknown = {}  # type: dict[str, str]
        """Those of which that cannot be told, as a file could not be read: each with the reason."""
        self.of_conda = set()  # type: set[str]
        """conda's packages that are proved, by conda's names."""


def distribution(metadata: bytes, folder: str) -> "Installed | None":
    """What a METADATA or PKG-INFO says it is of; None where it does not say."""
    head = metadata[:_HEAD_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    headers = dict(reversed(_HEADER.findall(head.decode("utf-8", "replace"))))
    if "Name" not in headers or "Version" not in headers:
        return None
    return Installed(headers["Name"], headers["Version"], folder)


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def python_faults(manifest: "Json", found: "Json") -> "list[Fault]":
    """What differs about the interpreter; what either side does not know is no difference."""
    wanted = manifest["sections"].get("python") or {}
    known = (str, bool)
    return [
        Fault("python", field, wanted=str(wanted[field]), found=str(found[field]))
        for field in PYTHON
        if isinstance(wanted.get(field), known)
        and isinstance(found.get(field), known)
        and wanted[field] != found[field]
    ]


def judge(manifest: "Json", found: "Sequence[Installed]", scope: "Scope") -> Judged:
    """What differs about the packages: which there are, their versions, what RECORDs state."""
    answer = Judged()
    wanted = active(manifest)
    here = {}  # type: dict[str, Installed]
    for each in found:
        name = canonical(each.name)
        if name in here and scope.has(name):
            places = "%s, %s" % (here[name].folder, each.folder)
            answer.faults.append(Fault("twice", package=each.name, found=places))
        here[name] = each
    proofs, promised = contents(manifest), promised_outside(manifest)
    for name in sorted(filter(scope.has, wanted.keys() - scope.without)):
        if name not in here:
            answer.faults.append(
                Fault("not-installed", package=wanted[name]["name"], wanted=wanted[name]["version"])
            )
        else:
            _judge_one(answer, wanted[name], here[name], proofs.get(name))
            _judge_outside(answer, wanted[name], here[name], is_promised=name in promised)
    if not (scope.others_ok or scope.only):
        answer.faults += [
            Fault("not-wanted", package=name, found=here[name].version)
            for name in sorted(here.keys() - (wanted.keys() - scope.without))
        ]
    return answer


def _judge_one(answer: Judged, wanted: "Json", here: Installed, proof: "str | None") -> None:
    name, version = wanted["name"], here.version
    if isinstance(wanted.get("conda"), dict) and proof is None:
        if here.stated is not None and here.stated == wanted.get("content"):
            answer.proved.add(name)
        return  # a conda package, which is judged as such
    if version != wanted["version"]:
        answer.faults.append(
            Fault("version", package=name, wanted=wanted["version"], found=version)
        )
    elif proof is None and here.stated is not None and here.stated == wanted.get("content"):
        answer.proved.add(
            name
        )  # nobody knows which file it was installed from; the same came of it
    elif proof is None:
        captured = isinstance(wanted.get("content"), str)
        answer.by_version[name] = _OTHERS if captured else _NO_DIGEST
    elif here.stated is None:
        answer.faults.append(Fault("content", here.why, package=name, wanted=proof, found=version))
    elif here.stated != proof:
        why = "what RECORD states is not what the manifest states"
        answer.faults.append(Fault("content", why, package=name, wanted=proof, found=version))
    else:
        answer.proved.add(name)


def _judge_outside(answer: Judged, wanted: "Json", here: Installed, *, is_promised: bool) -> None:
    """What a package put outside of its folder; where no file promises it, equal alone counts."""
    said = wanted.get("outside", ())
    is_known = (said is None or isinstance(said, str)) and isinstance(wanted.get("content"), str)
    if not is_known or here.version != wanted["version"] or here.stated is None:
        return
    if here.no_other is None and here.other == said:
        answer.outside.add(wanted["name"])
    elif is_promised and here.no_other is not None and here.no_other.is_of_reading:
        answer.outside_unknown[wanted["name"]] = here.no_other.detail
    elif is_promised:
        names = [
            ascii(each.decode("utf-8", "surrogateescape"))[1:-1] for each in sorted(here.covered)
        ]
        more = " and %d more" % (len(names) - _NAMED) if len(names) > _NAMED else ""
        what = ", ".join(names[:_NAMED]) + more or "its RECORD names none"
        what = here.no_other.detail if here.no_other else what
        fault = Fault(
            "outside", what, package=wanted["name"], wanted=said or "", found=here.version
        )
        answer.faults.append(fault)


def active(manifest: "Json") -> "dict[str, Json]":
    """The manifest's packages that import would use, by canonical name.

    A manifest leaves out what has its usual value, and a package is usually the active copy.
    """
    packages = manifest["sections"]["packages"]["installed"]
    return {canonical(each["name"]): each for each in packages if each.get("active", True)}


def contents(manifest: "Json") -> "dict[str, str]":
    """The digest that each package's files must have, by canonical name, where one is known.

    That of the file it is installed from where that was looked into; else the captured one, if
    the lock names the very file that was installed. Another file can only be told by its version.
    """
    captured = {name: each.get("content") for name, each in active(manifest).items()}
    found = {}  # type: dict[str, str]
    for each in (manifest.get("lock") or {}).get("artifacts", ()):
        name = canonical(each["name"])
        digest = each.get("content")
        if not isinstance(digest, str) and each.get("is_installed") is True:
            digest = captured.get(name)
        if isinstance(digest, str):
            found[name] = digest
    return found


def promised_outside(manifest: "Json") -> "set[str]":
    """The packages, by canonical name, whose file is the one that the captured digests are of.

    One that was made again or built has the same content, and perhaps another program.
    """
    captured = {name: each.get("content") for name, each in active(manifest).items()}
    found = set()
    for each in (manifest.get("lock") or {}).get("artifacts", ()):
        name, digest = canonical(each["name"]), each.get("content")
        is_it = each.get("is_installed") is True if digest is None else digest == captured.get(name)
        if is_it and each.get("how", "index") not in _MADE:
            found.add(name)
    return found


def host_facts(manifest: "Json") -> "list[tuple[str, str]]":
    """What was captured and no image can carry: kernel, driver, GPUs."""
    sections = manifest["sections"]
    found = [("kernel", (sections.get("os") or {}).get("kernel"))]
    gpu = sections.get("gpu") or {}
    driver = gpu.get("driver")
    found.append(("NVIDIA driver", driver.get("version") if isinstance(driver, dict) else None))
    devices = gpu.get("devices")
    found += [("GPU", each.get("name")) for each in (devices if type(devices) is list else ())]
    return [(what, value) for what, value in found if isinstance(value, str)]


def scripts(points: bytes) -> "list[str]":
    """The names of the programs that installers write for an entry_points.txt."""
    return [name.decode("utf-8", "surrogateescape") for name in content.scripts_of(points)]


def script_fault(path: str, head: bytes, folder: str) -> "Fault | None":
    """What is wrong with the start of a program that an installer wrote; `folder` holds Python."""
    if entry_points.interpreter(head, folder) is not None:
        return None
    shown = b"\n".join(head.split(b"\n", 2)[: 2 if head.startswith(b"#!/bin/sh\n") else 1])
    return Fault("script", path, found=repr(shown[:120].decode("utf-8", "backslashreplace")))


def setting_faults(config: "bytes | None", *, shared: bool = False) -> "list[Fault]":
    """What is wrong with a pyvenv.cfg: it lets in packages from outside of the environment."""
    if config is None:
        return []
    pairs = _pairs(config)
    names, values = [key for key, _ in pairs], dict(pairs)
    faults = [
        # Which of them counts is another one for Python's start, for `site`, and for this reader.
        Fault("setting", "pyvenv.cfg " + each, wanted="one", found=str(names.count(each)))
        for each in sorted(set(names))
        if names.count(each) > 1
    ]
    home = values.get("home", "/")
    if not home.startswith("/"):
        faults.append(Fault("setting", "pyvenv.cfg home", wanted="an absolute path", found=home))
    found = values.get("include-system-site-packages", "true").lower()
    wanted = "true" if shared else "false"
    if found != wanted and not shared:
        where = "pyvenv.cfg include-system-site-packages"
        faults.append(Fault("setting", where, wanted=wanted, found=found))
    return faults


def settings(config: bytes) -> "dict[str, str]":
    """The keys of a pyvenv.cfg."""
    return dict(_pairs(config))


def _pairs(config: bytes) -> "list[tuple[str, str]]":
    lines = config.decode("utf-8", "surrogateescape").splitlines()
    pairs = (line.partition("=") for line in lines)
    return [(key.strip().lower(), value.strip()) for key, equals, value in pairs if equals]
