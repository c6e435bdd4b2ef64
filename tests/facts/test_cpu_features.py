"""What NumPy's names of instruction sets ask of a processor, against NumPy itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from envsnap.facts import Looked, cpu_features

SKYLAKE = {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}
OF_EACH_TIME = ("1.26.4", "2.3.5", "2.4.6")
ASK_NUMPY = """
import json
try:
    from numpy._core import _multiarray_umath as core
except ImportError:
    from numpy.core import _multiarray_umath as core
named = [*core.__cpu_baseline__, *core.__cpu_dispatch__]
print(json.dumps({each: core.__cpu_features__[each] for each in named}))
"""


def flags(name: str) -> set[str]:
    answer = cpu_features.asked(name)
    assert isinstance(answer, Looked)
    return set(answer.value.flags or ())


def test_avx2_is_nothing_to_numpy_without_fma() -> None:
    assert flags("AVX2") == {"avx2", "fma"}


def test_the_groups_of_avx512_add_to_those_before_them() -> None:
    assert flags("AVX512_SKX") == SKYLAKE
    assert flags("AVX512_CLX") == SKYLAKE | {"avx512_vnni"}
    assert flags("AVX512_CNL") == SKYLAKE | {"avx512ifma", "avx512vbmi"}
    assert flags("AVX512_SPR") == flags("AVX512_ICL") | {"avx512_fp16"}
    assert flags("AVX512_KNL") == {"avx512cd", "avx512er", "avx512f", "avx512pf"}
    for earlier, later in pairwise(("AVX512F", "AVX512_SKX", "AVX512_CLX", "AVX512_ICL")):
        assert flags(earlier) < flags(later)


@pytest.mark.network
@pytest.mark.parametrize("version", OF_EACH_TIME)
def test_numpy_itself_says_what_this_processor_has(version: str, tmp_path: Path) -> None:
    """Each name of its baseline and of what it chooses from is in the table, and means that."""
    information = Path("/proc/cpuinfo")
    if not information.is_file():
        pytest.skip("there is no /proc/cpuinfo")
    if sys.version_info >= (3, 13) and version.startswith("1."):
        pytest.skip(f"NumPy {version} has no wheel for this Python")
    lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
    said = next(line for line in lines if line.startswith(("flags", "Features")))
    here = set(said.partition(":")[2].split())
    folder = str(tmp_path)
    uv = [str(Path(sys.executable).parent / "uv"), "pip", "install", "-q", "--only-binary", ":all:"]
    subprocess.run(
        [*uv, "--python", sys.executable, "--target", folder, f"numpy=={version}"], check=True
    )
    ran = subprocess.run(
        [sys.executable, "-c", ASK_NUMPY], capture_output=True, check=True,
        env={**os.environ, "PYTHONPATH": folder},
    )  # fmt: skip
    told = json.loads(ran.stdout)
    assert [name for name in told if not isinstance(cpu_features.asked(name), Looked)] == []
    by_flags = {name: has for name, has in told.items() if flags(name)}
    assert {name: flags(name) <= here for name in by_flags} == by_flags
