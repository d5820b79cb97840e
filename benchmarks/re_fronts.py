"""Compute the fronts that the engineering problems ship, and the ideal and nadir points beside them.

    python -m benchmarks.re_fronts [id ...] [--generations 400] [--seeds 2] [--stored]

Fronts are approximate: the non-dominated union of pymoo's NSGA-II and (3 objectives) AGE-MOEA or (more) NSGA-III over
seeds, refined by a local search of many step sizes; each point is then moved until neither a random step nor
(`--stored`, real spaces) a gradient leads to one that dominates it. Gear
trains are enumerated. At most 500 points are kept, farthest first in values scaled to [0, 1]. Extremes are taken
before points are dropped.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from paretokit.core import Rng, non_dominated, to_min

FOLDER = Path(__file__).parent.parent / "paretokit" / "problems" / "engineering"
POINTS, CAP = 500, 1000


def problem_of(name):
    import importlib

    from paretokit.problems.engineering import ENGINEERING

    module, _, cls = ENGINEERING[name].partition(":")
    return getattr(importlib.import_module(module), cls)()


def best(problem, x: Tensor, cap: int) -> tuple[Tensor, Tensor]:
    """Return the feasible, non-dominated rows and their values (minimized), at most `cap`, farthest first."""
    evaluation = problem.evaluate(x)
    values = to_min(evaluation.values, problem.objectives)
    ok = (evaluation.total_violation <= 0).nonzero().flatten()
    x, values = x[ok], values[ok]
    keep = non_dominated(values, keep_duplicates=False)
    x, values = x[keep], values[keep]
    if len(values) > cap:
        keep = farthest(values, cap)
        x, values = x[keep], values[keep]
    return x, values


def scaled(values: Tensor) -> Tensor:
    low, high = values.amin(0), values.amax(0)
    return (values - low) / (high - low).clamp_min(1e-300)


def farthest(values: Tensor, count: int) -> Tensor:
    """Return the order in which each point is the one farthest from those before it, starting with the extremes."""
    unit = scaled(values)
    chosen = list(dict.fromkeys(unit.argmin(0).tolist()))
    distance = torch.cdist(unit, unit[chosen]).amin(1)
    while len(chosen) < min(count, len(unit)):
        next_one = int(distance.argmax())
        chosen.append(next_one)
        distance = torch.minimum(distance, (unit - unit[next_one]).norm(dim=1))
    return torch.tensor(chosen)


def evolve(problem, seed: int, generations: int) -> Tensor:
    """Return every decision that pymoo found non-dominated in one run."""
    from pymoo.algorithms.moo.age import AGEMOEA
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.algorithms.moo.nsga3 import NSGA3
    from pymoo.core.problem import Problem
    from pymoo.optimize import minimize
    from pymoo.util.ref_dirs import get_reference_directions

    space = problem.space

    class Wrapped(Problem):
        def __init__(self):
            super().__init__(
                n_var=space.dim,
                n_obj=problem.n_objectives,
                n_ieq_constr=problem.n_constraints,
                xl=space.lower.numpy(),
                xu=space.upper.numpy(),
            )

        def _evaluate(self, x, out, *args, **kwargs):
            result = problem.evaluate(space.project(torch.from_numpy(x)))
            out["F"] = np.nan_to_num(to_min(result.values, problem.objectives).numpy(), nan=1e30, posinf=1e30)
            if problem.n_constraints:
                out["G"] = np.nan_to_num(result.violations.numpy(), nan=1e30, posinf=1e30)

    m = problem.n_objectives
    if m == 2 or seed % 2 == 0:
        algorithm = NSGA2(pop_size=300)
    elif m == 3:
        algorithm = AGEMOEA(pop_size=200)
    else:
        algorithm = NSGA3(get_reference_directions("das-dennis", m, n_partitions=8 if m == 4 else 4))
    found = minimize(Wrapped(), algorithm, ("n_gen", generations), seed=seed).pop.get("X")
    return space.project(torch.from_numpy(np.asarray(found, dtype=float)))


def refine(problem, x: Tensor, rng: Rng, rounds: int) -> Tensor:
    """Return the front after random steps of many sizes: around it, and along it by differences of neighbors."""
    space = problem.space
    width = space.upper - space.lower
    x, values = best(problem, x, CAP)
    for step in range(rounds):
        lane = rng.child(step)
        n = len(x)
        size = 0.3 * 10.0 ** (-5.0 * lane.uniform(4 * n, 1))
        order = values[:, step % values.shape[1]].argsort()
        rank = lane.child("base").integers(n, 4 * n)
        near = (rank + 1 + lane.child("near").integers(1 + n // 20, 4 * n)) % n
        base, other = x[order[rank]], x[order[near]]
        mask = lane.child("mask").uniform(4 * n, space.dim) < 0.6
        along = (other - base) * (2 * lane.child("along").uniform(4 * n, 1) - 0.5)
        jump = torch.where(lane.child("kind").uniform(4 * n, 1) < 0.5, along, 0.0)
        noise = lane.child("noise").normal(4 * n, space.dim) * width * size
        trial = space.project(base + torch.where(mask, noise, 0.0) + jump)
        x, values = best(problem, torch.cat([x, trial]), CAP)
    return x


def polish(problem, x: Tensor, rng: Rng, rounds: int) -> Tensor:
    """Return decisions that replaced each of `x` whenever a random step dominated it: no row stays weakly optimal."""
    space = problem.space
    width = space.upper - space.lower
    values = to_min(problem.evaluate(x).values, problem.objectives)
    for step in range(rounds):
        lane = rng.child("polish", step)
        size = 10.0 ** (-5.0 * lane.uniform(len(x), 1))
        mask = lane.child("mask").uniform(len(x), space.dim) < 0.5
        noise = lane.child("noise").normal(len(x), space.dim) * width * size
        trial = space.project(x + torch.where(mask, noise, 0.0))
        evaluation = problem.evaluate(trial)
        new = to_min(evaluation.values, problem.objectives)
        better = (new <= values).all(1) & (new < values).any(1) & (evaluation.total_violation <= 0)
        x, values = torch.where(better[:, None], trial, x), torch.where(better[:, None], new, values)
    return x


def descend(problem, x: Tensor) -> Tensor:
    """Return decisions that each gained in all objectives alike, as far as gradients lead (SLSQP, real spaces)."""
    from scipy.optimize import minimize

    space = problem.space
    width = space.upper - space.lower
    start = to_min(problem.evaluate(x).values, problem.objectives)
    span = start.amax(0) - start.amin(0)

    def moved(row: int, z: np.ndarray) -> tuple[Tensor, Tensor]:
        u = torch.tensor(z[:-1], requires_grad=True)
        values = problem.losses((space.lower + u * width)[None], Rng.from_seed(0))[0]
        return u, (values - start[row]) / span

    def gain(z: np.ndarray, row: int) -> np.ndarray:
        return -moved(row, z)[1].detach().numpy() - z[-1]

    def slope(z: np.ndarray, row: int) -> np.ndarray:
        u, values = moved(row, z)
        rows = [torch.autograd.grad(v, u, retain_graph=True)[0] for v in values]
        return np.hstack([-torch.stack(rows).numpy(), -np.ones((len(rows), 1))])

    def climb(row: int) -> np.ndarray:
        return minimize(
            lambda z: -z[-1],
            np.r_[((x[row] - space.lower) / width).numpy(), 0.0],
            jac=lambda z: np.r_[0.0 * z[:-1], -1.0],
            bounds=[(0, 1)] * (space.dim + 1),
            constraints={"type": "ineq", "fun": gain, "jac": slope, "args": (row,)},
            method="SLSQP",
            options={"maxiter": 60},
        ).x[:-1]

    found = [climb(row) for row in range(len(x))]
    trial = space.project(space.lower + torch.from_numpy(np.nan_to_num(np.stack(found))).clamp(0, 1) * width)
    better = (to_min(problem.evaluate(trial).values, problem.objectives) <= start).all(1)
    return torch.where(better[:, None], trial, x)


def gears() -> Tensor:
    """Return one design of every distinct product ratio: all that matters of all designs, by largest gear."""
    teeth = torch.arange(12.0, 61.0, dtype=torch.float64)
    pairs = torch.combinations(teeth, 2, with_replacement=True)
    found = []
    for largest in range(12, 61):
        inside = pairs[(pairs <= largest).all(1)]
        product = inside.prod(1)
        error = (6.931 - product[None, :] / product[:, None]).abs()
        row, column = divmod(int(error.argmin()), len(inside))
        found.append(torch.cat([inside[row], inside[column]]))
    return torch.stack(found)


def front_of(name: str, generations: int, seeds: int, stored: bool) -> tuple[Tensor, Tensor]:
    problem = problem_of(name)
    if name in ("re36-v1", "cre25-v1"):
        return best(problem, gears(), 10**9)
    rng = Rng.from_seed(1).child(name)
    if stored:
        x = problem.pareto_set()
        if problem.space.is_real and not problem.n_constraints:
            x = descend(problem, descend(problem, x))
        return best(problem, polish(problem, x, rng, 10 * generations), 10**9)
    runs = [evolve(problem, seed, generations) for seed in range(1, seeds + 1)]
    draws = [problem.space.sample(300_000, Rng.from_seed(0).child(k)) for k in range(5)]
    start = torch.cat([*runs, *(best(problem, x, CAP)[0] for x in draws)])
    found = refine(problem, start, rng, generations // 2)
    return best(problem, polish(problem, found, rng, 10 * generations), 10**9)


def main() -> None:
    from paretokit.problems.engineering import ENGINEERING
    from paretokit.problems.engineering._scoring import EXTREMES

    parser = argparse.ArgumentParser()
    parser.add_argument("ids", nargs="*", default=[])
    parser.add_argument("--generations", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--stored", action="store_true", help="only improve what is stored")
    chosen = parser.parse_args()
    extremes = dict(EXTREMES)
    for name in chosen.ids or [i for i in ENGINEERING if i != "re91-v1"]:
        began = time.perf_counter()
        problem = problem_of(name)
        if name == "re21-v1":
            values, x = to_min(problem.pareto_front(5000), problem.objectives), None
        else:
            x, values = front_of(name, chosen.generations, chosen.seeds, chosen.stored)
        ends = to_min(torch.stack([values.amin(0), values.amax(0)]), problem.objectives)
        extremes[name] = tuple(tuple(float(f"{v:.9g}") for v in point) for point in ends.tolist())
        if x is not None:
            keep = farthest(values, POINTS)
            data = {"x": x[keep], "values": problem.evaluate(x[keep]).values}
            save_file({k: v.contiguous() for k, v in data.items()}, FOLDER / "data" / f"{name}.safetensors")
        print(f"{name}: {len(values)} points, {extremes[name]}, {time.perf_counter() - began:.0f} s", flush=True)
        write(extremes)


def write(extremes) -> None:
    path = FOLDER / "_scoring.py"
    head = path.read_text().partition("EXTREMES:")[0]
    rows = "".join(f'    "{name}": ({ideal}, {nadir}),\n' for name, (ideal, nadir) in sorted(extremes.items()))
    path.write_text(f"{head}EXTREMES: Mapping[str, tuple[Point, Point]] = {{\n{rows}}}\n")


if __name__ == "__main__":
    main()
