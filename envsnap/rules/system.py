"""SYS: the operating system and its C library."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from envsnap.facts import Looked, manylinux
from envsnap.rules._core import (
    Open,
    Pair,
    Said,
    Side,
    drift,
    fit,
    look_up,
    need,
    not_decidable,
)
from envsnap.rules._findings import Condition, Outcome, Scope
from envsnap.rules._sources import (
    GLIBC_MATH,
    GLIBCXX,
    IMAGE_PLATFORMS,
    KERNEL_ABI,
    MODULES,
    PLATFORM_TAGS,
    WSL,
)
from envsnap.rules._views import active, asked_for, few, looked_into, shell_line
from envsnap.sections import Libraries, Os, Packages, Scheduler, SystemLibraries, Unknown

_GLIBC = "GLIBC_"
_GLIBCXX = "GLIBCXX_"
_CXX = "libstdc++"
_CXX_FILE = (6, 0)
"""What all releases of its file are called: libstdc++.so.6.0.30."""
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


@drift("SYS003", scope=Scope.CONTAINER, worst=Outcome.BLOCKS, reads=(Os,), source=IMAGE_PLATFORMS)
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


@fit("SYS014", scope=Scope.CONTAINER, worst=Outcome.BLOCKS, reads=(Os,), source=IMAGE_PLATFORMS)
def no_image(pair: Pair) -> Iterator[Said]:
    """Images are built for Linux: packages of Windows or macOS cannot go into one.

    A container shares the kernel of the machine that it runs on, which is Linux on macOS and
    Windows, too. `envsnap build` refuses such an environment: Linux builds of the same versions
    are other files, where there are any.
    """
    theirs = need(pair.wanted.need(Os).system, pair.wanted.path("os.system"))
    if theirs != "Linux":
        name = "macOS" if theirs == "Darwin" else theirs
        yield Said(
            "image", Outcome.BLOCKS, f"no image can be built of an environment of {name}",
            remedy="make the environment on Linux, and capture it there", wanted=theirs,
        )  # fmt: skip


@fit("SYS004", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Os, Packages), source=PLATFORM_TAGS)
def c_library_floor(pair: Pair) -> Iterator[Said | Open]:
    """Its compiled packages do not load on an older or other C library.

    A wheel's tag names the oldest glibc, or musl, that it runs on: manylinux_2_28 is glibc
    2.28. A wheel for glibc does not run on musl.
    """
    for name, package in active(pair.wanted).items():
        if isinstance(package.tags, Unknown):
            yield Open(_tags_of(pair.wanted, name), package.tags)
    floors = _floors(pair.wanted)
    if not floors:
        return
    system = pair.found.need(Os)
    if need(system.system, pair.found.path("os.system")) != "Linux":
        return  # SYS001 says it
    libc = need(system.libc, pair.found.path("os.libc"))
    needed_libc = floors[0][1].value.libc
    if libc != needed_libc:
        yield Said(
            "C library", Outcome.BLOCKS,
            f"{_need(sum(len(names) for names, _ in floors))} {needed_libc}; "
            f"here is {libc or 'neither'}",
            remedy="run it in the container", wanted=needed_libc, found=libc or "none",
        )  # fmt: skip
        return
    version = need(system.libc_version, pair.found.path("os.libc_version")) or "0"
    (name, *_), floor = max(floors, key=lambda each: _numbers(each[1].value.version))
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


@drift("SYS006", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Os,), source=PLATFORM_TAGS)
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


@drift("SYS007", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Os,), source=KERNEL_ABI)
def kernel(pair: Pair) -> Iterator[Said]:
    """Linux keeps its interface to programs stable.

    Another release of the kernel. It is the machine's, in a container too.
    """
    theirs, ours = _both(pair, "kernel")
    if theirs != ours:
        yield Said("kernel", Outcome.NOTE, f"kernel {theirs} -> {ours}", wanted=theirs, found=ours)


@fit(
    "SYS009", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Libraries, Os, SystemLibraries),
    source=GLIBCXX,
)  # fmt: skip
def cxx_library_symbols(pair: Pair) -> Iterator[Said]:
    """Importing it fails: the C++ library has not the symbols that its code asks for.

    What the environment's compiled code asks of the system's libstdc++, as `capture --deep` read
    it from its files. What the found system has is told by its own libstdc++, where `--deep`
    met it, else by a table of distributions.
    """
    wanted = asked_for(pair.wanted, SystemLibraries)
    asked = {
        version.removeprefix(_GLIBCXX): each.needed_by
        for each in need(wanted.needed, pair.wanted.path("system_libraries.needed"))
        for version in each.versions
        if version.startswith(_GLIBCXX) and each.name.startswith(_CXX)
    }
    system = pair.found.need(Os) if asked else None
    if system is None or need(system.libc, pair.found.path("os.libc")) != "glibc":
        return  # another C library is SYS004's matter
    newest = max(asked, key=_numbers)
    has = _cxx_of_file(pair.found) or _cxx_of_distribution(pair.found, system)
    version = has.value if isinstance(has, Looked) else has
    if _numbers(version) < _numbers(newest):
        yield Said(
            "C++ library symbols", Outcome.BLOCKS,
            f"{few([*asked[newest]])} needs {_GLIBCXX}{newest} of libstdc++; here is {version}",
            remedy="install conda-forge's libstdcxx-ng beside it, or run it in the container",
            wanted=f"{_GLIBCXX}{newest}", found=f"{_GLIBCXX}{version}",
            rests_on=has if isinstance(has, Looked) else None,
        )  # fmt: skip


def _cxx_of_file(side: Side) -> str | None:
    """The newest symbols of the system's libstdc++, by its file; None where it was not met."""
    libraries = looked_into(side, Libraries)
    copies = () if libraries is None or isinstance(libraries.copies, Unknown) else libraries.copies
    for each in copies:
        if each.family == _CXX and each.source == "system" and isinstance(each.version, str):
            numbers = _numbers(each.version)  # libstdc++.so.6.0.30 brings GLIBCXX_3.4.30
            if numbers[:2] == _CXX_FILE and len(numbers) > len(_CXX_FILE):
                return f"3.4.{numbers[2]}"
    return None


