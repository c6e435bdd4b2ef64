"""The hosts of the user's own conda channels: those that conda asks by default or is set to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from envsnap.lock._trust import own_of

_DEFAULTS = own_of(("https://conda.anaconda.org", "https://repo.anaconda.com"))
"""Of conda-forge and every other channel that is named without an address, and of `defaults`."""
_ADDRESS = re.compile(r"""https?://[^\s'"\[\]{},<>]+""")
_LIMIT_BYTES = 1 << 20


def conda_hosts(environ: Mapping[str, str]) -> frozenset[str]:
    """Whom the user's conda, mamba or pixi would ask, for `Trust.own`; addresses are not kept."""
    texts = [environ.get(name, "") for name in ("CONDA_CHANNELS", "CONDA_CHANNEL_ALIAS")]
    texts += [_text(path) for path in _settings(environ)]
    lines = "\n".join(texts).splitlines()
    said = [url for line in lines for url in _ADDRESS.findall(_without_comment(line))]
    return _DEFAULTS | own_of(said)


def _without_comment(line: str) -> str:
    return re.split(r"(?:^|\s)#", line, maxsplit=1)[0]


def _settings(environ: Mapping[str, str]) -> Iterator[str]:
    """The files that conda and its like read, without those of a project that came from others."""
    home = environ.get("HOME", "")
    named = [environ[name] for name in ("CONDARC", "MAMBARC") if environ.get(name)]
    roots = [environ.get(name, "") for name in ("CONDA_ROOT", "MAMBA_ROOT_PREFIX")]
    yield from named
    yield from (f"{root}/.condarc" for root in ("/etc/conda", "/var/lib/conda", *roots) if root)
    if home:
        config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
        yield from (f"{home}/.condarc", f"{home}/.conda/.condarc", f"{home}/.mambarc")
        yield from (f"{config}/conda/.condarc", f"{config}/pixi/config.toml")
        yield f"{home}/.pixi/config.toml"


def _text(path: str) -> str:
    """The file's text; nothing where it cannot be read or is no file."""
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:
            return file.read(_LIMIT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
