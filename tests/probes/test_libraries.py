"""Which file answers for each library that results depend on."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from envsnap._capture import capture
from envsnap.host import Binary, LocalHost, RecordedHost, Uname
from envsnap.probes import Options
from envsnap.sections import Consumer, Fact, Libraries, LibraryCopy, Load, Reason, Unknown
from tests.loader.machines import LINKER, elf
from tests.probes.environments import SITE, answered, dist

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "/home/ada/work/.venv"
PYTHON = f"{PREFIX}/bin/python"
TORCH = f"{SITE}/torch/_C.abi3.so"
CUDNN = f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9"
CUDNN_DIGEST = hashlib.sha256(b"the wheel's").digest()
NEEDS_CUDNN = elf("libcudnn.so.9", runpath=["$ORIGIN/../nvidia/cudnn/lib"])._replace(imports=True)


def record(path: str, digest: bytes | None = None) -> str:
    stated = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() if digest else ""
    return f"{path},sha256={stated},9\n" if digest else f"{path},,\n"


FILES: Mapping[str, str] = {
    **dist("torch", "2.7.0", RECORD=record("torch/_C.abi3.so")),
    **dist(
        "nvidia_cudnn_cu12",
        "9.5.1.17",
        RECORD=record("nvidia/cudnn/lib/libcudnn.so.9", CUDNN_DIGEST),
    ),
}
BINARIES: Mapping[str, Fact[Binary | None]] = {
    PYTHON: elf("libc.so.6", interpreter=LINKER),
    LINKER: elf(soname="ld-linux-x86-64.so.2"),
    "/lib64/libc.so.6": elf(soname="libc.so.6"),
    TORCH: NEEDS_CUDNN,
    CUDNN: elf(soname="libcudnn.so.9"),
}


def libraries(
    binaries: Mapping[str, Fact[Binary | None]] | None = None,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    contents: Mapping[str, Fact[str | None]] | None = None,
) -> Libraries:
    """What is captured where torch is installed, with these beside it."""
    script = (PYTHON, "-c", "{script}", "envsnap-paths-1:")
    host = RecordedHost.made(
        files={f"{PREFIX}/pyvenv.cfg": "home = /usr/bin\n", **FILES, **(files or {})},
        binaries={**BINARIES, **(binaries or {})},
        contents=contents or {},
        absent_below=["/"],
        environ={"PATH": "/usr/bin", **(environ or {})},
        commands={script: answered(SITE)},
        uname=Uname("Linux", "6.1.0", "#1 SMP", "x86_64"),
        cwd="/home/ada/work",
        home="/home/ada",
    )
    manifest = capture(host, Options(deep=True), sections=frozenset({"packages", "libraries"}))
    found = manifest.section(Libraries)
    assert isinstance(found, Libraries), found
    return found


def consumers(found: Libraries) -> Mapping[str, Consumer]:
    assert not isinstance(found.consumers, Unknown)
    return {each.distribution: each for each in found.consumers}


def copy_of(found: Libraries, family: str) -> LibraryCopy:
    assert not isinstance(found.copies, Unknown)
    (only,) = [each for each in found.copies if each.family == family]
    return only


def test_a_wheel_s_library_is_told_with_its_distribution_and_the_digest_of_its_record() -> None:
    place = "{env}/lib/python3.11/site-packages/nvidia/cudnn/lib/libcudnn.so.9"
    assert libraries() == Libraries(
        copies=(
            LibraryCopy(
                family="cudnn",
                name="libcudnn.so.9",
                source="pip",
                owner="nvidia_cudnn_cu12",
                version="9.5.1.17",
                content=CUDNN_DIGEST.hex(),
                location=place,
            ),
        ),
        consumers=(
            Consumer(
                distribution="torch",
                loads=(Load(family="cudnn", location=place, found_by="runpath"),),
                missing=(),
            ),
        ),
    )


def test_a_decoy_on_ld_library_path_is_what_loads() -> None:
    decoy = "/opt/decoy/libcudnn.so.9"
    found = libraries(
        {decoy: elf(soname="libcudnn.so.9")},
        environ={"LD_LIBRARY_PATH": "/opt/decoy"},
        contents={decoy: "ab" * 32},
    )
    assert consumers(found)["torch"].loads == (
        Load(family="cudnn", location=decoy, found_by="LD_LIBRARY_PATH"),
    )
    assert copy_of(found, "cudnn") == LibraryCopy(
        family="cudnn",
        name="libcudnn.so.9",
        source="system",
        owner=Unknown(Reason.NOT_SUPPORTED, "this system has none of dpkg, rpm and apk"),
        version=None,
        content="ab" * 32,
        location=decoy,
    )


def test_what_nothing_answers_for_is_missing() -> None:
    found = libraries({TORCH: elf("libcudnn.so.8", "libz.so.1")._replace(imports=True)})
    assert found == Libraries(
        copies=(),
        consumers=(
            Consumer(distribution="torch", loads=(), missing=("libcudnn.so.8", "libz.so.1")),
        ),
    )


def test_a_path_of_whoever_built_it_is_not_told() -> None:
    canary = "/data/build/alice/secret-project"
    module = elf(
        f"{canary}/libmissing.so", "libcudnn.so.9", runpath=["$ORIGIN/../nvidia/cudnn/lib"]
    )
    found = libraries(
        {
            TORCH: module._replace(imports=True),
            CUDNN: elf(soname=f"{canary}/libcudnn.so.9"),
        }
    )
    assert consumers(found)["torch"].missing == ("{other}/libmissing.so",)
    assert copy_of(found, "cudnn").name == "{other}/libcudnn.so.9"
    assert "alice" not in repr(found)


def test_the_host_s_driver_library_in_a_container_is_the_host_s() -> None:
    bound = "/.singularity.d/libs/libcuda.so.1"
    found = libraries(
        {
            TORCH: elf("libcudart.so.12")._replace(imports=True),
            "/usr/lib64/libcudart.so.12.4.127": elf(soname="libcudart.so.12"),
            "/usr/lib64/libcudart.so.12": elf(soname="libcudart.so.12"),
            bound: elf(soname="libcuda.so.1"),
        },
        environ={"LD_LIBRARY_PATH": "/.singularity.d/libs"},
        contents={bound: "cd" * 32, "/usr/lib64/libcudart.so.12": "ef" * 32},
    )
    driver = copy_of(found, "driver")
    assert (driver.source, driver.owner, driver.location) == ("host", None, bound)
    assert consumers(found)["torch"].loads == (
        Load(family="driver", location=bound, found_by="LD_LIBRARY_PATH"),
        Load(family="runtime", location="/usr/lib64/libcudart.so.12", found_by="default"),
    )


@pytest.mark.parametrize(
    "environ",
    [
        {"EBROOTCUDNN": "/apps/cuDNN/9.5.1"},
        {"LD_LIBRARY_PATH": "/apps/cuDNN/9.5.1/lib"},
    ],
)
def test_a_module_s_library_is_told_with_the_module(environ: Mapping[str, str]) -> None:
    place = "/apps/cuDNN/9.5.1/lib/libcudnn.so.9.5.1"
    found = libraries(
        {place: elf(soname="libcudnn.so.9"), TORCH: elf(place)._replace(imports=True)},
        environ={"LOADEDMODULES": "GCC/13.2.0:cuDNN/9.5.1", **environ},
        contents={place: "ab" * 32},
    )
    cudnn = copy_of(found, "cudnn")
    assert (cudnn.source, cudnn.owner, cudnn.version) == ("module", "cuDNN/9.5.1", "9.5.1")
    assert cudnn.location == "{other}/libcudnn.so.9.5.1"


def test_the_system_s_library_is_told_with_its_package() -> None:
    place = "/usr/lib64/libstdc++.so.6"
    found = libraries(
        {place: elf(soname="libstdc++.so.6"), TORCH: elf("libstdc++.so.6")._replace(imports=True)},
        files={"/var/lib/dpkg/info/libstdc++6:amd64.list": f"/.\n{place}\n"},
        contents={place: "ab" * 32},
    )
    copy = copy_of(found, "libstdc++")
    assert (copy.source, copy.owner, copy.version) == ("system", "libstdc++6", None)


def test_another_environment_s_wheel_is_told_by_the_record_beside_it() -> None:
    other = "/data/env/lib/python3.11/site-packages"
    place = f"{other}/nvidia/cudnn/lib/libcudnn.so.9"
    digest = hashlib.sha256(b"another").digest()
    rows = record("nvidia/cudnn/lib/libcudnn.so.9", digest)
    found = libraries(
        {place: elf(soname="libcudnn.so.9")},
        files=dist("nvidia_cudnn_cu12", "9.1.0.70", other, RECORD=rows),
        environ={"LD_LIBRARY_PATH": f"{other}/nvidia/cudnn/lib"},
    )
    cudnn = copy_of(found, "cudnn")
    assert (cudnn.source, cudnn.owner, cudnn.version, cudnn.content) == (
        "pip", "nvidia_cudnn_cu12", "9.1.0.70", digest.hex()
    )  # fmt: skip


def test_conda_s_library_is_told_with_its_package() -> None:
    place = f"{PREFIX}/lib/libcublas.so.12.4.5.8"
    record_of_it = {
        "name": "libcublas",
        "version": "12.4.5.8",
        "build": "0",
        "channel": "https://conda.example/main",
        "files": ["lib/libcublas.so.12.4.5.8"],
    }
    found = libraries(
        {
            PYTHON: elf("libc.so.6", rpath=["$ORIGIN/../lib"], interpreter=LINKER),
            place: elf(soname="libcublas.so.12"),
            TORCH: elf("libcublas.so.12.4.5.8")._replace(imports=True),
        },
        files={f"{PREFIX}/conda-meta/libcublas-12.4.5.8-0.json": json.dumps(record_of_it)},
        contents={place: "ab" * 32},
    )
    cublas = copy_of(found, "cublas")
    assert (cublas.source, cublas.owner, cublas.version) == ("conda", "libcublas", "12.4.5.8")
    assert [each.found_by for each in known_loads(found, "torch")] == ["rpath"]


def test_what_a_library_says_of_itself_comes_before_the_name_of_its_file() -> None:
    place = f"{SITE}/torch/libopenblas-0f9a8b7c.so.0.3"
    said = elf()._replace(texts=("OpenBLAS 0.3.29",))
    found = libraries(
        {place: said, TORCH: elf(place)._replace(imports=True)}, contents={place: "ab" * 32}
    )
    assert copy_of(found, "blas").version == "0.3.29"


def test_the_number_in_the_name_of_an_openmp_runtime_is_not_its_version() -> None:
    place = "/usr/lib64/libgomp.so.1.0.0"
    found = libraries(
        {place: elf(soname="libgomp.so.1"), TORCH: elf(place)._replace(imports=True)},
        contents={place: "ab" * 32},
    )
    assert copy_of(found, "openmp").version is None


def test_a_library_that_cannot_be_read_makes_its_consumer_unknown_and_no_other() -> None:
    why = Unknown(Reason.TIMED_OUT, "libz.so.1")
    other = f"{SITE}/other.abi3.so"
    found = libraries(
        {
            TORCH: elf("libz.so.1")._replace(imports=True),
            "/usr/lib64/libz.so.1": why,
            other: NEEDS_CUDNN._replace(runpath=("$ORIGIN/nvidia/cudnn/lib",)),
        },
        files=dist("other", "1", RECORD=record("other.abi3.so")),
    )
    assert consumers(found)["torch"] == Consumer(distribution="torch", loads=why, missing=why)
    assert [each.family for each in known_loads(found, "other")] == ["cudnn"]


def known_loads(found: Libraries, distribution: str) -> tuple[Load, ...]:
    loads = consumers(found)[distribution].loads
    assert not isinstance(loads, Unknown)
    return loads


CC = shutil.which("cc")


@pytest.mark.skipif(CC is None or sys.platform != "linux", reason="needs a C compiler, on Linux")
def test_a_real_decoy_is_found_on_a_real_machine(tmp_path: Path) -> None:
    environment, decoy = tmp_path / "env", tmp_path / "decoy"
    decoy.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    wheel = site / "nvidia/cudnn/lib"
    wheel.mkdir(parents=True)
    for folder in (wheel, decoy):
        link(folder / "libcudnn.so.9", "-Wl,-soname,libcudnn.so.9")
    link(
        site / "mine.abi3.so", "-Wl,--no-as-needed", str(wheel / "libcudnn.so.9"),
        "-Wl,--enable-new-dtags,-rpath,$ORIGIN/nvidia/cudnn/lib",
    )  # fmt: skip
    info = site / "mine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (info / "RECORD").write_text("mine.abi3.so,,\n")

    class Shell(LocalHost):
        def environ(self, name: str) -> str | Unknown | None:
            return str(decoy) if name == "LD_LIBRARY_PATH" else super().environ(name)

    loads = []
    for host in (LocalHost(), Shell()):
        options = Options(python=str(environment / "bin" / "python"), deep=True)
        manifest = capture(host, options, sections=frozenset({"packages", "libraries"}))
        found = manifest.section(Libraries)
        assert isinstance(found, Libraries), found
        (load,) = known_loads(found, "mine")
        loads.append((load.location, load.found_by))
        assert copy_of(found, "cudnn").content == sha256(os.path.realpath(decoy / "libcudnn.so.9"))
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    assert loads == [
        (f"{{env}}/lib/{version}/site-packages/nvidia/cudnn/lib/libcudnn.so.9", "runpath"),
        ("{other}/libcudnn.so.9", "LD_LIBRARY_PATH"),
    ]


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def link(target: Path, *options: str) -> None:
    code = "void PyInit_mine(void) {}\n"
    subprocess.run(
        [str(CC), "-shared", "-fPIC", "-nostdlib", "-x", "c", "-", "-x", "none", "-o", target,
         *options],
        input=code, text=True, check=True,
    )  # fmt: skip
