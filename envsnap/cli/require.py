"""envsnap require: state in a manifest what must hold and what may differ."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence

from envsnap._typing import Any
from envsnap.cli._manifest import load
from envsnap.cli._terminal import Style, add_common, clean, columns, folded, payload, say
from envsnap.constraints import (
    MAY,
    MOST,
    MUST,
    ConstraintError,
    MayDiffer,
    Requires,
    Stated,
    can_excuse,
    emit,
    holds,
    read,
    refused_of,
    requires_of,
    version,
)
from envsnap.errors import ExitCode, FileError, ManifestError, UsageError
from envsnap.manifest import Manifest, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

EPILOG = """examples:
  envsnap require                      what the manifest here requires
  envsnap require "gpu.compute_capability >= 8.0"
                                       what every machine must have
  envsnap require "gpu.memory >= 20 GiB" --because "the largest batch"
  envsnap require --may "driver in 535.*, 550.*"
                                       both drivers are right
  envsnap require --may "packages numpy, scipy may differ in patch"
  envsnap require --remove 2           the second one goes
  envsnap require --emit nvidia        the value of NVIDIA_REQUIRE_CUDA

expressions:
  FACT == VALUE, also != >= <= > <; several divided by commas must all hold
  FACT in VALUE, VALUE    FACT not in VALUE, VALUE    FACT has VALUE (lists)
  package NAME >= 1.26, < 2      as PEP 440 writes versions
  packages NAME, NAME may differ in build|patch|minor|version    (* is all)
  FACT may differ    CODE may differ
  535.* is every version that begins so; 12.4 and 12.4.0 are the same; values
  with spaces stand in double quotes. Facts: driver, cuda, glibc, python,
  kernel, memory, gpu.count, gpu.memory, gpu.name, gpu.compute_capability,
  cpu.architecture, cpu.level, cpu.features, environ.variables.NAME, and every
  path that 'envsnap explain SECTION' lists.

What must hold always counts. What may differ is shown beside the finding, and
changes the exit code of a check with --accept-waivers alone.
"""

_LONGEST_NUMBER = 9
_SEE = "See what it requires: envsnap require --list"
_EMITTERS = {"nvidia": emit.nvidia, "conda": emit.conda, "pixi": emit.pixi}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of require."""
    # Expressions may stand before and after an option: --may "driver may differ".
    parser.parse_args = parser.parse_intermixed_args  # type: ignore[method-assign]
    add = parser.add_argument
    add(
        "words", metavar="[MANIFEST] EXPRESSION", nargs="*",
        help="what must hold; the manifest is the nearest upward, unless a file is named first",
    )  # fmt: skip
    add("--may", action="store_true", help="state what may differ, not what must hold")
    add("--because", metavar="TEXT", help="the reason, shown wherever the statement counts")
    add("--remove", metavar="N", type=_number, action="append", default=[],
        help="take the statement of that number out")  # fmt: skip
    add("--list", action="store_true", help="list what is required (the default)")
    add("--emit", choices=sorted(_EMITTERS), help="print what must hold, and what its packages "
        "need, for NVIDIA's container toolkit, conda or pixi")  # fmt: skip
    add_common(parser)


def _number(text: str) -> int:
    """The number of a statement, in the digits that the list has."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        from argparse import ArgumentTypeError

        raise ArgumentTypeError(f"{text!r} is no number of a statement")
    return int(text)


def run(args: argparse.Namespace) -> ExitCode:
    """Write what is stated, or list or emit it."""
    path, texts = _split(args.words)
    is_change = bool(texts or args.remove)
    _refuse_wrong(args, path, is_change=is_change)
    manifest = load(path)
    if is_change:
        _write(
            path, lambda before: _changed(args, before, texts), lambda now: _list(args, path, now)
        )
        return ExitCode.OK
    if args.emit is not None:
        return _emit(args, manifest)
    payload(_list(args, path, manifest))
    return _readable(manifest)


def _split(words: Sequence[str]) -> tuple[str, list[str]]:
    """The manifest's path, and the expressions."""
    if words and _is_path(words[0]):
        return words[0], list(words[1:])
    return find(), list(words)


def _is_path(word: str) -> bool:
    return word == "-" or word.endswith((".json", ".zip")) or os.path.isfile(word)


