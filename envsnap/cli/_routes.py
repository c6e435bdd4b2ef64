"""doctor --build: the ways to an image on this machine, as text or JSON."""

from __future__ import annotations

import contextlib
import json
import sys

from envsnap._routes import (
    BUILDERS,
    NO_IMAGES,
    NOT_KNOWN,
    Ask,
    Check,
    Routes,
    build_line,
    judge,
    look,
)
from envsnap.cli._lines import painted
from envsnap.cli._terminal import Progress, Style, columns, payload
from envsnap.errors import EnvsnapError, ExitCode, ToolError, UsageError
from envsnap.reports._lines import Line, Part, labelled, line, wrapped
from envsnap.sections import Engines, Fact, Reason, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from envsnap.manifest import Manifest

_SPARE = 1.5
"""The folder holds what is unpacked and the image made of it."""
_INDENT = 13
_USUAL = "python:3.11-slim"
"""Asked for where no manifest says what an image would begin with."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of doctor that ask about building."""
    build = parser.add_argument_group("building images")
    build.add_argument(
        "--build", action="store_true", help="look at the ways to an image on this machine alone"
    )
    build.add_argument(
        "--workdir", metavar="DIR",
        help="judge this folder to build in (default: $SCRATCH, else $TMPDIR)",
    )  # fmt: skip
    build.add_argument("--base-image", metavar="REF", help="start from this image, as build does")
    build.add_argument(
        "--online", action="store_true",
        help="ask the registries of the images that a build begins with, too",
    )  # fmt: skip


def run_routes(args: argparse.Namespace) -> ExitCode:
    """Look at the ways to an image; exit 0 where there is one, 1 where there is none."""
    from envsnap._capture import capture
    from envsnap.host import LocalHost
    from envsnap.probes import Options

    if args.recording is not None:
        raise UsageError(
            "--build tries what this machine allows; a recording cannot be tried",
            hint="Leave out --from",
        )
    if args.base_image is not None and not args.online:
        raise UsageError("--base-image is asked of its registry", hint="Give --online, too")
    host, manifest = LocalHost(), _manifest()
    with Progress("Looking at the ways to an image ...", quiet=args.quiet):
        here = capture(host, Options(host_only=True), sections=frozenset({"engines"}))
        images = _images(manifest, args.base_image, quiet=args.quiet) if args.online else NO_IMAGES
        seen = look(host, args.workdir, images)
    engines = here.section(Engines)
    if isinstance(engines, Unknown):
        raise ToolError(f"The engines could not be looked at: {engines.detail}")
    gpu = any(host.stat(path) is not None for path in ("/dev/nvidiactl", "/dev/dxg"))
    found = judge(seen, engines, gpu=gpu, needs=_needed(manifest))
    if args.format == "json":
        payload(_json(found))
    else:
        width = columns(sys.stdout)
        page = text(found, width, quiet=args.quiet, verbose=args.verbose)
        payload(painted(page, Style(sys.stdout, args.color)))
    return ExitCode.OK if found.chosen is not None and found.workdir is not None else ExitCode.NO


def _manifest() -> Manifest | None:
    """The manifest here; None where there is none that can be read."""
    from envsnap.manifest import find, load

    try:
        return load(find())
    except EnvsnapError:
        return None


def _needed(manifest: Manifest | None) -> Fact[int]:
    """What the image of the manifest here takes while it is made; unknown where there is none."""
    from envsnap.plan import PlanOptions
    from envsnap.plan._estimate import cost_of

    if manifest is None or manifest.lock is None:
        return NOT_KNOWN
    lock = manifest.lock
    known = cost_of(lock.artifacts, lock.conda or (), PlanOptions()).image.known
    return int(known * _SPARE) if known else NOT_KNOWN


def _images(manifest: Manifest | None, base: str | None, *, quiet: bool) -> Mapping[str, Ask]:
    """The images that a build of the manifest here would ask for, and what asks for each.

    They are asked for as `build` asks: through Docker, which has this site's mirrors and logins.

    Raises:
        PlanError: The base image's name is none.
    """
    from envsnap._build import registry_of
    from envsnap.cli.lock import talks_to

    wanted = _begun_with(manifest, base) or [base or _USUAL]
    talks_to([f"{registry_of(each)} (digest of {each})" for each in wanted], quiet=quiet)
    return {each: _asking(each) for each in wanted}


def _begun_with(manifest: Manifest | None, base: str | None) -> Sequence[str]:
    """What a plan asks for, in its order; nothing where there is no plan."""
    from envsnap.plan import PlanOptions, plan

    asked: dict[str, None] = {}

    def note(reference: str) -> Fact[str]:
        asked[reference] = None
        return Unknown(Reason.NOT_ASKED)

    if manifest is not None:
        with contextlib.suppress(EnvsnapError):  # what cannot be planned, `build` says
            plan(manifest, PlanOptions(base_image=base, allow_missing=True), note)
    return list(asked)