def _cxx_of_distribution(side: Side, system: Os) -> Looked[str]:
    path = side.path("os.distribution_version")
    name = need(system.distribution, side.path("os.distribution"))
    release = need(system.distribution_version, path)
    if name is None or release is None:
        not_decidable(path, "which C++ library a system without a release has is not known")
    looked = look_up(manylinux.distribution(name, release), path)
    if looked.value.glibcxx is None:
        not_decidable(path, f"which C++ library {name} {release} has is not in the tables")
    return Looked(looked.value.glibcxx, looked.confidence, looked.sources, looked.note)


@drift("SYS010", scope=Scope.BOTH, worst=Outcome.PERF, reads=(Os,), source=WSL)
def windows_subsystem(pair: Pair) -> Iterator[Said]:
    """The GPU is reached through the driver of Windows, from a virtual machine.

    One side runs Linux under Windows (WSL), the other does not, or in its other version. CUDA
    there has less pinned memory, and no managed memory that both sides use at once; NVML answers
    fewer questions.
    """
    theirs, ours = (need(each.need(Os).wsl, each.path("os.wsl")) for each in pair)
    if theirs != ours:
        then, now = (f"WSL {each}" if each else "no WSL" for each in (theirs, ours))
        yield Said("WSL", Outcome.PERF, f"{then} -> {now}", wanted=then, found=now)


@drift("SYS011", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Libraries, Scheduler),
       source=MODULES)  # fmt: skip
def modules(pair: Pair) -> Iterator[Said | Condition]:
    """A software module puts programs and libraries before the system's own.

    The modules of the batch system's machines that were loaded differ. What programs get by them
    is told where `capture --deep` resolved it (LIB001); else it is left open.
    """
    theirs, ours = (
        need(each.need(Scheduler).modules, each.path("scheduler.modules")) for each in pair
    )
    lost = [each for each in theirs if each not in ours]
    if not lost:
        return  # more modules than wanted are the found machine's own
    yield Said(
        "modules", Outcome.NOTE, f"not loaded here: {few(lost)}",
        remedy=shell_line("module load", *lost), wanted=", ".join(theirs),
        found=", ".join(ours) or "none",
    )  # fmt: skip
    if any(looked_into(side, Libraries) is None for side in pair):
        yield Condition(
            code="SYS011", text="which libraries programs get from modules was not read",
            remedy="envsnap capture --deep",
        )  # fmt: skip


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


Floor = Looked[manylinux.LibcFloor]


def _floors(side: Side) -> list[tuple[list[str], Floor]]:
    """The packages that ask for a C library, by what they ask: many have few kinds of tags."""
    kinds: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, package in active(side).items():
        if isinstance(package.tags, tuple):
            kinds[package.tags].append(name)
    asked = ((names, _floor(tags, _tags_of(side, names[0]))) for tags, names in kinds.items())
    return [(names, floor) for names, floor in asked if floor is not None]


def _tags_of(side: Side, name: str) -> str:
    return side.path(f"packages.installed.{name}.tags")


def _floor(tags: tuple[str, ...], path: str) -> Floor | None:
    """The C library that a wheel of these tags asks for: of all of them, the one that asks least.

    None for one that asks for none.
    """
    asked = [
        look_up(manylinux.floor(each), path)
        for tag in tags
        for each in _platforms(tag)
        if each.startswith(("manylinux", "musllinux"))
    ]
    return min(asked, key=lambda each: _numbers(each.value.version), default=None)


def _platforms(tag: str) -> list[str]:
    return tag.rpartition("-")[2].split(".")


def _need(number: int) -> str:
    return "1 package needs" if number == 1 else f"{number} packages need"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
