"""A PyTorch environment of an A100, checked on every kind of machine with a GPU under tests/hosts.

What each machine shows is in its expect.json; here is what `check` makes of it.
"""

from __future__ import annotations

import pytest

from envsnap._check import CheckOptions, check
from envsnap.errors import ExitCode
from envsnap.manifest import Manifest
from envsnap.rules import Outcome
from envsnap.sections import Gpu, replace
from tests.checks import recorded
from tests.probes.gpus import ONE, THREE, mig_machine
from tests.probes.gpus import gpu as shown_by
from tests.rules.machines import RUN, judged, machine, missing, told, well

OTHER_SIZE = {"GPU004": "numerics", "GPU018": "numerics"}
OTHER_KIND = {"GPU003": "numerics", **OTHER_SIZE}
SMALLER = {**OTHER_KIND, "GPU005": "degrades"}
NO_BFLOAT16 = {**SMALLER, "GPU007": "degrades", "GPU013": "numerics"}


def on(name: str, **changes: object) -> Manifest:
    """The environment on the machine of that name, as far as its GPUs go."""
    found = recorded(name).section(Gpu)
    assert isinstance(found, Gpu)
    return machine(gpu=replace(found, **changes))


@pytest.mark.parametrize(
    ("name", "exit_code", "expected"),
    [
        ("rocky-a100-mig-named-as-before-driver-470", ExitCode.NO, OTHER_SIZE),
        (
            "rocky-a100-mig-one-named-slice",
            ExitCode.NO,
            {**OTHER_SIZE, "GPU005": "degrades"},
        ),
        ("rocky-a100-slurm-gave-one-of-four", ExitCode.OK, {}),
        ("ubuntu-a100-cuda-compat", ExitCode.OK, {}),
        ("ubuntu-a100-cuda-compat-elsewhere", ExitCode.OK, {}),
        ("ubuntu-rtx3090-cuda-compat", ExitCode.NO, {**SMALLER, "DRV008": "blocks"}),
        ("ubuntu-a100-vgpu-guest", ExitCode.NO, {"GPU005": "degrades"}),
        ("rocky-a100-mig-none-named", ExitCode.NO, OTHER_SIZE),
        ("ubuntu-h100-sxm-two-over-nvswitch", ExitCode.NO, OTHER_KIND),
        ("rocky-h100-pcie", ExitCode.NO, OTHER_KIND),
        ("ubuntu-h200-passed-through", ExitCode.NO, OTHER_KIND),
        ("ubuntu-rtx4090-wsl2-with-memory-checks-off", ExitCode.NO, SMALLER),
        ("ubuntu-t4-healthy", ExitCode.NO, NO_BFLOAT16),
        ("ubuntu-t4-container-given-one-of-two", ExitCode.NO, NO_BFLOAT16),
        ("ubuntu-t4-container-without-its-gpu", ExitCode.NO, {"GPU001": "blocks"}),
        ("ubuntu-t4-broken-nvidia-smi", ExitCode.NO, {"DRV005": "blocks", "GPU001": "blocks"}),
        ("rocky-v100-driver-580", ExitCode.NO, NO_BFLOAT16),
        ("rocky-v100-driver-515", ExitCode.NO, {**NO_BFLOAT16, "DRV001": "blocks"}),
        ("ubuntu-b200-open-module", ExitCode.NO, {**OTHER_KIND, "GPU002": "blocks"}),
        ("ubuntu-mi300x-rocm-one-of-two", ExitCode.NO, {"GPU001": "blocks"}),
        ("rocky-a100-a40-eight-of-two-models", ExitCode.NO, OTHER_KIND),
        (
            "ubuntu-rtx3090-driver-upgraded-not-rebooted",
            ExitCode.NO,
            {"DRV004": "blocks", "GPU001": "blocks"},
        ),
        ("ubuntu-h100-nvml-crashes-over-the-second", ExitCode.NO, {"DRV012": "degrades"}),
        ("ubuntu-h100-nvml-hangs", ExitCode.NO, {"DRV012": "degrades"}),
        ("ubuntu-h100-nvml-lies", ExitCode.CANNOT_TELL, {}),
        ("rocky-a100-nvml-cannot-be-loaded", ExitCode.CANNOT_TELL, {}),
    ],
)
def test_what_check_says_on_a_machine(
    name: str, exit_code: ExitCode, expected: dict[str, str]
) -> None:
    checked = check(machine(), on(name), CheckOptions())
    found = {
        each.code: str(each.outcome)
        for each in checked.report.findings
        if each.outcome is not Outcome.NOTE
    }
    assert (checked.exit_code, found) == (exit_code, expected)


def test_what_hides_a_card_is_said_in_the_finding() -> None:
    checked = check(machine(), on("rocky-a100-slurm-gave-one-of-four"), CheckOptions())
    (said,) = (each.what for each in checked.report.findings if each.code == "GPU010")
    assert said.startswith("3 more on the PCI bus, not shown by NVML (SLURM_JOB_GPUS gives GPU 2;")


def test_a_container_without_its_gpu_is_told_how_it_gets_one() -> None:
    (said,) = well("GPU010", on("ubuntu-t4-container-without-its-gpu")).findings
    assert "NVIDIA_VISIBLE_DEVICES=void" in said.what
    assert said.remedy == "docker run --gpus all, or apptainer exec --nv"
    (of_slurm,) = well("GPU010", on("rocky-a100-slurm-gave-one-of-four")).findings
    assert of_slurm.remedy is None


def test_of_instances_that_nobody_named_one_counts() -> None:
    found = on("rocky-a100-mig-none-named")
    assert told(judged("GPU006", machine(), found)) == []
    assert told(judged("RUN001", machine(run=RUN), found)) == []
    assert told(well("GPU011", found)) == []


def test_which_of_unlike_instances_counts_is_not_guessed() -> None:
    said = "CUDA uses one of the unlike MIG instances; name it with CUDA_VISIBLE_DEVICES"
    why = f"not-supported: {said}"
    found = machine(gpu=shown_by(mig_machine(ONE, THREE)))
    for code in ("GPU006", "RUN001"):
        assert missing(judged(code, machine(run=RUN), found)) == [("found gpu.visible", why)]
    assert missing(well("GPU011", found)) == [("gpu.visible", why)]


def test_a_machine_compared_with_itself_differs_in_nothing() -> None:
    for name in ("ubuntu-h100-nvml-crashes-over-the-second", "ubuntu-mi300x-rocm-one-of-two"):
        checked = check(on(name), on(name), CheckOptions())
        notes = {each.code for each in checked.report.findings}
        assert notes <= {"DRV012", "GPU010"}, name
