"""Images that a registry lost or never had: where a plan goes on to, and what it then says.

The registry is the tests' own, asked over HTTP for every tag.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest

from envsnap._fetched import starting
from envsnap.errors import PlanError
from envsnap.facts import python_images
from envsnap.facts.registry_answers import NoSuchTag
from envsnap.formats import formats
from envsnap.images import registry
from envsnap.plan import BuildPlan, PlanOptions, Resolve, plan
from envsnap.plan._candidate import is_gone
from envsnap.plan._estimate import SILENT, cost_of_plan
from envsnap.plan._explained import names_base
from envsnap.plan._safe import reference as parts_of
from envsnap.sections import Fact, Reason, Unknown
from tests.base_cases import DIGEST, manifest_of
from tests.serving import served

FETCHER = "python:3.13.15-slim-bookworm"
ARCHIVE = "cpython-3.9.18+20240224-x86_64-unknown-linux-gnu-install_only.tar.gz"
NEWER = "image python:3.11.99-slim is newer than facts of 2026-08-21"


@contextmanager
def having(*tags: str, otherwise: int = 404) -> Iterator[Resolve]:
    """A registry that has these images of Docker's library, and answers so for every other."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            name, _, tag = self.path.removeprefix("/v2/library/").partition("/manifests/")
            self.send_response(200 if f"{name}:{tag}" in tags else otherwise)
            self.send_header("Docker-Content-Digest", DIGEST)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the test's output is its own."""

    with served(Handler) as address:

        def resolve(reference: str) -> Fact[str]:
            repository, tag, _ = parts_of(reference, "the test")
            found = registry.digest(repository.replace("docker.io", address), tag or "")
            if not isinstance(found, Unknown):
                return found
            says = (found.detail or "").replace(address, "r.example")
            is_gone = isinstance(found, NoSuchTag)
            return NoSuchTag(says) if is_gone else Unknown(found.reason, says)

        yield resolve


def of(version: str, **more: object) -> Mapping[str, object]:
    return {"python": version, "packages": ["idna==3.7"], "gpu": "none", **more}


def planned(
    case: Mapping[str, object], *tags: str, otherwise: int = 404, **options: object
) -> BuildPlan:
    with having(*tags, otherwise=otherwise) as resolve:
        return plan(manifest_of(case), PlanOptions(**options), resolve)  # type: ignore[arg-type]


def refusal(
    case: Mapping[str, object], *tags: str, base_image: str | None = None
) -> tuple[str, str | None]:
    with pytest.raises(PlanError) as caught:
        planned(case, *tags, base_image=base_image)
    assert caught.value.exit_code == 6
    return caught.value.message, caught.value.hint


def told(found: BuildPlan) -> list[str]:
    """What the plan has by the registry's word, the digest apart."""
    return [
        f"{why.decision}: {why.because}"
        for why in found.reasons
        if why.source == "registry" and not why.decision.startswith("the base image is ")
    ]


def lost(*references: str) -> list[str]:
    return [f"{each} is gone: r.example answers 404 for library/{each}" for each in references]


def test_a_python_whose_images_are_gone_is_unpacked_on_debian() -> None:
    found = planned(of("3.9.18"), "debian:trixie-slim", FETCHER)
    assert found.base.pinned == f"debian:trixie-slim@{DIGEST}"
    assert (found.interpreter.how, found.interpreter.filename) == ("archive", ARCHIVE)
    assert found.builder is not None
    assert found.builder.pinned == f"{FETCHER}@{DIGEST}"
    assert told(found) == [
        "base=debian:trixie-slim: the images of Python 3.9.18 are not there any more",
        *lost("python:3.9.18-slim-bookworm", "python:3.9.18-slim-bullseye"),
    ]


