"""Lock files of Python projects."""

from __future__ import annotations

import json
import time

import pytest

from envsnap._import import read
from envsnap.errors import ManifestError
from envsnap.imports import Text, Told
from envsnap.sections import Origin, Package, Packages, Unknown

FILES = "https://files.example/packages"
INDEX = '{ registry = "https://index.example/simple" }'
OLD, NEW = "python_full_version < '3.11'", "python_full_version >= '3.11'"
GIT = "https://me:secret@forge.example/lab/tool.git"
UV = f"""\
version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "demo"
version = "0.1"
source = {{ editable = "." }}
dependencies = [
    {{ name = "colorama", marker = "sys_platform == 'win32'" }},
    {{ name = "numpy", version = "1.26.4", source = {INDEX}, marker = "{OLD}" }},
    {{ name = "numpy", version = "2.2.0", source = {INDEX}, marker = "{NEW}" }},
    {{ name = "tool" }},
]

[package.optional-dependencies]
plot = [{{ name = "matplotlib" }}]

[package.dev-dependencies]
dev = [{{ name = "pytest" }}]
docs = [{{ name = "sphinx" }}]

[[package]]
name = "colorama"
version = "0.4.6"
source = {INDEX}

[[package]]
name = "matplotlib"
version = "3.9.0"
source = {INDEX}

[[package]]
name = "numpy"
version = "1.26.4"
source = {INDEX}
sdist = {{ url = "{FILES}/numpy-1.26.4.tar.gz", hash = "sha256:{"a" * 64}", size = 1 }}

[[package]]
name = "numpy"
version = "2.2.0"
source = {INDEX}

[[package]]
name = "pytest"
version = "8.2.0"
source = {INDEX}

[[package]]
name = "sphinx"
version = "7.0.0"
source = {INDEX}

[[package]]
name = "tool"
version = "1.0"
source = {{ git = "https://me:secret@forge.example/lab/tool.git?tag=v1#{"c" * 40}" }}
"""
POETRY = f"""\
[[package]]
name = "idna"
version = "3.7"
optional = false
python-versions = ">=3.5"
files = [{{file = "idna-3.7-py3-none-any.whl", hash = "sha256:{"b" * 64}"}}]

[[package]]
name = "plotly"
version = "5.0.0"
optional = true
python-versions = "*"
files = []

[[package]]
name = "colorama"
version = "0.4.6"
optional = false
python-versions = "*"
markers = "sys_platform == \\"win32\\""
files = []

[[package]]
name = "tool"
version = "1.0"
optional = false
python-versions = "*"
files = []

[package.source]
type = "git"
url = "https://secret@forge.example/lab/tool.git"
reference = "main"
resolved_reference = "{"c" * 40}"

[metadata]
lock-version = "2.1"
python-versions = ">=3.10"
content-hash = "{"0" * 64}"
"""
PIPFILE = {
    "_meta": {
        "hash": {"sha256": "0" * 64}, "pipfile-spec": 6, "requires": {"python_version": "3.11"},
        "sources": [{"name": "own", "url": "https://me:secret@index.example/simple"}],
    },
    "default": {
        "idna": {"hashes": [f"sha256:{'b' * 64}"], "version": "==3.7"},
        "colorama": {"version": "==0.4.6", "markers": "sys_platform == 'win32'"},
        "tool": {"git": "https://me:secret@forge.example/lab/tool.git", "ref": "c" * 40},
    },
    "develop": {"pytest": {"version": "==8.2.0"}},
}  # fmt: skip
PYLOCK = f"""\
lock-version = "1.0"
requires-python = ">=3.10"
created-by = "uv"

[[packages]]
name = "idna"
version = "3.7"
wheels = [{{ url = "{FILES}/idna-3.7-py3-none-any.whl", hashes = {{ sha256 = "{"b" * 64}" }} }}]

[[packages]]
name = "colorama"
version = "0.4.6"
marker = "sys_platform == 'win32'"
sdist = {{ url = "{FILES}/colorama-0.4.6.tar.gz", hashes = {{ sha256 = "{"d" * 64}" }} }}

[[packages]]
name = "tool"
vcs = {{ type = "git", url = "{GIT}", commit-id = "{"c" * 40}" }}
"""


