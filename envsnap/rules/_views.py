"""What several rules read in the same way: the packages that count, and the GPUs that count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from envsnap._typing import Any, NamedTuple, TypeVar
from envsnap.manifest import canonical_name
from envsnap.rules._core import NotAskedError, Side, need
from envsnap.sections import Device, Fact, Gpu, Package, Packages, Reason, Run, Unknown

_SHOWN = 4
_FEW = 3
_GIB = 1024
_WHOLE = 10
_NOT_LOOKED = frozenset({Reason.NOT_ASKED, Reason.NEEDS_DEEP, Reason.NOT_RECORDED})

S = TypeVar("S")


class _Part(dict[str, Package]):
    """Packages of a list that does not name all: to ask it for another ends the rule."""

    def __init__(self, found: Mapping[str, Package], rest: Unknown, path: str) -> None:
        super().__init__(found)
        self._rest, self._path = rest, path

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or need(self._rest, self._path)

    def get(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - as dict has it
        return self[name] if name in self else default  # noqa: SIM401 - that would be this one


def active(side: Side) -> Mapping[str, Package]:
    """The copies that import would use, by canonical name.

    Where the list names only a part of what is installed, a rule that asks for a name that is
    not in it ends as not checked. Who walks through all asks `all_are_listed` as well.
    """
    return side.once(_active)


def _active(side: Side) -> Mapping[str, Package]:
    packages = side.need(Packages)
    installed = need(packages.installed, side.path("packages.installed"))
    found = {canonical_name(each.name): each for each in installed if each.active}
    if isinstance(packages.unlisted, Unknown):
        return _Part(found, packages.unlisted, side.path("packages.unlisted"))
    return found


def all_are_listed(side: Side) -> None:
    """End the rule as not checked where only a part of what is installed was told."""
    need(side.need(Packages).unlisted, side.path("packages.unlisted"))


def looked_into(side: Side, section: type[S]) -> S | None:
    """A section that only some captures have; None where this one was not asked for it.

    Any other reason for its absence ends the rule as not checked.
    """
    found = side.manifest.section(section)
    if isinstance(found, Unknown) and found.reason in _NOT_LOOKED:
        return None
    return side.need(section)


def asked_for(side: Side, section: type[S]) -> S:
    """A section that only some captures have; ends the rule, unsaid, where this one has it not."""
    found = looked_into(side, section)
    if found is None:
        raise NotAskedError
    return found


def compiled(side: Side) -> list[str]:
    """The packages whose wheels are for one platform; ends the rule where none is known to be."""
    return side.once(_compiled)


def _compiled(side: Side) -> list[str]:
    found, unknown = [], None
    for name, package in active(side).items():
        if isinstance(package.tags, Unknown):
            unknown = (name, package.tags)
        elif package.tags and _is_for_a_platform(package.tags):
            found.append(package.name)
    if unknown is not None and not found:
        need(unknown[1], side.path(f"packages.installed.{unknown[0]}.tags"))
    return found


@lru_cache(maxsize=1024)  # many packages have few kinds of tags
def _is_for_a_platform(tags: tuple[str, ...]) -> bool:
    return any(not tag.endswith("-any") for tag in tags)


class GpuKind(NamedTuple):
    """One GPU, or one MIG instance of it, as programs see it. Fields may be unknown."""

    path: str
    vendor: str
    name: Fact[str]
    capability: Fact[str | None]
    multiprocessors: Fact[int]
    memory_mib: Fact[int]
    profile: Fact[str | None]
    """The MIG profile; None for a whole GPU."""
    architecture: Fact[str]
    """As in `gpu.devices`; AMD's is the target of its code."""

    @property
    def title(self) -> str:
        """Its name and, where there is one, its MIG profile."""
        name = "a GPU" if isinstance(self.name, Unknown) else self.name.removeprefix("NVIDIA ")
        return f"{name} {self.profile}" if isinstance(self.profile, str) else name


