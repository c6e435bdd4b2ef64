"""The files that lock writes beside the manifest, for other installers to read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from envsnap.cli._sealed import is_sealed, sealed
from envsnap.cli._terminal import clean, columns, folded, payload, say
from envsnap.errors import FileError, PlanError, UsageError
from envsnap.lock._export import PYLOCK_MARK, PYLOCK_NAME, REQUIREMENTS_MARK, Exported
from envsnap.manifest import Manifest
from envsnap.sections import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_SHOWN = 10
_HEAD = 4096  # bytes


class _Form(NamedTuple):
    """A kind of file that can be asked for."""

    option: str
    name: str
    """What it is called where the command line does not say."""
    mark: str
    """What stands in one that envsnap wrote: it may be replaced, unless it was edited."""
    of: str
    write: Callable[[Manifest, Mapping[str, str]], Exported]


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """The options that ask for more files."""
    group = parser.add_argument_group("beside the manifest, for other installers")
    for form in _FORMS:
        group.add_argument(
            f"--{form.option}",
            metavar="FILE",
            nargs="?",
            const="",
            help=f"write {form.of} (default: {form.name})",
        )
    group.add_argument(
        "--force",
        action="store_true",
        help="replace such a file that envsnap did not write, or "
        "that was edited, and at -o another environment's manifest",
    )


def refuse_names(args: argparse.Namespace) -> None:
    """Say at once where `--pylock MANIFEST` took the manifest for the file to write.

    Raises:
        UsageError: PEP 751 has another name for such a file.
    """
    path = args.pylock or "pylock.toml"
    if path != "-" and not PYLOCK_NAME.match(os.path.basename(path)):
        raise UsageError(
            f"A pylock file cannot be called {os.path.basename(path)!a}",
            hint="Call it pylock.toml or pylock.NAME.toml, and put MANIFEST before --pylock",
        )


def asked_files(args: argparse.Namespace, output: str) -> dict[str, str]:
    """Where each file goes that the command line asks for, by its option.

    Raises:
        UsageError: Two things are to be written to one file.
        FileError: There is another file of that name, and no --force.
    """
    folder = "" if output == "-" else os.path.dirname(output)
    found: dict[str, str] = {}
    for form in _FORMS:
        said = getattr(args, form.option.replace("-", "_"))
        if said is None:
            continue
        path = said or os.path.join(folder, form.name)
        if path in {*found.values(), output}:
            raise UsageError(
                f"Two things are to be written to {path!a}", hint="Give each a name of its own"
            )
        _refuse_foreign(path, form.mark, force=args.force)
        found[form.option] = path
    return found


def write_files(
    manifest: Manifest, asked: Mapping[str, str], files: Mapping[str, str], *, quiet: bool
) -> None:
    """Write what was asked for. `files` are those of a wheelhouse, by their SHA-256.

    One list that cannot be made costs none of the others.

    Raises:
        PlanError: One cannot be made of this environment; the others were written.
        FileError: One cannot be written.
    """
    forms = {form.option: form for form in _FORMS}
    refused: list[PlanError] = []
    for option, path in asked.items():
        try:
            exported = forms[option].write(manifest, _beside(path, files))
        except PlanError as error:
            refused.append(error)
            continue
        _write(path, exported, quiet=quiet)
    if refused:
        raise refused[0]


def _write(path: str, exported: Exported, *, quiet: bool) -> None:
    from envsnap.manifest._file import write_whole

    text = sealed(exported.text)
    if path == "-":
        payload(text)
        return
    write_whole(path, text.encode("utf-8", "replace"))
    say(f"Wrote {clean(path)}", quiet=quiet)
    for line in _left_out(exported.left_out):
        say(folded(line, columns()), quiet=quiet)


def _left_out(names: tuple[str, ...]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"  not in it: {clean(', '.join(names[:_SHOWN]))}{more}"]


def _beside(path: str, files: Mapping[str, str]) -> dict[str, str]:
    """The same files as the list at this path names them."""
    folder = os.path.dirname(os.path.abspath(path)) if path != "-" else os.path.abspath(os.curdir)
    return {
        sha256: os.path.relpath(os.path.abspath(file), folder).replace(os.sep, "/")
        for sha256, file in files.items()
    }


def _refuse_foreign(path: str, mark: str, *, force: bool) -> None:
    if path == "-" or force or not os.path.exists(path):
        return
    raw = _read(path)
    if is_sealed(raw):
        return
    is_edited = mark.encode() in raw
    what = "was edited since envsnap wrote it, or an earlier envsnap wrote it"
    raise FileError(
        f"{path} {what if is_edited else 'is there already, and envsnap did not write it'}",
        hint="Name another file, or replace it with --force",
    )


def is_lock(path: str) -> bool:
    """Whether envsnap wrote a file for other installers.

    Raises:
        FileError: It cannot be read.
    """
    head = _read(path, _HEAD)
    return any(form.mark.encode() in head for form in _FORMS)


def _read(path: str, most: int = -1) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error


def _pylock(manifest: Manifest, paths: Mapping[str, str]) -> Exported:
    from envsnap.lock._export import pylock

    return pylock(manifest, paths)


def _requirements(manifest: Manifest, paths: Mapping[str, str]) -> Exported:
    from envsnap.lock._export import requirements

    return requirements(manifest, paths)


def _explicit(manifest: Manifest, paths: Mapping[str, str]) -> Exported:  # noqa: ARG001 - one form
    from envsnap.lock._conda import explicit

    return Exported(explicit(_lock(manifest)), ())


def _conda_lock(manifest: Manifest, paths: Mapping[str, str]) -> Exported:  # noqa: ARG001 - one form
    from envsnap.lock._conda import conda_lock

    return Exported(conda_lock(_lock(manifest), manifest), ())


def _lock(manifest: Manifest) -> Lock:
    if manifest.lock is None:
        raise PlanError("The manifest has no lock", hint="Make one: envsnap lock")
    return manifest.lock


_BY_ENVSNAP = "written by envsnap"
_FORMS = (
    _Form("pylock", "pylock.toml", PYLOCK_MARK, "pylock.toml (PEP 751), for uv", _pylock),
    _Form(
        "requirements", "requirements.txt", REQUIREMENTS_MARK,
        "hash-pinned requirements.txt, for pip", _requirements,
    ),
    _Form("conda-explicit", "conda-explicit.txt", _BY_ENVSNAP, "an @EXPLICIT list", _explicit),
    _Form("conda-lock", "conda-lock.yml", _BY_ENVSNAP, "a conda-lock file", _conda_lock),
)  # fmt: skip
