"""What pip and uv print, and requirements files."""

from __future__ import annotations

import json

from envsnap._import import read
from envsnap.imports import NOT_TOLD, Text, Told
from envsnap.imports._listed import A_PART
from envsnap.sections import Origin, Os, Package, Packages, Python, Unknown

FREEZE = """\
idna==3.7
numpy @ file:///home/conda/feedstock_root/build_artifacts/numpy_1707225380409/work/dist/numpy-1.26.4-cp310-cp310-linux_x86_64.whl#sha256=51131fd8fc130cd168aecaf1bc0ea85f92e8ffebf211772ceb16ac2e7f10d7ca
torch==2.4.1+cu121
"""
TABLE = """\
WARNING: pip is being invoked by an old script wrapper.
Package    Version     Editable project location
---------- ----------- -------------------------
numpy      1.26.4
my-project 0.1.dev3    /home/somebody/my-project
torch      2.4.1+cu121

[notice] A new release of pip is available: 23.2.1 -> 24.0
"""


def told(text: str, name: str = "-", form: str | None = None) -> Told:
    (only,) = read(Text(name, text), form).told
    return only


def section(of: Told) -> Packages:
    found = of.sections["packages"]
    assert isinstance(found, Packages)
    return found


def installed(of: Told) -> tuple[Package, ...]:
    found = section(of).installed
    assert not isinstance(found, Unknown)
    return found


def pins(of: Told) -> list[str]:
    return [f"{each.name} {each.version} {each.origin.kind}" for each in installed(of)]


def test_pip_freeze_is_read_with_the_origin_that_it_tells() -> None:
    found = told(FREEZE)
    assert (found.form, found.not_read, found.notes) == ("pip freeze", (), ())
    assert pins(found) == ["idna 3.7 unknown", "numpy 1.26.4 conda", "torch 2.4.1+cu121 unknown"]


def test_a_list_that_a_filter_cut_down_is_of_a_part_and_needs_no_heading() -> None:
    found = told("$ pip list | grep -E 'torch|numpy'\nnumpy   1.26.4\ntorch   2.3.1\n")
    assert (found.form, found.not_read) == ("pip list", ())
    assert pins(found) == ["numpy 1.26.4 unknown", "torch 2.3.1 unknown"]
    assert section(found).unlisted == A_PART
    frozen = told("$ pip freeze | grep torch\ntorch==2.3.1\n")
    assert (pins(frozen), section(frozen).unlisted) == (["torch 2.3.1 unknown"], A_PART)
    assert section(told("$ pip freeze\ntorch==2.3.1\n")).unlisted is False


def test_addresses_and_folders_stand_beside_pins_in_a_list_of_any_name() -> None:
    lines = "torch==2.1.0\nnumpy==1.26\ngit+https://u:s3cret@files.example/a/b\n./w/idna-3.7-py3-none-any.whl\n"
    found = told(lines)
    assert pins(found) == ["idna 3.7 archive", "numpy 1.26 index", "torch 2.1.0 index"]
    assert found.not_read == ()
    assert found.notes == ("no version is told of git+https://files.example/a/b",)
    assert told("torch==2.1.0\nnumpy==1.26\n<script>==1.0\n").not_read == ("<script>==1.0",)


def test_pytorch_with_a_cuda_of_its_own_came_from_pip_so_that_conda_brought_none() -> None:
    assert section(told(FREEZE)).conda_only == ()
    assert section(told("idna==3.7\n")).conda_only == NOT_TOLD


def test_the_table_of_pip_list_is_read_without_the_folder_of_what_is_edited() -> None:
    found = told(TABLE)
    assert found.form == "pip list"
    assert pins(found) == [
        "my-project 0.1.dev3 editable",
        "numpy 1.26.4 unknown",
        "torch 2.4.1+cu121 unknown",
    ]
    assert "somebody" not in repr(found)
    assert section(found).unlisted is False


def test_a_list_that_was_cut_names_a_part_of_what_is_installed() -> None:
    found = told("Package Version\n------- -------\nidna    3.7\n...\n")
    assert found.notes == ("the list is cut",)
    assert isinstance(section(found).unlisted, Unknown)


def test_a_range_is_no_version_and_the_list_is_no_longer_whole() -> None:
    found = told("idna==3.7\nrich>=13\n-r more.txt\n", "requirements.txt")
    assert found.form == "requirements.txt"
    assert pins(found) == ["idna 3.7 index"]
    assert found.notes == ("no version is told of rich>=13", "refers to more.txt: import it, too")
    assert isinstance(section(found).unlisted, Unknown)


