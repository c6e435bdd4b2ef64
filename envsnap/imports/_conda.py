"""conda's packages, as lists and locks of it name them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from envsnap.imports._core import NOT_TOLD, blank
from envsnap.imports._listed import listed, packages
from envsnap.probes._urls import clean_url
from envsnap.sections import CondaRecord, Fact, Origin, Package, Python, Reason, Unknown, replace

_OF_PIP = frozenset({"pypi", "pypi_0", "<pip>"})
_FOR_PYTHON = re.compile(r"(?:\A|_)py(?:\d|h|_)|\Apy\d")
"""In a build: the package was built for one Python, or for all of them."""
_NAMES: Mapping[str, str] = {
    "pytorch": "torch", "pytorch-cpu": "torch", "pytorch-gpu": "torch",
    "tensorflow-base": "tensorflow", "matplotlib-base": "matplotlib", "msgpack-python": "msgpack",
    "pytables": "tables", "py-opencv": "opencv-python", "brotlipy": "brotlipy",
    "pytorch-lightning": "pytorch-lightning", "py-xgboost": "xgboost", "importlib_metadata":
    "importlib-metadata", "ruamel_yaml": "ruamel.yaml", "dask-core": "dask",
    "tensorboard-data-server": "tensorboard-data-server", "seaborn-base": "seaborn",
}  # fmt: skip
"""conda's names of distributions that others call otherwise, the common ones."""
_SECOND = frozenset(
    {"pytorch-cpu", "pytorch-gpu", "tensorflow-gpu", "matplotlib", "seaborn", "dask"}
)
"""Names of packages that only bring the one which holds the distribution."""
_ARCHIVE = re.compile(
    r"(?P<channel>.*)/(?P<subdir>noarch|[a-z]+-[a-z0-9]+)/"
    r"(?P<name>[^/]+)-(?P<version>[^/-]+)-(?P<build>[^/-]+)\.(?:conda|tar\.bz2)\Z"
)
_LONGEST = 2000
"""Of an address; a longer one is none, and costs its length squared to take apart."""
_ARCHITECTURES: Mapping[str, str] = {
    "linux-64": "x86_64", "linux-aarch64": "aarch64", "linux-ppc64le": "ppc64le",
    "osx-64": "x86_64", "osx-arm64": "arm64", "win-64": "AMD64",
}  # fmt: skip
NAMES_DIFFER = Unknown(
    Reason.NOT_RECORDED, "conda's name of a package is not always its distribution's"
)


def record_of(
    name: str,
    version: str,
    build: str | None = None,
    *,
    channel: str | None = None,
    subdir: str | None = None,
) -> CondaRecord:
    """What a list says of one package."""
    place = clean_url(channel) if channel and "://" in channel else channel
    return blank(
        CondaRecord, name=name, version=version, build=build or NOT_TOLD,
        channel=place or NOT_TOLD, subdir=subdir or NOT_TOLD,
    )  # fmt: skip


def of_archive(
    url: str, *, md5: str | None = None, sha256: str | None = None
) -> CondaRecord | None:
    """What the address of an archive says of the package in it; None where it is no archive."""
    if len(url) > _LONGEST:
        return None
    address = clean_url(url).partition("#")[0]
    found = _ARCHIVE.match(address)
    if found is None:
        return None
    record = record_of(
        found["name"], found["version"], found["build"], channel=found["channel"],
        subdir=found["subdir"],
    )  # fmt: skip
    return replace(record, url=address, md5=md5 or NOT_TOLD, sha256=sha256 or NOT_TOLD)


def conda_section(
    records: Iterable[CondaRecord], others: Iterable[Package] = (), *, is_whole: bool = True
) -> dict[str, object]:
    """The sections that conda's packages make up, with those that pip put beside them.

    Which of them are distributions of Python their builds tell. conda's name is not always the
    distribution's, so that one which is not named may yet be there.
    """
    found: list[Package] = list(others)
    libraries: list[CondaRecord] = []
    sections: dict[str, object] = {}
    for each in records:
        if each.channel in _OF_PIP or each.build in _OF_PIP:
            found.append(listed(each.name, each.version, origin=Origin(kind="index")))
        elif each.name in {"python", "pypy"}:
            sections["python"] = _python(each)
            libraries.append(each)
        elif _is_distribution(each):
            found.append(_distribution(each))
        else:
            libraries.append(each)
    records = tuple(sorted(libraries, key=lambda each: (each.name, each.version)))
    section = packages(found, is_whole=is_whole, conda_only=records)
    if section.unlisted is False:
        section = replace(section, unlisted=NAMES_DIFFER)
    return {**sections, "packages": section}


def _is_distribution(record: CondaRecord) -> bool:
    build = record.build
    is_built_for_python = isinstance(build, str) and bool(_FOR_PYTHON.search(build))
    return is_built_for_python and record.name not in _SECOND and not record.name.startswith("_")


def _distribution(record: CondaRecord) -> Package:
    name = _NAMES.get(record.name, record.name)
    origin = Origin(kind="conda", url=record.url)
    return listed(
        name, record.version, origin=origin, installer="conda", conda=record, evidence="conda"
    )


def _python(record: CondaRecord) -> Python:
    build: Fact[str] = record.build
    is_pypy = record.name == "pypy" or (isinstance(build, str) and "pypy" in build)
    architecture = _ARCHITECTURES.get(str(record.subdir), NOT_TOLD)
    return blank(
        Python, version=record.version, implementation="pypy" if is_pypy else "cpython",
        environment_kind="conda", origin="conda", architecture=architecture,
    )  # fmt: skip
