"""The reports of Hugging Face's `transformers env`, `accelerate env` and `diffusers-cli env`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from envsnap.imports._cards import LISTED, card, gpu_of
from envsnap.imports._core import NOT_TOLD, Text, Told, reader
from envsnap.imports._listed import listed, packages
from envsnap.imports._systems import Platform, os_of, platform_of, python_of
from envsnap.imports._torch import with_torch
from envsnap.sections import Fact, Gpu, Package, Unknown

_LINE = re.compile(
    r"^[ \t]*[-*\u2022][ \t]*(?:\U0001f917 )?(`?[\w .?()/`-]{2,60}?)[ \t]*:[ \t]*(.*?)[ \t]*$",
    re.MULTILINE,
)
_CARD = re.compile(r"(NVIDIA [^\n,|]{2,60}), (\d{3,7}) MiB")
_OWN = frozenset({"transformers version", "accelerate version", "diffusers version"})
_VERSION = re.compile(r"(\d+(?:\.\d+)+[\w.+]*)")
_AND_GPU = re.compile(r"(\d[\w.+]*) \((True|False|NA|[A-Za-z/ ]{1,20})\)")
_NAMES: Mapping[str, str] = {
    "transformers version": "transformers",
    "accelerate version": "accelerate",
    "diffusers version": "diffusers",
    "huggingface_hub version": "huggingface-hub",
    "safetensors version": "safetensors",
    "numpy version": "numpy",
    "peft version": "peft",
    "bitsandbytes version": "bitsandbytes",
    "xformers version": "xformers",
    "jax version": "jax",
    "jaxlib version": "jaxlib",
    "deepspeed version": "deepspeed",
}
_WITH_GPU: Mapping[str, str] = {
    "pytorch version (gpu?)": "torch",
    "pytorch version (accelerator?)": "torch",
    "pytorch version": "torch",
    "tensorflow version (gpu?)": "tensorflow",
    "flax version (cpu?/gpu?/tpu?)": "flax",
}
_FEWEST = 2
_LONGEST = 60


@reader("transformers env")
def read_report(text: Text) -> Told | None:
    """What one of the tools tells: versions, the platform, and now and then one kind of GPU."""
    words: dict[str, str] = {}
    for name, value in _LINE.findall(text.text):
        words.setdefault(name.replace("`", "").strip().lower(), value)
    if not _OWN & words.keys() or "platform" not in words or len(words) <= _FEWEST:
        return None
    platform = platform_of(words["platform"])
    python = python_of(words.get("python version", ""), platform)
    machine = platform.machine if platform else NOT_TOLD
    found = _packages(words, machine)
    sections = {
        "python": python,
        "os": os_of(platform, python=python),
        "packages": packages(found, is_whole=False, conda_only=()),
        "gpu": _gpu(text.text, platform),
    }
    first = next(each for each in words if each in _OWN)
    return Told(f"{_NAMES[first]} env", sections, notes=_notes(words))


def _packages(words: Mapping[str, str], machine: Fact[str]) -> list[Package]:
    found = [
        listed(name, match[1])
        for key, name in _NAMES.items()
        if (match := _VERSION.match(words.get(key, "")))
    ]
    torch = None
    for key, name in _WITH_GPU.items():
        match = _AND_GPU.match(words.get(key, "")) or _VERSION.fullmatch(words.get(key, ""))
        if match and name == "torch":
            torch = torch or match[1]
        elif match:
            found.append(listed(name, match[1]))
    return with_torch(found, torch, None, machine=machine)


def _gpu(text: str, platform: Platform | None) -> Gpu | Unknown:
    """The cards that diffusers lists with their memory, as nvidia-smi tells them."""
    listed_cards = _CARD.findall(text)
    if not listed_cards or platform is None:
        return NOT_TOLD
    place = "wsl2" if "microsoft" in str(platform.release).lower() else "pci"
    devices = (card(name, memory_mib=int(memory)) for name, memory in listed_cards)
    return gpu_of(tuple(devices), platform=place, visible=LISTED)


def _notes(words: Mapping[str, str]) -> tuple[str, ...]:
    """What it says of GPUs without saying how many there are."""
    name = words.get("gpu type", "")
    is_name = 0 < len(name) <= _LONGEST and name.isprintable() and "<" not in name
    if not is_name or name.lower() in {"na", "n/a", "none"}:
        return ()
    return (f"GPU type {name}: how many there are it does not say, so none is recorded",)
