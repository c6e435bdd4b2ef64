"""Distributions inside a zip on the search path: zipped eggs, and wheels that were never unpacked.

Only what names them is read, each member to a limit; nothing is written or imported.
"""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.host import FILE_LIMIT_BYTES, Host
from envsnap.probes._dist_info import Found
from envsnap.sections import Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zipfile import ZipFile

_READ = ("METADATA", "PKG-INFO", "WHEEL", "INSTALLER", "direct_url.json")
_MEMBER_LIMIT_BYTES = 65536
_MOST = 64
"""A zip holds one distribution, or what somebody vendored: never hundreds."""


def zipped(host: Host, path: str, layer: str) -> Iterator[Found]:
    """What a zip on the search path holds; nothing where the path leads nowhere."""
    there = host.stat(path)
    if isinstance(there, Unknown) or there is None or there.kind != "file":
        return
    if there.size > FILE_LIMIT_BYTES:
        why = f"a zip of more than {FILE_LIMIT_BYTES >> 20} MiB was not opened"
        yield Found(path, path, "unopened", layer, (), source=why)
        return
    raw = host.read(path)
    if isinstance(raw, Unknown):
        yield Found(path, path, "unopened", layer, (), source=f"it could not be read: {raw}")
    elif raw is not None and raw[:2] == b"PK":
        yield from _held(raw, path, layer)


def _held(raw: bytes, path: str, layer: str) -> Iterator[Found]:
    from io import BytesIO
    from struct import error as struct_error
    from zipfile import BadZipFile, ZipFile
    from zlib import error as zlib_error

    damaged = (BadZipFile, EOFError, OSError, RuntimeError, ValueError, struct_error, zlib_error)
    try:
        with ZipFile(BytesIO(raw)) as archive:
            yield from list(_distributions(archive, path, layer))
    except damaged as error:  # RuntimeError: it wants a password, or an unknown compression
        why = f"a zip that could not be read: {type(error).__name__}"
        yield Found(path, path, "unopened", layer, (), source=why)


def _distributions(archive: ZipFile, path: str, layer: str) -> Iterator[Found]:
    files: dict[str, list[str]] = {}
    for member in archive.namelist():
        folder, slash, name = member.partition("/")
        if slash and name and (folder == "EGG-INFO" or folder.endswith(".dist-info")):
            files.setdefault(folder, []).append(name)
    for folder, names in sorted(files.items())[:_MOST]:
        held = {
            f"{path}/{folder}/{name}": _start(archive, f"{folder}/{name}")
            for name in names
            if name in _READ
        }
        yield Found(
            f"{path}/{folder}", path, "zip", layer, tuple(sorted(set(names))), held=held
        )  # fmt: skip


def _start(archive: ZipFile, name: str) -> bytes:
    from zipfile import ZIP_DEFLATED, ZIP_STORED

    member = archive.getinfo(name)
    if member.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
        raise NotImplementedError(name)  # Python itself imports from no other
    with archive.open(member) as opened:
        return opened.read(_MEMBER_LIMIT_BYTES)
