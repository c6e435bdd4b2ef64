"""Start envsnap from its one file; under an old Python, name the newer ones and start under one.

This is `__main__.py` of envsnap.pyz. Its syntax is good for Python 2.7, so that an old login node's
`python envsnap.pyz` gets an answer and not a traceback.
"""

import os
import subprocess
import sys

NEEDED = (3, 10)
NAMES = ["python3.%d" % minor for minor in range(20, NEEDED[1] - 1, -1)] + ["python3", "python"]
QUESTION = "import sys; sys.stdout.write('%d.%d.%d' % sys.version_info[:3])"


def version_of(path):
    """The version tuple of the interpreter at this path; None if it does not start."""
    with open(os.devnull, "r+b") as nowhere:
        try:
            child = subprocess.Popen(
                [path, "-c", QUESTION], stdin=nowhere, stdout=subprocess.PIPE, stderr=nowhere
            )
            answer = child.communicate()[0].decode("ascii")
            return tuple(int(part) for part in answer.split("."))
        except (OSError, ValueError):
            return None


def newer_pythons():
    """(version, path) of each interpreter on PATH that is new enough, newest first."""
    found = {}
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for name in NAMES:
            path = os.path.join(folder, name)
            if not os.path.isabs(folder) or not os.access(path, os.X_OK):
                continue
            version = version_of(path)
            if version is not None and version >= NEEDED:
                found.setdefault(version, path)
    return sorted(found.items(), reverse=True)


def words(version):
    return ".".join(str(part) for part in version)


def start_under_newer():
    """Never comes back: the process becomes a newer Python, or ends with exit code 2."""
    here = "this is %s (%s)" % (words(sys.version_info[:3]), sys.executable)
    sys.stderr.write("envsnap needs Python %s or newer; %s\n" % (words(NEEDED), here))
    found = newer_pythons()
    if not found:
        sys.stderr.write(
            "There is none on PATH. Load one (on a cluster: module avail python) or install one;"
            " then run:\n  python3 %s\n" % sys.argv[0]
        )
        sys.exit(2)
    listed = ", ".join("%s (%s)" % (words(version), path) for version, path in found)
    sys.stderr.write("Found on PATH: %s; going on with the first\n" % listed)
    sys.stderr.flush()
    newest = found[0][1]
    os.execv(newest, [newest, "-I", os.path.abspath(sys.argv[0])] + sys.argv[1:])


if sys.version_info < NEEDED:
    start_under_newer()

from envsnap.cli import main  # noqa: E402 - only a Python that is new enough gets here

if __name__ == "__main__":
    sys.exit(main())
