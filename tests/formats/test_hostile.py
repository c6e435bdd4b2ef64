"""Values that a manifest can hold and that mean something in a recipe's syntax, read back."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.errors import PlanError
from envsnap.formats import formats
from envsnap.formats._templates import (
    _environment,
    command,
    docker,
    html,
    key,
    line,
    sh,
    word,
    yaml,
)
from envsnap.lint._dockerfile import dockerfile, mounts_of
from envsnap.lint._files import Beside
from envsnap.plan import BuildPlan, LeftOut, PlanOptions, plan
from envsnap.plan._model import Why
from envsnap.sections import Environ
from tests import made
from tests.formats.test_golden import digest

HOSTILE = (
    "a b", "a'b", 'a"b', "$HOME", "`id`", "$(id)", "a\\", "a\\\\n", "#x", "x;y", "x && y", "%post",
    "% x", "bootstrap: y", "<a href=x>", "&amp;", "key: value", "- x", "!x", "*", "{x}", "~", "",
)  # fmt: skip
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126))


def planned(**changes: object) -> BuildPlan:
    found = plan(made.manifest(), PlanOptions(), digest)
    return BuildPlan(**{**vars(found), **changes})


def docker_value(quoted: str) -> str:
    """What BuildKit reads in double quotes: a backslash before `\\`, `"` and `$` goes."""
    assert quoted[0] == quoted[-1] == '"'
    assert not re.search(r'(?<!\\)(?:\\\\)*["$]', quoted[1:-1])
    return re.sub(r'\\([\\"$])', r"\1", quoted[1:-1])


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_variable_is_one_value_in_every_recipe(value: str) -> None:
    hostile = planned(variables=(("X", value),))
    dockerfile = formats()["dockerfile"].render(hostile)["Dockerfile"]
    (said,) = [row for row in dockerfile.splitlines() if row.startswith("ENV X=")]
    assert docker_value(said.removeprefix("ENV X=")) == value
    definition = formats()["apptainer"].render(hostile)["envsnap.def"]
    (said,) = [row for row in definition.splitlines() if row.startswith("    export X=")]
    assert shlex.split(said) == ["export", f"X={value}"]


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\x1b[2J", "\u2028", "\N{SNOWMAN}", "\0"])
@pytest.mark.parametrize("name", ["dockerfile", "apptainer"])
def test_a_value_that_is_not_one_line_of_ascii_is_refused(name: str, value: str) -> None:
    with pytest.raises(PlanError) as caught:
        formats()[name].render(planned(variables=(("X", value),)))
    assert caught.value.message == f"Expected one line of ASCII for a recipe, not {value!a}"


def test_a_value_that_apptainer_takes_for_its_own_is_refused() -> None:
    with pytest.raises(PlanError) as caught:
        formats()["apptainer"].render(planned(variables=(("X", "{{ y }}"),)))
    assert caught.value.message == "A value with '{{' cannot stand in a recipe: '{{ y }}'"


def test_such_values_are_not_carried_out_of_a_manifest() -> None:
    environ = Environ(
        variables={"PYTHONHASHSEED": "0\n", "XLA_FLAGS": "{{ x }}", "MKL_CBWR": "AVX2"}
    )
    found = plan(made.manifest(environ=environ), PlanOptions(), digest)
    assert [name for name, _ in found.variables] == [
        "LC_ALL", "MKL_CBWR", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_VISIBLE_DEVICES",
        "PYTHONNOUSERSITE",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["x\n%post\nrm -rf /", "x\nRUN id", "{{ x }}", "x \\", "\x1b[2J"])
@pytest.mark.parametrize("name", ["dockerfile", "apptainer"])
def test_a_hostile_reason_stays_a_comment(name: str, text: str) -> None:
    usual = planned()
    hostile = planned(reasons=(*usual.reasons, Why(text, text, text)))
    main = formats()[name].main
    before = formats()[name].render(usual)[main].splitlines()
    after = formats()[name].render(hostile)[main].splitlines()
    (added,) = [row for row in after if row not in before]
    assert added.startswith("# - ")
    assert "{{" not in added
    assert not added.endswith("\\")


@pytest.mark.parametrize("name", sorted(formats()))
def test_a_hostile_name_that_is_left_out_is_one_word_of_the_verifier(name: str) -> None:
    hostile = planned(left_out=(LeftOut("a; rm -rf $HOME", "1", "because"),))
    files = formats()[name].render(hostile)
    (path,) = [path for path in files if path.endswith("left-out.txt")]
    assert files[path] == "a; rm -rf $HOME\n"
    scripts = [text for path, text in files.items() if path.endswith((".sh", "postBuild"))]
    assert [each for each in scripts if "rm -rf $HOME" in each] == []


@pytest.mark.parametrize("name", sorted(formats()))
def test_no_recipe_has_what_its_reader_stumbles_over(name: str) -> None:
    files = formats()[name].render(planned())
    for path in ("Dockerfile", "envsnap.def", "binder/postBuild", "binder/environment.yml"):
        text = files.get(path, "")
        assert not re.search(r"\{\{\s*\w+\s*\}\}", text)
        assert "<<" not in text
        assert "\t" not in text
    assert not files.get("Dockerfile", "").startswith(("# syntax", "# escape"))


def test_a_definition_has_one_header_one_of_each_section_and_no_host_folder() -> None:
    text = formats()["apptainer"].render(planned())["envsnap.def"]
    rows = text.splitlines()
    assert rows[0] == "Bootstrap: docker"
    assert rows[1].startswith("From: docker.io/library/python@sha256:")
    assert [row for row in rows if row.lstrip().startswith("%")] == [
        "%files", "%post", "%environment", "%labels", "%test", "%runscript", "%help",
    ]  # fmt: skip
    assert len(re.findall(r"(?mi)^bootstrap:", text)) == 1
    assert "/tmp" not in text  # noqa: S108 - what the host mounts over there hides it
    assert "$HOME" not in text


def test_every_copied_file_is_in_the_context_and_allowed_by_dockerignore() -> None:
    files = formats()["dockerfile"].render(planned())
    recipe = dockerfile(files["Dockerfile"], Beside("."))
    copied = {name for each in recipe.copied for name in each.sources}
    shown = {
        mount["source"]
        for each in recipe.instructions
        for mount in mounts_of(each)
        if mount["type"] == "bind" and "from" not in mount
    }
    allowed = {row[1:] for row in files[".dockerignore"].splitlines() if row.startswith("!")}
    assert copied | shown <= allowed
    assert allowed <= files.keys()


def test_a_definition_too_long_for_apptainer_is_refused() -> None:
    many = tuple((f"X{number}", "y" * 400) for number in range(150))
    with pytest.raises(PlanError) as caught:
        formats()["apptainer"].render(planned(variables=many))
    assert caught.value.message.startswith("The section %environment of the definition would have ")


def test_the_addresses_are_links_that_a_browser_reads() -> None:
    class Links(HTMLParser):
        found: list[str | None] = []  # noqa: RUF012 - one parser, one list

        def handle_starttag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
            self.found += [value for name, value in attributes if name == "href"]

    links = Links()
    links.feed(formats()["repo2docker"].render(planned())["binder/artifacts.html"])
    assert links.found == sorted(
        (f"{each.url}#sha256={each.sha256}" for each in made.ARTIFACTS),
        key=lambda url: "antlr4" in str(url),
    )


def test_a_template_that_forgets_to_quote_fails_at_once() -> None:
    template = _environment().from_string("{{ value }}")
    with pytest.raises(TypeError) as caught:
        template.render(value="harmless")
    assert str(caught.value) == "a template writes 'harmless' without saying how it is quoted"


@given(ASCII.filter(lambda text: "{{" not in text))
def test_a_shell_reads_back_what_was_quoted(text: str) -> None:
    assert shlex.split(sh(text)) == [text]
    assert shlex.split(command([text, "x"])) == [text, "x"]


@given(ASCII)
def test_a_dockerfile_reads_back_what_was_quoted(text: str) -> None:
    assert docker_value(docker(text)) == text


@given(st.text())
def test_yaml_is_json_and_reads_back(text: str) -> None:
    assert json.loads(yaml(text)) == text


@given(st.text())
def test_a_comment_is_always_one_line(text: str) -> None:
    said = line(text)
    assert said.isprintable()
    assert "{{" not in said
    assert "}}" not in said


@pytest.mark.parametrize("quote", [word, key])
@pytest.mark.parametrize("text", ["", "a b", "a\n", "$x", "-x", "`id`", "a;b", "'", "\N{SNOWMAN}"])
def test_a_plain_word_is_plain(quote: type[str], text: str) -> None:
    with pytest.raises(PlanError):
        quote(text)


def test_html_is_escaped() -> None:
    assert html("\"<a>&'") == "&quot;&lt;a&gt;&amp;&#x27;"


@pytest.mark.parametrize("path", ["install.sh", "binder/postBuild"])
def test_the_scripts_are_posix_shell(path: str) -> None:
    name = "repo2docker" if path.startswith("binder") else "dockerfile"
    text = formats()[name].render(planned())[path]
    done = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_python_stands_in_environment_yml_to_the_patch() -> None:
    text = formats()["repo2docker"].render(planned())["binder/environment.yml"]
    # What repo2docker itself looks for; anything else falls to its own default version.
    assert re.findall(r"python\s*=+\s*([\d.]*)", text) == ["3.11.7"]
