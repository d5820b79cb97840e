"""Variation: tournaments, simulated binary crossover and polynomial mutation of a stack of populations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import Box, Categorical, Integers, Mixed, Space
from paretokit.core._kernel import KernelModule
from paretokit.core._rng import mix
from paretokit.core._space import CATEGORY, INTEGER
from paretokit.solvers.evolutionary._draws import GOLDEN, coin, shuffled, unit, word, words
from paretokit.solvers.evolutionary._members import columns, over_members
from paretokit.solvers.evolutionary._power import power

KERNELS = KernelModule("paretokit.solvers.evolutionary._variation_kernels", compile_seconds=10.0)
TOO_CLOSE = 1e-14
ROUNDS = 10


@dataclass(frozen=True)
class Operators:
    """Numbers of the variation, for one space.

    Attributes:
        space: Where decisions live.
        crossover_prob: Probability that a mating crosses at all.
        crossover_var_prob: Probability that it crosses a variable.
        crossover_eta: Distribution index of the crossover; larger keeps children nearer to their parents.
        mutation_prob: Probability that a child mutates at all.
        mutation_var_prob: Probability that it mutates a variable.
        mutation_eta: Distribution index of the mutation.
        rounds: How often children are bred until none is a duplicate; 1 keeps duplicates.
        dtype: What the problem rounds decisions to; bounds are rounded alike.
    """

    space: Space
    crossover_prob: float
    crossover_var_prob: float
    crossover_eta: float
    mutation_prob: float
    mutation_var_prob: float
    mutation_eta: float
    rounds: int = ROUNDS
    dtype: torch.dtype = torch.float64

    @property
    def params(self) -> Tensor:
        """The six numbers as the kernels read them."""
        crossover = (self.crossover_prob, self.crossover_var_prob, self.crossover_eta)
        mutation = (self.mutation_prob, self.mutation_var_prob, self.mutation_eta)
        return torch.tensor([*crossover, *mutation], dtype=torch.float64)

    @property
    def bounds(self) -> tuple[Tensor, Tensor, Tensor]:
        """Bounds and kinds of the columns."""
        lower, upper = (b.to(self.dtype).to(torch.float64) for b in (self.space.lower, self.space.upper))
        return lower, upper, self.space.kinds

    def compiled(self, x: Tensor) -> bool:
        """Tell whether kernels may vary these rows: on the CPU, in a space whose columns are independent."""
        return x.device.type == "cpu" and separable(self.space) and KERNELS.worth()


def separable(space: Space) -> bool:
    """Tell whether `project` acts on each column alone, so that variation within bounds stays in the space."""
    if isinstance(space, Mixed):
        return all(separable(part) for part in space.parts.values())
    return isinstance(space, (Box, Integers, Categorical))


def digest(x: Tensor) -> Tensor:
    """Return a 64-bit hash `[...]` of rows `[..., d]`; zeros of either sign are equal."""
    bits = (x + 0.0).contiguous().view(torch.int64)
    places = torch.arange(1, x.shape[-1] + 1, dtype=torch.int64, device=x.device) * GOLDEN
    return mix(bits ^ places).sum(-1)


def duplicates(taken: Tensor, children: Tensor, fresh: Tensor) -> Tensor:
    """Tell which fresh children equal a taken row, an older child, or an earlier fresh one.

    Args:
        taken: Hashes of the population `[P, n]`.
        children: Hashes of the children `[P, c]`.
        fresh: Children bred in this round `[P, c]`; the others are accepted.
    """
    hashes = torch.cat([taken, children], 1)
    late = torch.cat([torch.zeros_like(taken, dtype=torch.bool), fresh], 1)
    order = late.to(torch.int8).argsort(dim=1, stable=True)
    order = order.gather(1, hashes.gather(1, order).argsort(dim=1, stable=True))
    ordered = hashes.gather(1, order)
    twin = torch.zeros_like(late)
    twin[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return torch.zeros_like(late).scatter(1, order, twin)[:, taken.shape[1] :] & fresh


def tournaments(keys: Tensor, f: Tensor, v: Tensor, score: Tensor, *, by_dominance: bool, matings: int) -> Tensor:
    """Return parents `[P, matings, 2]`: winners of binary tournaments along random permutations.

    Less violation wins; of feasible ones the dominating one (where `by_dominance`), then the larger score, then a coin.
    """
    n, m = f.shape[1:]
    pairs = shuffled(word(keys, 0), 4 * matings, n).reshape(-1, 2 * matings, 2)
    a, b = pairs.unbind(-1)
    first = coin(words(word(keys, 1), 2 * matings))
    score_a, score_b = score.gather(1, a), score.gather(1, b)
    first = torch.where(score_a == score_b, first, score_a > score_b)
    if by_dominance:
        better, worse = torch.zeros_like(first), torch.zeros_like(first)
        for j in range(m):
            f_a, f_b = f[..., j].gather(1, a), f[..., j].gather(1, b)
            better |= f_a < f_b
            worse |= f_a > f_b
        first = torch.where(better != worse, better, first)
    v_a, v_b = v.gather(1, a), v.gather(1, b)
    violated = (v_a > 0) | (v_b > 0)
    tied = coin(words(word(keys, 1), 2 * matings))
    first = torch.where(violated, torch.where(v_a == v_b, tied, v_a < v_b), first)
    return torch.where(first, a, b).reshape(-1, matings, 2)


def cross(keys: Tensor, x: Tensor, parents: Tensor, ops: Operators) -> Tensor:
    r"""Return the two children of each mating, `[P, matings, 2, d]`, by bounded simulated binary crossover.

    A crossed variable with parents :math:`y_1 < y_2` becomes :math:`(y_1 + y_2 \mp \beta_q (y_2 - y_1)) / 2` with the
    spread :math:`\beta_q` of Deb and Agrawal (1995), its density cut off at the bounds; which child gets which value is
    a coin. Whole variables are crossed half a cell beyond their bounds and rounded; categories are exchanged.
    """
    lower, upper, kinds = (t.to(x.device) for t in ops.bounds)
    matings, d = parents.shape[1], x.shape[-1]
    a, b = (torch.take_along_dim(x, parents[..., k].unsqueeze(-1), 1) for k in range(2))
    mating = (unit(words(word(keys, 2), matings)) < ops.crossover_prob) & (parents[..., 0] != parents[..., 1])
    drawn = words(word(keys, 3), matings * d).reshape(-1, matings, d)
    u, swap = unit(drawn), coin(drawn)
    cell = mating.unsqueeze(-1) & (u < ops.crossover_var_prob)
    spread = cell & (kinds != CATEGORY) & ((a - b).abs() > TOO_CLOSE) & (lower < upper)
    u = u / ops.crossover_var_prob
    wide = torch.where(kinds == INTEGER, 0.5, 0.0).to(x)
    low, high = lower - wide, upper + wide
    y1, y2 = torch.minimum(a, b), torch.maximum(a, b)
    delta, total = torch.where(spread, y2 - y1, 1.0), y1 + y2

    def factor(room: Tensor) -> Tensor:
        t = u * (2.0 - power(1.0 + 2.0 * room / delta, -(ops.crossover_eta + 1.0)))
        return power(torch.where(t <= 1.0, t, 1.0 / (2.0 - t)), 1.0 / (ops.crossover_eta + 1.0))

    left = torch.minimum(torch.maximum(0.5 * (total - factor(y1 - low) * delta), low), high)
    right = torch.minimum(torch.maximum(0.5 * (total + factor(high - y2) * delta), low), high)
    whole = kinds == INTEGER
    left, right = (torch.where(whole, c.round().clamp(lower, upper), c) + 0.0 for c in (left, right))
    one = torch.where(spread, torch.where(swap, right, left), a)
    two = torch.where(spread, torch.where(swap, left, right), b)
    exchanged = cell & (kinds == CATEGORY) & swap
    return torch.stack([torch.where(exchanged, b, one), torch.where(exchanged, a, two)], 2)


def mutate(keys: Tensor, children: Tensor, ops: Operators) -> Tensor:
    r"""Return children `[P, c, d]` after bounded polynomial mutation (Deb and Goyal 1996; Deb and Deb 2014).

    Whole variables are mutated half a cell beyond their bounds, rounded, and moved by one where rounding undid it;
    categories are drawn anew among the others.
    """
    lower, upper, kinds = (t.to(children.device) for t in ops.bounds)
    count, d = children.shape[1:]
    child = unit(words(word(keys, 4), count)) < ops.mutation_prob
    u = unit(words(word(keys, 5), count * d)).reshape(-1, count, d)
    cell = child.unsqueeze(-1) & (u < ops.mutation_var_prob) & (lower < upper)
    w = u / ops.mutation_var_prob if ops.mutation_var_prob else u
    wide = torch.where(kinds == INTEGER, 0.5, 0.0).to(children)
    low, high = lower - wide, upper + wide
    span = torch.where(lower < upper, high - low, 1.0)
    eta = ops.mutation_eta + 1.0
    down = w <= 0.5
    near = 1.0 - torch.where(down, children - low, high - children) / span
    left = 2.0 * w + (1.0 - 2.0 * w) * power(near, eta)
    right = 2.0 * (1.0 - w) + 2.0 * (w - 0.5) * power(near, eta)
    root = power(torch.where(down, left, right).clamp_min(0.0), 1.0 / eta)
    y = torch.minimum(torch.maximum(children + torch.where(down, root - 1.0, 1.0 - root) * span, low), high)
    rounded = y.round().clamp(lower, upper)
    step = torch.where(down, children - 1.0, children + 1.0)
    step = torch.where(step < lower, children + 1.0, step)
    step = torch.where(step > upper, children - 1.0, step)
    y = torch.where(kinds == INTEGER, torch.where(rounded == children, step, rounded), y)
    size = upper - lower
    other = lower + torch.minimum(torch.floor(w * size), size - 1.0)
    other = torch.where(other >= children, other + 1.0, other)
    y = torch.where(kinds == CATEGORY, other, y)
    return torch.where(cell, y + 0.0, children)


def _offspring_plain(
    keys: Tensor,
    x: Tensor,
    f: Tensor,
    v: Tensor,
    score: Tensor,
    by_dominance: bool,
    ops: Operators,
    out: Tensor,
) -> None:
    count = out.shape[1]
    matings = (count + 1) // 2
    taken = digest(x) if ops.rounds > 1 else None
    fresh = torch.ones(out.shape[:2], dtype=torch.bool, device=x.device)
    for r in range(ops.rounds):
        own = word(keys, r)
        parents = tournaments(own, f, v, score, by_dominance=by_dominance, matings=matings)
        children = cross(own, x, parents, ops).flatten(1, 2)[:, :count]
        children = ops.space.project(mutate(own, children, ops))
        torch.where(fresh.unsqueeze(-1), children, out, out=out)
        if taken is None:
            return
        fresh = duplicates(taken, digest(out), fresh)
        if not bool(fresh.any()):
            return


def offspring(
    keys: Tensor, x: Tensor, f: Tensor, v: Tensor, score: Tensor, *, by_dominance: bool, ops: Operators, count: int
) -> Tensor:
    """Return `count` children a member, `[P, count, d]`, of populations `x [P, n, d]`.

    Children that equal a member of the population or another child are bred anew, up to `ops.rounds` times.

    Args:
        keys: The generation's key of each member `[P]`.
        x: Decisions `[P, n, d]`.
        f: Minimized values `[P, n, m]`.
        v: Total violations `[P, n]`.
        score: What breaks ties of the tournament, larger better, `[P, n]`.
        by_dominance: Whether dominance decides a tournament before the score.
        ops: Probabilities and distribution indices.
        count: Number of children.
    """
    out = x.new_empty(len(x), count, x.shape[2])
    if not ops.compiled(x):
        KERNELS.plain(_offspring_plain, keys, x, f, v, score, by_dominance, ops, out)
        return out
    lower, upper, kinds = columns(*ops.bounds)
    kernel = KERNELS.load().offspring_stack
    fixed = (by_dominance, lower, upper, kinds, ops.params.numpy(), ops.rounds)
    over_members(
        lambda k, a, b, c, d, o: kernel(k.view("uint64"), a, b, c, d, *fixed, o),
        keys, x, f, v, score, out, work=count * x.shape[2],
    )  # fmt: skip
    return out


def _bred_plain(keys: Tensor, x: Tensor, parents: Tensor, ops: Operators) -> Tensor:
    own = word(keys, 0)
    return ops.space.project(mutate(own, cross(own, x, parents, ops)[:, :, 0], ops))


def bred(keys: Tensor, x: Tensor, parents: Tensor, ops: Operators) -> Tensor:
    """Return the mutated first child of each given pair of parents `[P, c, 2]`, `[P, c, d]`."""
    if not ops.compiled(x):
        made: Tensor = KERNELS.plain(_bred_plain, keys, x, parents, ops)
        return made
    out = x.new_empty(len(x), parents.shape[1], x.shape[2])
    lower, upper, kinds = columns(*ops.bounds)
    kernel, params = KERNELS.load().bred_stack, ops.params.numpy()
    over_members(
        lambda k, a, pairs, o: kernel(k.view("uint64"), a, pairs, lower, upper, kinds, params, o),
        keys, x, parents, out, work=parents.shape[1] * x.shape[2],
    )  # fmt: skip
    return out
