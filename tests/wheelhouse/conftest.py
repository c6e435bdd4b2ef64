"""What the tests of this folder share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.wheelhouse.places import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An index, an environment, and a folder for the wheelhouse."""
    from tests.wheelhouse.places import made_place

    with made_place(tmp_path) as found:
        yield found
