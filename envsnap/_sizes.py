"""sizes: what the lock does not know of its files their hosts are asked, before a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.errors import UsageError
from envsnap.images import registry
from envsnap.images._model import ImageError
from envsnap.lock._trust import Trust, host_counts, refusal
from envsnap.plan._estimate import digits, to_ask
from envsnap.plan._model import BaseImage
from envsnap.sections import Artifact, Reason, Unknown
from envsnap.wheelhouse._head import sizes_at


class Sizes(NamedTuple):
    """How large files are."""

    known: Mapping[str, int]
    """Bytes by SHA-256, as `PlanOptions.sizes` takes them."""
    unknown: Mapping[str, Unknown]
    """Why not, by SHA-256."""


def hosts_to_ask(
    files: Sequence[Artifact], sizes: Mapping[str, int], trust: Trust
) -> tuple[tuple[str, int], ...]:
    """The hosts that would be asked, and for how many files: to be told before it is done."""
    return host_counts(_url(each) for each in _asked(files, sizes, trust))


def ask_sizes(files: Sequence[Artifact], sizes: Mapping[str, int], trust: Trust) -> Sizes:
    """The sizes that are known, and those that the files' own hosts say.

    No host is asked that may not be fetched from; no answer delays a build for long.
    """
    asked = _asked(files, sizes, trust)
    answers = sizes_at([_url(each) for each in asked], trust) if asked else ()
    known, unknown = dict(sizes), {}
    for each, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Unknown):
            unknown[each.sha256] = answer
        else:
            known[each.sha256] = answer
    for each in to_ask(files, known):
        unknown.setdefault(each.sha256, _why_not(each, trust))
    return Sizes(known, unknown)


def base_size(base: BaseImage, platform: str) -> Mapping[str, int]:
    """How much of a base image a registry sends, by its digest as `PlanOptions.sizes` takes it.

    Its registry is asked once, for a manifest; nothing where it does not say.
    """
    if base.is_file or isinstance(base.digest, Unknown):
        return {}
    reference = f"{base.repository}@{base.digest}"
    try:
        found = registry.opened(reference, platform, tries=1)
    except (ImageError, UsageError):
        return {}
    return {digits(base.digest): sum(each.size for each in found.layers)}


def _asked(
    files: Sequence[Artifact], sizes: Mapping[str, int], trust: Trust
) -> tuple[Artifact, ...]:
    return tuple(each for each in to_ask(files, sizes) if refusal(_url(each), trust) is None)


def _why_not(found: Artifact, trust: Trust) -> Unknown:
    return Unknown(Reason.NO_PERMISSION, refusal(_url(found), trust))


def _url(found: Artifact) -> str:
    return found.url or ""
