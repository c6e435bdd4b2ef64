"""check --against: what its word may name, and several of them."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from envsnap.manifest import Manifest, document, save
from envsnap.sections import replace
from tests.checks import HOSTS, answer
from tests.rules.machines import T4, UNSEEN, cpu, device, driver, gpu, machine

OLD = gpu(device(), driver=driver("520.61.05", cuda="11.8", cuda_in_effect="11.8"))


@pytest.fixture(autouse=True)
def _in_a_fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("paper.json", machine())


def write(name: str, manifest: Manifest) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    save(manifest, name)
    return name


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def names_of(text: str) -> list[list[str]]:
    return [each["names"] for each in json.loads(text)["groups"]]


def cluster(number: int = 12) -> None:
    """Nodes of one kind, one with an old driver, captured at other times."""
    for at in range(1, number + 1):
        found = machine(gpu=OLD) if at == 7 else machine()
        captured = replace(found.captured, time=f"2026-02-{at:02}T00:00:00Z")
        write(f"nodes/node{at}.json", replace(found, captured=captured))


def test_a_pattern_is_as_many_sides_as_match(capsys: pytest.CaptureFixture[str]) -> None:
    cluster()
    assert answer("paper.json", "--against", "nodes/*.json") == 1
    said = told(capsys)
    assert said[2] == "found   12 machines of 2 kinds; running natively decides"
    assert said[5] == "  1  nodes/node7.json    WILL NOT RUN  WILL NOT RUN  NONE"
    assert "  2  nodes/node[1-6,8-12].json" in said
    assert said[-1] == "Exit 1: of 12 machines, 11 will do, 1 will not run"


def test_a_folder_of_manifests_is_the_same_as_the_pattern(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster()
    Path("nodes/README").write_text("no manifest")
    answer("paper.json", "--against", "nodes/*.json")
    by_pattern = told(capsys)
    assert answer("paper.json", "--against", "nodes") == 1
    assert told(capsys) == by_pattern


def test_a_folder_that_is_a_recording_is_one_side(capsys: pytest.CaptureFixture[str]) -> None:
    host = HOSTS / "rocky-v100-driver-515"
    assert answer("paper.json", "--against", str(host), "--for", "native") == 1
    assert "FOUND" not in " ".join(told(capsys))


def test_recordings_manifests_and_profiles_stand_beside_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(HOSTS / "rocky-v100-driver-515", "recorded")
    with tarfile.open("made.tar", "w") as tar:
        for each in ("files.json", "host.json"):
            tar.add(f"recorded/{each}", each)
    words = ("--against", "recorded", "--against", "made.tar", "--against", "t4-cloud")
    assert answer("paper.json", *words, "--against", "paper.json", "--format", "json") == 1
    assert names_of(capsys.readouterr().out) == [
        ["recorded", "made.tar"], ["t4-cloud"], ["paper.json"],
    ]  # fmt: skip


def test_a_pattern_matches_profiles_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("paper.json", "--against", "a100-mig-*", "--format", "json") == 1
    assert names_of(capsys.readouterr().out) == [["a100-mig-1g.10gb"], ["a100-mig-3g.40gb"]]


def test_one_match_is_one_side_with_a_report_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("paper.json", "--against", "pap*.json") == 0
    assert 'found   paper.json, environment "env": Debian 12' in "\n".join(told(capsys))


def test_a_pattern_that_matches_files_means_no_profiles(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write("a100-x.json", machine(gpu=OLD))
    write("a100-y.json", machine())
    assert answer("paper.json", "--against", "a100-*", "--format", "json") == 1
    assert names_of(capsys.readouterr().out) == [["a100-x.json"], ["a100-y.json"]]


def test_a_pipe_in_a_folder_holds_nothing_up(capsys: pytest.CaptureFixture[str]) -> None:
    cluster(2)
    os.mkfifo("nodes/pipe.json")
    assert answer("paper.json", "--against", "nodes", "--format", "json") == 3
    assert json.loads(capsys.readouterr().out)["unread"] == [
        {"name": "nodes/pipe.json", "why": "Cannot read nodes/pipe.json: no file that ends"}
    ]


def test_a_matching_name_that_looks_like_an_option_can_be_typed_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write("-dash.json", machine())
    assert answer("paper.json", "--against", "*dash.json") == 0
    assert "found   ./-dash.json" in capsys.readouterr().out


def test_a_file_that_is_called_like_a_pattern_is_that_file() -> None:
    write("odd[1].json", machine(gpu=OLD))
    write("odd1.json", machine())
    assert answer("paper.json", "--against", "odd[1].json") == 1


def test_a_file_comes_before_a_profile_of_its_name() -> None:
    write("help", machine())
    write("v100", machine())
    assert answer("paper.json", "--against", "v100") == 0
    assert answer("paper.json", "--against", "help") == 0


def test_which_partition_will_do(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        each for name in ("v100", "a100-sxm-40gb", "cpu-server") for each in ("--against", name)
    ]
    assert answer("paper.json", *words, "--fail-on", "degrades") == 1
    said = told(capsys)
    assert "Will do      a100-sxm-40gb" in said
    assert "With limits  v100 (GPU memory, bfloat16)" in said
    assert "Will not run cpu-server (GPU)" in said


def test_another_driver_is_asked_for_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--against", "h100-sxm@525.60.12", "--against", "h100-sxm@525.60.13")
    assert answer("paper.json", *words) == 1
    said = "\n".join(told(capsys))
    assert "h100-sxm@525.60.12  WILL NOT RUN" in said
    assert "Runs         h100-sxm@525.60.13 (" in said


def test_a_report_says_which_driver_of_a_branch_was_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert answer("paper.json", "--against", "a100-sxm-40gb@515") == 1
    assert any("a100-sxm-40gb@515.43.04" in each for each in told(capsys))


def test_one_that_cannot_be_read_loses_none_of_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster()
    Path("nodes/cut.json").write_text('{"schema": "1.0", ')
    Path("nodes/other.json").write_text("[]")
    assert answer("paper.json", "--against", "nodes") == 3
    said = told(capsys)
    assert " ".join(said[2:4]) == (
        "found   12 machines of 2 kinds; 2 more could not be used; running natively         decides"
    )
    start = said.index(
        "Not used     nodes/cut.json: Not JSON at line 1, column 19: Expecting property"
    )
    assert said[start + 1 : start + 4] == [
        "             name enclosed in double quotes",
        "             nodes/other.json: Not an envsnap manifest: it has no field",
        "             'schema'",
    ]
    assert " ".join(said[-2:]) == (
        "Exit 3: 2 of 14 could not be read; without them: exit 1, of 12 machines, 11 will do, "
        "1 will not run"
    )


def test_programs_learn_of_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    write("nodes/a.json", machine())
    Path("nodes/b.json").write_text("[]")
    assert answer("paper.json", "--against", "nodes", "--format", "json") == 3
    read = json.loads(capsys.readouterr().out)
    assert read["unread"] == [
        {"name": "nodes/b.json",
         "why": "nodes/b.json: Not an envsnap manifest: it has no field 'schema'"}
    ]  # fmt: skip
    assert (read["exit_code"], len(read["checks"])) == (3, 1)


def test_a_form_that_has_no_place_for_it_has_it_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write("nodes/a.json", machine())
    Path("nodes/b.json").write_text("[]")
    assert answer("paper.json", "--against", "nodes", "--format", "junit") == 3
    assert capsys.readouterr().err == (
        "envsnap: not used: nodes/b.json: Not an envsnap manifest: it has no field 'schema'\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_one_that_nobody_may_open_is_told_as_well() -> None:
    cluster()
    Path("nodes/node3.json").chmod(0)
    assert answer("paper.json", "--against", "nodes") == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--against none*.json", (2, "error: Nothing matches --against 'none*.json'")),
        ("--against empty", (2, "error: No recording and no manifest in 'empty'")),
        ("--against h100-sxm@5", (2, "error: No driver version '5' in 'h100-sxm@5'")),
        ("--against t4-cloud --against h300", (2, "error: No file and no profile 'h300'")),
        ("--against none.json", (3, "error: No manifest at none.json")),
        ("--against bad", (3,
         "error: None of the 2 sides can be used; bad/a.json: Larger than 64 MiB: not a manifest")),
    ],
)  # fmt: skip
def test_what_names_nothing_is_one_message(
    capsys: pytest.CaptureFixture[str], words: str, expected: tuple[int, str]
) -> None:
    Path("empty").mkdir()
    Path("bad").mkdir()
    for name in ("bad/a.json", "bad/b.json"):
        Path(name).touch()
        os.truncate(name, (64 << 20) + 1)
    code = answer("paper.json", *words.split())
    assert (code, capsys.readouterr().err.splitlines()[0]) == expected


def test_the_same_facts_are_judged_once_and_other_facts_never_share_an_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A digest that a manifest states of itself is not believed."""
    good, bad = document(machine()), document(machine(gpu=OLD))
    bad["facts_digest"] = good["facts_digest"]
    Path("good.json").write_text(json.dumps(good))
    Path("bad.json").write_text(json.dumps(bad))
    assert answer("paper.json", "--against", "good.json", "--against", "bad.json") == 1
    assert "  1  bad.json            WILL NOT RUN  WILL NOT RUN  NONE" in told(capsys)


