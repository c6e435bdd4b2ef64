"""lint: files and folders become problems, sorted by where they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module

from envsnap._typing import NamedTuple
from envsnap.errors import FileError, UsageError
from envsnap.lint._binder import ENVIRONMENTS, PYTHON_FILES, Binder, alone, binder, is_binder
from envsnap.lint._definition import definition
from envsnap.lint._dockerfile import dockerfile
from envsnap.lint._files import Beside, read
from envsnap.lint._ignored import Ignored
from envsnap.lint._model import Problem, Spot, Trap, registered

MODULES = (
    "arguments", "bases", "binder", "definition", "dockerfile", "installs", "places", "secrets",
)  # fmt: skip
"""Written out, for a scan finds nothing inside a zip; a test holds it to the folder."""
_DOCKERFILE = re.compile(r"(?:Dockerfile|Containerfile)(?:\..+)?\Z|.+\.[Dd]ockerfile\Z")
_DEFINITION = re.compile(r".+\.def\Z|(?:Singularity|Apptainer)(?:\..+)?\Z")
_NOT_RECIPES = re.compile(r"\.(?:dockerignore|md|txt|py|sh|j2|lock|sif|orig|bak)\Z")
_LOOKS_LIKE = re.compile(r"(?mi)^\s*(?:bootstrap|from)\s*:|^\s*%(?:post|files|environment)\b")
_DEPENDENCIES = re.compile(r"(?m)^dependencies\s*:")
_SKIPPED = frozenset({
    ".git", ".hg", ".svn", "node_modules", ".venv", "venv", "__pycache__", "site-packages", ".tox",
    ".nox", "wheels",
})  # fmt: skip
_OF = {"dockerfile": ("dockerfile", "recipe"), "definition": ("definition", "recipe"),
       "binder": ("binder", "environment"), "conda": ("environment",)}  # fmt: skip
_DEEPEST = 8
_FILES_LIMIT = 200_000


class Linted(NamedTuple):
    """What was read, and what was found in it."""

    files: tuple[str, ...]
    """Recipes and folders that rules have read, in order."""
    of_conda: tuple[str, ...]
    """Those that were judged as conda's own, by the few rules for it: nothing there is of
    repo2docker."""
    problems: tuple[Problem, ...]


class _Target(NamedTuple):
    kind: str
    path: str


def traps() -> Mapping[str, Trap]:
    """Every rule, by code."""
    for name in MODULES:
        import_module(f"envsnap.lint.{name}")
    return registered()


def lint(paths: Sequence[str], chosen: Iterable[str] | None = None) -> Linted:
    """The problems of the recipes that these files and folders hold; of these codes alone.

    Raises:
        UsageError: Nothing there is a recipe.
        FileError: A file cannot be read.
    """
    known = traps()
    codes = frozenset(known if chosen is None else chosen)
    targets = list(dict.fromkeys(each for path in paths for each in _targets(path)))
    if not targets:
        raise UsageError(
            f"No recipe in {' or '.join(paths)}",
            hint="Judged are Dockerfiles, definitions (*.def), folders for repo2docker and conda's "
            "environment.yml; not job.sbatch (shellcheck reads it), nor devcontainer.json",
        )
    problems = [
        each
        for target in targets
        for each in _problems(target, [known[code] for code in sorted(codes & set(known))])
    ]
    order = sorted(set(problems), key=lambda each: (each.path, each.line, each.code, each.message))
    of_conda = tuple(each.path for each in targets if each.kind == "conda")
    return Linted(tuple(each.path for each in targets), of_conda, tuple(order))


def _targets(path: str) -> list[_Target]:
    if os.path.isdir(path):
        return _in_folder(path)
    if not os.path.exists(path):
        raise FileError(f"Cannot read {path}: No such file or directory")
    name = os.path.basename(path)
    if name in {*PYTHON_FILES, "apt.txt", "postBuild", "start"}:
        folder = os.path.dirname(path)
        above = os.path.basename(os.path.abspath(folder)) in {"binder", ".binder"}
        if name in ENVIRONMENTS and not above and not is_binder(folder or "."):
            return [_Target("conda", path)]
        return [_Target("binder", os.path.join(folder, os.pardir) if above else folder or ".")]
    kind = _kind(path)
    return [_Target(kind, path)] if kind else []


def _kind(path: str) -> str:
    """What a file that was named is, by its name, else by what stands in it; '' for no recipe."""
    if _is_definition(path):
        return "definition"
    if _DOCKERFILE.match(os.path.basename(path)):
        return "dockerfile"
    text = read(path)
    if re.search(r"(?mi)^\s*bootstrap\s*:", text):
        return "definition"
    return "dockerfile" if re.search(r"(?m)^\s*(?:FROM|from)\s+\S", text) else ""


def _in_folder(top: str) -> list[_Target]:
    found = []
    seen = 0
    for folder, below, names in os.walk(top):
        depth = os.path.relpath(folder, top).count(os.sep)
        below[:] = sorted(set(below) - _SKIPPED) if depth < _DEEPEST else []
        seen += len(names)
        if seen > _FILES_LIMIT:
            raise FileError(f"{top} has more than {_FILES_LIMIT:,} files", hint="Name the recipes")
        for name in sorted(names):
            path = os.path.join(folder, name) if folder != "." else name
            if _DOCKERFILE.match(name) and not _NOT_RECIPES.search(name):
                found.append(_Target("dockerfile", path))
            elif _is_definition(path):
                found.append(_Target("definition", path))
        if os.path.basename(folder) in {"binder", ".binder"}:
            continue
        if is_binder(folder):
            found.append(_Target("binder", folder))
            continue
        paths = (os.path.normpath(os.path.join(folder, name)) for name in ENVIRONMENTS)
        found += [_Target("conda", path) for path in paths if _is_environment(path)]
    return found


def _is_environment(path: str) -> bool:
    return os.path.isfile(path) and _DEPENDENCIES.search(read(path)) is not None


def _is_definition(path: str) -> bool:
    name = os.path.basename(path)
    if not _DEFINITION.match(name) or _NOT_RECIPES.search(name) or not os.path.isfile(path):
        return False
    return _LOOKS_LIKE.search(read(path)) is not None


def _problems(target: _Target, rules: Sequence[Trap]) -> list[Problem]:
    asked = [each for each in rules if each.of in _OF[target.kind]]
    if target.kind == "binder":
        return _of_binder(target.path, binder(target.path), asked)
    if target.kind == "conda":
        return _of_binder(os.path.dirname(target.path), alone(target.path), asked)
    text = read(target.path)
    beside = Beside(os.path.dirname(target.path))
    name = os.path.basename(target.path)
    recipe = (
        definition(text, beside) if target.kind == "definition" else dockerfile(text, beside, name)
    )
    ignored = Ignored(text)
    return [
        Problem(target.path, spot.line, rule.code, spot.message)
        for rule in asked
        for spot in rule.find(recipe)
        if not ignored.covers(spot.line, rule.code)
    ]


def _of_binder(folder: str, found: Binder, rules: Sequence[Trap]) -> list[Problem]:
    problems = []
    for rule in rules:
        for spot in rule.find(found):
            path = _file_of(found, rule.code, spot)
            whole = os.path.normpath(os.path.join(folder, path)) if path else folder
            if path and Ignored(found.beside.text(path) or "").covers(spot.line, rule.code):
                continue
            problems.append(Problem(whole, spot.line, rule.code, spot.message))
    return problems


_FILE_OF = {
    "R2D001": ("runtime.txt",), "R2D005": ("apt.txt",), "R2D006": ("Dockerfile",),
    "R2D004": ENVIRONMENTS, "R2D007": ENVIRONMENTS,
    "R2D008": ("runtime.txt", "requirements.txt", "postBuild"),
    "R2D009": (*ENVIRONMENTS, "requirements.txt"), "R2D014": (*ENVIRONMENTS, "requirements.txt"),
    "R2D010": ("requirements.txt",), "R2D011": ("start",), "R2D012": ("apt.txt",),
}  # fmt: skip
"""Which file of the folder a rule's lines count in; the others speak of the folder."""


def _file_of(folder: Binder, code: str, spot: Spot) -> str:
    found = folder.file(*_FILE_OF.get(code, ()))
    return found.path if found is not None and spot.line else ""
