"""envsnap restore as a whole process: from a wheelhouse, without a network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envsnap.engines._folder import MARK, making
from envsnap.manifest import environment_id, save
from envsnap.sections import CondaArtifact, CondaRecord, Packages, replace
from tests import made, wheels
from tests.cli.processes import BASE, Ended, command, envsnap, names_in, site_packages, variables
from tests.cli.restoring import ALL, ALPHA, BETA, ODD, place, python, restore


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return place(tmp_path)


def test_an_environment_is_restored_from_its_wheelhouse(project: Path) -> None:
    ended = restore(project, "--wheelhouse", "wh")
    assert ended == Ended(
        0,
        "env/bin/python\n",
        f"Python {wheels.VERSION}, as captured: {os.path.abspath(BASE.path)}\n"
        "Unpacked by envsnap, for no installer takes them: odd\n"
        "Restored 3 of 3 packages; all as captured\n"
        "To use it:\n",
    )
    code = "import alpha, beta_b, odd; print(alpha.VERSION, beta_b.VERSION)"
    assert python(project, code) == "1.0 2.1+cpu\n"
    mark = json.loads((project / "env" / MARK).read_text())
    assert mark["state"] == "made"
    assert not (project / "env" / ".envsnap-work").exists()
    assert not [name for name in names_in(site_packages(project / "env")) if name.startswith("pip")]


def test_what_no_installer_takes_has_its_scripts_and_data(project: Path) -> None:
    assert restore(project, "--wheelhouse", "wh").code == 0
    for script, said in (("odd", "odd\n"), ("odd-run", "run\n")):
        ran = subprocess.run(
            [str(project / "env" / "bin" / script)], capture_output=True, text=True, check=True
        )
        assert ran.stdout == said
    assert (project / "env" / "share" / "odd.txt").read_text() == "data\n"
    record = (site_packages(project / "env") / "odd-1.1build1.dist-info" / "RECORD").read_text()
    assert [row.partition(",")[0] for row in record.splitlines()] == [
        "../../../bin/odd",
        "../../../bin/odd-run",
        "../../../share/odd.txt",
        "odd-1.1build1.dist-info/INSTALLER",
        "odd-1.1build1.dist-info/METADATA",
        "odd-1.1build1.dist-info/WHEEL",
        "odd-1.1build1.dist-info/entry_points.txt",
        "odd.py",
        "odd-1.1build1.dist-info/RECORD",
    ]


def test_no_network_is_needed(project: Path) -> None:
    alone = ("unshare", "-rn")
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("unshare -rn does not work here")
    assert restore(project, "--wheelhouse", "wh", before=alone).code == 0


def test_pip_installs_where_there_is_no_uv(project: Path) -> None:
    """The environment of envsnap is one without uv: its interpreter is another."""
    bare = project / "bare"
    subprocess.run([BASE.path, "-m", "venv", "--without-pip", "--system-site-packages", str(bare)],
                   check=True)  # fmt: skip
    site = os.path.dirname(os.path.dirname(pytest.__file__))
    path = os.pathsep.join([str(Path(__file__).parents[2]), site])
    words = ["restore", "env", "--python", BASE.path, "--wheelhouse", "wh"]
    env = variables(PATH="/usr/bin:/bin", PYTHONPATH=path)
    ran = subprocess.run(
        command(*words, python=str(bare / "bin" / "python")), cwd=project, env=env,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "Neither uv nor pip is here" in ran.stderr:
        pytest.skip("this Python has no pip")
    assert (ran.returncode, ran.stderr.splitlines()[-2]) == (
        0,
        "Restored 3 of 3 packages; all as captured",
    ), ran.stderr
    installer = site_packages(project / "env") / "alpha-1.0.dist-info" / "INSTALLER"
    assert installer.read_text() == "pip\n"


def test_a_wheel_with_other_bytes_is_not_installed(project: Path) -> None:
    file = project / "wh" / ALPHA.filename
    file.write_bytes(file.read_bytes().replace(b"VERSION", b"VERSIOM"))
    ended = restore(project, "--wheelhouse", "wh")
    assert (ended.code, ended.err.splitlines()[1:]) == (
        7,
        [
            f"error: {ALPHA.filename} in wh has other bytes than its list says",
            "hint: Fetch it again where the environment is: envsnap lock --wheelhouse wh",
        ],
    )
    assert not (project / "env").exists()


def test_a_folder_of_somebody_else_is_not_touched(project: Path) -> None:
    (project / "env").mkdir()
    (project / "env" / "thesis.tex").write_text("mine")
    ended = restore(project, "--wheelhouse", "wh", "--force")
    assert ended == Ended(
        7, "",
        "error: env holds files that envsnap did not write\n"
        "hint: Name a folder that is empty or not there\n",
    )  # fmt: skip
    assert names_in(project / "env") == ["thesis.tex"]


def test_an_environment_that_was_restored_is_replaced_by_force_alone(project: Path) -> None:
    assert restore(project, "--wheelhouse", "wh").code == 0
    (project / "env" / "bin" / "more").write_text("")
    again = restore(project, "--wheelhouse", "wh")
    assert again == Ended(
        7, "",
        "error: env holds an environment that was restored before\n"
        "hint: Compare it (envsnap check --python env), or make it anew with --force\n",
    )  # fmt: skip
    assert (project / "env" / "bin" / "more").exists()
    assert restore(project, "--wheelhouse", "wh", "--force").code == 0
    assert not (project / "env" / "bin" / "more").exists()


def test_the_help_says_what_force_removes(project: Path) -> None:
    told = " ".join(envsnap("restore", "--help", cwd=project).out.split())
    assert "all that was added inside its folders (bin, lib, ...) is removed with it" in told
    assert "--force refuses a DIR that has files of yours beside bin and lib." in told


def test_what_a_killed_run_had_put_aside_comes_back_and_is_said(project: Path) -> None:
    assert restore(project, "--wheelhouse", "wh").code == 0
    child = os.fork()
    if child == 0:
        with making(str(project / "env"), "0123456789ab", force=True):
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert not (project / "env" / "bin").exists()
    assert restore(project, "--wheelhouse", "wh") == Ended(
        7, "",
        "error: env holds an environment that was restored before: a run that was to replace it "
        "was killed, and it is back\n"
        "hint: Compare it (envsnap check --python env), or make it anew with --force\n",
    )  # fmt: skip
    assert python(project, "import alpha; print(alpha.VERSION)") == "1.0\n"


def test_a_half_made_environment_is_made_anew(project: Path) -> None:
    assert restore(project, "--wheelhouse", "wh").code == 0
    mark = project / "env" / MARK
    mark.write_text(mark.read_text().replace('"made"', '"half-made"'))
    shutil.rmtree(site_packages(project / "env"))
    ended = restore(project, "--wheelhouse", "wh")
    assert ended.code == 0
    assert ended.err.splitlines()[0] == "Removing the half-made environment in env"
    assert python(project, "import alpha; print(alpha.VERSION)") == "1.0\n"


def test_ctrl_c_leaves_nothing(project: Path) -> None:
    """The installer is a uv that never ends."""
    tools = project / "tools"
    tools.mkdir()
    (tools / "python").symlink_to(sys.executable)
    program = tools / "uv"
    program.write_text(f"#!/bin/sh\n: >{project}/started\nexec sleep 60\n")
    program.chmod(0o755)
    site = os.path.dirname(os.path.dirname(pytest.__file__))
    env = variables(
        PATH=f"{tools}:/usr/bin:/bin",
        PYTHONPATH=os.pathsep.join([str(Path(__file__).parents[2]), site]),
    )
    words = command("restore", "env", "--python", BASE.path, "--wheelhouse", "wh", python=BASE.path)
    with subprocess.Popen(words, cwd=project, env=env, stderr=subprocess.PIPE, text=True) as child:
        for _ in range(200):
            if (project / "started").exists():
                break
            time.sleep(0.05)
        assert (project / "env" / MARK).exists()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert err.splitlines()[-1] == "interrupted: nothing was left half-written"
    assert not (project / "env").exists()


def test_what_differs_is_named_and_is_exit_1(project: Path) -> None:
    packages = (wheels.packaged(ALPHA, content="0" * 64), *map(wheels.packaged, (BETA, ODD)))
    artifacts = (wheels.artifact(ALPHA, how="index"), *map(wheels.artifact, (BETA, ODD)))
    save(made.manifest(packages, artifacts, python=wheels.PYTHON),
         str(project / "envsnap.lock.json"))  # fmt: skip
    ended = restore(project, "--wheelhouse", "wh")
    assert (ended.code, ended.out, ended.err.splitlines()[3:]) == (
        1,
        "",
        [
            "Restored 2 of 3 packages",
            "It is not what the manifest says:",
            "  alpha 1.0: other files under the same version",
            "hint: See all of it: envsnap check --python env --verify",
        ],
    )


def test_another_patch_release_is_said_before_and_after(project: Path) -> None:
    minor, _, patch = wheels.VERSION.rpartition(".")
    other = f"{minor}.{int(patch) + 1}"
    soabi = wheels.PYTHON.soabi
    manifest = made.manifest(
        tuple(map(wheels.packaged, ALL)), tuple(map(wheels.artifact, ALL)),
        python=replace(wheels.PYTHON, version=other, soabi=soabi),
    )  # fmt: skip
    save(manifest, str(project / "envsnap.lock.json"))
    ended = restore(project, "--wheelhouse", "wh")
    assert ended.code == 0
    told = " ".join(ended.err.split())
    assert f"Python {wheels.VERSION} (" in told
    assert f"), for the captured {other} is not here; to have it: uv python install {other}" in told
    assert f"Python {other} -> {wheels.VERSION} (PYT003) Restored 3 of 3 packages" in told


def test_a_python_of_another_minor_version_is_refused(project: Path) -> None:
    manifest = made.manifest(python=made.python(version="3.7.1", soabi="cpython-37m"))
    save(manifest, str(project / "envsnap.lock.json"))
    ended = restore(project, "--allow-build", "antlr4-python3-runtime")
    assert (ended.code, ended.err) == (
        2,
        (
            f"error: {BASE.path} is Python {wheels.VERSION} ({wheels.PYTHON.soabi}), "
            "and the environment is of Python 3.7.1 (cpython-37m)\n"
            "hint: Leave out --python to have one looked for, or get it: uv python install 3.7.1\n"
        ),
    )


def test_a_file_that_only_a_wheelhouse_has_is_asked_for(project: Path) -> None:
    ended = restore(project)
    assert (ended.code, ended.err) == (
        6,
        (
            "error: No index has the file of alpha 1.0, beta-b 2.1+cpu, odd 1.1build1, "
            "and no wheelhouse that was named\n"
            "hint: Name the wheelhouse or pack that came with the manifest (--wheelhouse DIR); "
            "where the environment still is, make one: envsnap lock --wheelhouse DIR\n"
        ),
    )
    assert not (project / "env").exists()


def test_nothing_is_built_from_source_unasked(project: Path) -> None:
    save(made.manifest(python=wheels.PYTHON), str(project / "envsnap.lock.json"))
    ended = restore(project)
    assert (ended.code, ended.err) == (
        6,
        (
            "error: Only their source is there, and building it runs its code here: "
            "antlr4-python3-runtime\n"
            "hint: Allow it (--allow-build antlr4-python3-runtime), or have wheels made where the "
            "environment still is: envsnap lock --wheelhouse DIR\n"
        ),
    )


def test_layers_and_shadowed_copies_are_said(project: Path) -> None:
    packages = (
        wheels.packaged(ALPHA),
        made.package("alpha", "0.9", active=False, layer="user"),
        wheels.packaged(BETA, layer="pythonpath"),
        wheels.packaged(ODD, layer="distro"),
    )
    artifacts = tuple(map(wheels.artifact, ALL))
    save(made.manifest(packages, artifacts, python=wheels.PYTHON),
         str(project / "envsnap.lock.json"))  # fmt: skip
    ended = restore(project, "--wheelhouse", "wh")
    assert ended.code == 0
    assert ended.err.splitlines()[1:3] == [
        "Packages of other layers go into the one environment: 1 of distro, 1 of",
        "  pythonpath",
    ]
    assert "Not restored, for import never used it: alpha 0.9\n" in ended.err
    assert "Restored 3 of 3 packages; all as captured\n" in ended.err


def test_a_package_without_a_file_is_left_out_where_that_is_allowed(project: Path) -> None:
    manifest = wheels.manifest(*ALL, packages=(made.package("mine", "3"),))
    save(manifest, str(project / "envsnap.lock.json"))
    refused = restore(project, "--wheelhouse", "wh")
    assert (refused.code, refused.err.splitlines()[1:3]) == (
        6,
        ["error: 1 package has no file in the lock:", "  mine 3: the lock lacks it"],
    )
    ended = restore(project, "--wheelhouse", "wh", "--allow-missing")
    assert (ended.code, ended.err.splitlines()[2:]) == (
        0,
        [
            "Left out: mine 3: the lock lacks it",
            "Unpacked by envsnap, for no installer takes them: odd",
            "Restored 3 of 4 packages; all others as captured",
            "To use it:",
        ],
    )


def test_nothing_of_the_environment_runs_while_it_is_restored(tmp_path: Path) -> None:
    """Python runs the lines of .pth files whenever it starts as usual."""
    mark = tmp_path / "ran"
    line = f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n".encode()
    hook = wheels.wheel("hook", "1.0", {"hook.pth": line, "hook.py": b""})
    manifest = wheels.manifest(hook)
    save(manifest, str(tmp_path / "envsnap.lock.json"))
    wheels.wheelhouse(tmp_path / "wh", manifest, hook)
    ended = restore(tmp_path, "--wheelhouse", "wh")
    assert (ended.code, ended.err.splitlines()[-2:]) == (
        0,
        ["Restored 1 of 1 packages; all as captured", "To use it:"],
    )
    assert not mark.exists()
    assert python(tmp_path, "import hook; print(1)") == "1\n"
    assert mark.exists()


def test_conda_s_hosts_are_told_and_strangers_refused_before_the_folder_is_begun(
    tmp_path: Path,
) -> None:
    archive = CondaArtifact(
        name="python", version="3.11.7", build="0", subdir="noarch", sha256="a" * 64, md5=None,
        filename="python-3.11.7-0.conda", size=1,
        url="https://conda.example/lab/noarch/python-3.11.7-0.conda",
    )  # fmt: skip
    record = CondaRecord(
        name="python", version="3.11.7", build="0", channel="lab", url=archive.url,
        subdir="noarch", sha256="a" * 64, md5=None,
    )  # fmt: skip
    base = made.manifest((), (), python=wheels.PYTHON)
    packages = replace(base.section(Packages), conda_only=(record,))
    manifest = replace(base, sections={**base.sections, "packages": packages})
    assert base.lock is not None
    lock = replace(base.lock, environment=str(environment_id(manifest)), conda=(archive,))
    save(manifest.with_lock(lock), str(tmp_path / "envsnap.lock.json"))
    ended = envsnap("restore", "env", cwd=tmp_path, env=variables(HOME=str(tmp_path)))
    assert ended == Ended(
        5, "",
        "The manifest names conda.example (1)\n"
        "error: 1 file is not fetched, from conda.example (1): conda.example is neither in your "
        "own settings nor allowed\n"
        "hint: If you trust it, allow it: --allow-host conda.example\n",
    )  # fmt: skip
    assert not (tmp_path / "env").exists()
