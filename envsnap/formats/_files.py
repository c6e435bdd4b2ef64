"""The files that every recipe needs beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any
from urllib.parse import quote

from envsnap.engines.conda import archive_path, row_of
from envsnap.formats._templates import render, word
from envsnap.inside import VERIFIER
from envsnap.manifest import FILE_NAME, canonical_name
from envsnap.plan import BuildPlan
from envsnap.plan._layers import travelling_tools
from envsnap.plan._model import CONDA, WHEELS, Layer, SystemPackage
from envsnap.sections import MADE_HERE, Artifact, CondaArtifact

LOCK = "requirements.lock"
SOURCES = "requirements-source.lock"
SOURCES_TOML = "pylock.sources.toml"
ADDRESSES = "artifacts.html"
INSTALL = "install.sh"
TOOLS = "tools.lock"
PYTHON = "python.txt"
SYSTEM = "system.txt"
SYSTEM_BUILDER = "system-builder.txt"
SYSTEM_PYTHON = "system-python.txt"
"""The packages of the stage that compiles Python."""
LEFT_OUT = "left-out.txt"
CA = "ca.crt"
PROJECT = "project.tar"
DEBS = "debs"
"""The packages of the distribution, where everything travels: a folder."""
DEBS_PYTHON = "debs-python"
"""The same of the stage that compiles Python."""
LAYERS = "layers"
BUILT = "sources.json"
"""What the packages must be that are built from source."""
READ_BY = {"netrc": "NETRC", "pip.conf": "PIP_CONFIG_FILE"}
"""The variable that tells a step's programs where a secret lies, by the secret's id."""
HASHED_AGAIN = 1_000_000_000
"""Bytes in the image up to which the last step hashes every file once more; two processors do a
gigabyte a second out of the cache, and ten times less from a disk."""
UNPACK = "unpack.py"
"""Installs the wheels that no installer takes; there where there are some."""
UNPACKED = "unpacked.txt"
PASSWORDS = "passwords.py"
"""Makes a netrc file of pip's settings; there where a build may read some."""
_UNPACKS = {"pip": "the wheels", "py-rattler": "conda's packages", "uv": "the wheels"}
_OF_PYTHON = ("implementation", "version", "soabi", "free_threaded", "debug")
_OF_PACKAGE = ("name", "version", "active", "content", "outside", "conda", "is_installed", "how")
"""What the verifier compares of an interpreter, and of a package or its file."""


def requirements(plan: BuildPlan, wheels: str = WHEELS) -> Mapping[str, str]:
    """What is installed: wheels, source archives, and the addresses of both.

    `wheels` is the way from there to the files that no index has.
    """
    odd = unpacked(plan)
    usual = tuple(each for each in plan.wheels if each not in odd)
    found = {ADDRESSES: _addresses((*usual, *plan.sources), wheels)}
    for name, artifacts in ((LOCK, usual), (SOURCES, plan.sources)):
        if artifacts:
            found[name] = _pins(artifacts)
    if odd:
        found |= {UNPACKED: _listed(odd), UNPACK: _program(UNPACK)}
    return found


def layer_files(plan: BuildPlan) -> Mapping[str, str]:
    """The files of each layer: its packages' addresses and hashes, and what they must be.

    What they must be is the manifest cut down to them, so that a step is made again when its own
    packages change, not when the manifest does.
    """
    found = {}
    for name, layer in named_layers(plan).items():
        path = f"{LAYERS}/{name}"
        if layer.unpacked:
            found[f"{path}.txt"] = _listed(layer.wheels)
        elif plan.installer.name == "uv":
            text = _pylock("One layer", layer.wheels, f"../{WHEELS}")
            found[f"{LAYERS}/pylock.{name}.toml"] = text
        else:
            found[f"{path}.lock"] = _pins(layer.wheels)
            found[f"{path}.html"] = _addresses(layer.wheels, f"../{WHEELS}")
        found[f"{path}.json"] = _cut(plan.manifest, layer)
    return found


