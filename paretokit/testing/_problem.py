"""`check_problem`: what every problem keeps."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import (
    Evaluation,
    InputError,
    ParetoError,
    Problem,
    Rng,
    ShapeError,
    maximize_of,
    non_dominated,
    to_min,
)
from paretokit.testing._require import refused, require, require_close, require_equal


class _Counter:
    """An observer that counts rows."""

    def __init__(self) -> None:
        self.rows = 0

    def evaluated(self, x: Tensor, evaluation: Evaluation) -> None:
        self.rows += evaluation.values.shape[:-1].numel()


def check_problem(problem: Problem, *, n: int = 24, seed: int = 0) -> None:
    """Raise unless a problem keeps the contract.

    Checked: distinct objective names; samples and projections lie in the space; answers have the promised shapes and
    dtype; values of a row do not depend on its batch; equal draws give equal values; inputs are not changed; rows
    outside the space and of the wrong width get one line; evaluations are reported to the observer; held-out data is
    out of a solver's reach; the known front is non-dominated, finite, within ideal and nadir, and beaten by no sample;
    the reference point is no better than the nadir; recipe and fingerprint survive a round trip; other dtypes work.

    Args:
        problem: The problem.
        n: Rows to sample.
        seed: Of the samples.

    Raises:
        AssertionError: Naming the broken rule.
    """
    name = problem.name
    rng = Rng.from_seed(seed).child("check-problem")
    m, k, d = problem.n_objectives, problem.n_constraints, problem.space.dim
    labels = [o.name for o in problem.objectives]
    require(m >= 2 and len(set(labels)) == m, f"{name}: at least two objectives with distinct names; got {labels}")
    x = problem.space.project(problem.space.sample(n, rng.child("x"))).to(problem.dtype)
    require(tuple(x.shape) == (n, d), f"{name}: space.sample returns [n, d]")
    require(problem.space.contains(x).all(), f"{name}: samples lie in the space")
    before = x.clone()
    out = problem.evaluate(x, rng)
    require_equal(x, before, f"{name}: evaluate leaves its input unchanged")
    require(tuple(out.values.shape) == (n, m), f"{name}: values have shape [n, m]")
    require(out.values.dtype == problem.dtype, f"{name}: values have the problem's dtype {problem.dtype}")
    require((out.violations is None) == (k == 0), f"{name}: violations are given where n_constraints > 0 only")
    require(torch.isfinite(out.values).any(), f"{name}: some sample can be evaluated")
    require_equal(problem.evaluate(x, rng).values, out.values, f"{name}: equal draws give equal values")
    _check_batches(problem, x, out, rng)
    _check_refusals(problem, x)
    _check_reports(problem, x, rng)
    _check_front(problem, rng)
    _check_identity(problem)
    other = torch.float32 if problem.dtype == torch.float64 else torch.float64
    cast = problem.to(dtype=other)
    inside = cast.space.project(x.to(other))
    require(cast.evaluate(inside, rng).values.dtype == other, f"{name}: to(dtype={other}) computes in {other}")
    require(problem.dtype != other, f"{name}: `to` returns a copy and leaves the problem alone")
    problem.decode(x[0])


def _check_batches(problem: Problem, x: Tensor, out: Evaluation, rng: Rng) -> None:
    if not problem.deterministic:
        return
    name, half = problem.name, x.shape[0] // 2
    parts = [problem.evaluate(rows, rng) for rows in (x[:half], x[half:])]
    joined = Evaluation.cat(parts)
    require_close(joined.values, out.values, f"{name}: a row's values do not depend on its batch", tolerance=1e-12)
    if out.violations is not None and joined.violations is not None:
        require_close(joined.violations, out.violations, f"{name}: nor do its violations", tolerance=1e-12)
    flat = problem.evaluate(x.flip(0), rng).values.flip(0)
    require_close(flat, out.values, f"{name}: nor on its place", tolerance=1e-12)
    even = x[: 2 * half].reshape(2, half, -1)
    stacked = problem.evaluate(even, rng).values
    require(tuple(stacked.shape) == (2, half, problem.n_objectives), f"{name}: leading axes of x are kept")
    require_close(stacked.reshape(2 * half, -1), out.values[: 2 * half], f"{name}: leading axes only group rows")
    empty = problem.evaluate(x[:0], rng)
    require(tuple(empty.values.shape) == (0, problem.n_objectives), f"{name}: no rows give no values")


def _check_refusals(problem: Problem, x: Tensor) -> None:
    name = problem.name
    with refused(ShapeError, f"{name}: a row that is too wide is refused"):
        problem.evaluate(torch.cat([x, x[:, :1]], -1))
    outside = x[:1].clone()
    outside[0, 0] = problem.space.upper[0] + 1
    with refused(InputError, f"{name}: a row outside the space is refused"):
        problem.evaluate(outside)
    with refused(InputError, f"{name}: a NaN decision is refused"):
        problem.evaluate(torch.full_like(outside, torch.nan))


def _check_reports(problem: Problem, x: Tensor, rng: Rng) -> None:
    counter = _Counter()
    handle = problem.observed(counter)
    handle.evaluate(x, rng)
    require(counter.rows == x.shape[0], f"{problem.name}: every evaluated row is reported to the observer")
    with refused(ParetoError, f"{problem.name}: a solver's handle refuses `assess`"):
        handle.assess(x)
    values, _ = problem.assess(x)
    require(tuple(values.shape) == (len(x), problem.n_objectives), f"{problem.name}: assess returns [n, m]")


def _check_front(problem: Problem, rng: Rng) -> None:
    name, maximize = problem.name, maximize_of(problem.objectives)
    known = problem.pareto_front()
    kinds = ("exact", "exact convex coverage set", "approximate") if known is not None else ("unknown",)
    require(problem.front_kind in kinds, f"{name}: front_kind is one of {kinds}; got {problem.front_kind!r}")
    scoring = problem.protocol.scoring
    ideal, nadir, worst = (
        None if p is None else to_min(torch.tensor(p, dtype=torch.float64), problem.objectives)
        for p in (scoring.ideal, scoring.nadir, scoring.reference_point)
    )
    if nadir is not None and worst is not None:
        require((worst >= nadir).all(), f"{name}: the reference point is no better than the nadir")
    if known is None:
        return
    require(known.ndim == 2 and known.shape[1] == problem.n_objectives, f"{name}: pareto_front returns [n, m]")
    require(torch.isfinite(known).all(), f"{name}: the known front is finite")
    require(torch.as_tensor(non_dominated(known, maximize=maximize)).all(), f"{name}: the known front is non-dominated")
    points = to_min(known.to(torch.float64), problem.objectives)
    if ideal is not None and nadir is not None:
        slack = 1e-6 + 2e-3 * (nadir - ideal).abs()  # published scales may miss: currin's front begins at 1.0015
        inside = (points >= ideal - slack).all() and (points <= nadir + slack).all()
        require(inside, f"{name}: the known front lies between ideal and nadir")
    if problem.front_kind.startswith("exact"):
        x = problem.space.project(problem.space.sample(2000, rng.child("front"))).to(problem.dtype)
        out = problem.evaluate(x, rng)
        values = to_min(out.values.to(torch.float64), problem.objectives)[out.total_violation <= 0]
        scale = (points.amax(0) - points.amin(0)).clamp_min(1e-12)
        rounding = 1e-9 * scale + 4 * torch.finfo(problem.dtype).eps * points.abs().amax(0)
        beaten = ((values.unsqueeze(1) + rounding < points[:200]).all(-1)).any()
        require(not beaten, f"{name}: no sample beats the exact front")
    few = problem.pareto_front(20)
    require(few is not None and 0 < len(few) <= max(40, len(known)), f"{name}: pareto_front(20) returns a few points")


def _check_identity(problem: Problem) -> None:
    name = problem.name
    require(problem.fingerprint() == problem.fingerprint(), f"{name}: the fingerprint does not change")
    recipe = problem.recipe()
    if recipe is None:
        return
    from paretokit.problems import make

    rebuilt = make(recipe["id"], **recipe["options"])
    require(rebuilt.to(dtype=problem.dtype).fingerprint() == problem.fingerprint(), f"{name}: its recipe rebuilds it")
