"""check: two manifests become a report, two verdicts and one answer. Nothing is read or written."""

from __future__ import annotations

from envsnap.errors import UsageError
from envsnap.manifest import Manifest, canonical_name
from envsnap.rules import Checked, CheckOptions, Rule, Scope, compare, rules
from envsnap.sections import SECTIONS, Packages, Python, Reason, Unknown

_DEFAULTS = CheckOptions()


def check(wanted: Manifest, found: Manifest, options: CheckOptions = _DEFAULTS) -> Checked:
    """What it means to run the wanted environment on the found machine.

    Raises:
        UsageError: `select`, `ignore` or `allow_unknown` names no rule or section.
    """
    judged = {each.code for each in rules() if _is_asked(each, options)}
    _refuse_unknown_names(options)
    report = compare(wanted, found, codes=judged)
    is_set_up, why = _set_up(wanted, found)
    scope = options.scope or (Scope.NATIVE if is_set_up else Scope.CONTAINER)
    return Checked(
        report=report._replace(ignored=dict(options.ignore)),
        scope=scope,
        chosen=f"--for {scope}" if options.scope else why,
        options=options,
        is_set_up=is_set_up,
    )


def _is_asked(rule: Rule, options: CheckOptions) -> bool:
    selected = not options.select or rule.code.startswith(options.select)
    return selected and not rule.code.startswith(tuple(options.ignore))


def _refuse_unknown_names(options: CheckOptions) -> None:
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


def _set_up(wanted: Manifest, found: Manifest) -> tuple[bool, str]:
    """Whether half of the wanted packages are installed on the found side, and that in words."""
    section = wanted.section(Packages)
    if isinstance(section, Unknown) and section.reason is Reason.NOT_ASKED:
        return False, "the wanted side is a machine without an environment"
    theirs, ours = _names(wanted), _names(found)
    if theirs is None:
        return True, "the wanted side has no packages to look for"
    if ours is None:
        return False, "what is installed there is not known"
    there = len(theirs & ours)
    if theirs and 2 * there < len(theirs):
        return False, f"{there} of {len(theirs)} packages are installed there"
    if not theirs and _has_no_python(found):
        return False, "there is no environment there"
    return True, f"{there} of {len(theirs)} packages are installed there"


def _names(manifest: Manifest) -> set[str] | None:
    packages = manifest.section(Packages)
    if isinstance(packages, Unknown) or isinstance(packages.installed, Unknown):
        return None
    return {canonical_name(each.name) for each in packages.installed if each.active}


def _has_no_python(manifest: Manifest) -> bool:
    return isinstance(manifest.section(Python), Unknown)


__all__ = ["CheckOptions", "Checked", "check"]