def conda_files(plan: BuildPlan) -> Mapping[str, str]:
    """Every conda package in one list; the program that unpacks them; and what they must be."""
    rows = [row_of(each) for each in plan.conda]
    return {
        f"{CONDA}/conda.json": f"{json.dumps(rows, indent=1, sort_keys=True)}\n",
        f"{CONDA}/conda.py": _program("conda.py"),
        f"{CONDA}/manifest.json": _cut_to_conda(plan),
    }


def conda_place(artifact: CondaArtifact) -> str:
    """Where an archive of conda's lies that travels with the recipe, relative to its folder."""
    return archive_path("", artifact)


def named_layers(plan: BuildPlan) -> Mapping[str, Layer]:
    """The layers in the order of their installation, by the name that install.sh knows them by."""
    whole = (Layer("all", plan.wheels),) if plan.wheels else ()
    return {
        f"{number:02}-{each.name}": each
        for number, each in enumerate(plan.layers or whole, start=1)
    }


def _pylock(title: str, artifacts: Sequence[Artifact], wheels: str) -> str:
    rows = [
        ("path", f"{wheels}/{each.filename}", each) if each.url is None else ("url", each.url, each)
        for each in artifacts
    ]
    are_wheels = all(each.filename.endswith(".whl") for each in artifacts)
    return render("layer.toml.j2", {"title": title, "rows": rows, "wheels": are_wheels})


def _pins(artifacts: Sequence[Artifact]) -> str:
    return render("requirements.lock.j2", {"artifacts": artifacts})


def _addresses(artifacts: Sequence[Artifact], wheels: str) -> str:
    rows = [(each.url or f"{wheels}/{quote(each.filename)}", each) for each in artifacts]
    return render("artifacts.html.j2", {"rows": rows})


def _listed(artifacts: Sequence[Artifact]) -> str:
    """The files that are unpacked by our own program, as it reads them."""
    return "".join(f"{word(each.sha256)} {word(each.filename)}\n" for each in artifacts)


def unpacked(plan: BuildPlan) -> tuple[Artifact, ...]:
    """The wheels that no installer takes."""
    return tuple(each for layer in plan.layers if layer.unpacked for each in layer.wheels)


def _cut(manifest: str, layer: Layer) -> str:
    """The manifest with the Python and the packages of one layer, and nothing else."""
    whole = json.loads(manifest)
    names = {canonical_name(each.name) for each in layer.wheels}
    installed = whole["sections"]["packages"]["installed"]
    lock = whole.get("lock") or {"artifacts": []}
    packages = {"conda_only": [], "installed": _of(installed, names)}
    return _document(whole, packages, _of(lock["artifacts"], names))


def _cut_to_conda(plan: BuildPlan) -> str:
    """The manifest with the Python and conda's own packages, and nothing else."""
    whole = json.loads(plan.manifest)
    section = whole["sections"]["packages"]
    without = {each.name for each in plan.left_out}
    installed = [
        each
        for each in section["installed"]
        if each.get("conda") and each.get("active", True) and each["conda"]["name"] not in without
    ]
    alone = section["conda_only"] if isinstance(section["conda_only"], list) else []
    kept = [each for each in alone if each["name"] not in without]
    return _document(whole, {"conda_only": kept, "installed": installed}, [])


def _document(
    whole: Mapping[str, Any], packages: Mapping[str, object], artifacts: Sequence[object]
) -> str:
    """What the verifier reads, and nothing else: a step is kept where only the rest changed."""
    python = whole["sections"]["python"]
    document = {
        "lock": {"artifacts": artifacts},
        "schema": whole.get("schema"),
        "sections": {"packages": packages, "python": _kept(python, _OF_PYTHON)},
    }
    return f"{json.dumps(document, indent=1, sort_keys=True)}\n"