def test_the_matrix_is_the_answer_of_each_side_alone(capsys: pytest.CaptureFixture[str]) -> None:
    sides = {
        "same.json": machine(),
        "old.json": machine(gpu=OLD),
        "t4.json": machine(gpu=gpu(T4)),
        "dark.json": machine(cpu=cpu(microarchitecture=UNSEEN)),
    }
    alone = {}
    for name, found in sides.items():
        alone[name] = answer("paper.json", "--against", write(name, found))
    capsys.readouterr()
    words = [each for name in sides for each in ("--against", name)]
    assert answer("paper.json", *words, "--format", "json") == 1
    read = json.loads(capsys.readouterr().out)
    together = {each["names"][0]: each["exit_code"] for each in read["groups"]}
    assert together == alone == {"same.json": 0, "old.json": 1, "t4.json": 1, "dark.json": 4}


def test_naming_a_side_twice_is_naming_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("paper.json", "--against", "paper.json", "--against", "paper.json") == 0
    assert "wanted  paper.json" in told(capsys)[0]


def test_quiet_says_the_answers_alone(capsys: pytest.CaptureFixture[str]) -> None:
    cluster()
    assert answer("paper.json", "--against", "nodes", "-q") == 1
    assert told(capsys) == [
        "     FOUND               NATIVELY      CONTAINER     RESULTS",
        "  1  nodes/node7.json    WILL NOT RUN  WILL NOT RUN  NONE",
        "  2  nodes/node[1-6,8-12].json",
        "                         RUNS          RUNS          BITWISE?",
    ]
