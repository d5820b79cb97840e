"""Distances between a front and a reference set: IGD, IGD+, GD, GD+ and the averaged Hausdorff distance."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._io import Array, Points, Senses, read
from paretokit.indicators._nearest import Cost, length, nearest, take, usable

Variant = Literal["mean", "veldhuizen"]


def read_pair(
    values: Array, reference: Array, *, maximize: Senses, mask: Array | None, reference_mask: Array | None
) -> tuple[Points, Points]:
    """Return a front and a finite, non-empty reference set `[k, m]` or `[*batch, k, m]` in minimization sense."""
    points = read(values, maximize=maximize, mask=mask)
    known = points.like("reference", reference, mask=reference_mask)
    batch = known.values.shape[:-2]
    check.shape(
        not batch or batch == points.values.shape[:-2],
        "reference",
        f"have no leading axes or those of `values`, {tuple(points.values.shape[:-2])}",
        tuple(batch),
    )
    finite = torch.isfinite(known.values).all(-1)
    counted = torch.ones_like(known.mask) if reference_mask is None else known.mask
    check.that(bool((finite | ~counted).all()), "reference", "be finite", "a row that is not")
    check.that(bool(known.mask.any(-1).all()), "reference", "hold at least one point", tuple(known.values.shape))
    return points, known


def _check_options(p: float, variant: str) -> None:
    check.that(p > 0 and math.isfinite(p), "p", "be positive and finite", repr(p))
    check.known(variant, ("mean", "veldhuizen"), kind="variant")


def _mean(distance: Tensor, mask: Tensor, p: float, variant: str) -> Tensor:
    """Return the power mean over the rows that count, +inf without one."""
    mask = mask.expand_as(distance)
    count = mask.sum(-1)
    some = count.clamp_min(1)
    if p == 1:
        mean = torch.where(mask, distance, 0.0).sum(-1) / some
    else:
        positive = mask & (distance > 0)
        total = torch.where(positive, torch.where(positive, distance, 1.0) ** p, 0.0).sum(-1)
        inside = total / some if variant == "mean" else total
        above = inside > 0
        mean = torch.where(above, torch.where(above, inside, 1.0) ** (1 / p), 0.0)
        mean = mean if variant == "mean" else mean / some
    return torch.where(count > 0, mean, math.inf)


def _distance(points: Points, known: Points, *, inverted: bool, plus: bool, p: float, variant: str) -> Tensor:
    _check_options(p, variant)
    front, alive = usable(points)
    target, wanted = usable(known)
    cost = Cost.SHORTFALL if plus else Cost.EUCLIDEAN
    if inverted:
        pairs = take(front, nearest(target, front, alive, cost)) - target if front.shape[1] else target * math.inf
        counted = wanted
    else:
        pairs = front - take(target, nearest(-front, -target, wanted, cost))
        counted = alive
    distance = length(pairs.clamp_min(0) if plus else pairs)
    if inverted:
        distance = torch.where(alive.any(-1, keepdim=True), distance, math.inf)
    return _mean(distance, counted, p, variant).reshape(points.values.shape[:-2])


def igd(
    values: Array,
    reference: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    reference_mask: Array | None = None,
    p: float = 1.0,
    variant: Variant = "mean",
) -> Any:
    r"""Inverted generational distance: mean distance from each reference point to the nearest point of the front.

    .. math:: \text{IGD}_p(A, R) = \Bigl( \tfrac{1}{|R|} \sum_{r \in R} \min_{a \in A}
        \lVert a - r \rVert_2^p \Bigr)^{1/p}

    Smaller is better; +inf for an empty front. Not Pareto compliant: a better front may score worse (see `igd_plus`).
    Rows that are not finite are failed candidates and do not count. Differentiable with respect to tensors.

    Args:
        values: Front A, `[*batch, n, m]`.
        reference: Reference set R, `[k, m]` or `[*batch, k, m]`, in the senses of the front.
        maximize: Whether larger is better: a bool, or one an objective (IGD does not depend on it).
        mask: `[*batch, n]`, True where a row counts.
        reference_mask: `[k]` or `[*batch, k]`, True where a reference point counts.
        p: Exponent.
        variant: "mean" takes the mean inside the power (Schuetze, Esquivel, Lara and Coello 2012); "veldhuizen" is
            :math:`(\sum d^p)^{1/p} / |R|`, as in jMetal (p = 2).

    Returns:
        `[*batch]`, NumPy or tensor as `values`.

    Raises:
        ShapeError: If shapes do not fit each other.
        InputError: If the reference set is empty or not finite, or `p` is not positive.

    Cost: O(n k m) time, O(n + k) memory.

    Source: Coello and Reyes Sierra (2004), MICAI.
    """
    points, known = read_pair(values, reference, maximize=maximize, mask=mask, reference_mask=reference_mask)
    return points.give(_distance(points, known, inverted=True, plus=False, p=p, variant=variant))


def igd_plus(
    values: Array,
    reference: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    reference_mask: Array | None = None,
    p: float = 1.0,
    variant: Variant = "mean",
) -> Any:
    r"""Mean shortfall of a front from a reference set, counting only the coordinates in which the front is worse.

    .. math:: \text{IGD}^+_p(A, R) = \Bigl( \tfrac{1}{|R|} \sum_{r \in R} \min_{a \in A}
        \lVert \max(a - r, 0) \rVert_2^p \Bigr)^{1/p} \quad \text{(minimization)}

    Weakly Pareto compliant: a front that weakly dominates another never scores worse. Arguments, edge cases and cost
    are those of `igd`.

    Source: Ishibuchi, Masuda, Tanigaki and Nojima (2015), EMO.

    >>> igd_plus([[4., 2.], [3., 3.], [2., 4.]], [[10., 0.], [6., 1.], [2., 2.], [1., 6.], [0., 10.]]).round(4)
    np.float64(1.4828)
    """
    points, known = read_pair(values, reference, maximize=maximize, mask=mask, reference_mask=reference_mask)
    return points.give(_distance(points, known, inverted=True, plus=True, p=p, variant=variant))


def gd(
    values: Array,
    reference: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    reference_mask: Array | None = None,
    p: float = 1.0,
    variant: Variant = "mean",
) -> Any:
    r"""Generational distance: mean distance from each point of the front to the nearest reference point.

    .. math:: \text{GD}_p(A, R) = \Bigl( \tfrac{1}{|A|} \sum_{a \in A} \min_{r \in R}
        \lVert a - r \rVert_2^p \Bigr)^{1/p}

    A single point on the reference set is perfect, so read it beside a measure of extent. `variant="veldhuizen"` with
    p = 2 is the original :math:`\sqrt{\sum d^2} / |A|` (also EvoX). Arguments, edge cases and cost are those of `igd`.

    Source: Van Veldhuizen and Lamont (1998); mean inside: Schuetze, Esquivel, Lara and Coello (2012), TEVC.
    """
    points, known = read_pair(values, reference, maximize=maximize, mask=mask, reference_mask=reference_mask)
    return points.give(_distance(points, known, inverted=False, plus=False, p=p, variant=variant))


def gd_plus(
    values: Array,
    reference: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    reference_mask: Array | None = None,
    p: float = 1.0,
    variant: Variant = "mean",
) -> Any:
    r"""Generational distance that counts only the coordinates in which a point is worse than the reference point.

    .. math:: \text{GD}^+_p(A, R) = \Bigl( \tfrac{1}{|A|} \sum_{a \in A} \min_{r \in R}
        \lVert \max(a - r, 0) \rVert_2^p \Bigr)^{1/p} \quad \text{(minimization)}

    Arguments, edge cases and cost are those of `igd`.

    Source: Ishibuchi, Masuda, Tanigaki and Nojima (2015), EMO.
    """
    points, known = read_pair(values, reference, maximize=maximize, mask=mask, reference_mask=reference_mask)
    return points.give(_distance(points, known, inverted=False, plus=True, p=p, variant=variant))


def averaged_hausdorff(
    values: Array,
    reference: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    reference_mask: Array | None = None,
    p: float = 1.0,
    plus: bool = False,
) -> Any:
    r"""Averaged Hausdorff distance, the larger of GD and IGD.

    .. math:: \Delta_p(A, R) = \max(\text{GD}_p(A, R), \text{IGD}_p(A, R))

    With `plus`, of GD+ and IGD+ (as the GFlowNet literature does). Other arguments, edge cases and cost are those of
    `igd`.

    Source: Schuetze, Esquivel, Lara and Coello (2012), TEVC.
    """
    points, known = read_pair(values, reference, maximize=maximize, mask=mask, reference_mask=reference_mask)
    there = _distance(points, known, inverted=False, plus=plus, p=p, variant="mean")
    back = _distance(points, known, inverted=True, plus=plus, p=p, variant="mean")
    return points.give(torch.maximum(there, back))
