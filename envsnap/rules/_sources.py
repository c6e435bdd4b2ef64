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
ROCBLAS = Source(
    "rocBLAS documentation, design notes: bitwise reproducibility",
    "https://rocm.docs.amd.com/projects/rocBLAS/en/latest/conceptual/rocblas-design-notes.html",
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
    "PyTorch documentation: TensorFloat-32 (TF32) on Ampere (and later) devices",
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
TORCH_STREAMS = Source(
    "PyTorch issue 194676: random numbers follow the launch geometry",
    "https://github.com/pytorch/pytorch/issues/194676",
    _READ,
)
JAX_DETERMINISM = Source(
    "JAX discussion 10674: what is necessary for deterministic results on a GPU",
    "https://github.com/jax-ml/jax/discussions/10674",
    _READ,
)
HASH_SEED = Source(
    "Python documentation: command line and environment, PYTHONHASHSEED",
    "https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED",
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
LOCKED_MEMORY = Source(
    "Open MPI FAQ: errors about registering memory with OpenFabrics",
    "https://www.open-mpi.org/faq/?category=openfabrics#ib-locked-pages",
    _READ,
)
TORCH_EXTENSIONS = Source(
    "PyTorch: torch/utils/cpp_extension.py, _check_cuda_version (of torch 2.13)",
    "https://github.com/pytorch/pytorch/blob/main/torch/utils/cpp_extension.py",
    _READ,
)
CPU_BASELINE = Source(
    "NumPy documentation: CPU build options",
    "https://numpy.org/doc/stable/reference/simd/build-options.html",
    _READ,
)
CONDA_LEVELS = Source(
    "conda-forge: microarch-level, what packages for a level of x86-64 depend on",
    "https://github.com/conda-forge/microarch-level-feedstock",
    _READ,
)
GLIBCXX = Source(
    "GCC documentation: libstdc++ ABI policy and guidelines, versioning",
    "https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html",
    _READ,
)
WSL = Source(
    "NVIDIA: CUDA on WSL user guide, support constraints",
    "https://docs.nvidia.com/cuda/wsl-user-guide/",
    _READ,
)
TEGRA = Source(
    "NVIDIA developer blog: simplifying CUDA upgrades for Jetson users",
    "https://developer.nvidia.com/blog/simplifying-cuda-upgrades-for-nvidia-jetson-users/",
    _READ,
)
SHARED_MEMORY = Source(
    "PyTorch: README, using pre-built images",
    "https://github.com/pytorch/pytorch#using-pre-built-images",
    _READ,
)
DEBUG_BUILD = Source(
    "Python documentation: C API, debugging builds",
    "https://docs.python.org/3/c-api/intro.html#debugging-builds",
    _READ,
)
PYTHON_PATH = Source(
    "Python documentation: initialisation of the module search path",
    "https://docs.python.org/3/library/sys_path_init.html",
    _READ,
)
IMPORT_SYSTEM = Source(
    "Python language reference: the import system",
    "https://docs.python.org/3/reference/import.html",
    _READ,
)
RECORDING = Source(
    "PyPA: recording installed projects",
    "https://packaging.python.org/en/latest/specifications/recording-installed-packages/",
    _READ,
)
VERSIONING = Source("Semantic Versioning 2.0.0", "https://semver.org/spec/v2.0.0.html", _READ)
CONDA_NAMES = Source(
    "conda-build documentation: package naming conventions",
    "https://docs.conda.io/projects/conda-build/en/stable/concepts/package-naming-conv.html",
    _READ,
)
NO_DEVICE = Source(
    "CUDA runtime API: cudaErrorNoDevice",
    "https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html",
    _READ,
)
OUT_OF_MEMORY = Source(
    "PyTorch documentation: frequently asked questions, out of memory",
    "https://docs.pytorch.org/docs/stable/notes/faq.html",
    _READ,
)
NUMBER_FORMATS = Source(
    "Transformer Engine: which number formats each compute capability has",
    "https://nvidia.github.io/TransformerEngine/support_matrix.html",
    _READ,
)
GPU_SETTINGS = Source(
    "NVML: the device's settings, clocks and power limit among them",
    "https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceCommands.html",
    _READ,
)
IMAGE_PLATFORMS = Source(
    "Docker documentation: multi-platform builds",
    "https://docs.docker.com/build/building/multi-platform/",
    _READ,
)
KERNEL_ABI = Source(
    "Linux kernel documentation: ABI description",
    "https://docs.kernel.org/admin-guide/abi.html",
    _READ,
)
MODULES = Source(
    "Environment Modules: module",
    "https://modules.readthedocs.io/en/stable/module.html",
    _READ,
)
SLURM_GPUS = Source(
    "Slurm: generic resource (GRES) scheduling", "https://slurm.schedmd.com/gres.html", _READ
)
TORCH_BUILDS = Source(
    "General knowledge, no document opened: PyTorch has builds for each CUDA and for the processor",
    None,
    _READ,
)
XID = Source(
    "NVIDIA: Xid errors, what the driver reports of a GPU that fails",
    "https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html",
    _READ,
)
