"""SYS, CPU, ENG, RUN and FAB: the machine under an environment, and its ways to containers."""

from __future__ import annotations

from envsnap.manifest import Manifest
from envsnap.rules import Level
from envsnap.sections import (
    Adapter,
    Container,
    Fact,
    Git,
    Memory,
    Moment,
    Project,
    Scheduler,
    SystemLibraries,
    SystemLibrary,
    replace,
)
from tests import made
from tests.rules.book.case import CONDITION, Case
from tests.rules.book.packages import BASE, having, record
from tests.rules.machines import (
    FABRIC,
    RUN,
    UNSEEN,
    asked_of_glibc,
    cpu,
    device,
    engine,
    engines,
    gpu,
    machine,
    math,
    openblas,
)


def on(**changes: object) -> Manifest:
    return machine(os=made.linux(**changes))


def inside(shm_mib: Fact[int | None]) -> Manifest:
    """A container with so much shared memory."""
    return machine(
        engines=engines(shm_mib=shm_mib),
        container=Container(kind="docker", image=None, host_libraries=()),
    )


def asked_of_cxx(symbols: str = "3.4.30") -> Manifest:
    needed = SystemLibrary(
        name="libstdc++.so.6", versions=("CXXABI_1.3.13", f"GLIBCXX_{symbols}"),
        needed_by=("torch",), location="/usr/lib/libstdc++.so.6", owner="libstdc++6",
    )  # fmt: skip
    return machine(system_libraries=SystemLibraries(needed=(needed,), exempt=()))


def cluster(*names: str, devices: bool = True, job: str | None = None) -> Manifest:
    return machine(
        scheduler=Scheduler(kind="slurm", version="24.05", modules=names),
        gpu=gpu(device()) if devices else gpu(),
        moment=Moment(
            job={} if job is None else {"SLURM_JOB_ID": job}, memory_limit_mib=None,
            cpus_allowed=16, available_memory_mib=60000,
        ),
    )  # fmt: skip


def at(**changes: object) -> Manifest:
    git = Git(
        commit="a" * 40, commit_time="2026-01-31T12:00:00Z", branch="main", changed_files=0,
        remote=None, pushed=True,
    )  # fmt: skip
    known = Project(name="paper", git=replace(git, **changes), lock_files=(), newest_install=None)
    return machine(project=known)


def computing(**changes: object) -> Manifest:
    return machine(math=math(openblas(**changes)))


