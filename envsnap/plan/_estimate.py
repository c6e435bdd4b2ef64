"""What a build will cost, reckoned before anything starts: bytes to fetch, bytes unpacked, time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap._units import size_words, time_words
from envsnap.plan import _safe
from envsnap.plan._model import BuildPlan, Estimate, PlanOptions
from envsnap.sections import Artifact, CondaArtifact, Fact, Reason, Unknown

LINE = 12_500_000
"""Bytes a second that are taken to arrive: 100 Mbit/s."""
UNPACKED: Mapping[str, float] = {"any": 3.5, "compiled": 3.0, "nvidia": 1.5, "source": 5.9}
"""Bytes in the image for each byte of a file: bench/results/2026-11-21-sizes.json."""
_WRITTEN = 110_000_000
"""Bytes a second that are unpacked, checked and packed into layers.

3.45 GB in 31 s, with two processors: the large environment, as bench/environment-large.txt has it.
"""
_MEASURED = (
    "bytes by the lock and by the files' own hosts; unpacked as 381 packages and NVIDIA's wheels "
    "were (bench/results); time at 100 Mbit/s and 110 MB/s unpacked; the base image and its "
    "system packages apart"
)
_INSTALLER = 18_000_000
"""The wheel of the uv that table installers names, for x86_64; it is not in the image."""
SILENT = "the base image, whose registry did not say how large it is"
"""What is said of a base image that is in no sum."""
_LARGEST = 1 << 40


class Sum(NamedTuple):
    """What is known of a sum, and how many of its parts lack."""

    known: int
    lacking: int
    of: int

    @property
    def fact(self) -> Fact[int]:
        """The sum; unknown where a part of it lacks."""
        if not self.lacking:
            return self.known
        return Unknown(
            Reason.NOT_RECORDED, f"of {self.lacking} of {self.of} files the size is not known"
        )


class Cost(NamedTuple):
    """What a build costs, with what is known of it where not all is."""

    download: Sum
    image: Sum
    built: int
    """How many source archives are built: nobody knows how long that takes."""
    besides: tuple[str, ...] = ()
    """What comes on top and is in no sum, in words: 'system packages'."""

    @property
    def estimate(self) -> Estimate:
        """The cost as facts: what is not known is never taken for nothing."""
        download, image = self.download.fact, self.image.fact
        seconds: Fact[int] = self._known_seconds
        if self.built:
            noun = "source archive takes" if self.built == 1 else "source archives takes"
            seconds = Unknown(Reason.NOT_SUPPORTED, f"building {self.built} {noun} its own time")
        for lacking in (image, download):
            seconds = lacking if isinstance(lacking, Unknown) else seconds
        return Estimate(download, image, seconds, _MEASURED)

    def told(self) -> str:
        """The cost as one line for people, before anything starts: it goes on after a colon.

        >>> Cost(Sum(1_200_000_000, 0, 40), Sum(3_400_000_000, 0, 40), 0).told()
        'about 1.2 GB to fetch, 3.4 GB unpacked, 2 minutes at 100 Mbit/s'
        >>> Cost(Sum(0, 3, 3), Sum(0, 3, 3), 0, ("system packages",)).told()
        'how much there is to fetch and to unpack is not known; without system packages'
        """
        *first, last = self.besides or ("",)
        both = f"{', '.join(first)} and {last}" if first else last
        return self._of_files() + (f"; without {both}" if last else "")

    def _of_files(self) -> str:
        lacking = max(self.download.lacking, self.image.lacking)
        if lacking and not self.image.known:
            return "how much there is to fetch and to unpack is not known"
        words = f"{size_words(self.image.known)} unpacked, {time_words(self._known_seconds)}"
        if self.download.known:
            words = f"{size_words(self.download.known)} to fetch, {words} at 100 Mbit/s"
        if lacking:
            noun = "file" if lacking == 1 else "files"
            return f"at least {words}: of {lacking} {noun} the size is not known"
        if self.built:
            noun = "source archive" if self.built == 1 else "source archives"
            return f"at least {words}: {self.built} {noun} to build"
        return f"about {words}"

    @property
    def _known_seconds(self) -> int:
        return round(self.download.known / LINE + self.image.known / _WRITTEN)


def cost_of(
    files: Sequence[Artifact], conda: Sequence[CondaArtifact], options: PlanOptions
) -> Cost:
    """What fetching and unpacking these files costs."""
    sizes = [_size(each, options.sizes) for each in files]
    fetched = [
        size
        for each, size in zip(files, sizes, strict=True)
        if each.url is not None and each.sha256 not in options.alone
    ]
    fetched += [_stated(each.size) for each in conda if each.url is not None]
    unpacked = [
        None if size is None else int(size * UNPACKED[_kind(each)])
        for each, size in zip(files, sizes, strict=True)
    ]
    unpacked += [None for _ in conda]  # how large they become was not measured
    return Cost(
        _sum([] if options.offline else fetched),
        _sum(unpacked),
        sum(not _safe.is_wheel(each) for each in files),
    )


def cost_of_plan(plan: BuildPlan, options: PlanOptions) -> Cost:
    """What a build of this plan costs, what installs included.

    The base image and Python's archive count where `options.sizes` has them, by their digests. A
    base image that is a file, that an engine without a network must have, or that nobody was asked
    about, for nothing starts from it, is not fetched.
    """
    cost = cost_of((*plan.wheels, *plan.sources), plan.conda, options)
    digest, asked = plan.base.digest, []
    needless = isinstance(digest, Unknown) and digest.reason is Reason.NOT_ASKED
    if not plan.base.is_file and not plan.offline and not needless:
        asked.append((SILENT, "" if isinstance(digest, Unknown) else digits(digest)))
    if plan.interpreter.url is not None and not plan.offline:
        asked.append(("Python's own archive", plan.interpreter.sha256 or ""))
    found = {name: options.sizes.get(sha256) for name, sha256 in asked}
    fetched = sum(size for size in found.values() if size is not None)
    if plan.installer.name == "uv" and not plan.offline:
        fetched += _INSTALLER
    besides = [name for name, size in found.items() if size is None]
    besides += ["system packages"] if plan.system.image else []
    besides += ["compiling Python"] if plan.interpreter.how == "compiled" else []
    download = cost.download._replace(known=cost.download.known + fetched)
    return cost._replace(download=download, besides=tuple(besides))


def digits(digest: str) -> str:
    """The key of an image's digest in `PlanOptions.sizes`: its hex digits alone."""
    return digest.partition(":")[2]


def to_ask(files: Sequence[Artifact], sizes: Mapping[str, int]) -> tuple[Artifact, ...]:
    """The files with an address whose size is not known: their hosts can be asked for it."""
    return tuple(each for each in files if each.url is not None and _size(each, sizes) is None)


def _size(found: Artifact, sizes: Mapping[str, int]) -> int | None:
    stated = _stated(found.size)
    return sizes.get(found.sha256) if stated is None else stated


def _stated(size: Fact[int]) -> int | None:
    """A size that can be one: a manifest is somebody else's."""
    return size if isinstance(size, int) and 0 < size < _LARGEST else None


def _kind(found: Artifact) -> str:
    if not _safe.is_wheel(found):
        return "source"
    if found.filename.endswith("-any.whl"):
        return "any"
    return "nvidia" if found.name.startswith("nvidia") else "compiled"


def _sum(sizes: Sequence[int | None]) -> Sum:
    known = [size for size in sizes if size is not None]
    return Sum(sum(known), len(sizes) - len(known), len(sizes))
