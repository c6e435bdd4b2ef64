"""PKG and PYT: what is installed, and the interpreter under it."""

from __future__ import annotations

from envsnap.manifest import Manifest
from envsnap.rules import Level
from envsnap.sections import Broken, Changes, CondaRecord, Package, replace
from tests import made
from tests.rules.book.case import Case
from tests.rules.machines import DEEP_LEARNING, UNSEEN, machine, packages

BASE = machine()
TAGS_311 = ("cp311-cp311-manylinux2014_x86_64",)
ABI3 = ("cp37-abi3-manylinux2014_x86_64",)


def having(*installed: Package, **changes: object) -> Manifest:
    return machine(packages=packages(*installed, **changes))


def with_python(**changes: object) -> Manifest:
    return machine(python=made.python(**changes))


def record(name: str, version: str = "1.0", **changes: object) -> CondaRecord:
    known = CondaRecord(
        name=name, version=version, build="h1_0", channel="conda-forge", subdir="linux-64",
        url=None, md5=None, sha256=None,
    )  # fmt: skip
    return replace(known, **changes)


IDNA = made.package("idna", "3.7")
NOT_SEEN = machine(packages=UNSEEN)
CASES = (
    Case(
        "PKG001", "blocks", "1 package is not installed here: antlr4-python3-runtime 4.9.3",
        of=(BASE, having(*DEEP_LEARNING[1:])),
        but="where one more is installed than wanted",
        nearly=(BASE, having(*DEEP_LEARNING, made.package("rich", "14.0"))),
        unseen=(BASE, NOT_SEEN), path="found packages",
    ),
    Case(
        "PKG002", "numerics", "idna 3.7 -> 3.8",
        of=(having(IDNA), having(made.package("idna", "3.8"))),
        but="of another name of the same distribution: IDNA 3.7",
        nearly=(having(IDNA), having(made.package("IDNA", "3.7"))),
        unseen=(having(IDNA), NOT_SEEN), path="found packages",
    ),
    Case(
        "PKG003", "numerics", "idna 3.7: other files under the same version",
        of=(having(IDNA), having(made.package("idna", "3.7", content="1" * 64))),
        but="where the version differs too, which is PKG002's matter",
        nearly=(having(IDNA), having(made.package("idna", "3.8", content="1" * 64))),
        unseen=(having(IDNA), having(made.package("idna", "3.7", content=UNSEEN))),
        path="found packages.installed.idna.content", leaves=Level.RUNS,
    ),
    Case(
        "PKG004", "note", "idna 3.7: build none -> 1",
        of=(having(IDNA), having(made.package("idna", "3.7", build="1"))),
        but="where the content differs too, which is PKG003's matter",
        nearly=(having(IDNA), having(made.package("idna", "3.7", build="1", content="1" * 64))),
        unseen=(having(IDNA), NOT_SEEN), path="found packages",
    ),
    Case(
        "PKG005", "note", "1 package: rich 14.0 more than wanted",
        of=(having(IDNA), having(IDNA, made.package("rich", "14.0"))),
        but="where none of the wanted ones is installed: it is another environment",
        nearly=(having(IDNA), having(made.package("rich", "14.0"))),
        unseen=(having(IDNA), NOT_SEEN), path="found packages",
    ),
    Case(
        "PKG006", "numerics", "libblas 3.9 h1_0 -> 3.10 h1_0",
        of=(having(conda_only=(record("libblas", "3.9"),)),
            having(conda_only=(record("libblas", "3.10"),))),
        but="where the channel alone differs",
        nearly=(having(conda_only=(record("libblas", "3.9"),)),
                having(conda_only=(record("libblas", "3.9", channel="defaults"),))),
        unseen=(having(conda_only=(record("libblas", "3.9"),)), having(conda_only=UNSEEN)),
        path="found packages.conda_only",
    ),
    Case(
        "PKG010", "note", "idna 3.7 (env) hides 3.6 (user)",
        of=having(IDNA, made.package("idna", "3.6", active=False, layer="user")),
        but="of two copies of the same version",
        nearly=having(IDNA, made.package("idna", "3.7", active=False, layer="user")),
        unseen=having(installed=UNSEEN), path="packages.installed",
    ),
    Case(
        "PKG011", "note",
        "1 installation could not be read, as {env}/x-1.dist-info: no METADATA",
        of=having(IDNA, broken=(Broken(location="{env}/x-1.dist-info", why="no METADATA"),)),
        but="where all of them could be read",
        nearly=having(IDNA),
        unseen=having(IDNA, broken=UNSEEN), path="packages.broken",
    ),
    Case(
        "PKG012", "note", "1 conda package: libblas from the defaults channel",
        of=having(conda_only=(record("libblas", channel="https://repo.anaconda.com/pkgs/main"),)),
        but="of packages from conda-forge",
        nearly=having(conda_only=(record("libblas"),)),
        unseen=having(conda_only=UNSEEN), path="packages.conda_only",
    ),
    Case(
        "PKG013", "note", "idna 3.7, edited 1 file: idna/core.py",
        of=having(made.package("idna", "3.7", changes=Changes(
            edited=("idna/core.py",), missing=(), extra=(), files=9))),
        but="of a file that is there beside those that RECORD names",
        nearly=having(made.package("idna", "3.7", changes=Changes(
            edited=(), missing=(), extra=("idna/notes.txt",), files=10))),
        unseen=having(installed=UNSEEN), path="packages.installed",
    ),
    Case(
        "PYT001", "blocks", "cpython -> pypy",
        of=(BASE, with_python(implementation="pypy")),
        but="of CPython in another version",
        nearly=(BASE, with_python(version="3.12.1")),
        unseen=(BASE, machine(python=UNSEEN)), path="found python",
    ),
    Case(
        "PYT002", "blocks", "Python 3.11.7 -> 3.12.1; compiled for it: 1 package: numpy",
        of=(having(made.package("numpy", "2.0", tags=TAGS_311)), with_python(version="3.12.1")),
        but="of a patch release, 3.11.9",
        nearly=(having(made.package("numpy", "2.0", tags=TAGS_311)), with_python(version="3.11.9")),
        unseen=(having(made.package("numpy", "2.0", tags=UNSEEN)), with_python(version="3.12.1")),
        path="wanted packages.installed.numpy.tags",
    ),
    Case(
        "PYT003", "note", "Python 3.11.7 -> 3.11.9",
        of=(BASE, with_python(version="3.11.9")),
        but="of another minor version, which is PYT002's matter",
        nearly=(BASE, with_python(version="3.12.9")),
        unseen=(BASE, machine(python=UNSEEN)), path="found python",
    ),
    Case(
        "PYT004", "blocks", "free-threaded build: no -> yes",
        of=(BASE, with_python(free_threaded=True)),
        but="where the minor version differs, which is PYT002's matter",
        nearly=(BASE, with_python(version="3.13.0", free_threaded=True)),
        unseen=(BASE, with_python(free_threaded=UNSEEN)), path="found python.free_threaded",
    ),
    Case(
        "PYT005", "note", "Python built by pyenv -> conda",
        of=(BASE, with_python(origin="conda")),
        but="of another compiler by the same builder",
        nearly=(BASE, with_python(compiler="GCC 14.2.0")),
        unseen=(BASE, with_python(origin=UNSEEN)), path="found python.origin",
    ),
    Case(
        "PYT006", "note", "import hooks: none -> beartype.claw.BeartypeFinder",
        of=(BASE, with_python(import_hooks=("beartype.claw.BeartypeFinder",))),
        but="of the hooks of Python itself, setuptools and six",
        nearly=(BASE, with_python(import_hooks=(
            "_distutils_hack.DistutilsMetaFinder", "_frozen_importlib.BuiltinImporter"))),
        unseen=(BASE, with_python(import_hooks=UNSEEN)), path="found python.import_hooks",
    ),
    Case(
        "PYT010", "note", "Python was read in a reduced way: timed out",
        of=with_python(degraded="timed out"),
        but="of an interpreter that answered",
        nearly=BASE,
        unseen=with_python(degraded=UNSEEN), path="python.degraded",
    ),
    Case(
        "PYT011", "note", "1 package comes from PYTHONPATH: helpers",
        of=having(IDNA, made.package("helpers", "1.0", layer="pythonpath")),
        but="of a copy there that the environment's own hides",
        nearly=having(IDNA, made.package("idna", "3.6", layer="pythonpath", active=False)),
        unseen=with_python(environment_kind=UNSEEN), path="python.environment_kind",
    ),
    Case(
        "PYT012", "perf", "a debug build of Python",
        of=with_python(debug=True),
        but="of a free-threaded build",
        nearly=with_python(free_threaded=True),
        unseen=with_python(debug=UNSEEN), path="python.debug",
    ),
)  # fmt: skip
