"""check's answer for people, whole, where its every finding was made by hand."""

from __future__ import annotations

import pytest

from envsnap._check import CheckOptions
from envsnap.manifest import environment_id
from envsnap.reports._groups import HERE
from envsnap.reports._holds import holds
from envsnap.reports._lines import plain
from envsnap.reports.check_text import brief, text
from envsnap.rules import Checked, Condition, Level, Outcome, rules
from envsnap.sections import Reason, Unknown, replace
from tests.reports.hand_made import (
    BLOCKS,
    BY_AUTHOR,
    BY_READER,
    DIGITS,
    LIMIT,
    NOTE,
    OPEN,
    SEEDS,
    checked,
    sides,
)
from tests.rules.machines import machine

WHOLE = """\
wanted  paper.json: environment {environment}, 31 Jan 2026, this machine
found   this machine, environment "env": Debian 12, A100-SXM4-40GB, driver
        550.54.14

  NATIVELY           WILL NOT RUN                           (decides the exit)
  IN THE CONTAINER   WILL NOT RUN   for the same reason
  RESULTS            NONE   it does not run

1 thing that stops it
  driver      CUDA 12.4 needs driver 525.60.13; here is 515.65.01: CUDA  DRV001
              does not start
              -> a driver of 525.60.13 or newer

If that is mended: 1 limit, 1 reason why digits may differ (-v)

Fine         packages: 2 rules in all; 1 difference changes no digit.  -v lists
             them
Not checked  found gpu.devices: no-permission: for a test (GPU003)

Exit 1: it will not run here
Allowed      by the author: 1 of 3.  --accept-waivers takes that word
Doubt it     envsnap explain DRV001   the rule and its source"""
ALLOWED = LIMIT._replace(excuses=(BY_AUTHOR,))
LIMITED = """\
1 limit
  GPU memory  24 GiB -> 15 GiB: what filled the wanted GPU's memory      GPU005
              does not fit
              -> a smaller batch, or a GPU with 24 GiB
              =  the author allows it: tried on both

1 reason why digits may differ; nothing on this machine mends it
  CPU         zen4 -> cascadelake: NumPy takes other kernels, which add  CPU001
              in another order

"""
EVERYTHING = checked(NOTE, DIGITS, ALLOWED, BLOCKS, left=(OPEN,), conditions=(SEEDS,))


def whole(answer: Checked, *, width: int = 80, verbose: bool = False, name: str = HERE) -> str:
    lines = plain(text(answer, sides(name), width=width, verbose=verbose))
    return "\n".join(each.rstrip() for each in lines)


def test_the_answer_comes_first_then_what_to_do_then_what_nobody_can_mend() -> None:
    assert whole(EVERYTHING) == WHOLE.format(environment=environment_id(machine()))
    assert LIMITED in whole(checked(ALLOWED, DIGITS))


def test_of_what_does_not_run_the_rest_is_told_with_v() -> None:
    titles = [each for each in whole(EVERYTHING, verbose=True).splitlines() if each[:1].isdigit()]
    assert titles == [
        "1 thing that stops it",
        "1 limit",
        "1 reason why digits may differ; nothing on this machine mends it",
        "1 note",
    ]


def test_on_a_wide_terminal_what_and_so_what_stand_side_by_side() -> None:
    lines = whole(checked(ALLOWED, DIGITS), width=120).splitlines()
    start = lines.index("1 limit")
    first, second, *rest = lines[start + 1 : start + 5]
    assert first.split("  ")[1] == "GPU memory"
    assert (first[14:63].rstrip(), first[63:111].rstrip(), first[111:].strip()) == (
        "24 GiB -> 15 GiB", "what filled the wanted GPU's memory does not fit", "GPU005",
    )  # fmt: skip
    assert [second, *rest][:2] == [
        "              -> a smaller batch, or a GPU with 24 GiB",
        "              =  the author allows it: tried on both",
    ]
    cpu = next(each for each in lines if each.startswith("  CPU"))
    assert (cpu[14:63].rstrip(), cpu[111:].strip()) == ("zen4 -> cascadelake", "CPU001")
    assert cpu[63:].startswith("NumPy takes other kernels")


