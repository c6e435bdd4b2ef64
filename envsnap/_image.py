"""The image of recipes: built by an engine, looked into, and compared with its manifest."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from secrets import token_hex

from envsnap._build import BuildOptions, Recipes
from envsnap._record import before_build, record
from envsnap._twice import Twice, compare
from envsnap._verify import after_build
from envsnap.engines import Built, Engine, Job, Listener, choose_workdir
from envsnap.engines._archives import file_hash
from envsnap.engines._sif_builder import half
from envsnap.errors import FileError, ToolError, UsageError
from envsnap.formats import named
from envsnap.formats._context import LOG, add_to_record, write_record
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan import BuildPlan
from envsnap.plan._system_versions import (
    STATUS,
    STATUS_LIMIT_BYTES,
    Versions,
    differing_from,
    versions_of,
)
from envsnap.sections import Packages, Unknown, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from envsnap.host import Host

_TAIL_LINES = 20
_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image, and what differs between it and the manifest it was made from."""

    built: Built
    differences: tuple[str, ...]
    twice: Twice | None = None
    """How a second build of it came out; None where none was asked for."""
    versions: Versions | None = None
    """Of the system packages that the plan installs; None where it installs none."""
    changed: tuple[str, ...] = ()
    """What these are other than at the last build from this folder, in sentences."""


def build_image(recipes: Recipes, options: BuildOptions, listen: Listener) -> Image:
    """The image of the recipes, built, looked into, and compared with the manifest.

    Raises:
        ToolError: The engine is not there, or the build failed; its last words are in the message.
    """
    engine, recipe = engine_of(options)
    job = _job(recipes, recipe, options)
    found: list[_Proof] = []

    def finish(part: str) -> None:
        _as_object(recipes, part)
        found.append(_prove_part(recipes.plan, part))

    built = _built(engine, dataclasses.replace(job, finish=finish), recipes, listen)
    write_record(recipes.folder, _record(recipes, options, built), recipes.files)
    differing, versions = found[0] if found else _prove(recipes.plan, built.reference)
    write_record(recipes.folder, _record(recipes, options, built, versions), recipes.files)
    made = Image(
        built=built, differences=differing, versions=versions,
        changed=differing_from(recipes.earlier, versions),
    )  # fmt: skip
    if not options.twice:
        return made
    with _second(options.image or "") as image:
        again = dataclasses.replace(options, image=image)
        second = _built(engine, _job(recipes, recipe, again), recipes, listen)
        try:
            twice = compare(built, second)
        finally:
            engine.remove(second)
    return dataclasses.replace(made, twice=twice)


def _record(
    recipes: Recipes, options: BuildOptions, built: Built | None, versions: Versions | None = None
) -> Mapping[str, object]:
    if built is None:
        return before_build(recipes.plan, options.formats, recipes.earlier)
    return record(recipes.plan, options.formats, built, versions)


def _job(recipes: Recipes, recipe: str, options: BuildOptions) -> Job:
    planned = recipes.plan
    return Job(
        context=recipes.folder, recipe=recipe, image=options.image or "",
        network="none" if planned.offline else options.network, platform=planned.platform,
        gpu=planned.gpu, secrets=options.secrets,
        workdir=choose_workdir(options.workdir, os.environ), fresh=options.twice,
        epoch=planned.epoch,
        shared_memory=_hands_data_around(planned), listen=_nobody,
        finish=lambda part: _as_object(recipes, part),
    )  # fmt: skip


def _as_object(recipes: Recipes, part: str) -> None:
    after_build(part, recipes.plan.manifest.encode())


def _nobody(_: bytes) -> None:
    """Hear nothing."""


@contextmanager
def _second(image: str) -> Iterator[str]:
    """What the second image is called until it was compared: as nobody's own is.

    A file lies where the next build removes it if this one is killed.
    """
    if not image.endswith(".sif"):
        yield f"envsnap-second:{token_hex(6)}"
        return
    with half(os.path.abspath(image)) as part:
        yield part


