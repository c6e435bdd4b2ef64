"""check's answer as Markdown: what a comment shows, and what it must never do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap import __version__
from envsnap._check import check
from envsnap.profiles import load
from envsnap.reports._markdown import code, escaped, in_html, linked, remedy
from envsnap.reports.check_markdown import LIMIT as LONGEST
from envsnap.reports.check_markdown import text
from envsnap.reports.claim import sentence
from envsnap.rules import CheckOptions
from envsnap.sections import replace
from tests.reports.hand_made import (
    BLOCKS,
    BY_AUTHOR,
    BY_READER,
    DIGITS,
    LIMIT,
    LOWERING,
    NOTE,
    OPEN,
    SEEDS,
    SOURCE,
    checked,
    sides,
)
from tests.rules.machines import machine

WHOLE = """\
## ❌ envsnap check: will not run (exit 1)

|  |  |  |
| --- | --- | --- |
| Natively (decides) | **WILL NOT RUN** |  |
| In the container | **WILL NOT RUN** | for the same reason |
| Results | **NONE** | it does not run (DRV001) |

> {sentence}

- **Wanted** paper.json: {machine}
- **Found** this machine: {machine}

### 1 thing that stops it

| about | what | so what | what mends it | rule |
| --- | --- | --- | --- | --- |
| **driver** | CUDA 12.4 needs driver 525.60.13; here is 515.65.01 | CUDA does not start \
| a driver of 525.60.13 or newer | [DRV001](https://docs.example/guide#part) |

### 1 limit

| about | what | so what | what mends it | rule |
| --- | --- | --- | --- | --- |
| **GPU memory** | 24 GiB -&gt; 15 GiB | What filled the wanted GPU's memory does not fit \
| a smaller batch, or a GPU with 24 GiB; *the author allows it: tried on both* \
| [GPU005](https://docs.example/guide#part) |

### 1 difference was accepted, and does not decide

| about | what | so what | what mends it | rule |
| --- | --- | --- | --- | --- |
| **CPU** | zen4 -&gt; cascadelake | NumPy takes other kernels, which add in another order \
| *accepted: the cluster is mixed, until 2099-12-31* | [CPU001](https://docs.example/guide#part) |

Fine: 2 rules found nothing: packages 1, CPU and memory 1

<details><summary>Not checked: 1 fact not known</summary>

- found gpu.devices: no-permission: for a test (GPU003)

</details>

<details><summary>Left out: ENG</summary>

- ENG: no engine here

</details>

**Exit 1: it will not run here**  
Allowed by the author: 1 of 2. --accept-waivers takes that word  
Doubt it: `envsnap explain DRV001`

<sub>envsnap {version}</sub>
"""  # noqa: W291 - two spaces end a line


def test_the_whole_page() -> None:
    answer = checked(
        BLOCKS, LIMIT._replace(excuses=(BY_AUTHOR,)), DIGITS._replace(excuses=(BY_READER,)), NOTE,
        left=(OPEN,), options=CheckOptions(ignore={"ENG": "no engine here"}),
    )  # fmt: skip
    page = text([(answer, sides())])
    here = page.partition("**Wanted** paper.json: ")[2].partition("\n")[0]
    assert page == WHOLE.format(
        sentence=escaped(sentence(answer, sides()), longest=4000), machine=here,
        version=__version__,
    )  # fmt: skip


def test_several_machines_are_one_page_with_the_table_first() -> None:
    page = text([(checked(DIGITS), sides("a")), (checked(), sides("b"))], "THE TABLE")
    first = "❌ a: runs, but numbers may differ (exit 1)"
    assert page.startswith(f"THE TABLE\n<details><summary>{first}</summary>\n\n")
    assert page.count("<details>") == page.count("</details>")
    assert "<details><summary>✅ b: runs (exit 0)</summary>" in page


def test_what_no_capture_sees_is_folded_with_what_lifts_it() -> None:
    page = text([(checked(conditions=(SEEDS,)), sides())])
    assert (
        "<details><summary>1 condition that no capture sees</summary>\n\n"
        "- the seeds were not recorded (ENV010): state the seeds\n" in page
    )


def test_what_lowers_the_results_is_never_folded() -> None:
    page = text([(checked(conditions=(LOWERING, SEEDS)), sides())])
    assert (
        "### What lowers the results and is no difference\n\n"
        "- no deterministic cuBLAS (ENV002): `export CUBLAS_WORKSPACE_CONFIG=:4096:8`\n\n" in page
    )
    assert "| Results | **STATISTICAL** | " in page
    assert " (ENV002) |\n" in page


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("export OMP_NUM_THREADS=16", "`export OMP_NUM_THREADS=16`"),
        ("pip install 'a==1; x, or y'", "`pip install 'a==1; x, or y'`"),
        (
            "activate it, or: envsnap check --python P",
            "activate it, or: `envsnap check --python P`",
        ),
        ("unset LD_PRELOAD, unless it is meant", "`unset LD_PRELOAD`, unless it is meant"),
        ("a GPU with 40 GiB, or <b>", "a GPU with 40 GiB, or &lt;b&gt;"),
        ("export A=a|b`c", r"`` export A=a\|b`c ``"),
    ],
)
def test_a_command_is_code_and_stays_as_it_is(words: str, expected: str) -> None:
    assert remedy(words) == expected


def test_what_the_author_requires_stands_as_it_was_stated() -> None:
    stated = {"must": ["driver >= 525", {"that": "gpu.count >= 2", "because": "@you"}], "may": 1}
    page = text([(checked(), sides(wanted=replace(machine(), requires=stated)))])
    assert (
        "<details><summary>Required by the author</summary>\n\n"
        "- must hold: driver &gt;= 525\n- must hold: gpu.count &gt;= 2\n" in page
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a|b", r"a\|b"),
        ("`x` *y* _z_ ~q~ $m$", r"\`x\` \*y\* \_z\_ \~q\~ \$m\$"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("[a](https://b)", r"\[a\](https:&#8203;//b)"),
        ("@octocat, a@b.example", "@&#8203;octocat, a@&#8203;b.example"),
        ("owner/name#12 GH-7", "owner/name#&#8203;12 GH-&#8203;7"),
        ("www.evil.example", "www&#8203;.evil.example"),
        ("a\n\n# b\tc", "a #&#8203; b c"),
        ("&lt; \\", r"&amp;lt; \\"),
        ("\x1b[2J\u202e", r"\\x1b\[2J\\u202e"),
    ],
)
def test_others_words_stay_words(words: str, expected: str) -> None:
    assert escaped(words) == expected


def test_what_is_too_long_is_cut_before_it_is_escaped() -> None:
    assert escaped("ab " * 200)[-4:] == " ab…"
    assert len(escaped("|" * 90 + " " + "|" * 90)) == 361


def test_a_command_holds_backticks_and_no_line_end() -> None:
    assert code("a `b` ``c``\nd") == "``` a `b` ``c`` d ```"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a b", "https://a>b", None, "http://a"]
)
def test_only_an_address_of_the_web_becomes_a_link(url: str | None) -> None:
    assert linked("GPU001", url) == "GPU001"
    assert linked("GPU001", "https://a.example/(b)") == "[GPU001](https://a.example/%28b%29)"


LIVE = re.compile(
    r"@\w|(?<!&)#\d|GH-\d|(?<!\]\(https)://|www\.|<(?!/?(?:details|summary|sub)>)", re.IGNORECASE
)


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_word_of_another_is_ever_live(one: str, other: str) -> None:
    for made in (escaped(one), in_html(one)):
        assert "\n" not in made
        assert not LIVE.search(made)
    evil = DIGITS._replace(
        subject=one, what=other, why=one, remedy=other,
        source=SOURCE._replace(url=None) if hasattr(SOURCE, "_replace") else SOURCE,
    )  # fmt: skip
    page = text([(checked(evil), sides(one))])
    assert not LIVE.search(page.replace("https://docs.example/guide#part", ""))
    (row,) = [each for each in page.splitlines() if each.endswith(" | CPU001 |")]
    assert len(re.findall(r"(?<!\\)\|", row.replace("\\\\", ""))) == 6


def test_a_page_is_never_longer_than_a_comment_and_says_that_it_was_cut() -> None:
    long = "x|" * 5000
    many = [
        DIGITS._replace(code=f"CPU{n:03}", subject=f"p{n}", what=long, why=long, remedy=long)
        for n in range(900)
    ]
    page = text([(checked(*many), sides(long))])
    assert len(page) < LONGEST
    assert re.search(r"^\| \d+ more \| \| \| \| \|$", page, re.MULTILINE)
    few = many[:90]
    several = text([(checked(*few), sides(f"m{n}")) for n in range(40)], "T")
    assert len(several) < LONGEST
    assert several.count("<details>") == several.count("</details>")
    assert "<summary>❌ m20: runs, but numbers may differ (exit 1)</summary>" in several
    assert re.search(r"\n\*\d+ more: the JSON report has them\.\*\n\Z", several)


def test_a_real_pair_is_a_page() -> None:
    wanted, found = machine(), load("t4-cloud")
    page = text([(check(wanted, found), sides("t4-cloud"))])
    assert page.startswith("## ❌ envsnap check: runs, with limits (exit 1)\n")
    assert "| **GPU memory** | 40 GiB -&gt; 15 GiB |" in page
