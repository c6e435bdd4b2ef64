"""What REQ's rules say, once something is required: its language is imported only then."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.constraints import (
    Answer,
    ConstraintError,
    Stated,
    holds,
    is_of_environment,
    nvidia,
    requires_of,
)
from envsnap.rules._core import NotAskedError, Open, Pair, Said, Side, need
from envsnap.rules._driver import driver_of, judged_gpus
from envsnap.rules._findings import Level, Outcome
from envsnap.sections import Container, Engines, Environ, Reason, Unknown

_LONGEST, _LONGEST_SHOWN = 60, 500
_SWITCHED_OFF = "NVIDIA_DISABLE_REQUIRE=1, where the CUDA libraries themselves run on this one"
_CHECKS = "docker"
"""The engine whose `--gpus` has NVIDIA's toolkit look at the variable; Apptainer does not."""


def unmet(pair: Pair, *, of_environment: bool) -> Iterator[Said | Open]:
    """What must hold and does not: of the environment, or of the machine under it."""
    if pair.is_one:
        raise NotAskedError  # REQ002 says it of a manifest's own machine
    for each in requires_of(pair.wanted.manifest).must:
        if isinstance(each.expression, ConstraintError):
            if not of_environment:
                yield _unreadable(pair.wanted, each)
        elif is_of_environment(each.expression) is of_environment:
            of = "an environment" if of_environment else "a machine"
            yield from _judged(pair.found, each, holds(each.expression, pair.found.manifest), of)


def not_held_at_home(side: Side) -> Iterator[Said | Open]:
    """What must hold and does not where it was captured."""
    for each in requires_of(side.manifest).must:
        if isinstance(each.expression, ConstraintError):
            yield _unreadable(side, each)
            continue
        answer = holds(each.expression, side.manifest)
        if answer.unknown is not None:
            yield Open(side.path(answer.path), answer.unknown)
        elif not answer.holds:
            yield Said(
                each.subject, Outcome.NOTE, f"requires {each.text}; captured with {answer.seen}",
                remedy="envsnap require --list, then --remove what is not meant",
                wanted=each.text, found=answer.seen,
            )  # fmt: skip


def _judged(found: Side, stated: Stated, answer: Answer, of: str) -> Iterator[Said | Open]:
    if answer.unknown is not None:
        yield Open(found.path(answer.path), answer.unknown)
    elif not answer.holds:
        yield Said(
            stated.subject, Outcome.BLOCKS, f"requires {stated.text}; here is {answer.seen}",
            why=f"the author: {stated.because}" if stated.because else None,
            remedy=f"{of} with {stated.text[:_LONGEST]}", wanted=stated.text, found=answer.seen,
        )  # fmt: skip


def _unreadable(wanted: Side, stated: Stated) -> Open:
    fault = stated.expression
    reason = fault.reason if isinstance(fault, ConstraintError) else ""
    fact = Unknown(Reason.UNPARSABLE, f"{reason}: {stated.text[:_LONGEST]}")
    return Open(wanted.path(stated.place), fact)


def refused(pair: Pair) -> Iterator[Said | Open]:
    """What NVIDIA's toolkit would refuse to start here."""
    asked = _asked_by_image(pair)
    engines = need(pair.found.need(Engines).found, pair.found.path("engines.found"))
    docker = next((each for each in engines if each.name == _CHECKS), None)
    usable = docker is not None and need(
        docker.usable, pair.found.path("engines.found.docker.usable")
    )
    if not usable or need(pair.found.need(Container).kind, pair.found.path("container.kind")):
        return
    cards = _cards(pair.found)
    if not cards:
        return  # without a GPU nothing is asked of it
    for text, is_itself in asked.items():
        decided = nvidia.decide(nvidia.parse(text), cards)
        if decided is nvidia.Decision.OPEN:
            yield _why_open(pair.found)
        elif decided is nvidia.Decision.REFUSED:
            yield _refused(text, _words(cards[0][0], text), is_itself=is_itself)


def _refused(text: str, here: str, *, is_itself: bool) -> Said:
    """Of the image that is compared it is the answer; of another, that another will have to do."""
    said = Said(
        "NVIDIA_REQUIRE_CUDA", Outcome.BLOCKS,
        f"the image asks for {text.partition(' ')[0][:_LONGEST]}; here is {here}",
        remedy=f"a newer driver; or {_SWITCHED_OFF}", wanted=text[:_LONGEST_SHOWN], found=here,
    )  # fmt: skip
    if is_itself:
        return said
    return said._replace(
        outcome=Outcome.DEGRADES, lowers=Level.BITWISE,
        what=said.what.replace("the image", "the image that it was captured in", 1),
        remedy=f"envsnap build: its image asks for what the packages need; or {_SWITCHED_OFF}",
    )  # fmt: skip


def _words(offer: nvidia.Offer, text: str) -> str:
    """The machine in what the image asks of it."""
    parts = [f"driver {offer.driver or 'unknown'}", f"CUDA {offer.cuda or 'unknown'}"]
    if "arch" in text:
        parts.append(f"compute capability {offer.arch or 'unknown'}")
    return ", ".join(parts)


def _asked_by_image(pair: Pair) -> dict[str, bool]:
    """What images ask for, each text once: whether it is the compared image's own.

    Else it is that of the image in which the wanted environment was captured.
    """
    asked: dict[str, bool] = {}
    for side in (pair.wanted, pair.found):
        environ = side.manifest.section(Environ)
        if not isinstance(environ, Unknown) and not isinstance(environ.variables, Unknown):
            texts = nvidia.requirements(environ.variables)
            asked.update(dict.fromkeys(texts, side is pair.found))
    return asked


def _cards(side: Side) -> list[tuple[nvidia.Offer, ...]]:
    driver = driver_of(side)
    if driver is None:
        return []
    cuda, version = _known(driver.cuda), _known(driver.version)
    return [
        nvidia.card(cuda, version, _known(device.compute_capability), _known(device.name))
        for _, device in judged_gpus(side)
    ]


def _why_open(side: Side) -> Open:
    """The fact that decides and is not known: at the end a card's brand, which none records."""
    driver = driver_of(side)
    facts: list[tuple[str, object]] = []
    if driver is not None:
        facts += [("gpu.driver.cuda", driver.cuda), ("gpu.driver.version", driver.version)]
    places = [(side.path(place), fact) for place, fact in facts]
    for path, device in judged_gpus(side):
        places += [(f"{path}.compute_capability", device.compute_capability)]
        places += [(f"{path}.name", device.name)]
    for place, fact in places:
        if isinstance(fact, Unknown):
            return Open(place, fact)
    reason = "the brand of the GPU decides what the image asks for, and its name does not tell it"
    return Open(side.path("gpu.devices"), Unknown(Reason.NOT_SUPPORTED, reason))


def _known(fact: object) -> str | None:
    return fact if isinstance(fact, str) else None
