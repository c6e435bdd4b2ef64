"""The architecture, read from the source: what may import what, and who may touch the world."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from functools import cache

import pytest

PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "envsnap")
FLOORS = (
    {"cli", "__main__"},
    {
        "_capture",
        "_check",
        "_build",
        "_caches",
        "_lock",
        "_restore",
        "_pack",
        "_run",
        "_import",
        "_image",
        "_verify",
        "_extract",
        "_fetch",
        "_fetched",
        "_installers",
        "_placed",
        "_record",
        "_room",
        "_sizes",
        "_twice",
        "_routes",
        "_project",
    },
    {"formats", "rules", "reports", "lint"},
    {"plan", "lock", "wheelhouse", "probes", "proof", "profiles", "imports", "constraints"},
    {"loader"},
    {"host", "manifest"},
    {"images"},
    {"sections", "engines", "facts", "inside", "errors", "_typing", "_templates", "_units"},
)
"""From the top. `profiles` are manifests that come with envsnap; DESIGN names the others."""
BEHIND_ONE_DOOR = ("constraints", "facts", "inside", "loader", "profiles")
"""Rooms of which others see what `__init__` and the open modules offer."""
DOORS = ("host", "lock", "wheelhouse", "engines", "images", "cli", "inside")
"""Who may start a process: `inside` is what is started, in the machine that is looked at."""
WORLD = {"subprocess", "socket", "urllib.request", "http.client", "http.server", "ftplib", "ssl"}
FOR_TYPES = {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
BESIDE = ("tests", "scripts", "bench", "templates")
MADE = (os.path.join("tests", "golden"), os.path.join("bench", "env"))
"""What envsnap and `make` write there."""
LONGEST_MODULE = 400
LONGEST_FUNCTION = 40


@cache
def sources() -> Mapping[str, ast.Module]:
    """Every module of envsnap, by its dotted name."""
    found = {}
    for folder, _, names in os.walk(PACKAGE):
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                dotted = os.path.relpath(path, os.path.dirname(PACKAGE))[:-3].replace(os.sep, ".")
                with open(path, encoding="utf-8") as file:
                    found[dotted.removesuffix(".__init__")] = ast.parse(file.read(), path)
    return found


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Everything that can run: blocks for the type checker alone are left out."""
    yield node
    for_types = isinstance(node, ast.If) and ast.unparse(node.test) in FOR_TYPES
    for name, part in ast.iter_fields(node):
        if for_types and name == "body":
            continue
        for child in part if isinstance(part, list) else [part]:
            if isinstance(child, ast.AST):
                yield from walk(child)


def imported(node: ast.AST) -> Iterator[str]:
    """The dotted names that one node imports; a name that is no module counts as its module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports are not used"
        for alias in node.names:
            dotted = f"{node.module}.{alias.name}"
            yield dotted if dotted in sources() else str(node.module)
    elif isinstance(node, ast.Call) and name_of(node.func) in {"import_module", "__import__"}:
        yield from (str(each.value) for each in node.args if isinstance(each, ast.Constant))


def name_of(function: ast.expr) -> str:
    """What is called, without what it is called on."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def imports_of(module: str) -> set[str]:
    return {name for node in walk(sources()[module]) for name in imported(node)}


def arrows() -> Iterator[tuple[str, str]]:
    """Every import of one of our modules by another."""
    for module in sources():
        for name in sorted(imports_of(module)):
            if name.split(".")[0] == "envsnap" and name != module:
                yield module, name


def room(module: str) -> str:
    """The first part below envsnap; empty for envsnap itself, which holds the version alone."""
    return module.partition(".")[2].partition(".")[0]


def floor(module: str) -> int:
    """Higher numbers lie lower."""
    return next(number for number, rooms in enumerate(FLOORS) if room(module) in rooms)


def test_every_room_of_the_package_has_its_floor() -> None:
    rooms = {room(module) for module in sources()} - {""}
    assert rooms == {each for one in FLOORS for each in one}


def test_no_import_runs_up() -> None:
    upward = [
        f"{module} -> {name}"
        for module, name in arrows()
        if room(module) and room(name) and floor(name) < floor(module)
    ]
    assert upward == []


def test_no_two_rooms_import_each_other_even_by_way_of_others() -> None:
    ways: dict[str, set[str]] = {}
    for module, name in arrows():
        if room(module) and room(name) and room(module) != room(name):
            ways.setdefault(room(module), set()).add(room(name))
    assert circles(ways) == []


def test_no_two_modules_import_each_other_even_by_way_of_others() -> None:
    ways: dict[str, set[str]] = {}
    for module, name in arrows():
        if name in sources() and name != "envsnap":
            ways.setdefault(module, set()).add(name)
    assert circles(ways) == []


