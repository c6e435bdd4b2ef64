"""What an editable or local installation comes from: its folder, and the repository around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envsnap.manifest import canonical_name
from envsnap.probes._difference import difference
from envsnap.probes._draft import Draft
from envsnap.probes._git import git, repository
from envsnap.probes._interpreter import Entry
from envsnap.probes._registry import Look
from envsnap.sections import Fact, Git, Origin, Reason, Unknown, replace

_FROM_FOLDERS = frozenset({"editable", "directory"})
_MOST_REPOSITORIES = 16
_SITES = ("/site-packages", "/dist-packages")
_GONE = Unknown(Reason.NOT_SUPPORTED, "its folder is no longer there")
_TOO_MANY = Unknown(Reason.NOT_ASKED, f"more than {_MOST_REPOSITORIES} repositories")


def with_trees(look: Look, drafts: Sequence[Draft]) -> Iterator[Draft]:
    """The drafts, those from folders with the state of their repository: each is asked once.

    After one that did not answer in time no other is asked: they may all lie on the same disk.
    """
    asked: set[str | None] = set()
    late: Unknown | None = None
    for draft in drafts:
        origin = draft.package.origin
        if draft.source is None or origin.kind not in _FROM_FOLDERS:
            yield draft
            continue
        asked.add(repository(look.host, draft.source))
        why = _TOO_MANY if len(asked) > _MOST_REPOSITORIES else late
        if why is None:
            known = _with_state(look, origin, draft.source)
            late = _lateness(known.git)
        else:
            known = replace(origin, git=why, difference=why)
        yield draft._replace(package=replace(draft.package, origin=known))


def _lateness(state: Fact[Git | None]) -> Unknown | None:
    is_late = isinstance(state, Unknown) and state.reason is Reason.TIMED_OUT
    return Unknown(Reason.TIMED_OUT, "git was late with another repository") if is_late else None


def _with_state(look: Look, origin: Origin, folder: str) -> Origin:
    if look.host.stat(folder) is None:
        return replace(origin, git=_GONE, difference=_GONE)
    state = git(look, folder)
    return replace(origin, git=state, difference=_difference(look, state, folder))


def _difference(look: Look, state: Fact[Git | None], folder: str) -> Fact[str | None]:
    if state is None or isinstance(state, Unknown):
        return state
    root = repository(look.host, folder)
    if state.changed_files == 0 or root is None or not isinstance(state.commit, str):
        return None if isinstance(state.commit, str) else state.commit
    return difference(look, root)


def without_leavings(drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts, less the egg-info that an editable installation left in its own source."""
    sources = [
        (canonical_name(each.package.name), each.source)
        for each in drafts
        if each.source is not None and each.package.origin.kind == "editable"
    ]
    return [each for each in drafts if not (sources and _is_left_in(each, sources))]


def _is_left_in(draft: Draft, sources: Sequence[tuple[str, str]]) -> bool:
    folder = draft.found.folder
    if draft.found.kind != "egg-info" or folder.endswith(_SITES):
        return False
    name = canonical_name(draft.package.name)
    return any(name == other and _is_in(folder, source) for other, source in sources)


def _is_in(folder: str, source: str) -> bool:
    return folder == source or folder.startswith(f"{source}/")


def rank(draft: Draft, entries: Sequence[Entry]) -> int:
    """Where import comes upon it: of an editable installation, where its source is looked for.

    One whose source is not on the search path has a finder, which Python asks last of all.
    """
    if draft.package.origin.kind != "editable":
        places = [at for at, entry in enumerate(entries) if entry.path == draft.found.folder]
    else:
        places = [
            at
            for at, entry in enumerate(entries)
            if draft.source is not None
            and _is_in(entry.path, draft.source)
            and not entry.path.endswith(_SITES)
        ]
    return min(places, default=len(entries))
