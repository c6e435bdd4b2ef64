"""Traps by which a secret ends up in an image, its history or its recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsnap.lint._model import Spot, trap
from envsnap.lint._recipe import Recipe

_NAMED = re.compile(
    r"(?:\A|_)(?:TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|SECRET_KEY|API_?KEY|ACCESS_KEY|"
    r"PRIVATE_KEY|CREDENTIALS?)(?:_ID)?\Z",
    re.IGNORECASE,
)
_KEPT = frozenset({"ENV", "ARG", "%environment", "%appenv"})
"""Settings that stay in the image or its history."""
_IN_URL = re.compile(r"[A-Za-z0-9]://[^/@:\s\"']*:(?P<password>[^/@\s\"']+)@")
_TOKEN_IN_URL = re.compile(
    r"https?://(?:gh[pousr]_|github_pat_|glpat-|oauth2:|x-access-token:)[^/@\s\"']*@"
)
_FILES = re.compile(
    r"(?:\A|/)(?:\.netrc|_netrc|\.pypirc|pip\.conf|\.env|\.git-credentials|\.npmrc|id_rsa|"
    r"id_ed25519|id_ecdsa|\.aws|\.ssh|\.docker|\.kube)(?:/.*)?\Z"
)


@trap(
    "BLD030", of="recipe", source="Docker documentation, Build secrets",
    remedy="Mount it for the one step: RUN --mount=type=secret,id=netrc,required=true ...; for a "
    "definition: apptainer build --bind netrc:/mnt/netrc",
)  # fmt: skip
def secret_in_a_variable(recipe: Recipe) -> Iterator[Spot]:
    """A secret is given as ENV, ARG or in %environment: whoever has the image can read it.

    `docker history` shows the arguments of a build as well.
    """
    for each in recipe.settings:
        asked = each.kind == "ARG" or (each.value and not each.value.startswith("$"))
        if each.kind in _KEPT and asked and _NAMED.search(each.name):
            yield Spot(each.line, f"{each.name} stands in {each.kind}: the image's readers see it")


@trap(
    "BLD031", of="recipe", source="Docker documentation, Build secrets",
    remedy="Leave it out of the address, and mount a .netrc for the one step that needs it",
)  # fmt: skip
def secret_in_an_address(recipe: Recipe) -> Iterator[Spot]:
    """An address carries a password or token: it stays in the recipe, its layers and its history.

    This is how PIP_EXTRA_INDEX_URL and `git clone` leak them.
    """
    found = [
        (each.line, each.name) for each in recipe.settings
        if each.kind != "script" and carries_secret(each.value or "")
    ]  # fmt: skip
    for script in recipe.scripts:
        for command in script.commands:
            texts = (*command.words, *(value for _, value in command.assigned))
            if any(carries_secret(text) for text in texts):
                found.append((command.line, f"A command ({command.name or 'an assignment'})"))
    for line, who in found:
        yield Spot(line, f"{who} has an address with a password or token in it")


@trap(
    "BLD032", of="recipe", source="Docker documentation, Build secrets",
    remedy="Mount it for the one step that needs it, and keep it out of the context",
)  # fmt: skip
def secret_that_is_copied(recipe: Recipe) -> Iterator[Spot]:
    """A file that usually holds secrets is copied into the image.

    Removing it in a later step leaves it in its layer.
    """
    for each in recipe.copied:
        for name in each.sources:
            if _FILES.search(name.rstrip("/")):
                yield Spot(each.line, f"{name} is copied into the image")


def carries_secret(text: str) -> bool:
    """Whether an address in the text has a password of its own, not a variable's."""
    found = _IN_URL.search(text)
    written = found is not None and not found["password"].startswith(("$", "{"))
    # A variable is as bad where its value ends in the image: it is expanded before it is kept.
    return written or _TOKEN_IN_URL.search(text) is not None or found is not None
