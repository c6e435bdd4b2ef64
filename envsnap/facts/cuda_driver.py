"""Which NVIDIA driver a CUDA version needs, and which CUDA a driver serves."""

from __future__ import annotations

from envsnap._typing import Literal, NamedTuple
from envsnap.facts._table import (
    Answer,
    Dotted,
    NewerThanFacts,
    NotInTable,
    Row,
    Table,
    parse_dotted,
    parse_driver,
    table,
)

System = Literal["linux", "windows"]

_WITH_PATCH = 3


class Floor(NamedTuple):
    """The drivers that a CUDA version asks for. At least one of the two is known."""

    toolkit: str
    """The table's version that answered: '12.4.0' for '12.4', '12.4' or any unlisted patch."""
    exact: str | None
    """The driver the toolkit was released with: all features. None where no table says it."""
    family: str | None
    """The floor by minor-version compatibility. None where the major has none (before 11)."""

    @property
    def lowest(self) -> str:
        """The oldest driver on which programs built with this CUDA still start."""
        known = [driver for driver in (self.exact, self.family) if driver is not None]
        return min(known, key=lambda driver: parse_driver(driver) or ())


class Branch(NamedTuple):
    """A driver branch, as R550."""

    number: int
    kind: str | None
    """'Production', 'LTSB', 'New Feature', ...; None where no source names it."""
    end_of_life: str | None
    """The last month of support, as '2026-06'; None where no source names it."""

    def ended(self, month: str) -> bool | None:
        """Whether support was over in `month` (as '2026-11'); None if no source tells."""
        return None if self.end_of_life is None else month > self.end_of_life


class ForwardCompatibility(NamedTuple):
    """The rule by which a newer libcuda runs over an older kernel driver."""

    since_toolkit: str
    gpus: str
    """The cards it is for."""
    geforce: bool
    """Whether GeForce cards have it."""
    package_pattern: str


class KernelModule(NamedTuple):
    """The GPUs that one flavour of the kernel module drives, by compute capability."""

    flavour: str
    first_compute_capability: str | None
    """None where there is no lower bound."""
    last_compute_capability: str | None
    """None where there is no upper bound."""


def floor(cuda: str, system: System = "linux") -> Answer[Floor]:
    """Give the driver floors of a CUDA version: '12', '12.4', '12.4.1' or '12.4.127'.

    >>> from envsnap.facts import cuda_driver
    >>> cuda_driver.floor("12.4").value.lowest
    '525.60.13'
    """
    facts = table("cuda_driver")
    what = f"CUDA {cuda}" if system == "linux" else f"CUDA {cuda} on Windows"
    asked = parse_dotted(cuda)
    if asked is None:
        return facts.missing(what)
    if asked[:2] > _newest_toolkit(facts):
        return facts.newer(what)
    field = f"{system}_driver_min"
    family = _family(facts, asked[0], field)
    toolkit = _toolkit(facts, asked, field)
    if toolkit is None and (family is None or len(asked) > 1):
        return facts.missing(what)
    used = [row for row in (toolkit, family) if row is not None and row[field] is not None]
    if not used:
        return facts.missing(what)
    return facts.looked(
        Floor(
            toolkit=cuda if toolkit is None else toolkit["toolkit"],
            exact=None if toolkit is None else toolkit[field],
            family=None if family is None else family[field],
        ),
        *used,
    )


def highest_cuda(driver: str, system: System = "linux") -> Answer[str]:
    """Give the newest CUDA version, as '12.4', that a driver serves."""
    facts = table("cuda_driver")
    if system == "windows":
        return _highest_on_windows(facts, driver)
    row = _branch_row(facts, driver)
    if isinstance(row, (NewerThanFacts, NotInTable)):
        return row
    return facts.looked(row["highest_cuda_runtime"], row, confidence=row["highest_cuda_confidence"])


def branch(driver: str) -> Answer[Branch]:
    """Give the branch of a Linux driver: 550.54.15 is of R550."""
    facts = table("cuda_driver")
    row = _branch_row(facts, driver)
    if isinstance(row, (NewerThanFacts, NotInTable)):
        return row
    return facts.looked(Branch(row["branch"], row["branch_type"], row["end_of_life"]), row)


