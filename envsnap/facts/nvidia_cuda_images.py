"""Which tags of the image nvidia/cuda there are, and which are gone."""

from __future__ import annotations

import re

from envsnap._typing import Literal, NamedTuple
from envsnap.facts._table import Answer, Dotted, Looked, Row, Table, parse_dotted, table

Flavour = Literal["base", "runtime", "devel"]
State = Literal["listed", "unsupported", "seen", "gone"]

_PARTS = 3
_WITHOUT_PATCH = re.compile(r"((\d+)\.\d+)(-.+)\Z")
_PATCHED_SINCE = 11
"""The first CUDA whose tags all name the patch."""
_BEST_FIRST: tuple[State, ...] = ("listed", "seen", "unsupported")


class Tag(NamedTuple):
    """A tag of nvidia/cuda, taken apart."""

    cuda: str
    cudnn: str | None
    """The part that names cuDNN: 'cudnn', 'cudnn8', 'cudnn9'. None for a tag without."""
    flavour: Flavour
    distro: str
    """As the tag spells it: 'ubuntu22.04', 'rockylinux9'."""
    state: State
    """'listed': offered; 'unsupported': may be deleted any day; 'seen': somebody used it;
    'gone': no list has it, or none has it any more."""

    @property
    def name(self) -> str:
        """The tag as it stands behind the colon."""
        return "-".join(filter(None, (self.cuda, self.cudnn, self.flavour, self.distro)))

    @property
    def alive(self) -> bool | None:
        """Whether the tag can be pulled; None if the lists cannot tell."""
        return {"listed": True, "gone": False}.get(self.state)


def by_tag(name: str) -> Answer[Tag]:
    """Give the state of a tag such as '12.8.1-cudnn-devel-ubuntu24.04'."""
    facts = table("nvidia_cuda_images")
    what = f"Image nvidia/cuda:{name}"
    cuda, *middle, distro = name.split("-") if name.count("-") > 1 else (name, "")
    if not middle or middle[-1] not in ("base", "runtime", "devel"):
        return facts.missing(what)
    flavour: Flavour = middle.pop()  # type: ignore[assignment]  # just compared with all three
    cudnn = "-".join(middle) or None
    for row in facts.rows("tags"):
        same = (row["cuda"], row["cudnn"], row["flavour"]) == (cuda, cudnn or "", flavour)
        if same and distro in row["distros"]:
            return facts.looked(Tag(cuda, cudnn, flavour, distro, row["status"]), row)
    gone = _release(facts, "gone", cuda) or _release(facts, "cuda_release", cuda)
    # Tags with TensorRT are not collected, so their absence tells nothing.
    collected = cudnn is None or cudnn.startswith("cudnn")
    if gone is not None and gone.get("complete", True) and collected:
        return facts.looked(Tag(cuda, cudnn, flavour, distro, "gone"), gone)
    asked = parse_dotted(cuda) or ()
    return facts.newer(what) if asked > _newest(facts) else facts.missing(what)


class Dead(NamedTuple):
    """A tag that no list offers."""

    instead: str | None
    """The nearest that is there, by its tag; None where no list has one like it."""
    is_sure: bool
    """Whether the lists are whole for its release, so that no other has it."""


def dead(name: str) -> Dead | None:
    """Give what is known of a tag that cannot be pulled; None for one that may be there.

    >>> dead("11.2.0-devel-ubuntu20.04"), dead("latest")
    (Dead(instead='11.2.2-devel-ubuntu20.04', is_sure=True), Dead(instead=None, is_sure=True))
    >>> dead("12.4.1-devel-ubuntu22.04"), dead("99.0.0-devel-ubuntu22.04")
    (None, None)
    """
    if name == "latest":  # since 2021 there is none
        return Dead(None, is_sure=True)
    short = _WITHOUT_PATCH.match(name)
    if short is not None and int(short[2]) >= _PATCHED_SINCE:
        same = [each.value for each in tags(short[1])]
        alike = [tag for tag in same if tag.name == f"{tag.cuda}{short[3]}"]
        newest = max(alike, key=lambda tag: parse_dotted(tag.cuda) or (), default=None)
        return Dead(None if newest is None else newest.name, is_sure=True)
    found = by_tag(name)
    if not isinstance(found, Looked) or found.value.state != "gone":
        return None
    tag = found.value
    parts = tag.cuda.split(".")
    like = (
        best(".".join(parts[:count]), tag.flavour, tag.distro, cudnn=tag.cudnn is not None)
        for count in (2, 1)
    )
    instead = next((each.value.name for each in like if isinstance(each, Looked)), None)
    return Dead(instead, is_sure=found.confidence == "high")


