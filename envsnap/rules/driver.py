"""DRV: the NVIDIA driver."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap._typing import Literal
from envsnap.facts import Looked, cuda_driver, parse_driver
from envsnap.rules._code import numbers_of
from envsnap.rules._core import (
    NeedError,
    Pair,
    Said,
    Side,
    drift,
    fit,
    look_up,
    need,
    not_decidable,
)
from envsnap.rules._cuda import Need, computes_on_gpu, major, needs
from envsnap.rules._driver import compat_of, driver_of, matters, version_of
from envsnap.rules._findings import Condition, Level, Outcome, Scope
from envsnap.rules._sources import (
    CUDA_COMPATIBILITY,
    DRIVER_MATRIX,
    DRIVER_MISMATCH,
    FORWARD,
    KERNEL_MODULES,
)
from envsnap.sections import (
    Gpu,
    Os,
    Packages,
    Python,
    Reason,
    Unknown,
)

_GEFORCE = "GeForce"


@fit(
    "DRV001", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, Os, Packages, Python),
    source=CUDA_COMPATIBILITY,
)  # fmt: skip
def floor(pair: Pair) -> Iterator[Said]:
    """CUDA does not start on a driver older than its family's first one.

    Since CUDA 11 every release of a major version runs on the driver of its first release
    (CUDA 12: 525.60.13); before 11 each needs its own. A container uses the machine's driver.
    Where a cuda-compat package serves programs with a newer CUDA, that one counts.
    """
    said = _too_old(pair)
    if said is not None and not _helped(pair, *_majors(pair)):
        yield said


@fit(
    "DRV009", scope=Scope.CONTAINER, worst=Outcome.BLOCKS, reads=(Gpu, Os, Packages, Python),
    source=FORWARD,
)  # fmt: skip
def helped_outside(pair: Pair) -> Iterator[Said]:
    """The machine's cuda-compat is not in the container, which gets the driver itself.

    The driver is too old for the CUDA that the packages are built for; natively a cuda-compat
    package makes up for it. An image needs one of its own.
    """
    driver = driver_of(pair.found) if _asked(pair) else None
    if driver is None or driver.compat is None:
        return
    said = _too_old(pair)
    if said is not None and _helped(pair, *_majors(pair)):
        yield said._replace(remedy=f"cuda-compat in the image, or {said.remedy}")


def _too_old(pair: Pair) -> Said | None:
    """What is to be said of a driver that is too old; None where it is not."""
    asked = _asked(pair)
    version = version_of(pair.found) if asked else None
    if version is None:
        return None
    floors = [(each, _floor(pair, each)) for each in asked]
    worst, looked = max(floors, key=lambda each: parse_driver(each[1].value.lowest) or ())
    lowest = looked.value.lowest
    if not _is_older(pair.found, version, lowest):
        return None
    return Said(
        "driver", Outcome.BLOCKS,
        f"{worst.package} is built for CUDA {worst.cuda}, which needs driver {lowest}; "
        f"here is {version}",
        remedy=f"a driver of {lowest} or newer",
        wanted=f"{lowest} or newer", found=version, rests_on=looked,
    )  # fmt: skip


def _asked(pair: Pair) -> tuple[Need, ...]:
    """What asks for a driver; nothing where there is none at all, which GPU001 says."""
    try:
        return needs(pair.wanted)
    except NeedError:
        if driver_of(pair.found) is None:
            return ()
        raise


def _is_helped_for_sure(pair: Pair, asked: Need) -> bool:
    """Whether cuda-compat is known to be in use and as new as that: else the note is true."""
    try:
        return _helped(pair, asked.cuda)
    except NeedError:
        return False


def _majors(pair: Pair) -> set[str]:
    """The CUDA majors that the packages ask for: within one, older minors serve newer ones."""
    return {major(each.cuda) for each in needs(pair.wanted)}


def _helped(pair: Pair, *cuda: str) -> bool:
    """Whether cuda-compat is in use and serves each of these CUDA versions."""
    if _is_of_no_use(pair.found):
        return False
    compat = compat_of(pair.found)
    path = pair.found.path("gpu.driver.compat")
    if compat is None or not need(compat.used, f"{path}.used"):
        return False
    served = numbers_of(need(compat.cuda, f"{path}.cuda"))
    return all(numbers_of(each) <= served for each in cuda)


def _is_of_no_use(side: Side) -> bool:
    """Whether a cuda-compat that nobody looked for would refuse every card: all are GeForce."""
    driver, served = driver_of(side), cuda_driver.forward_compatibility()
    devices = side.need(Gpu).devices
    if driver is None or not isinstance(driver.compat, Unknown) or isinstance(devices, Unknown):
        return False
    names = [each.name for each in devices if each.vendor == "nvidia"]
    is_told = isinstance(served, Looked) and not served.value.geforce and bool(names)
    return is_told and all(isinstance(each, str) and _GEFORCE in each for each in names)


@fit(
    "DRV002", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Gpu, Os, Packages, Python),
    source=CUDA_COMPATIBILITY,
)  # fmt: skip
def older_minor(pair: Pair) -> Iterator[Said | Condition]:
    """It runs by minor version compatibility, without the newer driver's own features.

    The driver is new enough for the major version of CUDA and older than the release that the
    packages were built with. Such a driver cannot compile that release's PTX. Programs that
    compile at run time (Triton, Numba, CuPy, JAX) mostly bring a compiler that avoids it;
    whether it does is not judged.
    """
    asked = [each for each in _asked(pair) if "." in each.cuda]
    version = version_of(pair.found) if asked else None
    if version is None:
        return
    for each in sorted(set(asked), key=lambda one: (*numbers_of(one.cuda),), reverse=True)[:1]:
        looked = _floor(pair, each)
        exact, lowest = looked.value.exact, looked.value.lowest
        if exact is None or _is_older(pair.found, version, lowest):
            return  # DRV001 says it
        if _is_older(pair.found, version, exact):
            if _is_helped_for_sure(pair, each):
                return
            yield Said(
                "driver", Outcome.NOTE,
                f"driver {version} is older than CUDA {each.cuda}'s own, {exact}",
                wanted=exact, found=version, rests_on=looked,
            )  # fmt: skip
            yield Condition(
                code="DRV002",
                text=f"code compiled at run time for CUDA {each.cuda} on driver {version} was "
                "not judged",
            )


@fit(
    "DRV004",
    scope=Scope.BOTH,
    worst=Outcome.BLOCKS,
    reads=(Gpu, Packages, Python),
    source=DRIVER_MISMATCH,
)
def mismatch(pair: Pair) -> Iterator[Said]:
    """CUDA refuses to start until module and libraries are of one version again.

    The kernel module that is loaded and the driver's libraries on disk have different versions:
    the driver was upgraded and the machine not rebooted.
    """
    side = pair.found
    driver = driver_of(side) if matters(pair) else None
    if driver is None or need(side.need(Gpu).platform, side.path("gpu.platform")) != "pci":
        return  # under WSL and on Tegra the module is another matter
    version = driver.version
    if isinstance(version, Unknown) and version.reason is Reason.WITNESSES_DISAGREE:
        yield Said(
            "driver", Outcome.BLOCKS, f"of several versions: {version.detail}",
            remedy="reboot, or load the new module", found=version.detail,
        )  # fmt: skip
        return
    module = need(driver.kernel_module, side.path("gpu.driver.kernel_module"))
    library = need(driver.library, side.path("gpu.driver.library"))
    if module is not None and library is not None and module != library:
        yield Said(
            "driver", Outcome.BLOCKS, f"kernel module {module}, libraries {library}",
            remedy="reboot, or load the new module", found=f"{module} and {library}",
        )  # fmt: skip


@fit(
    "DRV005", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, Packages, Python),
    source=KERNEL_MODULES,
)  # fmt: skip
def not_loaded(pair: Pair) -> Iterator[Said]:
    """Without its kernel module no program reaches the GPU.

    An NVIDIA GPU is there; its kernel module is not loaded.
    """
    side = pair.found
    driver = driver_of(side) if matters(pair) else None
    if driver is None or need(side.need(Gpu).platform, side.path("gpu.platform")) != "pci":
        return
    if need(driver.kernel_module, side.path("gpu.driver.kernel_module")) is None:
        yield Said(
            "driver", Outcome.BLOCKS, "an NVIDIA GPU is there, its kernel module is not loaded",
            remedy="install the NVIDIA driver, or: modprobe nvidia",
        )  # fmt: skip


@drift(
    "DRV006", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Gpu, Packages, Python),
    source=DRIVER_MATRIX, lowers=Level.SAME_ARCHITECTURE,
)  # fmt: skip
def version_differs(pair: Pair) -> Iterator[Said]:
    """A newer driver runs what was built for an older one.

    CUDA keeps this promise across all versions. Whether a driver is too old is DRV001's matter.
    Code that is compiled for the GPU keeps its bits; PTX is compiled by the driver, and another
    branch has another compiler: where packages compute on the GPU, the same bits can be expected
    as far as one architecture keeps them.
    """
    wanted = driver_of(pair.wanted)
    if wanted is None:
        return
    found = driver_of(pair.found)
    theirs = need(wanted.version, pair.wanted.path("gpu.driver.version"))
    if found is None:
        return  # GPU001 says it
    ours = need(found.version, pair.found.path("gpu.driver.version"))
    if theirs != ours:
        said = Said(
            "driver", Outcome.NOTE, f"driver {theirs} -> {ours}", wanted=theirs, found=ours,
            why=_why_older(pair, ours) if _numbers(ours) < _numbers(theirs) else None,
        )  # fmt: skip
        if theirs.partition(".")[0] == ours.partition(".")[0]:
            yield said
            return
        compiled = said._replace(lowers=Level.SAME_ARCHITECTURE)
        try:
            computes = computes_on_gpu(pair.wanted)
        except NeedError:
            yield said
            raise
        yield compiled if computes else said


def _why_older(pair: Pair, ours: str) -> str:
    """What an older driver means to the packages: the promise is made for newer ones."""
    try:
        floors = {_floor(pair, each).value.lowest: each.cuda for each in needs(pair.wanted)}
    except NeedError:
        return "An older driver; whether it is new enough could not be told"
    if not floors:
        return "An older driver, and no package that asks for one"
    lowest = max(floors, key=_numbers)
    asks = f"An older driver: CUDA {major(floors[lowest])} asks for {lowest}"
    return asks if _numbers(ours) < _numbers(lowest) else f"{asks}, so {ours} is enough"


def _floor(pair: Pair, asked: Need) -> Looked[cuda_driver.Floor]:
    path = pair.wanted.path(f"packages.installed.{asked.package}.version")
    answer = cuda_driver.floor(asked.cuda, _system(pair.found))
    if isinstance(answer, Looked):
        return answer
    # A release that the tables lack still has its family's floor, where the family is known.
    return look_up(cuda_driver.floor(major(asked.cuda), _system(pair.found)), path)


def _system(side: Side) -> Literal["linux", "windows"]:
    """Whose version numbers the driver has: under WSL it is the one of Windows."""
    platform = need(side.need(Gpu).platform, side.path("gpu.platform"))
    system = need(side.need(Os).system, side.path("os.system"))
    return "windows" if platform == "wsl2" or system == "Windows" else "linux"


def _is_older(side: Side, version: str, than: str) -> bool:
    ours, theirs = parse_driver(version), parse_driver(than)
    if ours is None or theirs is None:
        not_decidable(side.path("gpu.driver.version"), f"{version} is no driver version")
    return ours < theirs


def _numbers(version: str) -> tuple[int, ...]:
    return parse_driver(version) or ()
