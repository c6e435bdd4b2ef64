"""What is known of the files of a lock: which are proved, and which an earlier lock knew better."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap.manifest import canonical_name
from envsnap.sections import MADE_HERE, Artifact, CondaArtifact, Lock, Package, replace


def is_proved(artifact: Artifact, package: Package) -> bool:
    """Whether bytes prove that the package came from this file, or one with the same content.

    Either its hash is the one that the installer recorded, or what it installs was compared.
    """
    if artifact.how == "address" or package.origin.archive_hash == f"sha256={artifact.sha256}":
        return True
    return isinstance(artifact.content, str) and artifact.content == package.content


def kept(
    artifacts: Sequence[Artifact],
    packages: Sequence[Package],
    earlier: Lock | None,
    environment: str,
) -> list[Artifact]:
    """The artifacts, with what an earlier lock of the same packages knew that they do not.

    What was made or built for a wheelhouse stays until an index proves to have the file; of a file
    that is still the same, what was seen when it was looked into stays known.
    """
    found = {each.name: each for each in artifacts}
    active = {canonical_name(each.name): each for each in packages if each.active}
    for each in earlier.artifacts if earlier is not None else ():
        package, new = active.get(each.name), found.get(each.name)
        if package is None or package.version != each.version:
            continue
        if new is not None and new.sha256 == each.sha256:
            if isinstance(each.content, str):
                found[each.name] = replace(each, url=new.url)
            continue
        is_same = earlier is not None and earlier.environment == environment
        is_same = is_same or (isinstance(each.content, str) and each.content == package.content)
        if each.how in MADE_HERE and is_same and not (new and is_proved(new, package)):
            found[each.name] = each
    return list(found.values())


def kept_archives(
    archives: Sequence[CondaArtifact], earlier: Lock | None, environment: str
) -> tuple[CondaArtifact, ...]:
    """The same for conda's archives: what was made again was gone from its channel."""
    if earlier is None or earlier.environment != environment:
        return tuple(archives)
    made = {each.name: each for each in earlier.conda if each.how in MADE_HERE}
    return tuple(made.get(each.name, each) for each in archives)