@pytest.mark.parametrize("width", [80, 119, 120, 160, 400])
def test_the_codes_stand_in_one_column_at_any_width(width: int) -> None:
    lines = whole(EVERYTHING, width=width, verbose=True).splitlines()
    ends = {len(each) for each in lines if each.endswith(("DRV001", "GPU005", "CPU001"))}
    assert ends == {min(width, 160) - 1}


def test_what_stops_it_comes_before_what_can_be_mended_even_if_nobody_can_mend_it() -> None:
    answer = checked(LIMIT, BLOCKS._replace(remedy=None))
    said = whole(answer, name="b.json", verbose=True)
    titles = [each for each in said.splitlines() if each[:1].isdigit()]
    assert titles == ["1 thing that stops it; nothing there mends it", "1 limit"]


def test_a_note_that_decides_is_told_without_v() -> None:
    answer = checked(NOTE, options=CheckOptions(fail_on=Outcome.NOTE))
    assert "1 note\n  kernel      6.1.0 -> 6.8.0: Linux keeps" in whole(answer)
    assert "Exit 1: something differs" in whole(answer)


ACCEPTED = """\
  NATIVELY           RUNS                                   (decides the exit)
  IN THE CONTAINER   RUNS
  RESULTS            STATISTICAL   the same conclusions; digits may differ

1 difference was accepted, and does not decide
  CPU         zen4 -> cascadelake: NumPy takes other kernels, which add  CPU001
              in another order
              =  accepted: the cluster is mixed, until 2099-12-31

Fine         packages, system, GPU, driver: 6 rules in all.  -v lists them
Accepted     GPU003 was accepted until 2020-01-01; that is over
Left out     ENG: no engine here

Exit 0: 1 difference is accepted until 2099-12-31; nothing else changes results"""


def test_what_a_reader_accepted_is_shown_with_reason_and_day_and_does_not_decide() -> None:
    answer = checked(
        DIGITS._replace(excuses=(BY_READER,)),
        options=CheckOptions(ignore={"ENG": "no engine here"}),
        accepted_left=("GPU003 was accepted until 2020-01-01; that is over",),
    )
    assert whole(answer).partition("\n\n")[2] == ACCEPTED
    assert "\n".join(each.rstrip() for each in plain(brief(answer))[3:]) == (
        "Accepted     CPU001 (accepted: the cluster is mixed, until 2099-12-31)\n"
        "Accepted     GPU003 was accepted until 2020-01-01; that is over\n"
        "Left out     ENG: no engine here"
    )


def test_the_authors_word_counts_where_the_reader_takes_it() -> None:
    options = CheckOptions(accept_waivers=True)
    assert "Exit 0: 1 difference is accepted; nothing else changes results" in whole(
        checked(ALLOWED, options=options)
    )
    assert "Exit 1: it runs with limits" in whole(checked(ALLOWED))


def test_thousands_of_accepted_findings_are_a_few_lines() -> None:
    many = [DIGITS._replace(subject=f"p{n}", excuses=(BY_READER,)) for n in range(3000)]
    answer = checked(*many)
    assert len(plain(brief(answer))) == 5
    assert "2997 more like these" in whole(answer)


def test_conditions_are_told_once_with_what_lifts_them_and_a_few_of_them() -> None:
    others = tuple(Condition(f"ENV0{n}", f"switch {n} was not recorded") for n in range(20, 24))
    said = whole(checked(DIGITS, conditions=(SEEDS, SEEDS, *others)))
    assert "\nCondition    5 in all that nobody recorded (-v)\n" in said
    lowering = tuple(each._replace(lowers=Level.RUNS) for each in others)
    said = whole(checked(DIGITS, conditions=(SEEDS, *lowering)))
    assert said.partition("Condition    ")[2].partition("\n\n")[0].splitlines() == [
        "switch 20 was not recorded",
        "             switch 21 was not recorded",
        "             switch 22 was not recorded",
        "             2 more that nobody recorded (-v)",
    ]
    said = whole(checked(DIGITS, conditions=(SEEDS,)), verbose=True)
    assert "\nCondition    the seeds were not recorded\n             -> state the seeds\n" in said


