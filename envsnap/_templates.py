"""The texts of templates: the package's, zipped or not, else those of the checkout around it."""

from __future__ import annotations

import os


def template(name: str) -> str:
    """A template's text, by its path below the folder of templates."""
    from pkgutil import get_data

    try:
        return (get_data("envsnap", f"templates/{name}") or b"").decode()
    except OSError:
        checkout = os.path.dirname(os.path.dirname(__file__))
        with open(os.path.join(checkout, "templates", name), encoding="utf-8") as file:
            return file.read()
