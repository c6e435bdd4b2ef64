"""NVIDIA's own libnvidia-ml, as Debian packages it, on a machine without the driver."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envsnap.host import LocalHost
from envsnap.sections import Reason, Unknown

SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
PACKAGE = "libnvidia-ml1"

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt-get"),
    pytest.mark.skipif(not SOURCES.exists(), reason="no sources of Debian's"),
    pytest.mark.skipif(os.path.exists("/proc/driver/nvidia"), reason="the driver is loaded here"),
    pytest.mark.skipif(
        sys.platform != "win32" and os.geteuid() == 0,
        reason="started by root NVML leaves a device file in /dev",
    ),
]


@pytest.fixture(scope="module")
def own_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the library, fetched and unpacked by apt with a state of its own."""
    folder = tmp_path_factory.mktemp("apt")
    for part in ("state/lists/partial", "cache/archives/partial", "etc"):
        (folder / part).mkdir(parents=True)
    lines = SOURCES.read_text(encoding="utf-8").splitlines()
    wanted = ["Components: non-free" if line.startswith("Components:") else line for line in lines]
    (folder / "etc" / "non-free.sources").write_text("\n".join(wanted) + "\n", encoding="utf-8")
    options = {
        "Dir::State": folder / "state",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": folder / "etc",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    for command in ([*apt, "update"], [*apt, "download", PACKAGE]):
        subprocess.run(command, cwd=folder, check=True, timeout=300)
    (archive,) = folder.glob(f"{PACKAGE}_*.deb")
    subprocess.run(["dpkg", "-x", str(archive), str(folder / "root")], check=True, timeout=60)
    return next((folder / "root").rglob("libnvidia-ml.so.1")).parent


def test_without_a_driver_the_real_library_says_that_none_is_loaded(
    own_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(own_library))
    assert LocalHost().nvml() == Unknown(Reason.NOT_SUPPORTED, "NVML_ERROR_DRIVER_NOT_LOADED")
