"""Our choice of a microarchitecture is archspec's own, for every processor that it knows."""

from __future__ import annotations

import json
import random
from importlib.util import find_spec
from pathlib import Path

import pytest

from envsnap.probes import _archspec
from envsnap.probes._archspec import Match, Witness, match

SPEC = find_spec("archspec")
assert SPEC is not None
assert SPEC.origin is not None
TABLE = json.loads(
    (Path(SPEC.origin).parent / "json/cpu/microarchitectures.json").read_text(encoding="utf-8")
)["microarchitectures"]
FAMILIES = ("x86_64", "aarch64", "ppc64le", "ppc64", "riscv64")


def archspecs_own(monkeypatch: pytest.MonkeyPatch, witness: Witness, system: str) -> Match:
    """Ask archspec itself about a processor that is not here."""
    from archspec.cpu import detect

    partial = detect.partial_uarch(
        name=witness.name,
        vendor=witness.vendor,
        features=set(witness.features),
        generation=witness.generation,
        cpu_part=witness.part,
    )
    monkeypatch.setattr(detect, "_machine", lambda: witness.machine)
    monkeypatch.setattr(detect, "detected_info", lambda: partial)
    monkeypatch.setattr(detect.platform, "system", lambda: system)
    found = detect.host.__wrapped__()
    candidates = detect.compatible_microarchitectures(partial)
    generic = max(
        (each for each in candidates if each.vendor == "generic"),
        key=lambda each: (len(each.ancestors), len(each.features)),
    )
    return Match(found.name, generic.name)


def family_of(name: str) -> str:
    while TABLE[name]["from"]:
        name = TABLE[name]["from"][0]
    return name


def witness_of(name: str) -> Witness:
    row = TABLE[name]
    return Witness(
        machine=family_of(name),
        vendor=row["vendor"],
        features=frozenset(row["features"]),
        part=row.get("cpupart", ""),
        generation=row.get("generation", 0),
        name=name,
    )


KNOWN = sorted(name for name in TABLE if family_of(name) in FAMILIES)


@pytest.mark.parametrize("name", [name for name in KNOWN if TABLE[name]["vendor"] != "Apple"])
def test_every_known_processor_is_named_as_archspec_names_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = witness_of(name)
    assert match(witness) == archspecs_own(monkeypatch, witness, "Linux")


@pytest.mark.parametrize("name", ["m1", "m2", "m3", "m4"])
def test_an_apple_processor_is_known_by_its_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness("aarch64", "Apple", name=name)
    assert match(witness) == archspecs_own(monkeypatch, witness, "Darwin")
    assert match(witness) == Match(name, "aarch64")


def test_processors_with_features_switched_off_are_named_as_archspec_names_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = random.Random(20261121)  # noqa: S311 - a fixed sequence of examples
    for _ in range(400):
        name = dice.choice([each for each in KNOWN if TABLE[each]["vendor"] != "Apple"])
        whole = witness_of(name)
        gone = set(dice.sample(sorted(whole.features), min(len(whole.features), dice.randrange(4))))
        witness = whole._replace(features=whole.features - gone)
        assert match(witness) == archspecs_own(monkeypatch, witness, "Linux"), witness


def test_a_family_that_the_table_lacks_has_no_name() -> None:
    assert match(Witness("s390x")) is None


def test_a_vendor_that_nobody_knows_gets_the_generic_level() -> None:
    features = frozenset(TABLE["x86_64_v3"]["features"])
    assert match(Witness("x86_64", "HygonGenuine", features)) == Match("x86_64_v3", "x86_64_v3")


@pytest.mark.parametrize(("code", "vendor"), [("0x41", "ARM"), ("0xc0", "Ampere"), ("0xff", None)])
def test_an_implementer_code_names_the_company(code: str, vendor: str | None) -> None:
    assert _archspec.arm_vendor(code) == vendor


def test_the_flags_of_macos_get_their_names_on_linux() -> None:
    found = _archspec.darwin_features("FPU SSE4.1 AVX1.0 BMI1")
    assert {"sse4_1", "avx", "bmi1"} <= found


def test_archspec_is_asked_for_its_data_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHSPEC_CPU_DIR", str(tmp_path))
    for cached in (_archspec._document, _archspec._targets):  # noqa: SLF001 - read again
        cached.cache_clear()
    assert match(Witness("x86_64")) == Match("x86_64", "x86_64")
