"""What a GPU can do: by compute capability, by printed name, by the target code is built for."""

from __future__ import annotations

from envsnap._typing import Literal, NamedTuple
from envsnap.facts._table import Answer, Looked, parse_dotted, table

_CAPABILITY_NUMBERS = 2


class Arch(NamedTuple):
    """One compute capability."""

    compute_capability: str
    architecture: str
    """In lower case: 'turing', 'ampere', ..."""
    sm: str
    first_toolkit: str
    """The first CUDA release that builds code for it."""
    last_toolkit: str | None
    """The last one. None where the newest toolkit of the table still does."""
    last_driver_branch: int | None
    """The last branch that drives it. None where the newest branch of the table still does."""
    tegra: bool
    """Whether it is a Jetson's own: compiled code does not pass between it and other GPUs."""
    first_driver_branch: int | None
    """The first branch that drives it. None where no source tells it, and for a Jetson's own."""


class Features(NamedTuple):
    """Number formats that the tensor cores compute in."""

    tf32: bool
    bf16: bool
    fp8: bool
    fp4: bool


class Device(NamedTuple):
    """A card, by the name its driver prints."""

    name: str
    compute_capability: str
    memory_gb: int | None
    """The nominal size. None where no source says it."""


class Target(NamedTuple):
    """What GPU code is built for."""

    sm: str
    compute_capability: str
    scope: Literal["onwards", "family", "exact"]
    """'onwards': this and later minors of the major; 'family' (suffix f); 'exact' (suffix a)."""
    first_toolkit: str


def by_capability(compute_capability: str) -> Answer[Arch]:
    """Give what is known of a compute capability such as '8.9'."""
    facts = table("gpu_arch")
    what = f"Compute capability {compute_capability}"
    rows = facts.rows("arch")
    for row in rows:
        if row["compute_capability"] == compute_capability:
            fields = {name: row[name] for name in Arch._fields}
            fields["architecture"] = row["architecture"].lower()
            return facts.looked(Arch(**fields), row)
    asked = parse_dotted(compute_capability) or ()
    newest = parse_dotted(rows[-1]["compute_capability"]) or ()
    if len(asked) == _CAPABILITY_NUMBERS and asked > newest:
        return facts.newer(what)
    return facts.missing(what)


def oldest(cuda: str) -> Answer[Arch]:
    """Give the lowest compute capability that a CUDA version ('12', '12.4') makes code for.

    >>> from envsnap.facts import gpu_arch
    >>> gpu_arch.oldest("13.0").value.compute_capability
    '7.5'
    """
    facts = table("gpu_arch")
    asked = parse_dotted(cuda) or ()
    for row in facts.rows("arch"):
        last = parse_dotted(row["last_toolkit"] or "") or ()
        if not last or last[: len(asked)] >= asked[: len(last)]:
            return facts.looked(Arch(**{name: row[name] for name in Arch._fields}), row)
    return facts.missing(f"GPUs of CUDA {cuda}")


def features(compute_capability: str) -> Answer[Features]:
    """Give the number formats of a compute capability.

    >>> from envsnap.facts import gpu_arch
    >>> gpu_arch.features("7.5").value.bf16
    False
    """
    facts = table("gpu_arch")
    arch = by_capability(compute_capability)
    for row in facts.rows("arch"):
        if row["compute_capability"] == compute_capability and row["features"] is not None:
            return facts.looked(
                Features(**row["features"]), row, confidence=row["feature_confidence"]
            )
    if not isinstance(arch, Looked):
        return arch
    return facts.missing(f"Number formats of compute capability {compute_capability}")


def by_name(name: str) -> Answer[Device]:
    """Give the card of a printed name, with or without the prefix 'NVIDIA '.

    Older drivers print the same card without the prefix, so it tells nothing of the card.
    """
    facts = table("gpu_arch")
    bare = name.strip().removeprefix("NVIDIA ")
    for row in facts.rows("device_name"):
        if row["name"].removeprefix("NVIDIA ") == bare:
            device = Device(row["name"], row["compute_capability"], row["memory_gb_nominal"])
            return facts.looked(device, row)
    return facts.missing(f"GPU {name!r}")


def capabilities_of(beginning: str) -> tuple[str, ...]:
    """Give the compute capabilities of all cards whose printed names begin so, sorted.

    >>> from envsnap.facts import gpu_arch
    >>> gpu_arch.capabilities_of("Tesla V100-SXM2")
    ('7.0',)
    """
    bare = beginning.strip().removeprefix("NVIDIA ")
    rows = table("gpu_arch").rows("device_name")
    names = ((row["name"].removeprefix("NVIDIA "), row["compute_capability"]) for row in rows)
    return tuple(sorted({capability for name, capability in names if name.startswith(bare)}))


def by_target(sm: str) -> Answer[Target]:
    """Give what a code target such as 'sm_86', 'sm_90a' or 'sm_100f' runs on."""
    facts = table("gpu_arch")
    for row in facts.rows("arch"):
        if row["sm"] == sm:
            target = Target(sm, row["compute_capability"], "onwards", row["first_toolkit"])
            return facts.looked(target, row)
    for row in facts.rows("arch_variant"):
        if row["sm"] == sm:
            target = Target(sm, row["compute_capability"], row["scope"], row["first_toolkit"])
            return facts.looked(target, row)
    number = sm.removeprefix("sm_").rstrip("af")
    newest = max(int(row["sm"].removeprefix("sm_")) for row in facts.rows("arch"))
    parsed = parse_dotted(number)
    if sm.startswith("sm_") and parsed is not None and parsed > (newest,):
        return facts.newer(f"GPU code target {sm}")
    return facts.missing(f"GPU code target {sm}")
