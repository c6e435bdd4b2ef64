"""Write docs/base-images.md from the table of base images that the tests hold the plan against."""

from __future__ import annotations

import json
import os
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "tests", "plan", "base_table.json")
PAGE = os.path.join(ROOT, "docs", "base-images.md")
HEAD = """# Which image a build starts from

`envsnap build --explain` says it for your manifest. These are the cases that the tests hold the
plan against, each with the reason it gives and the rows of `envsnap/facts` that were compared.
Written by `make docs` from `tests/plan/base_table.json`.

"""
GIVEN = (
    "python", "free_threaded", "machine", "os", "gpu", "packages", "nvcc", "system", "needed",
    "variables", "run", "rocm", "gone",
)  # fmt: skip


def page(table: list[dict[str, Any]]) -> str:
    """The whole page."""
    return HEAD + "\n".join(map(case, table))


def case(row: dict[str, Any]) -> str:
    """One manifest, as a section."""
    given = "; ".join(
        f"{name.replace('_', ' ')} {words(row[name])}" for name in GIVEN if name in row
    )
    lines = [f"## {row['name'][:1].upper()}{row['name'][1:]}", "", f"Given: {given}", ""]
    if "base" in row:
        lines += [f"**`{row['base']}`**, Python from `{row['python_from']}`", ""]
        lines += [f"- {plain(each)}" for each in row["because"]]
    else:
        lines += [f"**No image (exit 6).** {plain(row['refused'])}", ""]
        lines += [f"- hint: {plain(row['hint'])}"]
    return "\n".join([*lines, "", f"Compared: {plain(row['review'])}.", ""])


def words(value: object) -> str:
    """A value of the table, as code."""
    if isinstance(value, dict):
        return ", ".join(f"`{name}` {each}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def plain(text: str) -> str:
    """A text in which Markdown sees no marks."""
    return text.replace("_", "\\_").replace("*", "\\*").replace("<", "&lt;")


if __name__ == "__main__":
    with open(TABLE, encoding="ascii") as file:
        text = page(json.load(file))
    with open(PAGE, "w", encoding="ascii", newline="\n") as file:
        file.write(text)
    print(os.path.relpath(PAGE, ROOT))
