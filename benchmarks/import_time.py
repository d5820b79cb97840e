"""What `import paretokit` and naming `solve` add to `import torch`: the median of fresh processes.

python -m benchmarks.import_time [--runs 5]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

GOAL = 0.3
CODE = (
    "import time, torch; begin = time.perf_counter(); import paretokit; paretokit.solve, paretokit.Front; "
    "print(time.perf_counter() - begin)"
)


def measure() -> float:
    """Return the seconds that the import takes in one fresh process, after torch."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print each run, the median and the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = [measure() for _ in range(parser.parse_args().runs)]
    print("runs   " + "  ".join(f"{seconds:.3f} s" for seconds in runs))
    print(f"median {statistics.median(runs):.3f} s (goal: at most {GOAL} s)")


if __name__ == "__main__":
    main()
