"""What the tests of probes share: a machine made by hand, ready to be looked at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from envsnap.host import Host
from envsnap.probes import Look, Options
from envsnap.sections import Reason, Unknown

LookAt = Callable[..., Look]


@pytest.fixture
def look_at() -> LookAt:
    def look(host: Host, *, identify: bool = False) -> Look:
        nobody = Unknown(Reason.NOT_ASKED, "no interpreter in this test")
        return Look(
            host=host,
            options=Options(identify=identify),
            have={},
            environment=lambda: nobody,
        )

    return look
