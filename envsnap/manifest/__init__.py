"""The manifest: one stable JSON file, and the values it stands for."""

from __future__ import annotations

from envsnap.manifest._model import FILE_NAME, SCHEMA, Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap.manifest._anonymous import anonymous
    from envsnap.manifest._decode import decode
    from envsnap.manifest._encode import document, encode
    from envsnap.manifest._file import (
        find,
        from_standard_input,
        load,
        parse,
        read_bytes,
        save,
        write_whole,
    )
    from envsnap.manifest._identity import canonical_name, environment_id, machine_id
    from envsnap.manifest._schema import json_schema

_LATER = {
    "_anonymous": ("anonymous",),
    "_decode": ("decode",),
    "_encode": ("document", "encode"),
    "_file": ("find", "from_standard_input", "load", "parse", "read_bytes", "save", "write_whole"),
    "_identity": ("canonical_name", "environment_id", "machine_id"),
    "_schema": ("json_schema",),
}


def __getattr__(name: str) -> object:
    """Load what not every command needs when it is first asked for."""
    for module, names in _LATER.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f"{__name__}.{module}"), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


__all__ = [
    "FILE_NAME",
    "SCHEMA",
    "Manifest",
    "anonymous",
    "canonical_name",
    "decode",
    "document",
    "encode",
    "environment_id",
    "find",
    "from_standard_input",
    "json_schema",
    "load",
    "machine_id",
    "parse",
    "read_bytes",
    "save",
    "write_whole",
]
