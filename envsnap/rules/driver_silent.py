"""DRV012: a driver that gives no answer."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Open, Said, Side, health, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import XID
from envsnap.sections import Gpu, Reason, Unknown

_SILENT = frozenset({Reason.TIMED_OUT, Reason.CRASHED})
_NVML = "NVML: "


@health("DRV012", scope=Scope.BOTH, worst=Outcome.DEGRADES, reads=(Gpu,), source=XID)
def no_answer(side: Side) -> Iterator[Said | Open]:
    """The driver or a GPU hangs or fails: what asks it waits, or ends, too.

    NVML, NVIDIA's own library to look at GPUs, was asked in a process of its own and gave no
    answer in time, or brought that process down. It is a limit and no stop: other GPUs of the
    machine may still work.
    """
    devices = side.need(Gpu).devices
    if isinstance(devices, Unknown) and _is_silent(devices):
        yield _said(devices.detail or "", "")
        return
    visible = side.need(Gpu).visible
    silent, cards = [], 0
    for index, each in enumerate(need(devices, side.path("gpu.devices"))):
        is_seen = isinstance(visible, Unknown) or index in visible  # another's card tells nothing
        if each.vendor != "nvidia" or not is_seen:
            continue
        kind, cards = each.compute_capability, cards + 1
        if isinstance(kind, Unknown) and _is_silent(kind):
            silent.append(kind.detail or "")
        elif isinstance(kind, Unknown):
            yield Open(side.path(f"gpu.devices[{index}].compute_capability"), kind)
    if silent:
        yield _said(silent[0], f", for {len(silent)} of {cards} GPUs")


def _said(detail: str, rest: str) -> Said:
    return Said(
        "driver", Outcome.DEGRADES, f"the driver gave no answer: {detail}{rest}",
        remedy="sudo dmesg | grep -i xid",
    )  # fmt: skip


def _is_silent(fact: Unknown) -> bool:
    return fact.reason in _SILENT and (fact.detail or "").startswith(_NVML)
