"""Compares the environment of the Python that runs it with a manifest, from the files alone.

Run as `python -I -B verify.py [--others-ok] [--without NAME]... MANIFEST`; exit status 0 when
Python and every package are the manifest's, 1 when one is not. Versions must be equal as text;
content is compared by envsnap-content-1 where the manifest states it and the lock names the very
file that was installed: a package from another file can only be told by its version.

The syntax is good for Python 3.6 and newer, and only the standard library is used: images carry it.
"""

import json
import os
import re
import sys
import sysconfig

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HEADER = re.compile(r"^(Name|Version):[ \t]*(\S[^\r\n]*?)[ \t]*$", re.MULTILINE)
_SHOWN = 20


def main(arguments: "list[str]") -> int:
    """Compare, print what differs, and answer the exit status."""
    others_ok = "--others-ok" in arguments
    words = [word for word in arguments if word != "--others-ok"]
    without = []  # type: list[str]
    while "--without" in words:
        at = words.index("--without")
        without.append(canonical(words[at + 1]))
        del words[at : at + 2]
    with open(words[0], encoding="utf-8") as file:
        manifest = json.load(file)
    found = installed()
    faults = python_faults(manifest["sections"]["python"])
    faults += package_faults(manifest, found, frozenset(without))
    if not others_ok:
        faults += other_faults(manifest, found, frozenset(without))
    for fault in faults[:_SHOWN]:
        print("differs: " + ascii_only(fault))
    if len(faults) > _SHOWN:
        print("and %d more" % (len(faults) - _SHOWN))
    if not faults:
        print("Python and %d packages are those of the manifest" % len(found))
    return 1 if faults else 0


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def ascii_only(text: str) -> str:
    """A manifest's words on any terminal."""
    return ascii(text)[1:-1]


def python_faults(wanted: "dict[str, Any]") -> "list[str]":
    """What differs about the interpreter."""
    version = "%d.%d.%d" % sys.version_info[:3]
    level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(sys.version_info[3])
    found = {
        "implementation": sys.implementation.name,
        "version": version + ("%s%d" % (level, sys.version_info[4]) if level else ""),
    }
    return [
        "Python's %s: wanted %s, found %s" % (field, wanted[field], found[field])
        for field in sorted(found)
        if wanted[field] != found[field]
    ]


def installed() -> "dict[str, tuple[str, str | None]]":
    """Version and dist-info folder of every distribution, by canonical name."""
    found = {}  # type: dict[str, tuple[str, str | None]]
    paths = sysconfig.get_paths()
    for folder in sorted({paths["purelib"], paths["platlib"]}):
        for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            for part in ("METADATA", "PKG-INFO"):
                headers = _headers(os.path.join(folder, entry, part))
                if (
                    entry.endswith((".dist-info", ".egg-info"))
                    and "Name" in headers
                    and "Version" in headers
                ):
                    found[canonical(headers["Name"])] = (
                        headers["Version"],
                        os.path.join(folder, entry),
                    )
                    break
    return found


def _headers(path: str) -> "dict[str, str]":
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            head = file.read(65536).replace("\r\n", "\n").partition("\n\n")[0]
    except OSError:
        return {}
    return dict(reversed(_HEADER.findall(head)))


def package_faults(
    manifest: "dict[str, Any]",
    found: "dict[str, tuple[str, str | None]]",
    without: "frozenset[str]",
) -> "list[str]":
    """What differs about the manifest's packages."""
    wanted = active(manifest)
    artifacts = manifest["lock"]["artifacts"]
    exact = {canonical(each["name"]) for each in artifacts if each["is_installed"] is True}
    again = {
        canonical(each["name"]): each.get("content")
        for each in artifacts
        if each.get("how") in ("made", "built")
    }
    faults = []  # type: list[str]
    for name in sorted(wanted.keys() - without):
        if name not in found:
            faults.append("%s %s is missing" % (wanted[name]["name"], wanted[name]["version"]))
            continue
        version, folder = found[name]
        if version != wanted[name]["version"]:
            faults.append("%s: wanted %s, found %s" % (name, wanted[name]["version"], version))
        elif name in again and folder is not None:  # its own content may hold edited files
            faults += _content_faults(dict(wanted[name], content=again[name]), folder)
        elif name in exact and folder is not None:
            faults += _content_faults(wanted[name], folder)
    return faults


def other_faults(
    manifest: "dict[str, Any]",
    found: "dict[str, tuple[str, str | None]]",
    without: "frozenset[str]",
) -> "list[str]":
    """Packages that are here and not in the manifest."""
    extra = found.keys() - (active(manifest).keys() - without)
    return ["%s %s is not the manifest's" % (name, found[name][0]) for name in sorted(extra)]


def active(manifest: "dict[str, Any]") -> "dict[str, dict[str, Any]]":
    """The manifest's packages that import would use, by canonical name.

    A manifest leaves out what has its usual value, and a package is usually the active copy.
    """
    packages = manifest["sections"]["packages"]["installed"]
    return {canonical(each["name"]): each for each in packages if each.get("active", True)}


def _content_faults(wanted: "dict[str, Any]", folder: str) -> "list[str]":
    import content  # type: ignore[import-not-found] # beside this file, wherever that is

    stated = content.of_file(os.fsencode(os.path.join(folder, "RECORD"))).content
    if not isinstance(wanted["content"], str) or stated == wanted["content"]:
        return []
    return ["%s %s holds other files than it did" % (wanted["name"], wanted["version"])]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
