"""The report of torch.utils.collect_env, of every release, and vLLM's, which goes on from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.imports._cards import (
    LISTED,
    amd_card,
    card,
    chosen,
    driver_of,
    gpu_of,
    is_native,
    mig_of,
    mig_slice,
)
from envsnap.imports._conda import conda_section, record_of
from envsnap.imports._core import NOT_TOLD, Text, Told, blank, reader
from envsnap.imports._listed import listed
from envsnap.imports._systems import cpu_of, os_of, platform_of, python_of
from envsnap.imports._torch import NO_CUDA, capabilities, driver_serves, with_torch
from envsnap.sections import (
    CondaRecord,
    Cuda,
    Device,
    Driver,
    Fact,
    Gpu,
    MigSlice,
    Os,
    Python,
    Unknown,
    replace,
)

_KEYS = (
    "PyTorch version", "Is debug build", "CUDA used to build PyTorch",
    "ROCM used to build PyTorch", "OS", "GCC version", "Clang version", "CMake version",
    "Libc version", "Python version", "Python platform", "Is CUDA available",
    "CUDA runtime version", "CUDA_MODULE_LOADING set to", "GPU models and configuration",
    "Nvidia driver version", "cuDNN version", "Is XPU available", "HIP runtime version",
    "MIOpen runtime version", "Is XNNPACK available", "Caching allocator config",
    "Versions of relevant libraries", "vLLM Version", "CPU", "ROCM Version", "Neuron SDK Version",
)  # fmt: skip
_KEY = re.compile(rf"({'|'.join(map(re.escape, _KEYS))})(?:\s*:[ ]?|[ ](?=\d))(.*)", re.IGNORECASE)
_OWN = frozenset({
    "pytorch version", "cuda used to build pytorch", "rocm used to build pytorch",
    "is cuda available", "cuda runtime version", "gpu models and configuration",
    "nvidia driver version", "python platform",
})  # fmt: skip
"""The words that no other report has."""
_FEWEST = 3
_FIRST = "Collecting environment information"
"""The script's own first line: what follows is its report, however much of it was cut off."""
_LONGEST_VALUE, _LONGEST_LIST = 400, 20_000
_NOTHING = frozenset({"could not collect", "n/a", "no cuda", "none", "", "nothing"})
_PIP = re.compile(
    r"^\[pip\d?\][ \t]+(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)==(?P<version>[\w.+!-]+)[ \t]*$",
    re.MULTILINE,
)
_CONDA = re.compile(
    r"^\[conda\][ \t]+(?P<name>[A-Za-z0-9_][\w.-]*)[ \t]+(?P<version>\d[\w.+!-]*)"
    r"(?:[ \t]+(?P<build>[\w.+<>-]+))?(?:[ \t]+(?P<channel>\S+))?[ \t]*$",
    re.MULTILINE,
)
_LISTED = re.compile(r"^\[(?:pip\d?|conda)\][ \t]+(.*\S)[ \t]*$", re.MULTILINE)
_EDITED = frozenset({"<develop>", "dev_0"})
_GPU = re.compile(r"(?:GPU \d{1,3}: ?)(.*)")
_MIG = re.compile(r"[ \t]*MIG ((?:\d+c\.)?\d+g\.\d+gb[\w.+-]*)[ \t]+Device[ \t]+\d+")
_NVCC = re.compile(r"(?:release )?(\d{1,2}\.\d{1,2}(?:\.\d{1,4})?)\b")
_LSCPU = re.compile(
    r"^[ \t]*(Architecture|CPU\(s\)|Vendor ID|Model name|Core\(s\) per socket|Socket\(s\)|Flags)"
    r":[ \t]+(\S.*)$",
    re.MULTILINE,
)
_WINDOWS_CPU = re.compile(r"^[ \t]*(Name|Manufacturer)[ \t]*[=:][ \t]*(\S.*)$", re.MULTILINE)
_VISIBLE = re.compile(r"^CUDA_VISIBLE_DEVICES=(.*)$", re.MULTILINE)
_VLLM = re.compile(r"(\d+(?:\.\d+)+[\w.+]*)")


