"""Where builds with a local version are published, inferred from their label."""

from __future__ import annotations

from envsnap.manifest import canonical_name
from envsnap.sections import Fact

_OF_PYTORCH = frozenset(
    {"fbgemm-gpu", "torch", "torchao", "torchaudio", "torchcodec", "torchtext", "torchvision"}
)
"""Distributions that PyTorch's own indexes hold under local versions."""


def index_hint(name: str, version: str) -> Fact[str | None]:
    """The index that has builds of this label; None for any that the tables do not hold.

    >>> index_hint("torch", "2.5.1+cu124")
    'https://download.pytorch.org/whl/cu124'
    >>> index_hint("torch", "2.5.1"), index_hint("lab-tools", "1.0+cu124")
    (None, None)
    """
    label = version.partition("+")[2]
    if not label or canonical_name(name) not in _OF_PYTORCH:
        return None
    from envsnap.facts import torch_cuda

    return torch_cuda.index_of(label)
