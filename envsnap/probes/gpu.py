"""The accelerators: what the PCI bus, the driver's files, NVML and nvidia-smi show, joined.

A machine "has no GPU" only where its PCI bus can be read, shows no GPU vendor's device, and
nothing else speaks of one. Graphics that are part of an Intel processor (always at 00:02.0), or
of an AMD one (by its gfx target), are listed in `pci` and are no GPU to compute on.
"""

from __future__ import annotations

from envsnap.probes._gpu._pci import is_integrated_intel
from envsnap.probes._gpu._seen import Seen, look_around, no_nvidia
from envsnap.probes._registry import Look, probe
from envsnap.sections import Gpu


@probe(Gpu, waits=True)
def probe_gpu(look: Look) -> Gpu:
    """The GPUs of the machine, each witness in its place."""
    seen = look_around(look.host)
    if _is_none(seen):
        return Gpu(
            kind="none",
            platform="none",
            pci=seen.pci,
            driver=None,
            devices=(),
            visible=(),
            hidden=None,
            topology=(),
            rocm=None,
        )
    from envsnap.probes._gpu._told import told_by_all  # most machines have no use for it

    return told_by_all(look, seen)


def _is_none(seen: Seen) -> bool:
    """Whether there is surely no GPU, so that no driver needs to be asked."""
    has_no_card = isinstance(seen.pci, tuple) and all(map(is_integrated_intel, seen.pci))
    return has_no_card and no_nvidia(seen) is True and seen.markers == ()
