"""ENV: environment variables that change what programs compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsnap.facts import Looked, determinism
from envsnap.rules._core import Open, Pair, Said, Side, drift, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import TORCH_RANDOMNESS
from envsnap.rules._views import shell_line
from envsnap.sections import Environ, Reason, Unknown

_CHANGES = ("numerics", "determinism", "order of sums", "algorithm choice", "which libraries load")
_THREADS = ("OMP_", "KMP_", "VECLIB_")
_LONGEST = 24
_CUT = "/..."
_ANONYMOUS = Unknown(Reason.NOT_ASKED, "cut by --anonymous")


@drift(
    "ENV001", scope=Scope.NATIVE, worst=Outcome.NUMERICS, reads=(Environ,), source=TORCH_RANDOMNESS
)
def other_value(pair: Pair) -> Iterator[Said | Open]:
    """The variable changes how numbers are computed.

    Compared are the variables of a closed list. Those that change numbers, the order of sums,
    the choice of algorithms or the libraries that load are numerics, the others a note. In a
    container the image sets them.
    """
    wanted, found = _variables(pair.wanted), _variables(pair.found)
    for name in sorted(wanted.keys() | found.keys()):
        theirs, ours = wanted.get(name), found.get(name)
        if theirs == ours:
            continue
        if _CUT in f"{theirs}{ours}":
            yield Open(pair.wanted.path(f"environ.variables.{name}"), _ANONYMOUS)
            continue
        known = determinism.variable(name)
        if isinstance(known, Looked):
            effect = known.value.effect
            changes = any(word in known.value.affects for word in _CHANGES)
        else:
            changes = name.startswith(_THREADS)
            effect = "how threads share the work" if changes else "it is not known to change digits"
        yield Said(
            name, Outcome.NUMERICS if changes else Outcome.NOTE,
            f"{name}: {_words(theirs)} -> {_words(ours)}", why=effect,
            remedy=_remedy(name, theirs),
            wanted=_words(theirs), found=_words(ours),
        )  # fmt: skip


def _remedy(name: str, value: str | None) -> str | None:
    """The line that sets the variable as it was; none where the value is told from an anchor."""
    if value is None:
        return shell_line("unset", name)
    return None if "{" in value else shell_line("export", f"{name}={value}")


def _variables(side: Side) -> Mapping[str, str]:
    return need(side.need(Environ).variables, side.path("environ.variables"))


def _words(value: str | None) -> str:
    if value is None:
        return "not set"
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 3]}..."
