"""A folder that was fetched, and a machine where a program in the place of Apptainer builds it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envsnap.formats._halves import Contents, build_script
from envsnap.plan import BatchJob, PlanOptions, plan
from envsnap.sections import Reason, Unknown
from tests import made

SHELLS = [each for each in ("dash", "bash", "busybox") if shutil.which(each)]
CONTENTS = Contents(files=6, size=4 << 20, base=1 << 20, formats=("apptainer",))
APPTAINER = """\
#!/bin/sh
case $1 in
    --version) echo "${FAKE_VERSION:-apptainer version 1.4.5}" ;;
    build)
        case $2 in --help) exit 0 ;; esac
        echo "in $PWD" >&2
        echo "building in $APPTAINER_TMPDIR, $APPTAINER_CACHEDIR" >&2
        case "$*" in *--fakeroot*) echo "with --fakeroot" >&2 ;; esac
        shift $(($# - 2))
        if [ -n "${FAKE_SLEEP:-}" ]; then echo "$1" >"$FAKE_SLEEP"; : >"$1"; sleep 60; fi
        [ -z "${FAKE_FAULT:-}" ] || { echo "$FAKE_FAULT" >&2; exit 255; }
        cp envsnap.def "$1" ;;
    sif) echo "$@" >>"$FAKE_LOG" ;;
    test) echo "Python and 4 packages are those of the manifest"; exit "${FAKE_TEST:-0}" ;;
esac
"""


@dataclass
class Site:
    """A folder that was fetched, and a machine to build on."""

    root: Path
    shell: str

    @property
    def context(self) -> Path:
        return self.root / "a context"

    def start(self, *words: str, script: Path | None = None, **more: str) -> subprocess.Popen[str]:
        argv = [self.shell, *(["sh"] if self.shell == "busybox" else [])]
        variables = {
            "PATH": f"{self.root / 'bin'}:/usr/bin:/bin", "HOME": str(self.root / "home"),
            "ENVSNAP_WORKDIR": str(self.root / "work"), "FAKE_LOG": str(self.root / "log"), **more,
        }  # fmt: skip
        return subprocess.Popen(
            [*argv, str(script or self.context / "build.sh"), *words], cwd=self.root / "here",
            env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def run(self, *words: str, script: Path | None = None, **more: str) -> tuple[int, str, str]:
        """Exit status, what it printed, and what it said, with the folder called ROOT."""
        child = self.start(*words, script=script, **more)
        out, err = child.communicate(timeout=60)
        return child.returncode, self.plain(out), self.plain(err)

    def plain(self, text: str) -> str:
        text = text.replace(str(self.root), "ROOT")
        return re.sub(r"envsnap-build\.\w+", "WORK", text)

    def left(self) -> list[str]:
        """What lies in the working folder, in the present one, and of parts anywhere."""
        parts = [str(each) for each in self.root.rglob("*.part.*")]
        return [*os.listdir(self.root / "work"), *os.listdir(self.root / "here"), *parts]


def site_at(root: Path, shell: str) -> Site:
    """A site below that folder, all of it there but the work."""
    found = Site(root, shell)
    for name in ("bin", "home", "work", "here", "a context"):
        (root / name).mkdir()
    for name, text in (("apptainer", APPTAINER), ("unshare", "#!/bin/sh\nexit 0\n")):
        (root / "bin" / name).write_text(text)
        (root / "bin" / name).chmod(0o755)
    fill(found.context, CONTENTS)
    return found


def fill(context: Path, contents: Contents, job: BatchJob = BatchJob()) -> None:  # noqa: B008 - frozen
    """Write what `--fetch` writes: the script, a recipe, a base, the hashes."""
    options = PlanOptions(job=job)
    planned = plan(made.manifest(), options, lambda _: Unknown(Reason.NOT_ASKED, "not asked"))
    files = {**build_script(planned, contents), "envsnap.def": "Bootstrap: oci-archive\n"}
    files |= {"base.tar": "the base", "envsnap.lock.json": "{}"}
    sums = ""
    for name in sorted(files):
        (context / name).write_text(files[name])
        sums += f"{hashlib.sha256(files[name].encode()).hexdigest()}  {name}\n"
    (context / "SHA256SUMS").write_text(sums)


@dataclass
class HalfWay:
    """A run whose Apptainer is at work, and the processes of it."""

    script: subprocess.Popen[str]
    work: Path
    apptainer: int
    guard: int


def half_way(site: Site) -> HalfWay:
    """A run that is in the midst of its build."""
    mark = site.root / "mark"
    child = site.start(FAKE_SLEEP=str(mark))
    wait_until(lambda: mark.exists() and mark.read_text() != "")
    (work,) = (site.root / "work").iterdir()
    (guard,) = (pid for pid, words in processes() if words[-2:] == ["--guard", str(work)])
    return HalfWay(child, work, int((work / "child").read_text().split()[0]), guard)


def processes() -> list[tuple[int, list[str]]]:
    """Those that have not ended, and their words."""
    found = []
    for each in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{each}/cmdline").read_bytes().decode("utf-8", "replace")
            if words:
                found.append((int(each), words.rstrip("\0").split("\0")))
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what must come to be."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(*wanted: int) -> bool:
    """Whether any of these processes has not ended."""
    return bool({pid for pid, _ in processes()} & set(wanted))
