"""Which policies are worth keeping in every direction, and which of them to train along which weight."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import non_dominated
from paretokit.indicators import hypervolume, lattice_size, simplex_lattice, sparsity

BELOW = 0.1  # share of the range by which the origin lies below what was measured, where no reference point is given
FAN = math.pi / 4  # how far candidate weights of two objectives lie to either side of a policy's direction


@dataclass(frozen=True)
class Frame:
    """Units in which directions, hypervolume and sparsity are taken.

    Attributes:
        origin: The reference point, or a tenth of the range below the least returns measured `[m]`.
        span: Range of the returns measured `[m]`, positive.
    """

    origin: Tensor
    span: Tensor

    @classmethod
    def of(cls, lowest: Tensor, highest: Tensor, reference_point: tuple[float, ...] | None) -> Frame:
        """Return the frame of what was measured so far."""
        span = highest - lowest
        span = torch.where(span > 0, span, 1.0)
        origin = lowest - BELOW * span if reference_point is None else lowest.new_tensor(reference_point)
        return cls(origin, span)

    def units(self, values: Tensor) -> Tensor:
        """Return values `[..., m]` in units, seen from the origin."""
        return (values - self.origin) / self.span


def bins_of(units: Tensor, bins: int) -> Tensor:
    """Return the number of the bin, int64 `[n]`, in whose direction each point `[n, m]` lies.

    Two objectives: equal angles of the quarter circle, from the first objective's axis to the second's. More: the
    nearest by angle of the directions of the largest simplex lattice of at most `bins` points. Negative coordinates
    count as 0.
    """
    ahead = units.clamp_min(0)
    if units.shape[1] == 2:
        angle = torch.atan2(ahead[:, 1], ahead[:, 0])
        return (angle * (2 * bins / math.pi)).to(torch.int64).clamp_max(bins - 1)
    return (ahead @ _directions(units, bins).T).argmax(1)


def buffered(units: Tensor, *, bins: int, size: int) -> Tensor:
    """Return, in order, the rows of points `[n, m]` that a performance buffer keeps: `size` a bin, the farthest out."""
    number, far = bins_of(units, bins), units.clamp_min(0).norm(dim=1)
    order = torch.argsort(far, descending=True, stable=True)
    order = order[torch.argsort(number[order], stable=True)]
    ranked = number[order]
    place = torch.arange(len(order), device=units.device) - torch.searchsorted(ranked, ranked)
    return order[place < size].sort().values


def candidates(units: Tensor, *, count: int, partitions: int) -> Tensor:
    """Return weights `[n, count, m]` to train policies along that lie in directions `[n, m]`.

    Two objectives: equally spaced angles up to 45 degrees to either side of the policy's own, within the quarter
    circle, scaled to sum 1. More: the nearest by angle of the lattice with the given number of partitions.
    """
    ahead, m = units.clamp_min(0), units.shape[1]
    if m == 2:
        angle = torch.atan2(ahead[:, 1], ahead[:, 0]).unsqueeze(1)
        low, high = (angle - FAN).clamp_min(0), (angle + FAN).clamp_max(math.pi / 2)
        share = torch.linspace(0, 1, count, dtype=units.dtype, device=units.device)
        fan = low + (high - low) * share
        weights = torch.stack([fan.cos(), fan.sin()], -1).clamp_min(0)
        return weights / weights.sum(-1, keepdim=True)
    lattice = simplex_lattice(m, partitions).to(units)
    near = ahead @ (lattice / lattice.norm(dim=1, keepdim=True)).T
    return lattice[torch.argsort(near, dim=1, descending=True, stable=True)[:, :count]]


def quality(fronts: Tensor, alpha: float) -> Tensor:
    """Return hypervolume minus alpha times sparsity `[*batch]` of the non-dominated rows of fronts `[*batch, n, m]`.

    Both in the units of a `Frame`; the reference point is its origin, and one point has sparsity 0.
    """
    keep = non_dominated(fronts, maximize=True, keep_duplicates=False)
    volume = hypervolume(fronts, fronts.new_zeros(fronts.shape[-1]), maximize=True, mask=keep)
    worth: Tensor = volume - alpha * sparsity(fronts, maximize=True, mask=keep, compat=True)
    return worth


def select_tasks(front: Tensor, points: Tensor, *, count: int, alpha: float) -> Tensor:
    r"""Return the indices `[count]` of predicted points that are added one after another, each the best at its time.

    .. math:: k_i = \arg\max_k\; HV(F \cup \{p_{k_1}, \dots, p_{k_{i-1}}, p_k\}) - \alpha\, SP(\dots)

    Args:
        front: Non-dominated returns F so far, in units `[e, m]`.
        points: Predicted returns `[c, m]`; none is chosen twice, and all are where `count` is at least c.
        count: How many.
        alpha: Weight of sparsity.

    Cost: `count` times c hypervolumes of e + `count` points.
    """
    chosen: list[int] = []
    taken = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    while len(chosen) < min(count, len(points)):
        grown = torch.cat([front.expand(len(points), -1, -1), points.unsqueeze(1)], 1)
        best = int(quality(grown, alpha).masked_fill(taken, -torch.inf).argmax())
        chosen.append(best)
        taken[best] = True
        front = torch.cat([front, points[best : best + 1]])
        front = front[non_dominated(front, maximize=True, keep_duplicates=False)]
    return torch.tensor(chosen, dtype=torch.int64, device=points.device)


def _directions(like: Tensor, bins: int) -> Tensor:
    m, partitions = like.shape[1], 1
    while lattice_size(m, partitions + 1) <= bins:
        partitions += 1
    lattice = simplex_lattice(m, partitions).to(like)
    directions: Tensor = lattice / lattice.norm(dim=1, keepdim=True)
    return directions
