"""Which of the cards a CUDA program would see, by CUDA_VISIBLE_DEVICES and its relatives.

The rules are those of the CUDA programming guide: a list of positions or of UUID prefixes, cut at
the first that fits no card; a card named twice hides all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from envsnap._typing import NamedTuple
from envsnap.sections import Fact, Reason, Unknown

_SORTED = "PCI_BUS_ID"


class Candidate(NamedTuple):
    """A card that the driver shows, as far as choosing it goes."""

    position: int
    """In the section's `devices`."""
    name: Fact[str]
    uuid: Fact[str]
    mig: Fact[bool | None]
    slice_uuids: tuple[Fact[str], ...]


class Choice(NamedTuple):
    """What CUDA programs would see."""

    visible: Fact[tuple[int, ...]]
    hidden: Fact[str | None]
    slices: frozenset[str] | None
    """The UUIDs of the only MIG instances that were named; None if none was."""


def choose(cards: Sequence[Candidate], named: str | None, order: str | None) -> Choice:
    """The cards that CUDA would see, given CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER."""
    if named is not None and named.strip().startswith("MIG-"):
        return _by_slice(cards, named)
    if any(card.mig is True for card in cards):
        return _with_mig(cards, named)
    if named is None:
        return Choice(_positions(cards), None, None)
    if named.strip().startswith("GPU-"):
        chosen = _by_uuid(cards, named)
    else:
        chosen = _by_position(cards, named, order)
    if isinstance(chosen, Unknown):
        return Choice(chosen, chosen, None)
    hidden = len(cards) - len(chosen)
    return Choice(chosen, f"CUDA_VISIBLE_DEVICES hides {hidden}" if hidden else None, None)


def unseen(named: str | None, count: int, why: str | None, unknown: Unknown) -> Choice:
    """The choice where the driver shows no card: known only if CUDA would see none, and why."""
    if named is not None and _hides_all(named):
        return Choice((), f"CUDA_VISIBLE_DEVICES hides {count}", None)
    if why is not None:
        return Choice((), why, None)
    return Choice(unknown, unknown, None)


def with_unshown(choice: Choice, count: int, asked: Fact[str | None]) -> Choice:
    """The choice, and that so many more cards are there which NVML does not show."""
    if not count:
        return choice
    note = f"{count} more on the PCI bus, not shown by NVML"
    if asked in {"void", "none", ""}:
        note += f" (NVIDIA_VISIBLE_DEVICES={asked})"
    return merge([choice, Choice((), note, None)])


def merge(parts: Sequence[Choice]) -> Choice:
    """One choice of several; an unknown part makes the whole unknown."""
    visible: list[int] = []
    hidden: list[str] = []
    why: Unknown | None = None
    why_hidden: Unknown | None = None
    for part in parts:
        if isinstance(part.visible, Unknown):
            why = part.visible
        else:
            visible += part.visible
        if isinstance(part.hidden, Unknown):
            why_hidden = part.hidden
        elif part.hidden is not None:
            hidden.append(part.hidden)
    named = [part.slices for part in parts if part.slices is not None]
    said = "; ".join(hidden) or None
    return Choice(why or tuple(sorted(visible)), why_hidden or said, named[0] if named else None)


def is_named(uuid: Fact[str], names: frozenset[str]) -> bool:
    """Whether a MIG instance is one of those named, by the start of its UUID."""
    return any(_fits(uuid, name) for name in names)


def parse_positions(text: str) -> list[int]:
    """The positions that CUDA reads from a list; a number ends where its digits do.

    >>> parse_positions("1, 0,-1,2"), parse_positions("NoDevFiles")
    ([1, 0], [])
    """
    found: list[int] = []
    for part in text.split(","):
        digits = _digits(part.strip().removeprefix("+"))
        if not digits:
            break
        position = int(digits)
        if position in found:
            return []
        found.append(position)
    return found


def _hides_all(named: str) -> bool:
    return not parse_positions(named) and not named.strip().startswith(("GPU-", "MIG-"))


def _digits(text: str) -> str:
    end = 0
    while end < len(text) and end < 9 and text[end] in "0123456789":  # noqa: PLR2004 - no machine has 10^9 cards
        end += 1
    return text[:end]


def _positions(cards: Sequence[Candidate]) -> tuple[int, ...]:
    return tuple(card.position for card in cards)


def _by_position(cards: Sequence[Candidate], text: str, order: str | None) -> Fact[tuple[int, ...]]:
    wanted: list[int] = []
    for position in parse_positions(text):
        if position >= len(cards):
            break
        wanted.append(position)
    if len(wanted) in {0, len(cards)}:
        return _positions(cards) if wanted else ()
    names = {card.name for card in cards}
    one_kind = len(names) == 1 and not any(isinstance(name, Unknown) for name in names)
    if order != _SORTED and not one_kind:
        why = "CUDA numbers unlike cards fastest first; set CUDA_DEVICE_ORDER=PCI_BUS_ID"
        return Unknown(Reason.NOT_SUPPORTED, why)
    return tuple(sorted(cards[position].position for position in wanted))


def _by_uuid(cards: Sequence[Candidate], text: str) -> Fact[tuple[int, ...]]:
    found: list[int] = []
    for part in text.split(","):
        prefix = part.strip()
        if not prefix.startswith("GPU-"):
            break
        fitting = [card for card in cards if _fits(card.uuid, prefix)]
        if len(fitting) != 1:
            if any(isinstance(card.uuid, Unknown) for card in cards):
                return Unknown(Reason.NOT_SUPPORTED, "a card tells no UUID")
            break
        if fitting[0].position in found:
            return ()
        found.append(fitting[0].position)
    return tuple(sorted(found))


def _fits(uuid: Fact[str], prefix: str) -> bool:
    return isinstance(uuid, str) and uuid.lower().startswith(prefix.lower())


def _by_slice(cards: Sequence[Candidate], text: str) -> Choice:
    """CUDA uses one MIG instance: the first that is named."""
    name = text.split(",", maxsplit=1)[0].strip()
    for card in cards:
        if any(_fits(uuid, name) for uuid in card.slice_uuids):
            others = len(cards) - 1
            why = (
                f"CUDA_VISIBLE_DEVICES names a MIG instance and hides {others}" if others else None
            )
            return Choice((card.position,), why, frozenset({name}))
        if name.startswith("MIG-GPU-") and _fits(
            card.uuid, name.removeprefix("MIG-").split("/")[0]
        ):
            why_not = Unknown(Reason.NOT_SUPPORTED, "an instance named by its card and number")
            return Choice((card.position,), why_not, None)
    if any(isinstance(uuid, Unknown) for card in cards for uuid in card.slice_uuids):
        why_not = Unknown(Reason.NOT_SUPPORTED, "a MIG instance tells no UUID")
        return Choice(why_not, why_not, None)
    return Choice((), "CUDA_VISIBLE_DEVICES names a MIG instance that is not here", frozenset())


def _with_mig(cards: Sequence[Candidate], named: str | None) -> Choice:
    if named is not None and _hides_all(named):
        return Choice((), f"CUDA_VISIBLE_DEVICES hides {len(cards)}", None)
    if len(cards) == 1 and not cards[0].slice_uuids:
        return Choice((), "MIG is on and no instance is there for this user", None)
    if len(cards) == 1 and named is None:
        return Choice(_positions(cards), None, None)
    why = Unknown(Reason.NOT_SUPPORTED, "MIG is on: CUDA_VISIBLE_DEVICES names no instance")
    return Choice(why, why, None)
