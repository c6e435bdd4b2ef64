"""What each witness of a GPU says, from texts of real systems; no text raises."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import LocalHost, RecordedHost
from envsnap.probes._gpu import _amd, _nvidia, _nvml, _pci, _smi, _visible
from envsnap.sections import MigSlice, Reason, Unknown
from tests.elves import elf, library, note
from tests.loader.test_cache import newer
from tests.probes.gpus import LINUX

if TYPE_CHECKING:
    from pathlib import Path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = (
    "name", "pci_bus_id", "uuid", "compute_capability", "architecture", "cores", "memory_bytes",
    "vbios", "ecc", "mig", "compute_mode", "power_limit_mw", "max_sm_clock_mhz", "slices", "error",
    "max_memory_clock_mhz", "application_sm_clock_mhz", "default_power_limit_mw", "persistence",
    "pcie_generation", "pcie_width", "virtualization", "gsp_firmware", "links",
)  # fmt: skip
DEVICE = st.dictionaries(st.sampled_from(FIELDS), JSON)
ANSWER = st.fixed_dictionaries(
    {},
    optional={
        "driver_version": JSON,
        "cuda_driver_version": JSON,
        "count": JSON,
        "devices": JSON | st.lists(DEVICE),
        "ended": JSON,
        "topology": JSON | st.lists(st.lists(JSON | st.integers(0, 2), min_size=4, max_size=4)),
    },
)


GCC = "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n"
CLOSED = "NVRM version: NVIDIA UNIX {} Kernel Module  {}\n" + GCC
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for {}  {}\n" + GCC


@pytest.mark.parametrize(
    ("text", "version", "flavour"),
    [
        (CLOSED.format("x86_64", "390.48  Thu Mar 22 00:42:57 PDT 2018"), "390.48", "proprietary"),
        (
            CLOSED.format("x86_64", "535.104.05  Sat Aug 19 01:15:15 UTC 2023"),
            "535.104.05",
            "proprietary",
        ),
        (CLOSED.format("ppc64le", "418.67  Sat Apr  6 03:07:24 CDT 2019"), "418.67", "proprietary"),
        (
            OPEN.format(
                "x86_64", "560.35.03  Release Build  (dvs-builder@U16-I3-B16-4-3)  Fri Aug 16"
            ),
            "560.35.03",
            "open",
        ),
        (
            OPEN.format(
                "aarch64", "540.2.0  Release Build  (buildbrain@mobile-u64-6336)  Tue Nov  7"
            ),
            "540.2.0",
            "open",
        ),
    ],
)
def test_the_modules_version_and_flavour(text: str, version: str, flavour: str) -> None:
    assert _nvidia.parse_proc_version(text) == _nvidia.Module(version, flavour)


@pytest.mark.parametrize("text", ["", "NVRM version:", "NVRM version: Kernel Module", "550.54.15"])
def test_other_text_is_no_module(text: str) -> None:
    assert _nvidia.parse_proc_version(text) is None


def test_a_garbled_proc_file_is_unparsable() -> None:
    host = RecordedHost.made(files={"/proc/driver/nvidia/version": "???"})
    assert _nvidia.kernel_module(host) == Unknown(
        Reason.UNPARSABLE, "/proc/driver/nvidia/version: ???"
    )


def test_where_proc_is_hidden_sysfs_tells_the_version_alone() -> None:
    host = RecordedHost.made(
        files={"/sys/module/nvidia/version": "570.124.06\n"}, absent_below=["/proc"]
    )
    assert _nvidia.kernel_module(host) == _nvidia.Module(
        "570.124.06",
        Unknown(Reason.NOT_SUPPORTED, "/proc/driver/nvidia/version is not shown here"),
    )


def test_without_a_list_of_modules_none_is_known_to_be_absent() -> None:
    host = RecordedHost.made(absent_below=["/"])
    assert _nvidia.kernel_module(host) == Unknown(
        Reason.NOT_SUPPORTED, "/sys shows no version of the module"
    )


def test_unset_firmware_is_left_out_of_a_cards_fields() -> None:
    text = "Model: \t\t Tesla T4\nIRQ:   \t\t 11\nVideo BIOS: \t ??.??.??.??.??\nBus Type: \t PCI\n"
    assert _nvidia.parse_information(text) == {"Model": "Tesla T4", "IRQ": "11", "Bus Type": "PCI"}


LIBRARIES = "/usr/lib/x86_64-linux-gnu"
CACHE = newer((0x0303, b"libcuda.so.1", b"/opt/driver/lib/libcuda.so.1", 0))


def test_the_loaders_cache_leads_to_a_library_in_an_unusual_folder() -> None:
    host = RecordedHost.made(
        files={"/etc/ld.so.cache": CACHE, "/opt/driver/lib/libcuda.so.470.57.02": ""},
        links={"/opt/driver/lib/libcuda.so.1": "libcuda.so.470.57.02"},
        uname=LINUX,
        absent_below=["/"],
    )
    assert _nvidia.library_version(_nvidia.libraries(host)) == "470.57.02"


def test_the_users_library_path_comes_first() -> None:
    host = RecordedHost.made(
        files={
            "/opt/driver/libcuda.so.550.54.15": "",
            f"{LIBRARIES}/libcuda.so.535.104.05": "",
        },
        links={
            "/opt/driver/libcuda.so.1": "libcuda.so.550.54.15",
            f"{LIBRARIES}/libcuda.so.1": "libcuda.so.535.104.05",
        },
        environ={"LD_LIBRARY_PATH": "/opt/nothing;/opt/driver/"},
        absent_below=["/"],
    )
    assert _nvidia.library_version(_nvidia.libraries(host)) == "550.54.15"


def test_two_versions_in_system_folders_are_not_chosen_between() -> None:
    host = RecordedHost.made(
        files={
            "/usr/lib64/libcuda.so.550.54.15": "",
            f"{LIBRARIES}/libcuda.so.535.104.05": "",
        },
        links={
            "/usr/lib64/libcuda.so.1": "libcuda.so.550.54.15",
            f"{LIBRARIES}/libcuda.so.1": "libcuda.so.535.104.05",
        },
        absent_below=["/"],
    )
    assert _nvidia.library_version(_nvidia.libraries(host)) == Unknown(
        Reason.WITNESSES_DISAGREE, "libcuda 535.104.05, 550.54.15"
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ELF is Linux's")
def test_a_real_file_tells_by_its_note_that_it_is_cuda_compat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b'{"CUDA Version":"13.1","Driver":[535,550]}'
    stated = note("NVIDIA Corporation", text)
    raw = elf(soname="libcuda.so.1", sections={".note.cuda.fwd_compatibility": (7, stated)})
    for folder, content in (("forward", raw), ("compat", elf(soname="libcuda.so.1"))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "libcuda.so.590.44.01").write_bytes(content)
        (tmp_path / folder / "libcuda.so.1").symlink_to("libcuda.so.590.44.01")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LD_LIBRARY_PATH", f"forward:{tmp_path}/compat")
    found = _nvidia.libraries(LocalHost())
    assert isinstance(found, tuple)
    real = os.path.realpath(tmp_path)
    assert found[:2] == (
        _nvidia.Library(
            f"{real}/forward/libcuda.so.590.44.01", "590.44.01", is_compat=True, is_found=True,
            is_users=True, note=("13.1", (535, 550)),
        ),
        _nvidia.Library(
            f"{real}/compat/libcuda.so.590.44.01", "590.44.01", is_compat=False, is_found=True,
            is_users=True, note=None,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "whose"),
    [
        ("/usr/local/cuda/compat", "cuda-compat"),
        ("/usr/local/cuda-11.0/compat", "cuda-compat"),
        ("/opt/nvidia/hpc_sdk/Linux_x86_64/24.5/cuda/12.4/compat", "cuda-compat"),
        ("/opt/conda/envs/a/cuda-compat", "cuda-compat"),
        ("/home/ada/compat", "the driver"),
        ("/usr/lib64", "the driver"),
    ],
)
def test_a_library_without_a_note_or_unread_is_known_by_its_folder(folder: str, whose: str) -> None:
    for said in (library(), Unknown(Reason.NO_PERMISSION)):
        host = RecordedHost.made(
            binaries={f"{folder}/libcuda.so.1": said},
            environ={"LD_LIBRARY_PATH": folder},
            absent_below=["/"],
        )
        found = _nvidia.libraries(host)
        assert isinstance(found, tuple)
        assert [each.is_compat for each in found] == [whose == "cuda-compat"]


def test_jetsons_library_name_says_nothing_of_the_driver() -> None:
    assert _nvidia.parse_library_name("/usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1.1") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0000:41:00.0", "0000:41:00.0"),
        ("00000000:C1:00.0", "0000:c1:00.0"),
        ("00010000:3b:00.1", "10000:3b:00.1"),
        ("0000:41:00", None),
        ("virtio0", None),
        ("", None),
    ],
)
def test_an_address_has_one_spelling(text: str, found: str | None) -> None:
    assert _pci.address(text) == found


@pytest.mark.parametrize(
    ("number", "found"),
    [(12040, "12.4"), (13000, "13.0"), (11080, "11.8"), (9020, "9.2"), (0, None), (12041, None)],
)
def test_the_cuda_version_in_nvmls_number(number: int, found: str | None) -> None:
    assert _nvml.cuda_version(number) == found


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", "1g.10gb"),
        ("NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb", "1c.3g.40gb"),
        ("NVIDIA A100-PCIE-40GB MIG 1g.5gb+me", "1g.5gb+me"),
    ],
)
def test_the_profile_in_an_instances_name(name: str, profile: str) -> None:
    answer: dict[str, object] = {"devices": [{"slices": [{"name": name}]}]}
    (shown,) = _nvml.read_answer(answer, identify=False).shown
    assert isinstance(shown.device.slices, tuple)
    assert shown.device.slices[0].profile == profile


@pytest.mark.parametrize(
    ("number", "target"),
    [(90402, "gfx942"), (90010, "gfx90a"), (100300, "gfx1030"), (110001, "gfx1101"), (0, None)],
)
def test_the_target_of_an_amd_gpu(number: int, target: str | None) -> None:
    assert _amd.parse_target(number) == target


def test_a_nodes_place_is_its_pci_address() -> None:
    assert _amd.bus_id({"location_id": 0xC108, "domain": 1}) == "0001:c1:01.0"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("| NVIDIA-SMI 470.57.02    Driver Version: 470.57.02    CUDA Version: 11.4     |", 11040),
        ("| NVIDIA-SMI 418.87.01    Driver Version: 418.87.01    CUDA Version: 10.1     |", 10010),
        ("| NVIDIA-SMI 390.48                 Driver Version: 390.48                    |", None),
        ("| Driver Version: 550.54.15      CUDA Version: N/A      |", None),
    ],
)
def test_the_cuda_version_in_the_banner(text: str, number: int | None) -> None:
    assert _smi.parse_cuda_version(text) == number


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", [0]),
        (" 2 , 0", [2, 0]),
        ("1gpu2,2ampere", [1, 2]),
        ("0,x,1", [0]),
        ("0,-1,1", [0]),
        ("0,1,0", []),
        ("", []),
        ("NoDevFiles", []),
        ("99999999999999999999", [999999999]),
    ],
)
def test_a_list_of_positions_ends_where_cuda_stops_reading(text: str, found: list[int]) -> None:
    assert _visible.parse_positions(text) == found


@given(st.text())
def test_no_text_raises(text: str) -> None:
    _nvidia.parse_proc_version(text)
    _nvidia.parse_information(text)
    _nvidia.parse_library_name(text)
    _smi.parse_cuda_version(text)
    _visible.parse_positions(text)
    for properties in (_amd.parse_properties(text),):
        _amd.read_node(1, {**properties, "simd_count": 4, "vendor_id": 4098})
    address, digits = _pci.address(text), _pci.parse_hex(text)
    rows = _smi.parse_rows(text, 2)
    assert address is None or address == address.lower()
    assert digits is None or int(digits, 16) >= 0
    assert rows is None or all(len(row) == 2 for row in rows)


@given(ANSWER)
def test_no_answer_of_nvml_raises_or_gets_a_nonsense_value_through(
    answer: dict[str, object],
) -> None:
    found = _nvml.read_answer(answer, identify=True)
    assert isinstance(found.driver_version, Unknown) or _nvml.driver_version(found.driver_version)
    for shown in found.shown:
        assert isinstance(shown.device.memory_mib, Unknown) or shown.device.memory_mib > 0


@given(
    st.text() | st.sampled_from(["GPU-1", "MIG-1", "0,1", "1", "GPU-", "MIG-GPU-1/1/0"]),
    st.lists(st.sampled_from(["GPU-1", "GPU-2", "MIG-1"]), max_size=3),
    st.sampled_from([[1, 1], [0, 0]]),
)
def test_whatever_is_named_only_cards_that_are_there_are_visible(
    named: str, uuids: list[str], mode: list[int]
) -> None:
    cards = [
        _visible.Candidate(
            at,
            "NVIDIA A100",
            uuid,
            mode == [1, 1],
            (_nvml.Part(f"MIG-{at}", (1, 0)),),
            (MigSlice(profile="1g.10gb", memory_mib=9856, multiprocessors=14),),
        )
        for at, uuid in enumerate(uuids)
    ]
    visible = _visible.choose(cards, named, "PCI_BUS_ID").visible
    assert isinstance(visible, Unknown) or set(visible) <= set(range(len(cards)))
