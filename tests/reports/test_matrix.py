"""The matrix of many found sides: who answers alike, in what order, and what is told of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from envsnap._check import CheckOptions, check
from envsnap.cli._lines import painted
from envsnap.cli._terminal import Style
from envsnap.errors import ExitCode
from envsnap.manifest import Manifest
from envsnap.profiles import load as profile
from envsnap.reports import check_json, matrix_json, matrix_markdown
from envsnap.reports._folded import folded, in_a_line, numbers
from envsnap.reports._lines import plain
from envsnap.reports._matrix_answers import exit_words, headline, in_short, sorts
from envsnap.reports._sides import Sides
from envsnap.reports.matrix import Matrix, Row, Unread, row, rows_of, worst_of
from envsnap.reports.matrix_text import brief, reasons, text
from envsnap.rules import Excuse, Level, Scope
from envsnap.sections import Gpu, Memory, replace
from tests.rules.machines import T4, UNSEEN, cpu, device, driver, gpu, machine

NARROW = 80
WIDE = 140
OLD_DRIVER = gpu(device(), driver=driver("520.61.05", cuda="11.8", cuda_in_effect="11.8"))


def judged(name: str, found: Manifest, options: CheckOptions | None = None) -> Row:
    checked = check(machine(), found, options or CheckOptions())
    return row(checked, Sides(machine(), "paper.json", found, name))


def matrix(*rows: Row, unread: tuple[Unread, ...] = ()) -> Matrix:
    return Matrix(machine(), "paper.json", rows_of(rows), unread)


def lines(*rows: Row, width: int = NARROW, verbose: bool = False) -> list[str]:
    return plain(text(matrix(*rows), width=width, verbose=verbose))


SAME = judged("node1.json", machine())
OTHER_CPU = judged("node2.json", machine(cpu=cpu(microarchitecture="zen4")))
STOPPED = judged("old.json", machine(gpu=OLD_DRIVER))
DARK = judged("dark.json", machine(cpu=cpu(microarchitecture=UNSEEN)))


def test_the_worst_stand_first_and_the_best_last() -> None:
    order = [each.names[0] for each in rows_of([SAME, DARK, STOPPED, OTHER_CPU])]
    assert order == ["old.json", "dark.json", "node2.json", "node1.json"]


def test_machines_that_answer_alike_are_one_row_and_outliers_come_first() -> None:
    nodes = [judged(f"node{number:02}.json", machine()) for number in range(1, 39)]
    odd = judged("odd.json", machine(gpu=gpu(replace(device(), multiprocessors=104))))
    first, second = rows_of([*nodes, odd])
    assert first.names == ("odd.json",)
    assert len(second.names) == len(nodes)
    assert in_a_line(second.names) == "node[01-38].json"


def test_a_difference_that_changes_no_answer_splits_no_row() -> None:
    memory = replace(machine().section(Memory), total_mib=65530)
    (one,) = rows_of([SAME, judged("node3.json", machine(memory=memory))])
    assert one.names == ("node1.json", "node3.json")


def test_another_machine_with_the_same_answer_is_another_row() -> None:
    other = judged("other.json", machine(gpu=gpu(device(), driver=driver("550.90.07"))))
    assert len(rows_of([SAME, other])) == 2


def test_one_row_never_takes_the_answer_of_another() -> None:
    alone = {each.names[0]: each for each in (SAME, DARK, STOPPED, OTHER_CPU)}
    for each in rows_of(alone.values()):
        for name in each.names:
            assert alone[name].exit_code is each.exit_code
            assert alone[name].ways == each.ways


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({ExitCode.OK}, ExitCode.OK),
        ({ExitCode.OK, ExitCode.CANNOT_TELL}, ExitCode.CANNOT_TELL),
        ({ExitCode.CANNOT_TELL, ExitCode.NO, ExitCode.OK}, ExitCode.NO),
        ({ExitCode.NO, ExitCode.BAD_MANIFEST}, ExitCode.BAD_MANIFEST),
        (set(), ExitCode.OK),
    ],
)
def test_the_answer_to_all_is_the_first_of_3_1_4_0(codes: set[ExitCode], expected: int) -> None:
    assert worst_of(codes) is expected


def test_one_that_could_not_be_used_decides_the_exit() -> None:
    whole = matrix(SAME, unread=(Unread("cut.json", "cut.json: Not JSON at line 3, column 1"),))
    assert whole.exit_code is ExitCode.BAD_MANIFEST
    said = plain(text(whole))
    assert "Not used     cut.json: Not JSON at line 3, column 1" in said
    assert said[-1] == (
        "Exit 3: 1 of 2 could not be read; without it: exit 0, of 1 machine, 1 will do"
    )
    assert said[2] == "found   1 machine; 1 more could not be used; running natively decides"


def test_the_whole_matrix_as_people_read_it() -> None:
    t4 = judged("t4.json", machine(gpu=gpu(T4)), CheckOptions(scope=Scope.CONTAINER))
    assert lines(SAME, STOPPED, t4)[2:15] == [
        "found   3 machines; what decides: running natively on 2, the container on 1",
        "",
        "     FOUND               NATIVELY      CONTAINER     RESULTS",
        "  1  old.json            WILL NOT RUN  WILL NOT RUN  NONE",
        "     Debian 12, A100-SXM4-40GB, driver 520.61.05",
        "     driver: torch is built for CUDA 12.4, which needs driver            DRV001",
        "     525.60.13; here is 520.61.05",
        "  2  t4.json             WITH LIMITS   WITH LIMITS   STATISTICAL",
        "     Debian 12, Tesla T4, driver 550.54.14",
        "     GPU memory: 40 GiB -> 15 GiB                                        GPU005",
        "     also: bfloat16, GPU kind, GPU size and 2 more",
        "  3  node1.json          RUNS          RUNS          BITWISE?",
        "     Debian 12, A100-SXM4-40GB, driver 550.54.14",
    ]


def test_what_differs_is_told_once_with_the_rows_that_have_it() -> None:
    said = lines(SAME, STOPPED, OTHER_CPU)
    start = said.index("What differs between them")
    assert said[start + 1 : start + 4] == [
        "  driver      520.61.05 (1); 550.54.14 (2-3)",
        "  its CUDA    11.8 (1); 12.4 (2-3)",
        "  CPU         zen3 (1, 3); zen4 (2)",
    ]


def test_the_end_says_which_will_do_and_how_to_see_one_whole() -> None:
    assert lines(SAME, STOPPED, OTHER_CPU)[-7:] == [
        "Will do      node1.json",
        "Runs         node2.json (CPU)",
        "Will not run old.json (driver)",
        "SAME ARCH    as long as GPU and CPU are of the same architecture",
        "?            if what was not recorded was set as it was",
        "See one      envsnap check paper.json --against old.json",
        "Exit 1: of 3 machines, 1 will do, 1 runs with differences, 1 will not run",
    ]
    assert "Will do      none without a difference that matters" in lines(STOPPED, OTHER_CPU)


def test_of_many_kinds_the_answer_stands_above_them_as_well() -> None:
    names = ("h100-sxm", "a100-pcie", "t4-cloud", "v100", "mi300x", "cpu-server", "cpu-laptop")
    several = [judged(name, profile(name)) for name in names]
    said = lines(*several)
    first = said.index("Will do      none without a difference that matters")
    assert first < said.index("     FOUND               NATIVELY      CONTAINER     RESULTS")
    assert "With limits  v100, t4-cloud (GPU memory, bfloat16)" in said
    assert said.count("With limits  v100, t4-cloud (GPU memory, bfloat16)") == 2


def test_what_decides_nothing_and_is_alike_for_all_has_no_column() -> None:
    said = lines(*(judged(name, profile(name)) for name in ("h100-sxm", "a100-pcie")))
    assert "     FOUND               CONTAINER     RESULTS" in said
    assert said[2] == "found   2 machines; the container decides"


def test_what_lowers_a_claim_is_named_where_nothing_is_worse() -> None:
    other = judged("80.json", machine(gpu=gpu(device("NVIDIA A100-SXM4-80GB"))))
    assert (other.will_do, other.level) == (True, Level.SAME_ARCHITECTURE)
    assert reasons(other) == [("GPU model: A100-SXM4-40GB -> A100-SXM4-80GB", "GPU017")]


def test_the_worst_reason_is_told_whole_and_the_others_by_name() -> None:
    h100 = judged("h100-sxm", profile("h100-sxm"))
    first, also = reasons(h100)
    assert first == ("GPU kind: A100-SXM4-40GB (sm_80) -> H100 80GB HBM3 (sm_90)", "GPU003")
    assert also[0].startswith("also: GPU size, ")


def test_what_runs_and_was_not_wholly_judged_cannot_be_told() -> None:
    (one,) = sorts(matrix(DARK))
    assert (one.title, one.told) == ("Cannot tell", "1 cannot be told")
    assert in_short(one.rows) == "dark.json (found cpu.microarchitecture is not known)"


def test_without_what_could_not_be_read_the_answer_stands_beside() -> None:
    cut = (Unread("cut.json", "why"),)
    assert exit_words(matrix(SAME, STOPPED, unread=cut)) == (
        "Exit 3: 1 of 3 could not be read; without it: exit 1, of 2 machines, 1 will do, "
        "1 will not run"
    )
    assert exit_words(matrix(unread=cut)) == "Exit 3: 1 of 1 could not be read"
    assert headline(matrix(SAME, unread=cut)) == (
        "1 of 2 machines could not be read (exit 3)", "bad",
    )  # fmt: skip


def test_nothing_that_is_alike_is_called_a_difference() -> None:
    assert "What differs between them" not in lines(SAME, judged("b.json", machine()))


def test_an_open_answer_names_what_is_not_known() -> None:
    dark = judged("dark.json", machine(gpu=gpu(replace(device(), compute_capability=UNSEEN))))
    said = " ".join(lines(dark))
    assert "found gpu.devices[0].compute_capability" in said
    assert "not known" in said


@pytest.mark.parametrize("width", [40, NARROW, WIDE])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    name = f"{'folder/' * 30}a.json"
    rows = (SAME, STOPPED, DARK, SAME._replace(names=(name,), kind="other"))
    long = [
        each
        for each in plain(text(matrix(*rows), width=width, verbose=True))
        if len(each) > max(width, NARROW) and not each.startswith("See one")
    ]
    assert long == []


def test_many_kinds_show_the_outliers_and_the_best() -> None:
    rows = [
        judged(f"m{number}", machine(gpu=gpu(device(f"NVIDIA Card {number}")))) for number in "abc"
    ]
    many = [
        each._replace(kind=f"{each.kind}{number}", names=(f"{each.names[0]}x{number:02}",))
        for number in range(10)
        for each in rows
    ]
    said = lines(*many)
    assert "     ... 6 kinds between (-v)" in said
    assert any(each.startswith(" 30  ") for each in said)
    assert not any(each.startswith(" 20  ") for each in said)
    assert any(each.startswith(" 20  ") for each in lines(*many, verbose=True))


def test_verbose_tells_every_name_and_every_finding() -> None:
    both = [STOPPED, STOPPED._replace(names=("old2.json",))]
    said = "\n".join(lines(*both, verbose=True))
    assert "old.json, old2.json" in said
    assert said.count("DRV") > "\n".join(lines(*both)).count("DRV")


def test_what_somebody_accepted_is_told_in_every_form() -> None:
    checked = check(machine(), machine(cpu=cpu(microarchitecture="zen4")))
    excuse = Excuse("reader", "a mixed cluster")
    findings = tuple(each._replace(excuses=(excuse,)) for each in checked.report.findings)
    accepted = checked._replace(report=checked.report._replace(findings=findings))
    found = row(accepted, Sides(machine(), "paper.json", machine(), "b.json"))
    assert (found.will_do, found.excused) == (True, ("CPU001:cpu",))
    assert "     accepted: CPU001:cpu" in lines(found)
    assert "accepted: CPU001:cpu" in matrix_markdown.text(matrix(found))
    assert len(rows_of([found, SAME, OTHER_CPU])) == 3


def test_quiet_is_a_line_for_each_kind() -> None:
    assert plain(brief(matrix(SAME, STOPPED))) == [
        "     FOUND               NATIVELY      CONTAINER     RESULTS",
        "  1  old.json            WILL NOT RUN  WILL NOT RUN  NONE",
        "  2  node1.json          RUNS          RUNS          BITWISE?",
    ]


def test_an_image_has_no_native_answer() -> None:
    image = judged("docker-daemon:a", machine(), CheckOptions(is_image=True))
    assert plain(brief(matrix(image)))[1].split() == [
        "1", "docker-daemon:a", "RUNS", "BITWISE?",
    ]  # fmt: skip


def test_the_document_for_programs_is_that_of_a_check_with_groups() -> None:
    whole = matrix(SAME, STOPPED, unread=(Unread("cut.json", "why"),))
    checks = [
        check_json.document(
            [(check(machine(), found), Sides(machine(), "paper.json", found, name))]
        )["checks"][0]  # type: ignore[index]
        for name, found in (("old.json", machine(gpu=OLD_DRIVER)), ("node1.json", machine()))
    ]
    import jsonschema

    document = json.loads(matrix_json.text(whole, checks))
    jsonschema.validate(document, matrix_json.schema())
    assert [each["names"] for each in document["groups"]] == [["old.json"], ["node1.json"]]
    for each in document["groups"]:
        told = document["checks"][each["check"]]
        assert told["found"]["name"] == each["names"][0]
        assert told["exit_code"] == each["exit_code"]
        assert told["decides"] == each["decides"]
        assert told["verdicts"][each["decides"]] == each["verdict"]
    assert document["unread"] == [{"name": "cut.json", "why": "why"}]
    assert document["exit_code"] == 3


def test_markdown_is_one_table_whatever_the_names_are() -> None:
    hostile = SAME._replace(names=("a|b\n<img src=x>`\x1b[2J @all #1 https://a",), kind="other")
    said = matrix_markdown.text(matrix(hostile, STOPPED)).splitlines()
    assert said[0] == "## ❌ envsnap check: 1 of 2 machines differs in what matters (exit 1)"
    assert said[3] == "- **Will not run** old.json (driver)"
    assert said[4] == "- Exit 1: of 2 machines, 1 will do, 1 will not run"
    assert "**paper.json** against 2 machines; running natively decides" in said
    table = [each for each in said if each.startswith("|")]
    assert len(table) == 4
    assert all(each.replace("\\|", "").count("|") == 8 for each in table)
    assert "<img" not in "\n".join(said)
    assert not any(each in "\n".join(table) for each in ("\x1b", "@all", "#1", "https://"))


def test_hostile_names_stay_text() -> None:
    hostile = SAME._replace(names=("a\x1b[2J\nb",), kind="other")
    said = painted(brief(matrix(hostile)), Style(None, "never"))
    assert "\x1b" not in said
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["node01", "node02", "node03"], ["node[01-03]"]),
        (["node1", "node01"], ["node1", "node01"]),
        (["a9", "a10"], ["a[9-10]"]),
        (["a09", "a10", "a11"], ["a[09-11]"]),
        (["n1.json", "n3.json", "n2.json"], ["n[1-3].json"]),
        (["h100-sxm", "a100-pcie"], ["h100-sxm", "a100-pcie"]),
        (["a", "a"], ["a"]),
        (["9" * 30], ["9" * 30]),
        ([], []),
    ],
)
def test_names_fold_as_clusters_write_them(names: list[str], expected: list[str]) -> None:
    assert folded(names) == expected


@given(some.lists(some.text(max_size=12), max_size=12))
def test_folding_never_fails_and_tells_no_more_than_there_is(names: list[str]) -> None:
    assert len(folded(names)) <= len(set(names))
    assert isinstance(in_a_line(names), str)


@given(some.sets(some.integers(min_value=1, max_value=60), min_size=1))
def test_numbers_in_a_line_can_be_read_back(those: set[int]) -> None:
    read: set[int] = set()
    for part in numbers(those).split(", "):
        first, _, last = part.partition("-")
        read |= set(range(int(first), int(last or first) + 1))
    assert read == those


def test_a_profile_s_row_says_that_its_environment_is_not_known() -> None:
    assert dict(judged("t4-cloud", profile("t4-cloud")).facts)["environment"] == "not known"
    assert profile("t4-cloud").section(Gpu) is not None