def _refuse_wrong(args: argparse.Namespace, path: str, *, is_change: bool) -> None:
    if is_change and (path == "-" or path.endswith(".zip")):
        raise UsageError("Only a file of its own can be changed", hint="Name a manifest")
    if is_change and (args.list or args.emit is not None):
        raise UsageError("--list and --emit change nothing", hint="Leave out the expressions")
    if (args.may or args.because is not None) and (args.remove or not is_change):
        raise UsageError("--may and --because belong to an expression", hint="Add one")


def _changed(
    args: argparse.Namespace, manifest: Manifest, texts: Sequence[str]
) -> Mapping[str, object]:
    """What is required afterwards."""
    before = {which: list(_listed(manifest, which)) for which in (MUST, MAY)}
    places = [(which, index) for which in (MUST, MAY) for index in range(len(before[which][:MOST]))]
    for number in args.remove:
        if not 1 <= number <= len(places):
            there = f"1 to {len(places)}" if places else "nothing"
            raise UsageError(f"There is no statement {number}", hint=f"There is {there}")
    gone = {places[number - 1] for number in args.remove}
    after = {
        which: [each for index, each in enumerate(before[which]) if (which, index) not in gone]
        for which in (MUST, MAY)
    }
    which = MAY if args.may else MUST
    new = [_stated(text, which, args.because) for text in texts]
    kept = [each for each in after[which] if _text(each) not in {_text(one) for one in new}]
    after[which] = [*kept, *new]
    if len(after[which]) > MOST:
        raise UsageError(f"More than {MOST} statements", hint="Write fewer of more values")
    others = {name: each for name, each in manifest.requires.items() if name not in after}
    return {**others, **{name: each for name, each in after.items() if each}}


def _listed(manifest: Manifest, which: str) -> list[Any]:
    found = manifest.requires.get(which, [])
    return list(found) if isinstance(found, (list, tuple)) else []


def _text(stated: object) -> object:
    return stated.get("that") if isinstance(stated, dict) else stated


def _stated(text: str, which: str, because: str | None) -> object:
    """The statement as the manifest keeps it."""
    found = read(text, which)
    if isinstance(found, ConstraintError):
        raise found
    if which == MAY and not can_excuse(found):
        raise UsageError(
            f"No rule compares {found.subject!r}: nothing is found that it could allow",
            hint="See what rules compare: envsnap explain",
        )
    plain = str(found)
    if because is None or not because.strip():
        return plain
    return {"that": plain, "because": " ".join(because.split())}


def _write(
    path: str,
    changed: Callable[[Manifest], Mapping[str, object]],
    told: Callable[[Manifest], str],
) -> None:
    """Put it into the file, once all of it is judged, and tell it.

    Nothing else of the file changes, and the digest of its facts stays.
    """
    from envsnap.cli._rewritten import rewritten
    from envsnap.manifest import parse, read_bytes
    from envsnap.manifest._encode import harmless, pretty
    from envsnap.manifest._file import parse_json

    def change(raw: bytes | None) -> bytes:
        before = raw or b""
        tree: Any = parse_json(before)
        requires = changed(parse(before, path))
        after = (harmless(pretty({**tree, "requires": requires})) + "\n").encode()
        told(parse(after, path))
        return after

    after = rewritten(path, lambda: read_bytes(path), change)
    try:
        payload(told(parse(after, path)))
    except FileError as error:
        raise FileError(f"{path} is changed, but: {error.message}", hint=_SEE) from error


def _list(args: argparse.Namespace, path: str, manifest: Manifest) -> str:
    requires = requires_of(manifest)
    name = "Standard input" if path == "-" else _line(path)
    if not requires.must and not requires.may:
        return f"{name} requires nothing"
    style, width = Style(sys.stdout, args.color), columns(sys.stdout)
    lines = [f"{name} requires:"]
    lines += _lines(requires, manifest, style)
    return "\n".join(folded(each, width) for each in lines)


def _line(text: str) -> str:
    """A manifest's words in one line of ours: a line end could begin what looks like another."""
    return clean(text).replace("\n", "\\n").replace("\t", "\\t")


def _lines(requires: Requires, manifest: Manifest, style: Style) -> Iterator[str]:
    number = 0
    for which, stated in ((MUST, requires.must), (MAY, requires.may)):
        for each in stated:
            number += 1
            yield f"{number:>3}  {which:<4}  {_line(each.text)}"
            if each.because:
                yield f"           because {_line(each.because)}"
            yield f"           {_here(each, which, manifest, style)}"
            if which == MAY:
                yield from _beside(each, requires.must, style)


