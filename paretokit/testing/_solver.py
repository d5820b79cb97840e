"""`check_solver`: what every solver keeps."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import typing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretokit.core import (
    AskTell,
    Box,
    CheckpointError,
    Conditioned,
    Evaluation,
    EvaluationProtocol,
    Objective,
    Problem,
    Rng,
    Sampler,
    Scoring,
    Solver,
    StackedSolver,
    UnsupportedProblemError,
)
from paretokit.core import _serial as serial
from paretokit.run import Budget, Checkpoint, Result, Session, solve, solve_many
from paretokit.testing._require import refused, require, require_equal


class _TwoBowls(Problem):
    """Squared distances to two corners of a box: smooth, convex, with a known front."""

    objectives = (Objective("left"), Objective("right", "max"))
    space = Box(-2.0, 2.0, dim=4)
    protocol = EvaluationProtocol(scoring=Scoring(reference_point=(20.0, -20.0), ideal=(0.0, 0.0), nadir=(16.0, -16.0)))

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return Evaluation(torch.stack([(x - 1).square().sum(-1), -(x + 1).square().sum(-1)], -1))


class _Unreliable(_TwoBowls):
    """The same with a third of the rows failing."""

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        values = super()._evaluate(x, rng).values
        bad = torch.sin(1e3 * x.sum(-1)) > 0.5
        return Evaluation(torch.where(bad.unsqueeze(-1), torch.nan, values))


class _Foreign(Problem):
    """A problem of no world that any solver is made for."""

    objectives = (Objective("a"), Objective("b"))
    space = Box(0.0, 1.0, dim=1)

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return Evaluation(torch.cat([x, 1 - x], -1))


def check_solver(
    solver: Solver[Any],
    problem: Problem | None = None,
    *,
    iterations: int = 4,
    seed: int = 0,
) -> None:
    """Raise unless a solver keeps the contract.

    Checked: the configuration is frozen and JSON-able apart from tensors; `init` evaluates nothing; costs are what the
    problem saw; the same seed gives the same bits and another seed others; fronts hold decisions of the space with the
    values that the problem gives them, mutually non-dominated; failed rows never reach a front; members of a stack
    equal single runs; ask and tell equal `solve`; run(2T) equals run(T) + save + load + run(T) bit for bit, or a
    checkpoint is refused by name; conditioned solvers answer with other decisions for other preferences; samplers draw
    decisions of the space by their seed; a problem of another world is refused.

    Args:
        solver: The solver, sized for a quick run.
        problem: What to solve; a small smooth problem unless given.
        iterations: Steps T of half a run.
        seed: Of the runs.

    Raises:
        AssertionError: Naming the broken rule.
    """
    name = solver.name
    target = problem or _TwoBowls()
    _check_config(solver)
    if solver.solves is not Problem:
        with refused(UnsupportedProblemError, f"{name}: a problem of another world is refused"):
            solver.check(_Foreign())
    budget = Budget(iterations=2 * iterations)
    first = solve(target, solver, budget=budget, seed=seed, progress=False)
    _check_answer(name, target, first)
    again = solve(target, solver, budget=budget, seed=seed, progress=False)
    _same(first, again, f"{name}: the same seed gives the same bits")
    other = solve(target, solver, budget=budget, seed=seed + 1, progress=False)
    differs = not torch.equal(first.archive.values, other.archive.values)
    require(differs or first.status == "finished", f"{name}: another seed gives another run")
    if problem is None:
        unreliable = solve(_Unreliable(), solver, budget=budget, seed=seed, progress=False)
        finite = torch.isfinite(unreliable.front.values).all() and torch.isfinite(unreliable.archive.values).all()
        require(finite, f"{name}: failed rows never reach a front")
        require(len(unreliable.front), f"{name}: a third of failed rows leaves a front")
    if isinstance(solver, StackedSolver):
        many = solve_many(target, solver, seeds=[seed, seed + 1], budget=budget, progress=False)
        _same(many[0], first, f"{name}: the first member of a stack equals its single run")
        _same(many[1], other, f"{name}: the second member of a stack equals its single run")
    if isinstance(solver, AskTell):
        _check_ask_tell(solver, target, first, seed)
    if isinstance(solver, Conditioned):
        _check_conditioned(name, target, first)
    if isinstance(solver, Sampler):
        _check_sampler(name, target, first)
    _check_resume(solver, target, iterations, seed, first)


def _check_config(solver: Solver[Any]) -> None:
    record: Any = solver
    params = getattr(record, "__dataclass_params__", None)
    require(params is not None and params.frozen, f"{solver.name}: a solver is a frozen dataclass")
    json.dumps(serial.encode(solver.config(), {}))
    kind = getattr(solver, "state_type", None)
    require(dataclasses.is_dataclass(typing.get_origin(kind) or kind), f"{solver.name}: state_type is a dataclass")
    require(hash(repr(solver)) == hash(repr(solver)), f"{solver.name}: its repr does not change")


def _check_answer(name: str, problem: Problem, result: Result) -> None:
    front = result.front
    require(len(front), f"{name}: a short run finds a front")
    seen = result.source.evaluations if hasattr(result.source, "evaluations") else None
    require(
        seen == result.cost.evaluations, f"{name}: cost says {result.cost.evaluations} rows, the problem saw {seen}"
    )
    variant = None if front.problem is None else front.problem.variant()
    shown = problem.as_variant(variant)
    require(front.x is not None and shown.space.contains(front.x).all(), f"{name}: its decisions lie in the space")
    if front.x is not None and problem.deterministic:
        values = shown.evaluate(front.x).values
        close = torch.allclose(values, front.values, rtol=1e-9, atol=1e-9)
        require(close, f"{name}: front values are what the problem gives its decisions")
    require(len(front.merge(front)) == len(front), f"{name}: its front is mutually non-dominated without duplicates")
    own = front.problem is problem
    if front.problem is not None and variant is not None:  # the same measurements of other decisions
        own = front.problem.fingerprint() == shown.fingerprint() and not front.problem._solving
    require(own, f"{name}: its front refers to the problem that was solved")


def _same(a: Result, b: Result, rule: str) -> None:
    require_equal(a.front.values, b.front.values, f"{rule} (front values)")
    if a.front.x is not None and b.front.x is not None:
        require_equal(a.front.x, b.front.x, f"{rule} (front decisions)")
    require_equal(a.archive.values, b.archive.values, f"{rule} (archive)")


def _check_ask_tell(solver: Solver[Any], problem: Problem, whole: Result, seed: int) -> None:
    session = Session(problem, solver, seed=seed)
    told = 0
    while told < whole.cost.evaluations:
        x = session.ask()
        told += len(x)
        require_equal(session.ask(), x, f"{solver.name}: asking again returns the same decisions")
        out = problem.evaluate(x)
        session.tell(out.values, out.violations)
    _same(session.result(), whole, f"{solver.name}: ask and tell equal solve")


def _check_conditioned(name: str, problem: Problem, result: Result) -> None:
    m = problem.n_objectives
    corners = torch.eye(m, dtype=torch.float64) * 0.9 + 0.1 / m
    answers = [result.at(w, n=64).x for w in corners / corners.sum(-1, keepdim=True)]
    moved = any(not torch.equal(answers[0], a) for a in answers[1:] if a is not None and answers[0] is not None)
    require(moved, f"{name}: answers move with the preference")


def _check_sampler(name: str, problem: Problem, result: Result) -> None:
    x, again, other = (result.sample(64, seed=seed).x for seed in (0, 0, 1))
    assert x is not None
    assert again is not None
    require(len(x) == 64 and problem.space.contains(x).all(), f"{name}: its sampler gives decisions of the space")
    require_equal(x, again, f"{name}: the same seed gives the same samples")
    require(other is not None and not torch.equal(x, other), f"{name}: another seed gives other samples")


def _check_resume(solver: Solver[Any], problem: Problem, iterations: int, seed: int, whole: Result) -> None:
    with tempfile.TemporaryDirectory() as folder:
        half = Checkpoint(Path(folder) / "run", seconds=0.0)
        short, long = Budget(iterations=iterations), Budget(iterations=2 * iterations)
        if solver.resume_note != "exact":
            with refused(CheckpointError, f"{solver.name}: a checkpoint is refused, since {solver.resume_note}"):
                solve(problem, solver, budget=short, seed=seed, checkpoint=half, progress=False)
            return
        solve(problem, solver, budget=short, seed=seed, checkpoint=half, progress=False)
        resumed = solve(problem, solver, budget=long, seed=seed, checkpoint=half, progress=False)
        _same(resumed, whole, f"{solver.name}: run(2T) equals run(T) + save + load + run(T)")
        require(len(resumed.trace) == len(whole.trace), f"{solver.name}: a resumed history has every step")
