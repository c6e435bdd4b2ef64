"""The files that an environment needs and no index has: who has no copy cannot make it again."""

from __future__ import annotations

from envsnap.manifest import Manifest

_SHOWN = 8


def alone_words(manifest: Manifest) -> str:
    """'2 files are on no index: a 1.0, b 2.0 ...'; '' where every file can be fetched.

    Without a lock nobody knows.
    """
    if manifest.lock is None:
        return ""
    artifacts, archives = manifest.lock.artifacts, manifest.lock.conda
    names = [f"{each.name} {each.version}" for each in artifacts if each.url is None]
    names += [f"{each.name} {each.version}" for each in archives if each.url is None]
    if not names:
        return ""
    count = "1 file is" if len(names) == 1 else f"{len(names):,} files are"
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return (
        f"{count} on no index: {', '.join(names[:_SHOWN])}{more}; to make it again needs the "
        "wheelhouse, a pack, or an image that was built with --embed-wheelhouse"
    )
