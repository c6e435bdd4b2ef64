"""The two JSON files of a recording, read; every fault says where it is.

`null` is *known absent*, `{"unknown": CODE, "detail": ...}` stands in the place of an answer.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping

from envsnap._typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from envsnap.errors import ManifestError
from envsnap.host._answers import FORMAT, Answers
from envsnap.host._binaries import CUDA_VERSION, PATTERNS
from envsnap.host._protocol import Binary, Ran, Stat, StatedDigest, Uname
from envsnap.sections import Reason, Unknown

if TYPE_CHECKING:
    import re

T = TypeVar("T")
Json = Any  # the one type that JSON itself has
Read = Callable[[Json, str], T]
_LONGEST_SAID = 60
_HOST_FIELDS = {
    "format", "about", "tree", "absent_below", "commands", "uname", "user", "home", "cwd", "nvml",
    "environ", "which", "capacities", "digests", "binaries", "contents",
}  # fmt: skip
_FILE_FIELDS = {
    "path", "text", "base64", "read", "list", "stat", "link", "real", "cut", "denied",
}  # fmt: skip


def read_host(tree: object, where: str, answers: Answers) -> None:
    """Put what host.json says into the answers; `where` is its name in messages."""
    fields = _object(tree, where)
    if fields.get("format") != FORMAT:
        raise _fault(f"Unsupported format {fields.get('format')!a}", f"{where}: format")
    _no_others(fields, _HOST_FIELDS, where)
    answers.tree = _flag(fields.get("tree", False), f"{where}: tree")
    answers.absent_below = tuple(_texts(fields.get("absent_below", []), f"{where}: absent_below"))
    singles: dict[str, Read[object]] = {
        "uname": _uname, "user": _user, "home": _maybe(_text), "cwd": _text, "nvml": _object,
    }  # fmt: skip
    for name, read in singles.items():
        if name in fields:
            setattr(answers, name, _fact(read)(fields[name], f"{where}: {name}"))
    tables: dict[str, Read[object]] = {
        "environ": _maybe(_text), "which": _maybe(_text), "capacities": _maybe(_whole),
        "digests": _digest, "binaries": _maybe(_binary), "contents": _maybe(_text),
    }  # fmt: skip
    for name, read in tables.items():
        for key, value in _object(fields.get(name, {}), f"{where}: {name}").items():
            getattr(answers, name)[key] = _fact(read)(value, f"{where}: {name}.{key}")
    for index, row in enumerate(_list(fields.get("commands", []), f"{where}: commands")):
        _command(row, f"{where}: commands[{index}]", answers)


def _command(tree: object, where: str, answers: Answers) -> None:
    row = dict(_object(tree, where))
    argv = tuple(_texts(row.pop("argv", None), f"{where}.argv"))
    if not argv:
        raise _fault("Expected a command, not an empty list,", f"{where}.argv")
    answers.runs[argv] = _fact(_ran)(row, where)


def read_files(tree: object, where: str, answers: Answers) -> None:
    """Put what files.json says into the answers; `where` is its name in messages."""
    for index, item in enumerate(_list(tree, where)):
        place = f"{where}: [{index}]"
        row = _object(item, place)
        path = _text(row.get("path"), f"{place}.path")
        if not path.startswith("/") and path[1:3] != ":\\":
            raise _fault(f"Expected an absolute path, not {path!a},", f"{place}.path")
        _file_row(row, path, place, answers)


def _file_row(row: Mapping[str, Json], path: str, where: str, answers: Answers) -> None:
    _no_others(row, _FILE_FIELDS, where)
    if len(row.keys() & {"text", "base64", "read"}) > 1:
        raise _fault("Expected one of text, base64 and read", where)
    if "text" in row:
        text = _text(row["text"], f"{where}.text")
        answers.reads[path] = text.encode("utf-8", "surrogateescape")
    if "base64" in row:
        answers.reads[path] = _bytes(row["base64"], f"{where}.base64")
    if "read" in row:
        answers.reads[path] = _fact(_maybe(_never))(row["read"], f"{where}.read")
    tables: dict[str, tuple[dict[str, Any], Read[object]]] = {
        "list": (answers.lists, _maybe(_names)),
        "stat": (answers.stats, _maybe(_stat)),
        "link": (answers.links, _maybe(_text)),
        "real": (answers.reals, _maybe(_text)),
    }
    for name, (table, read) in tables.items():
        if name in row:
            table[path] = _fact(read)(row[name], f"{where}.{name}")
    for name, paths in {"cut": answers.cut, "denied": answers.denied}.items():
        if _flag(row.get(name, False), f"{where}.{name}"):
            paths.add(path)


def _fact(read: Read[T]) -> Read[T | Unknown]:
    """A reader that takes an unknown in the value's place."""

    def either(tree: Json, where: str) -> T | Unknown:
        if not isinstance(tree, dict) or "unknown" not in tree:
            return read(tree, where)
        _no_others(tree, {"unknown", "detail"}, where)
        code = _text(tree["unknown"], f"{where}.unknown")
        detail = _maybe(_text)(tree.get("detail"), f"{where}.detail")
        if code not in {reason.value for reason in Reason}:
            raise _fault(f"Unknown reason {code!a}", f"{where}.unknown")
        return Unknown(Reason(code), detail)

    return either


def _maybe(read: Read[T]) -> Read[T | None]:
    return lambda tree, where: None if tree is None else read(tree, where)


def _stat(tree: Json, where: str) -> Stat:
    row = _object(tree, where)
    _no_others(row, set(Stat._fields), where)
    kind = _text(row.get("kind"), f"{where}.kind")
    if kind not in {"file", "folder", "other"}:
        raise _fault(f"Expected file, folder or other, not {kind!a},", f"{where}.kind")
    size, modified = row.get("size", 0), row.get("modified_s", 0)
    return Stat(
        kind,
        _whole(size, f"{where}.size"),
        _whole(modified, f"{where}.modified_s"),
        _maybe(_whole)(row.get("owner"), f"{where}.owner"),
    )


