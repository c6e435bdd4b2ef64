"""Which principles of the field each rule rests on (`facts/principles.json`), by its code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

RESTS_ON: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "CPU001": ("R20",), "CPU002": ("R22",), "CPU003": ("R20",), "CPU004": ("R31",),
    "CPU005": ("R20",), "CPU006": ("R20",), "CPU007": ("R20",), "CPU020": ("R22",),
    "CPU021": ("R22",),
    "CUD001": ("R14", "R28"), "CUD010": ("R12", "R28"), "CUD011": ("R2",),
    "DRV001": ("R2", "R4"), "DRV002": ("R2", "R3"), "DRV003": ("R5",), "DRV004": ("R6",),
    "DRV005": ("R6", "R24"), "DRV006": ("R1",), "DRV007": ("R5",), "DRV008": ("R4",),
    "DRV009": ("R4",), "DRV010": ("R24",), "DRV011": ("R5",),
    "DRV012": ("R24",),
    "ENG001": ("R24", "R30"), "ENG002": ("R30",), "ENG003": ("R31",),
    "ENV001": ("R29",), "ENV002": ("R14",), "ENV003": ("R16",), "ENV004": ("R16",),
    "ENV005": ("R16",), "ENV006": ("R16",), "ENV010": ("R28",),
    "FAB001": ("R19",), "FAB002": ("R31",),
    "GPU001": ("R25", "R30"), "GPU002": ("R7", "R9"), "GPU003": ("R13", "R16"),
    "GPU004": ("R14",), "GPU005": ("R31",), "GPU006": ("R19",), "GPU007": ("R7",),
    "GPU008": ("R34",), "GPU009": ("R3", "R7", "R8", "R9", "R25"), "GPU010": ("R34",),
    "GPU011": ("R26",), "GPU012": ("R9",), "GPU013": ("R17",), "GPU014": ("R18",),
    "GPU015": ("R19",), "GPU016": ("R10",), "GPU017": ("R14",), "GPU018": ("R15",),
    "GPU019": ("R16",), "GPU020": ("R25",),
    "LIB001": ("R28",), "LIB002": ("R28",), "LIB003": ("R28",), "LIB004": ("R12",),
    "LIB005": ("R12",),
    "PKG001": ("R27",), "PKG002": ("R16", "R27"), "PKG003": ("R27",), "PKG004": ("R27",),
    "PKG005": ("R27",), "PKG006": ("R27",), "PKG010": ("R28",), "PKG011": ("R27",),
    "PKG012": ("R27",), "PKG013": ("R27",),
    "PRJ001": ("R34", "R36"), "PRJ002": ("R36",),
    "PYT001": ("R23",), "PYT002": ("R23",), "PYT003": ("R23",), "PYT004": ("R23",),
    "PYT005": ("R23",), "PYT006": ("R28",), "PYT010": ("R34",), "PYT011": ("R28",),
    "PYT012": ("R23",),
    "REQ001": ("R35",), "REQ002": ("R35",), "REQ003": ("R35",), "REQ004": ("R6b",),
    "RUN001": ("R31",), "RUN002": ("R31",), "RUN003": ("R34",),
    "SYS001": ("R32",), "SYS002": ("R32",), "SYS003": ("R32",), "SYS004": ("R21",),
    "SYS005": ("R33",), "SYS006": ("R33",), "SYS007": ("R24",), "SYS008": ("R21",),
    "SYS009": ("R21",), "SYS010": ("R24",), "SYS011": ("R28",), "SYS012": ("R34",),
    "SYS013": ("R21",), "SYS014": ("R32",),
})  # fmt: skip
"""A rule without a line here, or a line without a rule, fails a test."""
