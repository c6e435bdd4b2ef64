"""The machines that come with envsnap, and those that somebody makes."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from envsnap._check import check
from envsnap.cli import main
from envsnap.errors import UsageError
from envsnap.facts import Looked, gpu_arch, manylinux
from envsnap.manifest import Manifest, decode, document, encode, load, save
from envsnap.profiles import NO_ENVIRONMENT, as_profile, listing, names, title
from envsnap.profiles import load as profile
from envsnap.rules import Scope, Verdict
from envsnap.sections import (
    SECTIONS,
    Cpu,
    Device,
    Driver,
    Gpu,
    Os,
    Reason,
    Unknown,
    fields,
    is_shape,
)
from tests.checks import recorded
from tests.rules.machines import machine

if TYPE_CHECKING:
    from pathlib import Path

A_DOZEN = 12
OF_AN_ENVIRONMENT = (
    "python", "packages", "cuda", "libraries", "gpu_code", "system_libraries", "math", "environ",
    "project", "run",
)  # fmt: skip


def gpu_of(manifest: Manifest) -> Gpu:
    gpu = manifest.section(Gpu)
    assert isinstance(gpu, Gpu)
    return gpu


def driver_of(manifest: Manifest) -> Driver:
    driver = gpu_of(manifest).driver
    assert isinstance(driver, Driver)
    return driver


def devices_of(manifest: Manifest) -> tuple[Device, ...]:
    devices = gpu_of(manifest).devices
    assert isinstance(devices, tuple)
    return devices


def unknown_in(value: object) -> set[Unknown]:
    """Every unknown fact in a value, at any depth."""
    if isinstance(value, Unknown):
        return {value}
    if isinstance(value, tuple):
        return {found for each in value for found in unknown_in(each)}
    if is_shape(value):
        return {found for each in vars(value).values() for found in unknown_in(each)}
    return set()


def test_there_are_more_than_a_dozen() -> None:
    assert len(names()) > A_DOZEN
    assert {"a100-sxm-80gb", "h100-mig-1g.10gb", "t4-cloud", "mi300x", "cpu-laptop"} < set(names())


@pytest.mark.parametrize("name", names())
def test_a_profile_is_a_whole_manifest_that_comes_back_from_its_file(name: str) -> None:
    found = profile(name)
    assert list(found.sections) == list(SECTIONS)
    assert decode(document(found)) == found
    assert decode(json.loads(encode(found))) == found
    assert {found.sections[each] for each in OF_AN_ENVIRONMENT} == {NO_ENVIRONMENT}


@pytest.mark.parametrize("name", names())
def test_what_a_profile_does_not_know_has_a_reason(name: str) -> None:
    found = profile(name)
    reasons = {each for section in found.sections.values() for each in unknown_in(section)}
    assert reasons <= {
        NO_ENVIRONMENT,
        Unknown(Reason.NOT_RECORDED, "not the same on all machines of this profile"),
    }


@pytest.mark.parametrize("name", names())
def test_a_profile_says_who_says_so_and_how_sure_that_is(name: str) -> None:
    text = files("envsnap.profiles").joinpath(f"{name}.json").read_text(encoding="utf-8")
    read = json.loads(text)
    assert sorted(read) == ["date", "machine", "note", "sources", "title"]
    assert read["sources"]
    for source in read["sources"]:
        assert source["title"]
        assert source["what"]
        assert source["confidence"] in {"high", "medium", "low"}
        assert source.get("url", "https://").startswith("https://")
    assert text == json.dumps(read, indent=2, sort_keys=True) + "\n"
    assert title(name) == read["title"]


@pytest.mark.parametrize("name", names())
def test_a_profile_agrees_with_the_tables(name: str) -> None:
    found = profile(name)
    system = found.section(Os)
    assert isinstance(system, Os)
    libc = manylinux.distribution(str(system.distribution), str(system.distribution_version))
    assert isinstance(libc, Looked)
    assert libc.value.libc_version == system.libc_version
    for device in devices_of(found):
        if device.vendor == "nvidia":
            known = gpu_arch.by_name(str(device.name))
            assert isinstance(known, Looked)
            assert known.value.compute_capability == device.compute_capability
            assert driver_of(found).cuda == driver_of(found).cuda_in_effect


@pytest.mark.parametrize("name", names())
def test_a_machine_that_the_wanted_side_can_run_on_says_so_by_name(name: str) -> None:
    """The container's verdict is definite on each of them: it depends on nothing that varies."""
    verdict = check(machine(), profile(name)).report.verdict(Scope.CONTAINER)
    assert verdict is not Verdict.CANNOT_TELL


def test_a_slice_is_what_programs_see_of_its_card() -> None:
    (card,) = devices_of(profile("h100-mig-1g.10gb"))
    assert card.mig is True
    assert isinstance(card.slices, tuple)
    (part,) = card.slices
    assert (part.profile, part.memory_mib, part.multiprocessors) == ("1g.10gb", 9984, 16)


