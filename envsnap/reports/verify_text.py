"""verify's answer for people: whether an image is the environment, and where it is not."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence

from envsnap._units import size_words
from envsnap.errors import ExitCode
from envsnap.inside import compared
from envsnap.manifest import document, environment_id
from envsnap.proof import NotProved, Tampered, Verified
from envsnap.reports._lines import Line, Part, labelled, line, path_word
from envsnap.reports._shown import bounded, clean, shown
from envsnap.sections import Unknown

_INDENT = 12
_LISTED = 30
_NAMED = 8
_DIGEST = 19
"""'sha256:' and twelve digits."""
_ORDER = (
    "manifest", "label", "base", "overlay", "doubtful", "link", "verifier", "interpreter",
    "outside", "setting", "project", "python", "not-installed", "version", "content", "twice",
    "not-wanted", "edited", "missing", "unreadable", "unchecked", "script", "unowned",
)  # fmt: skip
"""The kinds, those first that explain others."""


def text(verified: Verified, *, width: int = 80) -> list[Line]:
    """The whole report."""
    return [
        *_head(verified, width),
        line(),
        _answer(verified),
        *_differences(verified, width),
        *_not_proved(verified, width),
        *_rest(verified, width),
    ]


def brief(verified: Verified, width: int = 80) -> list[Line]:
    """The answer alone, and what differs."""
    return [_answer(verified), *_differences(verified, width)]


def _head(verified: Verified, width: int) -> Iterator[Line]:
    proof = verified.proof
    named = environment_id(verified.wanted)
    environment = "" if isinstance(named, Unknown) else f", environment {named}"
    manifest = f"{bounded(verified.published, 200)}{environment}"
    if not verified.published:
        manifest = f"the one inside{environment}"
    python = f"Python {proof.python} and " if proof.python else ""
    compared_ = (
        f"{python}{_count(proof.packages, 'package')} in {proof.prefix}, "
        f"{_count(proof.files, 'file')}, {size_words(proof.size)}; nothing of it was started"
    )
    yield line(f"{'Image':<{_INDENT}}", clean(verified.image))
    if verified.digest:
        yield line(" " * _INDENT, clean(verified.digest))
    for label, said in (("Manifest", manifest), ("Compared", compared_)):
        yield from labelled(label, said, width=width, indent=_INDENT)


def _answer(verified: Verified) -> Line:
    """The question, and its answer in a word."""
    words = {
        ExitCode.OK: Part("YES", "good"),
        ExitCode.NO: Part("NO", "bad"),
        ExitCode.CANNOT_TELL: Part("CANNOT TELL", "warn"),
    }
    count = len(verified.tampered)
    why = f"   {_count(count, 'difference')}" if count else ""
    return line("  Is it the environment?  ", words[verified.exit_code], why)


def _differences(verified: Verified, width: int) -> Iterator[Line]:
    found = sorted(verified.tampered, key=lambda each: _ORDER.index(each.kind))
    if not found:
        return
    yield line()
    for each in found[:_LISTED]:
        yield from _difference(each, verified.proof.layers, width)
    if len(found) > _LISTED:
        yield line(f"  and {len(found) - _LISTED:,} more: --json lists them all")


def _difference(each: Tampered, layers: Sequence[str], width: int) -> Iterator[Line]:
    first, *rest = _filled(bounded(each.says, 1000), width - 17)
    yield line(Part(f"  {each.kind:<14}", "bold"), first)
    rest += _layer_words(each, layers, width - 17)
    rest += _names_words("replaced by a later layer:", each.others, width - 17)
    for more in rest:
        yield line(" " * 16, more)


def _layer_words(each: Tampered, layers: Sequence[str], width: int) -> list[str]:
    """Which layer brought a file, and over which."""
    if each.layer is None or len(layers) < 2:  # noqa: PLR2004 - one layer tells nothing
        return []
    digest = layers[each.layer][:_DIGEST] if each.layer < len(layers) else ""
    over = f", over layer {' and '.join(str(at + 1) for at in each.over)}" if each.over else ""
    return _filled(f"layer {each.layer + 1} of {len(layers)} brought it{over} ({digest})", width)


def _names_words(label: str, names: Sequence[str], width: int) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    said = f"{label} {', '.join(names[:_NAMED])}{more}".strip()
    return _filled(said, width)


def _not_proved(verified: Verified, width: int) -> Iterator[Line]:
    if not verified.not_proved:
        return
    yield line()
    yield line("Not proved")
    for each in verified.not_proved:
        yield from _unproved(each, width, accepted=each.code in verified.allowed)


def _unproved(each: NotProved, width: int, *, accepted: bool) -> Iterator[Line]:
    count = f"{len(each.names):,}: " if each.names else ""
    said = f"{count}{each.says}" + (" (accepted)" if accepted else "")
    first, *rest = _filled(said, width - 17)
    yield line(Part(f"  {each.code:<14}", "dim" if accepted else "warn"), first)
    for more in (*rest, *_places(each.names, width - 17)):
        yield line(" " * 16, more)


def _places(names: Sequence[str], width: int) -> list[str]:
    """Few names as they are; of many files, the folders and how many each has."""
    if len(names) <= _NAMED or not all(each.startswith("/") for each in names):
        return _names_words("", names, width)
    folders = Counter(posixpath.dirname(each).removesuffix("/__pycache__") for each in names)
    lines = [f"{count:,} below {folder or '/'}" for folder, count in folders.most_common(_NAMED)]
    left = len(folders) - _NAMED
    more = [f"and in {_count(left, 'other folder')}"] if left > 0 else []
    return [each for said in (*lines, *more) for each in _filled(said, width)]


def _rest(verified: Verified, width: int) -> Iterator[Line]:
    """What the answer rests on, and what it cannot be about."""
    yield line()
    proof = verified.proof
    by_version = len(proof.by_version)
    said = [f"{_count(proof.proved, 'package')} by the digest of all files"]
    said += [f"{by_version:,} by version alone"] if by_version else []
    yield from labelled("Proved", "; ".join(said), width=width, indent=_INDENT)
    if proof.outside:
        words = (
            f"{_count(proof.outside, 'file')} by RECORDs inside alone: outside of site-packages, "
            "or bytecode of a wheel's own"
        )
        yield from labelled("", words, width=width, indent=_INDENT)
    yield from _base(verified, width)
    yield from _system(verified, width)
    host = [f"{what} {said}" for what, said in compared.host_facts(document(verified.wanted))]
    if host:
        words = f"{', '.join(host)} were the author's; envsnap check compares yours"
        yield from labelled("No image's", words, width=width, indent=_INDENT)
    if verified.embedded:
        words = f"{_count(len(verified.embedded), 'file')} that no index has: --extract DIR"
        yield from labelled("Inside", words, width=width, indent=_INDENT)
    if not verified.published:
        words = "whoever changes an image can change its manifest, too: give the published one"
        yield from labelled("But", words, width=width, indent=_INDENT)
        command = f"envsnap verify {path_word(clean(verified.image))} --against FILE"
        yield line(" " * _INDENT, command)


def _base(verified: Verified, width: int) -> Iterator[Line]:
    """What is known of the base image; its reference whole, so that it can be copied."""
    if verified.base:
        words = "what the environment lies on is the base image's, as its registry has it"
        told = {each.kind for each in verified.tampered}
        told |= {each.code for each in verified.not_proved}
        words += ", but for what is named above" if "outside" in told else ""
        yield from labelled("Base", words, width=width, indent=_INDENT)
        yield line(" " * _INDENT, clean(verified.base))
        return
    words = "not compared, with the Python in it: --base asks its registry"
    yield from labelled("Base", words, width=width, indent=_INDENT)


def _system(verified: Verified, width: int) -> Iterator[Line]:
    """Its system packages beside those that its author's build got; a row for each that differs."""
    found = verified.system
    if found is None:
        return
    words = f"{_count(found.same, 'package')} of the versions in the build.json beside the manifest"
    other = f"; {len(found.other):,} of others" if found.other else ""
    yield from labelled("System", words + other, width=width, indent=_INDENT)
    for each in found.other[:_NAMED]:
        yield line(" " * _INDENT, bounded(each, 200))
    if len(found.other) > _NAMED:
        yield line(" " * _INDENT, f"and {len(found.other) - _NAMED:,} more: --json lists them all")


def _filled(text: str, width: int) -> list[str]:
    """Text in lines; a path is never broken, so that it can be copied."""
    import textwrap

    lines = textwrap.wrap(shown(text), width, break_long_words=False, break_on_hyphens=False)
    return lines or [""]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
