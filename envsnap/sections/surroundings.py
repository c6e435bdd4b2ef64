"""What surrounds the environment: tools, engines, container, variables, project, scheduler."""

from collections.abc import Mapping

from envsnap.sections._shape import Fact, fact, shape


@shape
class Tool:
    """A program on PATH that results can depend on."""

    name: str = fact("The command's name")
    path: Fact[str] = fact("Where it lies, anchored")
    version: Fact[str] = fact("Its version, from its own output")


@shape
class Tools:
    """Compilers, MPI and version control found on PATH."""

    found: Fact[tuple[Tool, ...]] = fact("Sorted by name; a tool not listed is not on PATH")


@shape
class Engine:
    """A container engine."""

    name: str = fact("docker, podman, buildah, apptainer, singularity, ...")
    version: Fact[str] = fact("The client's version")
    usable: Fact[bool] = fact("Whether it answers this user (a daemon's socket that can be opened)")


@shape
class Engines:
    """What this machine can build and run containers with."""

    found: Fact[tuple[Engine, ...]] = fact("Sorted by name; an engine not listed is not on PATH")
    user_namespaces: Fact[bool] = fact("Whether an unprivileged user may make user namespaces")
    subordinate_ids: Fact[bool] = fact("Whether this user has at least 65536 subuids and subgids")
    container_toolkit: Fact[str | None] = fact(
        "The NVIDIA container toolkit's version; null if none"
    )
    shm_mib: Fact[int | None] = fact("Size of /dev/shm; null if there is none", unit="MiB")
    open_files: Fact[int | None] = fact("Soft limit of open files; null if unlimited")
    locked_memory_kib: Fact[int | None] = fact("Soft limit; null if unlimited", unit="KiB")


@shape
class Container:
    """The container this environment was captured in."""

    kind: Fact[str | None] = fact("docker, podman, apptainer, kubernetes, ...; null if in none")
    image: Fact[str | None] = fact("The image's name, where the engine tells it")
    host_libraries: Fact[tuple[str, ...]] = fact("Libraries bound in from the host, by name")


@shape
class Environ:
    """Environment variables that change results, from a closed list of names."""

    variables: Fact[Mapping[str, str]] = fact("Set variables only; paths anchored, URLs cleaned")


@shape
class Git:
    """The project's version control state."""

    commit: Fact[str] = fact("The commit that is checked out, hex")
    commit_time: Fact[str] = fact("When it was committed, UTC, ISO 8601")
    branch: Fact[str | None] = fact("The branch; null if detached")
    changed_files: Fact[int] = fact("Tracked files that differ from the commit, and untracked ones")
    remote: Fact[str | None] = fact("The remote's address without credentials; null if none")
    pushed: Fact[bool] = fact("Whether a remote-tracking branch contains the commit")


@shape
class Project:
    """The project that the environment belongs to."""

    name: Fact[str | None] = fact("The name in pyproject.toml, else the folder's name")
    git: Fact[Git | None] = fact("Version control; null where the folder is in none")
    lock_files: Fact[tuple[str, ...]] = fact(
        "Dependency files beside it: uv.lock, environment.yml, ..."
    )
    newest_install: Fact[str | None] = fact("When the newest package was installed, UTC, ISO 8601")


@shape
class Scheduler:
    """The batch system and the software modules."""

    kind: Fact[str | None] = fact("slurm, pbs, lsf, sge, flux; null if none")
    version: Fact[str | None] = fact("Its version, where it tells it")
    modules: Fact[tuple[str, ...]] = fact("Loaded software modules (LOADEDMODULES), in order")


@shape
class Moment:
    """Facts of the moment of capture. Never compared."""

    job: Fact[Mapping[str, str]] = fact(
        "The job's identity and share, by the scheduler's own names"
    )
    memory_limit_mib: Fact[int | None] = fact("The cgroup's memory limit; null if none", unit="MiB")
    cpus_allowed: Fact[int] = fact("Logical processors this process may run on")
    available_memory_mib: Fact[int] = fact("Memory available at capture", unit="MiB")
