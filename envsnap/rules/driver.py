"""DRV: the NVIDIA driver."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap._typing import Literal
from envsnap.facts import Looked, cuda_driver, gpu_arch, parse_driver
from envsnap.rules._core import Pair, Said, Side, drift, fit, look_up, need, not_decidable
from envsnap.rules._cuda import Need, computes_on_gpu, major, needs
from envsnap.rules._findings import Condition, Outcome, Scope
from envsnap.rules._sources import CUDA_COMPATIBILITY, CUDA_FAQ, DRIVER_MATRIX, DRIVER_MISMATCH
from envsnap.sections import Driver, Gpu, Os, Packages, Python


@fit(
    "DRV001", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, Os, Packages, Python),
    source=CUDA_COMPATIBILITY,
)  # fmt: skip
def floor(pair: Pair) -> Iterator[Said]:
    """CUDA does not start on a driver older than its family's first one.

    Since CUDA 11 every release of a major version runs on the driver of its first release
    (CUDA 12: 525.60.13); before 11 each needs its own. A container uses the machine's driver.
    A cuda-compat package can help on data center GPUs; it is not looked at.
    """
    asked = needs(pair.wanted)
    version = _version(pair.found) if asked else None
    if version is None:
        return
    floors = [(each, _floor(pair, each)) for each in asked]
    worst, looked = max(floors, key=lambda each: parse_driver(each[1].value.lowest) or ())
    lowest = looked.value.lowest
    if _is_older(pair.found, version, lowest):
        yield Said(
            "driver", Outcome.BLOCKS,
            f"{worst.package} is built for CUDA {worst.cuda}, which needs driver {lowest}; "
            f"here is {version}",
            remedy=f"a driver of {lowest} or newer",
            wanted=f"{lowest} or newer", found=version, rests_on=looked,
        )  # fmt: skip


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
    asked = [each for each in needs(pair.wanted) if "." in each.cuda]
    version = _version(pair.found) if asked else None
    if version is None:
        return
    for each in sorted(set(asked), key=lambda one: one.cuda, reverse=True)[:1]:
        looked = _floor(pair, each)
        exact, lowest = looked.value.exact, looked.value.lowest
        if exact is None or _is_older(pair.found, version, lowest):
            return  # DRV001 says it
        if _is_older(pair.found, version, exact):
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
    "DRV003",
    scope=Scope.BOTH,
    worst=Outcome.BLOCKS,
    reads=(Gpu, Packages, Python),
    source=DRIVER_MATRIX,
)
def dropped(pair: Pair) -> Iterator[Said]:
    """A driver branch that no longer knows the GPU does not drive it.

    R580 is the last branch for Maxwell, Pascal and Volta, R470 for Kepler.
    """
    side = pair.found
    version = _version(side) if _matters(pair) else None
    if version is None:
        return
    branch = (parse_driver(version) or (0,))[0]
    for index, device in enumerate(need(side.need(Gpu).devices, side.path("gpu.devices"))):
        path = side.path(f"gpu.devices[{index}].compute_capability")
        capability = need(device.compute_capability, path) if device.vendor == "nvidia" else None
        arch = None if capability is None else gpu_arch.by_capability(capability)
        if isinstance(arch, Looked) and branch > (arch.value.last_driver_branch or branch):
            yield Said(
                "driver", Outcome.BLOCKS,
                f"driver {version} drives no {arch.value.architecture} GPU; the last branch that "
                f"does is R{arch.value.last_driver_branch}",
                remedy=f"a driver of the branch R{arch.value.last_driver_branch}",
                found=version, rests_on=arch,
            )  # fmt: skip


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
    driver = _driver(side) if _matters(pair) else None
    if driver is None or need(side.need(Gpu).platform, side.path("gpu.platform")) != "pci":
        return  # under WSL and on Tegra the module is another matter
    module = need(driver.kernel_module, side.path("gpu.driver.kernel_module"))
    library = need(driver.library, side.path("gpu.driver.library"))
    if module is not None and library is not None and module != library:
        yield Said(
            "driver", Outcome.BLOCKS, f"kernel module {module}, libraries {library}",
            remedy="reboot, or load the new module", found=f"{module} and {library}",
        )  # fmt: skip


@fit(
    "DRV005", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, Packages, Python), source=CUDA_FAQ
)
def not_loaded(pair: Pair) -> Iterator[Said]:
    """Without its kernel module no program reaches the GPU.

    An NVIDIA GPU is there; its kernel module is not loaded.
    """
    side = pair.found
    driver = _driver(side) if _matters(pair) else None
    if driver is None or need(side.need(Gpu).platform, side.path("gpu.platform")) != "pci":
        return
    if need(driver.kernel_module, side.path("gpu.driver.kernel_module")) is None:
        yield Said(
            "driver", Outcome.BLOCKS, "an NVIDIA GPU is there, its kernel module is not loaded",
            remedy="install the NVIDIA driver, or: modprobe nvidia",
        )  # fmt: skip


@drift("DRV006", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Gpu,), source=CUDA_FAQ)
def version_differs(pair: Pair) -> Iterator[Said]:
    """A newer driver runs what was built for an older one.

    CUDA keeps this promise across all versions. Whether a driver is too old is DRV001's matter.
    """
    wanted = _driver(pair.wanted)
    if wanted is None:
        return
    found = _driver(pair.found)
    theirs = need(wanted.version, pair.wanted.path("gpu.driver.version"))
    if found is None:
        return  # GPU001 says it
    ours = need(found.version, pair.found.path("gpu.driver.version"))
    if theirs != ours:
        yield Said("driver", Outcome.NOTE, f"driver {theirs} -> {ours}", wanted=theirs, found=ours)


def _matters(pair: Pair) -> bool:
    """Whether anything asks for the driver. A machine's own health is judged in any case."""
    return pair.is_one or computes_on_gpu(pair.wanted)


def _driver(side: Side) -> Driver | None:
    return need(side.need(Gpu).driver, side.path("gpu.driver"))


def _version(side: Side) -> str | None:
    driver = _driver(side)
    return None if driver is None else need(driver.version, side.path("gpu.driver.version"))


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
