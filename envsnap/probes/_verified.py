"""Every installed file hashed against RECORD: what differs, as a manifest tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from envsnap.host import ToVerify, Verified
from envsnap.probes._anchors import Anchors, text
from envsnap.probes._dist_info import Found
from envsnap.probes._draft import Told
from envsnap.probes._interpreter import Interpreter
from envsnap.probes._registry import Look
from envsnap.sections import Changes, Fact, Reason, Unknown

_NO_RECORD = Unknown(Reason.NOT_SUPPORTED, "it has no RECORD")


def start_verifying(
    look: Look, interpreter: Interpreter, seen: Sequence[Found]
) -> Callable[[], Mapping[str, Told]]:
    """Start hashing the files of all that have a RECORD; the answers are by their path."""
    having = [each for each in seen if "RECORD" in each.files and each.kind == "dist-info"]
    asked = [
        ToVerify(f"{each.path}/RECORD", _prefix_of(each.folder, interpreter)) for each in having
    ]
    pending = look.host.verified(asked, look.options.listen)
    anchors = look.anchors

    def answers() -> Mapping[str, Told]:
        told = dict.fromkeys((each.path for each in seen), Told(None, _NO_RECORD))
        for each, answer in zip(having, pending(), strict=True):
            told[each.path] = _told(answer, anchors)
        return told

    return answers


def _prefix_of(folder: str, interpreter: Interpreter) -> str:
    """The environment that a folder belongs to; empty where it belongs to none."""
    user_site = str(interpreter.said.get("user_site") or "")  # BASE/lib/pythonX.Y/site-packages
    bases = (interpreter.prefix, interpreter.base_prefix, user_site.rsplit("/", 3)[0])
    around = [
        each for each in bases if each.rstrip("/") and folder.startswith(f"{each.rstrip('/')}/")
    ]
    return max(around, key=len, default="")


def _told(answer: Fact[Verified], anchors: Anchors) -> Told:
    if isinstance(answer, Unknown):
        return Told(answer, answer, answer)
    changes = Changes(
        edited=_named(answer, "edited", anchors),
        missing=_named(answer, "missing", anchors),
        extra=_named(answer, "extra", anchors),
        unchecked=_named(answer, "unchecked", anchors),
        files=answer.files,
    )
    return Told(answer.content, changes, answer.outside)


def _named(answer: Verified, kind: str, anchors: Anchors) -> tuple[str, ...]:
    """The paths of one kind, told relative to the package's folder; the last counts the rest."""
    paths: tuple[str, ...] = getattr(answer, kind)
    named = sorted(_shown(path, anchors) for path in paths)
    left = answer.more.get(kind, 0)
    return (*named, f"... and {left} more") if left else tuple(named)


def _shown(path: str, anchors: Anchors) -> str:
    """A path as RECORD has it. One that begins with `../`, `/` or `{` leads out of the folder."""
    if path.startswith("/"):
        return anchors.anchor(path)
    return "./" + text(path) if path.startswith("{") else text(path)
