"""A decoy of cuDNN on the search path: `check --deep` says that the library loads from there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import distribution, environment, envsnap, site_packages, variables

if TYPE_CHECKING:
    from pathlib import Path

COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler is here")


def compiled(source: str, target: Path, *words: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [str(COMPILER), "-shared", "-fPIC", "-x", "c", "-", "-o", str(target), *words],
        input=source.encode(), check=True, timeout=60,
    )  # fmt: skip


def recorded(dist_info: Path, *files: str) -> None:
    digest = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    with (dist_info / "RECORD").open("a") as record:
        record.writelines(f"{each},{digest},0\n" for each in files)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An environment whose one extension module finds cuDNN in a wheel of its own."""
    site = site_packages(environment(tmp_path / "env"))
    cudnn = site / "nvidia" / "cudnn" / "lib" / "libcudnn.so.9"
    compiled("int cudnnGetVersion(void) { return 90100; }", cudnn, "-Wl,-soname,libcudnn.so.9")
    name = f"net{sysconfig.get_config_var('EXT_SUFFIX')}"
    compiled(
        "extern int cudnnGetVersion(void); int PyInit_net(void) { return cudnnGetVersion(); }",
        site / name, "-x", "none", str(cudnn),
        "-Wl,--enable-new-dtags,-rpath,$ORIGIN/nvidia/cudnn/lib",
    )  # fmt: skip
    wheel = distribution(site, "nvidia-cudnn-cu12", "9.1.0.70")
    recorded(wheel, "nvidia/cudnn/lib/libcudnn.so.9")
    recorded(distribution(site, "net", "1.0"), name)
    decoy = tmp_path / "decoy" / "libcudnn.so.9"
    compiled("int cudnnGetVersion(void) { return 0; }", decoy, "-Wl,-soname,libcudnn.so.9")
    ended = envsnap("capture", "--deep", "--python", "env", "-o", "m.json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    return tmp_path


def told(folder: Path, **more: str) -> tuple[int, list[tuple[str, str, str]]]:
    ended = envsnap(
        "check", "m.json", "--python", "env", "--deep", "--for", "native", "--select", "LIB",
        "--format", "json", cwd=folder, env=variables(**more),
    )  # fmt: skip
    (answer,) = json.loads(ended.out)["checks"]
    findings = [(each["code"], each["outcome"], each["what"]) for each in answer["findings"]]
    return ended.code, findings


def test_the_same_environment_gets_the_same_library(folder: Path) -> None:
    assert told(folder) == (0, [])


def test_a_decoy_on_ld_library_path_is_told(folder: Path) -> None:
    code, findings = told(folder, LD_LIBRARY_PATH=str(folder / "decoy"))
    assert (code, findings) == (1, [
        ("LIB001", "numerics",
         "cuDNN of net: nvidia-cudnn-cu12 9.1.0.70 -> {other}/libcudnn.so.9 (LD_LIBRARY_PATH)")
    ])  # fmt: skip


def test_a_library_that_is_gone_stops_the_import(folder: Path) -> None:
    (site_packages(folder / "env") / "nvidia" / "cudnn" / "lib" / "libcudnn.so.9").unlink()
    assert told(folder) == (
        1, [("LIB002", "blocks", "libcudnn.so.9, which net needs, is not here")]
    )  # fmt: skip