@pytest.mark.parametrize("version", ["3.9.0", "3.9.3"])
def test_one_that_nobody_publishes_a_build_of_is_compiled(version: str) -> None:
    """The second was recalled."""
    found = planned(of(version), "debian:bullseye-slim", FETCHER)
    assert found.base.reference == "debian:bullseye-slim"
    archive = f"Python-{version}.tgz"
    assert (found.interpreter.how, found.interpreter.filename) == ("compiled", archive)
    assert told(found)[1:] == lost(f"python:{version}-slim-buster")


def test_an_older_debian_serves_where_the_newest_is_gone_too() -> None:
    found = planned(of("3.9.18"), "debian:bookworm-slim", FETCHER)
    assert (found.base.reference, found.interpreter.how) == ("debian:bookworm-slim", "archive")
    assert told(found)[-1:] == lost("debian:trixie-slim")


def test_a_wheels_glibc_is_not_said_to_be_lacking_where_the_images_are_gone() -> None:
    case = of("3.11.7", packages=["demo==1.0 manylinux_2_28_x86_64"])
    found = planned(case, "debian:trixie-slim", FETCHER)
    why = "the images of Python 3.11.7 are not there any more"
    assert told(found)[0] == f"base=debian:trixie-slim: {why}"
    assert [each.decision for each in found.reasons if "glibc" in each.decision] == [
        "glibc 2.28 or newer"
    ]


def test_where_every_debian_is_gone_too_each_tag_is_named() -> None:
    assert refusal(of("3.9.18"), FETCHER) == (
        (
            "None of the images that fit is there: python:3.9.18-slim-bookworm, "
            "python:3.9.18-slim-bullseye, debian:trixie-slim, debian:bookworm-slim, "
            "debian:bullseye-slim (r.example answers 404 for library/debian:bullseye-slim)"
        ),
        "Name one that is, or a copy of your own, with --base-image",
    )


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_registry_that_gives_no_answer_has_lost_nothing(status: int) -> None:
    found = planned(of("3.9.18"), "debian:trixie-slim", FETCHER, otherwise=status)
    assert found.base.pinned == "python:3.9.18-slim-bookworm"
    assert isinstance(found.base.digest, Unknown)
    assert (found.interpreter.how, found.builder, told(found)) == ("image", None, [])


def test_a_base_image_that_the_user_named_is_not_replaced() -> None:
    image = "python:3.9.18-slim-bookworm"
    assert refusal(of("3.9.18"), "debian:trixie-slim", FETCHER, base_image=image) == (
        f"There is no image {image}: r.example answers 404 for library/{image}",
        f"Name another, as --base-image {image}; or leave it out",
    )


def test_another_python_fetches_where_the_usual_one_is_gone() -> None:
    usual = tuple(f"debian:{each}-slim" for each in ("trixie", "bookworm"))
    newest = python_images.python_slim_versions()[-1]
    other = f"python:{newest}-slim-trixie"
    found = planned(of("3.9.18"), *usual, other)
    assert found.builder is not None
    assert found.builder.reference == other
    assert told(found)[-1:] == lost(FETCHER)


def test_where_no_python_is_left_to_fetch_with_a_note_says_what_the_build_needs() -> None:
    found = planned(of("3.9.18"), "debian:trixie-slim")
    assert found.builder is not None
    assert found.builder.pinned == FETCHER
    assert told(found)[-6:-5] == lost(FETCHER)
    assert {each.partition(" ")[2].partition(":")[0] for each in told(found)[-6:]} == {"is gone"}
    assert found.notes == (
        (
            f"Python 3.9.18 is fetched in a stage that starts from {FETCHER}, which is gone: "
            "whoever builds must have an image of any Python 3 under that name"
        ),
    )


def test_without_a_network_nothing_is_fetched_and_no_such_image_is_needed() -> None:
    lock = manifest_of(of("3.9.18")).lock
    assert lock is not None
    known = frozenset(each.sha256 for each in lock.artifacts)
    found = planned(of("3.9.18"), "debian:trixie-slim", offline=True, stored=known, alone=known)
    assert (found.base.reference, found.interpreter.how) == ("debian:trixie-slim", "archive")
    assert found.notes == ()


