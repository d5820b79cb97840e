"""Continual learners on the ready streams: one run is the scores of one method with ten preferences after each task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

import paretokit as pk
from paretokit.core import Rng, Solver
from paretokit.problems.continual import (
    ContinualLearning,
    backward_transfer,
    forward_transfer,
    peak_accuracy,
    preferred_accuracy,
    preferred_matrix,
)
from paretokit.solvers import AGEM, EWC, GEM, IBCL, VCL, ExperienceReplay, PreferenceRehearsal

STREAMS: Mapping[str, str] = {
    "case": "continual-case-v1",
    "dig": "continual-dig-v1",
    "split digits": "continual-split-digits-v1",
    "tabular": "continual-tabular-v1",
    "rotated digits": "continual-rotated-digits-v1",
    "text": "continual-text-v1",
}
GLYPHS = ("case", "dig")
N_PREFERENCES = 10

# IBCL has its defaults everywhere. Its rivals have what was best for them on seeds 100 and 101 of "case" for glyphs, of
# "split digits" for the other streams: rates of 5e-3 or 5e-4, GEM's strength of 0 or 0.5, EWC's of 1, 30 or 1000.
METHODS = ("IBCL", "rehearsal", "GEM", "A-GEM", "VCL", "EWC", "replay")
LAST = "last posterior"


def solver_of(method: str, name: str, wanted: Tensor) -> Solver[Any]:
    """Return a method with its settings for a stream."""
    glyphs = name in GLYPHS
    rate = 5e-4 if glyphs else 5e-3
    made: dict[str, Solver[Any]] = {
        "IBCL": IBCL(),
        "rehearsal": PreferenceRehearsal(preferences=wanted.tolist(), learning_rate=rate),
        "GEM": GEM(learning_rate=rate, strength=0.0 if glyphs else 0.5),
        "A-GEM": AGEM(learning_rate=rate),
        "VCL": VCL(prior=1.0),
        "EWC": EWC(strength=30.0 if glyphs else 1000.0),
        "replay": ExperienceReplay(learning_rate=rate),
    }
    return made[method]


def stream(name: str, seed: int, **options: Any) -> ContinualLearning:
    """Return a ready stream, whose data and features are drawn from the seed."""
    made = pk.problems.make(STREAMS[name], seed=seed, **options)
    assert isinstance(made, ContinualLearning)
    return made


def preferences(seed: int, m: int, n: int = N_PREFERENCES) -> Tensor:
    """Return random preferences `[n, m]` over all tasks: uniform numbers, normalized."""
    drawn = Rng.from_seed(seed).child("benchmark", "preferences").uniform(n, m)
    return drawn / drawn.sum(1, keepdim=True)


def over(wanted: Tensor, seen: int) -> Tensor:
    """Return preferences over the first tasks: the same uniform numbers, normalized over those."""
    held = torch.where(torch.arange(wanted.shape[1]) < seen, wanted, 0.0)
    return held / held.sum(1, keepdim=True)


def networks(result: pk.Result, problem: ContinualLearning, wanted: Tensor, seen: int) -> Tensor:
    """Return the networks `[n, d]` that a method has for preferences after some tasks."""
    solver: Any = result.solver
    if isinstance(solver, IBCL):
        return solver.answers(problem, result.state, over(wanted, seen), n_tasks=seen)
    kept: Tensor = result.state.stages[seen - 1]
    return kept if len(kept) == len(wanted) else kept.expand(len(wanted), -1)


def scores(problem: ContinualLearning, stages: list[Tensor], wanted: Tensor) -> dict[str, Any]:
    """Return the scores of networks `[n, d]` after each task, in %, on test data.

    average: what a network is worth to who asked for it, over preferences and the course of the stream. final: the same
    after the last task. peak: the best of the preferences' networks on each task seen, over tasks and course.
    """
    m = problem.n_objectives
    measured = [problem.assess(x)[0].to(torch.float64) for x in stages]
    asked = [over(wanted, k + 1) for k in range(m)]
    worth = [float(preferred_accuracy(a, w).mean()) for a, w in zip(measured, asked, strict=True)]
    peaks = [float(peak_accuracy(a[:, : k + 1])) for k, a in enumerate(measured)]
    matrix = torch.stack([preferred_matrix(a, w) for a, w in zip(measured, asked, strict=True)])
    fresh = problem.space.sample(32, Rng.from_seed(0).child("untrained"))
    untrained = problem.assess(fresh)[0].to(torch.float64).mean(0)
    return {
        "average": 100 * sum(worth) / m,
        "final": 100 * worth[-1],
        "peak": 100 * sum(peaks) / m,
        "backward": 100 * float(backward_transfer(matrix)),
        "forward": 100 * float(forward_transfer(matrix, untrained)),
    }


def measured(name: str, seed: int, method: str) -> dict[str, Any]:
    """Return the scores of a method on a stream."""
    problem = stream(name, seed)
    m = problem.n_objectives
    wanted = preferences(seed, m)
    solver = solver_of("IBCL" if method == LAST else method, name, wanted)
    result = pk.solve(problem, solver, seed=seed, progress=False)
    if method == LAST:
        corner = torch.eye(m, dtype=torch.float64)
        stages = [
            result.solver.answers(problem, result.state, corner[k : k + 1], n_tasks=k + 1).expand(len(wanted), -1)  # type: ignore[union-attr]
            for k in range(m)
        ]
    else:
        stages = [networks(result, problem, wanted, k + 1) for k in range(m)]
    found = scores(problem, stages, wanted)
    kept = result.state.base.n_kept if isinstance(result.solver, IBCL) else ""
    return {**found, "steps": result.cost.gradient_steps, "examples": result.cost.work, "kept": kept}
