"""The claim in words: on a screen, in a paper, in LaTeX."""

from __future__ import annotations

import os
import re
import shutil
import string
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap import __version__
from envsnap._check import Checked, CheckOptions, check
from envsnap.manifest import Manifest, environment_id, machine_id
from envsnap.profiles import load
from envsnap.reports._latex import escaped
from envsnap.reports._sides import Sides
from envsnap.reports.claim import Words, environment_latex, latex, sentence, words
from envsnap.rules import Scope
from envsnap.sections import Environ, Reason, Unknown, replace
from tests import made
from tests.rules.machines import (
    T4,
    UNSEEN,
    cpu,
    device,
    gpu,
    machine,
    packages,
)

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = "the seeds of NumPy and PyTorch were not recorded"
SWITCHES = "the deterministic switches of PyTorch were not recorded"
A100 = "Debian 12, A100-SXM4-40GB, driver 550.54.14"
PURE = machine(packages=packages(made.package("idna", "3.7")), gpu=gpu())
ONE_LIBRARY = machine(packages=packages(made.package("scipy", "1.14.1")), gpu=gpu())


def answer(wanted: Manifest, found: Manifest, **options: object) -> tuple[Checked, Sides]:
    checked = check(wanted, found, CheckOptions(**options))  # type: ignore[arg-type]
    return checked, Sides(wanted, "paper.json", found, "this machine")


def said(wanted: Manifest, found: Manifest, **options: object) -> Words:
    return words(answer(wanted, found, **options)[0].claim)


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (PURE, PURE, ("BITWISE", "the same bits")),
        (
            machine(), machine(),
            ("BITWISE?", f"{SEEDS}; {SWITCHES}; and 1 more"),
        ),
        (
            ONE_LIBRARY, replace(ONE_LIBRARY, sections={
                **ONE_LIBRARY.sections, "cpu": cpu(microarchitecture="zen3plus")}),
            ("BITWISE ON THE SAME ARCHITECTURE",
             "the same bits, as far as one architecture keeps them"),
        ),
        (machine(), machine(gpu=gpu(T4)),
         ("STATISTICAL", "the same conclusions; digits may differ")),
        (ONE_LIBRARY, machine(packages=packages(made.package("scipy", "2.0.0")), gpu=gpu()),
         ("NO PROMISE", "it runs, and other code computes")),
        (PURE, machine(packages=packages(), gpu=gpu(), engines=UNSEEN),
         ("NONE", "it does not run")),
        (PURE, replace(PURE, sections={**PURE.sections, "cpu": UNSEEN}),
         ("CANNOT TELL", "3 rules that could lower it could not be judged")),
    ],
)  # fmt: skip
def test_the_claim_is_a_word_and_its_reason(
    wanted: Manifest, found: Manifest, expected: tuple[str, str]
) -> None:
    assert said(wanted, found, scope=Scope.NATIVE) == expected


def test_of_what_no_rule_judged_nothing_is_claimed() -> None:
    done, sides = answer(PURE, PURE, select=("RUN",))
    assert words(done.claim) == ("CANNOT TELL", "no rule was judged")
    assert sentence(done, sides).endswith("No rule was judged, and nothing is claimed.")


def test_the_paragraph_names_both_sides_the_rules_and_what_holds_it() -> None:
    wanted, found = machine(), machine(gpu=gpu(T4), environ=Environ(variables={}))
    done, sides = answer(wanted, found)
    assert sentence(done, sides) == (
        f"We compared the environment {environment_id(wanted)}, recorded on 31 Jan 2026 on "
        f"{A100}, with Debian 12, Tesla T4, driver 550.54.14 (machine {machine_id(found)}), seen "
        f"on 31 Jan 2026, by envsnap {__version__} ({len(done.report.judged)} rules judged, facts "
        "of 2026-11-21). For the same program and input, run there natively, we expect it to run "
        "with limits (GPU memory: 15 GiB instead of 40 GiB; bfloat16: not in sm_75's hardware), "
        "and statistical agreement, and not necessarily the same digits (ENV001, GPU003, GPU004, "
        "GPU005, GPU007, GPU013, GPU018)."
    )


