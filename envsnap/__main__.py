"""Run the command line: `python -m envsnap`."""

from __future__ import annotations

from envsnap.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
