"""build: a manifest becomes recipes, and an image that proves itself against its manifest."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from envsnap.engines import Built, Engine, Job, Listener
from envsnap.errors import PlanError, ToolError, UsageError
from envsnap.formats import named
from envsnap.formats._context import Carried, claim, write_context, write_record
from envsnap.lock._trust import Trust, host_counts, host_of, is_inside, refusal
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan import BuildPlan, PlanOptions, Resolve, plan
from envsnap.plan._model import WHEELS
from envsnap.plan._safe import reference as image_reference
from envsnap.sections import Fact, Packages, Reason, Unknown, replace
from envsnap.wheelhouse._store import Wheelhouse, open_wheelhouse

OUTPUT = "envsnap-build"
_LOG = "build.log"
_TAIL_LINES = 20


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What is written, and where."""

    formats: tuple[str, ...] = ("dockerfile",)
    output: str = OUTPUT
    image: str | None = None
    """The image to make from the one format that has an engine; None to write recipes alone."""
    network: str | None = None
    force: bool = False
    """Write into a folder that is not ours."""
    plan: PlanOptions = field(default_factory=PlanOptions)
    wheelhouse: str | None = None
    """Where the files lie that no index has."""
    own_hosts: frozenset[str] = frozenset()
    """Hosts and origins of the user's own settings, as `Trust.own` has them."""


@dataclass(frozen=True, kw_only=True)
class Recipes:
    """Recipes on disk."""

    plan: BuildPlan
    folder: str
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image, and what differs between it and the manifest it was made from."""

    built: Built
    differences: tuple[str, ...]


def resolve_digest(reference: str) -> Fact[str]:
    """The digest of an image, from the Docker daemon, else from the registry itself."""
    from envsnap.engines import docker, registry

    found = docker.digest(reference)
    if not isinstance(found, Unknown) or found.reason is not Reason.TOOL_MISSING:
        return found
    repository, tag, _ = image_reference(reference, "the base image")
    return registry.digest(repository, tag or "latest")


def registry_of(reference: str) -> str:
    """The host of an image's registry. Docker, where it runs, may ask a mirror in its place."""
    from envsnap.engines import registry

    return registry.host_of(image_reference(reference, "the base image")[0])


def image_hosts(planned: BuildPlan) -> tuple[str, ...]:
    """The hosts that the building of an image talks to, as far as they can be told before."""
    counts = host_counts(each.url for each in (*planned.wheels, *planned.sources))
    files = [f"{host} ({count})" for host, count in counts]
    tools = ["pip's default index"] if planned.sources else []
    return tuple(dict.fromkeys([registry_of(planned.base.reference), *files, *tools]))


def build(
    manifest: Manifest, options: BuildOptions = BuildOptions(), resolve: Resolve = resolve_digest
) -> Recipes:
    """The recipes of a locked manifest, written; `resolve` asks for the base image's digest.

    Raises:
        PlanError: No image can be planned from this manifest.
        FileError: The folder is not ours, or cannot be written.
    """
    chosen = [named(name) for name in options.formats]
    claim(options.output, force=options.force)
    wheelhouse = open_wheelhouse(options.wheelhouse) if options.wheelhouse is not None else None
    stored = frozenset(each.sha256 for each in wheelhouse.files) if wheelhouse else frozenset()
    travelling = _travelling(manifest, stored)
    asked = dataclasses.replace(options.plan, stored=stored, alone=travelling)
    refuse_inside(_addresses(manifest, travelling), options.own_hosts)
    planned = plan(manifest, asked, resolve)
    files: dict[str, str] = {}
    for each in chosen:
        files.update(each.render(planned))
    carried = _carried(planned, wheelhouse) if wheelhouse else {}
    write_context(options.output, files, carried)
    recipes = Recipes(plan=planned, folder=options.output, files=tuple(sorted({*files, *carried})))
    write_record(options.output, _record(recipes, options, None), recipes.files)
    return recipes


def addresses(manifest: Manifest, wheelhouse: str | None) -> tuple[str, ...]:
    """Every address that the recipes of a manifest fetch from; of what travels with them none.

    Raises:
        FileError: The wheelhouse cannot be used.
    """
    files = open_wheelhouse(wheelhouse).files if wheelhouse is not None else ()
    stored = frozenset(each.sha256 for each in files)
    return _addresses(manifest, _travelling(manifest, stored))


def _addresses(manifest: Manifest, travelling: frozenset[str]) -> tuple[str, ...]:
    artifacts = manifest.lock.artifacts if manifest.lock is not None else ()
    return tuple(each.url for each in artifacts if each.url and each.sha256 not in travelling)


