"""check: two manifests become a report, two verdicts and one answer. Nothing is read or written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from envsnap._typing import NamedTuple
from envsnap.errors import UsageError
from envsnap.manifest import Manifest, canonical_name, environment_id, machine_id
from envsnap.profiles import NO_ENVIRONMENT
from envsnap.rules import (
    Checked,
    CheckOptions,
    Finding,
    Outcome,
    Report,
    Rule,
    Scope,
    compare_sides,
    rules,
)
from envsnap.rules._core import Pair, Side
from envsnap.rules._cuda import is_machine_alone
from envsnap.rules._views import active
from envsnap.sections import (
    MADE_HERE,
    SECTIONS,
    Artifact,
    Fact,
    Package,
    Packages,
    Python,
    Reason,
    Unknown,
    replace,
)

_DEFAULTS = CheckOptions()
_IN_AN_IMAGE = ("PKG", "PYT", "REQ003")
"""The families that an image answers for: it brings its own packages and Python."""
_BUILD_AGAIN = "build the image again from its manifest: envsnap build"
_NOT_INSTALLED, _NO_ENGINE = "PKG001", "ENG001"
_NAMED_KINDS = ("venv", "virtualenv", "conda")


def check(wanted: Manifest, found: Manifest, options: CheckOptions = _DEFAULTS) -> Checked:
    """What it means to run the wanted environment on the found machine.

    Raises:
        UsageError: `select`, `ignore` or `allow_unknown` names no rule or section, or no rule
            is left.
    """
    asked = _asked(options)
    pair = Pair.of(_as_rebuilt(wanted) if options.is_image else wanted, found)
    is_here, why = _set_up(pair)
    report = compare_sides(pair, codes=asked)
    if options.is_image:
        report = _of_an_image(report)
        usual = _Way(Scope.CONTAINER, "an image is the container")
    else:
        usual = _Way(Scope.NATIVE, why) if is_here else _of_not_set_up(pair, report, why)
        report = report if is_here else _to_activate(report, wanted, found)
    scope = options.scope or usual.scope
    report, left = _excused(report, (wanted, found), options)
    return Checked(
        report=report._replace(ignored=dict(options.ignore)),
        scope=scope,
        chosen=f"--for {scope}" if options.scope else usual.why,
        options=options,
        is_set_up=is_here,
        accepted_left=left,
    )


class _Way(NamedTuple):
    """The way of running that decides, and why that one."""

    scope: Scope
    why: str


def _of_not_set_up(pair: Pair, report: Report, why: str) -> _Way:
    """Which way decides where the packages are not installed.

    A container, but for two: who stands at the machine of the manifest has the environment and
    looks at another one; and where no engine may be used, no container will run it.
    """
    if isinstance(_names(pair.found), Unknown):
        return _Way(Scope.CONTAINER, why)
    if _is_its_machine(pair.wanted.manifest, pair.found.manifest):
        return _Way(Scope.NATIVE, f"{why}, and the manifest is of this machine")
    if any(each.code == _NO_ENGINE for each in report.findings):
        return _Way(Scope.NATIVE, f"{why}, and no container engine can be used there")
    return _Way(Scope.CONTAINER, why)


def _is_its_machine(wanted: Manifest, found: Manifest) -> bool:
    ident = machine_id(wanted)
    return isinstance(ident, str) and ident == machine_id(found)


def _to_activate(report: Report, wanted: Manifest, found: Manifest) -> Report:
    """The report, in which the step on the manifest's own machine is to activate what is there."""
    python = wanted.section(Python)
    if isinstance(python, Unknown) or not _is_its_machine(wanted, found):
        return report
    name, kind = python.environment_name, python.environment_kind
    if not isinstance(name, str) or kind not in _NAMED_KINDS:
        return report
    step = f'activate {kind} "{name}", or name it: envsnap check --python PATH'
    return report._replace(
        findings=tuple(
            each._replace(remedy=step) if each.code == _NOT_INSTALLED else each
            for each in report.findings
        )
    )


def _excused(
    report: Report, sides: tuple[Manifest, Manifest], options: CheckOptions
) -> tuple[Report, tuple[str, ...]]:
    """The report with what author and reader allow, and what of that covers nothing."""
    if not options.accepted and not sides[0].requires.get("may"):
        return report, ()
    from envsnap.rules._excused import excused, left_over

    done = excused(report, sides, options.accepted, options.today)
    return done, left_over(done, sides[0], options.accepted, options.today)


def _asked(options: CheckOptions) -> set[str]:
    """The codes of the rules to judge; there is one at least."""
    refuse_unknown_names(options)
    asked = {each.code for each in rules() if _is_asked(each, options)}
    if not asked:
        raise UsageError(
            "No rule is left to judge",
            hint="--select, --ignore and tool.envsnap.ignore in pyproject.toml leave out all",
        )
    return asked


def _is_asked(rule: Rule, options: CheckOptions) -> bool:
    selected = not options.select or rule.code.startswith(options.select)
    return selected and not rule.code.startswith(tuple(options.ignore))


