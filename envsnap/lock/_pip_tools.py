"""Asks pip-tools for the hashes and pip's report for the addresses, where uv may not be used.

Both resolve for the Python they run on, so they serve an environment of the same minor version.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from envsnap.engines import run
from envsnap.errors import MissingExtraError, ToolError, UsageError
from envsnap.lock._choose import Target
from envsnap.lock._hosts import Indexes
from envsnap.lock._pylock import File, Release
from envsnap.lock._redact import redacted, secrets_of
from envsnap.lock._uv import Answer
from envsnap.manifest import canonical_name

_TIMEOUT_S = 1800.0


def ask_pip_tools(versions: Mapping[str, str], target: Target, indexes: Indexes) -> Answer:
    """The release behind each name and version: the one file that pip would take.

    Raises:
        UsageError: This Python's minor version is not the environment's.
        MissingExtraError: pip-tools is not installed.
        ToolError: It failed.
    """
    if sys.version_info[:2] != target.python:
        here, there = (f"{a}.{b}" for a, b in (sys.version_info[:2], target.python))
        raise UsageError(
            f"pip-tools answers for Python {here}, on which it runs; the environment has {there}",
            hint="Use --locker uv",
        )
    if importlib.util.find_spec("piptools") is None:
        raise MissingExtraError("pip-tools", "lock")
    from importlib.metadata import version  # it loads the mail library, which uv's way spares

    locker = f"pip-tools {version('pip-tools')}"
    with tempfile.TemporaryDirectory(prefix="envsnap-lock-") as folder:
        wanted = os.path.join(folder, "requirements.in")
        hashed = os.path.join(folder, "hashed.txt")
        with open(wanted, "w", encoding="utf-8") as file:
            file.writelines(f"{name}=={each}\n" for name, each in versions.items())
        _ran(["piptools", "compile", "--quiet", "--generate-hashes", "--allow-unsafe",
              "--no-header", "--no-annotate", "--strip-extras", "--no-emit-index-url",
              "--no-emit-trusted-host", "--output-file", hashed, wanted], indexes)  # fmt: skip
        report = _ran(["pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps",
                       "--require-hashes", "--report", "-", "-r", hashed], indexes)  # fmt: skip
    return Answer(locker, parse_report(report), {})


def _ran(words: Sequence[str], indexes: Indexes) -> str:
    variables = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", **_variables(indexes)}
    done = run([sys.executable, "-m", *words], timeout_s=_TIMEOUT_S, variables=variables)
    if done.status:
        said = redacted(" ".join(done.stderr.split()), secrets_of(indexes, os.environ))
        raise ToolError(
            f"{' '.join(words[:2])} found no answer: {said[-400:]}",
            hint="Use --locker uv, which leaves out what is on no index and lists sources",
        )
    return done.stdout


def _variables(indexes: Indexes) -> Mapping[str, str]:
    found = {
        "PIP_ONLY_BINARY": ":all:",  # pip would run the build backends of sources
        "PIP_NO_INDEX": "1" if indexes.no_index else "",
        "PIP_INDEX_URL": indexes.default or "",
        "PIP_EXTRA_INDEX_URL": " ".join(indexes.extra),
        "PIP_FIND_LINKS": " ".join(indexes.find_links),
    }
    return {name: value for name, value in found.items() if value}


def parse_report(text: str) -> Mapping[str, Release]:
    """The one file of each distribution in pip's installation report.

    Raises:
        ToolError: The text is no such report.
    """
    try:
        rows = json.loads(text)["install"]
        return {canonical_name(row["metadata"]["name"]): _release(row) for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(f"pip's report cannot be read: {type(error).__name__}: {error}") from None


def _release(row: Any) -> Release:  # noqa: ANN401 - JSON; what it lacks is caught above
    download = row["download_info"]
    url = str(download["url"])
    found = str(download["archive_info"]["hashes"]["sha256"])
    if not re.fullmatch("[0-9a-f]{64}", found):
        message = "a SHA-256 of another form"
        raise ValueError(message)
    file = File(unquote(url).rpartition("/")[2], url, found, None)
    wheels = (file,) if file.filename.endswith(".whl") else ()
    return Release(str(row["metadata"]["version"]), wheels, None if wheels else file)
