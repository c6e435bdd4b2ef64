"""The accelerators, their driver, and the CUDA libraries."""

from envsnap.sections._shape import Fact, fact, shape


@shape
class PciDevice:
    """A display or 3D device on the PCI bus."""

    bus_id: str = fact("The PCI address, as '0000:41:00.0'")
    vendor: str = fact("nvidia, amd, intel or the four hex digits")
    device: str = fact("The PCI device id, four hex digits")
    driver: Fact[str | None] = fact("The kernel driver bound to it; null if none is")


@shape
class ForwardCompatibility:
    """A libcuda that serves a newer CUDA than the driver itself does (cuda-compat)."""

    version: Fact[str] = fact("The driver version in its file name, as '590.44.01'")
    cuda: Fact[str] = fact("The CUDA version that it serves, as '13.1'", sources=("ELF note",))
    drivers: Fact[tuple[int, ...]] = fact("The driver branches that it works on, as 535, 550")
    found_first: Fact[bool] = fact("Whether programs find it before the driver's own")
    used: Fact[bool] = fact(
        "Whether it is found first and works on this machine's driver and GPUs; found first and "
        "not used, CUDA does not start"
    )
    location: Fact[str] = fact("The file, anchored")


@shape
class Driver:
    """The NVIDIA driver, as its several witnesses tell it."""

    version: Fact[str] = fact(
        "The version in effect", sources=("NVML", "/proc/driver/nvidia/version", "nvidia-smi")
    )
    kernel_module: Fact[str | None] = fact(
        "The loaded kernel module's version; null if none is loaded",
        sources=("/proc/driver/nvidia/version", "/sys/module/nvidia/version"),
    )
    flavour: Fact[str | None] = fact("open or proprietary kernel module")
    library: Fact[str | None] = fact(
        "The version in the file name of libcuda; null if there is none"
    )
    cuda: Fact[str] = fact(
        "The newest CUDA the driver serves, as '12.4'", sources=("NVML", "nvidia-smi")
    )
    gsp_firmware: Fact[str | None] = fact("The version of the GPU's system processor's firmware")
    compat: Fact[ForwardCompatibility | None] = fact(
        "The forward-compatibility libcuda (cuda-compat) that programs would find; null if none"
    )
    cuda_in_effect: Fact[str] = fact(
        "The newest CUDA that programs get: the driver's own, or cuda-compat's where that is used"
    )


@shape
class MigSlice:
    """A MIG instance that this environment can use."""

    profile: Fact[str] = fact("As '1g.10gb'")
    memory_mib: Fact[int] = fact("Its memory", unit="MiB")
    multiprocessors: Fact[int] = fact("Its streaming multiprocessors")


