"""Indicators against moocore, pygmo, pymoo, botorch and evox: ``python -m benchmarks.indicators [filter]``.

Every row is one piece of work, done in turns by paretokit and each peer; the values must agree before the times count.
A ratio above 1 says that paretokit is faster than the best peer. Peers that are not installed are named at the end
(`make peers` makes an interpreter with all of them).
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import moocore
import numpy as np
import torch

from benchmarks._common import calibration, duration, installed, interleaved, table
from paretokit import indicators
from paretokit.core._kernel import KernelModule
from paretokit.indicators._hypervolume_exact import SizedKernels

PEERS = ("moocore", "pygmo", "pymoo", "botorch", "evox")
Call = Callable[[], Any]


@dataclass
class Row:
    """One piece of work: our call, the peers' calls, and how near the values must be (None: only the time counts)."""

    name: str
    ours: Call
    peers: dict[str, Call]
    rtol: float | None = 1e-9
    atol: float = 0.0
    goal: str = ""
    repeats: int = 5
    notes: list[str] = field(default_factory=list)


def front(m: int, n: int, seed: int = 0) -> np.ndarray:
    """Return n random points of the linear simplex front."""
    return np.random.default_rng(seed).dirichlet(np.ones(m), n)


def single_fronts(have: dict[str, bool]) -> Iterator[Row]:
    sizes = {2: (100, 20_000), 3: (100, 1000, 10_000), 4: (100, 1000, 3000), 5: (50, 200, 500)}
    sizes |= {6: (400,), 7: (200,), 8: (100,), 9: (100,), 10: (80,)}
    for m, counts in sizes.items():
        for n in counts:
            points, ref = front(m, n), np.full(m, 1.1)
            peers: dict[str, Call] = {}
            if m <= 8:
                peers["moocore"] = partial(moocore.hypervolume, points, ref=ref)
            if have["pygmo"] and not (m == 4 and n > 1000) and not (m == 5 and n > 200):
                import pygmo

                peers["pygmo"] = lambda points=points, ref=ref: pygmo.hypervolume(points).compute(ref)
            if have["pymoo"] and m <= 5 and n <= 1000:
                from pymoo.indicators.hv import Hypervolume

                peers["pymoo"] = partial(Hypervolume(ref_point=ref).do, points)
            if have["botorch"] and m <= 4 and n <= 100:
                from botorch.utils.multi_objective.hypervolume import Hypervolume as Botorch

                peers["botorch"] = partial(Botorch(torch.tensor(-ref)).compute, torch.tensor(-points))
            goal = "2x" if m >= 6 else "0.9x, or +30 µs below 1 ms"
            yield Row(f"hypervolume m={m} n={n}", partial(indicators.hypervolume, points, ref), peers, goal=goal)


def batches(have: dict[str, bool]) -> Iterator[Row]:
    for m in (2, 3):
        fronts, ref = np.stack([front(m, 100, seed) for seed in range(1024)]), np.full(m, 1.1)
        peers: dict[str, Call] = {
            "moocore": lambda f=fronts, r=ref: np.array([moocore.hypervolume(a, ref=r) for a in f]),
        }
        if have["pygmo"]:
            import pygmo

            peers["pygmo"] = lambda f=fronts, r=ref: np.array([pygmo.hypervolume(a).compute(r) for a in f])
        name = f"hypervolume of 1024 fronts m={m} n=100"
        yield Row(name, partial(indicators.hypervolume, fronts, ref), peers, goal="1.5x")
        if have["evox"] and m == 3:  # Monte Carlo: the time of an estimate with an error near 1e-3
            from evox.metrics import hv

            points, corner = torch.tensor(fronts[0]), torch.tensor(ref)
            ours = partial(indicators.hypervolume, fronts[0], ref)
            yield Row("hypervolume m=3 n=100, evox Monte Carlo", ours, {"evox": partial(hv, points, corner)}, rtol=0.02)


def contributions(have: dict[str, bool]) -> Iterator[Row]:
    for m, n, goal in ((2, 1000, ""), (3, 1000, ""), (4, 100, ""), (4, 1000, "20x"), (6, 60, "")):
        points, ref = front(m, n), np.full(m, 1.1)
        peers: dict[str, Call] = {"moocore": partial(moocore.hv_contributions, points, ref=ref)}
        if have["pygmo"] and n * m <= 3000:
            import pygmo

            peers["pygmo"] = lambda p=points, r=ref: pygmo.hypervolume(p).contributions(r)
        ours = partial(indicators.hypervolume_contributions, points, ref)
        # Peers subtract volumes of the whole front: their error is a share of that volume, not of the contribution.
        yield Row(f"contributions m={m} n={n}", ours, peers, rtol=1e-9, atol=1e-12, goal=goal)


