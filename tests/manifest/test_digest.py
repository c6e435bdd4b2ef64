"""Whether a manifest was edited: by its bytes where they stand as written, else by its facts."""

from __future__ import annotations

import hashlib
import json

import pytest

from envsnap.manifest import encode, parse
from envsnap.manifest._encode import stands_as_written
from envsnap.sections import Moment, replace
from tests import made

MANIFEST = made.manifest(made.PACKAGES)
MOMENT = Moment(job={}, memory_limit_mib=None, cpus_allowed=2, available_memory_mib=100)
WRITTEN = encode(replace(MANIFEST, sections={**MANIFEST.sections, "moment": MOMENT})).encode()
DIGEST = json.loads(WRITTEN)["facts_digest"]


def in_another_form(raw: bytes = WRITTEN, **top: object) -> bytes:
    """The document as another program writes it."""
    return json.dumps({**json.loads(raw), **top}).encode()


def test_a_file_as_envsnap_wrote_it_is_told_by_its_bytes_alone() -> None:
    assert stands_as_written(WRITTEN, DIGEST)
    assert not parse(WRITTEN, "m.json").edited


def test_a_file_in_another_form_is_no_edited_one() -> None:
    other = in_another_form()
    assert not stands_as_written(other, DIGEST)
    assert not parse(other, "m.json").edited


@pytest.mark.parametrize("form", ["written", "other"])
def test_one_changed_fact_is_an_edit_in_every_form(form: str) -> None:
    edited = WRITTEN.replace(b'"numpy"', b'"numby"')
    assert edited != WRITTEN
    raw = edited if form == "written" else in_another_form(edited)
    assert parse(raw, "m.json").edited


def test_what_lies_beside_the_sections_is_no_fact_of_theirs() -> None:
    other = in_another_form(requires={"must": ["driver >= 525"]})
    assert not parse(other, "m.json").edited


def test_the_moment_is_never_the_same_and_counts_for_nothing() -> None:
    other = WRITTEN.replace(b'"available_memory_mib": 100', b'"available_memory_mib": 90')
    assert other != WRITTEN
    assert stands_as_written(other, DIGEST)
    assert not parse(in_another_form(other), "m.json").edited


def test_the_digest_of_nothing_vouches_for_nothing() -> None:
    nothing = hashlib.sha256(b"").hexdigest()
    assert not stands_as_written(b"{}", nothing)
    assert not stands_as_written(WRITTEN.replace(b'  "lock": ', b'  "lokc": '), nothing)
    assert not stands_as_written(WRITTEN[: WRITTEN.index(b'"moment": {') + 20], nothing)
