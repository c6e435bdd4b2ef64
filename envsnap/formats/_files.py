"""The files that every recipe needs beside it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from urllib.parse import quote

from envsnap.formats._templates import render
from envsnap.manifest import FILE_NAME
from envsnap.plan import BuildPlan
from envsnap.plan._model import HOME, WHEELS

LOCK = "requirements.lock"
SOURCES = "requirements-source.lock"
ADDRESSES = "artifacts.html"
INSTALL = "install.sh"
VERIFY = ("verify.py", "content.py")


def requirements(plan: BuildPlan, wheels: str = WHEELS) -> Mapping[str, str]:
    """What is installed: wheels, source archives, and the addresses of both.

    `wheels` is the way from there to the files that no index has.
    """
    rows = [
        (each.url or f"{wheels}/{quote(each.filename)}", each)
        for each in (*plan.wheels, *plan.sources)
    ]
    found = {ADDRESSES: render("artifacts.html.j2", {"rows": rows})}
    for name, artifacts in ((LOCK, plan.wheels), (SOURCES, plan.sources)):
        if artifacts:
            found[name] = render("requirements.lock.j2", {"artifacts": artifacts})
    return found


def proof(plan: BuildPlan) -> Mapping[str, str]:
    """The manifest, and the program that compares an environment with it."""
    inside = resources.files("envsnap.inside")
    return {
        FILE_NAME: plan.manifest,
        **{name: inside.joinpath(name).read_text(encoding="utf-8") for name in VERIFY},
    }


def carried(plan: BuildPlan) -> list[str]:
    """The files that travel with the recipe, relative to its folder."""
    return sorted(f"{WHEELS}/{each.filename}" for each in plan.carried)


def image_files(plan: BuildPlan) -> Mapping[str, str]:
    """All of them, and the script that fills the image's environment."""
    return {**requirements(plan), INSTALL: render("install.sh.j2", values(plan)), **proof(plan)}


def values(plan: BuildPlan) -> Mapping[str, object]:
    """What the templates may name."""
    return {
        "plan": plan,
        "home": HOME,
        "files": sorted(requirements(plan)),
        "wheels": WHEELS if plan.carried else "",
        "left_out": [each.name for each in plan.left_out],
        "verify": verify_words(plan),
    }


def verify_words(plan: BuildPlan) -> list[str]:
    """The command that compares the image with its manifest, word by word."""
    without = [word for each in plan.left_out for word in ("--without", each.name)]
    return [
        f"{plan.prefix}/bin/python", "-I", "-B",
        f"{HOME}/verify.py", f"{HOME}/manifest.json", *without,
    ]  # fmt: skip