def _kept(row: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    return {name: row[name] for name in names if name in row}


def _of(rows: Sequence[Mapping[str, str]], names: set[str]) -> list[Mapping[str, str]]:
    kept = [each for each in rows if canonical_name(each["name"]) in names]
    return [_kept(each, _OF_PACKAGE) for each in kept]


def proof(plan: BuildPlan) -> Mapping[str, str]:
    """The manifest, and the program that compares an environment with it."""
    found = {
        FILE_NAME: plan.manifest,
        **{name: _program(name) for name in VERIFIER},
    }
    if plan.left_out:
        names = [each.name for each in plan.left_out]
        found[LEFT_OUT] = render("left-out.txt.j2", {"left_out": names})
    return found


def proof_files(plan: BuildPlan) -> list[str]:
    """What of these goes to /opt/envsnap under its own name: the manifest has another there."""
    return sorted(proof(plan).keys() - {FILE_NAME})


def carried(plan: BuildPlan) -> list[str]:
    """The files that travel with the recipe and are no text, relative to its folder."""
    found = {f"{WHEELS}/{each.filename}" for each in plan.carried}
    found |= {f"{WHEELS}/{each.filename}" for each in travelling_tools(plan)}
    found |= {conda_place(each) for each in plan.carried_conda}
    found |= {DEBS} if plan.offline and plan.system.image else set()
    found |= {DEBS_PYTHON} if plan.offline and plan.system.compiler else set()
    return sorted(found | ({PROJECT} if plan.project else set()))


def embedded(plan: BuildPlan) -> list[str]:
    """The files that stay in the image, for no index has them."""
    if not plan.embed:
        return []
    return sorted(f"{WHEELS}/{each.filename}" for each in plan.carried if each.how in MADE_HERE)


def image_files(plan: BuildPlan) -> Mapping[str, str]:
    """All texts: install.sh, its data, the manifest and what compares an image with it."""
    found = {**layer_files(plan), INSTALL: render("install.sh.j2", {}), **proof(plan)}
    found[PYTHON] = render("python.txt.j2", {"interpreter": plan.interpreter})
    if plan.sources:
        found[SOURCES] = _pins(plan.sources)
        found[BUILT] = _cut(plan.manifest, Layer("sources", plan.sources))
        if plan.installer.name == "uv":
            found[SOURCES_TOML] = _pylock("What is built from source", plan.sources, WHEELS)
        else:
            found[ADDRESSES] = _addresses(plan.sources, WHEELS)
    tools = [each for each in (plan.unpacker, plan.installer) if each and each.version is not None]
    if tools:
        found[TOOLS] = render("tools.lock.j2", {"installers": tools, "packages": _UNPACKS})
    if plan.conda:
        found.update(conda_files(plan))
    found.update(_system_files(plan))
    if plan.ca_certificates:
        found[CA] = plan.ca_certificates
    if unpacked(plan):
        found[UNPACK] = _program(UNPACK)
    if any(each.id == "pip.conf" for each in plan.secrets):
        found[PASSWORDS] = _program(PASSWORDS)
    return found


def _program(name: str) -> str:
    """A program of ours for other people's interpreters."""
    return resources.files("envsnap.inside").joinpath(name).read_text(encoding="utf-8")


def compared_by(plan: BuildPlan) -> tuple[str, ...]:
    """The words for the last step: all is hashed, unless that takes long and every step has."""
    size = plan.estimate.image
    return ("--quick",) if isinstance(size, int) and size > HASHED_AGAIN else ()


def _system_files(plan: BuildPlan) -> Mapping[str, str]:
    """The distribution's packages: the image's, and those of the stages that build and compile."""
    parts = {
        SYSTEM: plan.system.image,
        SYSTEM_BUILDER: plan.system.builder if plan.sources else (),
        SYSTEM_PYTHON: plan.system.compiler,
    }
    return {name: _system(plan, packages) for name, packages in parts.items() if packages}


def _system(plan: BuildPlan, packages: Sequence[SystemPackage]) -> str:
    return render("system.txt.j2", {"packages": packages, "snapshot": plan.system.snapshot or ""})
