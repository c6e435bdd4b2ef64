"""What PyTorch's published wheels contain: CUDA, cuDNN, NCCL and the GPU code, by variant.

It holds for the wheels of the package index and of PyTorch's own index, for Linux. Wheels of
conda channels, of NVIDIA's images and of one's own make have the same versions and other code.
"""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.facts._table import Answer, NewerThanFacts, NotInTable, Row, Table, parse_dotted, table

_INDEX = "https://download.pytorch.org/whl/"


class Variant(NamedTuple):
    """One build of one PyTorch release."""

    torch: str
    variant: str
    """'cu124', or 'cpu'."""
    cuda: str | None
    """The CUDA it was built with. None for the CPU build, which has none."""
    cudnn: str | NotInTable | None
    """None for the CPU build; `NotInTable` where no source tells it."""
    nccl: str | NotInTable | None
    """None for the CPU build; `NotInTable` where no source tells it."""
    index_url: str
    """PyTorch's own index of this variant."""


class Code(NamedTuple):
    """The GPU code in a build."""

    arch_list: tuple[str, ...]
    """The binary targets, as 'sm_86'; none in the CPU build."""
    ptx: str | None
    """The PTX target, as 'compute_120'. None where it has none, or none is told."""


class _Build(NamedTuple):
    name: str
    release: Row
    label: str


def variant(version: str, local: str | None = None, *, machine: str = "x86_64") -> Answer[Variant]:
    """Give what a build contains: ('2.5.1', 'cu124'), '2.5.1+cu124', or '2.5.1'.

    Without a local label it is the build that the package index has for Linux on x86_64; what
    it has for another `machine` is not in the table.
    """
    facts = table("torch_cuda")
    build = _build(facts, version, local, machine)
    if not isinstance(build, _Build):
        return build
    if build.label == "cpu":
        cpu = Variant(build.release["torch"], "cpu", None, None, None, f"{_INDEX}cpu")
        return facts.looked(cpu, build.release)
    row = _variant_row(facts, build)
    if row is None:
        return facts.missing(build.name)
    fields = {name: row[name] for name in Variant._fields}
    if not local and "+" not in version and "cudnn_pypi" in row:
        # The index's own metadata is the better witness of the build that the index has.
        fields["cudnn"] = row["cudnn_pypi"]
    for library, title in (("cudnn", "cuDNN"), ("nccl", "NCCL")):
        fields[library] = fields[library] or facts.missing(
            f"{title} of torch {row['torch']}+{row['variant']}"
        )
    return facts.looked(Variant(**fields), row)


def code(version: str, local: str | None = None, *, machine: str = "x86_64") -> Answer[Code]:
    """Give the GPU code of a build, for `machine` x86_64 or aarch64."""
    facts = table("torch_cuda")
    build = _build(facts, version, local, machine)
    if not isinstance(build, _Build):
        return build
    if build.label == "cpu":
        return facts.looked(Code((), None), build.release)
    row = _variant_row(facts, build) if machine == "x86_64" else _arm_row(facts, build, machine)
    if row is None or row["arch_list"] is None:
        what = build.name if machine == "x86_64" else f"{build.name} for {machine}"
        return facts.missing(f"GPU code of {what}")
    value = Code(tuple(row["arch_list"]), row["ptx"])
    return facts.looked(value, row, confidence=row.get("arch_confidence"))


def labels(version: str) -> tuple[str, ...]:
    """Give the labels of a release's builds for CUDA; none of one that the tables do not hold.

    >>> labels("2.3.1")
    ('cu118', 'cu121')
    """
    releases = table("torch_cuda").rows("release")
    release = next((row for row in releases if row["torch"] == version), None)
    return tuple(each for each in release["cuda_variants"] if each != "cpu") if release else ()


def index_of(label: str) -> str | None:
    """Give PyTorch's own index of builds with a local label, as 'cu124'; None where no row has it.

    >>> index_of("cpu"), index_of("cu19")
    ('https://download.pytorch.org/whl/cpu', None)
    """
    if label == "cpu":
        return f"{_INDEX}cpu"
    rows = table("torch_cuda").rows("variant")
    return next((row["index_url"] for row in rows if row["variant"] == label), None)


def _build(
    facts: Table, version: str, local: str | None, machine: str
) -> _Build | NewerThanFacts | NotInTable:
    public, _, label = version.partition("+")
    label = local or label
    name = f"torch {public}+{label}" if label else f"torch {public}"
    releases = facts.rows("release")
    release = next((row for row in releases if row["torch"] == public), None)
    if release is None:
        newer = (parse_dotted(public) or ()) > (parse_dotted(releases[-1]["torch"]) or ())
        return facts.newer(name) if newer else facts.missing(name)
    if not label and machine != "x86_64":
        return facts.missing(f"{name} for {machine}")
    label = label or release["pypi_default_variant"]
    if label not in release["cuda_variants"]:
        return facts.missing(name)
    return _Build(name, release, label)


def _variant_row(facts: Table, build: _Build) -> Row | None:
    asked = (build.release["torch"], build.label)
    rows = facts.rows("variant")
    return next((row for row in rows if (row["torch"], row["variant"]) == asked), None)


def _arm_row(facts: Table, build: _Build, machine: str) -> Row | None:
    if machine != "aarch64":
        return None
    asked = (build.release["torch"].rpartition(".")[0], build.label)
    rows = facts.rows("aarch64")
    return next((row for row in rows if (row["torch_minor"], row["variant"]) == asked), None)
