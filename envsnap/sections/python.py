"""The interpreter of the captured environment."""

from envsnap.sections._shape import Fact, fact, shape


@shape
class PathEntry:
    """One entry of the interpreter's module search path, in search order."""

    path: str = fact("Where the entry points, anchored")
    layer: str = fact("env, base, user, pythonpath, distro, pth or other: who put it there")


@shape
class OtherEnvironment:
    """An environment that was seen and not captured."""

    kind: str = fact(
        "venv, broken (a venv without its interpreter), foreign (a venv that is somebody else's), "
        "conda, conda base, system"
    )
    name: str = fact("The name people call it by; a folder's name or a conda name")


@shape
class Python:
    """The interpreter: what it is, where it came from, and where it looks for modules."""

    implementation: str = fact("cpython or pypy, as sys.implementation names it")
    version: str = fact("The language version to the patch, as '3.11.9' or '3.14.0rc1'")
    implementation_version: Fact[str] = fact("The implementation's own version; PyPy's differs")
    soabi: Fact[str | None] = fact("The tag of extension modules; null on Python 2.7")
    free_threaded: Fact[bool] = fact("Whether it was built without the GIL (Py_GIL_DISABLED)")
    debug: Fact[bool] = fact("Whether it is a debug build (Py_DEBUG)")
    architecture: Fact[str] = fact("The machine it was compiled for, as 'x86_64'")
    platform: Fact[str] = fact("sysconfig's platform, as 'linux-x86_64'")
    environment_kind: Fact[str] = fact("venv, virtualenv, conda or installation")
    environment_name: Fact[str | None] = fact("The environment's name: its prompt, or conda's")
    system_site_packages: Fact[bool] = fact("Whether the base's packages are visible too")
    executable: Fact[str] = fact("The program that was started, anchored")
    prefix: Fact[str] = fact("sys.prefix, anchored")
    base_prefix: Fact[str] = fact("sys.base_prefix, anchored")
    origin: Fact[str] = fact(
        "Who built it: distribution, conda, pyenv, python-build-standalone, framework, other",
        sources=("files beside the interpreter", "sys.version", "its folder"),
    )
    compiler: Fact[str] = fact("The compiler that built it, from sys.version")
    build_date: Fact[str | None] = fact("When it was built, as sys.version says it")
    libc: Fact[str | None] = fact("The C library it runs on, as 'glibc 2.36'; null if not glibc")
    path: Fact[tuple[PathEntry, ...]] = fact("sys.path without the working folder")
    not_paths: Fact[tuple[str, ...]] = fact("Entries of sys.path that are no paths: their types")
    import_hooks: Fact[tuple[str, ...]] = fact("Classes on sys.meta_path")
    degraded: Fact[str | None] = fact("Why it had to be read with -I -S or from files; else null")
    chosen: Fact[str] = fact("Why this environment and not another")
    not_chosen: Fact[tuple[OtherEnvironment, ...]] = fact("The other environments that were seen")
