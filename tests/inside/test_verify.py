"""The verifier that images carry, run by real interpreters in real environments."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

import envsnap.inside
from envsnap.inside import VERIFIER
from envsnap.manifest import encode
from envsnap.sections import Artifact, Package
from tests import made
from tests.inside.rows import by_the_definition, row

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = os.path.dirname(envsnap.inside.__file__)
IDENTITY = sys.version_info[:3]
VERSION = ".".join(map(str, IDENTITY))
SITE = f"lib/python{IDENTITY[0]}.{IDENTITY[1]}/site-packages"
HOST = "not in an image: kernel 6.1.0 were the author's"
"""What the manifest of these tests says of its machine."""


def install(prefix: Path, name: str, version: str, tool: str = "") -> str:
    """A distribution of one module, perhaps with a program; the digest of what its wheel holds."""
    folder = prefix / SITE / f"{name}-{version}.dist-info"
    folder.mkdir()
    module = f"{name.lower().replace('.', '_')}.py"
    files = {
        f"{folder.name}/METADATA": f"Name: {name}\nVersion: {version}\n\nName: no\n",
        module: f"name = {name!r}\n",
    }
    if tool:
        files[f"{folder.name}/entry_points.txt"] = f"[console_scripts]\n{tool} = {name}:main\n"
        files[f"../../../bin/{tool}"] = f"#!{prefix}/bin/python\nimport {name}\n"
    for path, text in files.items():
        (prefix / SITE / path).write_text(text)
    rows = [row(path, text.encode()) for path, text in files.items()]
    (folder / "RECORD").write_text("".join(rows) + f"{folder.name}/RECORD,,\n")
    (folder / "INSTALLER").write_text("test\n")
    return by_the_definition(
        {path: text.encode() for path, text in files.items() if ".." not in path}
    )


class Made:
    """A virtual environment with two packages, the verifier beside it, and its manifest."""

    def __init__(self, folder: Path) -> None:
        self.prefix = folder / "env"
        venv.create(self.prefix, with_pip=False, symlinks=True)
        self.site = self.prefix / SITE
        self.contents = {
            "demo": install(self.prefix, "demo", "1.0", tool="demo-tool"),
            "Other.Name": install(self.prefix, "Other.Name", "2.0"),
        }
        for name in VERIFIER:
            shutil.copy(os.path.join(INSIDE, name), folder)

    def package(self, name: str, version: str, **changes: object) -> Package:
        return made.package(name, version, **{"content": self.contents.get(name), **changes})

    @property
    def packages(self) -> tuple[Package, ...]:
        return (
            self.package("demo", "1.0"),
            self.package("Other.Name", "2.0"),
            self.package("shadowed", "1.0", active=False),
        )

    def manifest(
        self,
        packages: tuple[Package, ...] | None = None,
        artifacts: tuple[Artifact, ...] = (),
        *,
        version: str = VERSION,
    ) -> str:
        """A manifest of this very interpreter, as the codec writes it."""
        python = made.python(
            implementation=sys.implementation.name, version=version,
            soabi=made.NOT_LOOKED, architecture=os.uname().machine,
        )  # fmt: skip
        path = self.prefix.parent / "manifest.json"
        given = self.packages if packages is None else packages
        path.write_text(encode(made.manifest(given, artifacts, python=python)))
        return str(path)

    def verify(self, *words: str) -> tuple[int, list[str]]:
        """The exit status, and the lines but for the one about the host."""
        code, out, err = self.ran(*words or (self.manifest(),))
        assert err == ""
        return code, [each for each in out.splitlines() if each != HOST]

    def ran(self, *words: str) -> tuple[int, str, str]:
        python, program = self.prefix / "bin" / "python", self.prefix.parent / "verify.py"
        done = subprocess.run(
            [python, "-I", "-B", program, *words], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def env(tmp_path: Path) -> Made:
    return Made(tmp_path)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


SAME = [
    "Python and 2 packages are those of the manifest",
    "6 files hashed, each as its RECORD states",
]


def test_an_environment_as_its_manifest_says_passes(env: Made) -> None:
    assert env.verify() == (0, SAME)


def test_what_no_image_can_carry_is_the_hosts_and_no_difference(env: Made) -> None:
    assert env.ran(env.manifest())[1].splitlines()[-1] == HOST


def test_every_difference_of_the_packages_is_named(env: Made) -> None:
    packages = (
        env.package("Demo", "1.1", content=None),
        env.package("gone", "3", content=None),
    )
    assert env.verify(env.manifest(packages)) == (
        1,
        [
            "differs: Demo: wanted 1.1, found 1.0",
            "differs: gone 3 is missing",
            "differs: other-name 2.0 is not the manifest's",
        ],
    )


def test_what_was_left_out_is_not_missed_and_others_can_be_allowed(env: Made) -> None:
    path = env.manifest((env.package("demo", "1.0"), env.package("gone", "3", content=None)))
    assert env.verify("--others-ok", "--without", "Gone", path) == (
        0,
        [
            "Python and 1 packages are those of the manifest",
            "4 files hashed, each as its RECORD states",
        ],
    )


def test_an_edited_file_is_named_with_both_digests(env: Made) -> None:
    (env.site / "demo.py").write_text("evil\n")
    wanted, found = sha("name = 'demo'\n")[:12], sha("evil\n")[:12]
    words = "differs: demo demo.py is not the file that its RECORD states"
    assert env.verify() == (1, [f"{words} (sha256 {wanted}..., found {found}...)"])


def test_a_missing_file_is_named(env: Made) -> None:
    (env.site / "demo.py").unlink()
    assert env.verify() == (1, ["differs: demo demo.py is not there"])


def test_a_record_that_was_changed_with_its_file_is_seen(env: Made) -> None:
    record = env.site / "demo-1.0.dist-info" / "RECORD"
    (env.site / "demo.py").write_text("evil\n")
    rows = [each for each in record.read_text().split("\n") if not each.startswith("demo.py")]
    record.write_text(row("demo.py", b"evil\n") + "\n".join(rows))
    words = "holds other files than it did: what RECORD states is not what the manifest states"
    artifacts = (made.artifact("demo", "1.0", "demo-1.0-py3-none-any.whl"),)
    assert env.verify(env.manifest(artifacts=artifacts)) == (1, [f"differs: demo 1.0 {words}"])


def test_a_record_without_its_hashes_is_no_proof(env: Made) -> None:
    record = env.site / "demo-1.0.dist-info" / "RECORD"
    record.write_text("demo.py,,\n")
    artifacts = (made.artifact("demo", "1.0", "demo-1.0-py3-none-any.whl"),)
    code, lines = env.verify(env.manifest(artifacts=artifacts))
    why = "RECORD states no SHA-256 of 'demo.py': no hash (1 rows)"
    assert (code, lines[0]) == (1, f"differs: demo 1.0 holds other files than it did: {why}")


def test_of_another_file_than_the_installed_one_the_version_is_compared(env: Made) -> None:
    packages = (env.package("demo", "1.0", content="0" * 64), env.package("Other.Name", "2.0"))
    artifacts = (made.artifact("demo", "1.0", "demo-1.0.tar.gz", is_installed=False),)
    assert env.verify(env.manifest(packages, artifacts)) == (
        0, [*SAME, "by version alone: demo"]
    )  # fmt: skip


def test_files_that_belong_to_no_package_are_named(env: Made) -> None:
    (env.site / "evil.pth").write_text("import os\n")
    (env.site / "sitecustomize.py").write_text("")
    (env.site / "odd.pyc").write_bytes(b"")
    (env.prefix / "bin" / "ls").write_text("#!/bin/sh\n")
    code, lines = env.verify()
    assert (code, sorted(lines)) == (
        1,
        [
            "differs: bin/ls belongs to no package",
            "differs: evil.pth belongs to no package",
            "differs: odd.pyc belongs to no package",
            "differs: sitecustomize.py belongs to no package",
        ],
    )


def test_bytecode_in_its_own_folder_is_counted_alone(env: Made) -> None:
    (env.site / "__pycache__").mkdir()
    (env.site / "__pycache__" / "demo.cpython-311.pyc").write_bytes(b"")
    assert env.verify() == (0, [*SAME, "not compared: 1 files of bytecode"])


def test_a_program_that_starts_another_python_is_named(env: Made) -> None:
    place = env.prefix / "bin" / "demo-tool"
    place.write_text("#!/usr/bin/python3\nimport demo\n")
    code, lines = env.verify()
    words = "starts with '#!/usr/bin/python3', not with the environment's own Python"
    assert (code, lines[0]) == (1, f"differs: bin/demo-tool {words}")
    assert lines[1].startswith("differs: demo ../../../bin/demo-tool is not the file")


def test_packages_of_the_system_that_are_let_in_are_seen(env: Made) -> None:
    config = env.prefix / "pyvenv.cfg"
    config.write_text(config.read_text().replace("= false", "= true"))
    assert env.verify() == (
        1,
        ["differs: pyvenv.cfg include-system-site-packages: wanted false, found true"],
    )


def test_a_link_among_the_packages_is_named(env: Made, tmp_path: Path) -> None:
    (env.site / "linked").symlink_to(tmp_path)
    assert env.verify() == (1, [f"differs: linked is a link to {tmp_path}"])


def test_two_copies_of_a_package_are_seen(env: Made) -> None:
    install(env.prefix, "demo", "0.9")
    code, lines = env.verify()
    assert (code, lines[0]) == (
        1, "differs: demo is there twice: demo-0.9.dist-info, demo-1.0.dist-info"
    )  # fmt: skip


def test_only_the_named_packages_are_compared_and_nothing_around_them(env: Made) -> None:
    (env.site / "other_name.py").write_text("evil\n")
    (env.site / "evil.pth").write_text("import os\n")
    path = env.manifest()
    assert env.verify("--only", "demo", path) == (
        0,
        [
            "Python and 1 packages are those of the manifest",
            "4 files hashed, each as its RECORD states",
        ],
    )
    assert env.verify("--only", "demo,other-name", path)[0] == 1


def test_a_file_that_two_packages_share_a_folder_for_is_not_too_many(env: Made) -> None:
    shared = env.site / "shared"
    shared.mkdir()
    for name in ("demo-1.0", "Other.Name-2.0"):
        (shared / f"{name}.py").write_text(name)
        with open(env.site / f"{name}.dist-info" / "RECORD", "a", encoding="utf-8") as file:
            file.write(row(f"shared/{name}.py", name.encode()))
    packages = tuple(
        made.package(*each, content=None) for each in (("demo", "1.0"), ("other-name", "2.0"))
    )
    assert env.verify("--only", "demo", env.manifest(packages))[0] == 0


def test_quick_compares_what_records_state_and_what_is_too_much(env: Made) -> None:
    (env.site / "demo.py").write_text("evil\n")
    path = env.manifest()
    assert env.verify("--quick", path) == (0, SAME[:1])
    (env.site / "evil.pth").write_text("import os\n")
    assert env.verify("--quick", path) == (1, ["differs: evil.pth belongs to no package"])


def test_another_python_is_seen(env: Made) -> None:
    assert env.verify(env.manifest(version="3.6.0")) == (
        1,
        [f"differs: Python's version: wanted 3.6.0, found {VERSION}"],
    )


def test_an_envsnap_in_the_environment_is_not_asked(env: Made) -> None:
    folder = env.site / "envsnap" / "inside"
    folder.mkdir(parents=True)
    (env.site / "envsnap" / "__init__.py").write_text("raise SystemExit('asked')\n")
    path = env.manifest()
    assert env.verify("--only", "demo", path)[0] == 0


def test_the_document_for_programs_says_all(env: Made) -> None:
    (env.site / "demo.py").write_text("evil\n")
    code, out, _ = env.ran("--json", env.manifest())
    told: dict[str, Any] = json.loads(out)
    assert code == 1
    assert sorted(told) == [
        "answer", "by_content", "by_version", "differs", "environment", "facts_digest", "host",
        "looked_at", "verify",
    ]  # fmt: skip
    (only,) = told["differs"]
    assert {key: only[key] for key in ("kind", "package", "path", "wanted", "found")} == {
        "kind": "edited", "package": "demo", "path": "demo.py",
        "wanted": sha("name = 'demo'\n"), "found": sha("evil\n"),
    }  # fmt: skip
    assert (told["answer"], told["by_content"]) == ("differs", 1)
    assert told["host"] == [{"captured": "6.1.0", "what": "kernel"}]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "cannot verify: name one manifest\n"),
        (("--sudo", "m"), "cannot verify: there is no option '--sudo'\n"),
        (("--only",), "cannot verify: --only needs a name\n"),
        (("/dev/null/m",), "cannot verify: /dev/null/m: Not a directory\n"),
    ],
)
def test_what_makes_no_sense_is_no_answer(env: Made, words: Sequence[str], why: str) -> None:
    assert env.ran(*words) == (2, "", why)


def test_a_manifest_of_nonsense_is_no_answer(env: Made) -> None:
    path = env.prefix.parent / "manifest.json"
    for text in ("{}", "[]", "{", '{"sections": {"packages": {"installed": [7]}}}'):
        path.write_text(text)
        code, out, err = env.ran(str(path))
        assert (code, out) == (2, "")
        assert err.startswith("cannot verify: ")


def test_a_manifests_words_cannot_misuse_the_terminal(env: Made) -> None:
    path = env.manifest((made.package("a\x1b[2Jb", "1", content=None),))
    code, lines = env.verify("--others-ok", path)
    assert (code, lines) == (1, ["differs: a\\x1b[2Jb 1 is missing"])


def interpreters() -> list[str]:
    root = os.path.expanduser("~/.pyenv/versions")
    found = sorted(os.listdir(root)) if os.path.isdir(root) else []
    wanted = ("3.6.", "3.7.", "3.8.", "3.13.")
    return [f"{root}/{each}/bin/python" for each in found if each.startswith(wanted)]


@pytest.mark.skipif(not interpreters(), reason="no other Python here")
@pytest.mark.parametrize("program", interpreters())
def test_other_interpreters_run_it_in_an_environment_of_their_own(
    program: str, tmp_path: Path
) -> None:
    env = tmp_path / "env"
    subprocess.run([program, "-m", "venv", env], check=True, capture_output=True)
    captured = tmp_path / "manifest.json"
    subprocess.run(
        [sys.executable, "-m", "envsnap", "capture", "-q", "--python", env, "-o", captured],
        check=True, capture_output=True,
    )  # fmt: skip
    program = os.path.join(INSIDE, "verify.py")
    command = [str(env / "bin" / "python"), "-I", "-B", program, str(captured)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (changed,) = env.glob("lib/*/site-packages/pip/__init__.py")
    changed.write_text("")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("differs: pip pip/__init__.py is not the file that its RECORD")
