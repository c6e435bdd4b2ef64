"""The environment variables that change results: a closed list, so that no secret is among them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from envsnap.facts import determinism
from envsnap.probes._anchors import Anchors, text
from envsnap.probes._registry import Look, probe
from envsnap.probes._urls import clean_url
from envsnap.sections import Environ, Unknown

_MORE: Mapping[str, str] = {
    "CONDA_DEFAULT_ENV": "path",
    "CUDA_HOME": "path",
    "CUDA_PATH": "path",
    "JAX_DISABLE_JIT": "text",
    "KMP_AFFINITY": "text",
    "LC_CTYPE": "text",
    "LC_NUMERIC": "text",
    "NVIDIA_DRIVER_CAPABILITIES": "text",
    "NVIDIA_REQUIRE_CUDA": "text",
    "NVIDIA_VISIBLE_DEVICES": "devices",
    "OMPI_MCA_btl": "text",
    "OMP_PLACES": "text",
    "OMP_PROC_BIND": "text",
    "OMP_SCHEDULE": "text",
    "PYTHONDONTWRITEBYTECODE": "text",
    "PYTHONWARNINGS": "text",
    "TF_FORCE_GPU_ALLOW_GROWTH": "text",
    "TF_XLA_FLAGS": "text",
    "TORCH_CUDA_ARCH_LIST": "text",
    "VECLIB_MAXIMUM_THREADS": "text",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "text",
}
"""Variables beside those of the table of determinism, and what each holds."""

_LONGEST = 4096
_UUID = r"\b(GPU|MIG)-(?:GPU-)?[0-9A-Fa-f][0-9A-Fa-f/-]*"
_BEGINS = r"(?<![\w.{}/~-])"
_PLACE = (
    r"(?P<url>[A-Za-z][A-Za-z0-9+.-]*://[^\s,;'\"]+)|" + _BEGINS + r"(?:~/|/)[^\s:;,'\"=]+"
    r"(?: [\w.][\w. -]*/[^\s:;,'\"=]*)*"  # a folder with a space in its name
)
_ENDS = r"(?=[/\s:;,'\"]|\Z)"


@probe(Environ)
def probe_environ(look: Look) -> Environ:
    """The variables of the list that are set."""
    variables = {}
    for name in sorted(names()):
        value = look.host.environ(name)
        if isinstance(value, Unknown):
            return Environ(variables=value)
        if value is not None:
            variables[name] = publishable(
                value[:_LONGEST], held(name), look.anchors, identify=look.options.identify
            )
    return Environ(variables=variables)


def names() -> frozenset[str]:
    """Every variable that is looked at."""
    return determinism.names() | _MORE.keys()


def held(name: str) -> str:
    """What a variable holds: text, path, paths, libraries or devices.

    Libraries are paths that a space divides, too; in a list of folders it is part of a name.
    """
    if name == "LD_PRELOAD":
        return "libraries"
    return determinism.holds(name) or _MORE[name]


def publishable(value: str, holds: str, anchors: Anchors, *, identify: bool) -> str:
    """The value without folders of a person, credentials of an address, serials of a card."""
    if holds == "devices":
        return text(value) if identify else re.sub(_UUID, r"\1-{uuid}", text(value))
    if holds == "paths":
        value = ":".join(_place(part, anchors) for part in value.split(":"))
    elif holds == "path":
        value = _place(value, anchors)
    elif holds == "libraries":
        parts = re.split("([: ])", _from_anchors(value, anchors))
        value = "".join(_place(part, anchors) for part in parts)
    else:
        value = text(_from_anchors(value, anchors))
        value = re.sub(_PLACE, lambda found: _told(found, anchors), value)
    if anchors.home and anchors.home != "/":  # also where no path begins: 'x/home/anna'
        return re.sub(re.escape(anchors.home) + r"(?![\w-])", "{home}", value)
    return value


def _told(found: re.Match[str], anchors: Anchors) -> str:
    return clean_url(found[0], anchors) if found["url"] else anchors.anchor(found[0])


def _from_anchors(value: str, anchors: Anchors) -> str:
    """The value with its known folders told from their anchors, whatever their names hold."""
    folders = {folder: name for name, folder in anchors._asdict().items() if folder}
    for folder in sorted(folders, key=len, reverse=True):
        if folder not in {"/", "/usr"}:
            place = re.compile(_BEGINS + re.escape(folder.rstrip("/")) + _ENDS)
            value = place.sub("{" + folders[folder] + "}", value)
    return value


def _place(path: str, anchors: Anchors) -> str:
    """A path of a list. An empty part is the working folder to ld.so and Python: it stays."""
    return anchors.anchor(path) if path.startswith(("/", "~")) else text(path)
