from __future__ import annotations

from typing import Any

import pytest

from envsnap.manifest import anonymous, encode
from envsnap.manifest._cut import LEFT_OUT, cut, without_paths
from envsnap.probes import environ as probe
from envsnap.sections import (
    CodeFile,
    CondaRecord,
    Consumer,
    Environ,
    Exempt,
    Fact,
    Git,
    GpuCode,
    Libraries,
    LibraryCopy,
    Packages,
    Project,
    Python,
    Reason,
    SystemLibraries,
    SystemLibrary,
    Unknown,
    exists_only_here,
    replace,
)
from tests import made

NAME = "smithlab"
VARIABLES = {
    "CONDA_DEFAULT_ENV": NAME,
    "CUDA_HOME": f"/usr/local/{NAME}/cuda-12.4",
    "CUDA_PATH": "/usr/local/cuda-12.4",
    "LD_LIBRARY_PATH": f"/usr/local/cuda-12.4/lib64:{{home}}/a {NAME}/lib::/usr/lib/{NAME}:{NAME}",
    "LD_PRELOAD": f"/usr/lib/x86_64-linux-gnu/lib{NAME}.so lib{NAME}.so",
    "OMP_NUM_THREADS": "8",
    "PYTHONPATH": f"src/{NAME}:{{project}}/{NAME}",
    "PYTHONWARNINGS": f"ignore::{NAME}.Warning",
    "TF_XLA_FLAGS": f"--xla_dump_to={{other}}/my {NAME} --xla_gpu_autotune_level=0",
    "XLA_FLAGS": "--xla_gpu_deterministic_ops=true",
}


def record(**changes: object) -> CondaRecord:
    channel = f"https://conda.example/{NAME}"
    plain = CondaRecord(
        name="zlib", version="1.3", build="h1_0", channel=channel, subdir="linux-64",
        url=f"{channel}/linux-64/zlib-1.3-h1_0.conda", md5="0" * 32, sha256="1" * 64,
    )  # fmt: skip
    return replace(plain, **changes)


def variables(given: dict[str, str]) -> object:
    found = anonymous(made.manifest(environ=Environ(variables=given))).section(Environ)
    assert isinstance(found, Environ)
    return found.variables


def test_variables_keep_settings_and_the_system_s_own_folders_alone() -> None:
    assert variables(VARIABLES) == {
        "CONDA_DEFAULT_ENV": "...",
        "CUDA_HOME": "/usr/local/...",
        "CUDA_PATH": "/usr/local/cuda-12.4",
        "LD_LIBRARY_PATH": "/usr/local/cuda-12.4/lib64:{home}/...::/usr/lib/...:...",
        "LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/... ...",
        "OMP_NUM_THREADS": "8",
        "PYTHONPATH": "...:{project}/...",
        "PYTHONWARNINGS": "...",
        "TF_XLA_FLAGS": "--xla_dump_to={other}/... --xla_gpu_autotune_level=0",
        "XLA_FLAGS": "--xla_gpu_deterministic_ops=true",
    }


def test_values_that_everybody_has_stay() -> None:
    usual = {"CONDA_DEFAULT_ENV": "base", "PYTHONWARNINGS": "error,ignore", "TZ": "UTC"}
    assert variables(usual) == usual


def test_every_variable_that_holds_a_path_is_cut_as_one() -> None:
    holding = [each for each in probe.names() if probe.held(each) not in {"text", "devices"}]
    assert set(holding) >= {"PYTHONPATH", "LD_PRELOAD", "CUDA_HOME"}
    assert variables(dict.fromkeys(holding, NAME)) == dict.fromkeys(holding, "...")


def test_packages_that_are_only_the_author_s_lose_their_names() -> None:
    wheel = made.origin("archive", url="file://{home}/wheels/x.whl", archive_hash="sha256=00")
    code = made.origin("vcs", url="https://forge.example/x.git", vcs="git", commit="ab" * 20)
    local = record(name=NAME, version=f"1+{NAME}", url="file://{home}/conda-bld/x.conda")
    installed = (
        made.package("idna", "3.7"),
        made.package(f"{NAME}-a", "1.0+gabc1234", origin=code),
        made.package(f"{NAME}_b", "2.0", origin=wheel),
        made.package(NAME, "3", origin=made.origin("conda", url=local.url), conda=local),
        made.package("numpy", "2.1", origin=made.origin("conda", url=record().url), conda=record()),
    )
    packages = Packages(installed=installed, conda_only=(record(), local), broken=())
    found = anonymous(made.manifest(installed=(), packages=packages)).section(Packages)
    nowhere = {"channel": LEFT_OUT, "url": LEFT_OUT}
    renamed = record(name="local-package-3", version="1", build=LEFT_OUT, **nowhere)
    gone = {"url": LEFT_OUT, "commit": LEFT_OUT, "revision": LEFT_OUT, "subdirectory": LEFT_OUT}
    place = {"location": "{env}/..."}
    conda = made.origin("conda", **gone)
    assert found == Packages(
        installed=(
            made.package("idna", "3.7", **place),
            made.package("local-package-1", "1.0", origin=replace(code, **gone), **place),
            made.package("local-package-2", "2.0", origin=replace(wheel, **gone), **place),
            made.package("local-package-3", "3", origin=conda, conda=renamed, **place),
            made.package("numpy", "2.1", origin=conda, conda=record(**nowhere), **place),
        ),
        conda_only=(record(**nowhere), renamed),
        broken=LEFT_OUT,
    )