def test_the_same_machine_with_another_driver() -> None:
    usual, other = profile("h100-sxm"), profile("h100-sxm@535.183.01")
    assert driver_of(usual).version == "550.90.07"
    assert (driver_of(other).version, driver_of(other).cuda) == ("535.183.01", "12.2")
    assert (driver_of(other).kernel_module, driver_of(other).library) == ("535.183.01",) * 2
    assert devices_of(other) == devices_of(usual)


def test_a_driver_that_the_tables_do_not_hold_serves_an_unknown_cuda() -> None:
    found = driver_of(profile("h100-sxm@999.10"))
    assert isinstance(found.cuda, Unknown)
    assert str(found.cuda).startswith("not-supported: Driver 999.10 is newer than facts of 20")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("h200-moon", "No file and no profile 'h200-moon'"),
        ("moon@550.54.15", "No file and no profile 'moon'"),
        ("h100-sxm@", "No driver version '' in 'h100-sxm@'"),
        ("h100-sxm@599", "No driver version '599' in 'h100-sxm@599'"),
        ("h100-sxm@55", "No driver version '55' in 'h100-sxm@55'"),
        ("h100-sxm@550.54.15\n", "No driver version '550.54.15\\n' in 'h100-sxm@550.54.15\\n'"),
        ("cpu-laptop@550.54.15", "The profile 'cpu-laptop' has no NVIDIA driver"),
        ("mi300x@550.54.15", "The profile 'mi300x' has no NVIDIA driver"),
    ],
)
def test_what_is_no_profile_is_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        profile(name)
    assert caught.value.message == message


def test_a_name_that_is_nearly_one_is_answered_with_it() -> None:
    with pytest.raises(UsageError) as caught:
        profile("h100sxm")
    assert str(caught.value.hint).startswith("Did you mean h100-sxm or ")
    assert str(caught.value.hint).endswith("List the profiles: envsnap show --profiles")


def test_what_begins_so_is_meant_before_what_is_spelt_alike() -> None:
    with pytest.raises(UsageError) as caught:
        profile("a100-sxm")
    assert caught.value.hint == (
        "Did you mean a100-sxm-40gb or a100-sxm-80gb? List the profiles: envsnap show --profiles"
    )


def test_of_a_driver_branch_the_oldest_that_cuda_names_is_taken() -> None:
    assert driver_of(profile("h100-sxm@525")).version == "525.60.13"
    assert profile("h100-sxm@535") == profile("h100-sxm@535.54.03")


def test_show_lists_them_and_so_does_against_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--profiles"]) == 0
    listed = capsys.readouterr().out
    assert main(["check", "--against", "help"]) == 0
    assert capsys.readouterr().out == listed == listing() + "\n"
    assert len(listed.splitlines()) == len(names()) + 2
    assert "cpu-server           cluster node without a GPU: Rocky 9, Apptainer" in listed


def test_a_shown_profile_is_no_machine_that_was_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["show", "t4-cloud"]) == 0
    assert capsys.readouterr().out.startswith(
        "A profile of 2026-11-21: a kind of machine, none that was looked at\n"
    )


def test_a_profile_of_a_machine_has_nothing_of_its_environment() -> None:
    found = as_profile(machine())
    assert {found.sections[each] for each in OF_AN_ENVIRONMENT} == {NO_ENVIRONMENT}
    for each in (Gpu, Os, Cpu):
        assert found.section(each) is not None
    assert devices_of(found)[0].name == "NVIDIA A100-SXM4-40GB"
    assert (found.lock, dict(found.requires), found.edited) == (None, {}, False)


def test_a_profile_of_a_recorded_machine_names_nobody() -> None:
    for name in ("rocky-a100-slurm-gave-one-of-four", "debian-none-docker"):
        found = as_profile(recorded(name))
        assert isinstance(found.sections["moment"], Unknown)
        assert all(isinstance(each.uuid, Unknown) for each in devices_of(found))
        text = encode(found)
        for word in ("user", "paper", "alice", "job", "account"):
            assert f'/{word}"' not in text
            assert f"/{word}/" not in text
        assert decode(json.loads(text)) == found


def test_a_profile_that_somebody_made_is_a_found_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted, made = f"{tmp_path}/a.json", f"{tmp_path}/made.json"
    save(machine(), wanted)
    assert main(["show", "--as-profile", wanted]) == 0
    with open(made, "w", encoding="utf-8") as file:
        file.write(capsys.readouterr().out)
    assert load(made) == as_profile(machine())
    assert main(["check", wanted, "--against", made]) == 0
    assert "a profile is a machine without an environment" in " ".join(
        capsys.readouterr().out.split()
    )


def test_every_field_that_a_file_gives_is_one_of_its_section() -> None:
    for name in names():
        text = files("envsnap.profiles").joinpath(f"{name}.json").read_text(encoding="utf-8")
        for section, known in json.loads(text)["machine"].items():
            assert set(known) <= {each.name for each in fields(SECTIONS[section])}
