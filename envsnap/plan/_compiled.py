"""What compiling Python takes of the base image's distribution, and which release suits it."""

from __future__ import annotations

import re
from dataclasses import replace

from envsnap import facts
from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import system_packages
from envsnap.plan._floor import numbers
from envsnap.plan._model import BaseImage, Interpreter, SystemPackage, SystemPackages, Why
from envsnap.plan._needs import Ask
from envsnap.plan._suite import Ground, ground_of

_OPENSSL_3 = "libssl.so.3"
_WITH_OPENSSL_3 = ((3, 6, 9), (3, 7, 16), (3, 8, 10), (3, 9, 5), (3, 10))
"""Since when the module ssl of a minor release is known to be compiled with OpenSSL 3: 3.6.9,
3.8.10 and 3.9.5 were tried on Debian bookworm, 3.7.16 is in use there, 3.10 was made for it."""
_MINOR = 2


class Library(NamedTuple):
    """A library of the distribution that modules of Python are compiled with."""

    modules: str
    names: tuple[str, ...]
    """What it is called in one release or another, the newest first."""


LIBRARIES = (
    Library("ssl and hashlib", (_OPENSSL_3, "libssl.so.1.1")),
    Library("sqlite3", ("libsqlite3.so.0",)),
    Library("ctypes", ("libffi.so.8", "libffi.so.7")),
    Library("readline", ("libreadline.so.8",)),
    Library("curses", ("libncursesw.so.6",)),
    Library("dbm.gnu", ("libgdbm.so.6",)),
    Library("uuid", ("libuuid.so.1",)),
    Library("lzma", ("liblzma.so.5",)),
    Library("zlib", ("libz.so.1",)),
)
"""What makes a Python whole. tkinter is left out, as in the slim images called python."""
_BZIP2 = "libbz2-dev"
"""Its library is in every image: dpkg needs it."""


def unsuited(version: str, release: str | None) -> int:
    """How badly a Python is compiled for a release: 0 well, 2 where its packages are not known."""
    if release is None or release not in system_packages.suites():
        return 2
    return 0 if _is_whole(version, release) else 1


def asks_of(interpreter: Interpreter, version: str, base: BaseImage) -> tuple[Ask, ...]:
    """The libraries that a Python compiled for this base image loads: it must have them, too."""
    release = ground_of(base).suite
    if interpreter.how != "compiled" or release is None:
        return ()
    return tuple(
        Ask("library", name, (f"Python {version}",), "the plan", is_needed=True)
        for name in (_name_in(each, release) for each in LIBRARIES)
        if name is not None
    )


def with_compiler(
    system: SystemPackages, interpreter: Interpreter, version: str, base: BaseImage
) -> tuple[SystemPackages, tuple[Why, ...]]:
    """The packages of the stage that compiles Python, too, and why; the same where none does.

    Raises:
        PlanError: No table knows the packages of the base image's release.
    """
    if interpreter.how != "compiled":
        return system, ()
    ground = ground_of(base)
    if ground.suite is None:
        raise PlanError(
            f"Python {version} would be compiled for {base.reference}, and no table knows the "
            f"packages of {ground.what}",
            hint="Name an image that has this Python, or one of Debian 11 or Ubuntu 20.04 and "
            "newer, with --base-image",
        )
    found = _packages(ground.suite, version, fetches=interpreter.url is not None)
    why = Why(
        f"the stage that compiles Python installs {', '.join(each.name for each in found)}",
        "none of it stays in the image; the stage ends the build where the Python lacks "
        "ssl, sqlite3, zlib, bz2, lzma, ctypes, readline, curses or hashlib",
        f"table system_packages of {facts.date_of('system_packages')}",
    )
    return replace(system, compiler=found), (why, *_openssl_reason(version, ground))


def _packages(release: str, version: str, *, fetches: bool) -> tuple[SystemPackage, ...]:
    why = {
        "build-essential": f"compilers, for Python {version}",
        _BZIP2: "headers, for the module bz2",
    }
    if fetches:
        why["ca-certificates"] = "certificates, which the source's host is known by"
        why["curl"] = "curl, which fetches the source"
    for each in LIBRARIES:
        name = _name_in(each, release)
        found = system_packages.development_of(name, release) if name is not None else None
        if isinstance(found, facts.Looked):
            noun = "modules" if " " in each.modules else "module"
            why[found.value] = f"headers, for the {noun} {each.modules}"
    return tuple(SystemPackage(name, why[name]) for name in sorted(why))


def _name_in(library: Library, release: str) -> str | None:
    """What the library is called there."""
    answers = ((each, system_packages.package_of(each, release)) for each in library.names)
    return next((name for name, found in answers if isinstance(found, facts.Looked)), None)


def _is_whole(version: str, release: str) -> bool:
    """Whether this Python is known to be compiled with the OpenSSL of a release."""
    return not _has_openssl_3(release) or numbers(_released(version)) >= _least(version)


def _has_openssl_3(release: str) -> bool:
    return isinstance(system_packages.package_of(_OPENSSL_3, release), facts.Looked)


def _least(version: str) -> tuple[int, ...]:
    """The first version of the same minor release that is known to take OpenSSL 3."""
    minor = numbers(_released(version))[:_MINOR]
    return next((each for each in _WITH_OPENSSL_3 if each[:_MINOR] == minor), _WITH_OPENSSL_3[-1])


def _released(version: str) -> str:
    """A pre-release's own release: '3.14.5' of '3.14.5rc1'."""
    return re.sub(r"(?:a|b|rc)\d+\Z", "", version)


def _openssl_reason(version: str, ground: Ground) -> tuple[Why, ...]:
    """What is said where not every release would do."""
    if numbers(_released(version)) >= _least(version):
        return ()
    made = "it is not known to be compiled with OpenSSL 3"
    source = f"table system_packages of {facts.date_of('system_packages')}"
    if _has_openssl_3(ground.suite or ""):
        why = f"{made}, and {ground.what} has no other; the build ends where it is not"
        return (Why(f"Python {version} may come out without the module ssl", why, source),)
    return (Why(f"Python {version} is compiled with OpenSSL 1.1, which {ground.what} has",
                made, source),)  # fmt: skip
