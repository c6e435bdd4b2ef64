"""What a rule that found nothing says by that: the name of a rule is the name of a fault."""

from __future__ import annotations

from collections.abc import Mapping

from envsnap.reports._sides import Sides
from envsnap.reports._words import active_packages, known
from envsnap.rules import Checked, Rule
from envsnap.sections import Gpu, Unknown

_HOLDS = {
    "CPU001": "the same microarchitecture", "CPU002": "all instructions are there",
    "CPU003": "as many threads", "CPU004": "as much memory", "CPU005": "the same BLAS",
    "CPU006": "the same kernels", "CPU007": "the same settings of threads",
    "CPU020": "NumPy's baseline is there", "CPU021": "conda's level is there",
    "CUD001": "the same system libraries", "CUD010": "no library twice",
    "CUD011": "no other compiler",
    "DRV001": "the driver is new enough", "DRV002": "its CUDA is new enough",
    "DRV003": "the driver still knows the GPU", "DRV004": "module and libraries agree",
    "DRV005": "the module is loaded", "DRV006": "the same version",
    "DRV007": "the right kernel module", "DRV008": "cuda-compat fits",
    "DRV009": "no cuda-compat is missing inside", "DRV010": "the same platform",
    "DRV011": "the driver knows the GPU already",
    "DRV012": "the driver answers",
    "ENG001": "an engine is there", "ENG002": "containers see the GPU",
    "ENG003": "enough shared memory",
    "ENV001": "the same values", "ENV002": "cuBLAS's workspace is set",
    "ENV003": "no seed is left open", "ENV004": "no switch is left open",
    "ENV005": "the hash seed is set", "ENV006": "XLA's operations are set",
    "ENV010": "nothing is preloaded",
    "FAB001": "the same fabric", "FAB002": "enough memory can be locked",
    "GPU001": "no GPU is missing", "GPU002": "torch lacks no code", "GPU003": "the same kind",
    "GPU004": "the same size", "GPU005": "enough memory", "GPU006": "the same number",
    "GPU007": "no number format is missing", "GPU008": "no GPU idles", "GPU009": "no library "
    "lacks code", "GPU010": "none is hidden", "GPU011": "one model", "GPU012": "no build "
    "without CUDA", "GPU013": "TF32 as there", "GPU014": "the same settings",
    "GPU015": "the same links", "GPU016": "the toolkit knows the GPU", "GPU017": "the same model",
    "GPU018": "the same random numbers", "GPU019": "the GPU computes as it did",
    "GPU020": "the same target",
    "LIB001": "the same copies load", "LIB002": "no library is missing",
    "LIB003": "no copy beside another", "LIB004": "cuDNN's parts agree",
    "LIB005": "no library is too old",
    "PKG001": "none is missing", "PKG002": "the same versions", "PKG003": "the same content",
    "PKG004": "the same builds", "PKG005": "none is extra", "PKG006": "conda's libraries are there",
    "PKG010": "none is shadowed", "PKG011": "none is broken",
    "PKG012": "none is from the defaults channel", "PKG013": "none was edited",
    "PRJ001": "nothing is uncommitted", "PRJ002": "the same commit",
    "PYT001": "the same implementation", "PYT002": "the same minor version",
    "PYT003": "the same patch version", "PYT004": "the same binary interface",
    "PYT005": "the same builder", "PYT006": "the same import hooks", "PYT010": "read in whole",
    "PYT011": "nothing from outside", "PYT012": "no debug build",
    "REQ001": "nothing that the author requires of the machine is missing",
    "REQ002": "its own machine holds it",
    "REQ003": "nothing that the author requires of the environment is missing",
    "REQ004": "the image asks for no more",
    "RUN001": "no run needed more GPU memory", "RUN002": "no run needed more memory",
    "RUN003": "no run ended badly",
    "SYS001": "the same system", "SYS002": "the same architecture",
    "SYS003": "images are of the same architecture", "SYS004": "the C library is new enough",
    "SYS005": "the same C library", "SYS006": "the same distribution", "SYS007": "the same kernel",
    "SYS008": "no symbol of the C library is missing",
    "SYS009": "no symbol of the C++ library is missing", "SYS010": "no other subsystem",
    "SYS011": "the same modules", "SYS012": "no login node", "SYS013": "no other container",
    "SYS014": "an image can be built",
}  # fmt: skip
"""Each of them is true, too, where there was nothing that the rule asks for."""


def holds(rule: Rule) -> str:
    """'an engine is there'; the topic of a rule of which nothing is written down."""
    return _HOLDS.get(rule.code, rule.topic)


def enough(checked: Checked, sides: Sides) -> Mapping[str, str]:
    """What decides most often, in the words of this machine, by family.

    'driver 535.183.01 is new enough', 'torch has code for sm_75'.
    """
    gpu, active = sides.found.section(Gpu), active_packages(sides.wanted)
    if isinstance(gpu, Unknown) or isinstance(gpu.devices, Unknown) or isinstance(active, Unknown):
        return {}
    said: dict[str, str] = {}
    kinds = dict.fromkeys(known(each.compute_capability) for each in gpu.devices)
    if not kinds or "" in kinds or not any(each.name == "torch" for each in active):
        return said
    if (
        _is_fine(checked, "DRV001", "DRV003", "DRV011")
        and gpu.driver
        and not isinstance(gpu.driver, Unknown)
    ):
        said["DRV"] = f"driver {known(gpu.driver.version)} is new enough"
    if _is_fine(checked, "GPU002"):
        names = " and ".join(f"sm_{each.replace('.', '')}" for each in kinds)
        said["GPU"] = f"torch has code for {names}"
    return said


def _is_fine(checked: Checked, *codes: str) -> bool:
    """Whether these rules came to an end and found nothing."""
    found = {each.code for each in checked.report.findings}
    judged = checked.report.judged
    return all(
        code in judged and judged[code].covers(checked.scope) and code not in found
        for code in codes
    )
