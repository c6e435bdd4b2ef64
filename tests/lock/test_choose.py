from __future__ import annotations

import pytest

from envsnap.lock._choose import Chosen, Target, choose, nearest, supported
from envsnap.lock._pylock import File, Release, parse
from envsnap.sections import Package, Reason, Unknown
from tests import made
from tests.lock.test_pylock import recorded

GLIBC = Target((3, 11), "x86_64", "glibc", (2, 36))
NAME = "zstandard"
OLD = "zstandard-0.23.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
NEW = "zstandard-0.23.0-cp311-cp311-manylinux_2_28_x86_64.whl"
SDIST = File("zstandard-0.23.0.tar.gz", "https://files.example/z.tar.gz", "0" * 64, 1)
FROM_SOURCE = Unknown(
    Reason.NOT_RECORDED, "it was built from source, and no installer records from which archive"
)
BUILD = "zstandard-0.23.0-1local-cp311-cp311-manylinux_2_28_x86_64.whl"


def release(name: str = NAME) -> Release:
    return parse(recorded())[name]


def chosen(package: Package, target: Target = GLIBC, name: str = NAME) -> tuple[str, object]:
    found = choose(package, release(name), target)
    assert found is not None
    return found.file.filename, found.is_installed


def zstandard(*tags: str, **changes: object) -> Package:
    return made.package(NAME, "0.23.0", tags=tags, **changes)


def test_the_wheel_with_the_tags_of_the_installed_one_is_that_one() -> None:
    tags = ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64")
    assert chosen(zstandard(*tags)) == (OLD, True)


def test_compressed_tags_are_the_same_tags() -> None:
    tag = "cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64"
    assert chosen(zstandard(tag)) == (OLD, True)


def test_the_build_tag_tells_two_wheels_apart() -> None:
    tag = "cp311-cp311-manylinux_2_28_x86_64"
    assert chosen(zstandard(tag)) == (NEW, True)
    assert chosen(zstandard(tag, build="1local")) == (BUILD, True)


def test_an_unknown_build_tag_leaves_two_wheels_and_says_so() -> None:
    unknown = Unknown(Reason.NOT_RECORDED, "no build")
    name, is_installed = chosen(zstandard("cp311-cp311-manylinux_2_28_x86_64", build=unknown))
    assert name == BUILD
    assert is_installed == Unknown(Reason.WITNESSES_DISAGREE, "2 wheels have the installed tags")


def test_tags_that_only_overlap_choose_but_do_not_prove() -> None:
    assert chosen(zstandard("cp311-cp311-manylinux_2_17_x86_64")) == (
        OLD,
        Unknown(
            Reason.WITNESSES_DISAGREE,
            "its name has other tags than the installed WHEEL, and some in common",
        ),
    )


@pytest.mark.parametrize("tags", [("cp311-cp311-linux_x86_64",), ("py3-none-any",), (), None])
def test_what_was_built_here_came_from_the_source_and_no_wheel_stands_in(
    tags: tuple[str, ...] | None,
) -> None:
    package = made.package(NAME, "0.23.0", tags=tags)
    found = choose(package, release()._replace(sdist=SDIST), GLIBC)
    assert found == Chosen(SDIST, FROM_SOURCE)


def test_what_was_built_here_has_no_file_where_there_is_no_source() -> None:
    assert choose(zstandard("cp311-cp311-linux_x86_64"), release(), GLIBC) is None


def test_a_published_wheel_that_is_gone_is_not_replaced_by_another_file() -> None:
    package = zstandard("cp311-cp311-manylinux_2_5_x86_64")
    assert choose(package, release()._replace(sdist=SDIST), GLIBC) is None
    assert nearest(package, release()._replace(sdist=SDIST).files) == (
        BUILD,
        OLD,
        NEW,
        "zstandard-0.23.0-cp311-cp311-manylinux_2_39_x86_64.whl",
        "zstandard-0.23.0.tar.gz",
    )


def test_another_build_tag_chooses_but_does_not_prove() -> None:
    only = Release("0.23.0", tuple(f for f in release().wheels if f.filename == BUILD), None)
    assert choose(zstandard("cp311-cp311-manylinux_2_28_x86_64"), only, GLIBC) == Chosen(
        only.wheels[0],
        Unknown(
            Reason.WITNESSES_DISAGREE,
            "its name has another build tag than the installed WHEEL, and the same tags",
        ),
    )


def test_an_older_system_gets_an_older_wheel() -> None:
    old = GLIBC._replace(libc_version=(2, 17))
    unknown = Unknown(Reason.UNPARSABLE, "WHEEL is empty")
    assert chosen(made.package(NAME, "0.23.0", tags=unknown), old) == (OLD, unknown)


def test_unknown_tags_leave_unknown_whether_it_is_the_installed_file() -> None:
    unknown = Unknown(Reason.UNPARSABLE, "WHEEL is empty")
    assert chosen(made.package(NAME, "0.23.0", tags=unknown)) == (BUILD, unknown)


def test_a_recorded_hash_is_stronger_than_tags() -> None:
    recorded_hash = "sha256=1fd7e0f1cfb70eb2f95a19b472ee7ad6d9a0a992ec0ae53286870c104ca939e5"
    package = zstandard(
        "cp311-cp311-manylinux_2_28_x86_64",
        origin=made.origin("archive", archive_hash=recorded_hash),
    )
    assert chosen(package) == (OLD, True)


def test_source_alone_is_source_and_nobody_knows_from_which_archive() -> None:
    package = made.package("antlr4-python3-runtime", "4.9.3")
    assert chosen(package, name="antlr4-python3-runtime") == (
        "antlr4-python3-runtime-4.9.3.tar.gz",
        FROM_SOURCE,
    )


def test_no_file_for_the_platform_is_no_choice() -> None:
    musl = Target((3, 11), "x86_64", "musl", (1, 2))
    assert choose(zstandard("cp311-cp311-linux_x86_64"), release(), musl) is None


@pytest.mark.parametrize(
    ("target", "best", "among"),
    [
        (GLIBC, "cp311-cp311-manylinux_2_36_x86_64", "cp38-abi3-manylinux2014_x86_64"),
        (GLIBC._replace(python=(3, 7)), "cp37-cp37m-manylinux_2_36_x86_64", "py3-none-any"),
        (
            Target((3, 12), "aarch64", "musl", (1, 2)),
            "cp312-cp312-musllinux_1_2_aarch64",
            "cp312-none-musllinux_1_0_aarch64",
        ),
    ],
)
def test_the_tags_of_a_platform_start_with_the_most_specific(
    target: Target, best: str, among: str
) -> None:
    tags = [str(tag) for tag in supported(target)]
    assert tags[0] == best
    assert among in tags
