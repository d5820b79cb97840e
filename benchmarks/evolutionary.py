"""Native evolutionary solvers against pymoo, pygmo and evox: ``python -m benchmarks.evolutionary [--quick]``.

The unit is seconds a seed and generation, of whole runs: `solve_many` with 31 seeds and its default history beside the
peers' own loops, which take one seed after the other. Runs are interleaved, figures are medians of five windows.
Beside the time stands the quality: the gap of the hypervolume to the true front's, of final populations of equal size
after equal evaluations; its ratio is bounded by the upper end of a 95 % bootstrap interval over the seeds.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from benchmarks._common import calibration, duration, installed, interleaved, table
from benchmarks._pymoo import ours, peer, population, size
from paretokit import problems
from paretokit.core import Problem
from paretokit.core._kernel import KernelModule
from paretokit.indicators import hypervolume
from paretokit.run import Budget, solve_many

ROOM = "paretokit.solvers.evolutionary."
KERNELS = ("_variation", "_crowding", "_niching", "_decomposition", "_shedding", "_generation", "_sweep")


@dataclass
class Work:
    """One solver on one problem at one size, and what it has to reach."""

    solver: str
    problem: str
    options: dict[str, Any]
    goals: dict[str, float]
    pop_size: int | None = None
    seeds: int = 31
    generations: int = 50  # of a timed window of ours
    peer_generations: int = 15
    gate: int = 0  # generations of the quality gate, 0 for none
    peers: tuple[str, ...] = ("pymoo",)
    extra: dict[str, Any] = field(default_factory=dict)

    def make(self) -> Problem:
        """Return the problem."""
        return problems.make(self.problem, **self.options)

    def ours(self) -> Any:
        """Return our solver."""
        import dataclasses

        solver = ours(self.solver)
        return dataclasses.replace(solver, pop_size=self.pop_size) if self.pop_size else solver

    def n(self) -> int:
        """Return the population size."""
        return self.pop_size or size(self.make(), self.solver)

    @property
    def title(self) -> str:
        """What the table calls it."""
        m = self.make().n_objectives
        return f"{self.solver} {self.problem.removesuffix('-v1')} m={m} n={self.n()} x {self.seeds}"


def works() -> list[Work]:
    """Return the table's rows."""
    three, eight = ({"n_objectives": m, "n_variables": m + 9} for m in (3, 8))
    usual = {"pymoo": 10.0}
    with_pygmo = ("pymoo", "pygmo")
    return [
        Work("NSGA2", "zdt1-v1", {}, {"pymoo": 50.0, "pygmo": 5.0}, gate=250, peers=with_pygmo, peer_generations=40),
        Work("NSGA2", "zdt1-v1", {}, {}, seeds=1, generations=200, peers=with_pygmo, peer_generations=40),
        Work(
            "NSGA2", "zdt1-v1", {}, {"pymoo": 100.0, "pygmo": 50.0},
            pop_size=4000, seeds=1, generations=20, peer_generations=2, peers=with_pygmo,
        ),
        Work("NSGA2", "dtlz2-v1", three, {}, seeds=1, generations=200, peers=("pymoo", "evox"), peer_generations=40),
        Work("NSGA3", "dtlz2-v1", three, usual, gate=200),
        Work("NSGA3", "dtlz2-v1", eight, usual, generations=20, gate=200),
        Work("MOEAD", "dtlz2-v1", three, usual, generations=20, peer_generations=5, gate=200),
        Work("MOEAD", "dtlz2-v1", eight, usual, generations=10, peer_generations=3, gate=200),
        Work("SMSEMOA", "zdt1-v1", {}, {}, gate=250, peer_generations=10),
    ]  # fmt: skip


def run_ours(work: Work) -> Callable[[], Any]:
    problem, solver = work.make(), work.ours()
    budget = Budget(evaluations=work.n() * work.generations)
    return lambda: solve_many(problem, solver, seeds=work.seeds, budget=budget, progress=False)


def run_pymoo(work: Work) -> Callable[[], Any]:
    from pymoo.optimize import minimize
    from pymoo.problems import get_problem

    name = work.problem.removesuffix("-v1")
    given = {"n_var": work.options["n_variables"], "n_obj": work.options["n_objectives"]} if work.options else {}
    theirs = get_problem(name, **given)

    def call() -> Any:
        algorithm = peer(work.make(), work.solver)
        if work.pop_size:
            algorithm.pop_size = algorithm.n_offsprings = work.pop_size
        return minimize(theirs, algorithm, ("n_gen", work.peer_generations), seed=1, verbose=False)

    return call


def pygmo_population(work: Work, generations: int, seed: int) -> Any:
    import pygmo

    algorithm = pygmo.algorithm(pygmo.nsga2(gen=generations - 1, cr=0.9, eta_c=15, m=1 / 30, eta_m=20, seed=seed))
    start = pygmo.population(pygmo.problem(pygmo.zdt(prob_id=1, param=30)), size=work.n(), seed=seed)
    return algorithm.evolve(start)