def test_a_version_that_never_was_is_not_said_to_be_gone() -> None:
    message, _ = refusal(of("3.11.99"), "debian:trixie-slim", FETCHER)
    assert message == (
        "There is no image python:3.11.99-slim-trixie (r.example answers 404 for "
        "library/python:3.11.99-slim-trixie); no other way to Python 3.11.99 is known: a "
        "relocatable build of Python 3.11.99 for x86_64 is newer than facts of 2026-08-21; the "
        "source of Python 3.11.99 is newer than facts of 2026-05-08; the nearest to be had: 3.11.16"
    )


def test_a_tag_that_no_table_has_is_passed_over_as_one_that_is_not_there() -> None:
    case = of("3.11.7", needed={"libamdhip64.so.6": "mine 0.1"}, gpu="amd", rocm="6.2.4")

    def resolve(reference: str) -> Fact[str]:
        if "22.04" in reference:
            return NoSuchTag(f"r.example answers 404 for {reference}")
        return DIGEST

    found = plan(manifest_of(case), PlanOptions(), resolve)
    image = "rocm/dev-ubuntu-22.04:6.2.4-complete"
    assert found.base.reference == "rocm/dev-ubuntu-24.04:6.2.4-complete"
    assert told(found) == [f"there is no tag {image}: r.example answers 404 for {image}"]


@pytest.mark.parametrize("status", [401, 503])
def test_of_a_version_that_nobody_was_asked_about_a_note_says_so(status: int) -> None:
    found = planned(of("3.11.99"), otherwise=status)
    assert found.base.pinned == "python:3.11.99-slim-trixie"
    assert isinstance(found.base.digest, Unknown)
    (note,) = found.notes
    assert note == (
        f"Nobody knows whether there is an image python:3.11.99-slim-trixie: {NEWER}, and its "
        f"registry was not heard ({found.base.digest.detail})"
    )
    assert planned(of("3.11.99"), "python:3.11.99-slim-trixie").notes == ()
    assert planned(of("3.9.18"), otherwise=status).notes == ()


def test_nothing_is_said_of_an_image_that_nothing_starts_from() -> None:
    nobody = Unknown(Reason.NOT_ASKED, "nothing that is written starts from it")
    found = plan(manifest_of(of("3.11.99")), PlanOptions(), lambda _: nobody)
    assert (found.notes, told(found)) == ((), [])
    assert [each.decision for each in found.reasons if "by its tag" in each.decision] == []
    assert SILENT not in cost_of_plan(found, PlanOptions()).besides
    assert SILENT in cost_of_plan(planned(of("3.9.18"), otherwise=503), PlanOptions()).besides


def without(names: Collection[str]) -> set[str]:
    return {each for each in names if not names_base([each])}


def test_the_formats_that_name_a_base_image_are_those_that_start_from_its_archive() -> None:
    assert without(formats()) == {"conda", "repo2docker", "slurm"}
    assert formats().keys() - without(formats()) == {n for n in formats() if starting([n])}
    assert names_base(["slurm", "dockerfile"])
    assert not names_base(["slurm", "conda"])


def test_an_answer_that_is_not_404_is_not_that_a_tag_is_gone() -> None:
    with having(otherwise=503) as resolve:
        assert not is_gone(resolve("python:3.9.18-slim-bookworm"))
    assert not is_gone(resolve("python:3.9.18-slim-bookworm"))
    with having() as resolve:
        assert is_gone(resolve("python:3.9.18-slim-bookworm"))


def test_that_a_tag_is_gone_is_a_value_and_no_word_of_a_sentence() -> None:
    assert is_gone(NoSuchTag("the registry has none"))
    assert not is_gone(Unknown(Reason.NOT_RECORDED, "proxy 10.0.0.1 closed after 404 bytes"))
    assert NoSuchTag("the registry has none").reason is Reason.NOT_RECORDED
