"""What PyTorch, JAX and CuPy open themselves, by what their own files say."""

from __future__ import annotations

from collections.abc import Mapping

from envsnap.host import Binary
from envsnap.loader import Answer
from envsnap.sections import Fact
from tests.loader.machines import PYTHON, SITE, elf, host, loaded

TORCH = f"{SITE}/torch/_C.cpython-311-x86_64-linux-gnu.so"
DEPS = f"{SITE}/torch/lib/libtorch_global_deps.so"
WHEELS = f"{SITE}/nvidia"
LISTED = """
def _preload_cuda_deps(err=None):
    cuda_libs: list[tuple[str, str]] = [
        # NOTE: Order matters!
        ("cublas", "libcublas.so.*[0-9]"),
        ("cudnn", "libcudnn.so.*[0-9]"),
        ("nccl", "libnccl.so.*[0-9]"),
    ]


# See Note [Global dependencies]
def _load_global_deps() -> None:
    try:
        ctypes.CDLL(global_deps_lib_path, mode=ctypes.RTLD_GLOBAL)
"""
ALWAYS = """        try:
            with open("/proc/self/maps") as f:
                _maps = f.read()
            if "libcudart.so" not in _maps:
                return
            _preload_cuda_deps()
        except Exception:
            pass
"""
SOME = """        try:
            with open("/proc/self/maps") as f:
                _maps = f.read()
            if "nvidia/cuda_runtime/lib/libcudart.so" not in _maps:
                return
            _preload_cuda_lib("cudnn", "libcudnn.so.*[0-9]")
        except Exception:
            pass
"""
OLDER = """
def _preload_cuda_deps(lib_folder, lib_name):
    ctypes.CDLL(lib_path)


def _load_global_deps() -> None:
    try:
        ctypes.CDLL(lib_path, mode=ctypes.RTLD_GLOBAL)
    except OSError as err:
        cuda_libs: Dict[str, str] = {
            'cublas': 'libcublas.so.*[0-9]',
            'cudnn': 'libcudnn.so.*[0-9]',
        }
        is_cuda_err = [lib for lib in cuda_libs.values() if lib.split('.')[0] in err.args[0]]
        for lib_folder, lib_name in cuda_libs.items():
            _preload_cuda_deps(lib_folder, lib_name)
        ctypes.CDLL(lib_path, mode=ctypes.RTLD_GLOBAL)
"""
CUBLAS = f"{WHEELS}/cublas/lib/libcublas.so.12"
CUDNN = f"{WHEELS}/cudnn/lib/libcudnn.so.9"
NCCL = f"{WHEELS}/nccl/lib/libnccl.so.2"
CUDART = f"{WHEELS}/cuda_runtime/lib/libcudart.so.12"
LIBRARIES: Mapping[str, Fact[Binary | None]] = {
    CUBLAS: elf(soname="libcublas.so.12"),
    CUDNN: elf(soname="libcudnn.so.9"),
    NCCL: elf(soname="libnccl.so.2"),
    CUDART: elf(soname="libcudart.so.12"),
}


def opened(text: str, deps: Binary, *without: str, module: Binary | None = None) -> list[Answer]:
    """What Python itself opens when torch's own module is imported."""
    libraries = {path: each for path, each in LIBRARIES.items() if path not in without}
    machine = host(
        {TORCH: module or elf(), DEPS: deps, **libraries},
        files={
            f"{SITE}/torch/__init__.py": text,
            f"{SITE}/torch/version.py": "cuda: Optional[str] = '12.8'\n",
        },
    )
    return [each for each in loaded(machine, TORCH)[0].needs if each.name.startswith("/env")]


def preload(*paths: str) -> list[Answer]:
    return [Answer(path, path, "preload") for path in paths]


def test_torch_opens_its_dependencies_and_nothing_else_where_all_are_found() -> None:
    found = opened(LISTED, elf("libcublas.so.12", rpath=["$ORIGIN/../../nvidia/cublas/lib"]))
    assert found == [*preload(DEPS), Answer(TORCH, TORCH, "path")]


def test_torch_opens_the_wheels_in_its_own_order_where_one_is_not_found() -> None:
    found = opened(LISTED, elf("libcublas.so.12", "libcudnn.so.9"))
    assert found == [*preload(CUBLAS, CUDNN, NCCL, DEPS), Answer(TORCH, TORCH, "path")]


def test_torch_2_0_names_the_wheels_in_a_table() -> None:
    found = opened(OLDER, elf("libcublas.so.12", "libcudnn.so.9"))
    assert found == [*preload(CUBLAS, CUDNN, DEPS), Answer(TORCH, TORCH, "path")]


def test_torch_gives_up_at_the_first_wheel_that_is_not_there() -> None:
    found = opened(LISTED, elf("libcublas.so.12"), CUDNN)
    assert found == [*preload(CUBLAS, DEPS), Answer(TORCH, TORCH, "path")]