@pytest.mark.parametrize(
    ("kind", "url", "only_here"),
    [
        ("editable", None, True),
        ("directory", "file://{home}/x", True),
        ("archive", "file://{home}/x.whl", True),
        ("archive", "{other}/x.whl", True),
        ("vcs", "git+file://{home}/x", True),
        ("conda", "FILE:///opt/x.conda", True),
        ("conda", "https://conda.example/x.conda", False),
        ("vcs", "git@forge.example:lab/file.git", False),
        ("archive", Unknown(Reason.UNPARSABLE), False),
        ("index", None, False),
    ],
)
def test_what_came_from_this_machine_s_own_files_exists_only_here(
    kind: str,
    url: str | Unknown | None,
    only_here: bool,  # noqa: FBT001 - a case's last column
) -> None:
    assert exists_only_here(made.origin(kind, url=url)) is only_here


OWN = "secretproj"


def copy_of(name: str, source: str, owner: Fact[str | None], location: str) -> LibraryCopy:
    return LibraryCopy(
        family="blas", name=name, source=source, owner=owner, version=None, content="ab" * 32,
        location=location,
    )  # fmt: skip


def asked(name: str, *needed_by: str) -> SystemLibrary:
    return SystemLibrary(
        name=name, versions=(f"{name}_1.0",), needed_by=needed_by, location=f"/opt/{OWN}/{name}",
        owner=f"{OWN}-core",
    )  # fmt: skip


def test_the_author_s_own_libraries_are_cut_and_those_of_others_stay() -> None:
    here = made.origin("editable", url="file://{home}/x")
    why = Unknown(Reason.UNPARSABLE, f"{OWN}/ext.abi3.so")
    own = replace(made.package("Secret_Proj", "1", origin=here), content=why)
    names = (f"lib{OWN}_core.so", "libz.so.1")
    libraries = Libraries(
        copies=(
            copy_of(f"libblas_{OWN}.so", "other", None, f"{{home}}/{OWN}/libblas.so"),
            copy_of(f"libblas_{OWN}.so", "pip", "secret-proj", f"{{env}}/{OWN}/libblas.so"),
            copy_of("libopenblas.so.0", "pip", "numpy", "{env}/numpy.libs/libopenblas.so.0"),
        ),
        consumers=(
            Consumer(distribution="numpy", loads=(), missing=("libz.so.1",)),
            Consumer(distribution="secret.proj", loads=why, missing=names),
        ),
    )  # fmt: skip
    system = SystemLibraries(
        needed=(
            replace(asked("libz.so.1", "Secret_Proj", "numpy"), owner="zlib1g"),
            asked(names[0], "Secret_Proj"), asked(f"lib{OWN}_loose.so"),
            replace(asked("libc.so.6", "Secret_Proj"), owner="libc6"),
        ),
        exempt=(Exempt(name=f"lib{OWN}_gui.so", why="plug-in", needed_by=("Secret_Proj",)),),
    )  # fmt: skip
    told = Unknown(Reason.NO_PERMISSION, f"{OWN}/_C.so")
    code = GpuCode(
        files=(CodeFile(distribution="Secret_Proj", location="{env}/x", sass=told, ptx=(), amd=()),)
    )
    deep: dict[str, Any] = {"libraries": libraries, "system_libraries": system, "gpu_code": code}
    found = anonymous(made.manifest(installed=(own, made.package("numpy", "2")), **deep))
    plain = copy_of("...", "other", None, "{home}/...")
    assert found.section(Libraries) == Libraries(
        copies=(
            plain, replace(plain, source="pip", owner="...", location="{env}/..."),
            copy_of("libopenblas.so.0", "pip", "numpy", "{env}/..."),
        ),
        consumers=(
            Consumer(distribution="...", loads=Unknown(Reason.UNPARSABLE),
                     missing=("...", "libz.so.1")),
            Consumer(distribution="numpy", loads=(), missing=("libz.so.1",)),
        ),
    )  # fmt: skip
    zlib = replace(asked("libz.so.1", "...", "numpy"), owner="zlib1g", location="/opt/...")
    libc = replace(
        zlib, name="libc.so.6", versions=("libc.so.6_1.0",), needed_by=("...",), owner="libc6"
    )
    gone = SystemLibrary(
        name="...", versions=("...",), needed_by=("...",), location="/opt/...", owner=LEFT_OUT
    )
    assert found.section(SystemLibraries) == SystemLibraries(
        needed=(gone, replace(gone, needed_by=()), zlib, libc),
        exempt=(Exempt(name="...", why="plug-in", needed_by=("...",)),),
    )
    text = encode(found).casefold()
    assert (OWN in text, "secret_proj" in text, "secret.proj" in text) == (False, False, False)


