"""Time `envsnap capture --host-only` on a machine with an NVIDIA GPU beside NVML's own start.

`python bench/gpu.py [--runs N]`; the exit status is 1 where capture takes more than 150 ms longer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

ALLOWED_MS = 150
BARE = "import pynvml; pynvml.nvmlInit(); pynvml.nvmlDeviceGetCount()"


def main() -> int:
    """Time both in turn and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    envsnap = os.path.join(os.path.dirname(sys.executable), "envsnap")
    commands = {
        "NVML's own start": [sys.executable, "-c", BARE],
        "envsnap capture --host-only": [envsnap, "capture", "--host-only", "-q", "-o", "-"],
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(-1, runs):
        for name, argv in commands.items():
            started = time.perf_counter()
            subprocess.run(argv, check=True, capture_output=True)
            if turn >= 0:
                took[name].append((time.perf_counter() - started) * 1000)
    bare, ours = (statistics.median(each) for each in took.values())
    for name, each in took.items():
        print(f"{name:<30}{statistics.median(each):8.1f} ms  ({min(each):.1f} to {max(each):.1f})")
    print(f"{'the difference':<30}{ours - bare:8.1f} ms  (allowed: {ALLOWED_MS})")
    return 0 if ours - bare <= ALLOWED_MS else 1


if __name__ == "__main__":
    sys.exit(main())
