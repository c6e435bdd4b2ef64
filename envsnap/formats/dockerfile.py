"""A Dockerfile and its whole context, for Docker with BuildKit, Buildah and Podman.

No heredoc and no `# syntax=` line: Docker 20.10 knows neither without asking a registry. Its
`RUN --mount` needs BuildKit, Buildah 1.24 or Podman 4: the daemon's own builder refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping

from envsnap._typing import Literal, NamedTuple
from envsnap.errors import PlanError
from envsnap.formats import _files
from envsnap.formats._cache import Data
from envsnap.formats._registry import OF_IMAGES, Place, container_format
from envsnap.formats._templates import render
from envsnap.inside import VERIFIER
from envsnap.plan import BuildPlan
from envsnap.plan._layers import settled_layers, travelling_tools
from envsnap.plan._model import CONDA, HOME, WHEELS, Layer
from envsnap.sections import Artifact

_MOUNTS = "/mnt/envsnap"
"""Below it lies all that a step sees and no layer keeps; old builders leave the empty folder."""
_MOST_MOUNTS = 24
"""A step that takes more travelling files than these is shown the whole folder."""


class Step(NamedTuple):
    """One RUN: a step of install.sh, and what it sees."""

    words: tuple[str, ...]
    files: tuple[str, ...] = ()
    """Of the context, relative to it."""
    network: bool = False
    kit: Literal["mounted", "copied", "alone"] = "mounted"
    """How the script comes: with what installs and compares, from the stage `tools`; in that stage
    itself; or alone, from the context, for a step that must not wait for that stage."""
    built: bool = False
    """Whether it sees what the stage `sources` built."""

    @property
    def seen(self) -> tuple[str, ...]:
        """What of the context decides what it makes, by mounts or by the stages that it mounts."""
        kit = () if self.kit == "alone" else (_files.TOOLS, *VERIFIER)
        network = (_files.CA, _files.PASSWORDS) if self.network else ()
        built = (_files.SOURCES_TOML, _files.SYSTEM_BUILDER) if self.built else ()
        return (*self.files, _files.INSTALL, *kit, *network, *built)


def _by_hand(place: Place) -> list[str]:
    """The line that builds the image."""
    network = " --network none" if place.offline else ""
    secrets = "".join(f" --secret id={name},src={path}" for name, path in place.secrets.items())
    return [f"docker build{network}{secrets} -t {place.name} {place.folder}"]


def _fetched(place: Place) -> list[str]:
    """The same, once the base image is loaded."""
    return [*place.loads, f"docker build --network none -t {place.name} {place.folder}"]


@container_format(
    "dockerfile", title="Dockerfile", main="Dockerfile", by_hand=_by_hand, fetched=_fetched,
    heeds=OF_IMAGES | {"network"}, starts="", is_staged=True,
)  # fmt: skip
def dockerfile(plan: BuildPlan) -> Mapping[str, str]:
    """The files of a Docker build context."""
    if plan.base.is_file:
        raise PlanError(
            f"A Dockerfile cannot start from {plan.base.reference}",
            hint="Load it (docker load -i FILE) and name what that prints with --base-image; or "
            "write a definition: envsnap build --singularity",
        )
    context = _files.image_files(plan)
    copied = [*sorted(context), *_files.carried(plan)]
    return {
        "Dockerfile": render("Dockerfile.j2", _values(plan, context)),
        ".dockerignore": render("dockerignore.j2", {"files": copied}),
        **context,
    }


def _values(plan: BuildPlan, context: Mapping[str, str]) -> Mapping[str, object]:
    tools = _named(plan, tool=True)
    data = Data(plan, context)
    return {
        "seen": lambda step: data.seen_by(step.seen),
        "plan": plan, "home": HOME, "kit": f"{_MOUNTS}/kit", "data": f"{_MOUNTS}/data",
        "built": "/opt/envsnap-built", "read_by": _files.READ_BY,
        "passwords": _files.PASSWORDS if _files.PASSWORDS in context else "",
        "kit_files": [_files.INSTALL, *VERIFIER],
        "python_steps": _python_steps(plan), "python_from": _python_from(plan),
        "tools_from": _tools_from(plan),
        "sources_from": "python" if plan.interpreter.how == "compiled" else plan.base.pinned,
        "tool_steps": [
            Step(("tools",), (_files.PYTHON, _files.TOOLS, *tools), network=True, kit="copied")
        ] if _files.TOOLS in context else [],
        "conda_step": _conda(plan),
        "source_steps": _source_steps(plan, context),
        "steps": _steps(plan, context),
        "embedded": _files.embedded(plan),
        "proof_files": _files.proof_files(plan),
        "finish": Step(("finish", *_files.compared_by(plan)), kit="alone"),
    }  # fmt: skip


def _python_from(plan: BuildPlan) -> str:
    """What the stage that brings the interpreter starts from: it is compiled for its own base."""
    is_compiled = plan.interpreter.how == "compiled"
    return (plan.base if is_compiled else plan.builder or plan.base).pinned


def _python_steps(plan: BuildPlan) -> list[Step]:
    """What brings the interpreter, where the base image has none."""
    if plan.interpreter.how not in {"archive", "compiled"}:
        return []
    found = []
    if plan.system.compiler:
        debs = (_files.DEBS_PYTHON,) if plan.offline else ()
        files = (_files.SYSTEM_PYTHON, *debs)
        found.append(Step(("system", "python"), files, network=not plan.offline, kit="alone"))
    files = (_files.PYTHON, *_named(plan, tool=False))
    network = plan.interpreter.url is not None
    return [*found, Step(("python",), files, network=network, kit="alone")]


def _tools_from(plan: BuildPlan) -> str:
    """Where the tools are fetched: by that Python, where nothing else has one of its own."""
    is_compiled = plan.interpreter.how == "compiled"
    if plan.interpreter.how == "archive" or (is_compiled and plan.builder is None):
        return "python"
    return (plan.builder or plan.base).pinned


def _conda(plan: BuildPlan) -> Step | None:
    """What unpacks conda's packages, where there are any."""
    if not plan.conda:
        return None
    network = len(plan.carried_conda) < len(plan.conda)
    return Step(("conda",), (CONDA,), network=network, kit="copied")