def _built(engine: Engine, job: Job, recipes: Recipes, listen: Listener) -> Built:
    """One image; what the engine says is kept beside the recipes where the build fails."""
    said = _Said()

    def keep(piece: bytes) -> None:
        said.add(piece)
        listen(piece)

    def finish(part: str) -> None:
        said.forget()  # what fails from here on is not the engine's
        if job.finish is not None:
            job.finish(part)

    try:
        return engine.build(dataclasses.replace(job, listen=keep, finish=finish))
    except ToolError as error:
        raise _with_tail(error, said, recipes.folder) from error
    finally:
        said.close()


class _Said:
    """What an engine says: the end of it in memory, all of it in a file as long as a disk has room.

    The file is without a name: nothing is left of it, whatever ends us.
    """

    def __init__(self) -> None:
        self.last = bytearray()
        self.log: IO[bytes] | None = None
        with suppress(OSError):  # without a buffer, which would fail once more when it is closed
            self.log = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - forget closes it

    def add(self, piece: bytes) -> None:
        """Keep what was said. A log is an extra: a full disk ends it, and not the build."""
        self.last += piece
        del self.last[:-_TAIL_BYTES]
        if self.log is None:
            return
        try:
            is_whole = self.log.write(piece) == len(piece)
        except OSError:
            is_whole = False
        if not is_whole:
            self.close()

    def forget(self) -> None:
        """Know nothing of what was said."""
        self.last.clear()
        self.close()

    def close(self) -> None:
        """Keep no log from now on."""
        if self.log is not None:
            with suppress(OSError):
                self.log.close()
        self.log = None


def engine_of(options: BuildOptions) -> tuple[Engine, str]:
    """The engine of the one format that makes images, and the recipe it is pointed at.

    Raises:
        UsageError: None of the formats makes an image, more than one does, or none of that name.
        ToolError: The engine is not there, or none is.
    """
    from envsnap.engines._choice import choose, names, refuse_name

    able = [name for name in options.formats if names(name)]
    # A Dockerfile and a Binder folder go well together: the image is then that of the first.
    able = [name for name in able if name != "repo2docker" or len(able) == 1]
    if len(able) != 1:
        raise UsageError(
            "--image needs the one engine that makes it",
            hint="Give --docker or --singularity, not both",
        )
    refuse_name(able[0], options.image or "", options.engine)
    _refuse_own_base(options)
    return choose(able[0], options.engine), named(able[0]).main


def _refuse_own_base(options: BuildOptions) -> None:
    """Refuse an image that would take the place of the very file that it is made from.

    Raises:
        UsageError: It would.
    """
    kind, _, base = (options.plan.base_image or "").partition(":")
    image = options.image or ""
    if kind != "localimage" or not image.endswith(".sif"):
        return
    for path in (base, os.path.join(options.output, base)):  # the engine starts in the folder
        with suppress(OSError):  # what is not there yet is no other file
            if os.path.samefile(path, image):
                raise UsageError(
                    f"{image} is the base image itself, and the new one would take its place",
                    hint="Give another --image FILE.sif",
                )


_LOADERS = frozenset({"torch", "lightning", "pytorch-lightning", "jax", "tensorflow"})
"""Whose data loaders are processes that hand arrays around in shared memory."""


def _hands_data_around(planned: BuildPlan) -> bool:
    installed = (*planned.wheels, *planned.sources)
    names = {*(each.name for each in installed), *(each.name for each in planned.conda)}
    return any(canonical_name(name) in _LOADERS for name in names)


_Proof = tuple[tuple[str, ...], Versions | None]
"""What differs between an image and its manifest, and its system packages."""


def _prove_part(planned: BuildPlan, part: str) -> _Proof:
    """The same of a file that has yet to get its place.

    Raises:
        ToolError: It cannot be looked into.
    """
    try:
        return _prove(planned, part)
    except ToolError as error:
        message = error.message.replace(part, "the new image")
        raise ToolError(message, hint=error.hint) from error


