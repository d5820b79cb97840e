"""Methods that answer with a front of merges, at equal work, and how their fronts are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

import paretokit as pk
from paretokit.core import Cost, Front, Problem, Solver, maximize_of
from paretokit.indicators import (
    expected_utility,
    hypervolume,
    hypervolume_contributions,
    lattice_size,
    r2,
    simplex_lattice,
)
from paretokit.problems.merging import ModelMerging
from paretokit.solvers import MOEAD, NSGA2, PreferenceMerging, RandomSearch, SurrogateMerging

NARROW = {
    "width": 128,
    "train": 1500,
    "styled": 600,
    "pretraining_steps": 140,
    "pretraining_rate": 2e-3,
    "finetuning_rate": 4e-4,
}
"""Sizes of the suite that "mlp-narrow" is: 117 thousand weights, for 1.5 million of "mlp"."""

STEPS = {2: 50, 3: 40, 8: 30}
RATE = 2e-2  # twenty times AdaMerging's, for a tenth of its steps or less
BATCH = 16  # images a task and step
DESIGN = {8: 64}  # merges that the surrogate is fitted on where twice the quadratic's coefficients would cost more
POPULATION = 20
NEVER = 1 << 30  # no measurement but the first and the last
WEIGHTS = 495  # least number of weights that R2 and expected utility average over


def preferences(tasks: int) -> Tensor:
    """Return what is asked for: a lattice; of many tasks the center, and nine sixteenths on each in turn."""
    if tasks <= 3:
        return simplex_lattice(tasks, {2: 10, 3: 3}[tasks])
    center = torch.full((1, tasks), 1 / tasks, dtype=torch.float64)
    return torch.cat([center, (torch.eye(tasks, dtype=torch.float64) + center) / 2])


@dataclass(frozen=True)
class Method:
    """One way to a front.

    Attributes:
        solver: From the preferences to the solver.
        layers: What shares coefficients: each "tensor", or the whole "task" vector.
        soups: Whether the search starts from the preferences taken for coefficients.
    """

    solver: Callable[[Tensor], Solver[Any]]
    layers: str = "tensor"
    soups: bool = False


def gradient(**options: Any) -> Method:
    """Return preference-conditioned merging; all of them take as much work."""

    def solver(asked: Tensor) -> PreferenceMerging:
        common = {"learning_rate": RATE, "batch_size": BATCH, "evaluate_every": NEVER}
        return PreferenceMerging(preferences=asked.tolist(), steps=STEPS[asked.shape[1]], **common, **options)

    return Method(solver)


METHODS: Mapping[str, Method] = {
    "soups": Method(lambda _: RandomSearch(), soups=True),  # measured, not searched
    "random grid": Method(lambda _: RandomSearch(pop_size=POPULATION), layers="task"),
    "NSGA-II, a task": Method(lambda _: NSGA2(pop_size=POPULATION), layers="task"),
    "NSGA-II, a layer": Method(lambda _: NSGA2(pop_size=POPULATION)),
    "NSGA-II, from soups": Method(lambda _: NSGA2(pop_size=POPULATION), soups=True),
    "MOEA/D, a task": Method(lambda w: MOEAD(reference_directions=w.tolist()), layers="task"),
    "surrogate": Method(lambda w: SurrogateMerging(evaluations=DESIGN.get(w.shape[1]))),
    "linear": gradient(),
    "Tchebycheff": gradient(weighting="tchebycheff"),
    "exact Pareto": gradient(weighting="epo"),
    "linear, labels": gradient(objective="validation"),
}
"""The last four are preference-conditioned merging, a coefficient a layer and task."""


@lru_cache(maxsize=2)
def problem_of(encoder: str, tasks: int, layers: str, seed: int) -> ModelMerging:
    """Return the suite of which one half of the test images is unlabeled, and the other half the test."""
    name, _, narrow = encoder.partition("-")
    given = {"tasks": tasks, "seed": seed, "layers": layers, "size": NARROW if narrow else None}
    made = pk.problems.make(f"merging-{name}-v1", protocol="split", **given)
    assert isinstance(made, ModelMerging)
    return made


def work_of(problem: ModelMerging) -> float:
    """Return what preference-conditioned merging takes: its updates, and the first and the last measurement."""
    members = len(preferences(problem.n_objectives))
    tasks = problem.tasks
    measured = sum(len(t.validation[1]) for t in tasks if t.validation is not None)
    return float(members * (STEPS[len(tasks)] * 3 * BATCH * len(tasks) + 2 * measured))


def run(encoder: str, tasks: int, method: str, seed: int) -> dict[str, Any]:
    """Return the scores of one run's front on validation and test images, what it took, and its test accuracies."""
    own = METHODS[method]
    problem, asked = problem_of(encoder, tasks, own.layers, seed), preferences(tasks)
    solver, initial = own.solver(asked), None
    if own.soups:
        layers, vectors = problem.n_coefficients
        initial = asked.to(problem.dtype).unsqueeze(1).expand(-1, layers, -1).reshape(len(asked), layers * vectors)
    if method == "soups":
        assert initial is not None
        measured = problem.evaluate(initial)
        front = Front.of(problem, initial, measured)
        assert front.x is not None
        held_out, cost = problem.assess(front.x)[0], Cost(evaluations=len(asked), work=measured.total_work)
    else:
        budget = None if solver.finishes else pk.Budget(work=work_of(problem))
        result = pk.solve(problem, solver, budget=budget, seed=seed, progress=False, initial=initial)
        front, held_out, cost = result.front, result.held_out, result.cost
    assert held_out is not None
    kept = fewest(problem, front.values, len(asked))
    found = {}
    for split, values in (("test", held_out[kept]), ("validation", front.values[kept])):
        found |= {f"{split}_{name}": v for name, v in scores(problem, values).items()}
    rows = held_out[kept]
    rows = rows[rows[:, 0].argsort()]
    return {
        **found,
        "best_mean": 100 * float(rows.double().mean(1).max()),
        "found": len(front),
        "points": len(kept),
        "evaluations": cost.evaluations,
        "updates": cost.gradient_steps,
        "examples": cost.work,
        "accuracies": "; ".join(" ".join(f"{v:.4f}" for v in row) for row in rows.tolist()),
    }


def fewest(problem: Problem, values: Tensor, most: int) -> Tensor:
    """Return which rows stay when the least contributor to the validation hypervolume goes until `most` are left."""
    kept = torch.arange(len(values))
    zero = torch.zeros(values.shape[1], dtype=torch.float64)
    while len(kept) > most:
        worth = hypervolume_contributions(values[kept].double(), zero, maximize=maximize_of(problem.objectives))
        kept = kept[torch.arange(len(kept)) != int(worth.argmin())]
    return kept


def scores(problem: Problem, values: Tensor) -> dict[str, float]:
    """Return hypervolume (of 0), R2 (of errors, to 0) and expected utility of accuracies `[n, m]`."""
    values, maximize = values.double(), maximize_of(problem.objectives)
    m = values.shape[1]
    zero = torch.zeros(m, dtype=torch.float64)
    partitions = next(h for h in range(1, 1000) if lattice_size(m, h) >= WEIGHTS)
    weights = simplex_lattice(m, partitions)
    return {
        "hypervolume": float(hypervolume(values, zero, maximize=maximize)),
        "r2": float(r2(1 - values, weights, utopian_point=zero)),
        "utility": float(expected_utility(values, weights, maximize=maximize)),
    }
