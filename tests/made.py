"""One environment as a capture and a lock describe it, for the tests of lock, plan and formats."""

from __future__ import annotations

from envsnap.manifest import Manifest, environment_id
from envsnap.sections import (
    Artifact,
    Captured,
    Environ,
    Gpu,
    Lock,
    Origin,
    Os,
    Package,
    Packages,
    Python,
    Reason,
    Unknown,
    Unlocked,
    replace,
)

NOT_LOOKED = Unknown(Reason.NOT_ASKED, "not part of this test")
FILES = "https://files.example/packages"


def python(**changes: object) -> Python:
    made = Python(
        implementation="cpython", version="3.11.7", implementation_version="3.11.7",
        soabi="cpython-311-x86_64-linux-gnu", free_threaded=False, debug=False,
        architecture="x86_64", platform="linux-x86_64", environment_kind="venv",
        environment_name="env", system_site_packages=False, executable="{env}/bin/python",
        prefix="{env}", base_prefix="{base}", origin="pyenv", compiler="GCC 12.2.0",
        build_date=None, libc="glibc 2.36", path=(), not_paths=(), import_hooks=(), degraded=None,
        chosen="--python", not_chosen=(),
    )  # fmt: skip
    return replace(made, **changes)


def origin(kind: str = "index", **changes: object) -> Origin:
    made = Origin(
        kind=kind,
        url=None,
        vcs=None,
        commit=None,
        revision=None,
        archive_hash=None,
        subdirectory=None,
    )
    return replace(made, **changes)


def package(name: str, version: str, **changes: object) -> Package:
    made = Package(
        name=name, version=version, version_valid=True, active=True, layer="env",
        location="{env}/lib/python3.11/site-packages", installer="pip", requested=False,
        origin=origin(), tags=("py3-none-any",), build=None, content="0" * 64, evidence="content",
        conda=None,
    )  # fmt: skip
    return replace(made, **changes)


def artifact(name: str, version: str, filename: str, **changes: object) -> Artifact:
    made = Artifact(
        name=name, version=version, filename=filename, sha256=f"{len(filename):02x}" * 32,
        url=f"{FILES}/{filename.replace('+', '%2B')}", size=1000, is_installed=True,
    )  # fmt: skip
    return replace(made, **changes)


NUMPY_TAGS = ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64")
PACKAGES = (
    package("antlr4-python3-runtime", "4.9.3"),
    package("idna", "3.7"),
    package("numpy", "1.26.4", tags=NUMPY_TAGS),
    package("PySocks", "1.7.1"),
)
ARTIFACTS = (
    artifact(
        "antlr4-python3-runtime", "4.9.3", "antlr4-python3-runtime-4.9.3.tar.gz",
        is_installed=Unknown(Reason.NOT_RECORDED, "built from source"),
    ),
    artifact("idna", "3.7", "idna-3.7-py3-none-any.whl"),
    artifact(
        "numpy", "1.26.4", "numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    ),
    artifact("pysocks", "1.7.1", "PySocks-1.7.1-py3-none-any.whl"),
)  # fmt: skip


def linux(**changes: object) -> Os:
    made = Os(
        system="Linux", distribution="debian", distribution_version="12",
        distribution_name="Debian GNU/Linux 12 (bookworm)", codename="bookworm",
        distribution_like=(), kernel="6.1.0", kernel_build="#1 SMP", architecture="x86_64",
        libc="glibc", libc_version="2.36", wsl=None,
    )  # fmt: skip
    return replace(made, **changes)


def gpu(kind: str) -> Gpu:
    return Gpu(
        kind=kind, platform="pci", pci=NOT_LOOKED, driver=NOT_LOOKED, devices=NOT_LOOKED,
        visible=NOT_LOOKED, hidden=None, topology=NOT_LOOKED, rocm=NOT_LOOKED,
    )  # fmt: skip


def manifest(
    installed: tuple[Package, ...] = PACKAGES,
    artifacts: tuple[Artifact, ...] = ARTIFACTS,
    *,
    unlocked: tuple[Unlocked, ...] = (),
    **sections: object,
) -> Manifest:
    """The manifest with a lock of itself; any section can be another."""
    made = Manifest(
        captured=Captured(time="2026-01-31T12:00:00Z", version="0.1.0"),
        sections={
            "python": python(),
            "packages": Packages(installed=installed, conda_only=(), broken=()),
            "os": linux(),
            "gpu": gpu("nvidia"),
            "environ": Environ(variables={"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "LANG": "C.UTF-8"}),
            **sections,
        },
    )
    environment = environment_id(made)
    lock = Lock(
        environment=environment if isinstance(environment, str) else "unknown",
        locker="uv 0.9.1", artifacts=fitting(artifacts, made.section(Python)), unlocked=unlocked,
    )  # fmt: skip
    return made.with_lock(lock)


def fitting(artifacts: tuple[Artifact, ...], own: Python | Unknown) -> tuple[Artifact, ...]:
    """The artifacts for this Python and machine, those of CPython 3.11 on x86_64 among them."""
    if isinstance(own, Unknown) or not isinstance(own.architecture, str):
        return artifacts
    short = "".join(own.version.split(".")[:2])
    abi = short + ("t" if own.free_threaded is True else "m" if short in {"36", "37"} else "")

    def fits(text: str) -> str:
        other = text.replace("-cp311-cp311-", f"-cp{short}-cp{abi}-")
        return other.replace("_x86_64", f"_{own.architecture}")

    return tuple(
        replace(each, filename=fits(each.filename), url=fits(each.url) if each.url else each.url)
        for each in artifacts
    )
