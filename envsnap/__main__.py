"""Run the command line: `python -m envsnap`."""

from __future__ import annotations

from envsnap.cli import whole_process

if __name__ == "__main__":
    whole_process()