class Report(NamedTuple):
    """One report, its fields by their names in lower case."""

    text: str
    fields: Mapping[str, str]
    """What stands behind the colon, with the lines that belong to it."""

    def said(self, name: str) -> str | None:
        """What it says; None where it says that it does not know."""
        value = self.fields.get(name, "").strip()
        return None if value.lower() in _NOTHING else value

    def line(self, name: str) -> str | None:
        """The first line of what it says."""
        return (self.said(name) or "").partition("\n")[0].strip() or None


@reader("torch.utils.collect_env")
def read_collect_env(text: Text) -> Told | None:
    """What PyTorch's script, or vLLM's, tells of an environment."""
    report = parse_report(text.text)
    if report is None:
        return None
    platform = platform_of(report.line("python platform") or "")
    python = python_of(report.said("python version") or "", platform)
    system = os_of(platform, name=report.line("os"), libc=report.line("libc version"),
                   python=python)  # fmt: skip
    machine = _machine(system, python)
    is_vllm = "vLLM" in text.text and "vllm version" in report.fields
    sections = {
        "python": python,
        "os": system,
        "cpu": _cpu(report),
        "gpu": _gpu(report, system),
        "cuda": blank(Cuda, nvcc=_nvcc(report)),
        **_packages(report, machine),
    }
    form = "vLLM's collect_env" if is_vllm else "torch.utils.collect_env"
    return Told(form, sections, tuple(_not_read(report.text)))


def parse_report(text: str) -> Report | None:
    """The fields of a report, as much of it as is there; None for other text."""
    fields: dict[str, str] = {}
    name = None
    for line in text.split("\n"):
        match = _KEY.match(line.strip())
        if match is not None:
            name = match[1].lower()
            if name in fields:
                name = None
            else:
                fields[name] = match[2].strip()
        elif name is not None and (line.strip() or name != "python version"):
            # A list goes on until a blank line; a version goes on where its bracket is open.
            held = fields[name]
            is_open = len(held) < _LONGEST_VALUE and held.count("[") > held.count("]")
            is_list = name in {"gpu models and configuration", "cudnn version", "cpu"}
            if is_list and len(held) < _LONGEST_LIST and (line.strip() or not held):
                fields[name] = f"{held}\n{line.rstrip()}".strip("\n")
            elif is_open:
                fields[name] = f"{held} {line.strip()}"
            else:
                name = None
    fewest = 1 if _FIRST in text else _FEWEST
    return Report(text, fields) if len(_OWN & fields.keys()) >= fewest else None


def _packages(report: Report, machine: Fact[str]) -> dict[str, object]:
    """What it lists of what is installed: the packages that its authors find relevant."""
    pip = [listed(each["name"], each["version"]) for each in _PIP.finditer(report.text)]
    version, vllm = report.line("pytorch version"), report.line("vllm version")
    records = list(_records(report.text))
    if any(each.name.startswith("pytorch") for each in records):
        found = pip  # conda's build says itself which one it is
    else:
        found = with_torch(
            pip, version, report.line("cuda used to build pytorch"), machine=machine
        )  # fmt: skip
    known = {each.name for each in found}
    if vllm and "vllm" not in known and (match := _VLLM.match(vllm)):
        found.append(listed("vllm", match[1]))
    if not found and not records:
        return {}
    sections = conda_section(records, found, is_whole=False)
    return {"packages": sections["packages"]}


def _records(text: str) -> Iterator[CondaRecord]:
    for each in _CONDA.finditer(text):
        if each["build"] not in _EDITED and each["channel"] not in _EDITED:
            yield record_of(
                each["name"], each["version"], each["build"], channel=each["channel"]
            )  # fmt: skip


def _cpu(report: Report) -> object:
    words = dict(_LSCPU.findall(report.text))
    lines = [line for line in report.text.split("\n") if line.strip()]
    if lines and lines[-1].strip().startswith("Flags:"):
        words.pop("Flags", None)  # the text may end within them
    block = report.fields.get("cpu", "")
    words |= {name: value for name, value in _WINDOWS_CPU.findall(block) if name not in words}
    first = block.strip().partition("\n")[0]
    if not words and first and ":" not in first and "=" not in first:
        words["Model name"] = first  # as macOS tells it
    return cpu_of(words)


def _nvcc(report: Report) -> Fact[str | None]:
    """The compiler on PATH, which the report calls the run time."""
    said = _NVCC.match(report.line("cuda runtime version") or "")
    return said[1] if said else NOT_TOLD


