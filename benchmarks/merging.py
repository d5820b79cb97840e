"""One step of layer-wise AdaMerging against fusion-bench: ``python -m benchmarks.merging`` (see `make peers-merging`).

Eight tasks, batches of 16 each: merge, forward and back for all tasks, Adam. Our side is the solver's step, which also
draws its batches; the peer is handed the same ones outside its time. Before that, both make some steps on the same
batches, and their coefficients are asserted equal. Fine-tunings leave BatchNorm's running statistics alone, as the peer
merges none. Windows of the two alternate in one process; the figures are medians of milliseconds a step, and of
processor milliseconds, which the load of other processes disturbs less. The memory is the peak of a process of its own
for each side, beyond what its imports take; both read the same files.

What the peer loses is its merge, whose time does not depend on the data: the more tokens a network sees, the less there
is to win. Names choose rows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks._common import calibration, table
from benchmarks._fusion_bench import AdaMerging as Peer
from benchmarks._merging_networks import BATCH, NETWORKS, TASKS, Network, loaded, problem, tasks, write
from paretokit.core import Rng
from paretokit.problems.merging import ModelMerging
from paretokit.solvers.merging import AdaMerging
from paretokit.solvers.merging._minibatches import minibatch

NEVER = 1 << 40
EQUAL_STEPS = 5
PEAK = "peak MB"


class Ours:
    """Our side: the solver, the problem, and the state."""

    def __init__(self, network: Network, folder: Path, **options: Any) -> None:
        self.problem: ModelMerging = problem(network, folder, **options)
        self.solver = AdaMerging(batch_size=BATCH, steps=NEVER, evaluate_every=NEVER)
        self.state = self.solver.init(self.problem, Rng.from_seed(2))
        self.names = self.problem.vectors.layers

    def batches(self, step: int) -> list[Tensor]:
        """Return what a step sees."""
        rng = self.state.rng.child("step", step)
        return minibatch(self.problem, rng, signal="entropy", batch_size=BATCH).inputs  # type: ignore[return-value]

    def step(self) -> None:
        """Make one step."""
        self.state = self.solver.step(self.problem, self.state)

    @property
    def coefficients(self) -> Tensor:
        """Coefficients `[L, K]`."""
        return self.state.rows.view(self.problem.n_coefficients)


def peer_of(network: Network, folder: Path) -> Peer:
    """Return fusion-bench's side."""
    tuned = [loaded(network, folder / f"{k}.safetensors") for k in range(TASKS)]
    heads = [t.head for t in tasks(network) if t.head is not None]
    return Peer(loaded(network, folder / "base.safetensors"), tuned, heads)


def agreement(ours: Ours, theirs: Peer) -> float:
    """Return the largest difference of coefficients after some steps of both; raise if it is not small."""
    for t in range(EQUAL_STEPS):
        theirs.step(ours.batches(t))
        ours.step()
    assert list(ours.names) == theirs.names
    # Attention is the same whatever the keys' bias: its gradient is rounding, of which Adam takes the sign.
    rows = torch.tensor([not name.endswith("key.bias") for name in ours.names])
    moved = (theirs.coefficients - 0.3).abs()[rows].median()
    assert moved > 1e-3, "the peer's coefficients did not move"
    away = float((ours.coefficients - theirs.coefficients).abs()[rows].max())
    assert away < 1e-4, f"coefficients differ from fusion-bench's by {away:.1e}"
    return away


def measure(ours: Ours, theirs: Peer, *, steps: int, windows: int) -> dict[str, list[tuple[float, float]]]:
    """Return seconds and processor seconds a step of each side and window."""
    seen: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for turn in range(windows):
        drawn = [ours.batches(t) for t in range(steps)]
        for name in list(seen) if turn % 2 == 0 else list(seen)[::-1]:
            begin, busy = time.perf_counter(), time.process_time()
            for t in range(steps):
                if name == "ours":
                    ours.step()
                else:
                    theirs.step(drawn[t])
            seen[name].append(((time.perf_counter() - begin) / steps, (time.process_time() - busy) / steps))
    return seen


