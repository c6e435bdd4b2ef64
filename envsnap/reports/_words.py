"""Facts in the words of people: one short line for each part of a manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from envsnap.manifest import Manifest, canonical_name
from envsnap.reports import _deep_words
from envsnap.reports._ran import run_words
from envsnap.reports._verified import verified_words
from envsnap.sections import (
    DEEP,
    Cpu,
    Cuda,
    Device,
    Fact,
    ForwardCompatibility,
    Git,
    Gpu,
    Memory,
    Os,
    Package,
    Packages,
    Project,
    Python,
    Reason,
    Unknown,
    fields,
)

_FRAMEWORKS = {"torch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX", "cupy": "CuPy"}
_KINDS = {
    "archive": "from an archive", "vcs": "from version control", "directory": "from a folder",
    "editable": "editable", "conda": "conda", "distribution": "of the distribution",
    "unknown": "of unknown origin",
}  # fmt: skip
_RUNGS = {
    "conda": "by conda's hash", "archive": "by archive hash", "vcs": "by commit",
    "verified": "by verified files", "content": "by stated files",
    "distribution": "by the system's package", "version": "by name and version alone",
}  # fmt: skip
"""What proves what a package is, the strongest first."""
_USUAL_RUNGS = ({"conda"}, {"content"})
_DETAIL_SHOWN = 60
_SHOWN = frozenset({"python", "packages", "gpu", "cuda", "os", "cpu", "memory", "project", "run"})


def lines(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """The label and the text of each part, in the order that readers ask for them."""
    for label, words in _PARTS:
        text = words(manifest)
        if text:
            yield label, text


def known(fact: Fact[str] | Fact[str | None] | Fact[int], fallback: str = "") -> str:
    """A fact as text; the fallback where it is unknown or absent."""
    return fallback if isinstance(fact, Unknown) or fact is None else str(fact)


def gib(mib: Fact[int]) -> str:
    """Memory in GiB, as people say it."""
    if isinstance(mib, Unknown):
        return "memory unknown"
    return f"{mib / 1024:.0f} GiB" if mib >= 10 * 1024 else f"{mib / 1024:.1f} GiB"


def count(number: int, noun: str) -> str:
    """'1 package', '2 packages'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def active_packages(manifest: Manifest) -> Fact[tuple[Package, ...]]:
    """The copies that import would use."""
    packages = manifest.section(Packages)
    if isinstance(packages, Unknown):
        return packages
    if isinstance(packages.installed, Unknown):
        return packages.installed
    return tuple(each for each in packages.installed if each.active)


def python_words(manifest: Manifest) -> str:
    """'Python 3.11.9 (venv, from distribution)'."""
    python = manifest.section(Python)
    if isinstance(python, Unknown):
        return _unknown(python)
    name = {"cpython": "Python", "pypy": "PyPy, Python"}.get(
        python.implementation, python.implementation
    )
    extra = [known(python.environment_kind)]
    if python.free_threaded is True:
        extra.append("free-threaded")
    if python.debug is True:
        extra.append("debug build")
    origin = known(python.origin)
    extra.append(f"built by {origin}" if origin not in {"", "other"} else "")
    more = ", ".join(filter(None, extra))
    return f"{name} {python.version} ({more})" if more else f"{name} {python.version}"


def packages_words(manifest: Manifest) -> str:
    """'382: 380 from an index, 2 editable'."""
    active = active_packages(manifest)
    if isinstance(active, Unknown):
        return _unknown(active)
    kinds = Counter(each.origin.kind for each in active)
    built = sum(each.built_here for each in active)
    source = f" ({built} built from source)" if built else ""
    parts = [f"{kinds['index']} from an index{source}"] if kinds["index"] else []
    parts += [f"{kinds[kind]} {words}" for kind, words in _KINDS.items() if kinds[kind]]
    packages = manifest.section(Packages)
    broken = () if isinstance(packages, Unknown) else packages.broken
    if not isinstance(broken, Unknown) and broken:
        parts.append(f"and {len(broken)} broken")
    return f"{len(active)}: {', '.join(parts)}" if active else "none"


def identity_words(manifest: Manifest) -> str:
    """'238 by stated files, 2 by commit'; nothing where all stand on one of the usual rungs."""
    active = active_packages(manifest)
    if isinstance(active, Unknown):
        return ""
    rungs = Counter(known(each.evidence) for each in active)
    if set(rungs) in _USUAL_RUNGS:
        return ""
    return ", ".join(f"{rungs[rung]} {words}" for rung, words in _RUNGS.items() if rungs[rung])


