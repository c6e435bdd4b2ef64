"""What the tests beside this share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envsnap.host import Ran, RecordedHost, Uname
from envsnap.probes._registry import Look, Options
from envsnap.probes.gpu import probe_gpu
from envsnap.sections import Device, Gpu, Reason, Unknown

LINUX = Uname("Linux", "6.1.0-18-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1", "x86_64")


SYSFS = "/sys/bus/pci/devices"


NVRM = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
    "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
)


LIBCUDA = "/usr/lib/x86_64-linux-gnu"


NO_SUPPORT = {"error": "NVML_ERROR_NOT_SUPPORTED"}


NOT_ASKED = Unknown(Reason.NOT_ASKED, "--identify records it")


def pci(bus_id: str, vendor: str, device: str, kind: str = "0x030200") -> dict[str, str]:
    folder = f"{SYSFS}/{bus_id}"
    return {
        f"{folder}/vendor": f"0x{vendor}\n",
        f"{folder}/device": f"0x{device}\n",
        f"{folder}/class": f"{kind}\n",
    }


BRIDGE = pci("0000:00:00.0", "8086", "1237", "0x060000")


def driver_files(version: str = "550.54.15") -> dict[str, str]:
    return {"/proc/driver/nvidia/version": NVRM.replace("550.54.15", version)}


def libcuda(version: str = "550.54.15") -> dict[str, Any]:
    return {
        "files": {f"{LIBCUDA}/libcuda.so.{version}": ""},
        "links": {f"{LIBCUDA}/libcuda.so.1": f"libcuda.so.{version}"},
    }


def machine(
    files: Mapping[str, str | bytes | Unknown],
    *,
    library: str | None = None,
    **more: Any,  # noqa: ANN401 - what RecordedHost.made takes
) -> RecordedHost:
    extra = libcuda(library) if library else {"files": {}, "links": {}}
    more.setdefault("uname", LINUX)
    links = {**extra["links"], **more.pop("links", {})}
    folders = {"/sys/module": ["kernel"], **more.pop("folders", {})}
    return RecordedHost.made(
        files={**BRIDGE, **extra["files"], **files},
        links=links,
        folders=folders,
        absent_below=["/"],
        **more,
    )


def gpu(host: RecordedHost, *, identify: bool = False) -> Gpu:
    nowhere = Unknown(Reason.NOT_ASKED)
    options = Options(identify=identify)
    return probe_gpu(Look(host=host, options=options, have={}, environment=lambda: nowhere))


def nvml_device(**changed: object) -> dict[str, object]:
    return {
        "name": "NVIDIA A100-SXM4-80GB",
        "pci_bus_id": "00000000:41:00.0",
        "uuid": "GPU-11111111-2222-3333-4444-555555555555",
        "compute_capability": [8, 0],
        "architecture": 7,
        "cores": 6912,
        "memory_bytes": 85899345920,
        "vbios": "92.00.45.00.05",
        "ecc": [1, 1],
        "mig": [0, 0],
        "compute_mode": 0,
        "power_limit_mw": 400000,
        "max_sm_clock_mhz": 1410,
        "slices": [],
        "max_memory_clock_mhz": 1593,
        "application_sm_clock_mhz": 1275,
        "default_power_limit_mw": 400000,
        "persistence": 1,
        "pcie_generation": 4,
        "pcie_width": 16,
        "virtualization": 0,
        "gsp_firmware": NO_SUPPORT,
        "links": [],
        **changed,
    }


def nvml(*devices: Mapping[str, object], **changed: object) -> dict[str, object]:
    return {
        "driver_version": "550.54.15",
        "cuda_driver_version": 12040,
        "count": len(devices),
        "devices": list(devices),
        **changed,
    }


A100 = Device(
    vendor="nvidia",
    name="NVIDIA A100-SXM4-80GB",
    pci_bus_id="0000:41:00.0",
    architecture="ampere",
    compute_capability="8.0",
    multiprocessors=108,
    memory_mib=81920,
    vbios="92.00.45.00.05",
    ecc=True,
    mig=False,
    slices=(),
    compute_mode="default",
    power_limit_w=400,
    max_sm_clock_mhz=1410,
    max_memory_clock_mhz=1593,
    application_sm_clock_mhz=1275,
    default_power_limit_w=400,
    persistence=True,
    pcie_generation=4,
    pcie_width=16,
    nvlinks=0,
    numa_node=None,
    virtualization=None,
    shown_by=("nvml", "pci"),
    uuid=NOT_ASKED,
)


A100_CARD = pci("0000:41:00.0", "10de", "20b2")


NONE = Gpu(
    kind="none", platform="none", pci=(), driver=None, devices=(), visible=(), hidden=None,
    topology=(), rocm=None,
)  # fmt: skip


NO_LIBRARY = Unknown(Reason.TOOL_MISSING, "libnvidia-ml.so.1")


MISMATCH = Unknown(Reason.WITNESSES_DISAGREE, "NVML_ERROR_LIB_RM_VERSION_MISMATCH")


def devices_of(found: Gpu) -> tuple[Device, ...]:
    assert isinstance(found.devices, tuple)
    return found.devices


def two_kinds(**environ: str) -> RecordedHost:
    t4 = nvml_device(name="Tesla T4", pci_bus_id="00000000:05:00.0", uuid="GPU-77777777")
    return machine(
        {**A100_CARD, **pci("0000:05:00.0", "10de", "1eb8")},
        nvml=nvml(nvml_device(), t4),
        environ=environ,
    )


def mig_machine(*slices: Mapping[str, object], **environ: str) -> RecordedHost:
    card = nvml_device(mig=[1, 1], cores=NO_SUPPORT, slices=list(slices))
    return machine(A100_CARD, nvml=nvml(card), environ=environ)


def mig(profile: str, memory: int, multiprocessors: int, uuid: str) -> dict[str, object]:
    return {
        "name": f"NVIDIA A100-SXM4-80GB MIG {profile}",
        "uuid": uuid,
        "memory_mib": memory,
        "multiprocessors": multiprocessors,
    }


ONE = mig("1g.10gb", 9856, 14, "MIG-aaaa")


THREE = mig("3g.40gb", 40448, 42, "MIG-bbbb")


WSL = Uname("Linux", "5.15.146.1-microsoft-standard-WSL2", "#1 SMP", "x86_64")


MICROSOFT = pci("0000:00:08.0", "1414", "008e")


MI300 = (
    "cpu_cores_count 0\nsimd_count 1216\nmem_banks_count 1\ngfx_target_version 90402\n"
    "simd_per_cu 4\nvendor_id 4098\ndevice_id 29857\nlocation_id 1280\ndomain 0\nunique_id 77\n"
)


SMI = "/usr/bin/nvidia-smi"


LONG_QUERY = (
    "--query-gpu=name,pci.bus_id,driver_version,memory.total,uuid,vbios_version,compute_cap,"
    "ecc.mode.current,mig.mode.current,enforced.power.limit"
)


SHORT_QUERY = "--query-gpu=name,pci.bus_id,driver_version,memory.total,uuid,vbios_version"


CSV = "--format=csv,noheader,nounits"


BANNER = (
    "+-----------------------------------------------------------------------------------------+\n"
    "| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |\n"
)


def smi_machine(commands: Mapping[tuple[str, ...], str | Ran | Unknown]) -> RecordedHost:
    return machine(
        {**A100_CARD, SMI: ""}, nvml=NO_LIBRARY, commands=commands, devices=["/dev/nvidia0"]
    )
