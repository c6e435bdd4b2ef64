# ruff: noqa: ANN001, ANN201, ANN202, BLE001, INP001, S110, SIM105 - 2.7 has neither
"""What a Python tells the `envsnap run` that watches it.

Read by Python 2.7 and 3.6 too. `envsnap.host._watch_reports` hands it to every Python of the
command as the first `sitecustomize` on its path, with one more line that calls `start`; the one
that would have been imported otherwise is imported then. Each line that is told is
`KIND PID PATH`: S a Python that starts, M a module's file, P a program, L a library; and at the end
`H PID KIB`, the most memory that it held.

Two functions of Python 3 are wrapped, and do what they did after it was told:
`importlib._bootstrap.module_from_spec`, and `fork_exec` of `_posixsubprocess`. One function more
runs at the end, by `atexit`. The folder is taken off `sys.path` again, and what was remembered of
it; `PYTHONPATH` and `ENVSNAP_RUN` stay in the environment, for the Pythons that this one starts
by whatever way.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any  # noqa: F401 - in the type comments

_LONGEST = 4000
"""Bytes; what is written at once below PIPE_BUF (4096) stays whole between other writers."""
_told = set()  # type: set[str]
_place = {}  # type: dict[str, Any]


def start(pipe, inode, folder):  # type: (str, int, str) -> None
    """Begin to tell, and give way to the sitecustomize that is behind this one."""
    try:
        _begin(pipe, inode)
    except Exception:
        pass
    ours = sys.modules.pop("sitecustomize", None)  # type: Any
    while folder in sys.path:
        sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except BaseException:
        # Whoever imports this one takes it out again; what is raised is what would have been.
        sys.modules.setdefault("sitecustomize", ours)
        raise


def _begin(pipe, inode):  # type: (str, int) -> None
    _place.update(pipe=pipe, inode=inode, library=os.path.dirname(os.__file__) + os.sep)
    _tell([("S", sys.executable or "")])
    import atexit

    atexit.register(_last, sys.modules[__name__])  # 2.7 empties a module that nobody holds
    bootstrap = sys.modules.get("_frozen_importlib")
    if bootstrap is not None and hasattr(bootstrap, "module_from_spec"):  # not in 2.7
        if _STARTER in sys.modules:
            _listen_to_programs(sys.modules[_STARTER])
        _listen_to_imports(bootstrap)


def _listen_to_imports(bootstrap):  # type: (Any) -> None
    """Hear of each module when it is made, before its code runs.

    An audit hook would hear the same from Python 3.8, but makes every call of `id` and every line
    of a log half as slow again. This one is known to tracebacks and warnings as importlib's own.
    """
    names = {"make": bootstrap.module_from_spec, "before": _before, "after": _after}
    exec(compile(_MODULE_FROM_SPEC, _BOOTSTRAP, "exec"), names)  # noqa: S102
    bootstrap.module_from_spec = names["module_from_spec"]


_BOOTSTRAP = "<frozen importlib._bootstrap>"
_MODULE_FROM_SPEC = """
def module_from_spec(spec):
    stopped = before(spec)
    if stopped is not None:
        raise stopped
    return after(spec, make(spec))
"""
_STARTER = "_posixsubprocess"
"""The module by which `subprocess` and `multiprocessing` start programs."""


def _before(spec):  # type: (Any) -> Any
    """What a signal raised meanwhile: it is raised where it would have been, without our lines."""
    try:
        if spec.has_location:
            _loaded(spec.name, spec.origin)
    except Exception:
        pass
    except BaseException as stopped:
        return stopped.with_traceback(None)  # never in 2.7
    return None


def _after(spec, module):  # type: (Any, Any) -> Any
    if getattr(spec, "name", None) == _STARTER:
        _listen_to_programs(module)
    return module


def _loaded(name, path):  # type: (str, str) -> None
    """Tell a module's file: of a package the first alone, of a namespace each in it."""
    if path in _told:
        return
    parent = name.rpartition(".")[0]
    if parent and getattr(sys.modules.get(parent), "__file__", None):
        return
    if path.startswith(_place["library"]) and "-packages" not in path:
        return  # the standard library
    _told.add(path)
    _tell([("M", path)])


def _listen_to_programs(module):  # type: (Any) -> None
    """Hear of what is started. Its functions are there from the moment it is made."""
    fork_exec = getattr(module, "fork_exec", None)
    if fork_exec is None:
        return
    names = {"start": fork_exec, "before": _before_start}
    exec(compile(_FORK_EXEC, "<%s>" % _STARTER, "exec"), names)  # noqa: S102
    module.fork_exec = names["fork_exec"]


_FORK_EXEC = """
def fork_exec(arguments, executables, *rest):
    stopped = before(executables, rest)
    if stopped is not None:
        raise stopped
    return start(arguments, executables, *rest)
"""


def _before_start(executables, rest):  # type: (Any, Any) -> Any
    try:
        _program(executables, rest[2])
    except Exception:
        pass
    except BaseException as stopped:
        return stopped.with_traceback(None)  # never in 2.7
    return None


def _program(paths, folder):  # type: (Any, Any) -> None
    """Tell a program's file, the first that is there; its arguments may hold secrets."""
    for each in paths:
        whole = os.path.abspath(os.path.join(os.fsdecode(folder or "."), os.fsdecode(each)))
        if os.path.isfile(whole) and os.access(whole, os.X_OK):
            if whole not in _told:
                _told.add(whole)
                _tell([("P", whole)])
            return


def _last(_module):  # type: (Any) -> None
    """Tell what was not heard of: all of it before Python 3.8, and the libraries."""
    try:
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if path and os.path.isabs(path):
                _loaded(name, path[:-1] if path.endswith((".pyc", ".pyo")) else path)
        with open("/proc/self/maps", "rb") as maps:
            rows = [line.split(None, 5) for line in maps.read().splitlines()]
        paths = {row[5] for row in rows if len(row) > 5 and b"x" in row[1]}  # noqa: PLR2004
        with open("/proc/self/status", "rb") as status:
            most = [line.split()[1] for line in status if line.startswith(b"VmHWM:")]
        _tell([("L", path) for path in paths if path.startswith(b"/")] + [("H", most[0])])
    except BaseException:
        pass  # Python would show what a signal raises here, and go on to its end, too


def _tell(things):  # type: (Any) -> None
    """Write lines to the pipe, if it is still the one that was meant; lose them if it is full.

    It is opened each time: a program may close every file that it did not open itself, and what
    stands at that number then is its own.
    """
    lines = [
        ("%s %d " % (kind, os.getpid())).encode("ascii") + _bytes(path) for kind, path in things
    ]
    lines = [line + b"\n" for line in lines if b"\n" not in line and len(line) < _LONGEST]
    if not lines:
        return
    how = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | getattr(os, "O_CLOEXEC", 0)
    try:
        pipe = os.open(_place["pipe"], how)
    except (OSError, IOError):
        return  # who listened has ended, or may not be reached from here
    try:
        if os.fstat(pipe).st_ino == _place["inode"]:
            while lines:
                piece = lines.pop(0)
                while lines and len(piece) + len(lines[0]) < _LONGEST:
                    piece += lines.pop(0)
                os.write(pipe, piece)
    except (OSError, IOError):
        pass
    finally:
        os.close(pipe)


def _bytes(path):  # type: (Any) -> bytes
    return path if isinstance(path, bytes) else os.fsencode(path)
