"""Gradients of a problem's losses, all rows of a stack at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import Objective, Problem, Rng
from paretokit.core import _check as check
from paretokit.core._parameters import Parameters
from paretokit.solvers.gradient._aggregator import Aggregator


@dataclass(frozen=True)
class Scale:
    """How losses are brought to a common scale: ``(losses - shift) / unit``."""

    shift: Tensor
    unit: Tensor


def scale_of(problem: Problem) -> Scale:
    """Return the scale that maps the protocol's ideal point to zeros and its nadir to ones."""
    scoring = problem.protocol.scoring
    assert scoring.ideal is not None
    assert scoring.nadir is not None
    sign = torch.tensor([-1.0 if o.maximize else 1.0 for o in problem.objectives], dtype=torch.float64)
    low, high = (sign * torch.tensor(p, dtype=torch.float64) for p in (scoring.ideal, scoring.nadir))
    return Scale(low, (high - low).clamp_min(1e-12))


def widths(problem: Problem) -> Tensor | None:
    """Return the unit of each variable, float64 `[d]`, its range; None where all have one, as networks' parameters."""
    space = problem.space
    if not isinstance(space, Parameters):
        return space.upper - space.lower
    return None if space.n_parameters == space.dim else (space.upper > space.lower).to(torch.float64)  # buffers stay


def in_units(moves: Tensor, unit: Tensor | None) -> Tensor:
    """Return moves `[..., d]` times the variables' units."""
    return moves if unit is None else moves * unit.to(moves)


def without_gradients(problem: Problem) -> str | None:
    """Return why a problem's losses cannot be descended, or None; asks for the losses of one row."""
    if not problem.space.is_real:
        return "it descends gradients, and not all variables are real"
    if problem.n_constraints:
        return "it handles no constraints"
    if type(problem).losses is Problem.losses and problem.unit != "evaluations":
        return "the problem offers no losses with gradients"
    x = problem.space.sample(1, Rng.from_seed(0)).to(problem.device, problem.dtype)
    try:
        with torch.enable_grad():
            connected = problem.losses(x.requires_grad_(), Rng.from_seed(0)).requires_grad
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:  # code that does not take such a tensor
        return f"the problem's losses carry no gradients ({type(error).__name__})"
    return None if connected else "the problem's losses carry no gradients"


def unfit(problem: Problem, preferences: object, *, normalized: bool) -> str | None:
    """Return why preferences, gradients or the protocol do not serve to descend a problem, or None."""
    m = problem.n_objectives
    if isinstance(preferences, tuple) and len(preferences[0]) != m:
        return f"its preferences have {len(preferences[0])} entries, the problem has {m} objectives"
    reason = without_gradients(problem)
    if reason or not normalized:
        return reason
    scoring = problem.protocol.scoring  # last, since it may cost a front
    if scoring.ideal is None or scoring.nadir is None:
        return "the problem's protocol has no ideal and nadir to normalize by; normalized=False needs none"
    return None


def losses_of(problem: Problem, x: Tensor, rng: Rng) -> Tensor:
    """Return the losses `[P, m]` of rows with their graph, of the shape that is due."""
    values = problem.losses(x, rng)
    due = (len(x), problem.n_objectives)
    check.shape(tuple(values.shape) == due, "losses", f"have shape {list(due)}", list(values.shape))
    return values


def descent(
    problem: Problem,
    x: Tensor,
    aggregator: Aggregator,
    *,
    preference: Tensor,
    scale: Scale | None,
    rng: Rng,
) -> tuple[Tensor, Tensor]:
    """Return losses `[P, m]`, and directions `[P, d]` in units of the variables' widths.

    Rules that read no Gramian get by with one backward pass for all rows.
    """
    x = x.detach().requires_grad_()
    unit = widths(problem)
    with torch.enable_grad():
        values = losses_of(problem, x, rng.child("losses"))
        if scale is not None:
            values = (values - scale.shift.to(values)) / scale.unit.to(values)
    held = values.detach()
    m, order = values.shape[-1], rng.child("order")
    if "gramian" not in aggregator.reads:
        w = aggregator.weights(held.new_zeros(len(x), m, m), losses=held, preference=preference, rng=order)
        (slope,) = torch.autograd.grad((values * w).sum(), x)
        return held, in_units(slope, unit)
    one = torch.eye(m, dtype=values.dtype, device=x.device).unsqueeze(1).expand(-1, len(x), -1)
    exact = torch.empty(len(x), m, x.shape[1], dtype=torch.float64, device=x.device)
    for k in range(m):
        exact[:, k] = torch.autograd.grad(values, x, one[k], retain_graph=k + 1 < m)[0]
    if unit is not None:
        exact *= unit.to(exact)
    whole = exact
    if problem.shared is not None:
        whole = exact[..., problem.shared.to(x.device).nonzero().flatten()]
    w = aggregator.weights(whole @ whole.mT, losses=held, preference=preference, rng=order)
    direction = (w.unsqueeze(1) @ exact).squeeze(1)
    if problem.shared is not None:
        direction = torch.where(problem.shared.to(x.device), direction, exact.sum(1))
    return held, direction.to(x)


def influenced(problem: Problem, x: Tensor, rng: Rng) -> None:
    """Raise for the first objective whose gradient vanishes at all rows and at a few random ones.

    Raises:
        InputError: Naming the objective.
    """
    others = problem.space.sample(4, rng.child("probe")).to(x)
    x = torch.cat([x.detach(), others]).requires_grad_()
    with torch.enable_grad():
        values = losses_of(problem, x, rng.child("losses"))
    for k, objective in enumerate(problem.objectives):
        one = values[:, k].sum()
        slope = torch.autograd.grad(one, x, retain_graph=True, allow_unused=True)[0] if one.requires_grad else None
        if slope is None or not bool(slope.any()):
            fail_unmoved(objective)


def fail_unmoved(objective: Objective) -> None:
    """Raise that nothing moves an objective."""
    hint = "its gradient is zero everywhere that was tried"
    check.fail("losses", "depend on the variables in every objective", f"{objective.name!r}, which none moves", hint)
