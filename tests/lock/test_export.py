"""The files that other installers read, read back by them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from envsnap.errors import MissingExtraError, PlanError
from envsnap.lock import Indexes, LockOptions, _toml, make_lock
from envsnap.lock._export import Exported, pylock, requirements
from envsnap.lock._uv import find_uv
from envsnap.manifest import Manifest
from envsnap.sections import Artifact, Lock, Unlocked, replace
from tests import made
from tests.lock.index import index_of, wheel
from tests.serving import served

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("tomli_w", reason="tomli-w is not installed (the extra 'lock')")
UNLOCKED = Unlocked(name="mine", version="0.1", why="it is an editable project on this machine")
HOSTILE = 'a"]\nevil = "\x1b[2J\x7f'


def manifest_of(*artifacts: Artifact) -> Manifest:
    lock = Lock(
        environment="0123456789ab", locker="uv 0", artifacts=artifacts, unlocked=(UNLOCKED,)
    )
    return made.manifest().with_lock(lock)


def read(exported: Exported) -> dict[str, Any]:
    return dict(_toml.loads(exported.text))


DEMO = made.artifact("demo", "1.0", "demo-1.0-py3-none-any.whl", sha256="ab" * 32)
SOURCE = made.artifact("source", "2.0", "source-2.0.tar.gz", sha256="cd" * 32)
LOCAL = made.artifact("torch", "2.0+cpu", "torch-2.0+cpu-cp311-cp311-linux_x86_64.whl")
DIRECT = made.artifact("six", "1.0", "six-1.0-py3-none-any.whl", sha256="ef" * 32, how="address")
HERE = replace(DEMO, name="here", filename="here-1.0-py3-none-any.whl", url=None, sha256="12" * 32,
               how="made")  # fmt: skip


def test_a_pylock_has_every_file_with_its_address_and_hash() -> None:
    exported = pylock(manifest_of(DEMO, SOURCE, DIRECT, HERE), {"12" * 32: "wheels/here.whl"})
    assert exported.left_out == ("mine 0.1",)
    assert read(exported) == {
        "lock-version": "1.0",
        "environments": [
            ("sys_platform == 'linux' and implementation_name == 'cpython' "
            "and platform_machine == 'x86_64'")
        ],
        "requires-python": "==3.11.*",
        "created-by": "envsnap",
        "packages": [
            {
                "name": "demo",
                "version": "1.0",
                "wheels": [
                    {
                        "name": DEMO.filename, "url": DEMO.url, "size": 1000,
                        "hashes": {"sha256": "ab" * 32},
                    }
                ],
            },
            {
                "name": "source",
                "version": "2.0",
                "sdist": {
                    "name": SOURCE.filename, "url": SOURCE.url, "size": 1000,
                    "hashes": {"sha256": "cd" * 32},
                },
            },
            {
                "name": "six",
                "archive": {"url": DIRECT.url, "size": 1000, "hashes": {"sha256": "ef" * 32}},
            },
            {
                "name": "here",
                "version": "1.0",
                "wheels": [
                    {
                        "name": HERE.filename, "path": "wheels/here.whl", "size": 1000,
                        "hashes": {"sha256": "12" * 32},
                    }
                ],
            },
        ],
        "tool": {"envsnap": {"environment": "0123456789ab", "left-out": ["mine 0.1"]}},
    }  # fmt: skip


def test_a_pylock_is_read_back_by_packaging() -> None:
    reader = pytest.importorskip("packaging.pylock", reason="packaging 26 or newer reads pylocks")
    artifacts = (DEMO, SOURCE, LOCAL, DIRECT, HERE)
    exported = pylock(manifest_of(*artifacts), {"12" * 32: "wheels/here.whl"})
    found = reader.Pylock.from_dict(read(exported))
    found.validate()
    assert [each.name for each in found.packages] == ["demo", "source", "torch", "six", "here"]


def test_requirements_pin_every_file_by_its_hash() -> None:
    artifacts = (DEMO, SOURCE, LOCAL, DIRECT, HERE)
    exported = requirements(manifest_of(*artifacts), {"12" * 32: "wheels/here.whl"})
    assert exported.text == (
        "# Written by envsnap lock from environment 0123456789ab.\n"
        "# Install in this folder, with Python 3.11.7:\n"
        "#   pip install --require-hashes --no-deps -r THIS\n"
        "# not in this file: mine 0.1\n"
        f"demo==1.0 \\\n    --hash=sha256:{'ab' * 32}\n"
        f"source==2.0 \\\n    --hash=sha256:{'cd' * 32}\n"
        f"torch @ {LOCAL.url} \\\n    --hash=sha256:{LOCAL.sha256}\n"
        f"six @ {DIRECT.url} \\\n    --hash=sha256:{'ef' * 32}\n"
        f"./wheels/here.whl \\\n    --hash=sha256:{'12' * 32}\n"
    )


def test_what_only_a_wheelhouse_has_is_left_out_without_one_and_said() -> None:
    for export in (pylock, requirements):
        exported = export(manifest_of(DEMO, HERE), {})
        assert exported.left_out == ("mine 0.1", "here 1.0")
        assert "here 1.0" in exported.text


@pytest.mark.parametrize("field", ["name", "version", "filename", "sha256", "url"])
def test_hostile_words_of_a_lock_end_no_string_and_start_no_line(field: str) -> None:
    artifact = replace(
        DEMO, **{field: f"https://files.example/{HOSTILE}" if field == "url" else HOSTILE}
    )
    listed = pylock(manifest_of(artifact), {})
    tree = read(listed)
    assert sorted(tree) == [
        "created-by", "environments", "lock-version", "packages", "requires-python", "tool",
    ]  # fmt: skip
    assert sorted(tree["tool"]["envsnap"]) == ["environment", "left-out"]
    text = requirements(manifest_of(artifact), {}).text
    assert [
        line for line in text.splitlines() if not line.startswith(("#", "demo==", "    --"))
    ] == []
    assert "\x1b" not in listed.text + text


def test_what_an_inner_index_has_is_asked_of_the_readers_own() -> None:
    inner = replace(DEMO, name="inner", filename="inner-1.0-py3-none-any.whl", url=None)
    local = replace(
        inner, name="local", version="1.0+lab", filename="local-1.0+lab-py3-none-any.whl"
    )
    assert pylock(manifest_of(inner), {}).left_out == ("mine 0.1", "inner 1.0")
    exported = requirements(manifest_of(inner, local), {})
    assert exported.left_out == ("mine 0.1", "local 1.0+lab")
    assert exported.text.endswith(f"inner==1.0 \\\n    --hash=sha256:{DEMO.sha256}\n")


def test_a_path_that_leaves_the_list_of_names_is_no_option_of_pip() -> None:
    exported = requirements(manifest_of(HERE), {"12" * 32: "wheels/a b --index-url=evil.whl"})
    assert exported.left_out == ("mine 0.1", "here 1.0")


def test_a_manifest_without_a_lock_has_nothing_to_list() -> None:
    with pytest.raises(PlanError) as caught:
        pylock(made.manifest().with_lock(None), {})
    assert caught.value.hint == "Make one: envsnap lock"


def ran(argv: list[str], folder: Path) -> None:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def uv_or_skip() -> str:
    try:
        return find_uv()
    except MissingExtraError:
        pytest.skip("uv is not installed (the extra 'lock')")


@pytest.mark.slow
def test_uv_and_pip_install_what_the_files_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ:
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    uv = uv_or_skip()
    published, own = wheel("demo", "1.0"), wheel("here", "1.0+lab")
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / own[0]).write_bytes(own[1])
    packages = (made.package("demo", "1.0"), made.package("here", "1.0+lab"))
    version = ".".join(map(str, sys.version_info[:3]))
    manifest = made.manifest(packages, python=made.python(version=version)).with_lock(None)
    with served(index_of(dict([published]))) as address:
        places = Indexes(default=f"http://{address}/simple", find_links=(str(folder),))
        lock = make_lock(manifest, LockOptions(indexes=places))
        manifest = manifest.with_lock(lock)
        (folder / published[0]).write_bytes(published[1])  # as a wheelhouse keeps it
        paths = {each.sha256: f"wheels/{each.filename}" for each in lock.artifacts}
        (tmp_path / "pylock.toml").write_text(pylock(manifest, paths).text)
        (tmp_path / "requirements.txt").write_text(requirements(manifest, paths).text)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://{address}/simple")
        for target, argv in {
            "by-uv": [uv, "pip", "install", "-q", "-r", "pylock.toml", "--preview"],
            "by-uv-too": [
                uv, "pip", "install", "-q", "--require-hashes", "--no-deps", "-r",
                "requirements.txt", "--default-index", f"http://{address}/simple",
            ],
            "by-pip": [
                sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                "--require-hashes", "--no-deps", "-r", "requirements.txt",
            ],
        }.items():  # fmt: skip
            if "pip" in target and subprocess.run([*argv[:3], "--version"], check=False).returncode:
                continue
            python = ["--python", sys.executable] if argv[0] == uv else []
            ran([*argv, *python, "--target", str(tmp_path / target)], tmp_path)
            names = sorted(each.name for each in (tmp_path / target).glob("*.py"))
            assert names == ["demo.py", "here.py"]