def test_newer_versions_open_the_wheels_whenever_the_runtime_was_loaded() -> None:
    deps = elf("libcudart.so.12", rpath=["$ORIGIN/../../nvidia/cuda_runtime/lib"])
    assert opened(LISTED + ALWAYS, deps) == [
        *preload(DEPS, CUBLAS, CUDNN, NCCL), Answer(TORCH, TORCH, "path")
    ]  # fmt: skip
    assert opened(LISTED + SOME, deps) == [*preload(DEPS, CUDNN), Answer(TORCH, TORCH, "path")]
    assert opened(LISTED + ALWAYS, elf()) == [*preload(DEPS), Answer(TORCH, TORCH, "path")]


def test_the_wheels_of_cuda_13_lie_in_one_folder() -> None:
    cublas = f"{WHEELS}/cu13/lib/libcublas.so.13"
    machine = host(
        {TORCH: elf(), DEPS: elf("libcublas.so.13"), cublas: elf(soname="libcublas.so.13")},
        files={
            f"{SITE}/torch/__init__.py": LISTED,
            f"{SITE}/torch/version.py": "cuda: str | None = '13.0'\n",
        },
    )
    assert Answer(cublas, cublas, "preload") in loaded(machine, TORCH)[0].needs


def test_code_built_against_torch_is_imported_after_it() -> None:
    module = f"{SITE}/torchvision/_C.so"
    machine = host(
        {
            module: elf("libc10.so"),
            TORCH: elf("libc10.so", rpath=["$ORIGIN/lib"]),
            f"{SITE}/torch/lib/libc10.so": elf(soname="libc10.so"),
        }
    )
    assert [each.needs for each in loaded(machine, module) if each.path == module] == [
        (Answer("libc10.so", f"{SITE}/torch/lib/libc10.so", "loaded"),)
    ]


def test_cudnn_opens_its_parts_from_its_own_folder() -> None:
    module = f"{SITE}/mine.so"
    machine = host(
        {
            module: elf("libcudnn.so.9"),
            "/cudnn/libcudnn.so.9": elf(soname="libcudnn.so.9", runpath=["$ORIGIN"]),
            "/cudnn/libcudnn_ops.so.9": elf(soname="libcudnn_ops.so.9"),
        },
        environ={"LD_LIBRARY_PATH": "/cudnn"},
    )
    assert [each.needs for each in loaded(machine, module) if "libcudnn.so" in each.path] == [
        (Answer("libcudnn_ops.so.9", "/cudnn/libcudnn_ops.so.9", "LD_LIBRARY_PATH"),)
    ]


JAX = """
def _load_nvidia_libraries():
  _load("cuda_runtime", ["libcudart.so.12"])
  _load("cu13", ["libcudart.so.13"])
  _load("cublas", ["libcublas.so.12", "libcublasLt.so.12"])
  _load("cu13", ["libcublas.so.13", "libcublasLt.so.13"])
  _load("cudnn", ["libcudnn.so.9"])
"""


def jax(cuda: str, *also: str) -> list[Answer]:
    plugin = f"{SITE}/jax_plugins/xla_cuda{cuda}/xla_cuda_plugin.so"
    libraries: dict[str, Fact[Binary | None]] = {plugin: elf(rpath=["$ORIGIN/../../tensorrt"])}
    for path in also:
        libraries[path] = elf(soname=path.rpartition("/")[2])
    machine = host(
        libraries,
        files={f"{SITE}/jax_plugins/xla_cuda{cuda}/__init__.py": JAX},
        environ={"LD_LIBRARY_PATH": "/cuda"},
    )
    found = {each.path: each.needs for each in loaded(machine, plugin)}
    own = [each for each in found[PYTHON] if each.found_by == "preload"]
    return [*own, *found[plugin]]


def test_jax_opens_the_wheels_for_its_own_cuda_and_asks_the_linker_for_the_rest() -> None:
    assert jax("12", CUDART, CUDNN, f"{WHEELS}/cu13/lib/libcublas.so.13", "/cuda/libcublas.so.12")[
        :2
    ] == preload(CUDART, CUDNN)
    assert jax("12", CUDART, "/cuda/libcublas.so.12", "/cuda/libcublas.so.13") == [
        *preload(CUDART),
        Answer("libcudart.so.12", CUDART, "loaded"),
        Answer("libcublas.so.12", "/cuda/libcublas.so.12", "LD_LIBRARY_PATH"),
    ]
    thirteen = f"{WHEELS}/cu13/lib/libcublas.so.13"
    assert jax("13", CUDART, CUDNN, thirteen, "/cuda/libcublas.so.12") == [
        *preload(thirteen, CUDNN),
        Answer("libcublas.so.13", thirteen, "loaded"),
        Answer("libcudnn.so.9", CUDNN, "loaded"),
    ]


