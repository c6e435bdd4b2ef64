"""For which GPUs the libraries of the environment hold code."""

from __future__ import annotations

from envsnap.inside.gpu_code import COMPRESSED
from envsnap.probes._deep._elf_files import ElfFile, read_files
from envsnap.probes._registry import Look, probe
from envsnap.sections import CodeFile, Fact, GpuCode, Reason, Unknown

_COMPRESSED = Unknown(Reason.NOT_SUPPORTED, "the code is compressed in a form not read here")


@probe(GpuCode)
def probe_gpu_code(look: Look) -> GpuCode:
    """The targets of every library with GPU code that a package of the environment brought.

    A place that could not be read stands among them, for it can hold some.
    """
    read = read_files(look)
    if isinstance(read, Unknown):
        return GpuCode(files=read)
    anchor = look.anchors.anchor
    found = [
        code_file(each, anchor(each.path))
        for each in read.files
        if each.binary.sass or each.binary.ptx or each.binary.amd
    ]
    found += [
        CodeFile(
            distribution=read.owners.get(path, why),
            location=anchor(path),
            sass=why,
            ptx=why,
            amd=why,
        )
        for path, why in read.unread.items()
    ]
    return GpuCode(files=tuple(sorted(found, key=lambda each: each.location)))


def code_file(file: ElfFile, location: str) -> CodeFile:
    """What one library holds; AMD's targets are unknown where some cannot be read."""
    amd: Fact[tuple[str, ...]] = file.binary.amd
    return CodeFile(
        distribution=file.distribution,
        location=location,
        sass=file.binary.sass,
        ptx=file.binary.ptx,
        amd=_COMPRESSED if COMPRESSED in file.binary.amd else amd,
    )
