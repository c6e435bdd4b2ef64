"""What `capture --deep` read, in the lines of a summary."""

from __future__ import annotations

from envsnap.reports._words import driver_words, lines, not_seen
from envsnap.sections import (
    Adapter,
    CodeFile,
    ForwardCompatibility,
    GpuCode,
    SystemLibraries,
    replace,
)
from tests.rules.machines import (
    FABRIC,
    UNSEEN,
    asked_of_glibc,
    copy,
    device,
    driver,
    gpu,
    libraries,
    machine,
    math,
    openblas,
)

NCCL = copy("nccl", "libnccl.so.2", owner="nvidia-nccl-cu12", version="2.21.5")
PART = copy(name="libcudnn_ops.so.9", location="{env}/libcudnn_ops.so.9")


def said(**sections: object) -> dict[str, str]:
    told = dict(lines(machine(**sections)))
    return {label: told[label] for label in ("Libraries", "GPU code", "Math", "Needs", "Fabric")
            if label in told}  # fmt: skip


def test_a_plain_capture_has_no_line_on_what_it_was_not_asked_for() -> None:
    assert said() == {}
    assert not_seen(machine()) == []
    assert not_seen(machine(libraries=UNSEEN)) == ["libraries: no-permission: for a test"]


def test_each_family_is_told_once_by_the_library_that_stands_for_it() -> None:
    decoy = copy(source="other", owner=None, version=None, location="/opt/libcudnn.so.9")
    assert said(libraries=libraries(copy(), PART, NCCL)) == {
        "Libraries": "cuDNN 9.1.0 from nvidia-cudnn-cu12; NCCL 2.21.5 from nvidia-nccl-cu12"
    }
    assert said(libraries=libraries(copy(), decoy)) == {
        "Libraries": "cuDNN 9.1.0 from nvidia-cudnn-cu12 and from other"
    }
    openmp = copy("openmp", "libgomp.so.1")
    assert said(libraries=libraries(openmp)) == {"Libraries": "none of CUDA; OpenMP"}
    assert said(libraries=libraries()) == {"Libraries": "none"}


def code(distribution: str, name: str, *sass: str) -> CodeFile:
    return CodeFile(
        distribution=distribution, location=f"{{env}}/{name}", sass=sass, ptx=("compute_90",),
        amd=(),
    )  # fmt: skip


def test_the_framework_stands_before_the_libraries_that_it_uses() -> None:
    files = (
        code("nvidia-cublas-cu12", "libcublas.so.12", "sm_50"),
        code("torch", "libtorch_cuda.so", "sm_90a", "sm_80", "sm_100"),
        code("torch", "libtorch_cuda_linalg.so", "sm_75"),
    )
    assert said(gpu_code=GpuCode(files=files)) == {
        "GPU code": "torch: sm_80 sm_90a sm_100 compute_90; 1 other package"
    }
    assert said(gpu_code=GpuCode(files=())) == {"GPU code": "none in any library"}


def test_blas_and_what_numpy_takes_are_one_line() -> None:
    small = openblas(owner="scipy", threads=1, kernel=None)
    assert said(math=math(openblas(), small, openblas(kind="libgomp"))) == {
        "Math": "openblas 0.3.29 of numpy (kernels for Zen, 16 threads); "
        "openblas 0.3.29 of scipy (1 thread); NumPy with AVX2"
    }


def test_system_libraries_are_counted_and_those_that_are_not_here_named() -> None:
    needed = asked_of_glibc().needed
    assert isinstance(needed, tuple)
    gone = replace(needed[0], name="libsndfile.so.1", location=None)
    assert said(system_libraries=SystemLibraries(needed=needed, exempt=())) == {
        "Needs": "1 system library"
    }
    assert said(system_libraries=SystemLibraries(needed=(*needed, gone), exempt=())) == {
        "Needs": "2 system libraries; not here: libsndfile.so.1"
    }


def test_a_fabric_is_told_where_there_is_one() -> None:
    card = Adapter(
        name="mlx5_0", model="MT_0000000838", firmware="28.39", link="InfiniBand",
        rate="400 Gb/sec (4X NDR)", state="ACTIVE",
    )  # fmt: skip
    joined = replace(FABRIC, adapters=(card, card), ucx="1.16.0", mpi="Open MPI 4.1.4")
    assert said(fabric=joined) == {
        "Fabric": "2 x InfiniBand 400 Gb/sec (4X NDR); UCX 1.16.0; Open MPI 4.1.4"
    }


def test_a_driver_that_cuda_compat_helps_says_so() -> None:
    compat = ForwardCompatibility(
        version="590.44.01", cuda="13.1", drivers=(535,), found_first=True, used=True,
        location="/usr/lib/libcuda.so",
    )  # fmt: skip
    helped = gpu(device(), driver=driver("535.161.07", cuda="12.2", compat=compat))
    assert driver_words(machine(gpu=helped)) == (
        "535.161.07 (proprietary kernel module), good for CUDA up to 12.2; "
        "with cuda-compat 590.44.01 up to 13.1"
    )
