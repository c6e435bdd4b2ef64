"""Recordings on disk: a folder, or one .tar, of `files.json` and `host.json`.

The same answers are the same bytes: rows are sorted, and a tar knows no time and no owner.
`tests/hosts/README.md` has the format for people who write one by hand.
"""

from __future__ import annotations

import io
import os

from envsnap.errors import FileError, ManifestError
from envsnap.host._answers import Answers
from envsnap.host._recording_read import read_files, read_host
from envsnap.host._recording_write import files_text, host_text

LIMIT_BYTES = 256 * 1024 * 1024
"""Larger recordings are refused before they are parsed."""
_NAMES = ("files.json", "host.json")


def save(answers: Answers, path: str) -> None:
    """Write the recording as a folder, or as one file where the name ends in .tar.

    Raises:
        FileError: It cannot be written.
    """
    from envsnap.manifest import write_whole

    texts = {"files.json": files_text(answers).encode(), "host.json": host_text(answers).encode()}
    if path.endswith(".tar"):
        write_whole(path, _as_tar(texts), mode=0o600)
        return
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise FileError(f"Cannot make the folder {path}: {error.strerror}") from error
    for name, raw in texts.items():
        write_whole(os.path.join(path, name), raw, mode=0o600)


def _as_tar(texts: dict[str, bytes]) -> bytes:
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, raw in sorted(texts.items()):
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            member.mode = 0o600
            tar.addfile(member, io.BytesIO(raw))
    return packed.getvalue()


def load(path: str) -> Answers:
    """The answers that a folder or a .tar file holds.

    Raises:
        ManifestError: It is no recording; the message says which file and where in it.
        FileError: It cannot be read.
    """
    try:
        texts = _from_folder(path) if os.path.isdir(path) else _from_tar(path)
    except FileNotFoundError:
        raise ManifestError(f"No recording at {path}") from None
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror or error}") from error
    answers = Answers()
    for name, read in (("host.json", read_host), ("files.json", read_files)):
        where = f"{path}: {name}"
        read(_parsed(texts[name], where), where, answers)
    return answers


def is_recording(path: str) -> bool:
    """Whether a folder or a .tar file is a recording that can be read.

    Raises:
        FileError: It cannot be read at all.
    """
    try:
        load(path)
    except ManifestError:
        return False
    return True


def is_of_recording(path: str) -> bool:
    """Whether a file is a recording, or one of the two that are one together.

    Raises:
        FileError: It cannot be read at all.
    """
    folder, name = os.path.split(path)
    return is_recording((folder or os.curdir) if name in _NAMES else path)


def _parsed(raw: bytes, where: str) -> object:
    from envsnap.manifest._file import parse_json

    try:
        return parse_json(raw)
    except ManifestError as error:
        raise ManifestError(f"{where}: {error.message}", hint=error.hint) from None


def _from_folder(path: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in _NAMES:
        place = os.path.join(path, name)
        if not os.path.isfile(place):
            raise ManifestError(f"{path}: Not a recording: it has no file {name}")
        with open(place, "rb") as file:
            found[name] = _limited(file.read(LIMIT_BYTES + 1), path)
    return found


def _from_tar(path: str) -> dict[str, bytes]:
    """The two files, read and never unpacked: nothing in a tar can reach outside of it."""
    import tarfile

    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, mode="r:") as tar:
            for member in tar:
                if member.name not in _NAMES or not member.isreg() or member.name in found:
                    raise ManifestError(f"{path}: Not a recording: it holds {member.name!a}")
                content = tar.extractfile(member)
                raw = content.read(LIMIT_BYTES + 1) if content is not None else b""
                found[member.name] = _limited(raw, path)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise ManifestError(f"{path}: Not a recording: no folder and no tar ({error})") from None
    for name in _NAMES:
        if name not in found:
            raise ManifestError(f"{path}: Not a recording: it has no file {name}")
    return found


def _limited(raw: bytes, path: str) -> bytes:
    if len(raw) > LIMIT_BYTES:
        raise ManifestError(f"{path}: Larger than {LIMIT_BYTES >> 20} MiB: not a recording")
    return raw


def describe(answers: Answers) -> str:
    """One line for the person who made the recording: what is in it, and whom it names."""
    files = sum(isinstance(found, bytes) for found in answers.reads.values())
    size = sum(len(found) for found in answers.reads.values() if isinstance(found, bytes))
    variables = sum(isinstance(found, str) for found in answers.environ.values())
    return (
        f"{files} files ({size >> 10} KiB), the answers of {len(answers.runs)} commands and "
        f"{variables} environment variables; it names this user and their folders: "
        "read it before you share it"
    )
