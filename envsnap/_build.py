"""build: a manifest becomes recipes, and an image that proves itself against its manifest."""

from __future__ import annotations

import dataclasses
import os
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from envsnap._project import project_code
from envsnap._record import before_build, earlier_versions
from envsnap.engines._locks import hold
from envsnap.errors import FileError, PlanError
from envsnap.formats import named
from envsnap.formats._context import (
    SUMS,
    Carried,
    begin_context,
    claim,
    digests,
    read_record,
    remove,
    write_context,
    write_record,
)
from envsnap.formats._files import PROJECT, conda_place
from envsnap.formats._standing import look
from envsnap.lock._trust import Trust, host_counts, host_of, is_inside, refusal
from envsnap.manifest import Manifest
from envsnap.plan import BaseImage, BuildPlan, PlanOptions, Resolve, plan
from envsnap.plan._estimate import cost_of_plan
from envsnap.plan._explained import names_base
from envsnap.plan._layers import Travels, travelling_tools
from envsnap.plan._model import WHEELS
from envsnap.plan._plan import refuse_unknown
from envsnap.plan._safe import reference as image_reference
from envsnap.plan._system import refuse_without_archives
from envsnap.plan._system_versions import Versions
from envsnap.sections import Fact, Reason, Unknown
from envsnap.wheelhouse._stand_in import stand_ins
from envsnap.wheelhouse._store import Wheelhouse, open_wheelhouse

OUTPUT = "envsnap-build"
Weigh = Callable[[BaseImage, str], Mapping[str, int]]
"""Asks a registry how many bytes of an image it sends for a platform, as `PlanOptions.sizes`."""


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What is written, and where."""

    formats: tuple[str, ...] = ("dockerfile",)
    output: str = OUTPUT
    image: str | None = None
    """The image to make from the one format that has an engine; None to write recipes alone."""
    network: str | None = None
    force: bool = False
    """Write into a folder that is not ours, and over what somebody else wrote there."""
    manifest: str | None = None
    """The file that the manifest was read from, which stays as it is; None where it was none."""
    plan: PlanOptions = field(default_factory=PlanOptions)
    wheelhouse: str | None = None
    """Where the files lie that no index has."""
    own_hosts: frozenset[str] = frozenset()
    """Hosts and origins of the user's own settings, as `Trust.own` has them."""
    engine: str | None = None
    """The engine to build with, by its name; None for the best that this machine has."""
    with_project: bool | None = None
    """Whether the project's own code goes into the image; None where its tree is clean."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Files that the build may read and no layer keeps: where they lie here, by their id."""
    workdir: str | None = None
    """Where every tool keeps what passes by; None for $SCRATCH, else $TMPDIR."""
    twice: bool = False
    """Build two times, and compare."""


@dataclass(frozen=True, kw_only=True)
class Recipes:
    """Recipes on disk."""

    plan: BuildPlan
    folder: str
    files: Mapping[str, str]
    """What was written, by path: its SHA-256."""
    notes: tuple[str, ...] = ()
    """What is not in the image though one might think so, and what became of other files."""
    cost: str = ""
    """What a build fetches and unpacks, in a line."""
    earlier: Versions | None = None
    """The system packages that the last image from this folder got; None where none is known."""


def resolve_here(reference: str) -> Fact[str]:
    """The digest of an image that Docker has here already; nobody is asked over the network."""
    from envsnap.engines import docker

    nobody = Unknown(Reason.NOT_RECORDED, "--offline: no registry was asked")
    return docker.pulled_digest(reference) or nobody


def _resolve_nothing(_reference: str) -> Fact[str]:
    """No digest: no registry need have an image that nothing starts from."""
    return Unknown(Reason.NOT_ASKED, "nothing that is written starts from it")


