"""The two JSON files of a recording, written.

`null` is *known absent*, `{"unknown": CODE, "detail": ...}` stands in the place of an answer.
"""

from __future__ import annotations

import base64
import json

from envsnap._typing import Any
from envsnap.host._answers import FORMAT, Answers
from envsnap.host._protocol import Binary, Ran, Stat, StatedDigest, Uname
from envsnap.sections import Reason, Unknown

Json = Any  # the one type that JSON itself has


def files_text(answers: Answers) -> str:
    """The text of files.json: one row a path, sorted."""
    rows = [
        json.dumps({"path": path, **_row(answers, path)}, sort_keys=False)
        for path in answers.paths()
    ]
    return "[\n" + ",\n".join(rows) + "\n]\n" if rows else "[]\n"


def _row(answers: Answers, path: str) -> dict[str, Json]:
    row: dict[str, Json] = {}
    if path in answers.links:
        row["link"] = _plain(answers.links[path])
    if path in answers.reals:
        row["real"] = _plain(answers.reals[path])
    if path in answers.stats:
        row["stat"] = _plain(answers.stats[path])
    if path in answers.lists:
        row["list"] = _plain(answers.lists[path])
    if path in answers.denied:
        row["denied"] = True
    if path in answers.cut:
        row["cut"] = True
    if path in answers.reads:
        row.update(_content(answers.reads[path]))
    return row


def _content(found: bytes | Unknown | None) -> dict[str, Json]:
    if not isinstance(found, bytes):
        return {"read": _plain(found)}
    try:
        text = found.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(found).decode()}
    return {"base64": base64.b64encode(found).decode()} if "\0" in text else {"text": text}


def host_text(answers: Answers) -> str:
    """The text of host.json: what is asked of a machine and not of a path."""
    tree: dict[str, Json] = {
        "format": FORMAT,
        "commands": [
            {"argv": list(argv), **_plain(ran)} for argv, ran in sorted(answers.runs.items())
        ],
    }
    if answers.tree:
        tree["tree"] = True
        tree["absent_below"] = sorted(answers.absent_below)
    for name in ("uname", "user", "home", "cwd", "nvml"):
        found = getattr(answers, name)
        if not (isinstance(found, Unknown) and found.reason is Reason.NOT_RECORDED):
            tree[name] = _plain(found)
    for name in ("environ", "which", "capacities", "digests", "binaries", "contents"):
        tree[name] = {key: _plain(found) for key, found in getattr(answers, name).items()}
    return json.dumps(tree, indent=1, sort_keys=True) + "\n"


def _plain(found: object) -> Json:
    """An answer as JSON's own types."""
    if isinstance(found, Unknown):
        plain = {"unknown": found.reason.value}
        return plain if found.detail is None else {**plain, "detail": found.detail}
    if isinstance(found, Binary):
        return {
            name: value for name, value in found._asdict().items() if value not in {None, (), False}
        }
    if isinstance(found, (Stat, Uname, Ran, StatedDigest)):
        return {name: _plain(value) for name, value in found._asdict().items()}
    return found
