"""Whole machines, every fact known, for the tests of rules and reports."""

from __future__ import annotations

from envsnap.manifest import Manifest
from envsnap.rules import Report, rules
from envsnap.rules._core import Side, judge
from envsnap.sections import (
    Captured,
    Consumer,
    Container,
    Cpu,
    Cuda,
    CudaLibrary,
    Device,
    Driver,
    Engine,
    Engines,
    Environ,
    Fabric,
    Fact,
    Gpu,
    GpuPeak,
    Libraries,
    LibraryCopy,
    Load,
    Math,
    MathLibrary,
    Memory,
    Moment,
    Package,
    Packages,
    Project,
    Reason,
    Run,
    Scheduler,
    SystemLibraries,
    SystemLibrary,
    Tools,
    Unknown,
    replace,
)
from tests import made

UNSEEN = Unknown(Reason.NO_PERMISSION, "for a test")
TORCH_TAGS = ("cp311-cp311-manylinux1_x86_64",)
TORCH = made.package("torch", "2.5.1", tags=TORCH_TAGS, content="1" * 64)
CUDNN = made.package("nvidia-cudnn-cu12", "9.1.0.70", content="2" * 64)
RUNTIME = made.package("nvidia-cuda-runtime-cu12", "12.4.127", content="3" * 64)
DEEP_LEARNING = (*made.PACKAGES, RUNTIME, CUDNN, TORCH)


def device(name: Fact[str] = "NVIDIA A100-SXM4-40GB", **changes: object) -> Device:
    a100 = Device(
        vendor="nvidia", name=name, pci_bus_id="0000:41:00.0", architecture="ampere",
        compute_capability="8.0", multiprocessors=108, memory_mib=40960, vbios="92.00.45.00.03",
        ecc=True, mig=False, slices=(), compute_mode="default", power_limit_w=400,
        max_sm_clock_mhz=1410, max_memory_clock_mhz=1215, application_sm_clock_mhz=1095,
        default_power_limit_w=400, persistence=True, pcie_generation=4, pcie_width=16, nvlinks=12,
        numa_node=0, virtualization=None, shown_by=("nvml", "pci", "proc"), uuid=UNSEEN,
    )  # fmt: skip
    return replace(a100, **changes)


T4 = device(
    "Tesla T4", architecture="turing", compute_capability="7.5", multiprocessors=40,
    memory_mib=15360, mig=None,
)  # fmt: skip
AMD = device(
    "AMD Instinct MI300X", vendor="amd", architecture="gfx942", compute_capability=None,
    multiprocessors=304, memory_mib=196608, mig=None,
)  # fmt: skip


def driver(version: Fact[str] = "550.54.14", **changes: object) -> Driver:
    known = Driver(
        version=version, kernel_module=version, flavour="proprietary", library=version, cuda="12.4",
        gsp_firmware=version, compat=None, cuda_in_effect="12.4",
    )  # fmt: skip
    return replace(known, **changes)


def gpu(*devices: Device, **changes: object) -> Gpu:
    known = Gpu(
        kind="nvidia" if devices else "none", platform="pci" if devices else "none", pci=(),
        driver=driver() if devices else None, devices=devices,
        visible=tuple(range(len(devices))), hidden=None, topology=(), rocm=None,
    )  # fmt: skip
    return replace(known, **changes)


def cpu(**changes: object) -> Cpu:
    known = Cpu(
        vendor="AuthenticAMD", model="AMD EPYC 7763", microarchitecture="zen3",
        generic_level="x86_64_v3", features=("avx", "avx2", "fma"), sockets=1, cores=8, threads=16,
    )  # fmt: skip
    return replace(known, **changes)


def engines(*found: Engine, **changes: object) -> Engines:
    known = Engines(
        found=found, user_namespaces=True, subordinate_ids=True, container_toolkit="1.16.2",
        shm_mib=64, open_files=1024, locked_memory_kib=64,
    )  # fmt: skip
    return replace(known, **changes)


def engine(name: str = "docker", *, usable: Fact[bool] = True) -> Engine:
    return Engine(name=name, version="28.2.2", usable=usable)


def packages(*installed: Package, **changes: object) -> Packages:
    return replace(Packages(installed=installed, conda_only=(), broken=()), **changes)


def library(family: str, version: Fact[str], source: str = "system") -> CudaLibrary:
    return CudaLibrary(family=family, version=version, source=source, owner=None, location=None)


NEEDS_DEEP = Unknown(Reason.NEEDS_DEEP, "capture --deep reads it")


