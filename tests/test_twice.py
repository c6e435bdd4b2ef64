"""Two builds of one plan, compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from envsnap._twice import Twice, differences, settings
from envsnap.images import Config, Entry, ImageTree

FILE = Entry("file", 3, 0o644, (0, 0), "", "a" * 64, 0)
LINK = Entry("link", 0, 0o777, (0, 0), "b", "", 0)


def tree(**entries: Entry) -> ImageTree:
    found = {f"/{name}": entry for name, entry in entries.items()}
    return ImageTree(entries=found, contents={}, layers=("sha256:" + "0" * 64,) * 2)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (FILE, {"sha256": "b" * 64}, "other content (aaaaaaaaaaaa, then bbbbbbbbbbbb)"),
        (FILE, {"mode": 0o755}, "mode 644, then 755"),
        (FILE, {"owner": (0, 10001)}, "owner 0:0, then 0:10001"),
        (LINK, {"link": "c\n"}, "a link to 'b', then to 'c\\n'"),
        (FILE, {"kind": "folder"}, "a file, then a folder"),
    ],
)
def test_what_differs_of_a_path_is_named(before: Entry, after: dict[str, Any], said: str) -> None:
    second = tree(same=FILE, x=before._replace(**after))
    assert list(differences(tree(same=FILE, x=before), second)) == [f"/x: {said}"]


def test_the_layer_that_brought_a_file_is_no_difference() -> None:
    assert not list(differences(tree(x=FILE), tree(x=FILE._replace(layer=1))))


def test_what_only_one_image_has_is_named_in_the_order_of_paths() -> None:
    found = list(differences(tree(b=FILE, c=FILE), tree(a=FILE, c=FILE)))
    assert found == ["/a: only in the second image", "/b: only in the first image"]


@pytest.mark.parametrize(
    ("twice", "same"),
    [
        (Twice(same_digest=True, differences=(), ignored=None), True),
        (Twice(same_digest=False, differences=(), ignored=None), False),
        (Twice(same_digest=False, differences=(), ignored="it has no such option"), True),
        (Twice(same_digest=False, differences=("/a: x",), ignored="it has none"), False),
    ],
)
def test_files_count_always_and_digests_where_the_builder_can(twice: Twice, *, same: bool) -> None:
    assert twice.is_same is same


CONFIG = Config(
    platform="linux/amd64", created="2026-01-01", labels={"a": "1"}, environ={"PATH": "/bin"},
    user="10001", history=("RUN a", "RUN b"), diff_ids=("sha256:1",),
)  # fmt: skip


def test_what_differs_of_the_settings_is_named_and_times_are_not() -> None:
    other = replace(
        CONFIG, created="2027-01-01", labels={"a": "1", "b": "2"}, environ={"PATH": "/sbin"},
        user="0", history=("RUN a", "RUN c"), diff_ids=("sha256:2",),
    )  # fmt: skip
    assert list(settings(CONFIG, other)) == [
        "labels b: nothing, then '2'",
        "environ PATH: '/bin', then '/sbin'",
        "user: '10001', then '0'",
        "history: 'RUN b', then 'RUN c'",
    ]
    assert not list(settings(CONFIG, replace(CONFIG, created="2027-01-01")))
