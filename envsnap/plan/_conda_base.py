"""Which image conda's packages are unpacked in, and lie in afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envsnap import facts
from envsnap.errors import PlanError
from envsnap.facts import installers, python_images
from envsnap.plan import _floor, _safe
from envsnap.plan._base import Start, Wanted, beside_asked, digest_reason
from envsnap.plan._candidate import Candidate, Choice, Setting, settle
from envsnap.plan._conda import UNPACKS_BY
from envsnap.plan._cuda import cuda_need
from envsnap.plan._floor import DEBIAN, has_enough, numbers
from envsnap.plan._model import PREFIX, BaseImage, Interpreter, Resolve, Why
from envsnap.plan._named import named_candidate, refuse_gone, unsure
from envsnap.plan._nvidia import cuda_candidates
from envsnap.sections import Artifact

FROM_CONDA = Interpreter(how="conda", executable=f"{PREFIX}/bin/python")
_PYTHON = "docker.io/library/python"


def conda_start(wanted: Wanted, files: Sequence[Artifact], resolve: Resolve) -> Start:
    """What to start from where conda brings Python: any image that has glibc enough.

    An image with a Python of its own that can start py-rattler is taken, so that one serves to
    unpack and to run. Where the base is another, an image with such a Python is the builder.

    Raises:
        PlanError: No image fits; the message names the nearest.
    """
    setting = _setting(wanted, files)
    asked = wanted.options.base_image
    sources = [each for each in files if not _safe.is_wheel(each)]
    need, aside = cuda_need(wanted.manifest, wanted.active, sources)
    if asked is not None:
        candidates = [_named(wanted, setting, asked, files)]
        aside = beside_asked(wanted, candidates[0], files)
    elif need is not None:
        candidates = [_with_conda(each) for each in cuda_candidates(need, setting)]
    else:
        candidates = list(_unpackers(setting))
    where = "the plan" if asked is None else "--base-image"
    base, chosen, passed = settle(Choice(candidates), where, resolve, sure=asked is not None)
    if asked is not None:
        refuse_gone(base, setting)
    builder = None
    if not can_unpack(base):
        builder, _, _ = settle(Choice(list(_unpackers(setting))), "the plan", resolve)
    return Start(
        base=base, interpreter=FROM_CONDA, builder=builder, brings=chosen.brings, brought=(),
        reasons=(*chosen.reasons, *passed, *digest_reason(base), *aside, *_by(builder)),
        notes=() if asked is None else unsure(base, FROM_CONDA, setting.floor),
    )  # fmt: skip


def can_unpack(base: BaseImage) -> bool:
    """Whether an image surely has a Python that starts py-rattler, by its name."""
    version = numbers((base.tag or "").partition("-")[0])
    return base.repository == _PYTHON and _starts(version)


def _starts(version: tuple[int, ...]) -> bool:
    """Whether py-rattler has wheels for a Python."""
    text = ".".join(map(str, version[:2]))
    return isinstance(installers.rattler_wheels(text), facts.Looked)


def _by(builder: BaseImage | None) -> tuple[Why, ...]:
    if builder is None:
        return ()
    return (
        Why(f"conda's packages are unpacked in a stage of {builder.reference}",
            "the base image may have no Python that can do it", "the plan"),
    )  # fmt: skip


def _setting(wanted: Wanted, files: Sequence[Artifact]) -> Setting:
    """What the image must suit. conda chose its packages for the glibc of the captured machine."""
    wheels = [each for each in files if _safe.is_wheel(each)]
    floor = _floor.glibc_floor(wanted.manifest, wheels)
    captured = _floor.captured_glibc(wanted.manifest)
    likely = _floor.of_conda(floor, captured)
    return Setting(wanted.python, wanted.machine, wanted.options, likely, captured)


def _named(wanted: Wanted, setting: Setting, asked: str, files: Sequence[Artifact]) -> Candidate:
    """The image that the user named, refused where it surely cannot serve."""
    wheels = [each for each in files if _safe.is_wheel(each)]
    sure = setting._replace(floor=_floor.glibc_floor(wanted.manifest, wheels))
    return named_candidate(sure, asked, wheels, conda=FROM_CONDA)


def _with_conda(found: Candidate) -> Candidate:
    """An image of NVIDIA's, without the Python that a venv would need: the last of its reasons."""
    return found._replace(interpreter=FROM_CONDA, reasons=found.reasons[:-1])


def _unpackers(setting: Setting) -> Iterator[Candidate]:
    """Images with a Python that starts py-rattler: of the environment's own version, or a newer.

    Raises:
        PlanError: None has glibc enough, or none is for this machine.
    """
    count = 0
    for version in dict.fromkeys((setting.python.version, UNPACKS_BY)):
        found = python_images.python_slim_suites(version, setting.machine)
        suites = found.value if isinstance(found, facts.Looked) else ()
        for suite in suites if _starts(numbers(version)) else ():
            if has_enough("debian", DEBIAN[suite], setting.floor):
                count += 1
                yield _unpacker(version, suite, setting)
    if not count:
        needed = f" with glibc {setting.floor.version}" if setting.floor is not None else ""
        raise PlanError(
            f"No image of Python for {setting.machine}{needed} is known, to unpack conda's "
            "packages in",
            hint="Name an image that has both with --base-image",
        )


def _unpacker(version: str, suite: str, setting: Setting) -> Candidate:
    floor = setting.floor
    enough = (
        ()
        if floor is None
        else (Why(f"glibc {floor.version} or newer", f"{floor.who} needs it", "table manylinux"),)
    )
    return Candidate(
        reference=f"python:{version}-slim-{suite}", interpreter=FROM_CONDA,
        reasons=(
            Why(f"base=python:{version}-slim-{suite}",
                "conda brings its own Python; the one of this image starts py-rattler, so that "
                "the image that unpacks and the one that runs are one",
                f"table python_images of {facts.date_of('python_images')}"), *enough,
        ),
    )  # fmt: skip
