"""What came after the tables is not checked, and says up to which day they reach."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from tests import made
from tests.rules.book.gpu import code, on
from tests.rules.book.packages import BASE, having
from tests.rules.book.system import asked_of_cxx
from tests.rules.machines import copy, device, judged, libraries, machine, missing

DATE = "2026-11-21"
NEXT_TORCH = having(made.package("torch", "9.0.0", tags=("cp311-cp311-linux_x86_64",)))
NEXT_CUDA = having(made.package("nvidia-cuda-runtime", "19.0.48"))
NEXT_CUDNN = machine(libraries=libraries(copy(version="99.0.0")))


def without_libraries(manifest: Manifest, **sections: object) -> Manifest:
    return machine(packages=manifest.sections["packages"], **sections)


@pytest.mark.parametrize(
    ("code", "wanted", "found", "what"),
    [
        ("DRV001", NEXT_CUDA, BASE, "CUDA 19"),
        ("DRV001", NEXT_TORCH, BASE, "torch 9.0.0"),
        ("GPU002", NEXT_TORCH, on(device(compute_capability="9.0")), "torch 9.0.0"),
        ("GPU007", BASE, on(device(compute_capability="19.0")), "Compute capability 19.0"),
        ("GPU009", code("sm_190"), BASE, "GPU code target sm_190"),
        ("LIB005", BASE, without_libraries(NEXT_TORCH, libraries=NEXT_CUDNN.sections["libraries"]),
         "torch 9.0.0"),
        ("SYS009", asked_of_cxx(), machine(os=made.linux(distribution_version="99")), "debian 99"),
    ],
)  # fmt: skip
def test_what_is_newer_than_a_table_is_not_checked(
    code: str, wanted: Manifest, found: Manifest, what: str
) -> None:
    told = {reason for _, reason in missing(judged(code, wanted, found))}
    assert told == {f"not-supported: {what} is newer than facts of {DATE}"}
