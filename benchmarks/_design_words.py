"""Runs of the figures of words and molecules: the methods, and what is measured of each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import paretokit as pk
from paretokit.core import Problem, Rng, Solver, non_dominated
from paretokit.indicators import hypervolume, sample_metrics, simplex_lattice
from paretokit.problems.design import Molecules, NGrams
from paretokit.solvers.gflownet import MOGFN, OPGFN, MOReinforce

NEVER = 1 << 30  # no measurement but the first and the last
UPDATES, BATCH = 1000, 128
OPTIMUM, BEST_R2 = 0.40929, 6.9821
EACH = 128


def words_solvers(updates: int = UPDATES) -> dict[str, Solver[Any]]:
    """Return what is compared on the three bigrams, all at `updates` times 128 words."""
    reader = {"kind": "transformer", "layers": 1, "hidden": (64,)}
    network: dict[str, Any] = {"policy": reader, "learning_rate": 2e-3}
    shared: dict[str, Any] = {**network, "iterations": updates, "evaluate_every": NEVER, "n_samples": 1}
    raw = {"encoding": "raw"}
    return {
        "MOGFN-PC": MOGFN(
            **shared,
            preferences=raw,
            log_z_rate=1e-1,
            scalarization="tchebycheff",
            temperature=512.0,
            lowest=-10_000.0,
        ),
        "OP-GFN": OPGFN(**shared),
        "MO-REINFORCE": MOReinforce(**shared, preferences=raw, scalarization="tchebycheff"),
        "NSGA-II": pk.solvers.NSGA2(pop_size=BATCH),
    }


def on_words(method: str, seed: int, updates: int) -> dict[str, Any]:
    """Return the figures of one run on the three bigrams."""
    problem, solver = NGrams(), words_solvers(updates)[method]
    budget = pk.Budget(evaluations=updates * BATCH) if method == "NSGA-II" else None
    result = pk.solve(problem, solver, budget=budget, seed=seed, progress=False)
    grid = simplex_lattice(3, 13)  # 105 preferences
    x, asked = answers(problem, solver, result, grid, Rng.from_seed(seed).child("answers"))
    front = problem.pareto_front()
    assert front is not None
    found: dict[str, Any] = {"updates": updates, "evaluations": result.cost.evaluations}
    found |= figures(problem, x, asked, items=torch.where(x == problem.space.pad, -1, x), front=front)
    if found["hypervolume"] > OPTIMUM * (1 + 1e-4):
        raise AssertionError(f"{method}, seed {seed}: {found['hypervolume']} lies above the optimum {OPTIMUM}")
    return found | {"archive_hypervolume": volume(problem.gains(torch.as_tensor(result.archive.values)))}


def answers(problem: Problem, solver: Solver[Any], result: Any, grid: Tensor, rng: Rng) -> tuple[Tensor, Tensor | None]:
    """Return 128 samples a preference of the final sampler with what each was asked for; of NSGA-II its population."""
    n = len(grid) * EACH
    if isinstance(solver, MOGFN | MOReinforce):
        parts = [solver.answer(problem, result.state, w, n=EACH, rng=rng.child(i)) for i, w in enumerate(grid)]
        return torch.cat(parts), grid.repeat_interleave(EACH, 0)
    if isinstance(solver, OPGFN):  # asked for nothing: as many samples, of which each preference looks at its 128
        parts = [solver.draw(problem, result.state, n=EACH, rng=rng.child(i)) for i in range(len(grid))]
        return torch.cat(parts)[:n], grid.repeat_interleave(EACH, 0)
    return result.state.x.flatten(0, -2), None


def figures(
    problem: Any, x: Tensor, asked: Tensor | None, *, items: Tensor, front: Tensor | None = None, distance: str = ""
) -> dict[str, float]:
    """Return hypervolume and R2 of all samples, R2 and hypervolume of the best of each preference, and diversity."""
    gains = problem.gains(problem.evaluate(x).values)
    near = None if front is None else problem.gains(front)
    options: dict[str, Any] = {"front": near, "distance": distance or "levenshtein"}
    if asked is None:  # a population: its ten best by the sum, compared as one group
        asked = torch.full_like(gains, 1 / gains.shape[1])
    plain = sample_metrics(gains, weights=asked, items=items, convention="plain", **options)
    paper = sample_metrics(gains, weights=asked, convention="paper", **options)
    lattice = simplex_lattice(gains.shape[1], 49)
    plain["r2"] *= len(lattice) / float(lattice.norm())
    return {
        "samples": len(x),
        **plain,
        "best_of_each_hypervolume": paper["hypervolume"],
        "best_of_each_r2": paper["r2"],
    }


def volume(gains: Tensor) -> float:
    """Return the hypervolume of gains above 0."""
    best = gains[torch.as_tensor(non_dominated(gains, maximize=True))]
    return float(hypervolume(best, [0.0] * gains.shape[1], maximize=True))


def molecules_solvers(updates: int) -> dict[str, Solver[Any]]:
    """Return what is compared on molecules."""
    shared: dict[str, Any] = {"policy": "tree", "iterations": updates, "evaluate_every": NEVER, "n_samples": 1}
    return {
        "MOGFN-PC": MOGFN(**shared, batch_size=64, learning_rate=1e-3, log_z_rate=3e-2, temperature=32.0),
        "OP-GFN": OPGFN(**shared, batch_size=64, learning_rate=1e-3),
    }


def on_molecules(method: str, objectives: tuple[str, ...], seed: int, updates: int) -> dict[str, Any]:
    """Return the figures of one run on molecules."""
    problem, solver = Molecules(objectives=objectives), molecules_solvers(updates)[method]
    result = pk.solve(problem, solver, seed=seed, progress=False)
    m = len(objectives)
    grid = simplex_lattice(m, {2: 14, 3: 4}[m])  # 15 preferences
    x, asked = answers(problem, solver, result, grid, Rng.from_seed(seed).child("answers"))
    smiles = problem.smiles(x)
    found: dict[str, Any] = {"updates": updates, "evaluations": result.cost.evaluations}
    found |= figures(problem, x, asked, items=problem.fingerprints(x), distance="tanimoto")
    return found | {
        "distinct": len(set(smiles)),
        "valid": sum(bool(s) for s in smiles) / len(smiles),
        "archive_hypervolume": volume(problem.gains(torch.as_tensor(result.archive.values))),
    }