def peak(name: str, side: str, folder: Path, threads: int) -> float:
    """Return the peak of a fresh process's resident memory beyond its imports, in MB."""
    command = [sys.executable, "-m", "benchmarks.merging", name, "--side", side, "--folder", str(folder)]
    done = subprocess.run([*command, "--threads", str(threads)], check=True, capture_output=True, text=True)
    return float(next(line for line in done.stdout.splitlines() if line.startswith(PEAK)).removeprefix(PEAK))


def resident(field: str) -> float:
    """Return a field of the process's status in MB: VmHWM is the peak, VmRSS the present."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def alone(network: Network, side: str, folder: Path) -> None:
    """Make some steps of one side and print the peak beyond the imports."""
    import fusion_bench.method.adamerging.entropy_loss
    import fusion_bench.models.wrappers.layer_wise_fusion  # noqa: F401 - both sides start from the same imports

    Path("/proc/self/clear_refs").write_text("5")  # the peak starts here
    before = resident("VmRSS")
    if side == "ours":
        ours = Ours(network, folder)
        for _ in range(4):
            ours.step()
    else:
        theirs, rng = peer_of(network, folder), Rng.from_seed(2)
        data = [t.unlabeled for t in tasks(network)]
        for t in range(4):
            theirs.step([x[rng.child(t, k).integers(len(x), BATCH)] for k, x in enumerate(data)])  # type: ignore[index]
    print(f"{PEAK} {resident('VmHWM') - before:.0f}")


def compare(name: str, folder: Path, *, seconds: float, windows: int) -> list[str]:
    """Return a line of the table."""
    network = NETWORKS[name]
    folder.mkdir()
    write(network, folder)
    memory = {side: peak(name, side, folder, torch.get_num_threads()) for side in ("ours", "theirs")}
    ours, theirs = Ours(network, folder), peer_of(network, folder)
    away = agreement(ours, theirs)
    begin = time.perf_counter()
    theirs.step(ours.batches(0))
    steps = max(1, round(seconds / (time.perf_counter() - begin)))
    seen = measure(ours, theirs, steps=steps, windows=windows)
    wall = {side: statistics.median(w for w, _ in each) for side, each in seen.items()}
    busy = {side: statistics.median(b for _, b in each) for side, each in seen.items()}
    spread = sorted(t[0] / o[0] for o, t in zip(seen["ours"], seen["theirs"], strict=True))
    return [
        f"{network.title} ({ours.problem.vectors.size / 1e6:.1f} M)",
        f"{wall['ours'] * 1e3:.1f}",
        f"{wall['theirs'] * 1e3:.1f}",
        f"{wall['theirs'] / wall['ours']:.2f}× ({spread[0]:.2f} … {spread[-1]:.2f})",
        f"{network.goal:g}×",
        f"{busy['ours'] * 1e3:.0f} / {busy['theirs'] * 1e3:.0f} = {busy['theirs'] / busy['ours']:.2f}×",
        f"{memory['ours']:.0f} / {memory['theirs']:.0f}",
        f"{away:.0e}",
    ]


def main() -> None:
    """Print the rows that the arguments name; all of them unless they name any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"rows: {', '.join(NETWORKS)}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="of the peer's steps in a window")
    parser.add_argument("--windows", type=int, default=9)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    names = given.names or list(NETWORKS)
    if given.side:
        alone(NETWORKS[names[0]], given.side, given.folder)
        return
    print(calibration(("torch", "fusion-bench", "numpy")), flush=True)
    head = ["network", "ours ms", "fusion-bench ms", "ratio (windows)", "goal", "processor ms", "peak MB", "apart"]
    lines = []
    with tempfile.TemporaryDirectory() as aside:
        for name in names:
            lines.append(compare(name, Path(aside) / name, seconds=given.seconds, windows=given.windows))
            print(f"{name}: ours {lines[-1][1]} ms, fusion-bench {lines[-1][2]} ms, load {os.getloadavg()[0]:.1f}")
    print(table([head, *lines]))


if __name__ == "__main__":
    main()