def test_cupy_takes_the_wheels_before_what_the_linker_would_find() -> None:
    module = f"{SITE}/cupy_backends/cuda/libs/cudnn.so"
    libraries: dict[str, Fact[Binary | None]] = {
        module: elf("libcudnn.so.9"),
        CUDNN: elf("libcublas.so.12", soname="libcudnn.so.9"),
        CUBLAS: elf(soname="libcublas.so.12"),
        "/cuda/libcudnn.so.9": elf(soname="libcudnn.so.9"),
    }
    text = {f"{SITE}/cupy_backends/cuda/libs/__init__.py": "from cuda import pathfinder\n"}
    environ = {"LD_LIBRARY_PATH": "/cuda"}
    with_it = loaded(host(libraries, files=text, environ=environ), module)
    newer = {each.path: each.needs for each in with_it}
    older = {each.path: each.needs for each in loaded(host(libraries, environ=environ), module)}
    assert newer[PYTHON][-3:] == (*preload(CUBLAS, CUDNN), Answer(module, module, "path"))
    assert newer[module] == (Answer("libcudnn.so.9", CUDNN, "loaded"),)
    assert older[module] == (Answer("libcudnn.so.9", "/cuda/libcudnn.so.9", "LD_LIBRARY_PATH"),)


ENVIRONMENT = """
def _preload_library(lib):
    ...


def _get_nccl_from_wheel(version: str, cuda: str) -> list[str]:
    dist = _find_compatible_wheel('nvidia-nccl', version, cuda)
    shared_libs = [
        dist.locate_file(
            f'nvidia/nccl/lib/libnccl.so.{version.split(".")[0]}'
        ),
    ]
"""
BUILT_WITH = """{"cuda": "12.x", "packaging": "pip", "nccl": {"version": "2.25.1",
"min_pypi_version": "2.16.5", "filenames": ["libnccl.so.2.25.1"]}}"""
OF_CUPYS_TOOL = "/home/me/.cupy/cuda_lib/12.x/nccl/2.25.1/lib/libnccl.so.2.25.1"


def cupy_13(
    *libraries: str, wheel: str = "2.27.3", settings: str = BUILT_WITH, of: str = "nccl"
) -> list[Answer]:
    """What answers for NCCL when CuPy's own module for it is imported."""
    module = f"{SITE}/cupy_backends/cuda/libs/{of}.cpython-311-x86_64-linux-gnu.so"
    machine = host(
        {module: elf("libnccl.so.2"), **{path: elf(soname="libnccl.so.2") for path in libraries}},
        files={
            f"{SITE}/cupy/__init__.py": "_environment._preload_library('cutensor')  # NOQA",
            f"{SITE}/cupy/cuda/nccl.py": "    _environment._preload_library('nccl')",
            f"{SITE}/cupy/_environment.py": ENVIRONMENT,
            f"{SITE}/cupy/.data/_wheel.json": settings,
            f"{SITE}/nvidia_nccl_cu12-{wheel}.dist-info/METADATA": "",
        },
        environ={"HOME": "/home/me", "LD_LIBRARY_PATH": "/cuda"},
    )
    (found,) = (each.needs for each in loaded(machine, module) if each.path == module)
    return list(found)


def nccl_of(path: str | None, found_by: str = "loaded") -> list[Answer]:
    return [Answer("libnccl.so.2", path, found_by)]


def test_cupy_13_opens_a_wheel_that_is_new_enough_before_its_module() -> None:
    everywhere = (NCCL, OF_CUPYS_TOOL, "/cuda/libnccl.so.2")
    assert cupy_13(*everywhere) == nccl_of(NCCL)
    assert cupy_13(*everywhere, wheel="2.16.5") == nccl_of(NCCL)
    for wheel in ("2.16.4", "2.9.9", "3.0.0"):
        assert cupy_13(*everywhere, wheel=wheel) == nccl_of(OF_CUPYS_TOOL)


def test_cupy_13_leaves_to_the_linker_what_it_does_not_find() -> None:
    by_variable = nccl_of("/cuda/libnccl.so.2", "LD_LIBRARY_PATH")
    assert cupy_13("/cuda/libnccl.so.2") == by_variable
    assert cupy_13() == nccl_of(None, "")
    for settings in (BUILT_WITH.replace("pip", "conda"), "[" * 5000, '{"packaging": "pip"}', ""):
        assert cupy_13(NCCL, "/cuda/libnccl.so.2", settings=settings) == by_variable


def test_cupy_13_opens_nccl_for_its_own_module_alone() -> None:
    found = cupy_13(NCCL, "/cuda/libnccl.so.2", of="cublas")
    assert found == nccl_of("/cuda/libnccl.so.2", "LD_LIBRARY_PATH")
