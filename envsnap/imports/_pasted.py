"""A pasted issue cut into the pieces that a reader can know: what programs printed, one by one.

People paste a whole issue: prose, code fences, prompts, quotes, colours, tables that somebody's
mail program wrapped. A piece ends where its fence, its prompt or its report ends.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from envsnap.imports._core import FILTERED, Text

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_ESCAPES_SHOWN = re.compile(r"\^\[\[[0-9;]*[A-Za-z]")
"""Colours as a browser or `cat -v` shows them."""
_SPACES = str.maketrans(
    dict.fromkeys("\u00a0\u1680\u2007\u202f\u205f\u3000", " ")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", None)
    | {"\uff1a": ":", "\u2028": "\n", "\u2029": "\n", "\x0b": "\n", "\x0c": "\n"}
)
"""Blanks that are no blanks, letters without a width, and the colon of Chinese keyboards."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

_FENCE = re.compile(r"\s*(?:```+|~~~+)\s*([^`]*)\Z")
_TAGS = re.compile(
    r"</?(?:details|summary|pre|code|p|br|div|samp|kbd|b)\b[^<>]{0,200}>", re.IGNORECASE
)
_QUOTE = re.compile(r">(?: ?>)* ?")
_PYTHON_PROMPT = re.compile(r">>>(?: |\Z)|\.\.\. |In \[\d{1,5}\]: ")
_PROMPT_END = re.compile(r"[$#%>\u276f\u279c](?:\s|\Z)")
_ENVIRONMENT = re.compile(r"\([^()]{1,64}\)\s*")
_PROMPT = re.compile(
    r"|[^\s@]{1,64}@[^\s@:]{1,64}(?:[:\s].{0,160})?"  # user@host:~/work
    r"|\[[^\[\]]{1,160}\]"  # [user@host work]
    r"|[~/]\S{0,160}"
)
"""What stands before the sign at the end of a prompt, without the names of environments."""
_WINDOWS = re.compile(r"(?:\([^()]{1,64}\) ?)?(?:PS )?[A-Za-z]:\\[^<>]{0,160}>")
_TYPED = re.compile(
    r"[!#%]\s?(?=(?:nvidia-smi|nvcc|pip3?|uv|conda|mamba|python[\d.]*|cat)(?:\s|\Z))"
)
_LONGEST_LINE = 1000
_MOST_LINES = 20_000
"""In which lines that were not read are looked for; nobody writes as many by hand."""
_SHOWN_FILE = re.compile(r"(?:sudo )?(?:cat|type|more|less|Get-Content)\s+[\"']?([^\s\"'|;&<>]+)")
_LISTS = re.compile(
    r"(?:sudo )?(?:uv )?(?:python[\d.]*(?:\.exe)? -m )?(?:(pip)[\d.]*|(conda)|(?:micro)?(mamba))"
    r"\s+(list|freeze)\b(?P<more>.*)"
)
_WHOLE = re.compile(
    r"(?:\s+(?:(?:-n|--name|-p|--prefix)\s+[^-\s]\S*|--?[a-z][\w-]*(?:=\S+)?))*\s*\Z"
)
"""Options after which a list is of all that is installed."""
_BARE = re.compile(r"(?:\s+--?[a-z][\w-]*(?:=\S+)?)*\s*(?:\|.*)?\Z")
"""What may follow a command that stands without a prompt, and is no sentence."""
_MAY_BE = re.compile(
    r"\b(?:Ubuntu|Debian|CentOS|Rocky|Fedora|RHEL|Red ?Hat|Arch|Windows|macOS|WSL)[ :=]*v?\d"
    r"|\bpython[ :=]*v?[23]\.\d"
    r"|\b(?:py)?(?:torch|cuda|cudnn|tensorflow|jax|numpy|transformers|vllm|driver)"
    r"(?: ?version| ?driver)?[ :=]*v?\d+\.\d"
    r"|\b(?:RTX|GTX|Tesla|Quadro|Instinct) ?[A-Z]?\d|\b(?:[AHV]100|H200|B200|MI\d{3}X?)\b",
    re.IGNORECASE,
)
_STACK = re.compile(r"\s*(?:File \"|Traceback|at 0x)")
_STARTS = re.compile(
    r"Collecting environment information"
    r"|PyTorch version\s*:"
    r"|=+ ?NVSMI LOG ?=+"
    r"|<\?xml |<nvidia_smi_log>"
    r"|\|\s*NVIDIA-SMI\s"
    r"|NVIDIA-SMI \d"
    r"|nvcc: NVIDIA \(R\) Cuda compiler driver"
    r"|Package\s+Version\b"
    r"|# packages in environment at"
    r"|- `(?:[Tt]ransformers|[Aa]ccelerate|[Dd]iffusers)` version:|- 🤗 Diffusers version:"
    r"|jax:\s+\d"
    r"|nvbandwidth Version:"
)
_BANNER = re.compile(r"\+-[-+=]*\+?\s*\Z")


def fragments(text: str, name: str = "-") -> list[Text]:
    r"""The pieces of a pasted text, each with the name of the file it shows, if it names one.

    What stands outside of every fence is prose, of which only reports are taken.

    >>> for each in fragments("I ran\n```\n$ nvcc --version\nnvcc: NVIDIA (R)\n```\nThanks"):
    ...     print(each.text)
    nvcc: NVIDIA (R)
    <BLANKLINE>
    """
    lines = [_unquoted(line) for line in clean(text).split("\n")]
    has_fences = any(_FENCE.match(line) for line in lines)
    return [
        Text(shown or name, body)
        for shown, body, is_fenced in _pieces(lines)
        if is_fenced or not has_fences or _has_start(body)
    ]