def test_a_paragraph_on_the_same_bits_says_what_it_depends_on_and_where_it_ends() -> None:
    done, sides = answer(machine(), machine(gpu=gpu(device("NVIDIA A100-SXM4-80GB"))))
    assert sentence(done, sides).partition("we expect ")[2] == (
        "bitwise identical results, as far as the libraries keep to what is stated of one "
        "architecture in: cuBLAS documentation, results reproducibility (GPU017). It depends on "
        "more than was compared: the seeds of NumPy and PyTorch were not recorded (ENV003); the "
        "deterministic switches of PyTorch were not recorded (ENV004); PYTHONHASHSEED was not set "
        "at capture (ENV005). On GPUs of another architecture we expect statistical agreement only "
        "(GPU003, GPU004)."
    )


def test_a_paragraph_on_a_processor_ends_at_other_processors() -> None:
    done, sides = answer(PURE, PURE)
    assert sentence(done, sides).partition("we expect ")[2] == (
        "bitwise identical results. On processors of another architecture we expect statistical "
        "agreement only (CPU001)."
    )


def test_a_switch_that_was_not_set_is_told_beside_what_it_lowers() -> None:
    loose = machine(environ=Environ(variables={}))
    done, sides = answer(loose, loose)
    assert sentence(done, sides).partition("we expect ")[2] == (
        "statistical agreement, and not necessarily the same digits (ENV002). It would be limited "
        "even without a difference: CUBLAS_WORKSPACE_CONFIG was not set at capture (ENV002)."
    )


def test_what_was_left_open_or_out_is_told() -> None:
    done, sides = answer(PURE, replace(PURE, sections={**PURE.sections, "memory": UNSEEN, "cpu":
        cpu(microarchitecture=UNSEEN)}), ignore={"SYS006": "we know"})  # fmt: skip
    told = sentence(done, sides).partition("we expect ")[2]
    assert told.startswith(
        "at best bitwise identical results. 1 rule that could lower it could not be judged "
        "(CPU001). Rules were left out of the comparison (SYS006)."
    )


def test_what_does_not_run_is_said_so() -> None:
    done, sides = answer(machine(), machine(packages=packages()), scope=Scope.NATIVE)
    assert sentence(done, sides).endswith(
        "Run natively, we expect that it does not start, or stops, there (PKG001)."
    )


def test_where_a_gpu_alone_is_missing_what_asks_for_one_stops() -> None:
    done, sides = answer(machine(), machine(gpu=gpu()), scope=Scope.CONTAINER)
    assert sentence(done, sides).partition("). ")[2] == (
        "Run in a container made from it, we expect that what asks for the GPU does not start, or "
        "stops, there (GPU001); what can do without it was not compared."
    )


def test_where_all_is_possible_nothing_is_promised() -> None:
    blind = machine(packages=UNSEEN, python=UNSEEN)
    done, sides = answer(blind, machine(gpu=gpu(T4)), scope=Scope.CONTAINER)
    assert words(done.claim).word == "CANNOT TELL"
    assert "run there in a container made from it, we cannot tell what to expect. " in sentence(
        done, sides
    )
    assert "bitwise" not in sentence(done, sides)


def test_an_import_is_told_without_a_day_of_recording() -> None:
    told = replace(machine().captured, imported=("nvidia-smi", "pip freeze"))
    done, sides = answer(replace(machine(), captured=told), replace(machine(), captured=told))
    text = sentence(done, sides)
    words_of_it = (
        "as nvidia-smi and pip freeze told it (on a day that is not known; imported on 31 Jan 2026)"
    )
    assert text.count(words_of_it) == 2
    assert "recorded on" not in text
    assert "seen on" not in text


def test_a_profile_is_named_as_a_machine_that_nobody_looked_at() -> None:
    done, sides = answer(machine(), load("t4-cloud"))
    text = sentence(done, sides._replace(found_name="profiles/t4-cloud"))
    assert "with the profile t4-cloud, Debian 12, Tesla T4, driver 535.183.01 (machine" in text
    assert "), a machine as described, which nobody looked at, by envsnap" in text
    assert "seen on" not in text


def test_the_latex_paragraph_is_the_same_with_ids_and_codes_in_typewriter() -> None:
    done, sides = answer(machine(), machine(gpu=gpu(T4)))
    text = latex(done, sides)
    assert re.findall(r"\\texttt\{([^}]*)\}", text) == [
        environment_id(sides.wanted), machine_id(sides.found), *done.claim.codes,
    ]  # fmt: skip
    plain = re.sub(r"\\texttt\{([^}]*)\}", r"\1", text)
    assert plain.replace(r"\_", "_") == sentence(done, sides)


