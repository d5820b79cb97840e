"""What the lab costs over bare solves: ``python -m benchmarks.lab``.

Each cell is solved bare (`solve_many`, nothing written) and through the lab (planned, locked, solved, stored), turn and
turn about in one process with one thread; fronts must be equal. The overhead is that of the medians.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import torch

from paretokit import bench
from paretokit.run import solve_many

SUITE = """\
name: overhead
seeds: 31
budget: {{evaluations: {evaluations}}}
problems: [zdt1-v1, {{name: dtlz2, problem: dtlz2-v1, options: {{n_objectives: 3}}}}]
solvers: [NSGA2, NSGA3, MOEAD]
"""


def bare(cell: bench.Cell) -> tuple[float, list[torch.Tensor]]:
    began = time.perf_counter()
    problem, solver = cell.problem.make(), cell.solver.make()
    results = solve_many(problem, solver, seeds=cell.seeds, budget=cell.limits(), n_jobs=1, progress=False)
    return time.perf_counter() - began, [result.front.values for result in results]


def through_the_lab(suite: bench.Suite) -> tuple[float, list[torch.Tensor]]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        found = bench.run_suite(suite, Path(folder) / "store", where=bench.Where(jobs=1), progress=False)
        spent = time.perf_counter() - began
        (cell,) = found.cells
        return spent, [front.values for front in found.fronts(cell.problem.name, cell.solver.name)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=30_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    suite = bench.parse_suite(SUITE.format(evaluations=given.evaluations))
    bares, labs = [], []
    for problem in suite.grids[0].problems:
        for solver in suite.grids[0].solvers:
            grid = dataclasses.replace(suite.grids[0], problems=(problem,), solvers=(solver,))
            one = dataclasses.replace(suite, grids=(grid,))
            (cell,) = one.cells()
            bare(cell)  # compiles
            pairs = [(bare(cell), through_the_lab(one)) for _ in range(given.repeats)]
            for (_, a), (_, b) in pairs:
                assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
            alone, lab = (statistics.median(pair[k][0] for pair in pairs) for k in range(2))
            bares.append(alone)
            labs.append(lab)
            print(f"{cell.name:32} bare {alone:6.2f} s  lab {lab:6.2f} s  overhead {lab / alone - 1:+.1%}")
    print(f"{'all':32} bare {sum(bares):6.2f} s  lab {sum(labs):6.2f} s  overhead {sum(labs) / sum(bares) - 1:+.1%}")


if __name__ == "__main__":
    main()