OPENBLAS = "math.libraries.{env}/numpy.libs/libscipy_openblas.so"
LOCAL = having(
    made.package("ours", "1", tags=("cp311-cp311-linux_x86_64",)),
    made.package("numpy", "2", tags=("cp311-cp311-manylinux_2_28_x86_64",)),
)
NUMPY_228 = having(made.package("numpy", "2.0", tags=("cp311-cp311-manylinux_2_28_x86_64",)))
LEVEL_3 = having(conda_only=(record("_x86_64-microarch-level", "3"),))
OF_GLIBC = machine(system_libraries=asked_of_glibc("2.34"))
RAN = machine(run=RUN)
MLX = Adapter(
    name="mlx5_0", model="MT_0000000838", firmware="20.41.1000", link="InfiniBand",
    rate="200 Gb/sec (4X HDR)", state="ACTIVE",
)  # fmt: skip
INFINIBAND = replace(FABRIC, adapters=(MLX,))
NO_JOB = "captured on a node without a GPU, outside of a job: which GPU the results come from "
SYSTEM = (
    Case(
        "SYS001", "blocks", "Linux -> Darwin", of=(BASE, on(system="Darwin")),
        but="of another distribution of Linux", nearly=(BASE, on(distribution="ubuntu")),
        unseen=(BASE, on(system=UNSEEN)), path="found os.system",
    ),
    Case(
        "SYS002", "blocks", "x86_64 -> aarch64", of=(BASE, on(architecture="aarch64")),
        but="of amd64, which is x86_64 by another name", nearly=(BASE, on(architecture="AMD64")),
        unseen=(BASE, on(architecture=UNSEEN)), path="found os.architecture",
    ),
    Case(
        "SYS003", "blocks", "an image for x86_64 on aarch64", of=(BASE, on(architecture="aarch64")),
        but="of amd64, which is x86_64 by another name", nearly=(BASE, on(architecture="AMD64")),
        unseen=(BASE, on(architecture=UNSEEN)), path="found os.architecture",
    ),
    Case(
        "SYS014", "blocks", "no image can be built of an environment of Windows",
        of=(on(system="Windows"), BASE),
        but="of a machine with Windows, whose containers run Linux",
        nearly=(BASE, on(system="Windows")),
        unseen=(on(system=UNSEEN), BASE), path="wanted os.system",
    ),
    Case(
        "SYS004", "blocks", "numpy needs glibc 2.28; here is 2.27",
        of=(NUMPY_228, on(libc_version="2.27")),
        but="of glibc 2.28", nearly=(NUMPY_228, on(libc_version="2.28")),
        unseen=(NUMPY_228, on(libc_version=UNSEEN)), path="found os.libc_version",
    ),
    Case(
        "SYS005", "numerics", "glibc 2.36 -> glibc 2.35", of=(BASE, on(libc_version="2.35")),
        but="of another distribution with the same glibc", nearly=(BASE, on(distribution="ubuntu")),
        unseen=(BASE, on(libc_version=UNSEEN)), path="found os.libc_version",
    ),
    Case(
        "SYS006", "note", "debian 12 -> ubuntu 24.04",
        of=(BASE, on(distribution="ubuntu", distribution_version="24.04")),
        but="of another kernel", nearly=(BASE, on(kernel="6.8.0")),
        unseen=(BASE, on(distribution=UNSEEN)), path="found os.distribution",
    ),
    Case(
        "SYS007", "note", "kernel 6.1.0 -> 6.8.0", of=(BASE, on(kernel="6.8.0")),
        but="of another build of the same release", nearly=(BASE, on(kernel_build="#2 SMP")),
        unseen=(BASE, on(kernel=UNSEEN)), path="found os.kernel",
    ),
    Case(
        "SYS008", "blocks", "numpy needs glibc 2.34 (libc.so.6); here is 2.33",
        of=(OF_GLIBC, on(libc_version="2.33")),
        but="of glibc 2.34", nearly=(OF_GLIBC, on(libc_version="2.34")),
        unseen=(OF_GLIBC, on(libc_version=UNSEEN)), path="found os.libc_version",
    ),
    Case(
        "SYS009", "blocks", "torch needs GLIBCXX_3.4.30 of libstdc++; here is 3.4.29",
        of=(asked_of_cxx(), on(distribution="rocky", distribution_version="9.4")),
        but="of Debian 12, whose libstdc++ has GLIBCXX_3.4.30", nearly=(asked_of_cxx(), BASE),
        unseen=(asked_of_cxx(), on(distribution=UNSEEN)), path="found os.distribution",
    ),
    Case(
        "SYS010", "perf", "no WSL -> WSL 2", of=(BASE, on(wsl=2)),
        but="where both run under WSL 2", nearly=(on(wsl=2), on(wsl=2)),
        unseen=(BASE, on(wsl=UNSEEN)), path="found os.wsl",
    ),
    Case(
        "SYS011", "note", "not loaded here: cuda/12.4",
        of=(cluster("gcc/13", "cuda/12.4"), cluster("gcc/13")),
        but="of a module more than wanted",
        nearly=(cluster("gcc/13"), cluster("gcc/13", "cuda/12.4")),
        unseen=(BASE, machine(scheduler=UNSEEN)), path="found scheduler",
    ),
    Case(
        "SYS012", CONDITION, NO_JOB + "is not known", of=(cluster(devices=False), BASE),
        but="of a node without a GPU within a job",
        nearly=(cluster(devices=False, job="1"), BASE),
        unseen=(machine(scheduler=UNSEEN), BASE), path="wanted scheduler",
    ),
)  # fmt: skip
PROCESSOR = (
    Case(
        "CPU001", "numerics", "zen3 -> zen4", of=(BASE, machine(cpu=cpu(microarchitecture="zen4"))),
        but="of another model of the same microarchitecture",
        nearly=(BASE, machine(cpu=cpu(model="AMD EPYC 7713"))),
        unseen=(BASE, machine(cpu=cpu(microarchitecture=UNSEEN))),
        path="found cpu.microarchitecture", leaves=Level.SAME_ARCHITECTURE,
    ),
    Case(
        "CPU002", "degrades", "x86_64_v3 -> x86_64_v2, and ours was compiled there",
        of=(LOCAL, machine(cpu=cpu(generic_level="x86_64_v2"))),
        but="of the level that it was compiled on, x86_64_v3", nearly=(LOCAL, BASE),
        unseen=(LOCAL, machine(cpu=cpu(generic_level=UNSEEN))), path="found cpu.generic_level",
    ),
    Case(
        "CPU003", "numerics", "16 -> 8 threads", of=(BASE, machine(cpu=cpu(threads=8))),
        but="of as many threads on fewer cores", nearly=(BASE, machine(cpu=cpu(cores=4))),
        unseen=(BASE, machine(cpu=cpu(threads=UNSEEN))), path="found cpu.threads",
    ),
    Case(
        "CPU004", "note", "64 GiB -> 57 GiB",
        of=(BASE, machine(memory=Memory(total_mib=58000, swap_mib=0))),
        but="of what firmware and kernel keep: 58.0 GiB",
        nearly=(BASE, machine(memory=Memory(total_mib=59392, swap_mib=0))),
        unseen=(BASE, machine(memory=Memory(total_mib=UNSEEN, swap_mib=0))),
        path="found memory.total_mib",
    ),
    Case(
        "CPU005", "numerics",
        "BLAS of numpy: openblas 0.3.29 pthreads -> openblas 0.3.30 pthreads",
        of=(computing(), computing(version="0.3.30")),
        but="of another build with the same version and threading",
        nearly=(computing(), computing(build="DYNAMIC_ARCH NO_AFFINITY")),
        unseen=(computing(), computing(version=UNSEEN)), path=f"found {OPENBLAS}.version",
    ),
    Case(
        "CPU006", "numerics", "openblas of numpy: kernels for Zen -> Haswell",
        of=(computing(), computing(kernel="Haswell")),
        but="where the release differs too, which is CPU005's matter",
        nearly=(computing(), computing(kernel="Haswell", version="0.3.30")),
        unseen=(computing(), computing(kernel=UNSEEN)), path=f"found {OPENBLAS}.kernel",
    ),
    Case(
        "CPU007", "numerics", "BLAS of numpy: 16 -> 8 threads",
        of=(computing(), computing(threads=8)),
        but="where a copy does not say how many it takes",
        nearly=(computing(), computing(threads=None)),
        unseen=(computing(), computing(threads=UNSEEN)), path=f"found {OPENBLAS}.threads",
    ),
    Case(
        "CPU020", "blocks", "NumPy is compiled for AVX2, which this processor has not",
        of=(machine(math=math(numpy_baseline=("AVX", "AVX2"))),
            machine(cpu=cpu(features=("avx", "fma")))),
        but="of a processor with avx, avx2 and fma",
        nearly=(machine(math=math(numpy_baseline=("AVX", "AVX2"))),
                machine(cpu=cpu(features=("avx", "avx2", "fma")))),
        unseen=(machine(math=math(numpy_baseline=("AVX", "AVX2"))),
                machine(cpu=cpu(features=UNSEEN))),
        path="found cpu.features",
    ),
    Case(
        "CPU021", "blocks", "conda packages for x86_64_v3; this processor is x86_64_v2",
        of=(LEVEL_3, machine(cpu=cpu(generic_level="x86_64_v2"))),
        but="of a processor of x86_64_v3", nearly=(LEVEL_3, BASE),
        unseen=(LEVEL_3, machine(cpu=cpu(generic_level=UNSEEN))), path="found cpu.generic_level",
    ),
)  # fmt: skip
WAYS = (
    Case(
        "SYS013", "note", "no container -> docker, pytorch/pytorch:2.5.1",
        of=(BASE, machine(container=Container(
            kind="docker", image="pytorch/pytorch:2.5.1", host_libraries=()))),
        but="of other libraries that the host binds in",
        nearly=(BASE, machine(container=Container(
            kind=None, image=None, host_libraries=("libcuda.so.1",)))),
        unseen=(BASE, machine(container=UNSEEN)), path="found container",
    ),
    Case(
        "PRJ001", CONDITION, "2 files of the project not committed at capture",
        of=(at(changed_files=2), BASE),
        but="of a project that is as its commit says", nearly=(at(), BASE),
        unseen=(at(changed_files=UNSEEN), BASE), path="wanted project.git.changed_files",
    ),
    Case(
        "PRJ002", "note", "commit aaaaaaaaaaaa -> bbbbbbbbbbbb", of=(at(), at(commit="b" * 40)),
        but="of another branch at the same commit", nearly=(at(), at(branch="review")),
        unseen=(at(), at(commit=UNSEEN)), path="found project.git.commit",
    ),
    Case(
        "ENG001", "blocks", "no container engine is installed",
        of=(BASE, machine(engines=engines())),
        but="inside of a container",
        nearly=(BASE, machine(engines=engines(), container=Container(
            kind="docker", image=None, host_libraries=()))),
        unseen=(BASE, machine(engines=engines(engine(usable=UNSEEN)))),
        path="found engines.found.docker.usable",
    ),
    Case(
        "ENG002", "blocks", "docker has no NVIDIA container toolkit here",
        of=(BASE, machine(engines=engines(engine(), container_toolkit=None))),
        but="where Apptainer can be used, too",
        nearly=(BASE, machine(engines=engines(
            engine("apptainer"), engine(), container_toolkit=None))),
        unseen=(BASE, machine(engines=engines(engine(), container_toolkit=UNSEEN))),
        path="found engines.container_toolkit",
    ),
    Case(
        "ENG003", "degrades", "shared memory: 32 GiB -> 64 MiB",
        of=(machine(engines=engines(shm_mib=32768)), inside(64)),
        but="of 65 MiB: somebody has asked for it",
        nearly=(machine(engines=engines(shm_mib=32768)), inside(65)),
        unseen=(machine(engines=engines(shm_mib=32768)), inside(UNSEEN)),
        path="found engines.shm_mib",
    ),
    Case(
        "FAB001", "note", "UCX: 1.17.0 -> none",
        of=(machine(fabric=replace(FABRIC, ucx="1.17.0")), BASE),
        but="of what Slurm's srun offers (pmi)",
        nearly=(BASE, machine(fabric=replace(FABRIC, pmi=("pmix",)))),
        unseen=(BASE, machine(fabric=replace(FABRIC, ucx=UNSEEN))), path="found fabric.ucx",
    ),
    Case(
        "FAB002", "note", "64 KiB may be locked, beside mlx5_0",
        of=machine(fabric=INFINIBAND, engines=engines(locked_memory_kib=64)),
        but="of no limit at all",
        nearly=machine(fabric=INFINIBAND, engines=engines(locked_memory_kib=None)),
        unseen=machine(fabric=INFINIBAND, engines=engines(locked_memory_kib=UNSEEN)),
        path="engines.locked_memory_kib",
    ),
    Case(
        "RUN001", "degrades", "the run held 18 GiB on a GPU; here is 15 GiB",
        of=(RAN, machine(gpu=gpu(device(memory_mib=15360)))),
        but="of a GPU with just as much, 18000 MiB",
        nearly=(RAN, machine(gpu=gpu(device(memory_mib=18000)))),
        unseen=(RAN, machine(gpu=gpu(device(memory_mib=UNSEEN)))),
        path="found gpu.devices[0].memory_mib",
    ),
    Case(
        "RUN002", "degrades", "the run held 30000 MiB; here is 29999 MiB",
        of=(RAN, machine(memory=Memory(total_mib=29999, swap_mib=0))),
        but="of just as much, 30000 MiB",
        nearly=(RAN, machine(memory=Memory(total_mib=30000, swap_mib=0))),
        unseen=(RAN, machine(memory=Memory(total_mib=UNSEEN, swap_mib=0))),
        path="found memory.total_mib",
    ),
    Case(
        "RUN003", "note", "it ended with exit status 1",
        of=machine(run=replace(RUN, exit_status=1)),
        but="of a run that ended with 0", nearly=RAN,
        unseen=machine(run=UNSEEN), path="run",
    ),
)  # fmt: skip
CASES = (*SYSTEM, *PROCESSOR, *WAYS)