def test_a_requirement_for_another_platform_is_left_out() -> None:
    found = told("idna==3.7\ncolorama==0.4.6 ; sys_platform == 'win32'\n", "requirements.txt")
    assert pins(found) == ["idna 3.7 index"]
    on_windows = Text("requirements.txt", "colorama==0.4.6 ; sys_platform == 'win32'\n", "win-64")
    assert pins(read(on_windows).told[0]) == ["colorama 0.4.6 index"]


def test_one_hash_is_kept_and_of_several_none() -> None:
    one, two = "a" * 64, "b" * 64
    text = (
        f"idna==3.7 \\\n    --hash=sha256:{one}\n"
        f"rich==13.0.0 --hash=sha256:{one} \\\n  --hash=sha256:{two}\n"
    )
    found = installed(told(text, "requirements.txt"))
    assert [each.origin.archive_hash for each in found] == [f"sha256={one}", None]


def test_no_credential_of_an_address_is_kept() -> None:
    text = (
        "--index-url https://me:hunter2@index.example/simple\n"
        "demo @ https://me:hunter2@files.example/demo-1.0-py3-none-any.whl?sig=abc\n"
        "-e git+https://me:hunter2@forge.example/lab/tool.git@" + "c" * 40 + "#egg=tool\n"
        "lib @ git+https://hunter2@forge.example/lab/lib.git\n"
        "idna==3.7\n"
    )
    found = told(text, "requirements.txt")
    assert "hunter2" not in repr(found)
    assert "sig=abc" not in repr(found)
    assert installed(found)[0].origin == Origin(
        kind="archive", url="https://files.example/demo-1.0-py3-none-any.whl"
    )


def test_an_editable_project_whose_version_pip_tells_beside_it_has_that_version() -> None:
    text = "# Editable Git install with no remote (demo==0.3)\n-e /home/somebody/demo\nidna==3.7\n"
    found = told(text)
    assert pins(found) == ["demo 0.3 editable", "idna 3.7 unknown"]
    assert "somebody" not in repr(found)


def test_prose_is_no_list_of_packages() -> None:
    assert read(Text("-", "hello\nthere, numpy==1.26.4 crashes\n")).told == ()
    assert read(Text("-", "It\nfails\nhere\n")).told == ()


def test_a_list_is_taken_for_what_the_reader_says_it_is() -> None:
    found = told("rich\nidna==3.7\n", "notes", "requirements.txt")
    assert pins(found) == ["idna 3.7 index"]


def test_pip_inspect_tells_the_interpreter_the_system_and_origins() -> None:
    rows = [
        {
            "metadata": {"name": "demo", "version": "1.0"}, "installer": "pip", "requested": True,
            "direct_url": {"url": "https://me:pw@forge.example/demo.git",
                           "vcs_info": {"vcs": "git", "commit_id": "d" * 40}},
        },
        {"metadata": {"name": "idna", "version": "3.7"}, "installer": "pip", "requested": False},
        {"metadata": {"name": "broken"}},
    ]  # fmt: skip
    report = {
        "version": "1", "pip_version": "23.2.1", "installed": rows,
        "environment": {
            "python_full_version": "3.11.7", "implementation_name": "cpython",
            "platform_machine": "x86_64", "platform_system": "Linux", "platform_release": "6.1.0",
        },
    }  # fmt: skip
    found = told(json.dumps(report))
    assert found.form == "pip inspect"
    assert found.notes == ("1 entries without a name and a version were left out",)
    demo, idna = installed(found)
    assert (demo.requested, idna.requested) == (True, False)
    assert demo.origin == Origin(
        kind="vcs", vcs="git", url="https://forge.example/demo.git", commit="d" * 40
    )
    python, system = found.sections["python"], found.sections["os"]
    assert isinstance(python, Python)
    assert isinstance(system, Os)
    assert (python.version, python.architecture) == ("3.11.7", "x86_64")
    assert (system.system, system.kernel) == ("Linux", "6.1.0")
    assert section(found).conda_only == ()


def test_pip_list_as_json_is_read() -> None:
    found = told('[{"name": "idna", "version": "3.7"}]')
    assert found.form == "pip list --format=json"
    assert pins(found) == ["idna 3.7 unknown"]
