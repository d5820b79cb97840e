"""Exact fronts of tabular environments by backward induction: Pareto fronts, and convex coverage sets.

Both answer for the process that ends after `horizon` steps, over deterministic policies that may look at the time and
at everything seen so far. Where the sweeps reach a fixed point before the horizon, the answer is that of the unlimited
process, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import InputError, non_dominated
from paretokit.core import _check as check

_DIGITS = 11  # values that agree to so many decimals are one point: sums in another order differ by rounding
_LIMIT = 20_000  # points a state; beyond it the sweeps would take hours, and say so

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TabularModel:
    """A Markov decision process with vector rewards as tables: S states, A actions, k outcomes each, m rewards.

    Attributes:
        next_state: State after each outcome, int64 `[S, A, k]`.
        probability: Of each outcome, float64 `[S, A, k]`, summing to 1 over k.
        reward: Of each outcome, float64 `[S, A, k, m]`.
        terminal: Whether the outcome ends the episode, bool `[S, A, k]`.
        initial: Probability of beginning in each state, float64 `[S]`.

    Raises:
        ShapeError: If the tables do not fit each other.
        InputError: If probabilities do not sum to 1, or a state does not exist.
    """

    next_state: Tensor
    probability: Tensor
    reward: Tensor
    terminal: Tensor
    initial: Tensor

    def __post_init__(self) -> None:
        shape = tuple(self.next_state.shape)
        check.shape(len(shape) == 3, "next_state", "have shape [S, A, k]", f"shape {shape}")
        for name in ("probability", "terminal"):
            got = tuple(getattr(self, name).shape)
            check.shape(got == shape, name, f"have shape {shape}, as `next_state`", f"shape {got}")
        got = tuple(self.reward.shape)
        check.shape(len(got) == 4 and got[:3] == shape, "reward", f"have shape {(*shape, 'm')}", f"shape {got}")
        got = tuple(self.initial.shape)
        check.shape(got == shape[:1], "initial", f"have {shape[0]} entries, one per state", f"shape {got}")
        inside = (self.next_state >= 0) & (self.next_state < shape[0])
        check.that(
            bool(inside.all()), "next_state", f"lie in 0 … {shape[0] - 1}", self.next_state[~inside].tolist()[:4]
        )
        for name, total in (("probability", self.probability.sum(-1)), ("initial", self.initial.sum())):
            off = float((total - 1).abs().max())
            check.that(off <= 1e-9, name, "sum to 1", f"a sum that is off by {off:.3g}")

    @property
    def n_states(self) -> int:
        """Number S of states."""
        return self.next_state.shape[0]

    @property
    def n_actions(self) -> int:
        """Number A of actions."""
        return self.next_state.shape[1]

    @property
    def n_outcomes(self) -> int:
        """Number k of outcomes of an action."""
        return self.next_state.shape[2]

    @property
    def n_objectives(self) -> int:
        """Number m of rewards."""
        return self.reward.shape[3]

    @cached_property
    def reachable(self) -> tuple[int, ...]:
        """The states that some policy meets, in the order of a breadth-first search."""
        live = (self.probability > 0) & ~self.terminal
        after = [self.next_state[s][live[s]].unique().tolist() for s in range(self.n_states)]
        order: list[int] = (self.initial > 0).nonzero().flatten().tolist()
        seen = set(order)
        for s in order:  # grows while it is read
            fresh = [n for n in after[s] if n not in seen]
            seen.update(fresh)
            order.extend(fresh)
        return tuple(order)


def deterministic_model(next_state: Tensor, reward: Tensor, terminal: Tensor, *, start: int) -> TabularModel:
    """Return the model of certain outcomes: `next_state`, `terminal` `[S, A]` and `reward [S, A, m]`.

    Args:
        next_state: State after each action.
        reward: What it pays.
        terminal: Whether it ends the episode.
        start: Where every episode begins.
    """
    initial = torch.zeros(len(next_state), dtype=torch.float64)
    initial[start] = 1.0
    return TabularModel(
        next_state=next_state.unsqueeze(-1),
        probability=torch.ones(*next_state.shape, 1, dtype=torch.float64),
        reward=reward.unsqueeze(-2).to(torch.float64),
        terminal=terminal.unsqueeze(-1),
        initial=initial,
    )


def prune(points: Values) -> Values:
    """Return the non-dominated rows of `points [n, m]` (larger is better) in lexicographic order, each value once."""
    kept: Values = points[best_rows(points)]
    return kept


def best_rows(points: Values) -> NDArray[np.int64]:
    """Return the indices of the rows that `prune` keeps; of equal values, the first."""
    rounded: Values = np.round(points, _DIGITS)
    order = np.lexsort(rounded.T[::-1])
    rounded = rounded[order]
    once = np.ones(len(order), dtype=np.bool_)
    once[1:] = (rounded[1:] != rounded[:-1]).any(-1)
    order, rounded = order[once], rounded[once]
    best: NDArray[np.bool_]
    if len(order) == 1:
        best = np.ones(1, dtype=np.bool_)
    elif points.shape[1] == 2:  # what follows is better in the first; it must be worse in the second
        later = np.maximum.accumulate(rounded[:0:-1, 1])[::-1]
        best = np.append(rounded[:-1, 1] > later, np.True_)
    elif len(order) <= 64:  # all pairs at once cost less than the call of a kernel
        best = (rounded >= rounded[:, None]).all(-1).sum(-1) == 1
    else:
        best = non_dominated(rounded, maximize=True)
    kept: NDArray[np.int64] = order[best]
    return kept


def pareto_set(model: TabularModel, *, discount: float, horizon: int) -> Tensor:
    r"""Return the exact Pareto front `[n, m]` of expected discounted returns of deterministic policies.

    .. math:: V_0(s) = \{0\}, \quad V_{t+1}(s) = \operatorname{ND} \bigcup_a \bigoplus_o p_{sao}
        \left( r_{sao} + \gamma V_t(s'_{sao}) \right)

    with ND the non-dominated rows (larger is better), ⊕ the Minkowski sum over outcomes o (a policy that remembers may
    go on differently after each), and V = {0} behind a terminal outcome. Values that agree to 11 decimals are one.

    Args:
        model: What happens.
        discount: γ in [0, 1].
        horizon: Steps after which the episode ends in any case.

    Raises:
        InputError: If a state has more than 20 000 points; `convex_coverage_set` stays small.

    Cost: a sweep takes O(S A f^k log f) for f points a state and k outcomes; states whose successors did not change
    are skipped.

    References:
        White (1982), Multi-objective infinite-horizon discounted Markov decision processes, JMAA 89;
        Wiering and de Jong (2007), Computing optimal stationary policies for MDPs with multiple objectives, ADPRL.
    """
    _check(discount, horizon)
    after, chance, ends = model.next_state.numpy(), model.probability.numpy(), model.terminal.numpy()
    paid = model.reward.numpy()
    nothing = np.zeros((1, model.n_objectives))
    sets = dict.fromkeys(range(model.n_states), nothing)
    followers = {s: set(after[s][(chance[s] > 0) & ~ends[s]].ravel().tolist()) for s in model.reachable}

    def outcome(at: tuple[int, int, int]) -> Values:
        rest = nothing if ends[at] else sets[int(after[at])]
        worth: Values = chance[at] * (paid[at] + discount * rest)
        return worth

    def action(s: int, a: int) -> Values:
        total = nothing
        for o in range(model.n_outcomes):
            if chance[s, a, o] > 0:
                total = _sums(total, outcome((s, a, o)))
        return total

    changed = set(model.reachable)
    for sweep in range(horizon):
        fresh: dict[int, Values] = {}
        for s in model.reachable:
            if sweep and not (followers[s] & changed):
                continue
            points = prune(np.concatenate([action(s, a) for a in range(model.n_actions)]))
            if len(points) > _LIMIT:
                raise InputError(
                    f"`model` must have at most {_LIMIT} points a state; got {len(points)} in state {s} "
                    f"(`convex_coverage_set` has fewer)"
                )
            if points.shape != sets[s].shape or np.abs(points - sets[s]).max() > 10.0**-_DIGITS:
                fresh[s] = points
        if not fresh:
            break
        sets.update(fresh)
        changed = set(fresh)
    total = nothing
    for s in (model.initial > 0).nonzero().flatten().tolist():
        total = _sums(total, float(model.initial[s]) * sets[s])
    return torch.from_numpy(total)


def _sums(left: Values, right: Values) -> Values:
    """Return the non-dominated sums of a row of each set; a set that is only shifted stays non-dominated."""
    if len(left) == 1 or len(right) == 1:
        return left + right
    return prune((left[:, None] + right[None]).reshape(-1, left.shape[1]))


def scalarized_values(model: TabularModel, weights: Tensor, *, discount: float, horizon: int) -> Tensor:
    r"""Return for weights `[w, m]` the vector returns `[w, m]` of policies that maximize the weighted sum.

    Value iteration on :math:`w^\top r`, all weights at once, the vectors carried along. Among actions that are equal to
    1e-10 (relative) the one with the larger plain sum is taken, so that weights with zeros give Pareto-optimal points.
    Sweeps end at the horizon, or when no value moves by more than 1e-13.

    Cost: O(w S A k m) a sweep.
    """
    _check(discount, horizon)
    going = model.probability * ~model.terminal
    now = (model.probability.unsqueeze(-1) * model.reward).sum(2)
    w = weights.to(torch.float64)[:, None, None, :]
    values = torch.zeros(len(weights), model.n_states, model.n_objectives, dtype=torch.float64)
    for _ in range(horizon):
        later = (going.unsqueeze(-1) * values[:, model.next_state]).sum(3)
        q = now + discount * later
        score = (q * w).sum(-1)
        best = score.amax(-1, keepdim=True)
        near = score >= best - 1e-10 * (1 + best.abs())
        chosen = torch.where(near, q.sum(-1), -torch.inf).argmax(-1)
        fresh = q.gather(2, chosen[..., None, None].expand(-1, -1, 1, model.n_objectives)).squeeze(2)
        still = float((fresh - values).abs().max()) <= 1e-13
        values = fresh
        if still:
            break
    return (model.initial.unsqueeze(-1) * values).sum(1)


def convex_coverage_set(model: TabularModel, *, discount: float, horizon: int) -> Tensor:
    """Return the exact convex coverage set `[n, m]`: an optimal return of a deterministic policy for every weight.

    Args:
        model: What happens.
        discount: γ in [0, 1].
        horizon: Steps after which the episode ends in any case.
    """

    def solve(weights: Tensor) -> Tensor:
        return scalarized_values(model, weights, discount=discount, horizon=horizon)

    return linear_support(solve, model.n_objectives)


def linear_support(solve: Callable[[Tensor], Tensor], m: int) -> Tensor:
    """Return a set `[n, m]` that holds a best vector for every weight, from exact answers to single weights.

    The upper surface max_v w·v of the vectors found so far is piecewise linear and convex; a missing vector shows at
    one of its corners first. So all new corners are asked until none improves.

    Args:
        solve: Maps weights `[w, m]` to best vectors `[w, m]`.
        m: Number of objectives.

    Cost: O(n^(m - 1)) small linear systems a vector found, so made for few objectives.

    References:
        Cheng (1988), Algorithms for partially observable Markov decision processes; Roijers, Whiteson and Oliehoek
        (2015), Computing convex coverage sets for faster multi-objective coordination, JAIR 52. Corners are asked all
        at once, not in the order of their optimistic gain, as the set is wanted to the end.
    """
    asked = torch.eye(m, dtype=torch.float64)
    found = torch.from_numpy(prune(solve(asked).numpy()))
    corners = _corners(found, fresh=len(found))
    while True:
        far = torch.cdist(corners, asked, compute_mode="donot_use_mm_for_euclid_dist").amin(-1) > 1e-9
        questions = corners[far]
        if not len(questions):
            break
        asked = torch.cat([asked, questions])
        answers = solve(questions)
        had = (questions @ found.T).amax(-1)
        gain = (questions * answers).sum(-1) - had > 1e-9 * (1 + had.abs())
        if not bool(gain.any()):
            break
        fresh = torch.from_numpy(prune(answers[gain].numpy()))
        top = (corners @ found.T).amax(-1)
        kept = corners[(corners @ fresh.T).amax(-1) <= top + 1e-9 * (1 + top.abs())]
        found = torch.cat([found, fresh])
        corners = torch.unique(torch.cat([kept, _corners(found, fresh=len(fresh))]), dim=0)
    return torch.from_numpy(prune(found.numpy()))


def _corners(values: Tensor, *, fresh: int) -> Tensor:
    """Return the weights `[c, m]` of corners of the upper surface of `values [n, m]` that touch the last `fresh`."""
    n, m = values.shape
    # Unknowns (w, u): m walls w_i = 0 and n planes v·w - u = 0, of which m meet in a corner, with the sum of w being 1.
    walls = torch.cat([torch.eye(m, dtype=values.dtype), values.new_zeros(m, 1)], -1)
    planes = torch.cat([walls, torch.cat([values, -values.new_ones(n, 1)], -1)])
    chosen = torch.tensor([(*rest, i) for i in range(m + n - fresh, m + n) for rest in combinations(range(i), m - 1)])
    simplex = torch.cat([values.new_ones(m), values.new_zeros(1)]).expand(len(chosen), 1, m + 1)
    right = values.new_zeros(len(chosen), m + 1, 1)
    right[:, -1] = 1.0
    solved, info = torch.linalg.solve_ex(torch.cat([planes[chosen], simplex], 1), right)
    w, u = solved[:, :m, 0], solved[:, m, 0]
    top = (w @ values.T).amax(-1)
    valid = (info == 0) & torch.isfinite(u) & (w >= -1e-9).all(-1) & ((top - u).abs() <= 1e-9 * (1 + u.abs()))
    corners = w[valid].clamp_min(0.0)
    once: Tensor = torch.unique(torch.round(corners, decimals=12), dim=0)
    return once


def _check(discount: float, horizon: int) -> None:
    check.probability(discount=discount)
    check.at_least(1, horizon=horizon)
