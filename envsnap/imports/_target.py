"""The machine and Python for which a lock for several is read. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from envsnap._typing import NamedTuple
from envsnap.imports._core import Text

PLATFORMS: Mapping[str, tuple[str, str, str, str]] = {
    "linux-64": ("linux", "Linux", "x86_64", "posix"),
    "linux-aarch64": ("linux", "Linux", "aarch64", "posix"),
    "linux-ppc64le": ("linux", "Linux", "ppc64le", "posix"),
    "osx-64": ("darwin", "Darwin", "x86_64", "posix"),
    "osx-arm64": ("darwin", "Darwin", "arm64", "posix"),
    "win-64": ("win32", "Windows", "AMD64", "nt"),
}
"""conda's name of a platform: sys.platform, platform.system(), platform.machine(), os.name."""
_MINORS = tuple(f"3.{minor}" for minor in range(8, 20))


class Target(NamedTuple):
    """What the markers of a lock are held against."""

    environment: Mapping[str, str]
    """Marker variables by name (PEP 508)."""
    chosen: str
    """The Python, as '3.11'."""

    def holds(self, marker: str | None) -> bool:
        """Whether what stands under this marker is installed there; without one it is."""
        if not marker:
            return True
        from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

        try:
            return Marker(marker).evaluate({**self.environment, "extra": ""})
        except (InvalidMarker, UndefinedEnvironmentName, RecursionError):
            return True  # what cannot be understood leaves nothing out


def target(text: Text, admits: str | None = None) -> Target:
    """The platform that was asked for, with a Python that the lock admits.

    Where none was named it is the lowest one; `admits` is a requirement as '>=3.10'.
    """
    python = text.python or _lowest(admits)
    system, name, machine, os_name = PLATFORMS[text.platform]
    minor = ".".join(python.split(".")[:2])
    return Target(
        {
            "sys_platform": system, "platform_system": name, "platform_machine": machine,
            "os_name": os_name, "python_version": minor,
            "python_full_version": python if python.count(".") > 1 else f"{python}.0",
            "implementation_name": "cpython", "platform_python_implementation": "CPython",
            "implementation_version": f"{minor}.0", "platform_release": "", "platform_version": "",
        },
        minor,
    )  # fmt: skip


def _lowest(admits: str | None) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(admits or "")
    except InvalidSpecifier:
        return _MINORS[3]
    # A patch level as '>=3.10.4' admits the minor, of which its last patch stands for all.
    return next((each for each in _MINORS if allowed.contains(f"{each}.99")), _MINORS[3])
