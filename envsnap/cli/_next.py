"""What to do with recipes and images: lines that can be pasted as they stand."""

from __future__ import annotations

import os
from collections.abc import Sequence

from envsnap._build import BuildOptions, Recipes
from envsnap._placed import Placed
from envsnap.cli._terminal import clean
from envsnap.engines import Built
from envsnap.formats import Format, Place, named
from envsnap.plan import BuildPlan
from envsnap.reports._lines import path_word

SIF = "envsnap.sif"
"""What an image file is called where no name was asked for: the batch script looks for it."""


def image_name(planned: BuildPlan) -> str:
    """A name that every engine takes, for whoever gave none."""
    return f"envsnap-{planned.environment}".lower()


def in_order(names: Sequence[str]) -> list[Format]:
    """The formats as their lines are printed: an image is made before it is run."""
    return sorted(map(named, names), key=lambda each: each.runs is not None)


def build_lines(options: BuildOptions, recipes: Recipes) -> list[str]:
    """How the recipes are built by hand, one line each."""
    place = Place(
        folder=clean(path_word(options.output)),
        name=image_name(recipes.plan),
        sif=clean(path_word(os.path.relpath(SIF, options.output))),
        secrets={name: clean(path_word(path)) for name, path in options.secrets.items()},
        offline=recipes.plan.offline,
    )
    return [line for each in in_order(options.formats) for line in each.by_hand(place)]


def fetched_lines(fetched: Placed, formats: Sequence[str]) -> list[str]:
    """How an image is made of what was fetched, where there is no network."""
    folder = clean(path_word(fetched.folder))
    place = Place(
        folder=folder, name=image_name(fetched.plan), sif=SIF, secrets={}, offline=True,
        loads=[f"docker load -i {folder}/{each}" for each in fetched.images],
    )  # fmt: skip
    found = [line for each in in_order(formats) for line in each.fetched(place)]
    return list(dict.fromkeys(found))


def lacking_image(options: BuildOptions) -> str | None:
    """What a script needs that runs an image which is not written here; None where it is."""
    needed = {named(name).runs for name in options.formats} - {None, *options.formats}
    if not needed:
        return None
    return f"The job needs an image: envsnap build --to {min(map(str, needed))} --image {SIF}"


def next_lines(built: Built, manifest: str) -> list[str]:
    """What comes after a build: the line that runs Python in the image, and what compares it."""
    reference = clean(path_word(built.reference))
    own = f" --against {clean(path_word(manifest))}" if manifest != "-" else ""
    return [built.run_line, f"envsnap verify {reference}{own}"]
