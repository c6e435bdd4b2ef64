from __future__ import annotations

import pytest

from envsnap.errors import UsageError
from envsnap.host import RecordedHost
from envsnap.probes._choose import Candidate, choose

SYSTEM = {"/usr/bin/python3": ""}
VENV = {"/home/ada/work/.venv/bin/python": "", "/home/ada/work/.venv/pyvenv.cfg": ""}
CONDA = {
    "/opt/conda/bin/python": "",
    "/opt/conda/bin/python3": "",
    "/opt/conda/conda-meta/history": "",
}
PATH = "/usr/bin:/bin"


def host(
    *files: dict[str, str], path: str = PATH, cwd: str = "/home/ada/work", **variables: str
) -> RecordedHost:
    merged = {name: text for each in files for name, text in each.items()}
    return RecordedHost.made(
        files=merged,
        absent_below=["/"],
        environ={"PATH": path, **variables},
        cwd=cwd,
        home="/home/ada",
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
    assert found is not None
    assert found.chosen == Candidate("/home/ada/work/.venv/bin/python", "venv", ".venv", "active")


def test_a_variable_left_over_from_another_shell_is_not_believed() -> None:
    found = choose(host(SYSTEM, VIRTUAL_ENV="/home/ada/old"), None)
    assert found is not None
    assert found.chosen.executable == "/usr/bin/python3"


def test_a_venv_here_wins_over_an_active_conda_base() -> None:
    found = choose(
        host(
            SYSTEM, VENV, CONDA, path=f"/opt/conda/bin:{PATH}",
            CONDA_PREFIX="/opt/conda", CONDA_DEFAULT_ENV="base",
        ),
        None,
    )  # fmt: skip
    assert found is not None
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
    assert found is not None
    assert found.chosen == Candidate("/opt/conda/envs/llm/bin/python", "conda", "llm", "active")


def test_a_venv_in_a_folder_above_is_found() -> None:
    found = choose(host(SYSTEM, VENV, cwd="/home/ada/work/src/deep"), None)
    assert found is not None
    assert found.chosen.why == ".venv in a folder above"


def test_conda_base_comes_before_the_system() -> None:
    found = choose(host(SYSTEM, CONDA, CONDA_PREFIX="/opt/conda", CONDA_DEFAULT_ENV="base"), None)
    assert found is not None
    assert found.chosen.kind == "conda base"


def test_a_machine_without_python_has_nothing_to_choose() -> None:
    assert choose(host({"/bin/sh": ""}), None) is None


def test_a_folder_that_is_named_gives_its_interpreter() -> None:
    found = choose(host(SYSTEM, VENV), ".venv")
    assert found is not None
    assert found.chosen.executable == "/home/ada/work/.venv/bin/python"
    assert found.chosen.why == "named with --python"


def test_a_command_that_is_named_is_looked_up() -> None:
    found = choose(host(SYSTEM, VENV), "python3")
    assert found is not None
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
    assert choose(host({"/home/ada/work/bin/python3": ""}, path="bin"), None) is None