def gpu_words(manifest: Manifest) -> str:
    """'NVIDIA GeForce RTX 4090, 24 GiB, sm_89', models counted."""
    gpu = manifest.section(Gpu)
    if isinstance(gpu, Unknown):
        return _unknown(gpu)
    if isinstance(gpu.devices, Unknown):
        seen = (
            ""
            if isinstance(gpu.pci, Unknown)
            else f" ({count(len(gpu.pci), 'device')} on the PCI bus)"
        )
        return _unknown(gpu.devices) + (seen if seen != " (0 devices on the PCI bus)" else "")
    if not gpu.devices:
        return "none"
    kinds = Counter(device_words(each) for each in gpu.devices)
    return "; ".join(f"{number} x {kind}" if number > 1 else kind for kind, number in kinds.items())


def device_words(device: Device) -> str:
    """One GPU in a few words."""
    capability = known(device.compute_capability)
    parts = [_named(device.name), gib(device.memory_mib)]
    parts.append(f"sm_{capability.replace('.', '')}" if capability else "")
    return ", ".join(filter(None, parts))


def _named(name: Fact[str]) -> str:
    """A card's name; what is left of it, where a table has cut it off."""
    if isinstance(name, Unknown) and name.reason is Reason.NOT_RECORDED and name.detail:
        return name.detail
    return known(name, "a GPU whose name is unknown")


def driver_words(manifest: Manifest) -> str:
    """'550.144.03, good for CUDA up to 12.4'."""
    gpu = manifest.section(Gpu)
    if isinstance(gpu, Unknown) or gpu.driver is None:
        return ""
    if isinstance(gpu.driver, Unknown):
        return _unknown(gpu.driver)
    version, cuda = known(gpu.driver.version, "version not seen"), known(gpu.driver.cuda)
    flavour = known(gpu.driver.flavour)
    text = f"{version} ({flavour} kernel module)" if flavour else version
    text = f"{text}, good for CUDA up to {cuda}" if cuda else text
    compat = gpu.driver.compat
    if isinstance(compat, ForwardCompatibility) and compat.used is True:
        text += f"; with cuda-compat {known(compat.version)} up to {known(compat.cuda, '?')}"
    return text


def cuda_words(manifest: Manifest) -> str:
    """'runtime 12.4.127, cudnn 9.1.0.70 (pip)'."""
    cuda = manifest.section(Cuda)
    if isinstance(cuda, Unknown) or isinstance(cuda.libraries, Unknown):
        return ""
    main = [
        each for each in cuda.libraries if each.family in {"toolkit", "runtime", "cudnn", "nccl"}
    ]
    by_source: dict[str, list[str]] = {}
    for each in main:
        words = f"{each.family} {known(each.version, '?')}"
        if words not in by_source.setdefault(each.source, []):
            by_source[each.source].append(words)
    return "; ".join(f"{', '.join(names)} ({source})" for source, names in by_source.items())


def system_words(manifest: Manifest) -> str:
    """'Ubuntu 22.04.5, kernel 6.8.0-48-generic, glibc 2.35'."""
    system = manifest.section(Os)
    if isinstance(system, Unknown):
        return _unknown(system)
    name = known(system.distribution_name) or known(system.system, "unknown system")
    parts = [name, f"kernel {known(system.kernel)}" if known(system.kernel) else ""]
    if known(system.libc):
        parts.append(f"{known(system.libc)} {known(system.libc_version)}".strip())
    parts.append(f"WSL {known(system.wsl)}" if known(system.wsl) else "")
    return ", ".join(filter(None, parts))


def cpu_words(manifest: Manifest) -> str:
    """'AMD Ryzen 9 7950X (zen4), 32 threads, 62 GiB memory'."""
    cpu, memory = manifest.section(Cpu), manifest.section(Memory)
    parts = []
    if isinstance(cpu, Unknown):
        parts.append(_unknown(cpu))
    else:
        micro = known(cpu.microarchitecture)
        model = known(cpu.model, known(cpu.vendor, "model not seen"))
        parts.append(f"{model} ({micro})" if micro else model)
        if not isinstance(cpu.threads, Unknown):
            parts.append(count(cpu.threads, "thread"))
    if not isinstance(memory, Unknown) and not isinstance(memory.total_mib, Unknown):
        parts.append(f"{gib(memory.total_mib)} memory")
    return ", ".join(parts)


def _cpu_model(manifest: Manifest) -> str:
    cpu = manifest.section(Cpu)
    return "" if isinstance(cpu, Unknown) else known(cpu.model, known(cpu.vendor))


def project_words(manifest: Manifest) -> str:
    """'commit 3f9c2ab, 2 changed files not committed'."""
    git = project_git(manifest)
    if git is None:
        return ""
    commit = (
        f"commit {git.commit[:7]}"
        if isinstance(git.commit, str)
        else git.commit.detail or "commit not seen"
    )
    changed = git.changed_files
    if isinstance(changed, Unknown):
        return commit
    state = "clean" if changed == 0 else f"{count(changed, 'changed file')} not committed"
    return f"{commit}, {state}"


