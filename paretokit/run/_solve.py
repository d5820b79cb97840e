"""`solve` and `solve_many`: the verbs that everything else is built around."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretokit.core import Front, Problem, Solver, StackedSolver
from paretokit.core import _check as check
from paretokit.core._io import Array, tensor_of
from paretokit.run._budget import Budget
from paretokit.run._checkpoint import Checkpoint, CheckpointFolder, identity
from paretokit.run._loop import Callback, Loop
from paretokit.run._result import Result


def solve(
    problem: Problem,
    solver: Solver[Any],
    *,
    budget: Budget | None = None,
    seed: int = 0,
    initial: Array | Front | None = None,
    checkpoint: str | Path | Checkpoint | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
) -> Result:
    """Run a solver on a problem until its budget is spent.

    Args:
        problem: What is traded off.
        solver: Hyper-parameters of the search, e.g. ``NSGA2(pop_size=200)``.
        budget: When to end; may be omitted for solvers that end by themselves.
        seed: Any integer. The same call, device, thread count and versions give the same bits.
        initial: Decisions `[n, d]`, or a front, that seed the search.
        checkpoint: Folder to save to, at most once a minute and at the end. The same call resumes from it, bit for
            bit; a larger budget continues the same run.
        callbacks: Called with a `Moment` after every step; a true answer stops the run.
        progress: Whether to show a bar; None shows it on a terminal only.

    Returns:
        The result. Ctrl-C ends the run after the current step with status "interrupted".

    Raises:
        UnsupportedProblemError: If the solver cannot solve the problem; the message says why.
        CheckpointError: If the checkpoint is of another run, or none of its steps is readable.
        EvaluationError: If user code raised; `.result` holds everything before it.
    """
    check_call(problem, solver, budget, (seed,))
    return Loop(
        problem,
        solver,
        budget,
        (seed,),
        initial=_initial(problem, initial),
        folder=_folder(checkpoint, problem, solver, (seed,)),
        callbacks=callbacks,
        progress=progress,
    ).run()[0]


def solve_many(
    problem: Problem,
    solver: Solver[Any],
    *,
    seeds: int | Iterable[int],
    budget: Budget | None = None,
    initial: Array | Front | None = None,
    checkpoint: str | Path | Checkpoint | None = None,
    n_jobs: int = -1,
    progress: bool | None = None,
) -> list[Result]:
    """Run a solver with several seeds: in one tensor program where it can be stacked, else in processes.

    Member p draws from its own lane, so its result equals ``solve(..., seed=seeds[p])`` bit for bit. A target or a
    stall ends each member for itself, so those budgets run in processes too; `seconds` counts for the whole stack.

    Args:
        problem: What is traded off.
        solver: Hyper-parameters.
        seeds: How many (0, 1, …) or which.
        budget: For each seed.
        initial: As in `solve`, for each seed.
        checkpoint: As in `solve`; processes use one folder a seed below it.
        n_jobs: Number of processes where they are used; -1 for all cores.
        progress: Whether to show a bar.

    Returns:
        One result a seed, in order.
    """
    chosen = seeds_of(seeds)
    check_call(problem, solver, budget, chosen)
    alone = budget is not None and (budget.target is not None or budget.stall is not None)
    if isinstance(solver, StackedSolver) and not alone:
        folder = _folder(checkpoint, problem, solver, chosen)
        start = _initial(problem, initial)
        return Loop(problem, solver, budget, chosen, initial=start, folder=folder, progress=progress).run()
    solver.check(problem)
    import joblib

    threads = torch.get_num_threads()
    jobs = [joblib.delayed(_one)(problem, solver, budget, s, initial, _below(checkpoint, s), threads) for s in chosen]
    workers = min(len(chosen), joblib.cpu_count() if n_jobs == -1 else n_jobs)
    ended: list[tuple[Result, Any]]
    ended = joblib.Parallel(n_jobs=workers)(jobs) if workers > 1 else [f(*a, **k) for f, a, k in jobs]
    return [
        dataclasses.replace(r, problem=problem, front=dataclasses.replace(r.front, problem=problem.as_variant(variant)))
        for r, variant in ended
    ]


def _one(
    problem: Problem,
    solver: Solver[Any],
    budget: Budget | None,
    seed: int,
    initial: Any,
    checkpoint: Any,
    threads: int,
) -> tuple[Result, Any]:
    """Run one seed in a process of its own, under the caller's thread count, and send back what can be sent."""
    torch.set_num_threads(threads)
    result = solve(problem, solver, budget=budget, seed=seed, initial=initial, checkpoint=checkpoint, progress=False)
    front = dataclasses.replace(result.front, problem=None)
    source = result.source if not hasattr(result.source, "archive") else result.source.archive(0)
    variant = None if result.front.problem is None else result.front.problem.variant()
    return dataclasses.replace(result, front=front, problem=None, source=source, state=None), variant


def seeds_of(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """Return the seeds 0, 1, … of a number, or those given."""
    check.that(isinstance(seeds, int | Iterable), "seeds", "be their number, or whole numbers", repr(seeds))
    return tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)


def check_call(problem: Problem, solver: Solver[Any], budget: Budget | None, seeds: tuple[int, ...]) -> None:
    """Raise `InputError` unless a run was given what it needs."""
    check.that(
        isinstance(problem, Problem), "problem", "be a Problem", type(problem).__name__, "see `pk.problems.list()`"
    )
    hint = "pass an instance, NSGA2(), not the class" if isinstance(solver, type) else "see `pk.solvers.list()`"
    check.that(isinstance(solver, Solver), "solver", "be a Solver", type(solver).__name__, hint)
    hint = "for example pk.Budget(evaluations=20_000)"
    check.that(budget is None or isinstance(budget, Budget), "budget", "be a Budget", repr(budget), hint)
    check.at_least(1, seeds=len(seeds))
    for seed in seeds:
        check.that(isinstance(seed, int), "seed", "be a whole number", repr(seed), "`solve_many` takes several")
    check.that(len(set(seeds)) == len(seeds), "seeds", "be distinct", list(seeds))


def _initial(problem: Problem, given: Array | Front | None) -> Tensor | None:
    if given is None:
        return None
    rows = given.x if isinstance(given, Front) else tensor_of(given, "initial")
    check.that(rows is not None, "initial", "hold decisions", "a front of values only")
    assert rows is not None
    d = problem.space.dim
    check.shape(
        rows.ndim == 2 and rows.shape[0] > 0 and rows.shape[1] == d,
        "initial",
        f"have shape [n, {d}]",
        tuple(rows.shape),
    )
    rows = rows.to(device=problem.device, dtype=problem.dtype)
    inside = problem.space.contains(rows)
    if not bool(inside.all()):
        first = int((~inside).nonzero()[0])
        hint = "`problem.space.project(x)` moves it inside"
        check.fail("initial", "lie in the space", f"row {first} = {rows[first].tolist()[:8]}", hint)
    return rows


def _folder(
    given: str | Path | Checkpoint | None, problem: Problem, solver: Solver[Any], seeds: tuple[int, ...]
) -> CheckpointFolder | None:
    if given is None:
        return None
    settings = given if isinstance(given, Checkpoint) else Checkpoint(given)
    return CheckpointFolder(settings, identity(problem, solver, seeds), solver)


def _below(given: str | Path | Checkpoint | None, seed: int) -> Checkpoint | None:
    if given is None:
        return None
    settings = given if isinstance(given, Checkpoint) else Checkpoint(given)
    return dataclasses.replace(settings, path=Path(settings.path) / f"seed-{seed}")
