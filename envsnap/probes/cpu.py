"""The processor: who made it, what it can do, how many of it there are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._archspec import Match, Witness, arm_vendor, darwin_features, match
from envsnap.probes._registry import Look, probe
from envsnap.probes._texts import not_on, read_text, sysctl, system, whole
from envsnap.probes._topology import Topology, topology
from envsnap.sections import Cpu, Fact, Reason, Unknown

_CPUINFO_BYTES = 8 << 20
_X86 = frozenset({"x86_64", "i686", "i386"})
_POWER = r"POWER(\d+)"
_APPLE = r"Apple M(\d+)"
_FEATURE_KEYS = ("flags", "Features", "features")
_WINDOWS_GROUP = 64
"""Windows tells a program of its own processor group alone, and a group ends here."""

_SYSCTL = (
    "machdep.cpu.brand_string", "machdep.cpu.vendor", "machdep.cpu.features",
    "machdep.cpu.leaf7_features", "machdep.cpu.extfeatures", "hw.packages", "hw.physicalcpu",
    "hw.logicalcpu", "hw.optional.arm",
)  # fmt: skip


class Identity(NamedTuple):
    """What one processor says of itself."""

    vendor: Fact[str]
    model: Fact[str]
    features: Fact[tuple[str, ...]]
    witness: Witness | None
    """What archspec needs; None where that is not known."""


@probe(Cpu)
def probe_cpu(look: Look) -> Cpu:
    """The processor of this machine."""
    host = look.host
    name = system(host)
    if isinstance(name, Unknown):
        return _all_unknown(name)
    if name == "Linux":
        return _linux(host)
    if name == "Darwin":
        found = sysctl(host, _SYSCTL)
        return _all_unknown(found) if isinstance(found, Unknown) else parse_darwin(found)
    return _windows(host) if name == "Windows" else _all_unknown(not_on(name))


def _all_unknown(why: Unknown) -> Cpu:
    return Cpu(
        vendor=why,
        model=why,
        microarchitecture=why,
        generic_level=why,
        features=why,
        sockets=why,
        cores=why,
        threads=why,
    )


def _filled(identity: Identity, counts: Topology, machine: str) -> Cpu:
    unnamed = Unknown(Reason.NOT_SUPPORTED, f"no processor family {machine!r} in archspec")
    found = match(identity.witness) if identity.witness else None
    reason = identity.features if isinstance(identity.features, Unknown) else unnamed
    return Cpu(
        vendor=identity.vendor,
        model=identity.model,
        microarchitecture=found.name if found else reason,
        generic_level=_level(found, machine, reason),
        features=identity.features,
        sockets=counts.sockets,
        cores=counts.cores,
        threads=counts.threads,
    )


def _level(found: Match | None, machine: str, reason: Unknown) -> Fact[str | None]:
    if machine not in _X86:
        return None
    return found.generic if found else reason


def _linux(host: Host) -> Cpu:
    kernel = host.uname()
    machine = "" if isinstance(kernel, Unknown) else kernel.machine
    text = read_text(host, "/proc/cpuinfo", limit=_CPUINFO_BYTES)
    if text is None:
        text = Unknown(Reason.NOT_SUPPORTED, "/proc/cpuinfo is not there")
    counts = topology(host, text if isinstance(text, str) else "")
    if isinstance(text, Unknown):
        return _filled(Identity(text, text, text, None), counts, machine)
    return _filled(parse_cpuinfo(text, machine), counts, machine)


def parse_cpuinfo(text: str, machine: str) -> Identity:
    """The first processor of /proc/cpuinfo, and what stands once for all of them."""
    words = _words(text)
    features = next((words[key] for key in _FEATURE_KEYS if key in words), None)
    silent = Unknown(Reason.NOT_SUPPORTED, f"/proc/cpuinfo does not tell it on {machine or 'this'}")
    known: Fact[tuple[str, ...]] = (
        silent if features is None else tuple(sorted(set(features.split())))
    )
    if machine == "aarch64" or "CPU implementer" in words:
        return _arm(words, known, machine, silent)
    if machine.startswith("ppc64"):
        return _power(words, machine, silent)
    if machine.startswith("riscv"):
        return _riscv(words, machine, silent)
    vendor = words.get("vendor_id")
    witness = None
    if vendor and not isinstance(known, Unknown):
        witness = Witness("x86_64" if machine in _X86 else machine, vendor, frozenset(known))
    return Identity(vendor or silent, _tidy(words.get("model name")) or silent, known, witness)


def _words(text: str) -> dict[str, str]:
    """The fields of the first block and of the last one: ARM and POWER end with common lines."""
    found: dict[str, str] = {}
    start, end = text.split("\n\n", 1)[0], text.rstrip().rpartition("\n\n")[2]
    for line in (start + "\n" + end).splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def _tidy(model: str | None) -> str | None:
    return " ".join(model.split()) if model else None


def _arm(
    words: Mapping[str, str], features: Fact[tuple[str, ...]], machine: str, silent: Unknown
) -> Identity:
    implementer, part = words.get("CPU implementer"), words.get("CPU part", "")
    if implementer is None:
        return Identity(silent, silent, features, None)
    vendor = arm_vendor(implementer) or implementer
    model = _tidy(words.get("model name")) or f"{vendor} {part}".strip()
    witness = None
    if not isinstance(features, Unknown):
        witness = Witness(machine, vendor, frozenset(features), part)
    return Identity(vendor, model, features, witness)


def _power(words: Mapping[str, str], machine: str, silent: Unknown) -> Identity:
    spoken = words.get("cpu", "")
    generation = re.search(_POWER, spoken)
    if generation is None or len(generation[1]) > 3:  # noqa: PLR2004 - no such POWER
        return Identity(silent, spoken or silent, silent, None)
    witness = Witness(machine, "IBM", generation=int(generation[1]))
    return Identity("IBM", spoken.partition(",")[0], silent, witness)


def _riscv(words: Mapping[str, str], machine: str, silent: Unknown) -> Identity:
    isa = words.get("isa")
    features = tuple(sorted(set(isa.split("_")))) if isa else None
    spoken = words.get("uarch", "")
    vendor, comma, name = spoken.partition(",")
    target = {"u74-mc": "u74mc", "u74": "u74mc"}.get(name, name or "riscv64")
    return Identity(
        vendor if comma else silent,
        _tidy(words.get("model name")) or spoken or silent,
        features or silent,
        Witness(machine, name=target),
    )


def parse_darwin(words: Mapping[str, str]) -> Cpu:
    """The processor by macOS's sysctl."""
    brand = words.get("machdep.cpu.brand_string", "")
    counts = Topology(
        whole(words.get("hw.packages"), "hw.packages"),
        whole(words.get("hw.physicalcpu"), "hw.physicalcpu"),
        whole(words.get("hw.logicalcpu"), "hw.logicalcpu"),
    )
    silent = Unknown(Reason.NOT_SUPPORTED, "sysctl does not tell it")
    if brand.startswith("Apple"):
        model = re.match(_APPLE, brand)
        prefix = "hw.optional.arm."
        has = (
            key[len(prefix) :] for key, on in words.items() if key.startswith(prefix) and on == "1"
        )
        witness = Witness("aarch64", "Apple", name=f"m{model[1]}") if model else None
        identity = Identity("Apple", brand, tuple(sorted(has)) or silent, witness)
        return _filled(identity, counts, "aarch64")
    spoken = " ".join(
        words.get(f"machdep.cpu.{key}", "") for key in ("features", "leaf7_features", "extfeatures")
    )
    flags = darwin_features(spoken)
    vendor = words.get("machdep.cpu.vendor")
    witness = Witness("x86_64", vendor, flags) if vendor and flags else None
    identity = Identity(
        vendor or silent, _tidy(brand) or silent, tuple(sorted(flags)) or silent, witness
    )
    return _filled(identity, counts, "x86_64")


def _windows(host: Host) -> Cpu:
    """What Windows tells in environment variables; the rest would need its own interfaces."""
    spoken = host.environ("PROCESSOR_IDENTIFIER")
    count = host.environ("NUMBER_OF_PROCESSORS")
    unseen = not_on("Windows")
    model: Fact[str] = spoken or unseen
    vendor: Fact[str] = unseen
    if isinstance(spoken, str) and ", " in spoken:
        plain, _, vendor = spoken.rpartition(", ")
        model = plain
    threads = count if isinstance(count, Unknown) else whole(count, "NUMBER_OF_PROCESSORS")
    if threads == _WINDOWS_GROUP:
        threads = Unknown(Reason.NOT_SUPPORTED, "Windows tells of one processor group alone")
    rest = _all_unknown(unseen)
    return Cpu(
        vendor=vendor,
        model=model,
        microarchitecture=rest.microarchitecture,
        generic_level=rest.generic_level,
        features=rest.features,
        sockets=rest.sockets,
        cores=rest.cores,
        threads=threads,
    )
