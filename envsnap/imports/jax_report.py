"""What `jax.print_environment_info()` prints; the nvidia-smi table below it is read for itself."""

from __future__ import annotations

import re

from envsnap.imports._core import NOT_TOLD, Text, Told, reader
from envsnap.imports._listed import listed, packages
from envsnap.imports._systems import Platform, os_of, python_of
from envsnap.sections import replace

_LINE = re.compile(r"^[ \t]*(jax|jaxlib|numpy|python):[ \t]+(\d\S*.*?)[ \t]*$", re.MULTILINE)
_VERSION = re.compile(r"(\d+(?:\.\d+)+[\w.+]*)")
_UNAME = re.compile(
    r"uname_result\(system='(\w{1,20})', node='[^']*', release='([^']{1,120})', "
    r"version='([^']{1,200})', machine='(\w{1,20})'"
)
_SYSTEMS = frozenset({"Linux", "Darwin", "Windows"})


@reader("jax.print_environment_info")
def read_report(text: Text) -> Told | None:
    """JAX's versions, the interpreter and the kernel; the name of the machine is left out."""
    words: dict[str, str] = {}
    for name, value in _LINE.findall(text.text):
        words.setdefault(name, value)
    if not {"jax", "jaxlib"} <= words.keys():
        return None
    found = [
        listed(name, match[1])
        for name in ("jax", "jaxlib", "numpy")
        if (match := _VERSION.match(words.get(name, "")))
    ]
    told = _UNAME.search(text.text)
    is_known = told is not None and told[1] in _SYSTEMS
    platform = Platform(told[1], told[2], told[4], NOT_TOLD) if told and is_known else None
    system = os_of(platform)
    if told and platform is not None and platform.system == "Linux":
        system = replace(system, kernel_build=told[3])
    sections = {
        "python": python_of(words.get("python", ""), platform),
        "os": system,
        "packages": packages(found, is_whole=False, conda_only=()),
    }
    return Told("jax.print_environment_info", sections)
