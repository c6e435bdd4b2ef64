"""What `capture --deep` reads out of the libraries themselves, and what a run really used."""

from envsnap.sections._shape import Fact, fact, shape


@shape
class LibraryCopy:
    """One file that answers for a library in some program of the environment."""

    family: str = fact("runtime, driver, cublas, cudnn, nccl, blas, openmp, mpi, libstdc++, ...")
    name: str = fact("Its SONAME, a path anchored; where it has none, the name of its file")
    source: Fact[str] = fact(
        "Whose folder it is in: pip, conda, system, module, host (bound into a container), other"
    )
    owner: Fact[str | None] = fact("The distribution or package that brought it; null if none did")
    version: Fact[str | None] = fact("As its file says it; null where the file says none")
    content: Fact[str] = fact("SHA-256 of the file, hex", sources=("the file", "RECORD"))
    location: str = fact("The file, links resolved, anchored")


@shape
class Load:
    """One library that a distribution's code would load."""

    family: str = fact("As in `copies`")
    location: str = fact("The file, as in `copies`")
    found_by: str = fact(
        "rpath, runpath, LD_LIBRARY_PATH, LD_PRELOAD, cache, default, path, preload (the framework "
        "opens it itself) or loaded (another library had opened it before)"
    )


@shape
class Consumer:
    """A distribution with compiled code, and what the dynamic linker would give it."""

    distribution: str = fact("Its name, as in `packages`")
    loads: Fact[tuple[Load, ...]] = fact("Sorted by family and location")
    missing: Fact[tuple[str, ...]] = fact(
        "SONAMEs that nothing here answers for, sorted; paths anchored"
    )


@shape
class Libraries:
    """Which file would answer for each library that results can depend on."""

    copies: Fact[tuple[LibraryCopy, ...]] = fact("Every file once, sorted by family and location")
    consumers: Fact[tuple[Consumer, ...]] = fact("Sorted by distribution")


@shape
class CodeFile:
    """The GPU code in one library."""

    distribution: Fact[str | None] = fact("The package that brought it; null if none did")
    location: str = fact("The file, anchored")
    sass: Fact[tuple[str, ...]] = fact("Targets of compiled code: sm_80, sm_90a, ...; sorted")
    ptx: Fact[tuple[str, ...]] = fact("Targets of PTX: compute_90, ...; sorted")
    amd: Fact[tuple[str, ...]] = fact("AMD's targets: gfx942, ...; sorted")


@shape
class GpuCode:
    """For which GPUs the environment's libraries hold code."""

    files: Fact[tuple[CodeFile, ...]] = fact("Libraries with GPU code, sorted by location")


@shape
class SystemLibrary:
    """A library that the environment's code needs and no package brings."""

    name: str = fact("Its SONAME; a path anchored")
    versions: tuple[str, ...] = fact(
        "The newest symbol version of each series that is asked of it, as GLIBC_2.34"
    )
    needed_by: tuple[str, ...] = fact("The distributions whose code needs it, sorted")
    location: Fact[str | None] = fact("Where this machine has it, anchored; null if it has not")
    owner: Fact[str | None] = fact(
        "This system's package of that file: a note, for an image is another system"
    )


@shape
class Exempt:
    """A library that is asked for and not needed in an image, and why."""

    name: str = fact("Its SONAME; a path anchored")
    why: str = fact(
        "driver, plug-in (nothing importable reaches it) or brought (by another package, and not "
        "where the asker looks: that one's import comes first, or opens it)"
    )
    needed_by: tuple[str, ...] = fact("The distributions whose code asks for it, sorted")


@shape
class SystemLibraries:
    """The system libraries that the environment needs, by evidence."""

    needed: Fact[tuple[SystemLibrary, ...]] = fact("Sorted by name")
    exempt: Fact[tuple[Exempt, ...]] = fact("Sorted by name and reason")


