# ruff: noqa: ANN001, ANN201, ANN202 - Python 2.7 has no annotations; mypy reads the comments
"""What an interpreter says about itself and where it looks for modules, on one line.

Run by the interpreter in question, as `python -c SOURCE MARKER`. Writes MARKER and hex digits, in
a line of its own on file descriptor 1; the digits are ASCII JSON, in which every path is again hex,
of its raw bytes. null says that this interpreter has or tells no such thing; where sysconfig fails,
`sysconfig` is null and `sysconfig_error` says why. `envsnap.inside.answer` reads the line.

The syntax is good for Python 2.7 and for 3.6 and newer. The user's own modules are not imported:
the search starts at the standard library, past the current folder, PYTHONPATH and import hooks.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any  # noqa: F401 - in the type comments

_FLAGS = (
    "debug dev_mode dont_write_bytecode hash_randomization ignore_environment isolated "
    "no_site no_user_site optimize safe_path utf8_mode"
)
_VARIABLES = "EXT_SUFFIX MULTIARCH PYTHON_BUILD_STANDALONE Py_DEBUG Py_GIL_DISABLED SOABI"
_LAST_OF_ONE_UNIT = 0xFFFF
_FOLDERS = "data include platlib platstdlib purelib scripts stdlib"


def _hex(path):  # type: (Any) -> str | None
    """The bytes of a path, in hex; None for None. Python 2's paths are bytes or unicode."""
    if path is None:
        return None
    if not isinstance(path, bytes):
        import os

        if hasattr(os, "fsencode"):
            path = os.fsencode(path)
        else:
            path = path.encode(sys.getfilesystemencoding() or "utf-8")
    return str(path.hex() if hasattr(path, "hex") else path.encode("hex"))


def _json(value):  # type: (object) -> str
    """The value as JSON, ASCII only: importing `json` takes longer than all the rest."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return "%d" % value
    if isinstance(value, dict):
        return "{%s}" % ",".join([_json(k) + ":" + _json(value[k]) for k in sorted(value)])
    if isinstance(value, (list, tuple)):
        return "[%s]" % ",".join([_json(item) for item in value])
    text = "%s" % (value,)
    if "\\" in text or not text.replace(".", "").replace("_", "").isalnum() or max(text) > "~":
        text = "".join([_letter(letter) for letter in text])
    return '"%s"' % text


def _letter(letter):  # type: (str) -> str
    code = ord(letter)
    if code > _LAST_OF_ONE_UNIT:
        return "\\u%04x\\u%04x" % (0xD7C0 + (code >> 10), 0xDC00 + (code & 0x3FF))
    return letter if " " <= letter <= "~" and letter not in '"\\' else "\\u%04x" % code


def _search_path(entries):  # type: (list[Any]) -> tuple[list[str | None], list[str]]
    """sys.path without the program's own folder, in hex, and the types of what is no path."""
    safe = getattr(sys.flags, "isolated", 0) or getattr(sys.flags, "safe_path", 0)
    if entries and not safe and entries[0] in ("", sys.argv[0].rpartition("/")[0]):
        del entries[0]
    known = [(entry, _hex_or_none(entry)) for entry in entries]
    others = [type(entry).__name__ for entry, path in known if path is None]
    return [path for _, path in known if path is not None], others


def _hex_or_none(entry):  # type: (object) -> str | None
    """The entry's bytes in hex; None if it is none that import would look into."""
    if not isinstance(entry, (str, type(b"".decode("ascii")))):
        return None
    try:
        return _hex(entry)
    except UnicodeError:
        return None  # no file system has a name for it


def _class_name(hook):  # type: (object) -> str
    cls = hook if isinstance(hook, type) else type(hook)
    return "%s.%s" % (cls.__module__, getattr(cls, "__qualname__", cls.__name__))


def _only_standard():  # type: () -> None
    """Let no module of the user's answer for one of the standard library from here on."""
    hooks = [hook for hook in sys.meta_path if _class_name(hook).startswith("_frozen_importlib")]
    sys.meta_path[:] = hooks or sys.meta_path
    known = sys.modules.get("os") or sys.modules.get("encodings")
    home = getattr(known, "__file__", None) or ""
    home = home.replace("\\", "/").rpartition("/encodings/")[0] or home.rpartition("/")[0]
    if home in sys.path:
        first = sys.path.index(home)
        pypy = [entry for entry in sys.path[:first] if str(entry).endswith("lib_pypy")]
        sys.path[:] = pypy + sys.path[first:]
    elif sys.path[:1] == [""]:
        del sys.path[0]