@shape
class Device:
    """One GPU. A field that one card refuses is unknown for that card alone."""

    vendor: str = fact("nvidia, amd, intel")
    name: Fact[str] = fact(
        "As the driver prints it", sources=("NVML", "/proc/driver/nvidia", "nvidia-smi")
    )
    pci_bus_id: Fact[str] = fact("Joins the witnesses inside one machine; never compared")
    architecture: Fact[str] = fact("turing, ampere, hopper, ..., or AMD's gfx target")
    compute_capability: Fact[str | None] = fact("As '8.9'; null where the vendor has none")
    multiprocessors: Fact[int] = fact("Streaming multiprocessors; compute units with AMD")
    memory_mib: Fact[int] = fact("Total memory", unit="MiB", sources=("NVML", "nvidia-smi"))
    vbios: Fact[str] = fact("The version of its firmware")
    ecc: Fact[bool | None] = fact("Whether ECC is on; null if the card has none")
    mig: Fact[bool | None] = fact("Whether MIG mode is on; null if the card has none")
    slices: Fact[tuple[MigSlice, ...]] = fact("The visible MIG instances, if MIG is on")
    compute_mode: Fact[str] = fact("default, exclusive-process or prohibited")
    power_limit_w: Fact[int] = fact("The enforced power limit", unit="W")
    max_sm_clock_mhz: Fact[int] = fact("The highest SM clock", unit="MHz")
    max_memory_clock_mhz: Fact[int] = fact("The highest memory clock", unit="MHz")
    application_sm_clock_mhz: Fact[int | None] = fact(
        "The SM clock that was set for programs; null where the card cannot be set", unit="MHz"
    )
    default_power_limit_w: Fact[int] = fact("The power limit as the card was made", unit="W")
    persistence: Fact[bool | None] = fact("Whether persistence mode is on; null if it has none")
    pcie_generation: Fact[int] = fact("The highest that the card and its slot reach together")
    pcie_width: Fact[int] = fact("The most lanes that the card and its slot reach together")
    nvlinks: Fact[int | None] = fact("NVLink links that are up; null where the card has none")
    numa_node: Fact[int | None] = fact("The NUMA node it is attached to; null where none is told")
    virtualization: Fact[str | None] = fact("passthrough, vgpu or host-vgpu; null on bare metal")
    shown_by: Fact[tuple[str, ...]] = fact(
        "Who shows it: pci, proc, nvml, nvidia-smi, kfd, tegra; sorted"
    )
    uuid: Fact[str] = fact("The card's serial identity; recorded with --identify only")


@shape
class CudaLibrary:
    """One copy of one CUDA library family."""

    family: str = fact("toolkit, runtime, cudnn, nccl, cublas, ...")
    version: Fact[str] = fact("As its package, file name or header says it")
    source: str = fact("pip, conda or system")
    owner: str | None = fact("The distribution or package that brought it; null if unknown")
    location: Fact[str | None] = fact("The folder or file, anchored; null for a package as a whole")


@shape
class GpuLink:
    """How two GPUs of one machine reach each other."""

    first: int = fact("Position in `devices`, the lower one")
    second: int = fact("Position in `devices`")
    way: Fact[str] = fact(
        "nvlink:N (N links), xgmi between AMD's, else internal, pix, pxb, phb, node or sys, "
        "as nvidia-smi topo says it"
    )


@shape
class Rocm:
    """AMD's compute stack."""

    driver: Fact[str | None] = fact(
        "amdgpu's version; null where it is the kernel's own", sources=("/sys/module/amdgpu",)
    )
    release: Fact[str | None] = fact("As '6.2.4', from /opt/rocm/.info; null if none is installed")
    libraries: Fact[tuple[CudaLibrary, ...]] = fact("hip, rocblas, miopen, rccl, ... of /opt/rocm")


@shape
class Gpu:
    """The accelerators of this machine. No device in a known, empty list is: no GPU."""

    kind: Fact[str] = fact("nvidia, amd, intel, several or none: what the machine shows")
    platform: Fact[str] = fact("pci, wsl2, tegra, mac or none: how GPUs are reached here")
    pci: Fact[tuple[PciDevice, ...]] = fact("GPU vendors' display and 3D devices on the PCI bus")
    driver: Fact[Driver | None] = fact("The NVIDIA driver; null where there is no NVIDIA GPU")
    devices: Fact[tuple[Device, ...]] = fact("The GPUs, in the order of their PCI address")
    visible: Fact[tuple[int, ...]] = fact("Positions in `devices` that CUDA programs would see")
    hidden: Fact[str | None] = fact("Why some are not visible; null if all are")
    topology: Fact[tuple[GpuLink, ...]] = fact("How each pair of GPUs is joined")
    rocm: Fact[Rocm | None] = fact("AMD's compute stack; null where there is no AMD GPU")


@shape
class Cuda:
    """Which CUDA libraries are installed, and by whom. What would load is another question."""

    libraries: Fact[tuple[CudaLibrary, ...]] = fact("Sorted by family, source, version")
    nvcc: Fact[str | None] = fact("The compiler's release on PATH, as '12.4.131'; null if none")