def _asking(reference: str) -> Ask:
    def ask() -> Fact[str]:
        from envsnap._build import resolve_digest

        try:
            return resolve_digest(reference)
        except EnvsnapError as error:
            return Unknown(Reason.NOT_RECORDED, error.message)

    return ask


def text(found: Routes, width: int, *, quiet: bool = False, verbose: bool = False) -> list[Line]:
    """The answer, what to type, what is in the way, the ways, and what was fine."""
    answer = [*_answer(found, width), *_commands(found)]
    if quiet:
        return answer
    counted = [each for each in found.checks if each.word in {"warns", "stops"}]
    return [
        *answer,
        line(),
        *(each for check in counted for each in _minded(check, width)),
        *([line()] if counted else []),
        *_ways(found, width),
        line(),
        *_rest(found, width, verbose=verbose),
    ]


def _answer(found: Routes, width: int) -> Iterator[Line]:
    if found.chosen is None:
        word = Part("NO", "bad")
        why = "no engine here builds images; the recipes can be written, and built elsewhere"
    elif found.workdir is None:
        word, why = Part("NO", "bad"), "no folder here will do to build in; name one with --workdir"
    else:
        instead = f" and not in {found.instead_of}" if found.instead_of else ""
        word, why = Part("YES", "good"), f"{found.chosen.said}, in {found.workdir}{instead}"
    start = f"  IMAGES   {word.text}   "
    first, *rest = wrapped(why, width - 1 - len(start))
    yield line("  IMAGES   ", word, f"   {first}")
    for each in rest:
        yield line(" " * len(start), each)


def _commands(found: Routes) -> Iterator[Line]:
    command = build_line(found)
    if command is None:
        yield line(f"{'  Write':<{_INDENT}}envsnap build --docker -o DIR")
    elif found.workdir is not None:
        yield line(f"{'  Build':<{_INDENT}}{command}")
        for number, each in enumerate(found.exports):
            yield line(f"{'' if number else '  By hand':<{_INDENT}}{each}")


def _minded(check: Check, width: int) -> Iterator[Line]:
    """What is in the way, and what helps."""
    word = Part(f"  {check.word:<{_INDENT - 2}}", "bad" if check.word == "stops" else "warn")
    for number, each in enumerate(wrapped(f"{check.topic}: {check.said}", width - 1 - _INDENT)):
        yield line(" " * _INDENT if number else word, each)
    if check.remedy:
        yield from labelled(
            " " * _INDENT + "->", check.remedy, width=width, indent=_INDENT + 3
        )  # fmt: skip


def _ways(found: Routes, width: int) -> Iterator[Line]:
    """What could build, then what could not, each with its version or its reason."""
    for label, works in (("  Could", True), ("  Could not", False)):
        for number, each in enumerate(way for way in found.routes if way.works is works):
            is_named = each.said.startswith(each.engine)
            said = each.said if is_named else f"{each.engine}: {each.said}"
            yield from labelled("" if number else label, said, width=width, indent=_INDENT)


def _rest(found: Routes, width: int, *, verbose: bool) -> Iterator[Line]:
    fine = [each for each in found.checks if each.word == "fine"]
    if verbose:
        for number, each in enumerate(fine):
            said = f"{each.topic}: {each.said}"
            yield from labelled("" if number else "Fine", said, width=width, indent=_INDENT)
    elif fine:
        said = f"{', '.join(each.topic for each in fine)}.  -v says more"
        yield from labelled("Fine", said, width=width, indent=_INDENT)
    for each in found.checks:
        if each.word == "not checked":
            said = f"{each.topic}: {each.said}"
            yield from labelled("Not checked", said, width=width, indent=_INDENT)


def _json(found: Routes) -> str:
    whole = {
        "schema": 1,
        "routes": [each._asdict() for each in found.routes],
        "checks": [each._asdict() for each in found.checks],
        "chosen": found.chosen and found.chosen.engine,
        "workdir": found.workdir,
        "instead_of": found.instead_of,
        "exports": list(found.exports),
        "command": build_line(found),
    }
    return json.dumps(whole, indent=2, sort_keys=True)


def in_short(engines: Fact[Engines]) -> str:
    """One line of plain doctor: what could build here, by what the capture saw."""
    if isinstance(engines, Unknown) or isinstance(engines.found, Unknown):
        return ""
    able = [each.name for each in engines.found if each.name in BUILDERS and each.usable is True]
    said = ", ".join(able) if able else "no engine that answers"
    return f"Images       {said} (envsnap doctor --build says more)"