@shape
class MathLibrary:
    """One copy of a BLAS or of an OpenMP runtime."""

    kind: str = fact("openblas, mkl, blis, atlas, flexiblas, libgomp, libomp, libiomp")
    version: Fact[str | None] = fact("As it says it itself; null where it says none")
    build: Fact[str | None] = fact("The options that it was built with; null where it says none")
    threading: Fact[str | None] = fact("openmp, pthreads, disabled, ...; null where it says none")
    kernel: Fact[str | None] = fact("The processor whose kernels it takes here, as 'SkylakeX'")
    threads: Fact[int | None] = fact("How many it would use here; null where it does not say")
    owner: Fact[str | None] = fact("The distribution or package that brought it; null if none did")
    location: str = fact("The file, anchored")


@shape
class Math:
    """What the processor's share of a result depends on."""

    libraries: Fact[tuple[MathLibrary, ...]] = fact("Sorted by kind and location")
    numpy_baseline: Fact[tuple[str, ...] | None] = fact(
        "The instruction sets that NumPy is compiled for; null where there is no NumPy"
    )
    numpy_dispatch: Fact[tuple[str, ...] | None] = fact(
        "Those beyond them that NumPy takes on this processor; null where there is no NumPy"
    )


@shape
class Adapter:
    """One InfiniBand or RoCE adapter."""

    name: str = fact("As the kernel calls it, as 'mlx5_0'")
    model: Fact[str] = fact("The board's own identity, as 'MT_0000000838'")
    firmware: Fact[str] = fact("Its firmware's version")
    link: Fact[str] = fact("InfiniBand or Ethernet")
    rate: Fact[str] = fact("As '200 Gb/sec (4X HDR)'")
    state: Fact[str] = fact("ACTIVE, DOWN, ...")


@shape
class Fabric:
    """What joins machines: adapters, and the libraries that speak over them."""

    adapters: Fact[tuple[Adapter, ...]] = fact("Sorted by name")
    ofed: Fact[str | None] = fact("NVIDIA's or Mellanox's OFED; null for the kernel's own drivers")
    gpudirect: Fact[bool] = fact("Whether nvidia_peermem, or its predecessor, is loaded")
    ucx: Fact[str | None] = fact("The version on PATH; null if none is")
    libfabric: Fact[str | None] = fact("The version on PATH; null if none is")
    mpi: Fact[str | None] = fact("The MPI on PATH, as 'Open MPI 4.1.4'; null if none is")
    pmi: Fact[tuple[str, ...]] = fact("What Slurm's srun offers (srun --mpi=list), sorted")


@shape
class GpuPeak:
    """The most memory that a run held on one GPU."""

    device: int = fact("Position in `gpu.devices`")
    memory_mib: Fact[int] = fact(
        "Of all its processes together, as sampled; where NVML does not name them, as in some "
        "containers, by how much the whole card's rose",
        unit="MiB",
    )


@shape
class Run:
    """What one command really used, as `envsnap run` saw it."""

    program: str = fact("The command's first word, anchored; the others are not recorded")
    exit_status: int = fact("As a shell tells it: 128 more than the signal that ended it")
    wall_ms: int = fact("From its start to its end", unit="ms")
    peak_memory_mib: Fact[int] = fact(
        "Of all its processes together, as sampled; pages that several share count once", unit="MiB"
    )
    gpu_peaks: Fact[tuple[GpuPeak, ...]] = fact("One for each GPU that it held memory on")
    libraries: Fact[tuple[LibraryCopy, ...]] = fact(
        "The library files that its processes had mapped, of the families of `libraries`, as "
        "sampled: one that was mapped for a moment may lack, but a Python names its own at its end"
    )
    modules: Fact[tuple[str, ...]] = fact(
        "The distributions of this environment that its Python processes imported from, sorted"
    )
    other_pythons: Fact[tuple[str, ...]] = fact(
        "Pythons of other environments that imported what was installed there, anchored, sorted; "
        "neither `packages` nor `modules` tells of that"
    )
    programs: Fact[tuple[str, ...]] = fact(
        "The programs that were seen, anchored, sorted; one that ran for a moment may lack"
    )
    sampled_ms: int = fact("How often its processes were looked at", unit="ms")
