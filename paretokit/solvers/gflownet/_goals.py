"""Goals: directions in the space of objectives, the cones around them, and which of them are worth asking for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.solvers.gflownet._conditions import Encoding, thermometer

MAX_ROWS = 2_000_000  # most goals of a table


def unit(rows: Tensor) -> Tensor:
    """Return rows `[n, m]` divided by their Euclidean lengths; rows of zeros stay."""
    length = rows.norm(dim=-1, keepdim=True)
    return rows / torch.where(length > 0, length, 1)


def cosine(gains: Tensor, goals: Tensor) -> Tensor:
    """Return the cosines `[n]` of the angles between rows, in [0, 1] where nothing is negative; 0 for rows of zeros."""
    return (unit(gains) * unit(goals)).sum(-1).clamp_max(1)


def focus_log_reward(
    gains: Tensor, goals: Tensor, beta: Tensor, *, cone: float = 0.98, border: float = 0.2, lowest: float = -75.0
) -> Tensor:
    r"""Return :math:`\beta \log R_g`, at least `lowest`, `[n]`: the sum of the objectives, inside the goal's cone only.

    .. math:: R_g(x) = a \textstyle\sum_j r_j \ \text{ if } \cos(r, g) \ge c_g, \text{ else } 0, \qquad
              a = \cos(r, g)^{\log m_g / \log c_g}

    so that a is 1 in the direction g and m_g at the cone's border.

    Args:
        gains: Objectives r to be maximized, at least 0, `[n, m]`.
        goals: Directions g `[n, m]`.
        beta: Exponents `[n]`.
        cone: Least cosine :math:`c_g`, between 0 and 1.
        border: Share :math:`m_g` of the reward at the border.
        lowest: Log-reward outside, and the least one inside.

    Source: Roy, Bacon, Pal and Bengio (2023). One logarithm is taken, once: the published code of a later paper takes
    it twice, so that all rewards below 1 are equal.
    """
    near = cosine(gains, goals)
    shape = math.log(border) / math.log(cone)
    log_r = shape * near.clamp_min(cone).log() + gains.sum(-1).clamp_min(1e-300).log()
    return torch.where(near >= cone, (beta * log_r).clamp_min(lowest), lowest)


def goal_table(m: int, resolution: int) -> Tensor:
    """Return directions `[resolution^m - (resolution - 1)^m, m]`, float64: the faces of the unit cube opposite to 0.

    They are all points of the grid with `resolution` positions an axis that have a coordinate 1, at unit length.
    """
    rows = resolution**m - (resolution - 1) ** m
    check.that(rows <= MAX_ROWS, "resolution", f"give at most {MAX_ROWS} goals", f"{rows} for {m} objectives")
    if m == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    axis = torch.linspace(0, 1, resolution, dtype=torch.float64)
    parts = []
    for face in range(m):  # the first coordinate that is 1
        axes = [axis[:-1]] * face + [axis[-1:]] + [axis] * (m - face - 1)
        parts.append(torch.cartesian_prod(*axes))
    return unit(torch.cat(parts))


@final
@dataclass(frozen=True, kw_only=True)
class Goals:
    r"""How goals are drawn and told to the sampler.

    A "table" learns which goals can be met: it counts how often the goal nearest to each of its rows was asked for, and
    how often an object came out nearest to it. Rows that were asked for and never met are drawn with weight `doubt`,
    all others with weight 1.

    Attributes:
        sampler: "table", or "uniform" on the positive part of the sphere.
        resolution: Positions on each axis of the table; 30 gives 59, 2611 and 102,719 rows for two to four objectives.
        doubt: Weight of a goal that was asked for and never met.
        begin, end: Shares of `iterations` between which the table counts. Before, goals are uniform on the sphere;
            after, the counts stay.
        encoding: "thermometer", or "raw" numbers.
        bins: Marks an objective of the thermometer.
    """

    sampler: Literal["table", "uniform"] = "table"
    resolution: int = 30
    doubt: float = 0.1
    begin: float = 0.25
    end: float = 0.75
    encoding: Encoding = "thermometer"
    bins: int = 16

    def __post_init__(self) -> None:
        check.fields(self)
        check.one_of(("table", "uniform"), sampler=self.sampler)
        check.at_least(2, resolution=self.resolution, bins=self.bins)
        check.positive(doubt=self.doubt)
        check.probability(doubt=self.doubt, begin=self.begin, end=self.end)
        check.that(self.begin <= self.end, "begin", "be at most `end`", self.begin)
        check.one_of(("thermometer", "raw"), encoding=self.encoding)

    def size(self, m: int) -> int:
        """Entries of the encoding of m components."""
        return m * self.bins if self.encoding == "thermometer" else m

    def encode(self, goals: Tensor) -> Tensor:
        """Return goals `[n, m]` as a policy reads them."""
        return thermometer(goals, bins=self.bins) if self.encoding == "thermometer" else goals

    def uniform(self, m: int, n: int, rng: Rng) -> Tensor:
        """Return n goals, float64 `[n, m]`, uniform on the positive part of the sphere."""
        return unit(rng.normal(n, m).abs())

    def tabular(self, asked: Tensor, met: Tensor, n: int, rng: Rng) -> Tensor:
        """Return n row numbers of a table by its counts `[rows]`."""
        weights = 1 - (1 - self.doubt) * ((asked > 0) & (met == 0)).to(torch.float64)
        cumulative = weights.cumsum(0)
        u = rng.uniform(n, device=asked.device) * cumulative[-1]
        return torch.searchsorted(cumulative, u, right=True).clamp_max(len(asked) - 1)


def nearest_row(table: Tensor, rows: Tensor) -> Tensor:
    """Return for each row `[n, m]` the number `[n]` of the table's direction at the least angle."""
    return (unit(rows) @ table.T).argmax(-1)