def circles(ways: Mapping[str, set[str]]) -> list[str]:
    """Every way that leads back to where it began, each told once, from its first name."""
    found = set()
    for start in ways:
        waiting: list[tuple[str, ...]] = [(start,)]
        seen = set()
        while waiting:
            way = waiting.pop(0)
            for step in sorted(ways.get(way[-1], ())):
                if step == start and start == min(way):
                    found.add(" -> ".join((*way, start)))
                elif step not in seen:
                    seen.add(step)
                    waiting.append((*way, step))
    return sorted(found)


def test_a_circle_is_found_by_way_of_others() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a -> b -> c -> a"]
    assert circles({"a": {"b", "c"}, "b": {"c"}}) == []


def test_no_private_name_is_imported_by_another_module() -> None:
    taken = [
        f"{module}: {node.module}.{alias.name}"
        for module, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("envsnap.")
        for alias in node.names
        if alias.name.startswith("_") and f"{node.module}.{alias.name}" not in sources()
    ]
    assert taken == []


@pytest.mark.parametrize("shut", BEHIND_ONE_DOOR)
def test_what_others_use_of_a_room_is_at_its_door(shut: str) -> None:
    """A module with an underscore registers nothing, and its room may be arranged anew."""
    past = [
        f"{module}: {name}"
        for module, tree in sources().items()
        if room(module) != shut
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in imported(node)
        if room(name) == shut and "._" in name.removeprefix("envsnap.")
    ]
    assert past == []


def calls_of(module: str, name: str) -> list[int]:
    """The lines where a plain name is called."""
    return [
        node.lineno
        for node in walk(sources()[module])
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name
    ]


def test_only_the_command_line_prints() -> None:
    printing = [module for module in sources() if room(module) != "cli" and writes(module)]
    assert [each for each in printing if room(each) != "inside"] == []
    own = {"conda", "passwords", "paths", "unpack", "verify"}  # run on their own
    assert set(printing) <= {f"envsnap.inside.{each}" for each in own}


def writes(module: str) -> bool:
    return bool(calls_of(module, "print"))


def test_only_the_command_line_exits() -> None:
    names = ("SystemExit", "exit", "quit")
    leaving = {
        module
        for module, tree in sources().items()
        for node in walk(tree)
        if (isinstance(node, ast.Call) and getattr(node.func, "id", "") in names)
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.exit", "os._exit"})
    }
    allowed = {"__main__", "cli", "inside"}
    assert {each for each in leaving if room(each) not in allowed} <= {"envsnap.host._nvml_child"}


def test_only_the_doors_start_processes_or_know_the_network() -> None:
    touching = {
        module: sorted(WORLD & imports_of(module))
        for module in sources()
        if WORLD & imports_of(module) and room(module) not in DOORS
    }
    assert touching == {}


def test_nothing_is_registered_in_vain() -> None:
    from envsnap.formats import formats
    from envsnap.probes import probes
    from envsnap.rules import rules

    registered = {
        "probes": {each.function.__module__ for each in probes()},
        "rules": {each.function.__module__ for each in rules()},
        "formats": {each.render.__module__ for each in formats().values()},
    }
    for folder, modules in registered.items():
        open_modules = {
            module
            for module in sources()
            if module.startswith(f"envsnap.{folder}.") and "._" not in module
        }
        assert modules == open_modules, folder


def test_every_section_has_its_probe() -> None:
    from envsnap.probes import probes
    from envsnap.sections import OF_A_RUN, SECTIONS

    assert sorted(each.section for each in probes()) == sorted(set(SECTIONS) - {OF_A_RUN})


def test_no_module_is_long() -> None:
    long = {}
    for module in sources():
        path = os.path.join(os.path.dirname(PACKAGE), *module.split("."))
        path = f"{path}.py" if os.path.isfile(f"{path}.py") else os.path.join(path, "__init__.py")
        if (length := lines_of(path)) > LONGEST_MODULE:
            long[module] = length
    assert long == {}


def lines_of(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        return sum(1 for _ in file)


def test_no_file_beside_the_package_is_long() -> None:
    checkout = os.path.dirname(PACKAGE)
    lengths = {}
    for top in BESIDE:
        for folder, below, names in os.walk(os.path.join(checkout, top)):
            if os.path.relpath(folder, checkout) in MADE:
                below.clear()
                continue
            for name in names:
                if name.endswith((".py", ".sh", ".j2")):
                    path = os.path.join(folder, name)
                    lengths[os.path.relpath(path, checkout)] = lines_of(path)
    assert {path.partition(os.sep)[0] for path in lengths} == set(BESIDE)
    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_function_is_long() -> None:
    long = {
        f"{module}.{node.name}": length
        for module, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}


@pytest.mark.parametrize("module", sorted(sources()))
def test_every_module_says_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(sources()[module]) or room(module) == "inside"