def _steps(plan: BuildPlan, context: Mapping[str, str]) -> list[Step]:
    """What makes the image itself; packages of the distribution first, as verify expects it."""
    found = []
    if _files.SYSTEM in context:
        debs = (_files.DEBS,) if plan.offline else ()
        found.append(
            Step(("system",), (_files.SYSTEM, *debs), network=not plan.offline, kit="alone")
        )
    if not plan.conda:
        found.append(Step(("environment",), (_files.PYTHON,), kit="alone"))
    layers = [_layer(plan, context, *each) for each in _files.named_layers(plan).items()]
    settled = settled_layers(plan.layers)
    found += layers[:settled]
    if plan.sources:
        found.append(Step(("built",), (_files.SOURCES, _files.BUILT, _files.PYTHON), built=True))
    found += layers[settled:]
    if plan.project:
        found.append(Step(("project",), (_files.PROJECT,), kit="alone"))
    return found


def _layer(plan: BuildPlan, context: Mapping[str, str], name: str, layer: Layer) -> Step:
    """What installs one layer."""
    texts = sorted(path for path in context if _is_of(path, name))
    own = _read_by_layer(plan, layer)
    network = any(each.url is not None for each in layer.wheels)
    return Step(("layer", name), (*texts, *own, *_travelling(layer.wheels)), network=network)


def _read_by_layer(plan: BuildPlan, layer: Layer) -> tuple[str, ...]:
    """What a layer's step reads beside its own texts."""
    if layer.unpacked:
        return (_files.UNPACK,)
    return () if plan.installer.name == "uv" else (_files.PYTHON,)


def _is_of(path: str, layer: str) -> bool:
    return path.startswith(f"{_files.LAYERS}/") and f"{layer}." in path


def _source_steps(plan: BuildPlan, context: Mapping[str, str]) -> list[Step]:
    """What the stage does that builds source archives; nothing where there are none."""
    if not plan.sources:
        return []
    where = _files.SOURCES_TOML if plan.installer.name == "uv" else _files.ADDRESSES
    files = (_files.PYTHON, _files.SOURCES, where, *_travelling(plan.sources))
    return [
        *([Step(("system", "builder"), (_files.SYSTEM_BUILDER,), network=True, kit="alone")]
          if _files.SYSTEM_BUILDER in context else []),
        Step(("sources",), files, network=True),
    ]  # fmt: skip


def _travelling(artifacts: tuple[Artifact, ...]) -> tuple[str, ...]:
    """The files of the folder of wheels that a step needs."""
    found = sorted(f"{WHEELS}/{each.filename}" for each in artifacts if each.url is None)
    return (WHEELS,) if len(found) > _MOST_MOUNTS else tuple(found)


def _named(plan: BuildPlan, *, tool: bool) -> tuple[str, ...]:
    """The travelling files that are no packages: the installer's own, or the interpreter's."""
    return tuple(
        f"{WHEELS}/{each.filename}" for each in travelling_tools(plan) if each.tool is tool
    )
