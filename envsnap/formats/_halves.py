"""The two texts that turn a recipe into one half of a build: the other half needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from envsnap.formats._files import DEBS
from envsnap.formats._registry import named
from envsnap.formats._templates import Quoted, render
from envsnap.formats.slurm import options
from envsnap.manifest import FILE_NAME
from envsnap.plan import BatchJob, BuildPlan
from envsnap.plan._model import CONDA, WHEELS

BUILD = "build.sh"
README = "README.txt"
BASE = "base.tar"
"""The base image as an oci-archive, beside the recipe."""
BUILDER = "builder.tar"
"""The image that unpacks conda's packages, likewise."""
IMAGE = "envsnap.sif"
_MIB = 1 << 20
_SPARE_MIB = 256
_BASE_SWELLS = 4
"""How many times its compressed size a base image takes: unpacked, and its layers once more."""
_WHEELS_SWELL = 5
"""The same of wheels: a copy of each in the image's folder, and about three times that unpacked."""


class Contents(NamedTuple):
    """What a folder that was fetched holds. Bytes."""

    files: int
    size: int
    base: int
    """The archives of images; 0 where none travels."""
    formats: tuple[str, ...]
    images: tuple[str, ...] = (BASE,)
    """The archives of images, the base's first; empty where none travels."""
    notes: tuple[str, ...] = ()
    """What whoever builds has to know."""

    @property
    def work_mib(self) -> int:
        """Room for what passes by, MiB: generous, for a build that ends half-way costs more."""
        rest = self.size - self.base
        return (self.base * _BASE_SWELLS + rest * _WHEELS_SWELL) // _MIB + _SPARE_MIB

    @property
    def image_mib(self) -> int:
        """Room for the image, MiB."""
        return (self.size + self.size // 4) // _MIB + _SPARE_MIB // 4


def build_script(plan: BuildPlan, contents: Contents) -> Mapping[str, str]:
    """`build.sh`, for POSIX shells."""
    return {
        BUILD: render(
            "build.sh.j2",
            {
                "environment": plan.environment, "image": IMAGE, "gpu": plan.gpu,
                "job": slurm_options(plan.job), "epoch": str(plan.epoch),
                "work_mib": str(contents.work_mib), "image_mib": str(contents.image_mib),
            },
        )
    }  # fmt: skip


def readme(plan: BuildPlan, contents: Contents) -> Mapping[str, str]:
    """`README.txt`, for whoever finds the folder on another machine."""
    values = {
        "environment": plan.environment, "captured": plan.captured, "image": IMAGE,
        "docker": bool({"dockerfile", "devcontainer"} & {*contents.formats}),
        "devcontainer": "devcontainer" in contents.formats,
        "apptainer": "apptainer" in contents.formats,
        "archives": contents.images if contents.base else (),
        "gpu": plan.gpu, "rows": _rows(plan, contents),
        "count": str(contents.files), "size": f"{contents.size / 1e6:.0f} MB",
        "work_mib": str(contents.work_mib), "image_mib": str(contents.image_mib),
        "notes": contents.notes,
    }  # fmt: skip
    return {README: render("README.txt.j2", values)}


def _rows(plan: BuildPlan, contents: Contents) -> list[str]:
    """What lies in the folder, one line each."""
    found = [(named(each).main, f"the recipe: {named(each).title}") for each in contents.formats]
    told = {BUILDER: "the image that unpacks conda's packages"}
    found += [(each, told.get(each, "the base image")) for each in contents.images if contents.base]
    found += [(f"{WHEELS}/", "the packages, each by its hash")]
    found += [(f"{CONDA}/", "conda's packages, likewise")] if plan.conda else []
    found += [(f"{DEBS}/", "packages of the distribution")] if plan.system.image else []
    found += [("project.tar", "the project's own code")] if plan.project is not None else []
    found += [
        (FILE_NAME, "the manifest, which the image is compared with"),
        ("SHA256SUMS", "the hash of every file here: sha256sum -c SHA256SUMS"),
    ]
    return [f"{name:<20}  {what}" for name, what in found]


def slurm_options(job: BatchJob) -> Sequence[Quoted]:
    """What a job that builds asks of its site, without the dashes; a build needs no GPU.

    >>> slurm_options(BatchJob(partition="cpu", gres="gpu:1", time="01:00:00"))
    ['partition=cpu', 'time=01:00:00']
    """
    return options(job._replace(gres=None))