def told(text: str, name: str, python: str | None = None) -> Told:
    (only,) = read(Text(name, text, python=python)).told
    return only


def installed(of: Told) -> tuple[Package, ...]:
    found = of.sections["packages"]
    assert isinstance(found, Packages)
    assert not isinstance(found.installed, Unknown)
    return found.installed


def pins(of: Told) -> list[str]:
    return [f"{each.name} {each.version}" for each in installed(of)]


def test_uv_lock_is_read_as_uv_sync_installs_it() -> None:
    found = told(UV, "uv.lock")
    assert pins(found) == ["demo 0.1", "numpy 1.26.4", "pytest 8.2.0", "tool 1.0"]
    assert found.notes == (
        "left out, for other platforms, Pythons, extras or groups: colorama, matplotlib, sphinx",
        "read for Python 3.10 on Linux",
    )


def test_the_python_that_is_named_decides_between_two_versions() -> None:
    assert "numpy 2.2.0" in pins(told(UV, "uv.lock", python="3.12"))


def test_a_lock_keeps_the_commit_and_the_one_hash_and_no_credential() -> None:
    found = told(UV, "uv.lock")
    origins = {each.name: each.origin for each in installed(found)}
    assert origins["numpy"] == Origin(kind="index", archive_hash=f"sha256={'a' * 64}")
    assert origins["tool"] == Origin(
        kind="vcs", vcs="git", url="https://forge.example/lab/tool.git", commit="c" * 40,
        revision="v1",
    )  # fmt: skip
    texts = ((UV, "uv.lock"), (POETRY, "poetry.lock"), (PYLOCK, "pylock.toml"))
    for text, name in (*texts, (json.dumps(PIPFILE), "Pipfile.lock")):
        assert "secret" not in repr(told(text, name)), name


def test_a_lock_is_known_by_what_is_in_it_alone() -> None:
    texts = (UV, POETRY, json.dumps(PIPFILE), PYLOCK)
    forms = [told(text, "-").form for text in texts]
    assert forms == ["uv.lock", "poetry.lock", "Pipfile.lock", "pylock.toml"]


def test_poetry_lock_leaves_out_what_is_optional_or_for_another_platform() -> None:
    found = told(POETRY, "poetry.lock")
    assert pins(found) == ["idna 3.7", "tool 1.0"]
    assert found.notes == ("left out what is optional: plotly", "read for Python 3.10 on Linux")


def test_pipfile_lock_tells_no_version_of_a_repository() -> None:
    found = told(json.dumps(PIPFILE), "Pipfile.lock")
    assert pins(found) == ["idna 3.7"]
    assert found.notes == (
        "left out the group develop: pytest",
        "no version is told of tool",
        "read for Python 3.11 on Linux",
    )


def test_pylock_is_read_by_the_library_for_it() -> None:
    found = told(PYLOCK, "pylock.toml")
    assert pins(found) == ["idna 3.7"]
    assert installed(found)[0].origin.archive_hash == f"sha256={'b' * 64}"
    assert found.notes == ("no version is told of tool", "read for Python 3.10 on Linux")


def test_a_pylock_against_its_standard_is_refused() -> None:
    with pytest.raises(ManifestError, match=r"uv\.lock: .* of a pylock\.toml and is no valid "):
        told(PYLOCK.replace('name = "idna"', "name = 3"), "uv.lock")


def test_a_key_that_would_take_minutes_to_read_is_no_lock() -> None:
    start = time.perf_counter()
    assert read(Text("uv.lock", "a." * 20_000 + "b = 1\n")).told == ()
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "Pipfile.lock", "pylock.toml"])
@pytest.mark.parametrize("text", ["", "{", "a = [", "[[package]]\nname = 3\n", '{"_meta": 1}'])
def test_a_lock_that_is_none_is_not_recognised(name: str, text: str) -> None:
    assert read(Text(name, text)).told == ()