def resolve_digest(reference: str) -> Fact[str]:
    """The digest of an image, from the Docker daemon, else from the registry itself."""
    from envsnap.engines import docker
    from envsnap.images import registry

    found = docker.digest(reference)
    if not isinstance(found, Unknown) or found.reason is not Reason.TOOL_MISSING:
        return found
    repository, tag, _ = image_reference(reference, "the base image")
    return registry.digest(repository, tag or "latest")


def registry_of(reference: str) -> str:
    """The host of an image's registry. Docker, where it runs, may ask a mirror in its place."""
    from envsnap.images import registry

    return registry.host_of(image_reference(reference, "the base image")[0])


def image_hosts(planned: BuildPlan) -> tuple[str, ...]:
    """The hosts that the building of an image talks to, as far as they can be told before."""
    images = [planned.base, *([planned.builder] if planned.builder else [])]
    registries = [registry_of(each.reference) for each in images if not each.is_file]
    if planned.offline:
        return tuple(dict.fromkeys(registries))
    files = (*planned.wheels, *planned.sources)
    urls = [*(each.url for each in files), *(each.url for each in planned.conda)]
    named_hosts = [f"{host} ({count})" for host, count in host_counts(urls)]
    interpreter = host_of(planned.interpreter.url or "")
    uses_index = planned.sources or planned.installer.version is not None
    tools = ["pip's default index"] * bool(uses_index)
    system = ["the base image's own package archive"] * bool(planned.system.image)
    others = [*([interpreter] if interpreter else []), *tools, *system]
    return tuple(dict.fromkeys([*registries, *named_hosts, *others]))


def build(
    manifest: Manifest,
    options: BuildOptions = BuildOptions(),
    resolve: Resolve = resolve_digest,
    weigh: Weigh | None = None,
) -> Recipes:
    """The recipes, written; `resolve` asks for the base image's digest, `weigh` for its size.

    Raises:
        PlanError: No image can be planned from this manifest.
        FileError: The folder is not ours, or cannot be written.
    """
    resolve, weigh = asking(options.formats, resolve, weigh)
    chosen = [named(name) for name in options.formats]
    _take(options.output, force=options.force)
    wheelhouse = open_wheelhouse(options.wheelhouse) if options.wheelhouse is not None else None
    given = _given(manifest, options.plan, wheelhouse)
    refuse_inside(_addresses(manifest, given.alone), options.own_hosts)
    with tempfile.TemporaryDirectory(prefix="envsnap-") as work:
        archive = os.path.join(work, PROJECT)
        packed = project_code(manifest, options.formats, archive, asked=options.with_project)
        planned = plan(manifest, dataclasses.replace(given, project=packed.code), resolve)
        address = planned.interpreter.url
        if planned.offline:
            refuse_without_archives(planned.system)
            planned = without_network(planned)
        files = {path: text for each in chosen for path, text in each.render(planned).items()}
        carried = {**_carried(planned, wheelhouse), **_tools(planned, wheelhouse, address)}
        if packed.code is not None:
            carried[PROJECT] = Carried(archive, packed.code.sha256)
        earlier = earlier_versions(options.output, planned.environment)
        told = before_build(planned, options.formats, earlier)
        written, said = _written(options, told, files, carried)
    cost = cost_of_plan(planned, _weighed(planned, given, weigh)).told()
    return Recipes(plan=planned, folder=options.output, files=written, cost=cost, earlier=earlier,
                   notes=(*planned.notes, *packed.notes, *said))  # fmt: skip


def _written(
    options: BuildOptions,
    record: Mapping[str, object],
    files: Mapping[str, str],
    carried: Mapping[str, Carried],
) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """What was written, by SHA-256, and what became of files that were there, in sentences."""
    folder, wanted = options.output, digests(files, carried)
    standing = look(folder, wanted, options.manifest)
    standing.refuse_others(folder, force=options.force)
    written = {path: digest for path, digest in wanted.items() if path not in standing.own}
    begin_context(folder, record, written, standing.written)
    remove(folder, (*standing.stale, *standing.unfinished))
    write_context(folder, files, carried, own=standing.own)
    write_record(folder, record, written)
    return written, standing.notes


