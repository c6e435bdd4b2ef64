"""What each rule says of a pair that triggers it: `_examples.json`, made from the tests' cases."""

from __future__ import annotations

import os
from functools import cache

from envsnap._typing import NamedTuple, cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.abc import SourceLoader


class Example(NamedTuple):
    """One pair that a rule has something to say of, and one of which it just has not."""

    outcome: str
    """Of the finding; 'condition' where the rule lowers the claim without one."""
    says: str
    wanted: str | None
    found: str | None
    """The finding's two values; None where it has none."""
    remedy: str | None
    """The step that mends it; None where nothing can."""
    but: str
    """What is otherwise in the pair of which the rule says nothing."""


def example(code: str) -> Example | None:
    """The example of a rule; None where none was made."""
    found = _examples().get(code)
    return None if found is None else Example(**found)


@cache
def _examples() -> dict[str, dict[str, str]]:
    import json

    path = os.path.join(os.path.dirname(__file__), "_examples.json")
    # Both the loader of files and that of zip archives have it.
    loader = cast("SourceLoader", __spec__.loader)
    return cast("dict[str, dict[str, str]]", json.loads(loader.get_data(path)))