def test_what_the_author_requires_is_counted() -> None:
    wanted = replace(machine(), requires={"must": ["driver >= 525"], "may": ["a", "b"]})
    lines = plain(text(checked(), sides(wanted=wanted)))
    told = " ".join(" ".join(lines).partition("Required")[2].partition("No drift")[0].split())
    assert told == (
        "1 that must hold and 2 that may differ, says the author. envsnap require lists them"
    )


def test_a_mild_difference_that_the_author_allows_is_named_though_it_is_folded() -> None:
    wanted = replace(machine(), requires={"may": ["driver in 535.*, 550.*"]})
    allowed = NOTE._replace(excuses=(BY_AUTHOR,))
    lines = plain(text(checked(allowed), sides(wanted=wanted)))
    at = next(number for number, each in enumerate(lines) if each.startswith("Required"))
    assert lines[at + 1] == f"             allowed: {NOTE.what} ({NOTE.code})"


def test_an_acceptance_that_is_nearly_over_says_so() -> None:
    soon = DIGITS._replace(excuses=(BY_READER._replace(until="2026-11-25"),))
    said = whole(checked(soon, options=CheckOptions(today="2026-11-21")))
    assert "Accepted     CPU001 is accepted until 2026-11-25: 4 days left\n" in said
    assert "days left" not in whole(checked(soon, options=CheckOptions(today="2026-11-01")))


def test_nobody_is_sent_to_mend_what_was_accepted() -> None:
    said = whole(checked(LIMIT._replace(excuses=(BY_READER,))))
    assert "=  accepted: the cluster is mixed, until 2099-12-31" in said
    assert "-> a smaller batch" not in said


def test_more_than_two_unknown_things_are_not_to_be_accepted_but_looked_at() -> None:
    left = tuple(
        OPEN._replace(code=code, path=f"found {name}.x",
                      reason=Unknown(Reason.NOT_RECORDED, "for a test"))
        for code, name in (("GPU003", "gpu"), ("CPU001", "cpu"), ("SYS007", "os"))
    )  # fmt: skip
    said = " ".join(whole(checked(left=left)).split())
    assert said.endswith(
        "Exit 4: cannot tell, found cpu.x, found gpu.x and 1 more are not known. "
        "What would tell: a manifest of that side: envsnap capture, there"
    )


def test_every_rule_says_what_holds_where_it_found_nothing() -> None:
    assert [each.code for each in rules() if holds(each) == each.topic] == []


def test_a_family_of_which_a_rule_was_not_judged_is_not_called_fine() -> None:
    assert (
        "\nFine         packages, system, CPU and memory, driver: 6 rules in all.  -v\n"
        "             lists them\n" in whole(checked(left=(OPEN,)))
    )


def test_cannot_tell_names_the_fact_and_how_to_accept_that() -> None:
    report = whole(checked(left=(OPEN,)))
    assert "  RESULTS            AT BEST BITWISE" in report
    assert "Not checked  found gpu.devices: no-permission: for a test (GPU003)" in report
    assert (
        "Exit 4: cannot tell, found gpu.devices is not known.  To accept that:\n"
        "--allow-unknown GPU003" in report
    )


def test_notes_are_counted_and_told_with_v_alone() -> None:
    brief_one, verbose = whole(checked(NOTE)), whole(checked(NOTE), verbose=True)
    assert "kernel" not in brief_one
    assert "\nNo drift that changes a digit in 7 packages, driver, GPU, CPU (6 rules; 1 that\n" in (
        brief_one
    )
    assert (
        "\n1 note\n"
        "  kernel      6.1.0 -> 6.8.0: Linux keeps its promises to programs       SYS007\n"
        in verbose
    )
    assert "\nFine         packages: none is missing (PKG001)\n" in verbose