def test_packages_are_sorted_by_the_names_that_indexes_compare() -> None:
    names = ("a.z", "a-b", "A__c")
    installed = tuple(made.package(name, "1") for name in names)
    found = anonymous(made.manifest(installed=installed)).section(Packages)
    assert isinstance(found, Packages)
    assert isinstance(found.installed, tuple)
    assert [each.name for each in found.installed] == ["a-b", "A__c", "a.z"]


def test_an_interpreter_s_hooks_and_last_words_name_no_package() -> None:
    hooks = ("_frozen_importlib.FrozenImporter", f"__editable___{NAME}_finder._EditableFinder")
    last_words = f"it was read with -I -S; as usual: crashed: No module named '{NAME}'"
    told = made.python(import_hooks=hooks, degraded=last_words, not_paths=(f"{NAME}Path",))
    found = anonymous(made.manifest(python=told)).section(Python)
    assert found == replace(
        told, environment_name=LEFT_OUT, not_chosen=LEFT_OUT, executable="{env}/...",
        degraded="it was read with -I -S", not_paths=LEFT_OUT,
        import_hooks=("_frozen_importlib.FrozenImporter", "..."),
    )  # fmt: skip


def test_a_project_keeps_whether_it_was_clean_and_pushed() -> None:
    git = Git(commit="ab", commit_time="2026-01-31T12:00:00Z", branch=NAME, changed_files=2,
              remote=f"https://forge.example/{NAME}", pushed=True)  # fmt: skip
    files = ("uv.lock", f"environment-{NAME}.yml")
    told = Project(name=NAME, git=git, lock_files=files, newest_install=None)
    found = anonymous(made.manifest(project=told)).section(Project)
    gone = Git(commit=LEFT_OUT, commit_time=LEFT_OUT, branch=LEFT_OUT, changed_files=2,
               remote=LEFT_OUT, pushed=True)  # fmt: skip
    assert found == Project(
        name=LEFT_OUT, git=gone, lock_files=("uv.lock", "..."), newest_install=None
    )


def test_nothing_of_it_all_names_the_author() -> None:
    wheel = made.origin("archive", url=f"file://{{home}}/{NAME}.whl")
    packages = (made.package(NAME, "1", origin=wheel),)
    whole = made.manifest(installed=packages, environ=Environ(variables=VARIABLES))
    assert NAME in encode(whole)
    assert NAME not in encode(anonymous(whole))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/usr/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"),
        ("/usr/lib/python3/dist-packages/", "/usr/lib/python3/dist-packages/"),
        ("/usr/bin/gcc", "/usr/bin/..."),
        ("/usr/share/smithlab/x", "/usr/share/..."),
        ("/opt/smithlab", "/opt/..."),
        ("/library/smithlab", "{other}/..."),
        ("/usr/lib/../../data/smithlab", "/usr/lib/..."),
        ("{home}/a smith/b", "{home}/..."),
        ("{home}\\smith\\b", "{home}/..."),
        ("C:\\Program Files\\Smith Lab", "{other}/..."),
        ("{home}/a:b,c;smith", "{home}/..."),
        ("{home}/smith: not a folder", "{home}/...: not a folder"),
        ("{env}", "{env}"),
        ("and/or, 3 / 4", "and/or, 3 / 4"),
    ],
)
def test_a_path_is_cut_to_what_every_machine_has(text: str, told: str) -> None:
    assert cut(text) == told


def test_a_reason_keeps_what_was_asked_and_not_a_program_s_last_words() -> None:
    crashed = Unknown(Reason.CRASHED, "Python ended with status 1: No module named 'smithlab'")
    told = Unknown(Reason.CRASHED, "Python ended with status 1")
    unread = Unknown(Reason.NO_PERMISSION, "{home}/smithlab")
    assert without_paths((crashed, unread, {"a": LEFT_OUT})) == (
        told, Unknown(Reason.NO_PERMISSION, "{home}/..."), {"a": LEFT_OUT},
    )  # fmt: skip


def test_the_repository_of_a_folder_that_was_installed_is_nobody_s() -> None:
    known = Git(
        commit="ab" * 20, commit_time="2026-01-31T12:00:00Z", branch=NAME, changed_files=2,
        remote=f"https://forge.example/{NAME}.git", pushed=True,
    )  # fmt: skip
    folder = made.origin("editable", url="file://{home}/x", git=known, difference="cd" * 32)
    packages = Packages(
        installed=(made.package(NAME, "1", origin=folder),), conda_only=(), broken=()
    )
    found = anonymous(made.manifest(installed=(), packages=packages)).section(Packages)
    assert isinstance(found, Packages)
    assert not isinstance(found.installed, Unknown)
    gone = {"commit": LEFT_OUT, "commit_time": LEFT_OUT, "branch": LEFT_OUT, "remote": LEFT_OUT}
    assert found.installed[0].origin.git == replace(known, **gone)
    assert NAME not in repr(found.installed)
