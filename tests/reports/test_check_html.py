"""check's answer as a page: what stands in it, in which order, and that it can be read."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from envsnap._templates import template
from envsnap.reports.check_html import page
from envsnap.reports.matrix import Matrix, Unread
from envsnap.rules import CheckOptions, Excuse, Scope
from envsnap.sections import Environ, Reason, Unknown, replace
from tests import made
from tests.reports.pages import Element, Page, contrast, large, page_of, reviewer, told
from tests.rules.machines import (
    T4,
    UNSEEN,
    copy,
    cpu,
    device,
    driver,
    gpu,
    libraries,
    machine,
    packages,
)


def cells(row: Element) -> list[str]:
    return [each.text for each in row.all("th", "td")]


def rows(of: Element, kind: str) -> list[list[str]]:
    """The rows of the lists of that kind, each cell by its text."""
    lists = [each for each in of.all() if each.attributes.get("data-rows") == kind]
    return [cells(row) for each in lists for row in each.all("tr")]


def test_the_verdict_that_decides_stands_first_then_the_other_then_the_machines() -> None:
    answer = reviewer().by_id("m1-answer")
    ways, sides = answer.all("dl")
    assert [each.text for each in ways.all("dt", "dd")] == [
        "In the container decides the exit code",
        "Runs, with limits (exit 1)",
        "Natively",
        "Cannot tell the environment there is not known",
    ]
    assert [each.text for each in sides.all("b")] == ["paper.json", "t4-cloud"]
    assert reviewer().outline[0] == (1, "paper.json on t4-cloud")


def test_the_page_reads_from_the_answer_to_the_exit_code() -> None:
    main = [text for level, text in reviewer().outline if level == 2]
    assert main == [
        "The answer",
        "What you can do",
        "What nobody can mend",
        "What changes no digit",
        "The claim, for a paper",
        "Side by side",
        "Packages",
        "Rules",
        "Why exit code 1",
    ]
    assert reviewer().by_id("m1-exit").all("dd")[0].text.startswith("Exit 1: it runs with limits")


def test_what_can_be_expected_is_marked_on_the_ladder_and_told_for_a_paper() -> None:
    (here,) = reviewer().of_class("here")
    assert (here.text, here["aria-current"]) == ("statistical expected", "true")
    assert reviewer().of_class("maybe") == []
    assert "statistical agreement" in reviewer().by_id("m1-claim").text
    assert r"\texttt{" in reviewer().by_id("m1-latex").text


def test_a_page_is_never_green_where_the_step_fails() -> None:
    other = Page(page_of(machine(), machine(cpu=cpu(microarchitecture="zen4"))))
    first = other.of_class("decides")[0]
    assert first.all("strong")[0].text == "Runs, but numbers may differ (exit 1)"
    assert "warn" in first["class"].split()
    same = Page(page_of(machine(), machine())).of_class("decides")[0]
    assert same.all("strong")[0].text == "Runs (exit 0)"
    assert "good" in same["class"].split()


def test_sections_without_a_difference_are_one_fold_and_commands_are_code() -> None:
    facts = reviewer().by_id("m1-facts")
    (others,) = facts.of_class("others")
    assert re.fullmatch(r"\d+ sections? without a difference", others.all("summary")[0].text)
    assert "m1-facts-gpu" not in [each.attributes.get("id") for each in others.all()]
    threads = page_of(machine(), machine(cpu=cpu(threads=8)))
    commands = [each.text for each in Page(threads).of_class("do") for each in each.all("code")]
    assert any(each.startswith("export OMP_NUM_THREADS=") for each in commands)


def test_the_packages_have_no_place_in_the_menu_where_none_differ() -> None:
    (menu,) = reviewer().of_class("places")
    assert [each for each in menu.all("a") if each["href"] == "#m1-packages"] == []


def test_what_was_not_seen_leaves_lower_steps_of_the_ladder_open() -> None:
    found = Page(page_of(machine(), machine(cpu=cpu(microarchitecture=UNSEEN))))
    (here,) = found.of_class("here")
    assert here.text.endswith("at best")
    assert [each.text for each in found.of_class("maybe")][-1] == "statistical not ruled out"


def test_a_finding_says_what_so_what_what_mends_it_and_who_says_so() -> None:
    (memory,) = [each for each in reviewer().of_class("f") if "GPU005" in each.text]
    assert memory["data-o"] == "degrades"
    assert [each.text for each in memory.all("p")] == [
        "▲ limits it GPU memory GPU005",
        "24 GiB -> 15 GiB",
        "What filled the wanted GPU's memory does not fit",
        "a smaller batch, or a GPU with 24 GiB",
        "PyTorch documentation: frequently asked questions, out of memory , read on 2026-11-21",
    ]


def test_facts_stand_side_by_side_with_unit_meaning_and_who_minds_them() -> None:
    facts = rows(reviewer().by_id("m1-facts"), "facts gpu")
    assert [
        "devices[0].memory_mib Total memory", "24564 MiB", "15360 MiB", "▲ limits it GPU005",
    ] in facts  # fmt: skip
    assert [
        "devices[0].power_limit_w The enforced power limit", "400 W", "70 W", "no rule minds it",
    ] in facts  # fmt: skip


def test_what_is_the_same_or_known_on_one_side_alone_is_folded() -> None:
    (system,) = [
        each
        for each in reviewer().by_id("m1-facts").of_class("section")
        if each.all("h3")[0].text.startswith("os ")
    ]
    one_side, same = system.all("details")
    assert (one_side.all("summary")[0].text, same.all("summary")[0].text) == (
        "2 known on one side alone", "7 the same",
    )  # fmt: skip
    assert ["system Linux, Darwin or Windows", "Linux"] in rows(same, "facts os")
    why = "not known: not-recorded: not the same on all machines of this profile"
    assert ["kernel The kernel's release, as '6.8.0-48-generic'", "6.1.0", why] in rows(
        one_side, "facts os"
    )


def test_of_a_section_that_one_side_does_not_know_the_other_tells_each_fact() -> None:
    copies = libraries(copy(), copy("cublas", "libcublas.so.12"))
    seen = Page(page_of(machine(libraries=copies), machine(libraries=UNSEEN)))
    told = rows(seen.by_id("m1-facts"), "facts libraries")
    assert [row[0] for row in told] == [
        "copies.{env}/nvidia/cudnn/libcudnn.so.9",
        "copies.{env}/nvidia/cublas/libcublas.so.12",
        "consumers.torch",
    ]
    assert {row[2] for row in told} == {"not known: no-permission: for a test"}
    assert told[0][1].startswith("family cudnn, name libcudnn.so.9, ")


def test_what_neither_side_knows_is_no_difference() -> None:
    unseen = Unknown(Reason.NO_PERMISSION, "for a test")
    both = machine(environ=unseen)
    found = Page(page_of(both, both))
    folds = [each.text for each in found.all("summary")]
    assert "1 the same, 1 of them known on neither side" in folds
    assert found.by_id("m1-facts").all("p")[0].text.startswith("0 facts differ. ")


def test_two_lists_tell_what_each_has_alone() -> None:
    wanted = machine(cpu=cpu(features=("avx", "avx2", "avx512f")))
    found = machine(cpu=cpu(features=("avx", "avx2", "amx")))
    differing = rows(Page(page_of(wanted, found)).by_id("m1-facts"), "facts cpu")
    (features,) = [each for each in differing if each[0].startswith("features ")]
    assert features[1:3] == ["avx512f, and 2 that both have", "amx, and 2 that both have"]


def test_packages_that_differ_come_first_the_worst_on_top_and_the_rest_is_folded() -> None:
    wanted = packages(
        made.package("a", "1"), made.package("b", "1"), made.package("c", "1", content="1" * 64),
        made.package("d", "1", build="2"), made.package("gone", "1"),
    )  # fmt: skip
    found = packages(
        made.package("a", "1"), made.package("b", "2"), made.package("c", "1", content="2" * 64),
        made.package("d", "1", build="3"), made.package("more", "1"),
    )  # fmt: skip
    seen = Page(page_of(machine(packages=wanted), machine(packages=found)))
    assert rows(seen.by_id("m1-packages"), "packages") == [
        ["gone", "1", "not there", "✕ stops it PKG001"],
        ["b", "1", "2", "≈ may change digits PKG002"],
        ["c", "1, content 111111111111", "1, content 222222222222", "≈ may change digits PKG003"],
        ["d", "1, build 2", "1, build 3", "· note PKG004"],
        ["more", "not there", "1", "· note PKG005"],
        ["a", "1"],
    ]


def test_a_side_that_does_not_tell_its_packages_says_why() -> None:
    (said,) = reviewer().by_id("m1-packages").all("p")
    assert said.text == (
        "The found side does not tell its packages "
        "(not-recorded: a profile is a machine without an environment)."
    )
    assert reviewer().by_id("m1-packages").all("summary")[0].text == "382 wanted"


def test_what_was_not_checked_says_which_fact_and_which_rules() -> None:
    found = Page(page_of(machine(), machine(cpu=cpu(microarchitecture=UNSEEN))))
    (item,) = found.by_id("m1-rules").all("ul")[0].all("li")
    assert item.text.startswith(
        "? not checked found cpu.microarchitecture no-permission: for a test CPU001"
    )


def test_many_findings_of_a_rule_are_folded_and_all_there() -> None:
    found = Page(page_of(large(200, "1.0"), large(200, "2.0")))
    part = found.by_id("m1-mend")
    (fold,) = part.all("details")
    assert fold.all("summary")[0].text == "16 more of rule PKG002"
    assert len(part.of_class("f")) == 20


def test_what_somebody_accepted_stands_apart_with_the_reason() -> None:
    checked, sides = told(machine(), machine(cpu=cpu(microarchitecture="zen4")))
    excused = [
        each._replace(excuses=(Excuse("reader", "the cluster is mixed", "2099-12-31"),))
        for each in checked.report.findings
    ]
    report = checked.report._replace(findings=tuple(excused))
    seen = Page(page([(checked._replace(report=report), sides)]))
    (finding,) = [each for each in seen.by_id("m1-accepted").all("li") if "CPU001" in each.text]
    (excuse,) = finding.of_class("excuse")
    assert excuse.text == "accepted: the cluster is mixed, until 2099-12-31"


def test_the_same_machine_has_nothing_to_mend() -> None:
    seen = Page(page_of(machine(), machine()))
    assert (2, "Nothing to mend") in seen.outline
    assert seen.by_id("m1-packages").all("summary")[0].text == "7 the same"


def several() -> str:
    names = ("node1", "node2", "node3", "node9")
    sides = [machine(), machine(), machine(), machine(gpu=gpu(T4, driver=driver("515.65.01")))]
    return page([told(machine(), side, name) for side, name in zip(sides, names, strict=True)])


def test_several_machines_are_a_table_on_top_equal_ones_as_one_the_worst_first() -> None:
    seen = Page(several())
    assert seen.outline[0] == (1, "paper.json on 4 machines")
    (table,) = seen.of_class("matrix")
    assert [row[0] for row in rows(table, "machines")] == [
        "1. node9 Debian 12, Tesla T4, driver 515.65.01",
        "2. node[1-3] 3 machines: Debian 12, A100-SXM4-40GB, driver 550.54.14",
    ]
    assert [row[-1] for row in rows(table, "machines")] == ["1", "0"]


def test_each_kind_of_machine_has_its_own_page_folded_below() -> None:
    seen = Page(several())
    folds = seen.of_class("machine")
    assert [each["id"] for each in folds] == ["m1-top", "m2-top"]
    assert [each.all("h2")[0].text for each in folds] == ["node9", "node[1-3]"]
    assert "open" not in folds[0].attributes
    assert len(folds[1].of_class("facts")) == 1


def test_a_hundred_kinds_are_all_in_the_table_and_not_all_told_in_full() -> None:
    kinds = [machine(cpu=cpu(model=f"CPU {number}")) for number in range(1, 101)]
    text = page([told(machine(), each, f"host-{number}") for number, each in enumerate(kinds)])
    seen = Page(text)
    (table,) = seen.of_class("matrix")
    assert len(table.all("tr")) == 101
    assert len(seen.of_class("machine")) == 60
    assert len(seen.of_class("facts")) == 12
    assert "40 kinds between the first and the last of the table are told there alone" in text
    assert len(text) < 4_000_000


def test_a_side_that_could_not_be_used_is_named_with_the_reason() -> None:
    unread = (Unread("broken.json", "No JSON: <b>"),)
    seen = Page(page([], Matrix(machine(), "paper.json", (), unread)))
    assert (3, "Not used") in seen.outline
    assert "broken.json No JSON: <b>" in seen.by_id("machines").text


@pytest.mark.parametrize("made_page", [reviewer, lambda: Page(several())], ids=["one", "several"])
def test_headings_labels_and_places_hold_together(made_page: Callable[[], Page]) -> None:
    seen = made_page()
    assert seen.skipped == []
    assert [level for level, _ in seen.outline].count(1) == 1
    ids = [each["id"] for each in seen.all() if "id" in each.attributes]
    assert sorted(set(ids)) == sorted(ids)
    named = [
        each[name]
        for each in seen.all()
        for name in ("aria-labelledby", "aria-describedby", "for", "data-copy")
        if name in each.attributes
    ]
    inner = [each["href"][1:] for each in seen.all("a") if each["href"].startswith("#")]
    assert sorted({*named, *inner} - set(ids)) == []
    assert seen.all("html")[0]["lang"] == "en"


def test_every_table_has_a_name_and_every_row_its_heading() -> None:
    for table in reviewer().all("table"):
        assert {"aria-label", "aria-labelledby"} & set(table.attributes)
        assert all(row.all("th") for row in table.all("tr"))


def test_every_outcome_has_a_word_and_no_colour_stands_alone() -> None:
    badges = reviewer().of_class("o")
    assert [each.text for each in badges if not re.search(r"[a-z]{4}", each.text)] == []


def test_the_same_answer_gives_the_same_bytes() -> None:
    again = machine(environ=Environ(variables={"B": "1", "A": "2"}))
    other = machine(environ=Environ(variables={"A": "2", "B": "1"}))
    assert page_of(machine(), again) == page_of(machine(), again)
    assert len(page_of(again, machine())) == len(page_of(other, machine()))


def test_an_image_has_one_way_to_run() -> None:
    options = CheckOptions(is_image=True, scope=Scope.CONTAINER)
    seen = Page(page([told(machine(), machine(), "a.sif", options)]))
    assert seen.by_id("m1-answer").all("dt")[0].text == "In the image decides the exit code"
    assert seen.outline[0] == (1, "paper.json on the image a.sif")


def test_a_manifest_that_was_edited_by_hand_is_called_so() -> None:
    assert "edited since it was captured" in page_of(replace(machine(), edited=True), machine())


PAIRS = [
    *((ink, ground) for ink in ("ink", "dim", "accent", "bad", "warn", "good")
      for ground in ("paper", "card")),
    ("ink", "quiet"), ("dim", "quiet"), ("bad", "bad-bg"), ("warn", "warn-bg"),
    ("on-accent", "accent"),
]  # fmt: skip


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize("pair", PAIRS, ids="-on-".join)
def test_every_colour_can_be_read_on_its_ground(pair: tuple[str, str], scheme: int) -> None:
    palette = re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", template("report/page.css"))
    ink, ground = ([value for key, value in palette if key == name][scheme] for name in pair)
    assert contrast(ink, ground) >= 4.5


def test_a_gpu_of_another_kind_is_told_by_its_place() -> None:
    wanted, found = machine(gpu=gpu(device(), device())), machine(gpu=gpu(device(), T4))
    paths = [row[0].split()[0] for row in rows(Page(page_of(wanted, found)).top, "facts gpu")]
    assert "devices[1].name" in paths
