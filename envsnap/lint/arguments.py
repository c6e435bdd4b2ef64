"""The trap of a Dockerfile's ARG: which lines see it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from envsnap.lint._dockerfile import Dockerfile, Instruction, settings_of
from envsnap.lint._model import Spot, trap

_SINGLE_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|('[^']*')", re.DOTALL)
_USED = re.compile(r"(?<!\\)\$(?!\{\w+:?[-=])\{?([A-Za-z_]\w*)", re.ASCII)
"""All but `${NAME:-default}`, which is empty nowhere."""
_PREDEFINED = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"})
"""Every stage sees these without an ARG."""
_WHEN_IT_RUNS = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD"})
"""What these say is expanded after the build, where no ARG is left in any case."""
_SET_BY_BASE: Mapping[str, re.Pattern[str]] = {
    "CUDA_VERSION": re.compile(r"(?:\A|/)nvidia/cuda(?:[:@]|\Z)"),
    "PYTHON_VERSION": re.compile(r"(?:\A|/)python(?:[:@]|\Z)"),
}
"""Names that such arguments often have, and the images whose own ENV sets them."""


@trap(
    "DKR014", of="dockerfile",
    source="Docker documentation, Understand how ARG and FROM interact",
    remedy="Declare it again behind FROM, without a value: ARG NAME",
)  # fmt: skip
def argument_of_no_stage(recipe: Dockerfile) -> Iterator[Spot]:
    """An ARG that stands before the first FROM is used behind it, where it is empty.

    FROM lines alone see it. A stage sees what it declares again, and what the stage that it starts
    from has declared.
    """
    outside = _outside(recipe)
    seen_in: dict[str, set[str]] = {}
    for number, stage in enumerate(recipe.stages):
        seen = {name for name, image in _SET_BY_BASE.items() if image.search(stage.base)}
        seen |= seen_in.get(stage.base.lower(), set())
        for each in stage.instructions:
            for name in _used(each):
                if name in outside and name not in seen:
                    yield Spot(each.line, f"${name} of line {outside[name]} is empty here")
            seen |= {row.name for row in settings_of(each) if row.kind != "LABEL"}
        seen_in[stage.name] = seen_in[str(number)] = seen


def _outside(recipe: Dockerfile) -> dict[str, int]:
    """The arguments before the first FROM, each with its line."""
    found = {}
    for each in recipe.instructions:
        if each.name == "FROM":
            break
        rows = settings_of(each) if each.name == "ARG" else []
        found.update({row.name: row.line for row in rows if row.name.upper() not in _PREDEFINED})
    return found


def _used(each: Instruction) -> list[str]:
    """The variables that an instruction reads and does not set itself."""
    if each.name in _WHEN_IT_RUNS:
        return []
    bodies = [row for document in each.heredocs for _, row in document.body]
    said = "\n".join([*(value for _, value in each.flags), each.value, *bodies])
    text = _SINGLE_QUOTED.sub(lambda found: "" if found[1] else found[0], said)
    names = dict.fromkeys(_USED.findall(text))
    return [name for name in names if each.name != "RUN" or not _set_there(name, text)]


def _set_there(name: str, script: str) -> bool:
    return re.search(rf"(?<![\w$]){name}=|\b(?:for|read)\s+{name}\b", script) is not None