def _machine(system: Os | Unknown, python: Python | Unknown) -> Fact[str]:
    """The machine that the packages are for, by the name that they have for it."""
    if not isinstance(python, Unknown) and python.architecture == "AMD64":
        return "x86_64"
    return NOT_TOLD if isinstance(system, Unknown) else system.architecture


def _gpu(report: Report, system: Os | Unknown) -> Gpu | Unknown:
    place = _place(report, system)
    version = None if place == "mac" else report.line("nvidia driver version")
    is_windows = isinstance(system, Os) and system.system == "Windows"
    driver = driver_of(
        version, driver_serves(report.text), platform=place,
        system="windows" if is_windows else "linux",
    )  # fmt: skip
    is_seen = (report.line("is cuda available") or "").lower() in {"true", "yes"}
    if is_seen and isinstance(driver, Driver) and isinstance(driver.kernel_module, str):
        # CUDA has started: its library is of the loaded module's version.
        driver = replace(driver, library=driver.version)
    devices = tuple(_devices(report, is_seen=is_seen))
    if not devices and isinstance(driver, Unknown) and isinstance(place, Unknown):
        return NOT_TOLD
    gpu = gpu_of(devices or NOT_TOLD, driver, platform=place,
                 visible=_visible(report, len(devices), is_seen=is_seen))  # fmt: skip
    is_lost = bool(devices) and _finds_none(report, is_seen=is_seen)
    return replace(gpu, visible=(), hidden=NO_CUDA) if is_lost else gpu


def _place(report: Report, system: Os | Unknown) -> Fact[str]:
    """How GPUs are reached: on a plain Linux or Windows a card that a driver shows is on PCI."""
    if isinstance(system, Unknown):
        return NOT_TOLD
    version = report.line("nvidia driver version")
    if system.system == "Darwin":
        return "mac"
    if "tegra" in str(system.kernel):
        return "tegra"
    if system.wsl is not None and not isinstance(system.wsl, Unknown):
        return "wsl2"
    is_native_linux = system.wsl is None or (version is not None and is_native(version))
    is_shown = version or report.said("gpu models and configuration")
    return "pci" if is_shown and (system.system == "Windows" or is_native_linux) else NOT_TOLD


def _visible(report: Report, count: int, *, is_seen: bool) -> Fact[tuple[int, ...]] | None:
    named = _VISIBLE.search(report.text)
    if named:
        return chosen(named[1].strip(), count)
    return None if is_seen else LISTED


def _finds_none(report: Report, *, is_seen: bool) -> bool:
    """Whether a PyTorch that computes on GPUs says that there is none for it."""
    return "is cuda available" in report.fields and not is_seen and bool(
        report.line("cuda used to build pytorch") or report.line("rocm used to build pytorch")
    )  # fmt: skip


def _devices(report: Report, *, is_seen: bool) -> Iterator[Device]:
    """The cards that it names, in its order, each with its MIG instances."""
    told = capabilities(report.text)
    slices: list[MigSlice] = []
    held: str | None = None
    for line in [*(report.said("gpu models and configuration") or "").split("\n"), "GPU 0:"]:
        mig, named = _MIG.match(line), _GPU.match(line.strip())
        if mig:
            slices.append(mig_slice(mig[1]))
            continue
        if held:
            yield _device(held, slices, told, is_seen=is_seen)
        held, slices = (named[1] if named else line).strip() or None, []


def _device(
    name: str, slices: list[MigSlice], told: Mapping[str, str], *, is_seen: bool
) -> Device:  # fmt: skip
    other = amd_card(name)
    if other is not None:
        return other
    mig = True if slices else mig_of(name, is_off=is_seen)
    parts: Fact[tuple[MigSlice, ...]] = tuple(slices) if slices or not mig else NOT_TOLD
    if isinstance(mig, Unknown) and not slices:
        parts = NOT_TOLD
    found = card(name, mig=mig, slices=parts)
    if isinstance(found.compute_capability, Unknown) and name in told:
        found = replace(found, compute_capability=told[name])
    return found


def _not_read(text: str) -> Iterator[str]:
    """The lines of its lists that are no package, those that say that there is none aside."""
    for each in _LISTED.finditer(text):
        line = each[0].strip()
        is_empty = each[1].lower() in {"could not collect", "no relevant packages"}
        if not is_empty and not _PIP.match(line) and not _CONDA.match(line):
            yield line
