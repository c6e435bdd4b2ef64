"""import: what others recorded becomes one partial manifest. Nothing is read or written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch

from envsnap import __version__
from envsnap._typing import NamedTuple
from envsnap.errors import ManifestError, UsageError
from envsnap.imports import NOT_TOLD, Reader, Text, Told, joined, readers
from envsnap.imports._cards import as_listed
from envsnap.imports._complaints import complaints
from envsnap.imports._pasted import fragments, may_be_facts
from envsnap.manifest import Manifest
from envsnap.rules import Outcome, compare, health
from envsnap.sections import SECTIONS, Captured, Gpu, Os, Packages, Python, Unknown

_UTF16 = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_SIDE = re.compile(r"\A(?:wanted|found) ")
_ITEM = re.compile(r"\[\d+\]|(?<=installed)\..*(?=\.)|(?<=installed)\.[^.]*\Z")
_MOST_ASKED = 3
_TORCH = "python -m torch.utils.collect_env"
_ASKED: Mapping[str, tuple[str, str]] = {
    "packages.conda_only": ("what conda installed beside Python's packages", "conda"),
    "packages.installed.content": ("", ""),
    "packages.installed.tags": ("", ""),
    "packages.broken": ("", ""),
    "packages.installed.torch": ("for which CUDA PyTorch was built", "report"),
    "packages": ("which packages are installed, all of them", "list"),
    "python": ("the Python, to the patch level", "report"),
    "python.": ("", ""),
    "gpu.driver": ("the version of the GPU's driver", "gpu"),
    "gpu.driver.version": ("the version of the GPU's driver", "gpu"),
    "gpu.driver.": ("", ""),
    "gpu.visible": ("which of the GPUs PyTorch sees", "report"),
    "gpu": ("the GPUs and their driver", "gpu"),
    "gpu.devices": ("the GPUs", "gpu"),
    "gpu.devices.name": ("the whole name of the GPU", "name"),
    "gpu.devices.compute_capability": ("the whole name of the GPU", "name"),
    "gpu.devices.memory_mib": ("the memory of the GPU", "memory"),
    "gpu.devices.": ("", ""),
    "gpu.": ("", ""),
    "os": ("the system, its kernel and C library", "report"),
    "cpu": ("the processor", "report"),
}
"""A place in the manifest, in plain words, and what kind of report tells it.

With a dot at its end it stands for the facts in it, where it is known itself. Empty stands for
what only a capture tells: who reports a fault has no envsnap, and is not asked.
"""


class Reading(NamedTuple):
    """What one text was found to say."""

    name: str
    told: tuple[Told, ...]
    """One for each piece that was recognised; empty where none was."""
    complaints: tuple[str, ...] = ()
    """What the text itself says is wrong, in words."""
    overlooked: tuple[str, ...] = ()
    """Lines outside of these pieces that seem to tell facts, too."""


class Ask(NamedTuple):
    """A fact that is missing, and how to get it."""

    words: str
    command: str


def as_text(raw: bytes, name: str) -> str:
    """The text in a file, as any system writes it: UTF-8 or UTF-16, any line ends.

    Raises:
        ManifestError: It is no text.
    """
    mark = next((each for each in _UTF16 if raw.startswith(each[0])), None)
    if mark is None and raw[1:2] == b"\0":
        mark = (b"", "utf-16-le")  # PowerShell's, without its mark
    if mark is not None:
        text = raw[len(mark[0]) :].decode(mark[1], "replace")
    else:
        text = raw.decode("utf-8-sig", "replace")
    if "\0" in text:
        raise ManifestError(
            f"{name}: Not text", hint="Give what a program printed, or a list or lock file"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read(text: Text, form: str | None = None) -> Reading:
    """What a text says; as one form alone, where it is named.

    Raises:
        UsageError: There is no such form.
        MissingExtraError: The library that reads it is not installed.
    """
    if form is not None:
        return Reading(text.name, tuple(_as_form(text, form)))
    every = readers()
    named = [each for each in every if _is_named(text, each)]
    whole = _first(text, [*named, *(each for each in every if each.is_strict)])
    if whole is not None:
        return Reading(text.name, (whole,))
    pieces = tuple(_in_pieces(text, every))
    left = may_be_facts(text.text, (piece.text for piece, _ in pieces))
    told = tuple(each for _, each in pieces)
    return Reading(text.name, told, complaints(text.text), tuple(left))


def forms() -> tuple[str, ...]:
    """What can be read, by the names that people call it."""
    return tuple(dict.fromkeys(each.form for each in readers()))


def imported(readings: Iterable[Reading], time: str) -> Manifest:
    """The manifest of what all texts say together; what none says is not recorded."""
    told = [each for reading in readings for each in reading.told]
    found = joined(each.sections for each in told)
    gpu = found.get("gpu")
    if isinstance(gpu, Gpu):
        found["gpu"] = as_listed(gpu)
    sections = {name: found.get(name, NOT_TOLD) for name in SECTIONS}
    used = tuple(sorted({each.form for each in told}))
    return Manifest(
        captured=Captured(time=time, version=__version__, imported=used), sections=sections
    )


def asks(manifest: Manifest) -> tuple[Ask, ...]:
    """The facts without which most rules that can stop it are undecided, the most wanted first."""
    waiting: dict[tuple[str, str], dict[str, bool]] = {}
    for report in (health(manifest), compare(manifest, manifest)):
        for each in report.not_checked:
            words, kind = _question(_place(each.path))
            command = _command(kind, manifest)
            if command is not None:
                codes = waiting.setdefault((words, command), {})
                codes[each.code] = each.worst is Outcome.BLOCKS
    ranked = sorted(
        waiting, key=lambda each: (-sum(waiting[each].values()), -len(waiting[each]), each)
    )
    return tuple(Ask(*each) for each in ranked[:_MOST_ASKED])


def to_send(asked: Iterable[Ask]) -> tuple[str, ...]:
    """What whoever reported it may run: each command once, PyTorch's report first."""
    commands = dict.fromkeys(each.command for each in asked)
    return tuple(sorted(commands, key=lambda each: each != _TORCH))