def run_evox(work: Work) -> Callable[[], Any]:
    from evox.algorithms import NSGA2
    from evox.problems.numerical import DTLZ2
    from evox.workflows import StdWorkflow

    d, m = work.options["n_variables"], work.options["n_objectives"]

    def call() -> None:
        algorithm = NSGA2(pop_size=work.n(), n_objs=m, lb=torch.zeros(d), ub=torch.ones(d))
        workflow = StdWorkflow(algorithm, DTLZ2(d=d, m=m))
        workflow.init_step()
        for _ in range(work.peer_generations - 1):
            workflow.step()

    return call


def true_volume(problem: Problem, reference: float) -> float:
    """Return the hypervolume of the whole front, in closed form."""
    m = problem.n_objectives
    if problem.name == "zdt1-v1":
        return reference**2 - 1 / 3
    return reference**m - math.pi ** (m / 2) / (math.gamma(m / 2 + 1) * 2**m)


def gaps(problem: Problem, fronts: list[torch.Tensor]) -> np.ndarray:
    """Return how much of the true front's hypervolume each final population misses."""
    reference = 1.1
    corner = [reference] * problem.n_objectives
    volumes = [float(hypervolume(values.to(torch.float64), corner)) for values in fronts]
    return true_volume(problem, reference) - np.array(volumes)


def gate(work: Work, seeds: int, generations: int) -> str:
    """Return the ratio of mean gaps, ours to pymoo's, with the upper end of its bootstrap interval."""
    problem = work.make()
    budget = Budget(evaluations=work.n() * generations)
    results = solve_many(problem, work.ours(), seeds=seeds, budget=budget, progress=False)
    sides = {
        "ours": gaps(problem, [result.front.values for result in results]),
        "pymoo": gaps(problem, [population(problem, work.solver, seed, generations) for seed in range(seeds)]),
    }
    if "pygmo" in work.peers and installed("pygmo"):
        final = [torch.from_numpy(pygmo_population(work, generations, seed).get_f()) for seed in range(seeds)]
        sides["pygmo"] = gaps(problem, final)
    rng = np.random.default_rng(0)
    said = []
    for name in sides:
        if name == "ours":
            continue
        draws = rng.integers(seeds, size=(2, 4000, seeds))
        ratios = sides["ours"][draws[0]].mean(1) / sides[name][draws[1]].mean(1)
        ratio, upper = sides["ours"].mean() / sides[name].mean(), np.quantile(ratios, 0.975)
        said.append(f"{name} {ratio:.2f} (<= {upper:.2f}{'' if upper <= 1.1 else ', above 1.1'})")
    return "; ".join(said)


def measure(work: Work, repeats: int) -> list[str]:
    """Return a line of times."""
    calls = {"ours": run_ours(work)}
    if "pymoo" in work.peers:
        calls["pymoo"] = run_pymoo(work)
    if "pygmo" in work.peers and installed("pygmo"):
        calls["pygmo"] = lambda: pygmo_population(work, work.peer_generations, 1)
    if "evox" in work.peers and installed("evox"):
        calls["evox"] = run_evox(work)
    seconds, _ = interleaved(calls, repeats=repeats)
    each = {name: taken / work.peer_generations for name, taken in seconds.items()}
    each["ours"] = seconds["ours"] / work.generations / work.seeds
    ratios = [
        f"{name} {each[name] / each['ours']:.1f}x" + (f" (goal {work.goals[name]:.0f}x)" if name in work.goals else "")
        for name in each
        if name != "ours"
    ]
    peers = ", ".join(f"{name} {duration(taken)}" for name, taken in each.items() if name != "ours")
    return [work.title, duration(each["ours"]), peers, ", ".join(ratios)]


def main() -> None:
    """Print times, then qualities."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seven seeds and short runs for the quality gate")
    parser.add_argument("--only", default="", help="rows whose title contains this")
    parser.add_argument("--no-gate", action="store_true", help="times only")
    given = parser.parse_args()
    print(calibration(("torch", "numpy", "numba", "pymoo", "pygmo", "evox")), flush=True)
    begin = time.perf_counter()
    for name in (*(f"{ROOM}{kernel}_kernels" for kernel in KERNELS), "paretokit.core._dominance_kernels"):
        KernelModule(name, 0.0).load()
    print(f"kernels ready after {time.perf_counter() - begin:.1f} s, as after `paretokit warm`", file=sys.stderr)
    chosen = [work for work in works() if given.only in work.title]
    rows = [["work", "ours, a seed and generation", "peers", "peer / ours"]]
    for work in chosen:
        rows.append(measure(work, 5))
        print(".", end="", file=sys.stderr, flush=True)
    print(f"\n{table(rows)}\n", flush=True)
    if given.no_gate:
        return
    seeds = 7 if given.quick else 31
    rows = [["work", "generations", "gap of hypervolume, ours / peer (upper 95 %)"]]
    for work in chosen:
        if work.gate:
            generations = min(work.gate, 60) if given.quick else work.gate
            rows.append([work.title, str(generations), gate(work, seeds, generations)])
            print(f"{'  '.join(rows[-1])}", file=sys.stderr, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
