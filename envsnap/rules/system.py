"""SYS: the operating system and its C library."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.facts import Looked, manylinux
from envsnap.rules._core import Open, Pair, Said, drift, fit, look_up, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import ENVSNAP, GLIBC_MATH, PLATFORM_TAGS
from envsnap.rules._views import active, asked_for
from envsnap.sections import Os, Packages, SystemLibraries, Unknown

_GLIBC = "GLIBC_"
_SHOWN = 3
_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}


@drift("SYS001", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Os,), source=PLATFORM_TAGS)
def other_system(pair: Pair) -> Iterator[Said]:
    """Programs and compiled packages of one operating system do not run on another.

    Linux, macOS and Windows each need packages built for them; their results differ, too.
    """
    theirs, ours = _both(pair, "system")
    if theirs != ours:
        yield Said(
            "system", Outcome.BLOCKS, f"{theirs} -> {ours}", remedy="run it in the container",
            wanted=theirs, found=ours,
        )  # fmt: skip


@drift("SYS002", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Os,), source=PLATFORM_TAGS)
def other_architecture(pair: Pair) -> Iterator[Said]:
    """Compiled packages are built for one processor architecture.

    The packages for another architecture are other files, with other results.
    """
    theirs, ours = (_NAMES.get(each.lower(), each) for each in _both(pair, "architecture"))
    if theirs != ours:
        yield Said(
            "architecture", Outcome.BLOCKS, f"{theirs} -> {ours}",
            remedy=f"a machine with {theirs}", wanted=theirs, found=ours,
        )  # fmt: skip


@drift("SYS003", scope=Scope.CONTAINER, worst=Outcome.BLOCKS, reads=(Os,), source=ENVSNAP)
def container_architecture(pair: Pair) -> Iterator[Said]:
    """An image holds programs for one processor architecture.

    Docker on macOS and Windows emulates another one, slowly; on Linux that needs QEMU set up
    as an interpreter, which is not looked for.
    """
    theirs, ours = (_NAMES.get(each.lower(), each) for each in _both(pair, "architecture"))
    if theirs == ours:
        return
    system = need(pair.found.need(Os).system, pair.found.path("os.system"))
    yield Said(
        "architecture", Outcome.BLOCKS if system == "Linux" else Outcome.DEGRADES,
        f"an image for {theirs} on {ours}" + ("" if system == "Linux" else ": emulated, slow"),
        remedy=f"a machine with {theirs}", wanted=theirs, found=ours,
    )  # fmt: skip


@fit("SYS004", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Os, Packages), source=PLATFORM_TAGS)
def c_library_floor(pair: Pair) -> Iterator[Said | Open]:
    """Its compiled packages do not load on an older or other C library.

    A wheel's tag names the oldest glibc, or musl, that it runs on: manylinux_2_28 is glibc
    2.28. A wheel for glibc does not run on musl.
    """
    floors: dict[str, Looked[manylinux.LibcFloor]] = {}
    for name, floor in _floors(pair):
        if isinstance(floor, Open):
            yield floor
        else:
            floors[name] = floor
    if not floors:
        return
    system = pair.found.need(Os)
    if need(system.system, pair.found.path("os.system")) != "Linux":
        return  # SYS001 says it
    libc = need(system.libc, pair.found.path("os.libc"))
    needed_libc = next(iter(floors.values())).value.libc
    if libc != needed_libc:
        yield Said(
            "C library", Outcome.BLOCKS,
            f"{_need(len(floors))} {needed_libc}; here is {libc or 'neither'}",
            remedy="run it in the container", wanted=needed_libc, found=libc or "none",
        )  # fmt: skip
        return
    version = need(system.libc_version, pair.found.path("os.libc_version")) or "0"
    name, floor = max(floors.items(), key=lambda item: _numbers(item[1].value.version))
    if _numbers(version) < _numbers(floor.value.version):
        yield Said(
            "C library", Outcome.BLOCKS,
            f"{name} needs {libc} {floor.value.version}; here is {version}",
            remedy="run it in the container",
            wanted=f"{libc} {floor.value.version}", found=f"{libc} {version}", rests_on=floor,
        )  # fmt: skip


@fit(
    "SYS008", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Os, SystemLibraries),
    source=PLATFORM_TAGS,
)  # fmt: skip
def c_library_symbols(pair: Pair) -> Iterator[Said]:
    """Compiled code does not load on a C library without the symbols that it asks for.

    What the environment's compiled code asks of glibc, as `capture --deep` read it from its
    files: that holds for packages that were built on the spot, too.
    """
    wanted = asked_for(pair.wanted, SystemLibraries)
    needed = need(wanted.needed, pair.wanted.path("system_libraries.needed"))
    asked = {
        version.removeprefix(_GLIBC): each
        for each in needed
        for version in each.versions
        if version.startswith(_GLIBC) and _numbers(version.removeprefix(_GLIBC))
    }
    system = pair.found.need(Os) if asked else None
    if system is None or need(system.libc, pair.found.path("os.libc")) != "glibc":
        return  # another C library is SYS004's matter
    version = need(system.libc_version, pair.found.path("os.libc_version")) or "0"
    newest = max(asked, key=_numbers)
    if _numbers(version) < _numbers(newest):
        names = asked[newest].needed_by
        yield Said(
            "C library symbols", Outcome.BLOCKS,
            f"{', '.join(names[:_SHOWN])} needs glibc {newest} ({asked[newest].name}); "
            f"here is {version}",
            remedy="run it in the container", wanted=f"glibc {newest}", found=f"glibc {version}",
        )  # fmt: skip


@drift("SYS005", scope=Scope.NATIVE, worst=Outcome.NUMERICS, reads=(Os,), source=GLIBC_MATH)
def c_library(pair: Pair) -> Iterator[Said]:
    """The C library's exp, log, sin and pow may round the last digit otherwise.

    Its mathematical functions are improved from release to release, and their errors, within
    one or two units in the last place, are not the same.
    """
    theirs = " ".join(filter(None, _both_or_none(pair, "libc", wanted=True)))
    ours = " ".join(filter(None, _both_or_none(pair, "libc", wanted=False)))
    if theirs != ours:
        yield Said(
            "C library", Outcome.NUMERICS, f"{theirs or 'none'} -> {ours or 'none'}",
            remedy="run it in the container", wanted=theirs or "none", found=ours or "none",
        )  # fmt: skip


@drift("SYS006", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Os,), source=ENVSNAP)
def distribution(pair: Pair) -> Iterator[Said]:
    """Besides the C library, packages use little of what a distribution brings.

    Another Linux distribution, or another release of it.
    """
    theirs, ours = (
        " ".join(
            filter(
                None,
                (need(getattr(each.need(Os), name), each.path(f"os.{name}"))
                 for name in ("distribution", "distribution_version")),
            )
        )
        for each in pair
    )  # fmt: skip
    if theirs != ours:
        yield Said(
            "distribution", Outcome.NOTE, f"{theirs or 'none'} -> {ours or 'none'}",
            wanted=theirs or "none", found=ours or "none",
        )  # fmt: skip


@drift("SYS007", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Os,), source=ENVSNAP)
def kernel(pair: Pair) -> Iterator[Said]:
    """Linux keeps its interface to programs stable.

    Another release of the kernel. It is the machine's, in a container too.
    """
    theirs, ours = _both(pair, "kernel")
    if theirs != ours:
        yield Said("kernel", Outcome.NOTE, f"kernel {theirs} -> {ours}", wanted=theirs, found=ours)


def _both(pair: Pair, name: str) -> tuple[str, str]:
    theirs = need(getattr(pair.wanted.need(Os), name), pair.wanted.path(f"os.{name}"))
    ours = need(getattr(pair.found.need(Os), name), pair.found.path(f"os.{name}"))
    return theirs, ours


def _both_or_none(pair: Pair, name: str, *, wanted: bool) -> tuple[str | None, str | None]:
    side = pair.wanted if wanted else pair.found
    system = side.need(Os)
    return (
        need(getattr(system, name), side.path(f"os.{name}")),
        need(getattr(system, f"{name}_version"), side.path(f"os.{name}_version")),
    )


def _floors(pair: Pair) -> Iterator[tuple[str, Looked[manylinux.LibcFloor] | Open]]:
    """The C library that each compiled wheel asks for: of its tags, the one that asks least."""
    for name, package in active(pair.wanted).items():
        path = pair.wanted.path(f"packages.installed.{name}.tags")
        if isinstance(package.tags, Unknown):
            yield name, Open(path, package.tags)
            continue
        platforms = [part for tag in package.tags or () for part in _platforms(tag)]
        asked = [
            look_up(manylinux.floor(each), path)
            for each in platforms
            if each.startswith(("manylinux", "musllinux"))
        ]
        if asked:
            yield name, min(asked, key=lambda each: _numbers(each.value.version))


def _platforms(tag: str) -> list[str]:
    return tag.rpartition("-")[2].split(".")


def _need(number: int) -> str:
    return "1 package needs" if number == 1 else f"{number} packages need"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
