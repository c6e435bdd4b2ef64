"""The two short names of a manifest: which environment, and which machine.

Twelve hex digits over canonical content without times and paths. Two captures of one
environment on two machines have the same environment id; two environments on one machine
the same machine id.
"""

from __future__ import annotations

import json
import re
import sys
from functools import lru_cache

from envsnap.manifest._model import Manifest
from envsnap.sections import Cpu, Device, Fact, Gpu, Os, Package, Packages, Python, Reason, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib

_LARGE = 1 << 20
_SEPARATORS = re.compile(r"[-_.]+")


@lru_cache(maxsize=8192)  # the rules ask for the same names again and again
def canonical_name(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    plain = name.lower()
    is_plain = "_" not in plain and "." not in plain and "--" not in plain  # nearly every name
    return plain if is_plain else _SEPARATORS.sub("-", plain)


def environment_id(manifest: Manifest) -> Fact[str]:
    """The environment's id: Python and the packages that import would use, with their identity."""
    python, packages = manifest.section(Python), manifest.section(Packages)
    if isinstance(python, Unknown):
        return Unknown(Reason.NOT_RECORDED, "no Python section")
    if isinstance(packages, Unknown) or isinstance(packages.installed, Unknown):
        return Unknown(Reason.NOT_RECORDED, "no packages section")
    if isinstance(packages.unlisted, Unknown):
        return packages.unlisted
    interpreter = [python.implementation, python.version] + [
        _plain(value)
        for value in (python.soabi, python.free_threaded, python.debug, python.architecture)
    ]
    active = sorted(
        (canonical_name(each.name), each.version, _proof(each))
        for each in packages.installed
        if each.active
    )
    conda = () if isinstance(packages.conda_only, Unknown) else packages.conda_only
    others = sorted(f"{each.name} {each.version} {_plain(each.build)}" for each in conda)
    return _short([interpreter, active, others])


def machine_id(manifest: Manifest) -> Fact[str]:
    """The machine's id: system, processor, GPUs and driver."""
    system, cpu, gpu = manifest.section(Os), manifest.section(Cpu), manifest.section(Gpu)
    if isinstance(system, Unknown) and isinstance(cpu, Unknown) and isinstance(gpu, Unknown):
        return Unknown(Reason.NOT_RECORDED, "no section about the machine")
    parts: list[object] = []
    if not isinstance(system, Unknown):
        parts += [_plain(system.system), _plain(system.distribution), _plain(system.architecture)]
        parts += [_plain(system.distribution_version), _plain(system.libc_version)]
    if not isinstance(cpu, Unknown):
        parts += [_plain(cpu.vendor), _plain(cpu.model), _plain(cpu.microarchitecture)]
    if not isinstance(gpu, Unknown):
        driver = (
            gpu.driver
            if isinstance(gpu.driver, Unknown) or gpu.driver is None
            else gpu.driver.version
        )
        devices = (
            gpu.devices if isinstance(gpu.devices, Unknown) else sorted(map(_kind, gpu.devices))
        )
        parts += [_plain(driver), str(devices) if isinstance(devices, Unknown) else devices]
    return _short(parts)


def _kind(device: Device) -> str:
    facts = (device.name, device.compute_capability, device.multiprocessors, device.memory_mib)
    return " ".join(str(_plain(each)) for each in facts)


def _proof(package: Package) -> str:
    """What tells a package from others of its version: its digest, or the commit."""
    proof = package.content
    if type(proof) is not str:
        proof = package.origin.commit if package.origin.kind == "vcs" else None
    return f'"{proof}"' if type(proof) is str else _plain(proof)


def _plain(value: object) -> str:
    """A fact as text; an unknown is no value and equal to no value."""
    if isinstance(value, Unknown):
        return f"unknown:{value.reason}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _short(content: object) -> str:
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    return sha256(text.encode())[:12]


def sha256(*parts: bytes | memoryview) -> str:
    """SHA-256 in hex; of little, by Python's own code where it was built with it.

    To load OpenSSL, which is six times as fast, takes longer than a usual manifest's digests:
    that is left to the first large one.
    """
    digest = _hasher(sum(map(len, parts)))
    for each in parts:
        digest.update(each)
    return digest.hexdigest()


def _hasher(size: int) -> hashlib._Hash:
    from importlib import import_module

    is_little = size < _LARGE and "_hashlib" not in sys.modules
    for name in ("_sha2", "_sha256") if is_little else ():  # since 3.12, and before
        try:
            found: hashlib._Hash = import_module(name).sha256()
        except ImportError:
            continue
        return found
    import hashlib

    return hashlib.sha256()