def best(cuda: str, flavour: Flavour, distro: str, *, cudnn: bool = False) -> Answer[Tag]:
    """Give the tag to build from for a CUDA version: '12.4' answers with its best patch.

    A listed tag is better than an unsupported one, and then the newer patch is.
    """
    facts = table("nvidia_cuda_images")
    kind = f"{'cudnn ' if cudnn else ''}{flavour}"
    what = f"Image nvidia/cuda for CUDA {cuda} ({kind}, {distro})"
    asked = parse_dotted(cuda) or ()
    candidates = [
        row
        for row in facts.rows("tags")
        if (parse_dotted(row["cuda"]) or ())[: len(asked)] == asked
        and row["flavour"] == flavour
        and bool(row["cudnn"]) == cudnn
        and distro in row["distros"]
    ]
    if not asked or not candidates:
        return facts.newer(what) if asked > _newest(facts) else facts.missing(what)
    newest_last = sorted(candidates, key=lambda row: parse_dotted(row["cuda"]) or ())
    row = min(reversed(newest_last), key=lambda row: _BEST_FIRST.index(row["status"]))
    tag = Tag(row["cuda"], row["cudnn"] or None, flavour, distro, row["status"])
    return facts.looked(tag, row)


def cudnn_part(cuda: str) -> Answer[str | None]:
    """Give how the tags of a CUDA version spell cuDNN; None where they have no cuDNN."""
    facts = table("nvidia_cuda_images")
    what = f"cuDNN in the images of CUDA {cuda}"
    rows = [row for row in facts.rows("tags") if row["cuda"] == cuda]
    if not rows:
        asked = parse_dotted(cuda) or ()
        return facts.newer(what) if asked > _newest(facts) else facts.missing(what)
    spelled = [row for row in rows if row["cudnn"]]
    if spelled:
        return facts.looked(spelled[0]["cudnn"], spelled[0])
    release = _release(facts, "cuda_release", cuda)
    if release is None or not release["complete"]:
        return facts.missing(what)
    return facts.looked(None, release)


def _release(facts: Table, kind: str, cuda: str) -> Row | None:
    return next((row for row in facts.rows(kind) if row["cuda"] == cuda), None)


def _newest(facts: Table) -> Dotted:
    return parse_dotted(facts.rows("cuda_release")[-1]["cuda"]) or ()


def tags(cuda: str = "") -> tuple[Looked[Tag], ...]:
    """Give every tag that is not gone of the CUDA versions that begin with this one, or of all.

    >>> {found.value.cuda for found in tags("11.2")}
    {'11.2.2'}
    """
    facts = table("nvidia_cuda_images")
    asked = parse_dotted(cuda) if cuda else ()
    return (
        ()
        if asked is None
        else tuple(
            facts.looked(
                Tag(row["cuda"], row["cudnn"] or None, row["flavour"], distro, row["status"]), row
            )
            for row in facts.rows("tags")
            if (parse_dotted(row["cuda"]) or ())[: len(asked)] == asked
            for distro in row["distros"]
        )
    )


def is_known(cuda: str) -> Answer[bool]:
    """Give whether images of a CUDA version were ever made: False for one that is gone.

    >>> is_known("11.2.2").value, is_known("11.2.0").value, is_known("99.0")
    (True, False, NewerThanFacts(what='Images nvidia/cuda of CUDA 99.0', date='2026-11-21'))
    """
    facts = table("nvidia_cuda_images")
    what = f"Images nvidia/cuda of CUDA {cuda}"
    asked = parse_dotted(cuda) or ()
    for kind, alive in (("cuda_release", True), ("gone", False)):
        for row in facts.rows(kind):
            has = parse_dotted(row["cuda"]) or ()
            if asked and has[: len(asked)] == asked[: len(has)][:_PARTS]:
                return facts.looked(alive, row)
    return facts.newer(what) if asked > _newest(facts) else facts.missing(what)
