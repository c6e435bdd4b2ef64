"""Writes what is made from the rules: the examples that `explain` prints, and docs/rules.md."""

from __future__ import annotations

import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXAMPLES = os.path.join(ROOT, "envsnap", "rules", "_examples.json")
PAGE = os.path.join(ROOT, "docs", "rules.md")


def main() -> None:
    """Write both, the page from the new examples; a case that triggers nothing has none."""
    sys.path.insert(0, ROOT)
    from tests.rules.book.book import BOOK, example_of

    examples, untriggered = {}, []
    for code in sorted(BOOK):
        try:
            examples[code] = example_of(BOOK[code])
        except ValueError:  # noqa: PERF203 - not the one finding, or condition, that a case is about
            untriggered.append(code)
    write(EXAMPLES, json.dumps(examples, indent=1) + "\n")

    from envsnap.reports.rule_book import rule_book

    write(PAGE, rule_book())
    if untriggered:
        sys.exit(f"No example, for their cases do not trigger them: {', '.join(untriggered)}")


def write(path: str, text: str) -> None:
    """Write one file, and say so."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    print(os.path.relpath(path, ROOT))


if __name__ == "__main__":
    main()
