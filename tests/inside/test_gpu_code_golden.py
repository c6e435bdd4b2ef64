"""The GPU code of NVIDIA's own libraries, and of what is built on them, as cuobjdump lists it.

`tests/golden/gpu_code/libraries.json` is what `python bench/gpu_code.py --golden` wrote of wheels
on the package index: what cuobjdump lists, what it lists of fat binaries that it does not look at
itself, and the modules by section, kind, architecture, variant and size. Where a dump of every
module of a target shows no function, the target is `empty` and no target of the library.

That list holds no module's bytes: those that are made here prove which modules count, and not
whether there is a function in a small one. `modules.json` is for that: small modules of PyTorch's
and JAX's own code whole, each with whether cuobjdump's dump of it shows a function.
"""

from __future__ import annotations

import base64
import hashlib
import json
import mmap
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from envsnap.inside.elf import Elf
from envsnap.inside.gpu_code import targets
from tests.inside.fatbins import CODE, LINKABLE, SASS, A, F, entry, fatbin, library, module

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "gpu_code" / "libraries.json"
ROWS: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
MODULES: list[dict[str, Any]] = json.loads(
    GOLDEN.with_name("modules.json").read_text(encoding="utf-8")
)
FAMILIES = (
    "cublas", "cublasLt", "cudnn_ops", "cufft", "curand", "cusolver", "cusparse", "nccl", "nvrtc",
)  # fmt: skip
LETTERS = {0: "", A: "a", F: "f"}
MANYLINUX = re.compile(r"manylinux[0-9_]+_x86_64")


def plain(*lists: list[str]) -> set[str]:
    """Targets without the letter of a family, which cuobjdump's lists leave out of SASS.

    That of CUDA 12.8 lists three modules of cuBLAS 11 as sm_50a, sm_60a and sm_61a, and dumps them
    as sm_50, sm_60 and sm_61: there are no such variants.
    """
    found = {each.removesuffix("f") for some in lists for each in some}
    return {re.sub(r"^(sm_[56]\d)a$", r"\1", each) for each in found}


def identity(row: Mapping[str, Any]) -> str:
    return f"{row['wheel'].split('-py')[0].split('-cp')[0]}-{row['library'].rpartition('/')[2]}"


def test_every_family_of_every_cuda_major_is_among_them() -> None:
    have = {
        (re.sub(r"^lib|\.(alt\.)?so.*$", "", name), major)
        for row in ROWS
        for name in [row["library"].rpartition("/")[2]]
        for major in re.findall(r"_cu(1[123])-", row["wheel"]) or ["13"]
        if row["wheel"].startswith("nvidia_")
    }
    assert {(name, major) for name in FAMILIES for major in ("11", "12", "13")} <= have


@pytest.mark.parametrize("row", ROWS, ids=identity)
def test_the_golden_list_agrees_with_itself(row: Mapping[str, Any]) -> None:
    assert re.fullmatch("[0-9a-f]{64}", row["wheel_sha256"])
    assert row["cuobjdump"] in {"13.5.37", "12.8.55"}
    elsewhere = row.get("elsewhere", {"sass": [], "ptx": []})
    for kind, name in (("sass", r"sm_\d+[af]?"), ("ptx", r"compute_\d+[af]?")):
        code, empty = row["targets"][kind], row["empty"][kind]
        assert all(re.fullmatch(name, each) for each in code)
        assert plain(code, empty) == plain(row["listed"][kind], elsewhere[kind])


def remade(row: Mapping[str, Any], kind: int, arch: int, *more: int) -> bytes:
    """A module of this kind and size; a small one has a function if the dump of one shows any."""
    variant, size = more
    if kind == LINKABLE or size >= CODE:
        return entry(kind, arch, flags=variant, size=size)
    name = f"{'sm' if kind == SASS else 'compute'}_{arch}{LETTERS[variant]}"
    has_code = name in (*row["targets"]["sass"], *row["targets"]["ptx"])
    body = (b"\0.text.k\0" if kind == SASS else b".entry k()") if has_code else b"\0.shstrtab\0"
    return module(kind, arch, body, flags=variant)