def copy(
    family: str = "cudnn",
    name: str = "libcudnn.so.9",
    source: Fact[str] = "pip",
    **changes: object,
) -> LibraryCopy:
    """A library file; of cuDNN's wheel, unless another is asked for."""
    known = LibraryCopy(
        family=family, name=name, source=source, owner="nvidia-cudnn-cu12", version="9.1.0",
        content="c" * 64, location=f"{{env}}/nvidia/{family}/{name}",
    )  # fmt: skip
    return replace(known, **changes)


def libraries(
    *copies: LibraryCopy,
    of: str = "torch",
    missing: Fact[tuple[str, ...]] = (),
    found_by: str = "runpath",
) -> Libraries:
    """One distribution that would load all of these."""
    loads = tuple(
        Load(family=each.family, location=each.location, found_by=found_by) for each in copies
    )
    return Libraries(
        copies=copies, consumers=(Consumer(distribution=of, loads=loads, missing=missing),)
    )


def openblas(**changes: object) -> MathLibrary:
    known = MathLibrary(
        kind="openblas", version="0.3.29", build="DYNAMIC_ARCH", threading="pthreads",
        kernel="Zen", threads=16, owner="numpy", location="{env}/numpy.libs/libscipy_openblas.so",
    )  # fmt: skip
    return replace(known, **changes)


def math(*found: MathLibrary, **changes: object) -> Math:
    known = Math(
        libraries=found or (openblas(),), numpy_baseline=("AVX",), numpy_dispatch=("AVX2",)
    )
    return replace(known, **changes)


RUN = Run(
    program="{env}/bin/python", exit_status=0, wall_ms=61000, peak_memory_mib=30000,
    gpu_peaks=(GpuPeak(device=0, memory_mib=18000),), libraries=(), modules=("torch",),
    other_pythons=(), programs=("{env}/bin/python",), sampled_ms=100,
)  # fmt: skip
FABRIC = Fabric(
    adapters=(), ofed=None, gpudirect=False, ucx=None, libfabric=None, mpi=None, pmi=()
)  # fmt: skip


def asked_of_glibc(version: str = "2.34") -> SystemLibraries:
    """An environment whose newest need is that glibc."""
    libc = SystemLibrary(
        name="libc.so.6", versions=(f"GLIBC_{version}",), needed_by=("numpy",),
        location="/lib/libc.so.6", owner="libc6",
    )  # fmt: skip
    return SystemLibraries(needed=(libc,), exempt=())


def machine(**sections: object) -> Manifest:
    """An A100 with a PyTorch environment; any section can be another."""
    return Manifest(
        captured=Captured(time="2026-01-31T12:00:00Z", version="0.1.0"),
        sections={
            "python": made.python(),
            "packages": packages(*DEEP_LEARNING),
            "os": made.linux(),
            "cpu": cpu(),
            "memory": Memory(total_mib=65536, swap_mib=0),
            "gpu": gpu(device()),
            "cuda": Cuda(libraries=(), nvcc=None),
            "libraries": NEEDS_DEEP,
            "gpu_code": NEEDS_DEEP,
            "system_libraries": NEEDS_DEEP,
            "math": NEEDS_DEEP,
            "fabric": FABRIC,
            "tools": Tools(found=()),
            "engines": engines(engine()),
            "container": Container(kind=None, image=None, host_libraries=()),
            "environ": Environ(variables={"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}),
            "project": Project(name="paper", git=None, lock_files=(), newest_install=None),
            "scheduler": Scheduler(kind=None, version=None, modules=()),
            "run": Unknown(Reason.NOT_ASKED, "envsnap run records it"),
            "moment": Moment(
                job={}, memory_limit_mib=None, cpus_allowed=16, available_memory_mib=60000
            ),
            **sections,
        },
    )


def judged(code: str, wanted: Manifest, found: Manifest) -> Report:
    """What one rule says of running the wanted environment on the found machine."""
    (rule,) = (each for each in rules() if each.code == code)
    return judge(rule, Side("wanted", wanted), Side("found", found))


def well(code: str, manifest: Manifest) -> Report:
    """What one rule says of a manifest's own health."""
    (rule,) = (each for each in rules() if each.code == code)
    side = Side("", manifest)
    return judge(rule, side) if rule.kind == "health" else judge(rule, side, side)


def told(report: Report) -> list[tuple[str, str]]:
    """Outcome and words of each finding; fails where the rule came to no end."""
    assert report.not_checked == ()
    return [(str(each.outcome), each.what) for each in report.findings]


def missing(report: Report) -> list[tuple[str, str]]:
    """The facts that were missing, and why; fails where something was found all the same."""
    assert report.findings == ()
    return [(each.path, str(each.reason)) for each in report.not_checked]
