"""Which of the cards a CUDA program would see, by CUDA_VISIBLE_DEVICES and its relatives.

The rules are those of the CUDA programming guide: a list of positions or of UUID prefixes, cut at
the first that fits no card; a card named twice hides all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from envsnap._typing import NamedTuple
from envsnap.probes._gpu._nvml import Part
from envsnap.sections import Fact, MigSlice, Reason, Unknown

_SORTED = "PCI_BUS_ID"
_BY_CARD = "MIG-GPU-"
_NOT_NAMED = Unknown(Reason.NOT_SUPPORTED, "MIG is on: CUDA_VISIBLE_DEVICES names no instance")
_UNLIKE = Unknown(
    Reason.NOT_SUPPORTED,
    "CUDA uses one of the unlike MIG instances; name it with CUDA_VISIBLE_DEVICES",
)


class Candidate(NamedTuple):
    """A card that the driver shows, as far as choosing it goes."""

    position: int
    """In the section's `devices`."""
    name: Fact[str]
    uuid: Fact[str]
    mig: Fact[bool | None]
    parts: tuple[Part, ...]
    slices: Fact[tuple[MigSlice, ...]]
    """What each of `parts` is."""


class Choice(NamedTuple):
    """What CUDA programs would see."""

    visible: Fact[tuple[int, ...]]
    hidden: Fact[str | None]
    parts: frozenset[tuple[int, int]] | None = None
    """Position and number of the only MIG instances that count; None where it is not theirs."""


def choose(cards: Sequence[Candidate], named: str | None, order: str | None) -> Choice:
    """The cards that CUDA would see, given CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER."""
    if named is not None and named.strip().startswith("MIG-"):
        return _by_slice(cards, named)
    if any(card.mig is True for card in cards):
        return _with_mig(cards, named)
    if named is None:
        return Choice(_positions(cards), None)
    if named.strip().startswith("GPU-"):
        chosen = _by_uuid(cards, named)
    else:
        chosen = _by_position(cards, named, order)
    if isinstance(chosen, Unknown):
        return Choice(chosen, chosen)
    hidden = len(cards) - len(chosen)
    return Choice(chosen, f"CUDA_VISIBLE_DEVICES hides {hidden}" if hidden else None)


def unseen(named: str | None, count: int, why: str | None, unknown: Unknown) -> Choice:
    """The choice where the driver shows no card: known only if CUDA would see none, and why."""
    if named is not None and _hides_all(named):
        return Choice((), f"CUDA_VISIBLE_DEVICES hides {count}")
    if why is not None:
        return Choice((), why)
    return Choice(unknown, unknown)


def with_unshown(choice: Choice, count: int, reasons: Sequence[str]) -> Choice:
    """The choice, and that so many more cards are there which NVML does not show, and why."""
    if not count:
        return choice
    note = f"{count} more on the PCI bus, not shown by NVML"
    if reasons:
        note += f" ({'; '.join(reasons)})"
    return merge([choice, Choice((), note)])


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
    named = [part.parts for part in parts if part.parts is not None]
    said = "; ".join(hidden) or None
    return Choice(why or tuple(sorted(visible)), why_hidden or said, named[0] if named else None)


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
        for number, part in enumerate(card.parts):
            if _names(name, card, part):
                others = len(cards) - 1
                said = f"CUDA_VISIBLE_DEVICES names a MIG instance and hides {others}"
                only = frozenset({(card.position, number)})
                return Choice((card.position,), said if others else None, only)
    unnamed = [why for card in cards for part in card.parts for why in _untold(name, card, part)]
    if unnamed:
        why_not = Unknown(Reason.NOT_SUPPORTED, "a MIG instance does not tell what names it")
        return Choice(why_not, why_not)
    return Choice((), "CUDA_VISIBLE_DEVICES names a MIG instance that is not here", frozenset())


def _names(name: str, card: Candidate, part: Part) -> bool:
    """Whether it names that instance: by the start of its UUID, or as drivers before 470 did."""
    if not name.startswith(_BY_CARD):
        return _fits(part.uuid, name)
    uuid, _, place = name.removeprefix("MIG-").partition("/")
    numbers = place.split("/")
    is_place = isinstance(part.place, tuple) and numbers == [str(each) for each in part.place]
    return is_place and _fits(card.uuid, uuid)


def _untold(name: str, card: Candidate, part: Part) -> list[Unknown]:
    """What would have to be known to say that it does not name that instance."""
    needed = (card.uuid, part.place) if name.startswith(_BY_CARD) else (part.uuid,)
    return [each for each in needed if isinstance(each, Unknown)]


def _with_mig(cards: Sequence[Candidate], named: str | None) -> Choice:
    if named is not None and _hides_all(named):
        return Choice((), f"CUDA_VISIBLE_DEVICES hides {len(cards)}")
    (card, *others) = cards
    if others:
        return Choice(_NOT_NAMED, _NOT_NAMED)
    if isinstance(card.slices, Unknown):
        return Choice(card.slices, card.slices)
    if not card.parts:
        return Choice((), "MIG is on and no instance is there for this user")
    is_first = named is None or parse_positions(named) == [0]
    return _first_slice(card, card.slices) if is_first else Choice(_NOT_NAMED, _NOT_NAMED)


def _first_slice(card: Candidate, slices: Sequence[MigSlice]) -> Choice:
    """CUDA uses one MIG instance: where none is named the first of those that this user may use.

    NVIDIA does not say whether it counts them as NVML does: which of unlike ones is first is open.
    """
    refused = [part.uuid for part in card.parts if isinstance(part.uuid, Unknown)]
    own = [at for at, part in enumerate(card.parts) if isinstance(part.uuid, str)]
    if not own:
        return Choice(refused[0], refused[0])
    if any(slices[at] != slices[own[0]] for at in own):
        return Choice(_UNLIKE, _UNLIKE)
    count = len(card.parts)
    said = f"MIG is on and no instance is named: CUDA uses the first of {count}"
    only = frozenset({(card.position, own[0])})
    return Choice((card.position,), said if count > 1 else None, only)
