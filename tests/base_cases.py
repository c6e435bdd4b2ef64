"""A manifest from a few words, for the table of base images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envsnap.facts.registry_answers import NoSuchTag
from envsnap.manifest import Manifest
from envsnap.sections import (
    Artifact,
    Cuda,
    CudaLibrary,
    Environ,
    Exempt,
    Fact,
    Libraries,
    Package,
    Reason,
    Rocm,
    Run,
    SystemLibraries,
    SystemLibrary,
    Unknown,
    replace,
)
from tests import made

DIGEST = "sha256:" + "ab" * 32
LIBC = {
    "debian 12": "2.36", "debian 13": "2.41", "ubuntu 20.04": "2.31", "ubuntu 22.04": "2.35",
    "ubuntu 24.04": "2.39", "rocky 8.9": "2.28", "rhel 9.4": "2.34", "centos 7": "2.17",
}  # fmt: skip
NOT_RUN = Unknown(Reason.NOT_ASKED, "envsnap run records one")


def manifest_of(case: Mapping[str, Any]) -> Manifest:
    """The manifest that a row of the table is about."""
    packages, artifacts = [], []
    for text in case.get("packages", ()):
        package, artifact = _package(text)
        packages.append(package)
        artifacts += [artifact] if artifact is not None else []
    machine = case.get("machine", "x86_64")
    sections: dict[str, Any] = {
        "python": made.python(
            version=case.get("python", "3.11.7"), free_threaded=case.get("free_threaded", False),
            architecture=machine, platform=f"linux-{machine}",
        ),
        "os": _os(case.get("os", "debian 12"), machine),
        "gpu": _gpu(case),
        "environ": Environ(variables=case.get("variables", {})),
        "cuda": Cuda(libraries=tuple(_libraries(case.get("system", {}))), nvcc=case.get("nvcc")),
    }  # fmt: skip
    if "needed" in case:
        needed = tuple(
            SystemLibrary(name=name, versions=(), needed_by=(who,), location=None, owner=None)
            for name, who in case["needed"].items()
        )
        exempt: tuple[Exempt, ...] = ()
        sections["system_libraries"] = SystemLibraries(needed=needed, exempt=exempt)
        sections["libraries"] = Libraries(copies=(), consumers=())
    if "run" in case:
        sections["run"] = Run(
            program="python", exit_status=0, wall_ms=1, peak_memory_mib=1, gpu_peaks=(),
            libraries=(), modules=(), other_pythons=(), programs=tuple(case["run"]),
            sampled_ms=100,
        )  # fmt: skip
    found = made.manifest(tuple(packages), tuple(artifacts), unlocked=(), **sections)
    assert found.lock is not None
    return found


def answering(gone: list[str]) -> Any:  # noqa: ANN401 - a function, as `Resolve` has it
    """A registry that has every tag but these."""

    def resolve(reference: str) -> Fact[str]:
        if reference in gone:
            return NoSuchTag(f"the registry answers 404 for {reference}")
        return DIGEST

    return resolve


def _package(text: str) -> tuple[Package, Artifact | None]:
    """'torch==2.5.1+cu124 manylinux_2_17_x86_64': a package and its file; 'none' for no file."""
    pin, _, tag = text.partition(" ")
    name, _, version = pin.partition("==")
    package = made.package(name, version, tags=("py3-none-any",))
    if tag == "none":
        return package, None
    stem = f"{name.replace('-', '_')}-{version}"
    if tag == "source":
        return package, made.artifact(name, version, f"{stem}.tar.gz")
    if tag.startswith("linux_"):
        file = f"{stem}-cp311-cp311-{tag}.whl"
        return package, made.artifact(name, version, file, how="built")
    file = f"{stem}-cp311-cp311-{tag}.whl" if tag else f"{stem}-py3-none-any.whl"
    return package, made.artifact(name, version, file)


def _os(text: str, machine: str) -> object:
    name, _, version = text.partition(" ")
    if name == "alpine":
        return made.linux(
            distribution="alpine", distribution_version=version, libc="musl",
            libc_version="1.2.4", architecture=machine,
        )  # fmt: skip
    return made.linux(
        distribution=name, distribution_version=version, libc_version=LIBC[text],
        architecture=machine,
    )  # fmt: skip


def _gpu(case: Mapping[str, Any]) -> object:
    gpu = made.gpu(case.get("gpu", "nvidia"))
    if "rocm" not in case:
        return gpu
    return replace(gpu, rocm=Rocm(driver=None, release=case["rocm"], libraries=()))


def _libraries(system: Mapping[str, str]) -> list[CudaLibrary]:
    return [
        CudaLibrary(family=family, version=version, source="system", owner=None, location=None)
        for family, versions in sorted(system.items())
        for version in versions.split()
    ]
