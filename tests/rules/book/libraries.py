"""LIB and ENV: what would load, and the variables that decide it and the digits."""

from __future__ import annotations

from envsnap.manifest import Manifest
from envsnap.rules import Level
from envsnap.sections import Environ, LibraryCopy
from tests import made
from tests.rules.book.case import CONDITION, Case
from tests.rules.book.gpu import on
from tests.rules.book.packages import BASE, having
from tests.rules.machines import UNSEEN, copy, libraries, machine, packages


def getting(*copies: LibraryCopy, **more: object) -> Manifest:
    return machine(libraries=libraries(*copies, **more))  # type: ignore[arg-type]


def setting(**variables: str) -> Manifest:
    return machine(environ=Environ(variables=variables))


def jax(**variables: str) -> Manifest:
    installed = packages(made.package("jax", "0.8.0"), made.package("jax-cuda12-plugin", "0.8.0"))
    return machine(packages=installed, environ=Environ(variables=variables))


OWN = copy()
SYSTEM = copy(source="system", owner="libcudnn9", content="d" * 64, location="/lib/libcudnn.so.9")
PART = copy(name="libcudnn_ops.so.9", location="{env}/nvidia/cudnn/libcudnn_ops.so.9")
OTHER_PART = copy(name="libcudnn_ops.so.9", version="9.2.0", location="/opt/libcudnn_ops.so.9")
GOMP = copy("openmp", "libgomp.so.1", owner="torch", version=None)
IOMP = copy("openmp", "libiomp5.so", owner="mkl", version=None)
NO_VARIABLES = machine(environ=UNSEEN)
CASES = (
    Case(
        "LIB001", "numerics",
        "cuDNN of torch: nvidia-cudnn-cu12 9.1.0 -> the system's libcudnn9 9.1.0",
        of=(getting(OWN), getting(SYSTEM)),
        but="of the package's own copy in another version, which is PKG002's matter",
        nearly=(getting(OWN), getting(copy(version="9.5.1", content="e" * 64))),
        unseen=(getting(OWN), machine(libraries=UNSEEN)), path="found libraries",
    ),
    Case(
        "LIB002", "blocks", "libgomp.so.1, which torch needs, is not here",
        of=(getting(OWN), getting(OWN, missing=("libgomp.so.1",))),
        but="of the driver's own library, which is the driver rules' matter",
        nearly=(getting(OWN), getting(OWN, missing=("libcuda.so.1",))),
        unseen=(getting(OWN), getting(OWN, missing=UNSEEN)),
        path="found libraries.consumers.torch.missing",
    ),
    Case(
        "LIB003", "note", "OpenMP twice for torch: libgomp of torch and libiomp5 of mkl",
        of=getting(GOMP, IOMP),
        but="of one copy", nearly=getting(GOMP),
        unseen=machine(libraries=UNSEEN), path="libraries",
    ),
    Case(
        "LIB004", "degrades", "torch gets parts of cuDNN 9.1.0 and 9.2.0",
        of=getting(OWN, OTHER_PART),
        but="of parts of one release", nearly=getting(OWN, PART),
        unseen=getting(OWN, copy(name="libcudnn_ops.so.9", version=UNSEEN,
                                 location="/opt/libcudnn_ops.so.9")),
        path="libraries.copies[1].version",
    ),
    Case(
        "LIB005", "blocks", "torch 2.5.1 is built with cuDNN 9.1.0; what loads is 8.9.7",
        of=(BASE, getting(copy(version="8.9.7"))),
        but="of a newer minor of the same major, 9.2.0",
        nearly=(BASE, getting(copy(version="9.2.0"))),
        unseen=(BASE, getting(copy(version=UNSEEN))), path="found libraries.copies[0].version",
    ),
    Case(
        "ENV001", "numerics", "OMP_NUM_THREADS: 8 -> 4",
        of=(setting(OMP_NUM_THREADS="8"), setting(OMP_NUM_THREADS="4")),
        but="where both set it to 8",
        nearly=(setting(OMP_NUM_THREADS="8"), setting(OMP_NUM_THREADS="8")),
        unseen=(setting(OMP_NUM_THREADS="8"), NO_VARIABLES), path="found environ",
    ),
    Case(
        "ENV002", CONDITION, "CUBLAS_WORKSPACE_CONFIG was not set at capture",
        of=(setting(), BASE),
        but="where it was :4096:8", nearly=(setting(CUBLAS_WORKSPACE_CONFIG=":4096:8"), BASE),
        unseen=(NO_VARIABLES, BASE), path="wanted environ", leaves=Level.STATISTICAL,
    ),
    Case(
        "ENV003", CONDITION, "the seeds of NumPy and PyTorch were not recorded", of=(BASE, BASE),
        but="where nothing that draws random numbers is installed",
        nearly=(having(*made.PACKAGES[:2]), BASE),
        unseen=(machine(packages=UNSEEN), BASE), path="wanted packages",
    ),
    Case(
        "ENV004", CONDITION, "the deterministic switches of PyTorch were not recorded",
        of=(BASE, BASE),
        but="of PyTorch on a machine without a GPU", nearly=(on(), BASE),
        unseen=(machine(packages=UNSEEN), BASE), path="wanted packages",
    ),
    Case(
        "ENV005", CONDITION, "PYTHONHASHSEED was not set at capture", of=(setting(), BASE),
        but="where it was 0", nearly=(setting(PYTHONHASHSEED="0"), BASE),
        unseen=(NO_VARIABLES, BASE), path="wanted environ",
    ),
    Case(
        "ENV006", CONDITION, "XLA_FLAGS did not ask for deterministic operations at capture",
        of=(jax(), BASE),
        but="where they did",
        nearly=(jax(XLA_FLAGS="--xla_gpu_deterministic_ops=true"), BASE),
        unseen=(machine(packages=UNSEEN), BASE), path="wanted packages", leaves=Level.STATISTICAL,
    ),
    Case(
        "ENV010", "note", "LD_PRELOAD loads libjemalloc.so.2 into every program",
        of=setting(LD_PRELOAD="/usr/lib/libjemalloc.so.2"),
        but="of LD_LIBRARY_PATH, of which the rules on libraries tell",
        nearly=setting(LD_LIBRARY_PATH="/opt/lib"),
        unseen=NO_VARIABLES, path="environ",
    ),
)  # fmt: skip
