"""Which instruction sets NumPy takes on a processor, by its own names for them.

The names and what each stands for: numpy/_core/src/common/npy_cpu_features.c of NumPy 1.20 to 2.5.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from envsnap._typing import NamedTuple

_ENABLES_SINCE = (1, 25)
"""NPY_ENABLE_CPU_FEATURES came with this version."""

_SINGLE = {
    "SSE": "sse", "SSE2": "sse2", "SSE3": "pni", "SSSE3": "ssse3", "SSE41": "sse4_1",
    "SSE42": "sse4_2", "POPCNT": "popcnt", "AVX": "avx", "F16C": "f16c", "XOP": "xop",
    "FMA4": "fma4", "FMA3": "fma", "AVX2": "avx2", "AVX512F": "avx512f", "AVX512CD": "avx512cd",
    "NEON": "asimd", "NEON_FP16": "asimd", "NEON_VFPV4": "asimd", "ASIMD": "asimd",
    "FPHP": "fphp", "ASIMDHP": "asimdhp", "ASIMDDP": "asimddp", "ASIMDFHM": "asimdfhm",
    "SVE": "sve", "VX": "vx", "VXE": "vxe", "VXE2": "vxe2", "LSX": "lsx",
}  # fmt: skip
"""NumPy's name of what the kernel has one word for in /proc/cpuinfo."""

_V2 = "sse sse2 pni ssse3 sse4_1 sse4_2 popcnt cx16 lahf_lm"
_V3 = f"{_V2} avx avx2 f16c fma bmi1 bmi2 abm movbe"
_SKX = "avx512f avx512cd avx512bw avx512dq avx512vl"
_CNL = f"{_SKX} avx512ifma avx512vbmi"
_ICL = f"{_CNL} avx512_vnni avx512_vbmi2 avx512_bitalg avx512_vpopcntdq"
_KNL = "avx512f avx512cd avx512er avx512pf"
_GROUPS = {
    "FMA": "fma avx2",
    "AVX512_KNL": _KNL,
    "AVX512_KNM": f"{_KNL} avx512_4fmaps avx512_4vnniw avx512_vpopcntdq",
    "AVX512_SKX": _SKX,
    "AVX512_CLX": f"{_SKX} avx512_vnni",
    "AVX512_CNL": _CNL,
    "AVX512_ICL": _ICL,
    "AVX512_SPR": f"{_ICL} avx512_fp16",
}
_BY_LEVELS = {
    "X86_V2": _V2,
    "X86_V3": _V3,
    "X86_V4": f"{_V3} {_SKX}",
    "AVX512_ICL": f"{_V3} {_ICL} gfni vaes vpclmulqdq",
    "AVX512_SPR": f"{_V3} {_ICL} gfni vaes vpclmulqdq avx512_fp16 avx512_bf16",
}
"""What the names stand for since NumPy counts in x86's levels (2.4)."""


class Switches(NamedTuple):
    """What the user's environment variables say of NumPy's instruction sets."""

    disable: str = ""
    """NPY_DISABLE_CPU_FEATURES."""
    enable: str | None = None
    """NPY_ENABLE_CPU_FEATURES; None where it is not set."""


def taken(
    dispatch: Sequence[str],
    features: Collection[str],
    version: Sequence[int],
    switches: Switches = Switches(),  # noqa: B008 - it is frozen
) -> tuple[str, ...] | None:
    """Those of NumPy's sets that the processor has and the user left on, in NumPy's order.

    None where one of the names is not known here: then nothing is claimed.

    >>> taken(["SSE42", "AVX512_SKX"], {"sse4_2", "avx512f"}, (1, 26))
    ('SSE42',)
    >>> taken(["AVX10"], {"sse4_2"}, (9, 0)) is None
    True
    """
    by_levels = any(name.startswith("X86_V") for name in dispatch)
    stands_for = {**_SINGLE, **_GROUPS, **(_BY_LEVELS if by_levels else {})}
    if not stands_for.keys() >= set(dispatch):
        return None
    found = [name for name in dispatch if set(stands_for[name].split()) <= set(features)]
    off = set(switches.disable.replace(",", " ").split())
    if switches.enable is not None and tuple(version[:2]) >= _ENABLES_SINCE:
        on = set(switches.enable.replace(",", " ").split())
        off = set(dispatch) - on
    return tuple(name for name in found if name not in off)