def _travelling(manifest: Manifest, stored: frozenset[str]) -> frozenset[str]:
    """The files of a wheelhouse that the lock names at an address of an inner network."""
    artifacts = manifest.lock.artifacts if manifest.lock is not None else ()
    inside = (each.sha256 for each in artifacts if is_inside(host_of(each.url or "") or ""))
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


def _carried(planned: BuildPlan, wheelhouse: Wheelhouse) -> Mapping[str, Carried]:
    """The files that travel with the recipe, by where they go."""
    here = {each.sha256: each for each in wheelhouse.files}
    return {
        f"{WHEELS}/{each.filename}": Carried(
            os.path.join(wheelhouse.folder, *here[each.sha256].filename.split("/")), each.sha256
        )
        for each in planned.carried
    }


def build_image(recipes: Recipes, options: BuildOptions, listen: Listener) -> Image:
    """The image of the recipes, built, looked into, and compared with the manifest.

    Raises:
        ToolError: The engine is not there, or the build failed; its last words are in the message.
    """
    engine, recipe = engine_of(options)
    log = os.path.join(recipes.folder, _LOG)
    with open(log, "wb") as file:

        def keep(piece: bytes) -> None:
            file.write(piece)
            file.flush()
            listen(piece)

        job = Job(
            context=recipes.folder, recipe=recipe, image=options.image or "",
            network=options.network, platform=recipes.plan.platform, gpu=recipes.plan.gpu,
            listen=keep,
        )  # fmt: skip
        try:
            built = engine.build(job)
        except ToolError as error:
            raise _with_tail(error, log) from error
        except BaseException:
            os.unlink(log)  # an interrupted build has nothing to explain
            raise
    os.unlink(log)
    write_record(recipes.folder, _record(recipes, options, built), recipes.files)
    return Image(built=built, differences=_prove(recipes.plan, built))


def engine_of(options: BuildOptions) -> tuple[Engine, str]:
    """The engine of the one format that makes images, and the recipe it is pointed at.

    Raises:
        UsageError: None of the formats makes an image, more than one does, or none of that name.
    """
    from envsnap.engines.apptainer import Apptainer
    from envsnap.engines.docker import Docker

    engines: Mapping[str, Callable[[], Engine]] = {"dockerfile": Docker, "apptainer": Apptainer}
    able = [name for name in options.formats if name in engines]
    if len(able) != 1:
        raise UsageError(
            "--image needs the one engine that makes it",
            hint="Give --docker or --singularity, not both",
        )
    engine = engines[able[0]]()
    engine.refuse_name(options.image or "")
    return engine, named(able[0]).main


def _prove(planned: BuildPlan, built: Built) -> tuple[str, ...]:
    """What differs between the image and its manifest: the image is captured like any machine."""
    from envsnap._capture import capture
    from envsnap.host import image_host
    from envsnap.manifest import parse
    from envsnap.probes import Options

    with image_host(built.reference) as host:
        found = capture(
            host, Options(python=f"{planned.prefix}/bin/python"),
            sections=frozenset({"python", "packages"}),
        )  # fmt: skip
    wanted = parse(planned.manifest.encode(), "the plan")
    return differences(wanted, found, planned)


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
    from envsnap._check import rebuilt_contents

    without = {canonical_name(each.name) for each in planned.left_out}
    others = rebuilt_contents((*planned.wheels, *planned.sources))
    kept = tuple(
        replace(each, content=others.get(canonical_name(each.name), each.content))
        for each in packages.installed
        if canonical_name(each.name) not in without
    )
    section = replace(packages, installed=kept)
    return replace(wanted, sections={**wanted.sections, "packages": section})


def _with_tail(error: ToolError, log: str) -> ToolError:
    with open(log, encoding="utf-8", errors="replace") as file:
        tail = [line.rstrip() for line in file][-_TAIL_LINES:]
    if not any(tail):
        os.unlink(log)
        return error
    return ToolError(
        "\n  ".join([f"{error.message}; its last words:", *tail]), hint=f"The whole log: {log}"
    )


def _record(recipes: Recipes, options: BuildOptions, built: Built | None) -> Mapping[str, object]:
    planned = recipes.plan
    digest = None if isinstance(planned.base.digest, Unknown) else planned.base.digest
    image = built and {"engine": built.engine, "id": built.id, "name": built.name}
    return {
        "base": {"digest": digest, "reference": planned.base.reference},
        "captured": planned.captured,
        "environment": planned.environment,
        "formats": sorted(options.formats),
        "image": image,
        "left_out": [each.name for each in planned.left_out],
        "manifest_sha256": planned.manifest_sha256,
        "platform": planned.platform,
    }