def test_one_environment_is_a_sentence_in_latex() -> None:
    assert environment_latex(machine()) == (
        r"Python 3.11.7, PyTorch 2.5.1, Debian GNU/Linux 12 (bookworm), driver 550.54.14, NVIDIA "
        rf"A100-SXM4-40GB, 40 GiB, sm\_80; envsnap \texttt{{{environment_id(machine())}}}."
    )
    left_out = Unknown(Reason.NOT_ASKED, "for a test")
    alone = machine(python=left_out, packages=left_out, os=left_out, gpu=left_out, cpu=left_out)
    assert environment_latex(alone) == "Nothing that a paper would name was captured."


HOSTILE = r"\input{/etc/passwd} %& $x_1^2$ #~<>|" + "\x1b[2J\n\n{" + "x" * 3000 + "  漢é--?`''"
COMMAND = re.compile(
    r"\\(?:[{}$&#%_]|(?:textbackslash|textasciicircum|textasciitilde|textasciigrave|textless"
    r"|textgreater|textbar|char34|ldots)\{\})"
)


def read_back(text: str) -> str:
    """What LaTeX would print of escaped text, by the few commands that it may hold."""
    names = {
        "textbackslash": "\\", "textasciicircum": "^", "textasciitilde": "~",
        "textasciigrave": "`", "textless": "<", "textgreater": ">", "textbar": "|",
        "char34": '"', "ldots": "…",
    }  # fmt: skip

    def printed(found: re.Match[str]) -> str:
        name = found[0][1:].removesuffix("{}")
        return names.get(name, name)

    pieces = []
    last = 0
    for found in COMMAND.finditer(text):
        pieces += [text[last : found.start()].replace("{}", ""), printed(found)]
        last = found.end()
    return "".join([*pieces, text[last:].replace("{}", "")])


@given(st.text(st.characters(max_codepoint=126, min_codepoint=32)))
def test_all_of_ascii_comes_back_from_latex_as_it_was(text: str) -> None:
    assert read_back(escaped(text)) == text


@given(st.text())
def test_no_text_brings_a_command_of_its_own(text: str) -> None:
    rest = COMMAND.sub("", escaped(text)).replace("{}", "")
    assert not set('\\{}$&#^%_<>|"`\n\r\x1b') & set(rest)
    assert not re.search(r"--|''|,,|\?`|!`", escaped(text))
    assert all(each.isprintable() for each in rest)


def test_letters_of_latin_stay_and_other_scripts_are_told_by_their_code_points() -> None:
    assert escaped("Zürich, Łódź, ž") == "Zürich, Łódź, ž"
    assert escaped("\u03b1 漢 🙂 þ ª") == "[U+03B1] [U+6F22] [U+1F642] [U+00FE] [U+00AA]"
    assert escaped("a--b ?` ''x'") == r"a-{}-b ?{}\textasciigrave{} '{}'x'"


def test_hostile_names_stay_words_of_bounded_length() -> None:
    hostile = machine(gpu=gpu(device(HOSTILE)))
    hostile = replace(hostile, captured=replace(hostile.captured, time=HOSTILE))
    done, sides = answer(machine(), hostile)
    for text in (sentence(done, sides), latex(done, sides), environment_latex(hostile)):
        assert len(text) < 4000
        assert text.isprintable()
    assert "\\input" not in latex(done, sides)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here")
def test_it_compiles_whoever_chose_the_names(tmp_path: Path) -> None:
    hostile = machine(gpu=gpu(device(HOSTILE)))
    done, sides = answer(machine(), hostile)
    body = "\n\n".join([
        latex(done, sides), environment_latex(hostile), escaped(string.printable),
        *(escaped("".join(map(chr, range(start, start + 64)))) for start in range(0x80, 0x180, 64)),
        escaped("“quoted” … — 漢🙂"),
    ])  # fmt: skip
    document = "\\documentclass{article}\n\\begin{document}\n" + body + "\n\\end{document}\n"
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    ran = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)},  # it keeps fonts there
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-2000:].decode(errors="replace")
    assert (tmp_path / "paper.pdf").is_file()