@pytest.mark.parametrize("row", ROWS, ids=identity)
def test_a_library_of_the_same_modules_has_the_targets_that_cuobjdump_says(
    row: Mapping[str, Any],
) -> None:
    sections: dict[str, bytes] = {}
    parts: dict[str, list[bytes]] = {}
    for section, *kind in row["modules"]:
        sections[section] = sections.get(section, b"") + fatbin(remade(row, *kind))
    for section, *kind in row.get("linkable", []):
        parts.setdefault(section, []).append(remade(row, *kind))
    for section, modules in parts.items():
        sections[section] = sections.get(section, b"") + fatbin(*modules)
    data = library(sections.items())
    assert targets(data, Elf(data)) == {**row["targets"], "amd": []}


def test_there_are_real_modules_with_a_function_and_without() -> None:
    assert {(row["kind"], row["function"]) for row in MODULES} >= {(1, True), (2, True), (2, False)}


@pytest.mark.parametrize(
    "row", MODULES, ids=lambda row: f"{row['library'].rpartition('/')[2]}-{row['arch']}"
)
def test_a_small_module_counts_where_cuobjdump_finds_a_function_in_it(
    row: Mapping[str, Any],
) -> None:
    data = library([(".nv_fatbin", fatbin(base64.b64decode(row["entry"])))])
    target = [f"{'sm' if row['kind'] == SASS else 'compute'}_{row['arch']}"]
    found = targets(data, Elf(data))
    assert found["sass"] + found["ptx"] == (target if row["function"] else [])


def downloaded(wheel: str, folder: Path) -> Path:
    """A wheel from the index, for Linux on x86-64 whatever this machine is."""
    name, version = wheel.split("-")[:2]
    platforms = [f"--platform={each}" for each in MANYLINUX.findall(wheel)]
    tag = re.search(r"-cp(\d+)-", wheel)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:",
            *platforms, *([f"--python-version={tag[1]}"] if tag else []), "-d", folder,
            f"{name}=={version}",
        ],
        check=True,
    )  # fmt: skip
    (path,) = folder.iterdir()
    return path


def read(wheel: Path, member: str, folder: Path) -> dict[str, list[str]]:
    with zipfile.ZipFile(wheel) as opened:
        path = opened.extract(member, folder)
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return targets(data, Elf(data))


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["jax_cuda12_plugin-", "nvidia_curand-", "nvidia_cufft-12.5", "nvidia_nccl_cu11-"]
)
def test_a_real_wheel_holds_what_cuobjdump_says(name: str, tmp_path: Path) -> None:
    rows = [row for row in ROWS if row["wheel"].startswith(name)]
    wheel = downloaded(rows[0]["wheel"], tmp_path / "wheel")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == rows[0]["wheel_sha256"]
    found = {row["library"]: read(wheel, row["library"], tmp_path) for row in rows}
    assert found == {row["library"]: {**row["targets"], "amd": []} for row in rows}


AMD = (
    (
        "jax_rocm60_plugin-0.5.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        "gfx1030 gfx1100 gfx1200 gfx1201 gfx900 gfx906 gfx908 gfx90a gfx940 gfx941 gfx942",
    ),
    (  # compressed; as python-zstandard unpacks it
        "jax_rocm7_plugin-0.10.2-cp311-cp311-manylinux_2_27_x86_64.whl",
        (
            "gfx1010 gfx1011 gfx1012 gfx1030 gfx1031 gfx1032 gfx1033 gfx1034 gfx1035 gfx1036 "
            "gfx1100 gfx1101 gfx1102 gfx1103 gfx1150 gfx1151 gfx1152 gfx1153 gfx1200 gfx1201 "
            "gfx900 gfx906 gfx908 gfx90a gfx90c gfx942 gfx950"
        ),
    ),
)


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize(("name", "amd"), AMD, ids=["plain", "compressed"])
def test_a_real_wheel_for_amds_gpus_names_them(name: str, amd: str, tmp_path: Path) -> None:
    wheel = downloaded(name, tmp_path / "wheel")
    found = read(wheel, f"{name.partition('-')[0]}/_prng.so", tmp_path)
    assert found == {"sass": [], "ptx": [], "amd": amd.split()}
