"""The usual figures of a set of samples of a design problem, at once and under a named convention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core import non_dominated
from paretokit.indicators._distances import gd_plus, igd_plus
from paretokit.indicators._entropy import pc_entropy
from paretokit.indicators._hypervolume import hypervolume
from paretokit.indicators._r2 import r2, r2_conventions
from paretokit.indicators._top_k import Distance, top_k_diversity, top_k_reward
from paretokit.indicators._weights import simplex_lattice


@dataclass(frozen=True, kw_only=True)
class SampleConvention:
    """How a set of samples is measured: everything in which publications differ.

    Attributes:
        best_of_each: Whether hypervolume and R2 see the best sample of each preference only, by its weighted sum, and
            not all samples.
        frobenius: Whether R2 is divided by the Frobenius norm of the weights, not by their number.
        faces: Whether, where no front is known, entropy and distances refer to the faces of the unit cube.
        compat: See `pc_entropy`.
        source: Where the convention comes from.
    """

    best_of_each: bool = False
    frobenius: bool = False
    faces: bool = False
    compat: bool = False
    source: str = ""


def sample_conventions() -> dict[str, SampleConvention]:
    """Return the conventions that `sample_metrics` knows, by name."""
    return {
        "paper": SampleConvention(
            best_of_each=True,
            frobenius=True,
            faces=True,
            compat=True,
            source="Jain et al. (2023), ICML (hypervolume, R2, top-K); Roy et al. (2023) and Chen and Mauch (2024), "
            "ICLR (entropy, distances)",
        ),
        "plain": SampleConvention(source="all samples, means over what is counted, nothing without a true front"),
    }


def unit_cube_faces(m: int, *, per_axis: int = 10) -> Tensor:
    """Return the points of the even grid on [0, 1]^m of which a coordinate is 1: a front where none is known.

    Returns:
        float64 `[k, m]`, ``k = per_axis^m - (per_axis - 1)^m``: 19, 271 and 3439 for two, three and four objectives.

    Source: Roy et al. (2023), goal-conditioned GFlowNets.
    """
    check.at_least(1, m=m)
    check.at_least(2, per_axis=per_axis)
    axes = [torch.arange(per_axis, dtype=torch.float64) / (per_axis - 1)] * m
    grid = torch.cartesian_prod(*axes).reshape(-1, m)
    return grid[(grid == 1).any(-1)]


def share_on_front(values: Tensor, front: Tensor, *, tolerance: float = 1e-9) -> Tensor:
    r"""Share of samples whose objectives equal those of a point of the true front, `[*batch, n, m]` to `[*batch]`.

    Every sample counts, repeated ones too; 0 for an empty set. (How many of the front's points are found is what
    ``share_on_front(front, values)`` says.)

    Args:
        values: Objectives of the samples.
        front: The true front `[k, m]`.
        tolerance: Most absolute difference in each objective of values that are equal.

    Raises:
        ShapeError: If m differs.
        InputError: If `tolerance` is negative.

    Cost: O(n k m).
    """
    check.same_last_dim(values=values, front=front)
    check.at_least(0, tolerance=tolerance)
    rows, known = values.reshape(-1, values.shape[-1]), front.to(values)
    parts = [((part[:, None] - known).abs() <= tolerance).all(-1).any(-1) for part in rows.split(4096)]
    on = torch.cat(parts).reshape(values.shape[:-1]).to(torch.float64)
    return on.sum(-1) / max(values.shape[-2], 1)


def sample_metrics(
    gains: Tensor,
    *,
    front: Tensor | None = None,
    weights: Tensor | None = None,
    items: Tensor | None = None,
    distance: str | Distance = "levenshtein",
    k: int = 10,
    convention: str = "paper",
) -> dict[str, float]:
    r"""Measure samples of a sampler: how good they are, how different, and how near to the true front.

    =================== ==============================================================================================
    hypervolume         above 0
    r2                  from the ideal (1, …, 1), weights of 50 values an axis (20 for four objectives)
    gd_plus             mean over samples, dominated ones included, of the distance to the front
    igd_plus            mean over the front of the distance to the samples
    averaged_hausdorff  the larger of both
    pc_entropy          of the samples over the front, in nats
    pc_entropy_most     the entropy of a sampler that is uniform on the front
    share_on_front      samples that lie on the front
    front_found         points of the front that are among the samples
    top_k_reward        mean of the k largest weighted sums of each preference, then over preferences
    top_k_diversity     mean distance between these k, likewise
    =================== ==============================================================================================

    Distances and entropy need `front`, or a convention that has one of its own; the shares need `front`; the last two
    need `weights`, diversity also `items`. What is not asked for is not in the answer.

    Args:
        gains: Objectives of the samples, larger is better, at least 0 and about 1 at best: ``problem.gains(values)``,
            `[n, m]`.
        front: The true front, as gains `[k, m]`.
        weights: The preference that each sample answered `[n, m]`; equally many samples each, those of one preference
            one after the other, as solvers keep them in ``state.weights``. Samplers that are asked for nothing have
            equal ones.
        items: What diversity compares `[n, f]`; see `top_k_diversity`.
        distance: Likewise.
        k: Likewise.
        convention: "paper" or "plain"; see `sample_conventions`.

    Raises:
        ShapeError: If shapes do not fit each other.
        InputError: If there is no sample, or the preferences do not come in groups of one size.
        UnknownNameError: For an unknown convention.

    >>> sample_metrics(torch.tensor([[1.0, 0.5], [0.5, 0.5]]), convention="plain")["hypervolume"]
    0.5
    """
    known = sample_conventions()
    check.known(convention, known, kind="convention")
    rule = known[convention]
    check.shape(gains.ndim == 2 and len(gains) >= 1, "gains", "have shape [n, m] with n >= 1", tuple(gains.shape))
    gains = gains.to(torch.float64)
    n, m = gains.shape
    out: dict[str, float] = {}
    rewards = None if weights is None else _by_preference(gains, weights.to(gains))
    shown = gains
    if rewards is not None and rule.best_of_each:
        starts = torch.arange(len(rewards), device=gains.device) * rewards.shape[1]
        shown = gains[starts + rewards.argmax(-1)]
    best = shown[torch.as_tensor(non_dominated(shown, maximize=True), device=shown.device)]
    out["hypervolume"] = float(hypervolume(best, [0.0] * m, maximize=True))
    published = r2_conventions()["mogfn-pc"]
    lattice = simplex_lattice(m, dict(published.partitions).get(m, dict(published.partitions)[0])).to(gains)
    scale = 1.0 if rule.frobenius else float(lattice.norm()) / len(lattice)
    out["r2"] = scale * float(r2(best, lattice, convention="mogfn-pc", maximize=True))
    near = unit_cube_faces(m).to(gains) if front is None and rule.faces else front
    if near is not None:
        near = near.to(gains)
        out["gd_plus"] = float(gd_plus(gains, near, maximize=True))
        out["igd_plus"] = float(igd_plus(gains, near, maximize=True))
        out["averaged_hausdorff"] = max(out["gd_plus"], out["igd_plus"])
        out["pc_entropy"] = float(pc_entropy(gains, near, maximize=True, compat=rule.compat))
        out["pc_entropy_most"] = float(torch.tensor(float(len(near))).log())
    if front is not None:
        out["share_on_front"] = float(share_on_front(gains, front))
        out["front_found"] = float(share_on_front(front, gains))
    if rewards is not None:
        out["top_k_reward"] = float(top_k_reward(rewards, k=k).mean())
        if items is not None:
            check.shape(len(items) == n, "items", f"have {n} rows, one a sample", tuple(items.shape))
            grouped = items.reshape(*rewards.shape, -1)
            out["top_k_diversity"] = float(top_k_diversity(rewards, grouped, distance=distance, k=k).mean())
    return out


def _by_preference(gains: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sums `[p, n / p]` of samples grouped by preference."""
    check.shape(weights.shape == gains.shape, "weights", f"have shape {tuple(gains.shape)}", tuple(weights.shape))
    _, sizes = torch.unique_consecutive(weights, dim=0, return_counts=True)
    even = bool((sizes == sizes[0]).all())
    check.that(even, "weights", "hold each preference equally often, in a row", f"{sizes.tolist()} times")
    return (gains * weights).sum(-1).reshape(len(sizes), -1)
