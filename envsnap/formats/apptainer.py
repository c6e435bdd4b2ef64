"""A definition file for Apptainer and Singularity, and the files it copies."""

from __future__ import annotations

import re
from collections.abc import Mapping

from envsnap.errors import PlanError
from envsnap.formats._files import carried, image_files, values
from envsnap.formats._registry import container_format
from envsnap.formats._templates import render
from envsnap.manifest import FILE_NAME
from envsnap.plan import BuildPlan

_SECTION_LIMIT = 48 * 1024
"""A section of 64 KiB ends the build; ours stay well below."""
_SECTION = re.compile(r"(?m)^%(?=[a-z])")


@container_format("apptainer", title="Apptainer definition", main="envsnap.def")
def apptainer(plan: BuildPlan) -> Mapping[str, str]:
    """The definition file and what its %files names."""
    context = image_files(plan)
    copied = [(name, "manifest.json" if name == FILE_NAME else name) for name in sorted(context)]
    copied += [(name, name) for name in carried(plan)]
    text = render("envsnap.def.j2", {**values(plan), "copied": copied})
    for section in _SECTION.split(text):
        if len(section) > _SECTION_LIMIT:
            name = section.split(None, 1)[0]
            raise PlanError(
                f"The section %{name} of the definition would have {len(section)} bytes"
            )
    return {"envsnap.def": text, **context}
