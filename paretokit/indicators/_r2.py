"""The R2 family on given weights: how well a front serves a set of preferences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._io import Array, Points, Senses, as_array, as_tensor, read
from paretokit.indicators._nearest import Cost, nearest, take, usable
from paretokit.indicators._weights import simplex_lattice

Utility = Literal["tchebycheff", "augmented", "linear", "achievement"]


@dataclass(frozen=True, kw_only=True)
class R2Convention:
    """A published way to compute R2: everything in which the codes differ.

    Attributes:
        utility: See `r2`.
        rho: Weight of the augmentation.
        weighted_sum: Whether the augmentation sums weighted differences (else plain ones).
        absolute: Whether differences from the utopian point are taken by absolute value.
        divisor: "count" of weights, or the "frobenius" norm of the weight matrix.
        sign: -1 where the published number is larger for better fronts.
        partitions: Partitions of the default weight lattice by number of objectives (key 0: any other); empty where
            the source leaves weights to the caller.
        utopian: Default utopian value of every objective, in the caller's senses; None where it must be given.
        source: Where the convention comes from.
    """

    utility: Utility
    rho: float = 0.0
    weighted_sum: bool = True
    absolute: bool = False
    divisor: Literal["count", "frobenius"] = "count"
    sign: float = 1.0
    partitions: tuple[tuple[int, int], ...] = ()
    utopian: float | None = None
    source: str = ""


def r2_conventions() -> dict[str, R2Convention]:
    """Return the published conventions that `r2(..., convention=name)` reproduces, by name."""
    return {
        "brockhoff2012": R2Convention(
            utility="tchebycheff",
            absolute=True,
            source="Brockhoff, Wagner and Trautmann (2012), GECCO: mean over weights of min_a max_i w_i |z_i - a_i|",
        ),
        "desdeo": R2Convention(
            utility="augmented",
            rho=0.05,
            weighted_sum=False,
            absolute=True,
            sign=-1.0,
            source="DESDEO 2: negative, larger is better; the augmentation is not weighted",
        ),
        "jmetal": R2Convention(
            utility="tchebycheff",
            absolute=True,
            partitions=((2, 99), (3, 13), (4, 8), (5, 5)),
            source="jMetal: brockhoff2012 with weights of its own; utopian is the ideal point of its reference front, "
            "or the origin for values that were normalized by it",
        ),
        "mogfn-pc": R2Convention(
            utility="tchebycheff",
            absolute=True,
            divisor="frobenius",
            partitions=((4, 19), (0, 49)),
            utopian=1.0,
            source="Jain et al. (2023), ICML: rewards in [0, 1], 50 grid values an axis (20 for 4 objectives), divided "
            "by the Frobenius norm of the weight matrix instead of the number of weights",
        ),
    }


def weights_of(points: Points, weights: Array, name: str = "weights") -> Tensor:
    """Return weights `[w, m]` that are finite, non-negative and at least one, or raise one line."""
    given = weights if isinstance(weights, Tensor) else as_tensor(as_array(weights, name))
    given = given.to(points.values)
    check.shape(
        given.ndim == 2 and given.shape[1] == points.m and given.shape[0] >= 1,
        name,
        f"have shape [w, {points.m}] with w >= 1, one entry an objective",
        tuple(given.shape),
    )
    fine = bool((torch.isfinite(given) & (given >= 0)).all())
    check.that(fine, name, "be finite and not negative", f"a least entry of {float(given.min()):g}")
    return given


def _default_weights(name: str, convention: R2Convention, m: int) -> Tensor:
    by_m = dict(convention.partitions)
    partitions = by_m.get(m, by_m.get(0))
    hint = f"convention {name!r} has no weights of its own for {m} objectives"
    check.that(partitions is not None, "weights", "be given", None, hint)
    assert partitions is not None
    return simplex_lattice(m, partitions)


def r2(
    values: Array,
    weights: Array | None = None,
    *,
    utopian_point: Array | None = None,
    utility: Utility = "tchebycheff",
    rho: float = 0.05,
    convention: str | None = None,
    maximize: Senses = False,
    mask: Array | None = None,
) -> Any:
    r"""Mean over weights of the best scalarized distance from a utopian point.

    .. math:: R_2(A) = \frac{1}{|W|} \sum_{w \in W} \min_{a \in A} u_w(a - z), \qquad d = a - z \ \text{(minimization)}

    ============= ====================================================
    utility       :math:`u_w(d)`
    ============= ====================================================
    tchebycheff   :math:`\max_i w_i d_i`
    augmented     :math:`\max_i w_i d_i + \rho \sum_i w_i d_i`
    linear        :math:`\sum_i w_i d_i`
    achievement   :math:`\max_i d_i / w_i` (zero weights become 1e-6)
    ============= ====================================================

    Smaller is better; +inf for an empty front. Weakly Pareto compliant. Unlike most codes, differences keep their
    sign, so that a point beyond `utopian_point` is rewarded; conventions with absolute differences are named. Rows
    that are not finite are failed candidates and do not count. Differentiable with respect to a tensor of values.

    Args:
        values: Front A, `[*batch, n, m]`.
        weights: W, `[w, m]`, not negative (see `simplex_lattice`).
        utopian_point: z, `[m]`, in the senses of the front, at least as good as every point.
        utility: See the table.
        rho: Weight of the augmentation, at least 0.
        convention: Name of a published convention (`r2_conventions()`) that replaces `utility` and `rho`, and where it
            has its own, missing `weights` and `utopian_point`.
        maximize: Whether larger is better: a bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.

    Returns:
        `[*batch]`, NumPy or tensor as `values`.

    Raises:
        UnknownNameError: If `utility` or `convention` does not exist; the message names the nearest.
        InputError: If weights or utopian point are missing, negative or not finite.

    Cost: O(n w m) time, O(n + w) memory.

    Source: Hansen and Jaszkiewicz (1998); Brockhoff, Wagner and Trautmann (2012), GECCO.
    """
    points = read(values, maximize=maximize, mask=mask)
    check.known(utility, ("tchebycheff", "augmented", "linear", "achievement"), kind="utility")
    check.that(rho >= 0 and math.isfinite(rho), "rho", "be finite and at least 0", repr(rho))
    rule = R2Convention(utility=utility, rho=rho if utility == "augmented" else 0.0)
    if convention is not None:
        known = r2_conventions()
        check.known(convention, known, kind="convention")
        rule = known[convention]
        weights = _default_weights(convention, rule, points.m) if weights is None else weights
        if utopian_point is None and rule.utopian is not None:
            utopian_point = [rule.utopian] * points.m
    hint = "R2 depends on it; there is no default"
    check.that(weights is not None, "weights", "be given", None, "`simplex_lattice(m, partitions)` makes even ones")
    check.that(utopian_point is not None, "utopian_point", "be given", None, hint)
    assert weights is not None
    w, z = weights_of(points, weights), points.point("utopian_point", utopian_point)
    if rule.utility == "achievement":
        w = 1 / w.clamp_min(1e-6)
    divisor = w.norm() if rule.divisor == "frobenius" else w.shape[0]
    best = _best(points, w, z, rule)
    total = rule.sign * best.sum(-1) / divisor
    return points.give(total.reshape(points.values.shape[:-2]))


def _best(points: Points, w: Tensor, z: Tensor, rule: R2Convention) -> Tensor:
    """Return the least scalarized distance of each weight, `[b, w]`, +inf without points."""
    front, alive = usable(points)
    if front.shape[1] == 0:
        return torch.full((front.shape[0], w.shape[0]), math.inf, dtype=front.dtype, device=front.device)
    difference = front - z
    if rule.absolute:
        difference = difference.abs()
    if rule.utility == "linear":
        chosen = least_linear(w, difference, alive)
        best = (take(difference, chosen) * w).sum(-1)
    else:
        cost = Cost.TCHEBYCHEFF if rule.weighted_sum else Cost.TCHEBYCHEFF_PLAIN
        chosen = nearest(w.unsqueeze(0), difference, alive, cost, rho=rule.rho)
        picked = take(difference, chosen)
        best = (picked * w).amax(-1) + rule.rho * (picked * w if rule.weighted_sum else picked).sum(-1)
    return torch.where(alive.any(-1, keepdim=True), best, math.inf)


def least_linear(w: Tensor, rows: Tensor, alive: Tensor) -> Tensor:
    """Return the index of the alive row of least weighted sum for each weight, `[b, w]`, in slices of weights."""
    rows = rows.detach()
    chosen = []
    step = max(1, (1 << 21) // max(1, rows.shape[0] * rows.shape[1]))
    for begin in range(0, w.shape[0], step):
        sums = w[begin : begin + step] @ rows.transpose(-1, -2)
        chosen.append(sums.masked_fill(~alive.unsqueeze(-2), math.inf).argmin(-1))
    return torch.cat(chosen, -1)
