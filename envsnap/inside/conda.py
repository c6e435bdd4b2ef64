"""Unpacks conda archives into an environment of an image, by py-rattler, each by its hash.

Run as `python conda.py LIST PREFIX FOLDER` by a Python that has py-rattler, in a stage of which
the environment alone is kept. LIST is JSON: rows of name, version, build, subdir, filename, url,
sha256 and md5, as a manifest's lock has them. An archive lies in FOLDER/SUBDIR/FILENAME, else it
is fetched there from its url. No script of a package is run. Exit status 0, or 1 with one line.

`envsnap restore` settles an environment by the same code.
"""

import base64
import hashlib
import json
import netrc
import os
import shutil
import sys
import tempfile
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LOCAL = ("package_tarball_full_path", "extracted_package_dir", "link")
"""What conda-meta says of the machine's own cache, which is gone after an installation."""
_AT_ONCE = 8
_ANSWER_S = 60
_PIECE = 1 << 20
_SCHEMES = ("http", "https")


class CondaError(Exception):
    """An archive cannot be had, or has other bytes than the lock says."""


def main(arguments: "list[str]") -> int:
    """Fetch, compare, unpack; answer the exit status."""
    listed, prefix, folder = arguments
    with open(listed, encoding="utf-8") as file:
        rows = json.load(file)
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            archives = list(pool.map(lambda row: archive(row, folder), rows))
        link(archives, prefix)
        for note in settle(rows, prefix):
            print(note)
    except CondaError as error:
        print("conda packages: %s" % error, file=sys.stderr)
        return 1
    print("%d conda packages are in %s" % (len(rows), prefix))
    return 0


def archive(row: "dict[str, Any]", folder: str) -> str:
    """Where the archive of a row lies, once its bytes are those of the lock."""
    path = os.path.join(folder, row["subdir"], row["filename"])
    if not os.path.isfile(path):
        if row["url"] is None:
            raise CondaError("%s is not here, and no channel has it" % row["filename"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _fetch(row["url"], path)
    algorithm = "sha256" if row["sha256"] else "md5"
    with open(path, "rb") as file:
        digest = hashlib.new(algorithm)
        for piece in iter(lambda: file.read(_PIECE), b""):
            digest.update(piece)
    if not row[algorithm] or digest.hexdigest() != row[algorithm]:
        raise CondaError("%s has other bytes than the lock says" % row["filename"])
    return path


def _fetch(url: str, path: str) -> None:
    """Fetch one archive; a name and password come from the file that NETRC names."""
    host = urlsplit(url)
    if host.scheme not in _SCHEMES:
        raise CondaError("%s is no address of a channel" % ascii(url))
    request = urllib.request.Request(url)  # noqa: S310 - the scheme was just compared
    login = _login(host.hostname or "")
    if login:
        # Not for a host that it redirects to: urllib leaves such a header out there.
        request.add_unredirected_header("Authorization", "Basic " + login)
    part = path + ".part"
    try:
        answer = urllib.request.urlopen(request, timeout=_ANSWER_S)  # noqa: S310 - as above
        with answer, open(part, "wb") as file:
            shutil.copyfileobj(answer, file, _PIECE)
    except OSError as error:
        name = os.path.basename(path)
        raise CondaError("%s does not send %s: %s" % (host.hostname, name, error)) from error
    os.replace(part, path)


def _login(host: str) -> str:
    """The name and password of a host as HTTP wants them; empty where there are none."""
    path = os.environ.get("NETRC")
    if not path or not os.path.isfile(path):
        return ""
    found = netrc.netrc(path).authenticators(host)
    if found is None:
        return ""
    return base64.b64encode(("%s:%s" % (found[0], found[2])).encode()).decode("ascii")


def link(archives: "list[str]", prefix: str) -> None:
    """Unpack archives into a new environment, without running a script of theirs."""
    import asyncio

    import rattler

    async def work(cache: Path) -> None:
        records = [await rattler.RepoDataRecord.from_package_archive(path) for path in archives]
        await rattler.install(
            records,
            prefix,
            cache_dir=cache,
            installed_packages=[],
            execute_link_scripts=False,
            show_progress=False,
        )

    parent = os.path.dirname(os.path.abspath(prefix))
    # Beside the environment, so that files are linked and not copied out of it.
    with tempfile.TemporaryDirectory(dir=parent) as cache:
        asyncio.run(work(Path(cache)))


def settle(rows: "list[dict[str, Any]]", prefix: str) -> "list[str]":
    """Let conda-meta name the channels that the archives are of, and not this machine's folders.

    Raises:
        CondaError: There is no record of a package.
    """
    notes = []  # type: list[str]
    for each in rows:
        name = "%s-%s-%s" % (each["name"], each["version"], each["build"])
        path = os.path.join(prefix, "conda-meta", name + ".json")
        try:
            with open(path, encoding="utf-8") as file:
                record = json.load(file)
        except (OSError, ValueError) as error:
            raise CondaError("py-rattler left no record of %s: %s" % (name, error)) from error
        for key in _LOCAL:
            record.pop(key, None)
        if each["md5"]:
            record["md5"] = each["md5"]
        if each["url"]:
            record["url"] = each["url"]
            record["channel"] = each["url"].rsplit("/", 2)[0]
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(record, file, indent=2)
        os.replace(path + ".part", path)
        scripts = [row for row in record.get("files", ()) if row.endswith("-post-link.sh")]
        notes += ["not run: %s, a script of %s" % (script, each["name"]) for script in scripts]
    return notes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
