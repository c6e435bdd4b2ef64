"""A profile made of a manifest: the machine alone, without what names somebody."""

from __future__ import annotations

from envsnap.manifest import Manifest, anonymous
from envsnap.profiles._unknown import NO_ENVIRONMENT
from envsnap.profiles._whole import MACHINE
from envsnap.sections import SECTIONS, Gpu, Reason, Unknown, replace

_OF_ONE_MOMENT = Unknown(Reason.NOT_RECORDED, "a profile is a machine at no moment")
_OF_ONE_CARD = Unknown(Reason.NOT_RECORDED, "a profile is no card of its own")


def made_of(manifest: Manifest) -> Manifest:
    """The manifest's machine; of its environment, its project and its user nothing is left."""
    alone = {name: manifest.sections[name] for name in MACHINE & manifest.sections.keys()}
    machine = anonymous(replace(manifest, sections=alone, extras=()))
    sections: dict[str, object] = {
        name: machine.sections[name] if name in alone else NO_ENVIRONMENT
        for name in SECTIONS
        if name in alone or name not in MACHINE
    }
    sections["moment"] = _OF_ONE_MOMENT
    gpu = machine.section(Gpu)
    if not isinstance(gpu, Unknown) and not isinstance(gpu.devices, Unknown):
        devices = tuple(replace(each, uuid=_OF_ONE_CARD) for each in gpu.devices)
        sections["gpu"] = replace(gpu, devices=devices)
    captured = replace(machine.captured, deep=False, verified=False)
    return replace(machine, captured=captured, sections=sections, requires={}, edited=False)
