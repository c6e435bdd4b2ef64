from __future__ import annotations

from collections.abc import Mapping

import pytest

from envsnap.errors import UsageError
from envsnap.host import RecordedHost
from envsnap.probes._choose import Candidate, Choice, choose
from envsnap.sections import Reason, Unknown

SYSTEM = {"/usr/bin/python3": ""}
VENV = {"/home/ada/work/.venv/bin/python": "", "/home/ada/work/.venv/pyvenv.cfg": ""}
CONDA = {
    "/opt/conda/bin/python": "",
    "/opt/conda/bin/python3": "",
    "/opt/conda/conda-meta/history": "",
}
PATH = "/usr/bin:/bin"
NO_PYTHON = Unknown(Reason.TOOL_MISSING, "no Python was found")
SHARED = {"/data/lab/.venv/bin/python": ""}
FOREIGN = Candidate("/data/lab/.venv/bin/python", "foreign", ".venv", "owned by somebody else")


def host(
    *files: dict[str, str],
    path: str = PATH,
    cwd: str = "/home/ada/work",
    home: str = "/home/ada",
    links: Mapping[str, str] | None = None,
    owners: Mapping[str, int] | None = None,
    **variables: str,
) -> RecordedHost:
    merged = {name: text for each in files for name, text in each.items()}
    return RecordedHost.made(
        files=merged,
        absent_below=["/"],
        environ={"PATH": path, **variables},
        cwd=cwd,
        home=home,
        user=("ada", 1000),
        links=links or {},
        owners=owners or {},
    )


def test_the_active_environment_is_taken_when_python_on_path_is_its_own() -> None:
    found = choose(
        host(
            SYSTEM,
            VENV,
            path=f"/home/ada/work/.venv/bin:{PATH}",
            VIRTUAL_ENV="/home/ada/work/.venv",
        ),
        None,
    )
    assert isinstance(found, Choice)
    assert found.chosen == Candidate("/home/ada/work/.venv/bin/python", "venv", ".venv", "active")


def test_a_variable_left_over_from_another_shell_is_not_believed() -> None:
    found = choose(host(SYSTEM, VIRTUAL_ENV="/home/ada/old"), None)
    assert isinstance(found, Choice)
    assert found.chosen.executable == "/usr/bin/python3"


def test_a_venv_here_wins_over_an_active_conda_base() -> None:
    found = choose(
        host(
            SYSTEM, VENV, CONDA, path=f"/opt/conda/bin:{PATH}",
            CONDA_PREFIX="/opt/conda", CONDA_DEFAULT_ENV="base",
        ),
        None,
    )  # fmt: skip
    assert isinstance(found, Choice)
    assert found.chosen.why == ".venv here"
    assert [each.kind for each in found.others] == ["conda base", "system"]
    assert found.others[1].executable == "/opt/conda/bin/python3"


def test_a_named_conda_environment_wins_over_a_venv_here() -> None:
    found = choose(
        host(
            SYSTEM, VENV, {"/opt/conda/envs/llm/bin/python": ""},
            path=f"/opt/conda/envs/llm/bin:{PATH}",
            CONDA_PREFIX="/opt/conda/envs/llm", CONDA_DEFAULT_ENV="llm",
        ),
        None,
    )  # fmt: skip
    assert isinstance(found, Choice)
    assert found.chosen == Candidate("/opt/conda/envs/llm/bin/python", "conda", "llm", "active")


def test_a_venv_in_a_folder_above_is_found() -> None:
    found = choose(host(SYSTEM, VENV, cwd="/home/ada/work/src/deep"), None)
    assert isinstance(found, Choice)
    assert found.chosen.why == ".venv in a folder above"


def test_a_venv_here_without_its_interpreter_is_named_as_not_read() -> None:
    found = choose(host(SYSTEM, {"/home/ada/work/.venv/pyvenv.cfg": ""}), None)
    assert isinstance(found, Choice)
    assert found.chosen.executable == "/usr/bin/python3"
    assert found.others == (Candidate("", "broken", ".venv", "its interpreter is gone"),)


def test_conda_base_comes_before_the_system() -> None:
    found = choose(host(SYSTEM, CONDA, CONDA_PREFIX="/opt/conda", CONDA_DEFAULT_ENV="base"), None)
    assert isinstance(found, Choice)
    assert found.chosen.kind == "conda base"


def test_a_machine_without_python_has_nothing_to_choose() -> None:
    assert choose(host({"/bin/sh": ""}), None) == NO_PYTHON


def test_a_folder_that_is_named_gives_its_interpreter() -> None:
    found = choose(host(SYSTEM, VENV), ".venv")
    assert isinstance(found, Choice)
    assert found.chosen.executable == "/home/ada/work/.venv/bin/python"
    assert found.chosen.why == "named with --python"


