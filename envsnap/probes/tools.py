"""The programs on PATH that results can depend on, with the version each tells of itself."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from envsnap.host import Host
from envsnap.probes._registry import Look, probe
from envsnap.probes._texts import is_there, system, unparsable
from envsnap.sections import Fact, Reason, Tool, Tools, Unknown

NAMES = (
    "cc", "clang", "g++", "gcc", "gfortran", "git", "ld", "make", "mpicc", "mpirun", "nvcc",
    "rustc",
)  # fmt: skip
"""What is looked for, sorted. What only drives these (cmake, ninja) changes no result."""

_AT_ONCE = 4
_DEADLINE_S = 5.0

_BY_ITS_NAME = frozenset({"ccache", "distcc", "icecc", "sccache", "busybox", "toybox", "coreutils"})
"""One program under many names: which one it plays is told by the name it is called by."""

_APPLE_SHIMS = "/usr/bin/"
_APPLE_TOOLS = ("/Library/Developer/CommandLineTools/usr/bin", "/Applications/Xcode.app")

_NUMBER = re.compile(r"\d+(?:\.\d+)*(?:-?rc\d+)?")
_MARKS = (
    ("nvcc", "Cuda compilation tools, release ", ", V"),
    ("Apple clang", "Apple clang version ", ""),
    ("Apple clang", "Apple LLVM version ", ""),
    ("clang", "clang version ", ""),
    ("Open MPI", "(Open MPI) ", ""),
    ("Open MPI", "(OpenRTE) ", ""),
    ("Intel MPI", "Intel(R) MPI Library", "Version "),
    ("MPICH", "HYDRA build details:", "Version:"),
    ("git", "git version ", ""),
    ("GNU make", "GNU Make ", ""),
    ("rustc", "rustc ", ""),
    ("mold", "mold ", ""),
    ("LLD", "LLD ", ""),
    ("GNU gold", "GNU gold (", ") "),
    ("GNU ld", "GNU ld version ", ""),
    ("GNU ld", "GNU ld (", ") "),
    ("Apple ld", "PROJECT:ld64-", ""),
    ("Apple ld", "PROJECT:ld-", ""),
    ("Apple ld", "PROJECT:dyld-", ""),
    ("GNU Fortran", "GNU Fortran (", ") "),
    ("NVIDIA HPC", "nvc", " "),
    ("Intel oneAPI", "Intel(R) oneAPI", "Compiler "),
    ("Intel", "(ICC) ", ""),
    ("Intel", "(IFORT) ", ""),
)
"""A product, what its output says before the version, and what stands in between."""

_OWN = {
    "make": "GNU make", "gfortran": "GNU Fortran", "ld": "GNU ld", "g++": "gcc",
}  # fmt: skip
"""The product that a tool of that name usually is: it needs no naming."""


@probe(Tools, waits=True)
def probe_tools(look: Look) -> Tools:
    """The tools on PATH and their versions."""
    host = look.host
    places: dict[str, str] = {}
    for name in NAMES:
        place = host.which(name)
        if isinstance(place, Unknown):
            return Tools(found=place)
        if place is not None:
            places[name] = place
    versions = _versions(host, places)
    anchors = look.anchors
    return Tools(
        found=tuple(
            Tool(name=name, path=anchors.anchor(place), version=versions[name])
            for name, place in places.items()
        )
    )


def _versions(host: Host, places: Mapping[str, str]) -> dict[str, Fact[str]]:
    """Start each program once, even where several names lead to it, a few at a time."""
    programs: dict[str, list[str]] = {}
    for name, place in places.items():
        programs.setdefault(_program(host, place), []).append(name)
    firsts = [(names[0], places[names[0]]) for names in programs.values()]
    outputs = _at_once(lambda item: _output(host, *item), firsts)
    answers = dict(zip(programs, outputs, strict=True))
    return {
        name: _version(name, answers[program])
        for program, names in programs.items()
        for name in names
    }


def _program(host: Host, place: str) -> str:
    real = host.real(place)
    if not isinstance(real, str) or real.rpartition("/")[2] in _BY_ITS_NAME:
        return place
    return real


def _output(host: Host, name: str, place: str) -> Fact[str]:
    why_not = _why_not_start(host, place)
    if why_not:
        return why_not
    ran = host.run(
        [place, "-v" if name == "ld" and system(host) == "Darwin" else "--version"],
        timeout_s=_DEADLINE_S,
    )
    if isinstance(ran, Unknown):
        return ran
    if ran.status and not ran.stdout:
        return Unknown(Reason.CRASHED, f"{name} --version ended with status {ran.status}")
    return ran.stdout or ran.stderr


def _why_not_start(host: Host, place: str) -> Unknown | None:
    """Programs that would do more than print: fetch a toolchain, open a window."""
    real = host.real(place)
    if isinstance(real, str) and real.rpartition("/")[2] == "rustup":
        return Unknown(Reason.NOT_ASKED, "rustup may fetch a toolchain to answer")
    if (
        place.startswith(_APPLE_SHIMS)
        and system(host) == "Darwin"
        and not any(is_there(host, folder) for folder in _APPLE_TOOLS)
    ):
        return Unknown(Reason.TOOL_MISSING, "Apple's command line tools are not installed")
    return None


def _version(name: str, output: Fact[str]) -> Fact[str]:
    return output if isinstance(output, Unknown) else parse_version(name, output)


def parse_version(name: str, output: str) -> Fact[str]:
    """The version in a program's output, with the product's name where it is not the tool's own.

    >>> parse_version("git", "git version 2.39.5"), parse_version("cc", "clang version 14.0.6")
    ('2.39.5', 'clang 14.0.6')
    """
    for product, version in _told(name, output[:4000]):
        return version if product in {name, _OWN.get(name)} else f"{product} {version}"
    return unparsable(f"{name} --version", output)


def _told(name: str, output: str) -> Iterator[tuple[str, str]]:
    for product, mark, gap in _MARKS:
        start = output.find(mark)
        end = output.find(gap, start + len(mark)) if start >= 0 else -1
        if end >= 0 and (found := _NUMBER.match(output, _after_spaces(output, end + len(gap)))):
            yield product, found[0]
    if name == "ninja" and (found := _NUMBER.fullmatch(output.strip())):
        yield "ninja", found[0]
    bracket = output.partition("\n")[0].find(") ")
    if "Free Software Foundation" in output and bracket >= 0:  # under whatever name gcc is called
        found = _NUMBER.match(output, bracket + 2)
        if found:
            yield "gcc", found[0]


def _after_spaces(text: str, place: int) -> int:
    return len(text) - len(text[place:].lstrip())


def _at_once(
    do: Callable[[tuple[str, str]], Fact[str]], items: Iterable[tuple[str, str]]
) -> list[Fact[str]]:
    """Do it for all items, a few at a time: starting a program is mostly waiting."""
    waiting = list(enumerate(items))
    done: dict[int, Fact[str]] = {}
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                place, item = waiting.pop(0)
            done[place] = do(item)

    workers = [threading.Thread(target=work) for _ in range(min(_AT_ONCE, len(waiting)))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [done[place] for place in sorted(done)]