def asking(
    formats: Iterable[str], resolve: Resolve, weigh: Weigh | None = None
) -> tuple[Resolve, Weigh | None]:
    """Who is asked about the base image: nobody where no format starts from it."""
    return (resolve, weigh) if names_base(formats) else (_resolve_nothing, None)


def _given(manifest: Manifest, options: PlanOptions, wheelhouse: Wheelhouse | None) -> PlanOptions:
    """The options with what the wheelhouse has, and which files travel."""
    stored = frozenset(each.sha256 for each in wheelhouse.files) if wheelhouse else frozenset()
    return dataclasses.replace(
        options,
        stored=stored,
        alone=_travelling(manifest, stored, offline=options.offline),
        stand_ins=stand_ins(manifest, wheelhouse) if wheelhouse else {},
    )


def _weighed(planned: BuildPlan, options: PlanOptions, weigh: Weigh | None) -> PlanOptions:
    """The options with the size of the base image, where its registry says it."""
    if weigh is None or planned.offline:
        return options
    base = weigh(planned.base, planned.platform)
    return dataclasses.replace(options, sizes={**options.sizes, **base})


def without_network(planned: BuildPlan) -> BuildPlan:
    """The plan whose interpreter lies beside the recipe, too, and is unpacked in its own base."""
    interpreter = dataclasses.replace(planned.interpreter, url=None)
    builder = planned.builder if planned.conda else None  # whose unpacker needs a Python
    return dataclasses.replace(planned, interpreter=interpreter, builder=builder)


def refuse_early(manifest: Manifest, options: BuildOptions) -> None:
    """Refuse what can be told before anybody is asked over the network.

    Raises:
        PlanError: No image can be planned from this manifest.
        FileError: The folder is not ours, or a file of the wheelhouse has other bytes.
    """
    claim(options.output, force=options.force)
    refuse_unknown(manifest, options.plan)
    if options.wheelhouse is not None:
        lock = manifest.lock  # without one, every file may travel
        alone = None if lock is None else {e.sha256 for e in lock.artifacts if e.url is None}
        open_wheelhouse(options.wheelhouse).refuse_spoiled(alone)