def _uname(tree: Json, where: str) -> Uname:
    row = _object(tree, where)
    _no_others(row, set(Uname._fields), where)
    return Uname(*(_text(row.get(name), f"{where}.{name}") for name in Uname._fields))


def _user(tree: Json, where: str) -> tuple[str, int]:
    row = _list(tree, where)
    if len(row) != len(("name", "number")):
        raise _wrong(tree, "a name and a number", where)
    return _text(row[0], f"{where}[0]"), _whole(row[1], f"{where}[1]")


def _ran(tree: Json, where: str) -> Ran:
    row = _object(tree, where)
    _no_others(row, set(Ran._fields), where)
    status = _whole(row.get("status", 0), f"{where}.status")
    out, err = (_text(row.get(name, ""), f"{where}.{name}") for name in ("stdout", "stderr"))
    return Ran(status, out, err)


def _digest(tree: Json, where: str) -> StatedDigest:
    row = _object(tree, where)
    _no_others(row, set(StatedDigest._fields), where)
    row = {"outside": {"unknown": "not-recorded"}, **row}  # of before there was this digest
    content, outside = (
        _fact(_maybe(_text))(row.get(name), f"{where}.{name}") for name in ("content", "outside")
    )
    return StatedDigest(content, _whole(row.get("files"), f"{where}.files"), outside)


def _binary(tree: Json, where: str) -> Binary:
    """What is said of a library; what is left out is empty, and the processor is an x86_64."""
    row = _object(tree, where)
    _no_others(row, set(Binary._fields), where)
    lists = ("needed", "rpath", "runpath")
    return Binary(
        machine=_text(row.get("machine", "x86_64"), f"{where}.machine"),
        bits=_whole(row.get("bits", 64), f"{where}.bits"),
        soname=_maybe(_text)(row.get("soname"), f"{where}.soname"),
        interpreter=_maybe(_text)(row.get("interpreter"), f"{where}.interpreter"),
        versions=tuple(
            (_text(name, place), tuple(_texts(asked, place)))
            for name, asked, place in _pairs(row.get("versions", []), f"{where}.versions")
        ),
        imports=_flag(row.get("imports", False), f"{where}.imports"),
        compat=_maybe(_compat)(row.get("compat"), f"{where}.compat"),
        **{name: tuple(_texts(row.get(name, []), f"{where}.{name}")) for name in lists},
        **{
            name: tuple(
                _like(pattern, each, f"{where}.{name}[{index}]")
                for index, each in enumerate(_list(row.get(name, []), f"{where}.{name}"))
            )
            for name, pattern in PATTERNS.items()
        },
    )


def _compat(tree: Json, where: str) -> tuple[str, tuple[int, ...]]:
    version, branches = _pair(tree, where)
    branches = tuple(_whole(each, where) for each in _list(branches, where))
    return _like(CUDA_VERSION, version, where), branches


def _pairs(tree: Json, where: str) -> list[tuple[Json, Json, str]]:
    """The rows of two, each with where it stands."""
    places = ((row, f"{where}[{index}]") for index, row in enumerate(_list(tree, where)))
    return [(*_pair(row, place), place) for row, place in places]


def _pair(tree: Json, where: str) -> tuple[Json, Json]:
    row = _list(tree, where)
    if len(row) != len(("first", "second")):
        raise _wrong(tree, "a list of two", where)
    return row[0], row[1]


def _bytes(tree: Json, where: str) -> bytes:
    try:
        return base64.b64decode(_text(tree, where), validate=True)
    except (binascii.Error, ValueError):
        raise _fault("Expected base64", where) from None


def _names(tree: Json, where: str) -> tuple[str, ...]:
    return tuple(sorted(_texts(tree, where)))


def _texts(tree: Json, where: str) -> list[str]:
    return [_text(item, f"{where}[{index}]") for index, item in enumerate(_list(tree, where))]


def _never(tree: Json, where: str) -> NoReturn:
    raise _wrong(tree, "null or an unknown", where)


def _object(tree: Json, where: str) -> dict[str, Json]:
    if not isinstance(tree, dict):
        raise _wrong(tree, "an object", where)
    return tree


def _list(tree: Json, where: str) -> list[Json]:
    if not isinstance(tree, list):
        raise _wrong(tree, "a list", where)
    return tree


def _text(tree: Json, where: str) -> str:
    if not isinstance(tree, str):
        raise _wrong(tree, "text", where)
    return tree


def _like(pattern: re.Pattern[str], tree: Json, where: str) -> str:
    if not pattern.fullmatch(_text(tree, where)):
        raise _wrong(tree, f"text like {pattern.pattern}", where)
    return _text(tree, where)


def _whole(tree: Json, where: str) -> int:
    if type(tree) is not int:  # a bool is an int to isinstance
        raise _wrong(tree, "a whole number", where)
    return tree


def _flag(tree: Json, where: str) -> bool:
    if not isinstance(tree, bool):
        raise _wrong(tree, "true or false", where)
    return tree


def _no_others(row: Mapping[str, Json], known: set[str], where: str) -> None:
    for name in sorted(row.keys() - known):
        raise _fault(f"Unknown field {name!a}", where)


def _wrong(value: Json, wanted: str, where: str) -> ManifestError:
    said = json.dumps(value)
    said = said if len(said) <= _LONGEST_SAID else said[: _LONGEST_SAID - 3] + "..."
    return _fault(f"Expected {wanted}, not {said},", where)


def _fault(message: str, where: str) -> ManifestError:
    return ManifestError(message, where=where)