def refuse_unknown_names(options: CheckOptions) -> None:
    """Refuse options that name what is not there.

    Raises:
        UsageError: `select`, `ignore` or `allow_unknown` names no rule or section.
    """
    codes = [each.code for each in rules()]
    for name in (*options.select, *options.ignore):
        if not name or not any(code.startswith(name) for code in codes):
            raise UsageError(f"No rule {name!r}", hint="See the rules: envsnap explain")
    for name in sorted(options.allow_unknown):
        if name not in codes and name not in SECTIONS:
            raise UsageError(
                f"No rule or section {name!r}",
                hint=f"The sections are {', '.join(SECTIONS)}; the rules: envsnap explain",
            )


def _of_an_image(report: Report) -> Report:
    """The report, in which the packages and the Python of the image count for the container."""

    def counts(code: str) -> bool:
        return code.startswith(_IN_AN_IMAGE)

    return report._replace(
        findings=tuple(
            each._replace(scope=Scope.BOTH, remedy=each.remedy and _BUILD_AGAIN)
            if counts(each.code)
            else each
            for each in report.findings
        ),
        not_checked=tuple(
            each._replace(scope=Scope.BOTH) if counts(each.code) else each
            for each in report.not_checked
        ),
        conditions=tuple(
            each._replace(scope=Scope.BOTH) if counts(each.code) else each
            for each in report.conditions
        ),
        judged={
            code: Scope.BOTH if counts(code) else scope for code, scope in report.judged.items()
        },
    )


def _as_rebuilt(wanted: Manifest) -> Manifest:
    """The manifest as an image can hold it.

    What the lock has as source alone, or as a wheel made again, has a content of its own.
    """
    packages, lock = wanted.section(Packages), wanted.lock
    if lock is None or isinstance(packages, Unknown) or isinstance(packages.installed, Unknown):
        return wanted
    if lock.environment != environment_id(wanted):
        return wanted
    others = rebuilt_contents(lock.artifacts)
    installed = tuple(as_rebuilt(each, others) for each in packages.installed)
    section = replace(packages, installed=installed)
    return replace(wanted, sections={**wanted.sections, "packages": section})


_MADE_ANEW = Unknown(Reason.NOT_RECORDED, "it was built or made again")


def as_rebuilt(package: Package, others: Mapping[str, Fact[str | None]]) -> Package:
    """The package with the content that it has where it was rebuilt, if it was.

    Of what it has outside of site-packages nobody promises that it comes out the same.
    """
    name = canonical_name(package.name)
    if name not in others:
        return package
    return replace(package, content=others[name], outside=_MADE_ANEW)


def rebuilt_contents(artifacts: Iterable[Artifact]) -> Mapping[str, Fact[str | None]]:
    """The content of what is not the very file that was installed, by canonical name.

    A wheel that was made or built has its own, which may hold edits that RECORD does not state.
    What is built from its source on the spot has none: builds differ in their bytes.
    """
    return {
        canonical_name(each.name): each.content if each.filename.endswith(".whl") else None
        for each in artifacts
        if each.how in MADE_HERE or not each.filename.endswith(".whl")
    }


def is_exact(found: Finding) -> bool:
    """Whether what was made from a manifest differs from it by this, however little it changes."""
    return found.outcome.reaches(Outcome.NUMERICS) or found.code in _EXACT


_EXACT = frozenset({"PKG002", "PKG003", "PKG005", "PYT003"})


def in_a_line(found: Finding) -> str:
    """A finding in one line, with its subject named once."""
    subject = f"{found.subject} "
    return found.what if found.what.startswith(subject) else f"{found.subject}: {found.what}"


def is_set_up(wanted: Manifest, found: Manifest) -> bool:
    """Whether half of the wanted packages are installed on the found side, or may be."""
    return _set_up(Pair.of(wanted, found))[0]


def _set_up(pair: Pair) -> tuple[bool, str]:
    """Whether half of the wanted packages are installed on the found side, and that in words.

    What could not be seen there may well be there: only a side that is known to have no
    environment, or of which none was asked for, counts as not set up.
    """
    if is_machine_alone(pair.wanted):
        return False, "the wanted side is a machine without an environment"
    theirs, ours = _names(pair.wanted), _names(pair.found)
    if isinstance(ours, Unknown) and (absent := _why_none_is_there(pair.found, ours)) is not None:
        return False, absent
    if isinstance(theirs, Unknown):
        return True, "which packages are wanted is not known"
    if isinstance(ours, Unknown):
        return True, "what is installed there could not be seen, and may be all of it"
    there = len(theirs & ours)
    is_there = 2 * there >= len(theirs)
    return is_there, f"{there} of {len(theirs)} packages are installed there"


def _names(side: Side) -> Fact[AbstractSet[str]]:
    packages = side.manifest.section(Packages)
    if isinstance(packages, Unknown):
        return packages
    if isinstance(packages.installed, Unknown):
        return packages.installed
    if isinstance(packages.unlisted, Unknown):
        return packages.unlisted
    return active(side).keys()


def _why_none_is_there(found: Side, packages: Unknown) -> str | None:
    """Why the found side is known to have no environment; None where it may have one."""
    python = found.manifest.section(Python)
    if packages == NO_ENVIRONMENT:
        return packages.detail
    if packages.reason is Reason.NOT_ASKED:
        return "what is installed there was left out of its capture"
    if isinstance(python, Unknown) and python.reason is Reason.TOOL_MISSING:
        return "there is no Python there"
    return None


__all__ = ["CheckOptions", "Checked", "check"]