def others(have: dict[str, bool]) -> Iterator[Row]:
    points, ref = front(8, 300), np.full(8, 1.1)
    ours = lambda: indicators.hypervolume_approx(points, ref, n_directions=8192).value  # noqa: E731
    peer = {"moocore": partial(moocore.hv_approx, points, ref=ref, nsamples=65536)}
    yield Row("hypervolume_approx m=8 n=300, 65536 rays", ours, peer, rtol=0.02)
    pair = front(2, 2000)
    r2 = {"moocore": partial(moocore.r2_exact, pair, ref=[-0.1, -0.1])}
    yield Row("r2_exact m=2 n=2000", partial(indicators.r2_exact, pair, [-0.1, -0.1]), r2)
    for m, n, k in ((3, 1000, 1000), (5, 500, 1000)):
        approximation, reference = front(m, n), front(m, k, 1)
        peers: dict[str, Call] = {"moocore": partial(moocore.igd_plus, approximation, ref=reference)}
        if have["pymoo"]:
            from pymoo.indicators.igd_plus import IGDPlus

            peers["pymoo"] = partial(IGDPlus(reference).do, approximation)
        yield Row(f"igd_plus m={m} n={n}", partial(indicators.igd_plus, approximation, reference), peers)


# VmHWM and not ru_maxrss, which a child inherits from its parent.
MEMORY = """
import pathlib, re, time
import numpy as np
points = np.random.default_rng(0).random((1_000_000, 3))
{setup}
begin = time.perf_counter()
found = {call}
seconds = time.perf_counter() - begin
status = pathlib.Path("/proc/self/status")
peak = int(re.search("VmHWM:\\s+(\\d+)", status.read_text()).group(1)) / 1024 if status.exists() else float("nan")
print(seconds, peak, int(found.sum()))
"""


def filtering() -> list[list[str]]:
    """Return the rows of filtering 1e6 points, m = 3, each in a process of its own, with the peak of memory."""
    setups = {
        "paretokit": (
            "from paretokit.core import non_dominated\nnon_dominated(points[:5000])",
            "non_dominated(points)",
        ),
        "moocore": ("import moocore", "moocore.is_nondominated(points, keep_weakly=True)"),
    }
    found: dict[str, list[list[float]]] = {name: [] for name in setups}
    for _ in range(3):
        for name, (setup, call) in setups.items():
            code = MEMORY.format(setup=setup, call=call)
            out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
            found[name].append([float(x) for x in out.split()])
    ours, peer = (np.median(found[name], axis=0) for name in setups)
    if ours[2] != peer[2]:
        raise AssertionError(f"filtering: {ours[2]:.0f} points kept against {peer[2]:.0f}")
    memory = f"peak memory of the process {ours[1]:.0f} MB against {peer[1]:.0f} MB"
    name = "non_dominated 1e6 points m=3"
    return [[name, duration(ours[0]), f"moocore {duration(peer[0])}", f"{peer[0] / ours[0]:.2f}x", "1x", memory]]


def measure(row: Row) -> list[str]:
    """Return a line of the table; values that differ end the run."""
    seconds, results = interleaved({"ours": row.ours, **row.peers}, repeats=row.repeats)
    ours = np.asarray(results["ours"], dtype=np.float64)
    for name, value in results.items():
        if row.rtol is not None:
            message = f"{row.name}: {name} differs"
            np.testing.assert_allclose(np.asarray(value), ours, rtol=row.rtol, atol=row.atol, err_msg=message)
    peers = sorted(row.peers, key=lambda name: seconds[name])
    others = ", ".join(f"{name} {duration(seconds[name])}" for name in peers)
    best = seconds[peers[0]]
    gap = f"{(seconds['ours'] - best) * 1e6:+.1f} µs" if best < 1e-3 else ""
    return [row.name, duration(seconds["ours"]), others, f"{best / seconds['ours']:.2f}x", row.goal, gap]


def main(wanted: str = "") -> None:
    """Print the calibration line, the table, and what is not installed."""
    have = {name: installed(name) for name in PEERS}
    print(calibration(("torch", "numpy", "numba", *PEERS)), flush=True)
    begin = time.perf_counter()
    for m in range(6, 11):
        SizedKernels("_hv_qhv_kernels", m, 0.0).load()
    for m in (4, 6):
        SizedKernels("_hv_exclusive_kernels", m, 0.0).load()
    for name in ("indicators._hv_sweep_kernels", "core._dominance_kernels"):
        KernelModule(f"paretokit.{name}", 0.0).load()
    print(f"kernels ready after {time.perf_counter() - begin:.1f} s, as after `paretokit warm`", file=sys.stderr)
    rows = [["work", "paretokit", "peers", "best peer / ours", "goal", "note"]]
    for family in (single_fronts, batches, contributions, others):
        for row in family(have):
            if wanted in row.name:
                rows.append(measure(row))
                print(".", end="", file=sys.stderr, flush=True)
    if wanted in "non_dominated 1e6 points m=3":
        rows.extend(filtering())
    print(table(rows))
    missing = [name for name in PEERS if not have[name]]
    if missing:
        print(f"not installed in this interpreter: {', '.join(missing)} (make peers)")


if __name__ == "__main__":
    main(*sys.argv[1:2])
