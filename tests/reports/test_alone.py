"""What no index has is named, with the ways to have it again."""

from __future__ import annotations

from envsnap.reports._alone import alone_words
from envsnap.sections import replace
from tests import made


def test_files_that_no_index_has_are_named_with_the_ways_to_have_them() -> None:
    first, *rest = made.ARTIFACTS
    manifest = made.manifest(artifacts=(replace(first, url=None, how="made"), *rest))
    assert alone_words(manifest) == (
        "1 file is on no index: antlr4-python3-runtime 4.9.3; to make it again needs the "
        "wheelhouse, a pack, or an image that was built with --embed-wheelhouse"
    )


def test_where_every_file_can_be_fetched_nothing_is_said() -> None:
    assert alone_words(made.manifest()) == ""
    assert alone_words(made.manifest().with_lock(None)) == ""
