"""The interpreter, as it describes itself."""

from __future__ import annotations

from envsnap.probes._registry import Look, NeedsError, probe
from envsnap.sections import OtherEnvironment, PathEntry, Python, Unknown


@probe(Python)
def probe_python(look: Look) -> Python:
    """What the interpreter is, where it came from, and where it looks for modules."""
    interpreter = look.interpreter
    if isinstance(interpreter, Unknown):
        raise NeedsError(interpreter)
    anchor = look.anchors.anchor
    choice = interpreter.choice
    return Python(
        implementation=interpreter.implementation,
        version=interpreter.version,
        implementation_version=interpreter.text("implementation_version"),
        soabi=interpreter.optional_text("soabi"),
        free_threaded=interpreter.truth("free_threaded"),
        debug=interpreter.truth("debug"),
        architecture=interpreter.text("machine"),
        platform=interpreter.text("system"),
        environment_kind=interpreter.kind,
        environment_name=None if choice is None else choice.chosen.name,
        system_site_packages=interpreter.system_site_packages,
        executable=anchor(interpreter.executable),
        prefix=anchor(interpreter.prefix),
        base_prefix=anchor(interpreter.base_prefix),
        origin=interpreter.origin,
        compiler=interpreter.text("compiler"),
        build_date=interpreter.optional_text("build_date"),
        libc=interpreter.optional_text("libc"),
        path=tuple(
            PathEntry(path=anchor(entry.path), layer=entry.layer) for entry in interpreter.entries
        ),
        not_paths=interpreter.texts("not_paths"),
        import_hooks=interpreter.texts("meta_path"),
        degraded=interpreter.degraded,
        chosen=choice.chosen.why if choice else "read from the files of a folder",
        not_chosen=tuple(
            OtherEnvironment(kind=each.kind, name=each.name)
            for each in (choice.others if choice else ())
        ),
    )
