"""The rung of a package's identity: the strongest thing that says what it is."""

from __future__ import annotations

from envsnap.sections import Changes, Fact, Package, replace


def evidence(package: Package, content: Fact[str | None]) -> str:
    """conda, archive, vcs, verified, content, distribution or version, the strongest first.

    `verified` is content of which every file was hashed and found as RECORD states it.
    """
    origin, changes = package.origin, package.changes
    proved = isinstance(changes, Changes) and not (
        changes.edited or changes.missing or any(map(is_inside, changes.unchecked))
    )
    proofs: tuple[tuple[str, object], ...] = (
        ("conda", package.conda.sha256 if package.conda else None),
        ("archive", origin.archive_hash if _is_strong(origin.archive_hash) else None),
        ("vcs", origin.commit),
        ("verified", content if proved else None),
        ("content", content),
        ("distribution", "yes" if origin.kind == "distribution" else None),
    )
    return next((name for name, proof in proofs if isinstance(proof, str)), "version")


def _is_strong(stated: Fact[str | None]) -> bool:
    """Whether nobody can make another archive of that hash."""
    return isinstance(stated, str) and stated.startswith(("sha256=", "sha384=", "sha512="))


def verified(package: Package, changes: Changes) -> Package:
    """The package with what differs from its RECORD, and the rung that it now stands on."""
    known = replace(package, changes=changes)
    return replace(known, evidence=evidence(known, known.content))


def is_inside(shown: str) -> bool:
    """Whether a path among a package's changes lies in its own folder: others begin like this."""
    return not shown.startswith(("../", "/", "{"))