def project_git(manifest: Manifest) -> Git | None:
    """The project's version control; None where there is none, or it was not seen."""
    project = manifest.section(Project)
    if isinstance(project, Unknown) or isinstance(project.git, Unknown):
        return None
    return project.git


def sentence(manifest: Manifest) -> str:
    """One sentence for a paper: what decides a result, and the environment's id."""
    told, ident = environment_words(manifest)
    tail = f"; envsnap {ident}" if ident else ""
    return f"{told}{tail}." if told else "Nothing that a paper would name was captured."


def environment_words(manifest: Manifest) -> tuple[str, str]:
    """What decides a result, and the environment's id; each empty where it is not known."""
    from envsnap.manifest import environment_id

    python, system = manifest.section(Python), manifest.section(Os)
    parts = [] if isinstance(python, Unknown) else [f"Python {python.version}"]
    parts += _framework_words(manifest)
    if not isinstance(system, Unknown):
        parts.append(known(system.distribution_name) or known(system.system))
    gpu = manifest.section(Gpu)
    if not isinstance(gpu, Unknown) and not isinstance(gpu.devices, Unknown) and gpu.devices:
        driver = gpu.driver if not isinstance(gpu.driver, Unknown) else None
        parts.append(f"driver {known(driver.version)}" if driver and known(driver.version) else "")
        parts.append(gpu_words(manifest))
    else:
        parts.append(_cpu_model(manifest))
    ident = environment_id(manifest)
    return ", ".join(filter(None, parts)), ident if isinstance(ident, str) else ""


def _framework_words(manifest: Manifest) -> Iterator[str]:
    active = active_packages(manifest)
    for each in () if isinstance(active, Unknown) else active:
        title = _FRAMEWORKS.get(canonical_name(each.name))
        if title:
            yield f"{title} {each.version}"


def not_seen(manifest: Manifest) -> list[str]:
    """What is unknown and was asked for: of GPUs, and sections without a line of their own."""
    by_reason: dict[str, list[str]] = {}
    for name in manifest.sections.keys() - _SHOWN:
        why = _whole(manifest, name)
        if why is not None and why.reason not in {Reason.NOT_ASKED, Reason.NEEDS_DEEP}:
            by_reason.setdefault(str(why), []).append(name)
    sections = [f"{', '.join(sorted(names))}: {_cut(why)}" for why, names in by_reason.items()]
    return [*_of_gpus_not_seen(manifest), *sorted(sections)]


def _whole(manifest: Manifest, name: str) -> Unknown | None:
    """Why nothing of a section is known; None where something is."""
    section = manifest.sections[name]
    if isinstance(section, Unknown):
        return section
    facts = [getattr(section, each.name) for each in fields(section)] if name in DEEP else []
    first = next(iter(facts), None)
    same = isinstance(first, Unknown) and all(each == first for each in facts)
    return first if same else None


def _of_gpus_not_seen(manifest: Manifest) -> list[str]:
    """What is not known of the GPUs that are there; one line for each reason."""
    gpu = manifest.section(Gpu)
    devices = () if isinstance(gpu, Unknown) or isinstance(gpu.devices, Unknown) else gpu.devices
    number: Counter[tuple[tuple[str, ...], str]] = Counter()
    for each in devices:
        told = {
            "name": each.name, "memory": each.memory_mib,
            "compute capability": each.compute_capability,
        }  # fmt: skip
        missing = {name: str(fact) for name, fact in told.items() if isinstance(fact, Unknown)}
        for why in dict.fromkeys(missing.values()):
            number[tuple(name for name in missing if missing[name] == why), why] += 1
    return [
        f"{'GPU' if many == 1 else f'{many} GPUs'}: {', '.join(names)} ({_cut(why)})"
        for (names, why), many in number.items()
    ]


def _unknown(unknown: Unknown) -> str:
    """Why a part was not seen; nothing where it was left out on purpose."""
    if unknown.reason is Reason.NOT_ASKED:
        return ""
    return f"not seen ({_cut(str(unknown))})"


def _cut(why: str) -> str:
    return why if len(why) <= _DETAIL_SHOWN else f"{why[: _DETAIL_SHOWN - 3]}..."


_PARTS: tuple[tuple[str, Callable[[Manifest], str]], ...] = (
    ("Python", python_words),
    ("Packages", packages_words),
    ("Identity", identity_words),
    ("Verified", verified_words),
    ("GPU", gpu_words),
    ("Driver", driver_words),
    ("CUDA", cuda_words),
    ("Libraries", _deep_words.libraries_words),
    ("GPU code", _deep_words.code_words),
    ("Math", _deep_words.math_words),
    ("Needs", _deep_words.system_words),
    ("Fabric", _deep_words.fabric_words),
    ("System", system_words),
    ("CPU", cpu_words),
    ("Project", project_words),
    ("Run", run_words),
)