def _beside(may: Stated, must: Sequence[Stated], style: Style) -> Iterator[str]:
    """What else is said of the same: the one may be meant without the other."""
    if isinstance(may.expression, ConstraintError):
        return
    for number, each in enumerate(must, 1):
        if isinstance(each.expression, ConstraintError):
            continue
        refused = refused_of(may.expression, each.expression)
        if refused:
            told = f"allows {', '.join(refused)}, which {number} refuses: change one of them"
            yield f"           {style.warn(_line(told))}"
        elif each.expression == may.expression:
            told = f"{number} says that it must hold; this one, that what holds it may differ"
            yield f"           {style.dim(told)}"


def _here(stated: Stated, which: str, manifest: Manifest, style: Style) -> str:
    """What the manifest's own facts say of it."""
    if isinstance(stated.expression, ConstraintError):
        return style.bad(f"cannot be read: {_line(stated.expression.reason)}")
    if isinstance(stated.expression, MayDiffer):
        return style.dim("counts with check --accept-waivers")
    answer = holds(stated.expression, manifest)
    if answer.unknown is not None:
        return style.warn(_line(f"not known here: {answer.path} is {answer.unknown}"))
    if answer.holds:
        return style.good(_line(f"holds here: {answer.seen}"))
    paint = style.bad if which == MUST else style.warn
    return paint(_line(f"does not hold where it was captured: {answer.seen}"))


def _readable(manifest: Manifest) -> ExitCode:
    """The status of a list: a manifest whose statements cannot be read is a bad one.

    Raises:
        ManifestError: One of them is no expression.
    """
    requires = requires_of(manifest)
    for each in (*requires.must, *requires.may):
        if isinstance(each.expression, ConstraintError):
            raise ManifestError(
                each.expression.message, where=each.place, hint=each.expression.hint
            )
    return ExitCode.OK


def _emit(args: argparse.Namespace, manifest: Manifest) -> ExitCode:
    """Print what must hold in another tool's language, and say what that cannot hold."""
    _readable(manifest)
    must = [
        each.expression
        for each in requires_of(manifest).must
        if not isinstance(each.expression, ConstraintError)
    ]
    found = _EMITTERS[args.emit](must, _needs(args, manifest))
    for each in found.left_out:
        say(f"not in {args.emit}'s language: {_line(each)}", quiet=args.quiet)
    if not found.text:
        say("nothing is required that it could hold", quiet=args.quiet)
        return ExitCode.OK
    payload(found.text)
    return ExitCode.OK


def _needs(args: argparse.Namespace, manifest: Manifest) -> emit.Needs:
    """What the environment itself asks for, as far as that is known."""
    from envsnap.rules._core import NeedError, Side
    from envsnap.rules._cuda import needs
    from envsnap.sections import Gpu, Unknown

    side = Side("", manifest)
    cuda: tuple[str, ...] = ()
    try:
        cuda = tuple(each.cuda for each in needs(side))
    except NeedError as error:
        say(f"which CUDA its packages need is not known: {error.path}", quiet=args.quiet)
    gpu = manifest.section(Gpu)
    if cuda and (isinstance(gpu, Unknown) or gpu.kind != "nvidia"):
        say("it has packages for CUDA and was captured without an NVIDIA GPU: they do not count; "
            "to ask for one: envsnap require 'cuda >= 12.0'", quiet=args.quiet)  # fmt: skip
        cuda = ()
    return emit.Needs(cuda=cuda, glibc=_glibc(manifest))


def _glibc(manifest: Manifest) -> str | None:
    """The oldest glibc that every wheel is content with; None where no wheel asks for one."""
    from envsnap.facts import Looked, manylinux
    from envsnap.sections import Packages, Unknown

    packages = manifest.section(Packages)
    installed = packages if isinstance(packages, Unknown) else packages.installed
    floors = []
    for each in () if isinstance(installed, Unknown) else installed:
        tags = each.tags if isinstance(each.tags, tuple) and each.active else ()
        asked = [
            found.value.version
            for tag in tags
            if isinstance(found := manylinux.floor(tag.rpartition("-")[2]), Looked)
            and found.value.libc == "glibc"
        ]
        if asked:
            floors.append(min(asked, key=lambda text: version(text) or ((), False, "")))
    return max(floors, key=lambda text: version(text) or ((), False, ""), default=None)
