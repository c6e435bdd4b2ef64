"""The block for an issue: small, harmless, and read again by import."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given

from envsnap._import import imported, read
from envsnap.imports import Text, listed, packages
from envsnap.manifest import Manifest, canonical_name, document
from envsnap.reports.paste import LIMIT, is_shown, leaves, paste
from envsnap.sections import Captured, CondaRecord, Package, Packages, Reason, Unknown, replace
from tests.strategies import manifests

TIME = "2026-01-01T00:00:00Z"
CAPTURED = Captured(time=TIME, version="1")
NOT_SEEN = Unknown(Reason.NOT_ASKED, "not part of this test")


def read_again(text: str) -> Manifest:
    return imported([read(Text("issue.md", text))], TIME)


def facts(manifest: Manifest) -> dict[str, object]:
    return {path: value for path, value in leaves(document(manifest)["sections"]) if is_shown(path)}


def installed(manifest: Manifest) -> tuple[Package, ...]:
    section = manifest.section(Packages)
    if isinstance(section, Unknown) or isinstance(section.installed, Unknown):
        return ()
    return section.installed


def with_packages(found: Iterable[Package], conda: tuple[CondaRecord, ...] = ()) -> Manifest:
    section = packages(found, conda_only=conda)
    return Manifest(captured=CAPTURED, sections={"packages": section})


@given(manifests())
def test_what_the_block_shows_is_read_again_as_it_was(manifest: Manifest) -> None:
    again = read_again(paste(manifest))
    assert facts(again) == facts(manifest)


@given(manifests())
def test_the_block_ends_where_it_should_whatever_others_wrote(manifest: Manifest) -> None:
    text = paste(manifest)
    assert len(text) < LIMIT
    fences = [line for line in text.split("\n") if "`" in line]
    assert fences == ["```text", "```"] * (len(fences) // 2)
    assert [line for line in text.split("\n") if "<" in line or ">" in line] == [
        line for line in text.split("\n") if line.startswith(("<details", "</details>"))
    ]
    assert "@" not in text


def test_packages_are_read_again_with_where_they_came_from() -> None:
    conda = CondaRecord(
        name="pytorch", version="2.1.0", build="py3.10_cuda12.1_0", channel=NOT_SEEN,
        subdir=NOT_SEEN, url=NOT_SEEN, md5=NOT_SEEN, sha256=NOT_SEEN,
    )  # fmt: skip
    library = replace(conda, name="openssl", build="h7_0")
    torch = listed("torch", "2.1.0", conda=conda)
    manifest = with_packages([listed("idna", "3.7"), torch], (library,))
    text = paste(manifest)
    assert "idna==3.7\n" in text
    again = read_again(text)
    assert [(each.name, each.version, each.conda and each.conda.name) for each in installed(again)]\
        == [("idna", "3.7", None), ("torch", "2.1.0", "pytorch")]  # fmt: skip
    section = again.section(Packages)
    assert isinstance(section, Packages)
    assert not isinstance(section.conda_only, Unknown)
    assert [(each.name, each.version, each.build) for each in section.conda_only] == [
        ("openssl", "2.1.0", "h7_0")
    ]


@given(manifests())
def test_each_active_package_is_read_again_once(manifest: Manifest) -> None:
    wanted = {
        canonical_name(each.name): each.version
        for each in packages(
            each for each in installed(manifest) if each.active and each.name and each.version
        ).installed  # type: ignore[union-attr]
    }
    found = {
        canonical_name(each.name): each.version for each in installed(read_again(paste(manifest)))
    }
    assert found == wanted


def test_hostile_names_stay_text() -> None:
    names = ["```\n# ha", "</details><script>alert(1)</script>", "@everyone", "a`b", "... and 3"]
    manifest = with_packages(listed(name, "1.0") for name in names)
    text = paste(manifest)
    assert "<script" not in text
    assert "@everyone" not in text
    assert text.count("```") == 4
    assert sorted(each.name for each in installed(read_again(text))) == sorted(names)


def test_a_list_too_long_for_an_issue_is_cut_and_says_so() -> None:
    manifest = with_packages(listed(f"package-{number:05}", "1.2.3") for number in range(5000))
    text = paste(manifest)
    assert 50_000 < len(text) < LIMIT
    again = read_again(text)
    kept = len(installed(again))
    assert f"\nand {5000 - kept} more\n" in text
    section = again.section(Packages)
    assert isinstance(section, Packages)
    assert isinstance(section.unlisted, Unknown)


def test_the_block_is_found_in_the_middle_of_an_issue() -> None:
    manifest = with_packages([listed("idna", "3.7")])
    text = f"It crashes. This is what I have:\n\n{paste(manifest)}\nAny help is welcome, `@you`!\n"
    assert [each.name for each in installed(read_again(text))] == ["idna"]


def test_paths_and_serials_are_not_shown() -> None:
    shown = ("python.version", "gpu.devices[0].name", "cpu.features", "environ.variables")
    hidden = (
        "python.executable", "python.path[0].path", "gpu.devices[1].uuid", "project.git.commit",
        "cuda.libraries[3].location", "gpu.driver.compat.location", "moment.load",
    )  # fmt: skip
    assert all(map(is_shown, shown))
    assert not any(map(is_shown, hidden))
