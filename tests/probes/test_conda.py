"""Whose a package is where conda and pip both had a hand in it."""

from __future__ import annotations

import hashlib
import json

import pytest

from envsnap.sections import Packages, Unknown
from tests.probes.environments import captured, dist, installed

PREFIX = "/home/ada/work/.venv"
INSIDE = "lib/python3.11/site-packages/tide-1.0.dist-info"
RECORD = "tide/__init__.py,sha256=x,1\n"


def meta(record_hash: str | None = None) -> dict[str, str]:
    """conda-meta of tide 1.0, stating a hash of its RECORD."""
    rows = [] if record_hash is None else [{"_path": f"{INSIDE}/RECORD", "sha256": record_hash}]
    record = {
        "name": "tide", "version": "1.0", "build": "0", "sha256": "ab" * 32,
        "files": [f"{INSIDE}/METADATA", f"{INSIDE}/RECORD"], "paths_data": {"paths": rows},
    }  # fmt: skip
    return {f"{PREFIX}/conda-meta/tide-1.0-0.json": json.dumps(record)}


def whose(found: Packages) -> tuple[list[tuple[str, str, str]], list[str]]:
    assert not isinstance(found.conda_only, Unknown)
    rows = [(each.name, each.version, each.origin.kind) for each in installed(found)]
    return rows, [each.name for each in found.conda_only]


def test_what_conda_installed_is_condas() -> None:
    found = captured(dist("tide", "1.0", INSTALLER="conda\n", RECORD=RECORD) | meta("0" * 64))
    assert whose(found) == ([("tide", "1.0", "conda")], [])


def test_what_pip_wrote_over_it_is_pips_and_condas_package_stays() -> None:
    found = captured(dist("tide", "1.0", INSTALLER="pip\n", RECORD=RECORD) | meta("0" * 64))
    assert whose(found) == ([("tide", "1.0", "index")], ["tide"])


def test_what_pip_replaced_with_another_version_leaves_condas_package() -> None:
    found = captured(dist("tide", "2.0", INSTALLER="pip\n", RECORD=RECORD) | meta("0" * 64))
    assert whose(found) == ([("tide", "2.0", "index")], ["tide"])


def test_an_old_package_that_conda_built_with_pip_is_condas() -> None:
    own = hashlib.sha256(RECORD.encode()).hexdigest()
    found = captured(dist("tide", "1.0", INSTALLER="pip\n", RECORD=RECORD) | meta(own))
    assert whose(found) == ([("tide", "1.0", "conda")], [])


@pytest.mark.parametrize("rows", [None, "x", [1], [{"_path": 1}]])
def test_a_record_that_states_no_hash_leaves_it_condas(rows: object) -> None:
    tree = json.loads(meta()[f"{PREFIX}/conda-meta/tide-1.0-0.json"]) | {"paths_data": rows}
    odd = {f"{PREFIX}/conda-meta/tide-1.0-0.json": json.dumps(tree)}
    found = captured(dist("tide", "1.0", INSTALLER="pip\n", RECORD=RECORD) | odd)
    assert whose(found) == ([("tide", "1.0", "conda")], [])
