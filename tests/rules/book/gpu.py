"""GPU: the accelerators, the code for them, and how they are set."""

from __future__ import annotations

from envsnap.manifest import Manifest
from envsnap.rules import Level
from envsnap.sections import CodeFile, Device, Fact, GpuCode, GpuLink, replace
from tests import made
from tests.rules.book.case import Case
from tests.rules.book.packages import BASE, having
from tests.rules.machines import AMD, T4, UNSEEN, device, gpu, machine

A100 = device()
A100_80 = device("NVIDIA A100-SXM4-80GB", memory_mib=81920)
RTX_5090 = device("NVIDIA GeForce RTX 5090", architecture="blackwell", compute_capability="12.0")
H100 = device("NVIDIA H100 PCIe", architecture="hopper", compute_capability="9.0")
V100 = device("Tesla V100-SXM2-16GB", architecture="volta", compute_capability="7.0")


def on(*devices: Device, **changes: object) -> Manifest:
    return machine(gpu=gpu(*devices, **changes))


def two(way: Fact[str]) -> Manifest:
    return on(A100, A100, topology=(GpuLink(first=0, second=1, way=way),))


def code(*sass: str) -> Manifest:
    file = CodeFile(
        distribution="torch", location="{env}/torch/lib/libtorch_cuda.so", sass=sass, ptx=(), amd=()
    )
    return machine(gpu_code=GpuCode(files=(file,)))


def with_torch(version: str, **sections: object) -> Manifest:
    changed = having(made.package("torch", version, tags=("cp311-cp311-linux_x86_64",)))
    return machine(packages=changed.sections["packages"], **sections)


def amd(card: Device) -> Manifest:
    return with_torch("2.8.0+rocm6.4", gpu=gpu(card, kind="amd", driver=None))


