"""What to do with recipes and images: lines that can be pasted as they stand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from envsnap._build import BuildOptions, Recipes
from envsnap.cli._terminal import clean
from envsnap.engines import Built
from envsnap.plan import BuildPlan
from envsnap.reports._lines import path_word

SIF = "envsnap.sif"
"""What an image file is called where no name was asked for: the batch script looks for it."""
_MOUNTED = "/mnt"
"""Where %post of a definition finds the files that it may read."""
_PLACES = {
    "dockerfile": 0, "apptainer": 1, "repo2docker": 2, "conda": 3, "devcontainer": 4, "slurm": 5,
}  # fmt: skip
"""Whatever the order of --to, what makes an image comes before what runs one."""


def image_name(planned: BuildPlan) -> str:
    """A name that every engine takes, for whoever gave none."""
    return f"envsnap-{planned.environment}".lower()


def in_order(formats: Sequence[str]) -> list[str]:
    """The formats as their lines are printed: an image is made before it is run."""
    return sorted(formats, key=_PLACES.__getitem__)


def build_lines(options: BuildOptions, recipes: Recipes) -> list[str]:
    """How the recipes are built by hand, one line each."""
    folder = clean(path_word(options.output))
    secrets = "".join(
        f" --secret id={name},src={path_word(path)}" for name, path in options.secrets.items()
    )
    network = " --network none" if recipes.plan.offline else ""
    name = image_name(recipes.plan)
    sif = clean(path_word(os.path.relpath(SIF, options.output)))
    lines = {
        "dockerfile": f"docker build{network}{clean(secrets)} -t {name} {folder}",
        "apptainer": _apptainer_line(folder, sif, options.secrets),
        "repo2docker": f"repo2docker {folder}",
        "conda": f"conda env create -n {name} -f {folder}/environment.yml",
        "devcontainer": f"devcontainer up --workspace-folder {folder}",
        "slurm": f"sbatch {folder}/job.sbatch python PROGRAM",
    }
    return [lines[each] for each in in_order(options.formats)]


def _apptainer_line(folder: str, sif: str, secrets: Mapping[str, str]) -> str:
    """The line that builds a definition; what it may read lies in a folder that goes afterwards."""
    if not secrets:
        return f"cd {folder} && apptainer build {sif} envsnap.def"
    copies = " && ".join(
        f'cp {clean(path_word(path))} "$d"/{name}' for name, path in secrets.items()
    )
    built = f'cd {folder} && apptainer build --bind "$d":{_MOUNTED}:ro {sif} envsnap.def'
    return f'd=$(mktemp -d) && {copies} && ({built}); rm -r "$d"'


def lacking_image(options: BuildOptions) -> str | None:
    """What a batch script needs that is not written here; None where it is."""
    if "slurm" not in options.formats or "apptainer" in options.formats:
        return None
    return f"The job needs an image: envsnap build --singularity --image {SIF}"


def next_lines(built: Built, manifest: str) -> list[str]:
    """What comes after a build: the line that runs Python in the image, and what compares it."""
    reference = clean(path_word(built.reference))
    own = f" --against {clean(path_word(manifest))}" if manifest != "-" else ""
    return [built.run_line, f"envsnap verify {reference}{own}"]
