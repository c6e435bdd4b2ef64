"""Following symbolic links inside a tree that is not this machine's own."""

from __future__ import annotations

from collections.abc import Callable

from envsnap.sections import Fact, Unknown

MOST_LINKS = 40
"""How many links a path may go through; Linux itself stops there (ELOOP)."""


def follow(path: str, link_at: Callable[[str], Fact[str | None]]) -> Fact[str | None]:
    """The path that remains when every link is followed; absolute, and never above the root.

    `link_at` answers for one absolute path without links above its last part: where the link
    points; "" where it is no link; None or an unknown, which end the way, where it is nothing.
    None is also the answer for a loop of links.
    """
    waiting = path.split("/")[::-1]
    place: list[str] = []
    links = 0
    while waiting:
        name = waiting.pop()
        if name == "..":
            place = place[:-1]  # at the root it stays there
        if name in {"", ".", ".."}:
            continue
        target = link_at("/".join(["", *place, name]))
        if target is None or isinstance(target, Unknown):
            return target
        if not target:
            place.append(name)
            continue
        links += 1
        if links > MOST_LINKS:
            return None
        place = [] if target.startswith("/") else place
        waiting.extend(target.split("/")[::-1])
    return "/" + "/".join(place)