def oldest_of_branch(number: int) -> Answer[str]:
    """Give the oldest Linux driver of a branch that a CUDA release names, as '535.54.03'.

    >>> oldest_of_branch(535).value
    '535.54.03'
    """
    facts = table("cuda_driver")
    named = [
        (parse_driver(row["linux_driver_min"]) or (), row)
        for row in facts.rows("toolkit")
        if row["linux_driver_min"] is not None
    ]
    of_branch = [each for each in named if each[0][:1] == (number,)]
    if not of_branch:
        return facts.missing(f"A driver of branch {number}")
    _, oldest = min(of_branch, key=lambda each: each[0])
    return facts.looked(oldest["linux_driver_min"], oldest)


def last_branch(architecture: str) -> Answer[int]:
    """Give the last driver branch for an architecture that newer branches left behind.

    An architecture that the newest branches still serve is not in the table;
    `gpu_arch.by_capability` tells the two apart.
    """
    facts = table("cuda_driver")
    for row in facts.rows("last_driver_branch_for_arch"):
        if row["architecture"].lower() == architecture.lower():
            return facts.looked(row["last_branch"], row)
    return facts.missing(f"Last driver branch for {architecture}")


def forward_compatibility() -> Answer[ForwardCompatibility]:
    """Give the conditions under which a `cuda-compat` package helps."""
    facts = table("cuda_driver")
    (row,) = facts.rows("forward_compat")
    fields = {name: row[name] for name in ForwardCompatibility._fields}
    return facts.looked(ForwardCompatibility(**fields), row)


def kernel_module(flavour: str) -> Answer[KernelModule]:
    """Give what the open, or the proprietary, kernel module drives.

    >>> kernel_module("open").value.first_compute_capability
    '7.5'
    """
    facts = table("cuda_driver")
    for row in facts.rows("kernel_module"):
        if row["flavour"] == flavour:
            fields = {name: row[name] for name in KernelModule._fields}
            return facts.looked(KernelModule(**fields), row)
    return facts.missing(f"Kernel module {flavour!r}")


def _newest_toolkit(facts: Table) -> Dotted:
    return max((parse_dotted(row["toolkit"]) or ())[:2] for row in facts.rows("toolkit"))


def _family(facts: Table, major: int, field: str) -> Row | None:
    rows = facts.rows("minor_version_compat")
    return next((row for row in rows if row["major"] == major and row[field] is not None), None)


def _toolkit(facts: Table, asked: Dotted, field: str) -> Row | None:
    """Find the row of the asked version, else the oldest of its minor with a known driver.

    The third number of a library's own version (cudart 12.4.127) is a build, not an update of
    the toolkit: only the minor release can be concluded from it.
    """
    if len(asked) == 1:
        return None
    minor = [
        row
        for row in facts.rows("toolkit")
        if (parse_dotted(row["toolkit"]) or ())[:2] == asked[:2]
    ]
    if len(asked) >= _WITH_PATCH:
        for row in minor:
            if parse_dotted(row["toolkit"]) == asked[:_WITH_PATCH]:
                return row
    known = [row for row in minor if row[field] is not None]
    return next(iter(known or minor), None)


def _branch_row(facts: Table, driver: str) -> Row | NewerThanFacts | NotInTable:
    number = (parse_driver(driver) or (0,))[0]
    rows = facts.rows("driver_branch")
    for row in rows:
        if row["branch"] == number:
            return row
    what = f"Driver {driver}"
    return facts.newer(what) if number > rows[-1]["branch"] else facts.missing(what)


def _highest_on_windows(facts: Table, driver: str) -> Answer[str]:
    """Compare with the drivers that the toolkits name: Windows numbers have other branches."""
    found = parse_driver(driver) or ()
    what = f"Driver {driver} on Windows"
    named = [
        (parse_driver(row["windows_driver_min"]) or (), row)
        for row in facts.rows("toolkit")
        if row["windows_driver_min"] is not None
    ]
    # Above the last branch named here the table would answer an older CUDA than is true.
    if found[:1] > max(named, key=lambda pair: pair[0])[0][:1]:
        return facts.missing(what)
    served = [row for floor_, row in named if floor_ <= found]
    if not served:
        return facts.missing(what)
    newest = max(served, key=lambda row: parse_dotted(row["toolkit"]) or ())
    return facts.looked(newest["toolkit"].rpartition(".")[0], newest)
