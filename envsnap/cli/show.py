"""envsnap show: print what a manifest says."""

from __future__ import annotations

import os
import sys

from envsnap.cli._manifest import load_any
from envsnap.cli._terminal import add_common, clean, columns, folded, payload
from envsnap.errors import ExitCode, UsageError
from envsnap.manifest import Manifest, document, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

EPILOG = """examples:
  envsnap show                         what the manifest here says, in short
  envsnap show paper.json --sentence   one sentence for a paper (--latex: as LaTeX)
  envsnap show --paste                 a block for an issue, which envsnap import reads
  envsnap show docker://lab/paper:1    what an image carries (asks its registry, under 1 MB)
  envsnap show --field gpu             one section, as JSON
  envsnap show --field python.version  one fact, as JSON
  envsnap show --as-profile > a100.json   its machine alone, to check against
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of show."""
    add = parser.add_argument
    add(
        "manifest",
        metavar="MANIFEST",
        nargs="?",
        help="the file, a profile as t4-cloud, or an image that carries one (docker://NAME, which "
        "asks its registry, docker-archive:FILE.tar, FILE.sif; nothing of it is started; default: "
        "the nearest file upward; - is standard input)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--sentence", action="store_true", help="print one sentence for a paper")
    form.add_argument("--packages", action="store_true", help="list every package, one a line")
    form.add_argument("--field", metavar="PATH", help="print one section or fact as JSON")
    form.add_argument(
        "--as-profile", action="store_true",
        help="print its machine alone, as a manifest that names nobody: check --against takes it",
    )  # fmt: skip
    form.add_argument(
        "--profiles", action="store_true", help="list the machines that come with envsnap"
    )
    form.add_argument(
        "--paste", action="store_true",
        help="print a Markdown block for an issue; envsnap import reads it again",
    )  # fmt: skip
    add("--latex", action="store_true", help="with --sentence: write it as LaTeX")
    form.add_argument("--schema", action="store_true", help="print the JSON Schema of manifests")
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Print a manifest, or a part of it."""
    if args.schema:
        from envsnap.manifest import json_schema

        payload(_json(json_schema()))
        return ExitCode.OK
    if args.profiles:
        from envsnap.profiles import listing

        payload(listing())
        return ExitCode.OK
    if args.latex and not args.sentence:
        raise UsageError("--latex is a form of --sentence", hint="envsnap show --sentence --latex")
    manifest = _named(args.manifest)
    if args.sentence:
        payload(_sentence(manifest, is_latex=args.latex))
    elif args.paste:
        from envsnap.reports.paste import paste

        payload(paste(manifest))
    elif args.packages:
        payload("\n".join(_package_lines(manifest)) or "no packages")
    elif args.as_profile:
        from envsnap.manifest import encode
        from envsnap.profiles import as_profile

        payload(encode(as_profile(manifest)))
    elif args.field is not None:
        payload(_json(_field(manifest, args.field)))
    else:
        payload(_overview(manifest))
    return ExitCode.OK


def _overview(manifest: Manifest) -> str:
    from envsnap.profiles import NO_ENVIRONMENT
    from envsnap.reports import summary
    from envsnap.reports._alone import alone_words
    from envsnap.sections import Packages

    width = columns(sys.stdout)
    captured = manifest.captured
    told = f", as told by {', '.join(captured.imported)}" if captured.imported else ""
    done = "Imported" if told else "Captured"  # when what was imported was recorded is not known
    said = f"{done} {captured.time} by envsnap {captured.version}{told}"
    if manifest.section(Packages) == NO_ENVIRONMENT:
        said = f"A profile of {captured.time[:10]}: a kind of machine, none that was looked at"
    head = folded(said, width)
    edited = ["Edited since: its facts are not those that were captured"] if manifest.edited else []
    words = alone_words(manifest)
    alone = ["", folded(words, width)] if words else []
    text = [
        head, *edited, summary.identity(manifest), "", *summary.summary(manifest, width), *alone,
        "", *summary.paper(manifest, width),
    ]  # fmt: skip
    return "\n".join(map(clean, text))


def _named(name: str | None) -> Manifest:
    """The manifest of that name, the nearest, or the profile of that name."""
    if name is None or name == "-" or os.path.lexists(name):
        return load_any(name or find())
    from envsnap.profiles import is_profile
    from envsnap.profiles import load as profile

    return profile(name) if is_profile(name) else load_any(name)


def _sentence(manifest: Manifest, *, is_latex: bool) -> str:
    if is_latex:
        from envsnap.reports.claim import environment_latex

        return environment_latex(manifest)
    from envsnap.reports._words import sentence

    return clean(sentence(manifest))


def _package_lines(manifest: Manifest) -> list[str]:
    from envsnap.reports._shown import shown
    from envsnap.sections import Packages, Unknown

    packages = manifest.section(Packages)
    if isinstance(packages, Unknown) or isinstance(packages.installed, Unknown):
        return []
    return [
        shown(f"{each.name} {each.version}    {each.origin.kind}, {each.layer}")
        + ("" if each.active else "    shadowed")
        for each in packages.installed
    ]


def _field(manifest: Manifest, path: str) -> object:
    """One place in the document, by its dotted path; sections need no prefix."""
    tree: object = document(manifest)
    parts = path.replace("[", ".").replace("]", "").split(".")
    if isinstance(tree, dict) and parts[0] not in tree:
        parts = ["sections", *parts]
    done: list[str] = []
    for part in parts:
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
        elif isinstance(tree, list) and part.isdecimal() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            place = ".".join(done) or "the manifest"
            known = ", ".join(sorted(tree)[:20]) if isinstance(tree, dict) else "no names"
            raise UsageError(f"No field {part!r} in {place}", hint=f"There is: {known}")
        done.append(part)
    return tree


def _json(value: object) -> str:
    from envsnap.manifest._encode import harmless, pretty

    return harmless(pretty(value))