def test_a_command_that_is_named_is_looked_up() -> None:
    found = choose(host(SYSTEM, VENV), "python3")
    assert isinstance(found, Choice)
    assert found.chosen.executable == "/usr/bin/python3"


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("/nowhere", "/nowhere does not exist"),
        ("/usr/bin", "/usr/bin holds no interpreter"),
        ("python9", "python9 does not exist"),
    ],
)
def test_what_is_named_and_is_no_python_is_refused(named: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose(host(SYSTEM), named)
    assert str(caught.value) == message


def test_a_relative_folder_on_path_is_not_searched() -> None:
    assert choose(host({"/home/ada/work/bin/python3": ""}, path="bin"), None) == NO_PYTHON


@pytest.mark.parametrize(
    ("planted", "cwd", "more"),
    [
        ("/scratch", "/scratch/job", {}),
        ("/", "/home/ada/work", {}),
        ("/home", "/home/ada/work", {}),
        ("/data", "/data/lab/src", {"/data/lab/.git/HEAD": ""}),
        ("/home/ada", "/home/ada/work/src", {"/home/ada/work/.git": "gitdir: x"}),
    ],
)
def test_a_venv_above_the_repository_the_home_or_outside_of_both_is_not_seen(
    planted: str, cwd: str, more: dict[str, str]
) -> None:
    files = {f"{planted.rstrip('/')}/.venv/bin/python": "", f"{cwd}/main.py": "", **more}
    found = choose(host(SYSTEM, files, cwd=cwd), None)
    assert found == Choice(
        Candidate("/usr/bin/python3", "system", "python3", "first on PATH; nothing nearer"), ()
    )


@pytest.mark.parametrize(
    ("cwd", "more"),
    [
        ("/data/lab", {}),
        ("/data/lab/src", {"/data/lab/.git/HEAD": ""}),
        ("/data/lab/src/deep", {"/data/lab/.git": "gitdir: x", "/data/lab/src/deep/a": ""}),
    ],
)
def test_outside_of_home_a_venv_here_or_up_to_the_repository_s_root_is_found(
    cwd: str, more: dict[str, str]
) -> None:
    found = choose(host(SYSTEM, SHARED, more, cwd=cwd, owners={"/data/lab/.venv": 1000}), None)
    assert isinstance(found, Choice)
    assert found.chosen.executable == "/data/lab/.venv/bin/python"


def test_a_home_that_is_reached_by_a_link_is_home() -> None:
    files = {"/data/home/ada/.venv/bin/python": "", "/data/home/ada/work/a": ""}
    linked = {"/home": "/data/home"}
    found = choose(host(SYSTEM, files, cwd="/data/home/ada/work", links=linked), None)
    assert isinstance(found, Choice)
    assert found.chosen.executable == "/data/home/ada/.venv/bin/python"


@pytest.mark.parametrize(
    "place", ["/data/lab/.venv", "/data/lab/.venv/bin", "/data/lab/.venv/bin/python"]
)
def test_a_venv_of_somebody_else_is_told_of_and_not_taken(place: str) -> None:
    found = choose(host(SYSTEM, SHARED, cwd="/data/lab", owners={place: 1001}), None)
    assert found == Choice(
        Candidate("/usr/bin/python3", "system", "python3", "first on PATH; nothing nearer"),
        (FOREIGN,),
    )


def test_a_link_of_one_s_own_to_software_of_the_site_is_taken() -> None:
    files = {"/sw/bin/python3.12": "", "/data/lab/.venv/pyvenv.cfg": ""}
    owners = {"/sw/bin/python3.12": 900, "/data/lab/.venv": 1000, "/data/lab/.venv/bin": 0}
    links = {"/data/lab/.venv/bin/python": "/sw/bin/python3.12"}
    found = choose(host(SYSTEM, files, cwd="/data/lab", owners=owners, links=links), None)
    assert isinstance(found, Choice)
    assert found.chosen.why == ".venv here"


def test_a_venv_of_somebody_else_is_taken_when_it_is_named() -> None:
    found = choose(host(SYSTEM, SHARED, cwd="/data/lab", owners={"/data/lab/.venv": 1001}), ".venv")
    assert isinstance(found, Choice)
    assert found.chosen == Candidate(FOREIGN.executable, "named", ".venv", "named with --python")
    assert [each.kind for each in found.others] == ["system"]


def test_where_there_is_only_a_venv_of_somebody_else_that_is_said() -> None:
    found = choose(host(SHARED, cwd="/data/lab", owners={"/data/lab/.venv": 1001}), None)
    assert found == Unknown(Reason.NO_PERMISSION, ".venv was not read: owned by somebody else")


def test_the_environment_that_envsnap_runs_in_is_passed_over() -> None:
    files = {"/home/ada/tools/bin/python3": "", "/home/ada/tools/bin/python": ""}
    machine = host(SYSTEM, files, path=f"/home/ada/tools/bin:{PATH}")
    usual, ours = choose(machine, None), choose(machine, None, "/home/ada/tools")
    assert isinstance(usual, Choice)
    assert isinstance(ours, Choice)
    assert usual.chosen.executable == "/home/ada/tools/bin/python3"
    assert ours.chosen.executable == "/usr/bin/python3"
