"""Packages that were read before: taken by their texts, and never for anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.errors import ManifestError
from envsnap.manifest import Manifest, decode, encode, parse
from envsnap.manifest import _rows as rows
from envsnap.manifest._encode import stands_as_written
from envsnap.manifest._file import parse_json
from envsnap.sections import Package, Packages, replace
from tests import made

MANIFEST = made.manifest(made.PACKAGES)
TEXT = encode(MANIFEST)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    rows.KNOWN.forget()
    yield
    rows.KNOWN.forget()


def signed(text: str) -> bytes:
    """The text with the digest that its sections have: as whoever forges one would write it."""
    start = text.find('\n  "sections": {') + len('\n  "sections": ')
    end = text.rfind('\n  },\n  "lock": ') + len("\n  }")
    moment = text.find('\n    "moment": {', start, end)
    rest = text.find("\n    },", moment, end) + len("\n    },")
    kept = text[start:end] if moment < 0 else text[start:moment] + text[rest:end]
    old = json.loads(TEXT)["facts_digest"]
    return text.replace(old, sha256(kept.encode()).hexdigest()).encode()


def installed(manifest: Manifest) -> tuple[Package, ...]:
    packages = manifest.section(Packages)
    assert isinstance(packages, Packages)
    assert isinstance(packages.installed, tuple)
    return packages.installed


def plainly(raw: bytes) -> Manifest | str:
    """What the document says to a reader that never read another one."""
    try:
        return decode(parse_json(raw), raw)
    except ManifestError as error:
        return f"{error.message} {error.where}"


def among_others(raw: bytes) -> Manifest | str:
    """What it says to one that has read others before."""
    try:
        return parse(raw, "m.json")
    except ManifestError as error:
        return f"{error.message.removeprefix('m.json: ')} {error.where}"


def test_a_package_of_the_same_text_is_the_same_value() -> None:
    one, other = parse(TEXT.encode(), "one"), parse(TEXT.encode(), "other")
    assert installed(one)
    assert all(map(lambda a, b: a is b, installed(one), installed(other)))
    assert one == other == MANIFEST
    assert encode(other) == TEXT


def test_of_a_package_that_changed_the_others_are_still_the_same_value() -> None:
    first, *rest = installed(MANIFEST)
    newer = (replace(first, version="99.1"), *rest)
    section = replace(MANIFEST.section(Packages), installed=newer)
    other = replace(MANIFEST, sections={**MANIFEST.sections, "packages": section})
    read = parse(TEXT.encode(), "one"), parse(encode(other).encode(), "other")
    assert [a is b for a, b in zip(*map(installed, read), strict=True)] == [
        False, *(True for _ in rest)
    ]  # fmt: skip
    assert read[1] == other


def test_what_an_empty_list_of_packages_says_is_read() -> None:
    section = replace(MANIFEST.section(Packages), installed=())
    bare = replace(MANIFEST, sections={**MANIFEST.sections, "packages": section})
    assert parse(encode(bare).encode(), "bare") == bare


BEGINS = '\n      "installed": [\n        '
AT = TEXT.index(BEGINS) + len(BEGINS)
FIRST, SECOND, THIRD = TEXT[AT : TEXT.index("\n      ]", AT)].split("\n        },\n        ")[:3]
NEWER = '"schema": "1.9"'


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"name": "', '"name": "a", "name": "', 1),
        lambda text: text.replace('"version": "', '"version": 1, "was": "', 1),
        lambda text: text.replace(FIRST, "[", 1),
        lambda text: text.replace(FIRST, "", 1),
        lambda text: text.replace(FIRST, f"{FIRST}}}, {FIRST}", 1),
        lambda text: text.replace("\n        }\n      ]", "\n        }\n        \n      ]"),
        lambda text: text.replace('"location"', '"l\\u006fcation"', 1),
        lambda text: text.replace('"name": "', '"name": "\\ud800', 1),
    ],
)
def test_a_forged_document_says_what_it_says_alone(change: object) -> None:
    assert callable(change)
    text = change(TEXT)
    assert text != TEXT
    forged, honest = signed(text), TEXT.encode()
    assert stands_as_written(forged, forged.decode().partition('"facts_digest": "')[2][:64])
    alone = plainly(forged)
    assert among_others(forged) == alone  # before any other
    assert among_others(honest) == MANIFEST  # which it has not changed
    assert among_others(forged) == alone  # and after it


def test_a_list_of_the_same_form_elsewhere_is_none_of_packages() -> None:
    elsewhere = f'"new": {{\n    "x": {{{BEGINS}{FIRST}\n        }}\n      ]\n    }}\n  }},\n  '
    forged = signed(
        TEXT.replace('"schema": "1.0"', NEWER).replace(
            '"sections": {', f'{elsewhere}"sections": {{', 1
        )
    )
    alone = plainly(forged)
    assert isinstance(alone, Manifest)
    assert installed(alone) == installed(MANIFEST)
    assert among_others(forged) == alone


def test_lines_that_hide_where_a_package_ends_move_no_other() -> None:
    """Two packages on the lines of one, one on the lines of two, and a known one between them."""
    two = f"{FIRST}\n          }}, {FIRST.replace(_name(FIRST), 'hidden')}"
    first_half = f'{THIRD},\n          "new": [{{'
    second_half = '{\n          "a": "b"}]'
    texts = [two, SECOND, first_half, second_half]
    joined = "\n        },\n        ".join(texts)
    listed = TEXT[AT : TEXT.index("\n      ]", AT)]
    forged = signed(
        TEXT.replace('"schema": "1.0"', NEWER).replace(listed, f"{joined}\n        }}", 1)
    )
    alone = plainly(forged)
    assert isinstance(alone, Manifest)
    assert [each.name for each in installed(alone)] == [
        _name(FIRST), "hidden", _name(SECOND), _name(THIRD)
    ]  # fmt: skip
    assert among_others(TEXT.encode()) == MANIFEST
    assert among_others(forged) == alone


def _name(text: str) -> str:
    return str(json.loads(f"{text}}}")["name"])


def test_what_is_known_has_its_bounds() -> None:
    known = rows._Known()  # noqa: SLF001 - the bounds are not those of a test
    package = installed(MANIFEST)[0]
    texts = [f"{at:>4000}" for at in range(5000)]
    for at in range(0, len(texts), 1000):
        known.add(texts[at : at + 1000], [package] * 1000)
    assert len([each for each in known.among(texts) if each is not None]) == 1000
    known.add(["x" * 5000], [package])
    assert known.among(["x" * 5000]) == [None]
    known.add(texts, [package] * len(texts))
    assert not any(known.among(texts))


LINES = TEXT.split("\n")
IN_THE_LIST = range(
    next(at for at, line in enumerate(LINES) if '"installed": [' in line) - 2,
    next(at for at, line in enumerate(LINES) if line == "      ],") + 3
    if "      ]," in LINES
    else len(LINES),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(IN_THE_LIST)),
            st.sampled_from(("drop", "twice", "join", "swap", "dedent")),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_is_done_to_the_lines_both_readers_read_the_same(
    edits: list[tuple[int, str]],
) -> None:
    lines = list(LINES)
    for place, how in edits:
        at = min(place, len(lines) - 2)
        if how == "drop":
            lines[at : at + 1] = []
        elif how == "twice":
            lines[at:at] = lines[at : at + 1]
        elif how == "join":
            lines[at : at + 2] = [lines[at] + lines[at + 1].strip()]
        elif how == "swap":
            lines[at : at + 2] = reversed(lines[at : at + 2])
        else:
            lines[at] = lines[at][2:]
    raw = signed("\n".join(lines))
    assert among_others(raw) == plainly(raw)
    assert among_others(TEXT.encode()) == MANIFEST