def _prove(planned: BuildPlan, reference: str) -> _Proof:
    """The proof of an image, which is captured like any machine."""
    from envsnap._capture import capture
    from envsnap.host import image_host
    from envsnap.manifest import parse
    from envsnap.probes import Options

    with image_host(reference) as host:
        found = capture(
            host, Options(python=f"{planned.prefix}/bin/python"),
            sections=frozenset({"python", "packages"}),
        )  # fmt: skip
        versions = _versions(host, planned)
    wanted = parse(planned.manifest.encode(), "the plan")
    return differences(wanted, found, planned), versions


def _versions(host: Host, planned: BuildPlan) -> Versions | None:
    """The system packages that the plan installs as the image's own dpkg lists them."""
    names = {name for each in planned.system.image for name in (each.name, *each.in_binder)}
    status = host.read(STATUS, limit=STATUS_LIMIT_BYTES) if names else None
    found = versions_of(status, sorted(names)) if isinstance(status, bytes) else None
    return found if found is not None and found.asked else None


def differences(wanted: Manifest, found: Manifest, planned: BuildPlan) -> tuple[str, ...]:
    """What an image has other than its plan: the rules on Python and packages say it.

    One more package or another patch release is a difference here, for an image is made of
    nothing but its manifest.
    """
    from envsnap._check import check, in_a_line, is_exact
    from envsnap.rules import CheckOptions, Scope

    options = CheckOptions(scope=Scope.NATIVE, select=_OF_THE_IMAGE)
    report = check(_planned(wanted, planned), found, options).report
    counted = [each for each in report.findings if is_exact(each)]
    return (
        *map(in_a_line, counted),
        *(f"not compared: {each.path}: {each.reason}" for each in report.not_checked),
    )


_OF_THE_IMAGE = ("PKG", "PYT")


def _planned(wanted: Manifest, planned: BuildPlan) -> Manifest:
    """The manifest as it was planned: without what was left out.

    What is not the very file that was installed has a content of its own, or none to compare.
    """
    packages = wanted.section(Packages)
    if isinstance(packages, Unknown) or isinstance(packages.installed, Unknown):
        return wanted
    from envsnap._check import as_rebuilt, rebuilt_contents

    without = {canonical_name(each.name) for each in planned.left_out}
    others = rebuilt_contents((*planned.wheels, *planned.sources))
    kept = tuple(
        as_rebuilt(each, others)
        for each in packages.installed
        if canonical_name(each.name) not in without
    )
    section = replace(packages, installed=kept)
    return replace(wanted, sections={**wanted.sections, "packages": section})


def _with_tail(error: ToolError, said: _Said, folder: str) -> ToolError:
    """The error with the engine's last words, and where the rest of them is kept, if it is."""
    words = (line.decode("utf-8", "replace").rstrip() for line in io.BytesIO(said.last))
    lines = deque(words, maxlen=_TAIL_LINES)
    if not any(lines):
        return error
    hint, kept = error.hint, _kept(said.log, folder)
    if kept is not None:
        hint = f"{hint}; the whole log: {kept}" if hint else f"The whole log: {kept}"
    return ToolError("\n  ".join([f"{error.message}; its last words:", *lines]), hint=hint)


def _kept(log: IO[bytes] | None, folder: str) -> str | None:
    """Where the log is kept: beside the recipes, whose record has it for the next run to remove.

    What lies there by its name is somebody's own: an earlier build's was removed as this one began.
    None where it cannot be kept: then nothing of it stays, for no later run would remove it.
    """
    if log is None:
        return None
    is_taken = os.path.lexists(os.path.join(folder, LOG))
    name = f"build.{token_hex(4)}.log" if is_taken else LOG
    place = os.path.join(folder, name)
    try:
        log.seek(0)
        with open(place, "xb") as file:
            shutil.copyfileobj(log, file)
        add_to_record(folder, name, file_hash(place))
    except FileExistsError:  # somebody else's
        return None
    except (OSError, FileError):
        with suppress(OSError):
            os.unlink(place)
        return None
    return place