MI250X = replace(
    AMD, name="AMD Instinct MI250X", architecture="gfx90a", multiprocessors=110, memory_mib=65520
)
NO_CAPABILITY = on(device(compute_capability=UNSEEN))
NO_COUNT = on(device(multiprocessors=UNSEEN))
CUPY = having(made.package("cupy-cuda13x", "14.0.0"))
CPU_ALONE = having(*made.PACKAGES)
SM_OF_TORCH = "sm_50, sm_60, sm_70, sm_75, sm_80, sm_86, sm_90"
CASES = (
    Case(
        "GPU001", "blocks", "A100-SXM4-40GB -> no such GPU", of=(BASE, on()),
        but="where no package computes on a GPU", nearly=(CPU_ALONE, on()),
        unseen=(BASE, machine(gpu=UNSEEN)), path="found gpu",
    ),
    Case(
        "GPU002", "blocks",
        f"torch 2.5.1 has no code for GeForce RTX 5090 (sm_120), only for {SM_OF_TORCH}",
        of=(BASE, on(RTX_5090)),
        but="of sm_90, the last that it has code for", nearly=(BASE, on(H100)),
        unseen=(BASE, NO_CAPABILITY), path="found gpu.devices[0].compute_capability",
    ),
    Case(
        "GPU003", "numerics", "A100-SXM4-40GB (sm_80) -> H100 PCIe (sm_90)", of=(BASE, on(H100)),
        but="of an A100 with more memory", nearly=(BASE, on(A100_80)),
        unseen=(BASE, NO_CAPABILITY), path="found gpu.devices[0].compute_capability",
    ),
    Case(
        "GPU004", "numerics", "108 -> 107 multiprocessors",
        of=(BASE, on(device(multiprocessors=107))),
        but="of 108 multiprocessors", nearly=(BASE, on(A100_80)),
        unseen=(BASE, NO_COUNT), path="found gpu.devices[0].multiprocessors",
    ),
    Case(
        "GPU005", "degrades", "40 GiB -> 38 GiB", of=(BASE, on(device(memory_mib=39000))),
        but="of what ECC takes of the same card, 3 per cent",
        nearly=(BASE, on(device(memory_mib=39732))),
        unseen=(BASE, on(device(memory_mib=UNSEEN))), path="found gpu.devices[0].memory_mib",
    ),
    Case(
        "GPU006", "degrades", "2 -> 1 GPUs", of=(on(A100, A100), BASE),
        but="of as many GPUs of another model", nearly=(on(A100, A100), on(H100, H100)),
        unseen=(on(A100, A100), on(A100, visible=UNSEEN)), path="found gpu.visible",
    ),
    Case(
        "GPU007", "degrades", "bfloat16: not in sm_75's hardware", of=(BASE, on(T4)),
        but="of sm_86, which has it", nearly=(BASE, on(device("NVIDIA A10",
                                                             compute_capability="8.6"))),
        unseen=(BASE, NO_CAPABILITY), path="found gpu.devices[0].compute_capability",
    ),
    Case(
        "GPU008", "note", "A100-SXM4-40GB -> Tesla T4", of=(CPU_ALONE, on(T4)),
        but="where packages compute on it: then it is more than a note", nearly=(BASE, on(T4)),
        unseen=(CPU_ALONE, on(device(UNSEEN))), path="found gpu.devices[0].name",
    ),
    Case(
        "GPU009", "blocks", "torch has no code for H100 PCIe (sm_90), only for sm_80",
        of=(code("sm_80"), on(H100)),
        but="of sm_89, which runs code for sm_80",
        nearly=(code("sm_80"), on(device("NVIDIA L40S", compute_capability="8.9"))),
        unseen=(code("sm_80"), NO_CAPABILITY), path="found gpu.devices[0].compute_capability",
    ),
    Case(
        "GPU010", "note", "CUDA_VISIBLE_DEVICES=0 shows 1 of 2 GPUs",
        of=on(A100, A100, visible=(0,), hidden="CUDA_VISIBLE_DEVICES=0 shows 1 of 2 GPUs"),
        but="where all are visible", nearly=on(A100, A100),
        unseen=on(A100, hidden=UNSEEN), path="gpu.hidden",
    ),
    Case(
        "GPU011", "note", "different models: A100-SXM4-40GB, Tesla T4", of=on(A100, T4),
        but="where programs see one of the two", nearly=on(A100, T4, visible=(0,)),
        unseen=on(A100, device(UNSEEN)), path="gpu.devices[1].name",
    ),
    Case(
        "GPU012", "perf", "torch 2.5.1+cpu is built without CUDA, beside A100-SXM4-40GB",
        of=with_torch("2.5.1+cpu"),
        but="on a machine without a GPU", nearly=with_torch("2.5.1+cpu", gpu=gpu()),
        unseen=with_torch("2.5.1+cpu", gpu=UNSEEN), path="gpu",
    ),
    Case(
        "GPU013", "numerics", "float32 convolutions of PyTorch: with it -> without it",
        of=(BASE, on(T4)),
        but="where both GPUs have it", nearly=(BASE, on(H100)),
        unseen=(machine(environ=UNSEEN), on(T4)), path="wanted environ",
    ),
    Case(
        "GPU014", "perf", "power limit of A100-SXM4-40GB: 400 W -> 399 W",
        of=(BASE, on(device(power_limit_w=399))),
        but="of a card of another model", nearly=(BASE, on(device("A100-SXM4-80GB",
                                                                  power_limit_w=399))),
        unseen=(BASE, on(device(power_limit_w=UNSEEN))),
        path="found gpu.devices[0].power_limit_w",
    ),
    Case(
        "GPU015", "numerics", "1 x 12 NVLinks -> 1 x sys", of=(two("nvlink:12"), two("sys")),
        but="of a single GPU, which has nothing to be joined with", nearly=(BASE, BASE),
        unseen=(two("nvlink:12"), two(UNSEEN)), path="found gpu.topology[0].way",
    ),
    Case(
        "GPU016", "blocks", "cupy-cuda13x is built for CUDA 13, which makes no code for "
        "Tesla V100-SXM2-16GB (sm_70)",
        of=(CUPY, on(V100)),
        but="of sm_75, the oldest of CUDA 13", nearly=(CUPY, on(T4)),
        unseen=(CUPY, NO_CAPABILITY), path="found gpu.devices[0].compute_capability",
    ),
    Case(
        "GPU017", "note", "A100-SXM4-40GB -> A100-SXM4-80GB", of=(BASE, on(A100_80)),
        but="where the size differs too, which is GPU004's matter",
        nearly=(BASE, on(device("NVIDIA A100-SXM4-80GB", multiprocessors=107))),
        unseen=(BASE, on(device(UNSEEN))), path="found gpu.devices[0].name",
        leaves=Level.SAME_ARCHITECTURE,
    ),
    Case(
        "GPU018", "numerics",
        "PyTorch's streams: 108 multiprocessors of sm_80 -> 107 multiprocessors of sm_80",
        of=(BASE, on(device(multiprocessors=107))),
        but="of as many multiprocessors of the same kind", nearly=(BASE, on(A100_80)),
        unseen=(BASE, NO_COUNT), path="found gpu.devices[0].multiprocessors",
    ),
    Case(
        "GPU019", "numerics", "none -> A100-SXM4-40GB", of=(on(), BASE),
        but="where no package computes on a GPU",
        nearly=(machine(gpu=gpu(), packages=CPU_ALONE.sections["packages"]), BASE),
        unseen=(on(), machine(gpu=UNSEEN)), path="found gpu",
    ),
    Case(
        "GPU020", "numerics", "AMD Instinct MI250X (gfx90a) -> AMD Instinct MI300X (gfx942)",
        of=(amd(MI250X), amd(AMD)),
        but="of the same target, named with its settings",
        nearly=(amd(MI250X), amd(replace(MI250X, architecture="gfx90a:sramecc+:xnack-"))),
        unseen=(amd(MI250X), amd(replace(AMD, architecture=UNSEEN))),
        path="found gpu.devices[0].architecture",
    ),
)  # fmt: skip
