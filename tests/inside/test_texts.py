from __future__ import annotations

import shutil
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from envsnap.inside.elf import Elf
from envsnap.inside.texts import told
from tests.elves import elf

if TYPE_CHECKING:
    from pathlib import Path

COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler for the stand-ins"),
    pytest.mark.skipif(sys.platform != "linux", reason="the libraries are Linux's"),
]
MPICH = '"Thu Apr  7 12:34:45 CDT 2022\\0" "4.0.2\\0"'
NUMPY = (
    "NumPy was built with baseline optimizations: \\n(SSE SSE2) but your machine doesn't"
    " support:\\n(%s).\\0"
    "%sYou cannot %s CPU features (%s), since they are not part of the dispatched"
    " optimizations\\n(AVX2 AVX512_SKX).\\0"
)
NO_DISPATCH = "the NumPy library was compiled without any dispatched optimizations."


def texts(folder: Path, name: str, words: str) -> list[str]:
    code = folder / "library.c"
    code.write_text(f"const char words[] = {words};\n")
    library = folder / "library.so"
    options = ["-shared", "-fPIC", "-nostdlib", "-fno-ident"]  # the compiler names itself, too
    command = [str(COMPILER), *options, "-o", str(library), str(code)]
    subprocess.run(command, check=True)
    data = library.read_bytes()
    return told(data, Elf(data), [name])


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("libopenblasp-r0.3.21.so", '"OpenBLAS 0.3.21 NO_LAPACKE "', ["OpenBLAS 0.3.21"]),
        ("libblas.so.3", '"OpenBLAS 0.3.21 NO_LAPACKE "', ["OpenBLAS 0.3.21"]),
        ("libz.so.1", '"OpenBLAS 0.3.21 NO_LAPACKE "', []),
        ("libblis.so.4", '"x\\0" "0.9.0\\0" "y"', ["BLIS 0.9.0"]),
        ("libatlas.so.3", '"x\\0" "3.10.3\\0" "y"', ["ATLAS 3.10.3"]),
        ("libmpich.so.12", MPICH, ["MPICH 4.0.2"]),
        ("libmpi.so.40", '"x\\0" "v4.1.4\\0" "y"', ["Open MPI 4.1.4"]),
        ("libgomp.so.1", '"running gcc 8.5.0 20210514"', ["GCC 8.5.0"]),
        ("libomp.so.5", '"LLVM OMP build compiler: Clang 14.0"', ["Clang 14.0"]),
        ("libiomp5.so", '"Intel(R) OMP version: 5.0.20240320"', ["Intel OpenMP 5.0.20240320"]),
    ],
)
def test_a_library_of_a_known_name_is_believed_its_version(
    name: str, words: str, expected: list[str], tmp_path: Path
) -> None:
    assert texts(tmp_path, name, words) == expected


def test_two_versions_in_one_file_say_nothing(tmp_path: Path) -> None:
    assert texts(tmp_path, "libblis.so.4", '"x\\0" "0.9.0\\0" "1.0.0\\0" "y"') == []


def test_many_versions_in_one_file_cost_no_memory() -> None:
    words = b"".join(b"OpenBLAS 0.%d " % number for number in range(300_000))
    data = elf(sections={".rodata": (1, words)})
    tracemalloc.start()
    assert told(data, Elf(data), ["libopenblas.so.0"]) == []
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * len(data)


def test_numpy_names_its_instruction_sets_in_its_errors(tmp_path: Path) -> None:
    core = "_multiarray_umath.cpython-311-x86_64-linux-gnu.so"
    both = ["NumPy baseline SSE SSE2", "NumPy dispatch AVX2 AVX512_SKX"]
    assert texts(tmp_path, core, f'"{NUMPY}"') == both
    assert texts(tmp_path, core, f'"{NO_DISPATCH}"') == ["NumPy dispatch"]


def test_a_text_is_found_where_two_pieces_of_a_large_file_meet(tmp_path: Path) -> None:
    eight = 8 << 20
    for before in (eight - 20, eight - 5, eight):
        data = tmp_path / "zeros"
        data.write_bytes(b"\1" * before + b"OpenBLAS 0.3.29 " + b"\1" * 4096)
        code = tmp_path / "large.s"
        code.write_text(f'.section .rodata\n.incbin "{data}"\n')
        library = tmp_path / "large.so"
        subprocess.run([str(COMPILER), "-shared", "-nostdlib", "-o", library, code], check=True)
        raw = library.read_bytes()
        assert told(raw, Elf(raw), ["libopenblas.so.0"]) == ["OpenBLAS 0.3.29"]
