"""Start the programs that a recorded capture asked, all at once, and wait for their answers.

Of the environment's Python only its start: no capture that asks the same is done sooner than this.
Reads DIR/host.json, where DIR is what `envsnap capture --record DIR` wrote.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

SCRIPT = "{script}"
"""How a recording names the text that the environment's Python was given."""


def main() -> int:
    """Ask them, and answer 0."""
    with open(os.path.join(sys.argv[1], "host.json"), encoding="utf-8") as file:
        commands = json.load(file)["commands"]
    children = []
    for each in commands:
        argv = ["pass" if word == SCRIPT else word for word in each["argv"]]
        children.append(
            subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
    for child in children:
        child.communicate()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