def visible_gpus(side: Side) -> tuple[GpuKind, ...]:
    """The GPUs that programs on that side would see, MIG instances one by one."""
    return side.once(_visible_gpus)


def _visible_gpus(side: Side) -> tuple[GpuKind, ...]:
    gpu = side.need(Gpu)
    devices = need(gpu.devices, side.path("gpu.devices"))
    if not devices:
        return ()
    return _at(side, devices, need(gpu.visible, side.path("gpu.visible")))


def listed_gpus(side: Side) -> tuple[GpuKind, ...]:
    """The GPUs that are there, whether programs see them or not, MIG instances one by one."""
    devices = need(side.need(Gpu).devices, side.path("gpu.devices"))
    return _at(side, devices, range(len(devices)))


def _at(side: Side, devices: Sequence[Device], positions: Iterable[int]) -> tuple[GpuKind, ...]:
    return tuple(
        kind
        for position in positions
        if 0 <= position < len(devices)
        for kind in _kinds(devices[position], side.path(f"gpu.devices[{position}]"))
    )


def _kinds(device: Device, path: str) -> Iterator[GpuKind]:
    whole = GpuKind(
        path, device.vendor, device.name, device.compute_capability, device.multiprocessors,
        device.memory_mib, None, device.architecture,
    )  # fmt: skip
    if device.vendor != "nvidia" or not need(device.mig, f"{path}.mig"):
        yield whole
        return
    for index, part in enumerate(need(device.slices, f"{path}.slices")):
        yield whole._replace(
            path=f"{path}.slices[{index}]", multiprocessors=part.multiprocessors,
            memory_mib=part.memory_mib, profile=part.profile,
        )  # fmt: skip


def gpu_peaks(side: Side) -> tuple[int, ...] | None:
    """The most MiB that a recorded run held on each of its GPUs; None where none is recorded.

    A run that held no GPU memory tells nothing of what one needs that does.
    """
    run = looked_into(side, Run)
    if run is None:
        return None
    peaks = need(run.gpu_peaks, side.path("run.gpu_peaks"))
    place = side.path("run.gpu_peaks")
    return (
        tuple(
            need(each.memory_mib, f"{place}[{index}].memory_mib")
            for index, each in enumerate(peaks)
        )
        or None
    )


def sm(capability: str) -> str:
    """A compute capability as compilers write it.

    >>> sm("8.9")
    'sm_89'
    """
    return f"sm_{capability.replace('.', '')}"


def gib(mib: int) -> str:
    """Memory in GiB, one decimal below ten and where it matters.

    >>> gib(15360), gib(24564), gib(4096)
    ('15 GiB', '24 GiB', '4 GiB')
    """
    value = mib / _GIB
    return f"{value:.0f} GiB" if value >= _WHOLE or value == int(value) else f"{value:.1f} GiB"


def shell_line(*words: str) -> str | None:
    """A command to paste into a shell; None where a word of it could do something else there.

    The words come from manifests, which others wrote: each is quoted, and none may be an option.

    >>> shell_line("pip install", "idna==3.7"), shell_line("pip install", "x==1; reboot")
    ('pip install idna==3.7', "pip install 'x==1; reboot'")
    """
    from shlex import quote

    command, *values = words
    if not all(each.isprintable() and not each.startswith("-") for each in values):
        return None
    return " ".join([command, *map(quote, values)])


def listed(names: list[str], noun: str, *, shown: int = _SHOWN) -> str:
    """'1 package: a', '3 packages: a, b, c', '382 packages': never a long list.

    >>> listed(["b", "a"], "package")
    '2 packages: a, b'
    """
    number = f"1 {noun}" if len(names) == 1 else f"{len(names)} {noun}s"
    return number if len(names) > shown else f"{number}: {', '.join(sorted(names))}"


def few(names: list[str]) -> str:
    """The first names, and how many more there are.

    >>> few(["a", "b"]), few(["a", "b", "c", "d"])
    ('a, b', 'a, b, c and 1 more')
    """
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
