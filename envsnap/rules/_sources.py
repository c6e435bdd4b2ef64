"""The documents that rules rest on."""

from __future__ import annotations

from envsnap.facts import Source

_READ = "2026-11-21"

ENVSNAP = Source("envsnap's own definition of what it compares", None, _READ)
CUBLAS = Source(
    "cuBLAS documentation, results reproducibility",
    "https://docs.nvidia.com/cuda/cublas/#results-reproducibility",
    _READ,
)
CUDA_COMPATIBILITY = Source(
    "CUDA Compatibility: minor version compatibility",
    "https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html",
    _READ,
)
FORWARD = Source(
    "CUDA Compatibility: forward compatibility",
    "https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html",
    _READ,
)
KERNEL_MODULES = Source(
    "NVIDIA driver installation guide: kernel modules",
    "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/kernel-modules.html",
    _READ,
)
TF32 = Source(
    "PyTorch documentation: TensorFloat-32 on Ampere and later devices",
    "https://docs.pytorch.org/docs/stable/notes/cuda.html",
    _READ,
)
CUDNN_ABI = Source(
    "cuDNN documentation: forward compatibility and versions",
    "https://docs.nvidia.com/deeplearning/cudnn/backend/latest/developer/forward-compatibility.html",
    _READ,
)
LD_SO = Source(
    "Linux manual: ld.so, the dynamic linker", "https://man7.org/linux/man-pages/man8/ld.so.8.html",
    _READ,
)  # fmt: skip
OPENBLAS = Source(
    "OpenBLAS issue 4324: which kernels a processor gets",
    "https://github.com/OpenMathLib/OpenBLAS/issues/4324",
    _READ,
)
CUDA_FAQ = Source(
    "CUDA Compatibility: frequently asked questions",
    "https://docs.nvidia.com/deploy/cuda-compatibility/frequently-asked-questions.html",
    _READ,
)
CUDA_GUIDE = Source(
    "CUDA programming guide: binary and PTX compatibility",
    "https://docs.nvidia.com/cuda/cuda-programming-guide/",
    _READ,
)
CUDA_VARIABLES = Source(
    "CUDA programming guide: environment variables",
    "https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html",
    _READ,
)
CUDNN = Source(
    "cuDNN documentation: reproducibility",
    "https://docs.nvidia.com/deeplearning/cudnn/backend/latest/developer/misc.html",
    _READ,
)
DRIVER_MATRIX = Source(
    "CUDA toolkit, driver and architecture matrix",
    "https://docs.nvidia.com/datacenter/tesla/drivers/cuda-toolkit-driver-and-architecture-matrix.html",
    _READ,
)
DRIVER_MISMATCH = Source(
    "nvidia-container-toolkit issue 394: driver/library version mismatch",
    "https://github.com/NVIDIA/nvidia-container-toolkit/issues/394",
    _READ,
)
DEFAULTS_BLOCKED = Source(
    "Biomni issue 23: institutions that block conda's defaults channel",
    "https://github.com/snap-stanford/Biomni/issues/23",
    _READ,
)
NVIDIA_TOOLKIT = Source(
    "NVIDIA container toolkit documentation",
    "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/",
    _READ,
)
APPTAINER_GPU = Source(
    "Apptainer user guide: GPU support",
    "https://apptainer.org/docs/user/latest/gpu.html",
    _READ,
)
NCCL_ORDER = Source(
    "framework-reproducibility issue 28: same seed, other number of GPUs",
    "https://github.com/NVIDIA/framework-reproducibility/issues/28",
    _READ,
)
TORCH_RANDOMNESS = Source(
    "PyTorch reproducibility notes",
    "https://docs.pytorch.org/docs/stable/notes/randomness.html",
    _READ,
)
NUMPY_SIMD = Source(
    "NumPy issue 23523: results differ between instruction sets",
    "https://github.com/numpy/numpy/issues/23523",
    _READ,
)
MKL = Source(
    "Intel oneMKL developer guide: conditional numerical reproducibility",
    "https://www.intel.com/content/www/us/en/docs/onemkl/developer-guide-linux/current/"
    "obtaining-numerically-reproducible-results.html",
    _READ,
)
X86_LEVELS = Source(
    "x86-64 psABI: microarchitecture levels", "https://gitlab.com/x86-psABIs/x86-64-ABI", _READ
)
PLATFORM_TAGS = Source("PyPA: platform compatibility tags",
    "https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/",
    _READ,
)  # fmt: skip
GLIBC_MATH = Source(
    "glibc manual: errors in math functions",
    "https://www.gnu.org/software/libc/manual/html_node/Errors-in-Math-Functions.html",
    _READ,
)
PYTHON_ABI = Source(
    "Python documentation: C API and ABI stability",
    "https://docs.python.org/3/c-api/stable.html",
    _READ,
)
PYTHON_PATH = Source(
    "Python documentation: initialisation of the module search path",
    "https://docs.python.org/3/library/sys_path_init.html",
    _READ,
)