def _release(info):  # type: (Any) -> str | None
    """A version tuple as people write it, `3.14.0rc1`; None for None."""
    if info is None:
        return None
    level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(info[3])
    return "%d.%d.%d" % tuple(info[:3]) + ("%s%d" % (level, info[4]) if level else "")


def _about():  # type: () -> dict[str, object]
    """What the interpreter is."""
    own = getattr(sys, "implementation", None)
    name = own.name if own else ("pypy" if hasattr(sys, "pypy_version_info") else "cpython")
    gil = getattr(sys, "_is_gil_enabled", None)
    return {
        "implementation": name,
        "version": _release(sys.version_info),
        "implementation_version": _release(
            own.version if own else getattr(sys, "pypy_version_info", sys.version_info)
        ),
        "sys_version": sys.version,
        "build_date": sys.version.partition("(")[2].partition(")")[0].partition(", ")[2] or None,
        "compiler": sys.version.rpartition("[")[2].rpartition("]")[0].strip() or None,
        "hexversion": sys.hexversion,
        "abiflags": getattr(sys, "abiflags", None),
        "gil_enabled": gil() if gil else None,
        "platform": sys.platform,
        "byteorder": sys.byteorder,
        "pointer_bits": 64 if sys.maxsize > 2**32 else 32,
        "flags": {flag: getattr(sys.flags, flag, None) for flag in _FLAGS.split()},
    }


def _system():  # type: () -> dict[str, object]
    """What it runs on."""
    import os

    try:  # Python 2 knows the name nowhere, but passes the number on; musl refuses both
        libc = os.confstr("CS_GNU_LIBC_VERSION" if sys.version_info >= (3,) else 2)
    except (AttributeError, ValueError, OSError):
        libc = None
    return {"libc": libc, "machine": os.uname()[4] if hasattr(os, "uname") else None}


def _places():  # type: () -> dict[str, object]
    """Where it is installed, and what lies there."""
    import os

    site = sys.modules.get("site")
    base = getattr(sys, "real_prefix", None) or getattr(sys, "base_prefix", None)
    try:
        here = _hex(os.getcwd())
    except OSError:
        here = None
    of_site = getattr(site, "getsitepackages", None)
    return {
        "executable": _hex(sys.executable or None),
        "base_executable": _hex(getattr(sys, "_base_executable", None) or None),
        "prefix": _hex(sys.prefix),
        "base_prefix": _hex(base),
        "exec_prefix": _hex(sys.exec_prefix),
        "base_exec_prefix": _hex(getattr(sys, "base_exec_prefix", None)),
        "cwd": here,
        "enable_user_site": getattr(site, "ENABLE_USER_SITE", None),
        "user_site": _hex(getattr(site, "USER_SITE", None)),
        "user_base": _hex(getattr(site, "USER_BASE", None)),
        "site_packages": [_hex(folder) for folder in of_site()] if of_site else None,
        "conda_meta": os.path.isdir(os.path.join(sys.prefix, "conda-meta")),
        "base_conda_meta": os.path.isdir(os.path.join(base or sys.prefix, "conda-meta")),
    }


def _sysconfig():  # type: () -> dict[str, object]
    """How it was configured, and where it installs packages."""
    import os
    import sysconfig

    values = sysconfig.get_config_vars()
    folders = sysconfig.get_paths()
    scheme = getattr(
        sysconfig, "get_default_scheme", getattr(sysconfig, "_get_default_scheme", str)
    )
    return {
        "variables": {name: values.get(name) for name in _VARIABLES.split()},
        "built_prefix": _hex(values.get("prefix")),
        "platform": sysconfig.get_platform(),
        "scheme": scheme() or None,
        "paths": {name: _hex(folders.get(name)) for name in _FOLDERS.split()},
        "externally_managed": os.path.exists(os.path.join(folders["stdlib"], "EXTERNALLY-MANAGED")),
    }


def main():  # type: () -> None
    """Write the line and leave, without the exit hooks that the user's site files may have set."""
    entries = list(sys.path)
    report = {"meta_path": [_class_name(hook) for hook in sys.meta_path]}  # type: dict[str, Any]
    _only_standard()
    import os

    report["sys_path"], report["not_paths"] = _search_path(entries)
    report.update(_about())
    report.update(_system())
    report.update(_places())
    report["sysconfig"] = report["sysconfig_error"] = None
    try:
        report["sysconfig"] = _sysconfig()
    except (ImportError, SyntaxError, AttributeError, LookupError, OSError, ValueError) as fault:
        report["sysconfig_error"] = "%s: %s" % (type(fault).__name__, fault)
    line = "\n%s%s\n" % (sys.argv[1], _hex(_json(report).encode("ascii")))
    left = line.encode("ascii")
    while left:
        left = left[os.write(1, left) :]
    os._exit(0)


if __name__ == "__main__":
    main()
