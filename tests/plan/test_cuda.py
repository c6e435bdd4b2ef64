"""The evidence that CUDA belongs into the base image, piece by piece."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.errors import PlanError
from envsnap.manifest import Manifest
from envsnap.plan import PlanOptions, plan
from envsnap.plan._cuda import Need, cuda_need
from envsnap.plan._floor import Floor, glibc_floor, numbers
from envsnap.sections import (
    Consumer,
    Cuda,
    CudaLibrary,
    Environ,
    Libraries,
    LibraryCopy,
    Load,
    Packages,
    SystemLibraries,
    SystemLibrary,
)
from tests import made
from tests.base_cases import answering, manifest_of


def needed(manifest: Manifest) -> Need | None:
    packages = manifest.section(Packages)
    assert isinstance(packages, Packages)
    assert isinstance(packages.installed, tuple)
    return cuda_need(manifest, packages.installed, ())[0]


def copy(family: str, name: str, source: str) -> LibraryCopy:
    return LibraryCopy(
        family=family, name=name, source=source, owner=None, version=None, content="0" * 64,
        location=f"/{source}/{name}",
    )  # fmt: skip


def loading(*copies: LibraryCopy) -> Libraries:
    """A machine on which `mine` would load all of these."""
    loads = tuple(
        Load(family=each.family, location=each.location, found_by="default") for each in copies
    )
    consumer = Consumer(distribution="mine", loads=loads, missing=())
    return Libraries(copies=copies, consumers=(consumer,))


def with_system(**sections: object) -> Manifest:
    kit = CudaLibrary(
        family="toolkit", version="12.4.1", source="system", owner=None, location=None
    )
    found = {"cuda": Cuda(libraries=(kit,), nvcc=None), **sections}
    return made.manifest((made.package("mine", "1.0"),), (), unlocked=(), **found)


def test_libraries_that_load_from_the_system_are_part_of_the_base_image() -> None:
    libraries = loading(
        copy("runtime", "libcudart.so.12", "system"), copy("cudnn", "libcudnn.so.9", "system")
    )
    assert needed(with_system(libraries=libraries)) == (
        "runtime", "12.4.1", 9,
        ("CUDA's libraries are part of the base image (libcudart.so.12, libcudnn.so.9)",
         "mine needs them, and no package brings them", "sections.libraries"),
    )  # fmt: skip


def test_a_system_library_that_goes_before_a_wheels_own_is_no_need() -> None:
    libraries = loading(
        copy("runtime", "libcudart.so.12", "system"), copy("runtime", "libcudart.so.12", "pip")
    )
    assert needed(with_system(libraries=libraries)) is None


def test_the_drivers_library_is_no_need() -> None:
    libraries = loading(copy("driver", "libcuda.so.1", "system"))
    assert needed(with_system(libraries=libraries)) is None


def test_of_two_toolkits_the_one_of_nvcc_is_taken() -> None:
    kits = tuple(
        CudaLibrary(family="toolkit", version=each, source="system", owner=None, location=None)
        for each in ("11.8.0", "12.4.1", "12.6.3")
    )
    manifest = made.manifest(
        (made.package("deepspeed", "0.15.0"),), (), cuda=Cuda(libraries=kits, nvcc="12.4.131")
    )
    found = needed(manifest)
    assert found is not None
    assert (found.flavour, found.cuda, found.cudnn) == ("devel", "12.4.1", None)


def test_without_its_toolkits_own_word_nvcc_tells_the_release_alone() -> None:
    manifest = made.manifest(
        (made.package("deepspeed", "0.15.0"),), (), cuda=Cuda(libraries=(), nvcc="12.4.131")
    )
    found = needed(manifest)
    assert found is not None
    assert found.cuda == "12.4"


def test_the_libraries_own_names_say_the_release_that_a_second_toolkit_must_not() -> None:
    kit = CudaLibrary(
        family="toolkit", version="13.0.2", source="system", owner=None, location=None
    )
    old = CudaLibrary(
        family="runtime", version="12.4.127", source="system", owner=None, location=None
    )
    libraries = loading(copy("runtime", "libcudart.so.12", "system"))
    found = needed(with_system(libraries=libraries, cuda=Cuda(libraries=(kit, old), nvcc=None)))
    assert found is not None
    assert found.cuda == "12.4"


TWO = {"runtime": "11.8.89 12.4.127", "toolkit": "11.8.0 12.4.1"}


def test_of_two_toolkits_the_one_of_the_packages_own_name_is_taken() -> None:
    found = needed(manifest_of({"packages": ["cupy-cuda11x==13.0.0"], "system": TWO}))
    assert found == (
        "runtime", "11.8.0", None,
        ("CUDA's libraries are part of the base image (runtime 11.8.89, toolkit 11.8.0)",
         "cupy-cuda11x needs them, and no package brings them", "table cuda_users"),
    )  # fmt: skip


def test_a_package_does_not_take_the_cuda_that_its_own_name_forbids() -> None:
    system = {"runtime": "13"}
    case = {"packages": ["cupy-cuda11x==13.0.0"], "system": system, "nvcc": "13.0.88"}
    found = needed(manifest_of(case))
    assert found is not None
    assert (found.cuda, found.why.decision) == (
        "11", "CUDA's libraries are part of the base image (CUDA 11)",
    )  # fmt: skip


def test_a_name_with_the_minor_release_goes_before_nvcc_of_another() -> None:
    case = {"packages": ["cupy-cuda112==10.6.0"], "nvcc": "11.8.89",
            "system": {"toolkit": "11.2.2 11.8.0"}}  # fmt: skip
    found = needed(manifest_of(case))
    assert found is not None
    assert found.cuda == "11.2.2"


@pytest.mark.parametrize(
    ("nvcc", "system", "cuda"),
    [
        ("11.8.89", TWO, "11.8.0"),
        ("13.0.88", {"runtime": "13"}, "13.0"),
        (None, TWO, "12.4.1"),
    ],
)
def test_where_no_name_tells_nvcc_does_and_then_the_highest_toolkit(
    nvcc: str | None, system: dict[str, str], cuda: str
) -> None:
    case = {"packages": ["onnxruntime-gpu==1.22.0"], "system": system, "nvcc": nvcc}
    found = needed(manifest_of(case))
    assert found is not None
    assert found.cuda == cuda


def test_what_compiles_against_a_package_takes_the_cuda_of_that_one() -> None:
    case = {"packages": ["deepspeed==0.15.0", "torch==2.1.0+cu118"], "nvcc": "12.4.131",
            "system": TWO}  # fmt: skip
    found = needed(manifest_of(case))
    assert found is not None
    assert (found.flavour, found.cuda) == ("devel", "11.8.0")
    ran = needed(manifest_of({**case, "run": ["/usr/local/cuda-12.4/bin/nvcc"]}))
    assert ran is not None
    assert ran.cuda == "12.4.1"


def test_a_capture_that_looked_into_libraries_is_believed_before_a_table() -> None:
    case = {"packages": ["onnxruntime-gpu==1.22.0"], "system": {"toolkit": "12.8.1"}}
    assert needed(manifest_of(case)) is not None
    assert needed(manifest_of({**case, "needed": {}})) is None


def test_compiled_code_says_which_glibc_it_needs() -> None:
    library = SystemLibrary(
        name="libc.so.6", versions=("GLIBC_2.34", "GLIBC_PRIVATE", "GLIBC_2.5"),
        needed_by=("mine",), location=None, owner=None,
    )  # fmt: skip
    manifest = made.manifest(system_libraries=SystemLibraries(needed=(library,), exempt=()))
    assert glibc_floor(manifest, ()) == Floor("2.34", "the compiled code of mine")
    assert glibc_floor(made.manifest(), ()) is None


def test_what_is_no_version_is_older_than_every_version() -> None:
    assert numbers("12.4.1") == (12, 4, 1)
    assert [numbers(text) for text in ("", "12.x", "1" * 5000, "²", "1..2", "1.2\n")] == [()] * 6


TEXTS = st.one_of(st.text(max_size=20), st.from_regex(r"\d{1,3}(\.\d{1,3}){0,4}", fullmatch=True))


@given(nvcc=TEXTS, kit=TEXTS, name=TEXTS, glibc=TEXTS, rocm=TEXTS)
def test_whatever_a_manifest_says_there_is_a_plan_or_a_refusal(
    *, nvcc: str, kit: str, name: str, glibc: str, rocm: str
) -> None:
    case = {
        "packages": ["deepspeed==0.15.0"], "nvcc": nvcc, "system": {"toolkit": kit, "cudnn": kit},
        "needed": {f"libcudnn.so.{name}": "mine", f"libamdhip64.so.{name}": "mine"}, "rocm": rocm,
    }  # fmt: skip
    manifest = manifest_of(case)
    system = made.linux(libc_version=glibc)
    environ = Environ(variables={"CUDA_HOME": name})
    sections = {**manifest.sections, "os": system, "environ": environ}
    packages = manifest.section(Packages)
    assert isinstance(packages, Packages)
    assert isinstance(packages.installed, tuple)
    assert manifest.lock is not None
    del sections["packages"]
    again = made.manifest(packages.installed, manifest.lock.artifacts, unlocked=(), **sections)
    try:
        found = plan(again, PlanOptions(allow_missing=True), answering([]))
    except PlanError as error:
        said = f"{error.message} {error.hint}"
    else:
        said = " ".join(" ".join(why) for why in found.reasons if why.source != "sections.environ")
        assert found.base.reference.isascii()
    assert said.replace("\n", "").isprintable()