@contextmanager
def alone(folder: str) -> Iterator[None]:
    """Nobody else writes recipes into the folder, or builds from it, until the block ends.

    Raises:
        FileError: Another run does so now, or it cannot be made.
    """
    existed = os.path.isdir(folder)
    try:
        os.makedirs(folder, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise FileError(f"Cannot write into {folder}: {error.strerror}") from error
    try:
        if hold(handle) is False:
            raise FileError(
                f"Another run builds in {folder}", hint="Wait for it, or give another -o DIR"
            )
        yield
    finally:
        os.close(handle)
        if not existed:
            with suppress(OSError):  # what was refused leaves no folder
                os.rmdir(folder)


def _take(folder: str, *, force: bool) -> None:
    """Make sure that the folder may be written into, and is none that was fetched.

    Raises:
        FileError: It holds somebody else's files, or all that a machine without a network needs.
    """
    claim(folder, force=force)
    was_fetched = (read_record(folder) or {}).get("fetched") is True
    if was_fetched and not force and os.path.lexists(os.path.join(folder, SUMS)):
        raise FileError(
            f"{folder} was fetched for a machine without a network, and recipes alone would take "
            "it apart",
            hint="Name another folder with -o, or give --force",
        )


def addresses(manifest: Manifest, wheelhouse: str | None) -> tuple[str, ...]:
    """Every address that the recipes of a manifest fetch from; of what travels with them none.

    Raises:
        FileError: The wheelhouse cannot be used.
    """
    files = open_wheelhouse(wheelhouse).files if wheelhouse is not None else ()
    stored = frozenset(each.sha256 for each in files)
    return _addresses(manifest, _travelling(manifest, stored, offline=False))


def _addresses(manifest: Manifest, travelling: frozenset[str]) -> tuple[str, ...]:
    lock = manifest.lock
    known = [(each.url, each.sha256) for each in lock.artifacts] if lock is not None else []
    known += [(each.url, str(each.sha256)) for each in lock.conda] if lock is not None else []
    return tuple(url for url, sha256 in known if url and sha256 not in travelling)


def _travelling(manifest: Manifest, stored: frozenset[str], *, offline: bool) -> frozenset[str]:
    """The files that travel though the lock has an address of them: all, where there is no network.

    Else those of a wheelhouse that the lock names at an address of an inner network.
    """
    lock = manifest.lock
    if lock is None:
        return frozenset()
    known = [(each.sha256, each.url) for each in lock.artifacts]
    known += [(each.sha256, each.url) for each in lock.conda if isinstance(each.sha256, str)]
    if offline:
        return frozenset(sha256 for sha256, _ in known)
    inside = (sha256 for sha256, url in known if is_inside(host_of(url or "") or ""))
    return frozenset(inside) & stored


def refuse_inside(urls: Iterable[str], own: frozenset[str]) -> None:
    """Refuse addresses that send whoever builds into a network: to this machine or its neighbours.

    Raises:
        PlanError: One does, and its origin is not the user's own.
    """
    for url in urls:
        host = host_of(url)
        if host is None or not is_inside(host):
            continue
        why = refusal(url, Trust(own=own, allowed=frozenset({host})))
        if why is not None:
            raise PlanError(
                f"{url.rpartition('/')[2][:120]!a} is not fetched: {why}",
                hint="If it is your own index, name it (--index-url URL); or name the wheelhouse "
                "that has the file: --wheelhouse DIR",
            )


def _carried(planned: BuildPlan, wheelhouse: Wheelhouse | None) -> dict[str, Carried]:
    """The packages that travel with the recipe, by where they go."""
    if wheelhouse is None:
        return {}
    here = {each.sha256: each for each in wheelhouse.files}
    wanted = [(f"{WHEELS}/{each.filename}", each.sha256) for each in planned.carried]
    wanted += [(conda_place(each), str(each.sha256)) for each in planned.carried_conda]
    return {
        path: Carried(os.path.join(wheelhouse.folder, *here[sha256].filename.split("/")), sha256)
        for path, sha256 in wanted
    }


def _tools(
    planned: BuildPlan, wheelhouse: Wheelhouse | None, address: str | None
) -> dict[str, Carried]:
    """What installs, and the interpreter where it is an archive, where these travel.

    `address` is where the interpreter's archive can be had.

    Raises:
        PlanError: One is not in the wheelhouse.
    """
    found: dict[str, Carried] = {}
    for each in travelling_tools(planned):
        at = os.path.join(wheelhouse.folder, each.filename) if wheelhouse else each.filename
        if not os.path.isfile(at):
            folder = shlex.quote(wheelhouse.folder if wheelhouse else "DIR")
            bringing = _bringing(each, folder, address)
            raise PlanError(
                f"Without a network the build needs {each.filename}, which the wheelhouse lacks",
                hint=f"Where there is a network, put it there: {bringing}; or have all of it "
                "fetched: envsnap build --docker --fetch -o DIR",
            )
        found[f"{WHEELS}/{each.filename}"] = Carried(at, each.sha256)
    return found


def _bringing(file: Travels, folder: str, address: str | None) -> str:
    """The command that puts a tool's file, or the interpreter's, into a wheelhouse."""
    if not file.tool and address is not None:
        return f"curl -fL -o {folder}/{file.filename} {shlex.quote(address)}"
    name, version = file.filename.split("-")[:2]
    return f"pip download --no-deps -d {folder} {name}=={version}"
