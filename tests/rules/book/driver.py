"""DRV and CUD: the NVIDIA driver, cuda-compat, and the system's CUDA libraries."""

from __future__ import annotations

from envsnap.manifest import Manifest
from envsnap.sections import (
    Cuda,
    CudaLibrary,
    Device,
    Fact,
    ForwardCompatibility,
    Reason,
    Unknown,
    replace,
)
from tests.rules.book.case import Case
from tests.rules.book.gpu import A100
from tests.rules.book.packages import BASE
from tests.rules.machines import T4, UNSEEN, device, driver, gpu, library, machine


def under(version: Fact[str] = "550.54.14", *, card: Device = A100, **changes: object) -> Manifest:
    return machine(gpu=gpu(card, driver=driver(version, **changes)))


def compat(**changes: object) -> ForwardCompatibility:
    known = ForwardCompatibility(
        version="590.44.01", cuda="13.1", drivers=(515, 550), found_first=True, used=True,
        location="/usr/local/cuda/compat/libcuda.so.590.44.01",
    )  # fmt: skip
    return replace(known, **changes)


def with_cuda(*found: CudaLibrary) -> Manifest:
    return machine(cuda=Cuda(libraries=found, nvcc=None))


FLOOR = "torch is built for CUDA 12.4, which needs driver 525.60.13; here is "
UNSEEN_CARD = device(compute_capability=UNSEEN)
BLIND = device("Tesla V100-SXM2-16GB", compute_capability="7.0", shown_by=("pci",))
BLACKWELL = device("NVIDIA GeForce RTX 5090", compute_capability="12.0", shown_by=("pci",))
HUNG = Unknown(Reason.TIMED_OUT, "NVML: no answer within 10 s")
CASES = (
    Case(
        "DRV001", "blocks", FLOOR + "525.60.12", of=(BASE, under("525.60.12")),
        but="of driver 525.60.13", nearly=(BASE, under("525.60.13")),
        unseen=(BASE, under(UNSEEN)), path="found gpu.driver.version",
    ),
    Case(
        "DRV002", "note", "driver 550.54.13 is older than CUDA 12.4's own, 550.54.14",
        of=(BASE, under("550.54.13")),
        but="of driver 550.54.14", nearly=(BASE, under("550.54.14")),
        unseen=(BASE, under(UNSEEN)), path="found gpu.driver.version",
    ),
    Case(
        "DRV003", "blocks",
        "driver 590.44.01 drives no volta GPU; the last branch that does is R580",
        of=(BASE, under("590.44.01", card=BLIND)),
        but="of R580, the last one", nearly=(BASE, under("580.65.06", card=BLIND)),
        unseen=(BASE, under("590.44.01", card=UNSEEN_CARD)),
        path="found gpu.devices[0].compute_capability",
    ),
    Case(
        "DRV004", "blocks", "kernel module 550.54.14, libraries 550.54.15",
        of=(BASE, under(library="550.54.15")),
        but="where both are of one version", nearly=(BASE, under("550.54.15")),
        unseen=(BASE, under(library=UNSEEN)), path="found gpu.driver.library",
    ),
    Case(
        "DRV005", "blocks", "an NVIDIA GPU is there, its kernel module is not loaded",
        of=(BASE, under(kernel_module=None)),
        but="of a module of another version than the libraries, which is DRV004's matter",
        nearly=(BASE, under(kernel_module="550.54.15")),
        unseen=(BASE, under(kernel_module=UNSEEN)), path="found gpu.driver.kernel_module",
    ),
    Case(
        "DRV006", "note", "driver 550.54.14 -> 550.54.15", of=(BASE, under("550.54.15")),
        but="of the other flavour of the kernel module", nearly=(BASE, under(flavour="open")),
        unseen=(BASE, under(UNSEEN)), path="found gpu.driver.version",
    ),
    Case(
        "DRV007", "blocks", "the open kernel module does not drive sm_70",
        of=(BASE, under(card=BLIND, flavour="open")),
        but="of sm_75, the first that it drives", nearly=(BASE, under(card=T4, flavour="open")),
        unseen=(BASE, under(card=BLIND, flavour=UNSEEN)), path="found gpu.driver.flavour",
    ),
    Case(
        "DRV008", "blocks",
        "cuda-compat 590.44.01 comes before the driver's own library and does not work: "
        "it is not for A100-SXM4-40GB",
        of=under(compat=compat(used=False)),
        but="where it works", nearly=under(compat=compat()),
        unseen=under(compat=compat(used=UNSEEN)), path="gpu.driver.compat.used",
    ),
    Case(
        "DRV009", "blocks", FLOOR + "515.65.01", of=(BASE, under("515.65.01", compat=compat())),
        but="of driver 525.60.13, which does without",
        nearly=(BASE, under("525.60.13", compat=compat())),
        unseen=(BASE, under("515.65.01", compat=compat(used=UNSEEN))),
        path="found gpu.driver.compat.used",
    ),
    Case(
        "DRV010", "note", "GPU reached by pci -> tegra",
        of=(BASE, machine(gpu=gpu(A100, platform="tegra"))),
        but="of WSL, which is SYS010's matter",
        nearly=(BASE, machine(gpu=gpu(A100, platform="wsl2"))),
        unseen=(BASE, machine(gpu=gpu(A100, platform=UNSEEN))), path="found gpu.platform",
    ),
    Case(
        "DRV011", "blocks",
        "driver 565.57.01 does not drive blackwell GPUs (sm_120) yet; the first branch that does "
        "is R570",
        of=(BASE, under("565.57.01", card=BLACKWELL)),
        but="of R570, the first one", nearly=(BASE, under("570.86.16", card=BLACKWELL)),
        unseen=(BASE, under("565.57.01", card=UNSEEN_CARD)),
        path="found gpu.devices[0].compute_capability",
    ),
    Case(
        "DRV012", "degrades",
        "the driver gave no answer: NVML: no answer within 10 s, for 1 of 1 GPUs",
        of=machine(gpu=gpu(device(compute_capability=HUNG))),
        but="where something else than the GPU's kind was not told in time",
        nearly=machine(gpu=gpu(device(power_limit_w=HUNG))),
        unseen=machine(gpu=gpu(device(compute_capability=UNSEEN))),
        path="gpu.devices[0].compute_capability",
    ),
    Case(
        "CUD001", "numerics", "the system's cuDNN 9.1.0 -> 9.1.1",
        of=(with_cuda(library("cudnn", "9.1.0")), with_cuda(library("cudnn", "9.1.1"))),
        but="of a library that the wanted system has not",
        nearly=(with_cuda(library("cudnn", "9.1.0")),
                with_cuda(library("cudnn", "9.1.0"), library("nccl", "2.21.5"))),
        unseen=(with_cuda(library("cudnn", "9.1.0")), with_cuda(library("cudnn", UNSEEN))),
        path="cuda.libraries.cudnn.version",
    ),
    Case(
        "CUD010", "note", "2 versions of cuDNN: 8.9.7 (system), 9.1.0.70 (pip)",
        of=with_cuda(library("cudnn", "9.1.0.70", "pip"), library("cudnn", "8.9.7")),
        but="of two copies of one release",
        nearly=with_cuda(library("cudnn", "9.1.0.70", "pip"), library("cudnn", "9.1.0")),
        unseen=machine(cuda=Cuda(libraries=UNSEEN, nvcc=None)), path="cuda.libraries",
    ),
    Case(
        "CUD011", "note", "nvcc 11.8.89 beside torch for CUDA 12.4",
        of=machine(cuda=Cuda(libraries=(), nvcc="11.8.89")),
        but="of another minor of the same major, 12.8",
        nearly=machine(cuda=Cuda(libraries=(), nvcc="12.8.93")),
        unseen=machine(cuda=Cuda(libraries=(), nvcc=UNSEEN)), path="cuda.nvcc",
    ),
)  # fmt: skip
