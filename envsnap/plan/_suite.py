"""Which release of a distribution a base image is, and from which day its packages come."""

from __future__ import annotations

import re
from datetime import date, datetime

from envsnap import facts
from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import ngc_images, system_packages
from envsnap.plan import _safe
from envsnap.plan._floor import DEBIAN, UBUNTU
from envsnap.plan._model import BaseImage, Why

_NUMBERS = {**{f"debian{v}": k for k, v in DEBIAN.items()},
            **{f"ubuntu{v}": k for k, v in UBUNTU.items()}}  # fmt: skip
_OF_NUMBER = {"debian": "debian", "ubuntu": "ubuntu", "buildpack-deps": "ubuntu"}
"""Repositories whose tags are a release's number."""
_RPM = re.compile(r"ubi\d|rockylinux|centos|fedora|almalinux|redhat|oraclelinux|amazonlinux|amzn")
_NGC = re.compile(r"nvcr\.io/nvidia/pytorch\Z")
_FORMS = ("%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d", "%Y%m%d")
_STAMP = "%Y%m%dT%H%M%SZ"
_FIRST = {"ubuntu": date(2023, 3, 1), "debian": date(2005, 3, 12)}
"""Since when the archives keep their history."""
_DEBIAN_FIRST = {"bullseye": date(2021, 8, 14), "bookworm": date(2023, 6, 10),
                 "trixie": date(2025, 8, 9)}  # fmt: skip
_EXAMPLE = "Give a day such as: --snapshot 2026-01-31"


class Ground(NamedTuple):
    """What system packages are installed onto."""

    suite: str | None
    """The release's code name; None where it is not known, or none of Debian's or Ubuntu's."""
    kind: str
    """apt, rpm, musl, or unknown."""
    what: str
    """As a sentence names it: 'Debian bookworm', 'an image of the rpm family'."""


def ground_of(base: BaseImage) -> Ground:
    """The release that an image's own name tells of: nothing is started to ask it."""
    tag, name = base.tag or "", base.repository.rpartition("/")[2]
    release = release_of(base)
    if release is not None:
        what = f"{'Debian' if release in DEBIAN else 'Ubuntu'} {release}"
        return Ground(release if release in system_packages.suites() else None, "apt", what)
    if "alpine" in tag or name == "alpine":
        return Ground(None, "musl", "an image of Alpine Linux")
    if _RPM.search(f"{name}:{tag}"):
        return Ground(None, "rpm", "an image of the rpm family")
    return Ground(None, "unknown", "an image whose distribution its name does not tell")


def release_of(base: BaseImage) -> str | None:
    """The release's code name, as the tag says it: in words, or in a number."""
    repository, words = base.repository, re.split(r"[-_]", base.tag or "")
    family = _OF_NUMBER.get(repository.rpartition("/")[2])
    if family is not None:
        words.append(f"{family}{words[0]}")
    if _NGC.search(repository):
        found = ngc_images.release(words[0])
        words.append(f"ubuntu{found.value.ubuntu}" if isinstance(found, facts.Looked) else "")
    known = (_NUMBERS.get(word, word) for word in words)
    return next((each for each in known if each in DEBIAN or each in UBUNTU), None)


def snapshot_of(said: str, ground: Ground) -> tuple[str, Why]:
    """The state of the archive that a day names, as archives spell it: '20260101T000000Z'.

    Raises:
        PlanError: It is no day, or the release has no archive of that day.
    """
    stamp = day_of(said)
    if ground.suite is None:
        raise PlanError(
            f"No snapshot of system packages can be taken in {ground.what}",
            hint="Leave --snapshot out, or name a base image of Debian or Ubuntu: --base-image",
        )
    family = "debian" if ground.suite in DEBIAN else "ubuntu"
    if ground.suite == "focal":
        raise PlanError(
            "Ubuntu focal has no snapshots that its own apt can take: 22.04 is the first",
            hint="Name a newer base image with --base-image, or leave --snapshot out",
        )
    first = max(_FIRST[family], _DEBIAN_FIRST.get(ground.suite, _FIRST[family]))
    if stamp.date() < first:
        raise PlanError(
            f"There is no snapshot of {ground.what} of {stamp:%Y-%m-%d}: {first} is the first",
            hint=_EXAMPLE,
        )
    return f"{stamp:{_STAMP}}", Why(
        f"system packages are those of {stamp:%Y-%m-%d}",
        "it was asked for: what an archive has changes, its snapshots do not", "--snapshot",
    )  # fmt: skip


def day_of(said: str) -> datetime:
    """The day that `--snapshot` names.

    Raises:
        PlanError: It is none.
    """
    for form in _FORMS:
        try:
            return datetime.strptime(said, form)  # noqa: DTZ007 - UTC, as archives spell it
        except ValueError:  # noqa: PERF203 - the next form
            continue
    raise PlanError(f"Expected a day, not {_safe.shown(said)}, in '--snapshot'", hint=_EXAMPLE)