def _command(kind: str, manifest: Manifest) -> str | None:
    """What prints the facts of that kind there; None where nobody can be asked for them."""
    system, forms_read = manifest.section(Os), manifest.captured.imported
    has_report = any(each.endswith("collect_env") for each in forms_read)
    is_mac = isinstance(system, Os) and system.system == "Darwin"
    is_conda = any(each.startswith("conda") for each in forms_read) or _is_of_conda(manifest)
    is_asked = not has_report and _may_have_torch(manifest)
    of_gpus = None if is_mac else _of_gpus(manifest, has_report=has_report)
    return {
        "list": "python -m pip list",
        "conda": "conda list" if is_conda else None,
        "report": _TORCH if is_asked else None,
        "gpu": of_gpus,
        "memory": "nvidia-smi" if of_gpus in {_TORCH, "nvidia-smi"} else None,
        "name": "nvidia-smi -L",
    }.get(kind)


def _of_gpus(manifest: Manifest, *, has_report: bool) -> str:
    """What prints the cards and their driver there, by whose cards they are."""
    gpu, system = manifest.section(Gpu), manifest.section(Os)
    kernel = system.kernel if isinstance(system, Os) else NOT_TOLD
    if "tegra" in str(kernel):
        return "cat /etc/nv_tegra_release"
    devices = gpu.devices if isinstance(gpu, Gpu) else NOT_TOLD
    is_amd = not isinstance(devices, Unknown) and any(each.vendor == "amd" for each in devices)
    if is_amd or "rocm" in (_torch(manifest) or ""):
        return "rocm-smi --showproductname --showdriverversion"
    is_named = _torch(manifest) is not None and not has_report
    return _TORCH if is_named else "nvidia-smi"


def _torch(manifest: Manifest) -> str | None:
    """The version of PyTorch; None where nobody names it."""
    section = manifest.section(Packages)
    found = NOT_TOLD if isinstance(section, Unknown) else section.installed
    names = () if isinstance(found, Unknown) else found
    return next((each.version for each in names if each.name == "torch"), None)


def _may_have_torch(manifest: Manifest) -> bool:
    section = manifest.section(Packages)
    is_whole = isinstance(section, Packages) and section.unlisted is False
    return not is_whole or _torch(manifest) is not None


def _is_of_conda(manifest: Manifest) -> bool:
    python = manifest.section(Python)
    return isinstance(python, Python) and python.origin == "conda"


def _as_form(text: Text, form: str) -> Iterator[Told]:
    named = [each for each in readers() if each.form == form]
    if not named:
        raise UsageError(f"No form {form!r}", hint=f"The forms are: {', '.join(forms())}")
    known_by = next((pattern for each in named for pattern in each.files), text.name)
    text = text._replace(name=known_by.replace("*", ""))
    whole = _first(text, named)
    yield from (whole,) if whole is not None else (told for _, told in _in_pieces(text, named))


def _in_pieces(text: Text, asked: Iterable[Reader]) -> Iterator[tuple[Text, Told]]:
    """Each piece of a pasted text that a reader knows, and what the first of them says."""
    every = tuple(asked)
    for piece in fragments(text.text, text.name):
        known = piece._replace(platform=text.platform, python=text.python)
        told = _first(known, sorted(every, key=lambda each: not _is_named(known, each)))
        if told is not None:
            yield piece, told


def _first(text: Text, asked: Iterable[Reader]) -> Told | None:
    found = (told for each in asked if (told := each.read(text)) is not None)
    return next(found, None)


def _is_named(text: Text, reader: Reader) -> bool:
    """Whether the file's name announces what that reader knows."""
    return any(fnmatch(text.name, pattern) for pattern in reader.files)


def _place(path: str) -> str:
    """A fact's place without its side, and without which item of a list it is in."""
    return _ITEM.sub("", _SIDE.sub("", path))


def _question(place: str) -> tuple[str, str]:
    """What to ask for, by the longest name that is known of the place."""
    parts = place.split(".")
    whole, *above = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    names = [whole, *(name for each in above for name in (f"{each}.", each))]
    return next((_ASKED[name] for name in names if name in _ASKED), ("", ""))