def may_be_facts(text: str, read: Iterable[str]) -> Iterator[str]:
    r"""The lines that seem to tell facts and are in none of the pieces that were read.

    >>> list(may_be_facts("I have Ubuntu 22.04 here\ntorch 2.3.1\nThanks", ["torch 2.3.1"]))
    ['I have Ubuntu 22.04 here']
    """
    known = {line.strip() for piece in read for line in piece.split("\n")}
    first = clean(text).split("\n", _MOST_LINES)[:_MOST_LINES]
    for line in map(str.strip, map(_unquoted, first)):
        is_prose = line not in known and len(line) < _LONGEST_LINE and _command(line) is None
        if is_prose and _MAY_BE.search(line) and not _STACK.match(line):
            yield line


def clean(text: str) -> str:
    """The text without colours, control characters and blanks that are no blanks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _ESCAPES_SHOWN.sub("", _ESCAPES.sub("", text)).translate(_SPACES)
    return _CONTROL.sub("", text)


def _unquoted(line: str) -> str:
    """A line without the marks of a quotation, of HTML and of code in a line."""
    quote = _QUOTE.match(line)
    if quote and not _PYTHON_PROMPT.match(line):
        line = line[quote.end() :]
    line = _TAGS.sub("", line)
    if line.count("`") % 2 and not _FENCE.match(line):  # code in a line that runs over several
        line = line.strip("`").replace("Collecting`", "Collecting ")
    return line.rstrip()


def _pieces(lines: list[str]) -> Iterator[tuple[str | None, str, bool]]:
    """Each piece: the file that it shows, its text, and whether it stood in a fence."""
    held: list[str] = []
    shown: str | None = None
    is_fenced = False
    for line in lines:
        fence = _FENCE.match(line)
        command = None if fence else _command(line)
        if fence is None and command is None and not _is_start(line, held):
            held.append(line)
            continue
        # The frame above the heading of a table belongs to it.
        frame = [held.pop()] if held and _BANNER.match(held[-1].strip()) and not fence else []
        yield from _piece(shown, held, is_fenced=is_fenced)
        held = [*frame, line] if fence is None and command is None else []
        shown = _shown_by(command or "") if fence is None else None
        is_fenced = not is_fenced if fence else is_fenced
    yield from _piece(shown, held, is_fenced=is_fenced)


def _piece(
    shown: str | None, lines: list[str], *, is_fenced: bool
) -> Iterator[tuple[str | None, str, bool]]:
    body = textwrap.dedent("\n".join(lines)).strip("\n")
    if shown is not None and _LISTS.match(shown):
        body = body.partition("\n\n")[0]  # a list ends at a blank line; what follows is prose
    if body.strip():
        yield shown, body + "\n", is_fenced or shown is not None


def _command(line: str) -> str | None:
    """What was typed at a prompt; None where the line is none."""
    stripped = line.strip()[:_LONGEST_LINE]
    python = _PYTHON_PROMPT.match(stripped)
    if python:
        return stripped[python.end() :]
    typed = _TYPED.match(stripped)
    if typed:
        return stripped[typed.end() :]
    bare = stripped
    lists = _LISTS.match(stripped)
    if lists and _BARE.match(lists["more"]):
        return stripped
    windows = _WINDOWS.match(stripped)
    if windows:
        return stripped[windows.end() :].strip()
    while (name := _ENVIRONMENT.match(bare)) is not None:
        bare = bare[name.end() :]
    end = _PROMPT_END.search(bare)
    is_prompt = end is not None and (end[0][0] != "#" or end.start() > 0)
    if end is None or not is_prompt or not _PROMPT.fullmatch(bare[: end.start()].strip()):
        return None
    return bare[end.end() :].strip()


def _shown_by(command: str) -> str | None:
    """The name of the file that a command shows, without its folder; or the list that it prints."""
    lists = _LISTS.match(command.strip())
    if lists:
        manager = "pip" if lists[1] else "conda"
        return f"{manager} {lists[4]}{'' if _WHOLE.match(lists['more']) else FILTERED}"
    match = _SHOWN_FILE.match(command.strip())
    return re.split(r"[/\\]", match[1])[-1] if match else None


def _has_start(body: str) -> bool:
    return any(_STARTS.match(line.strip()) for line in body.split("\n"))


def _is_start(line: str, held: list[str]) -> bool:
    """Whether a report begins here. One that has begun does not begin again in its second line."""
    stripped = line.strip()
    if not _STARTS.match(stripped):
        return False
    before = [each for each in held if each.strip()]
    begun = bool(before) and "Collecting environment information" in before[0]
    if stripped.startswith("PyTorch version") and (begun or _is_vllm(before)):
        return False
    return not (stripped.startswith("<nvidia_smi_log>") and any("<?xml" in one for one in before))


def _is_vllm(before: list[str]) -> bool:
    """Whether it is vLLM's report, which tells of the system before it tells of PyTorch."""
    return any("System Info" in each or "PyTorch Info" in each for each in before)
