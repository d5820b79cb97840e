"""The approximate front of minecart: policies that drive straight to one mine, dig, turn around and drive back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from paretokit.core import non_dominated

if TYPE_CHECKING:
    from paretokit.problems.morl._minecart import Minecart


def straight_line_front(environment: Minecart, discount: float) -> Tensor:
    r"""Return the non-dominated discounted returns `[n, m]` of straight-line policies, sorted by the first ore.

    A policy turns towards a mine, drives there by a pattern of L accelerations and idle steps whose way
    reaches the mine's rim, brakes, turns around, digs d times, and drives back by the same pattern. With R turns,
    H turns around and pattern fuel :math:`S = \sum_t \gamma^t f_t`, its length is T = R + 2 L + 1 + H + d, the ore
    :math:`\gamma^{T-1} \mu \min(d, C / \sum \mu)` and the fuel that of each part, discounted by what came before.
    One more "mine" without ores lies just outside the base.

    This is MO-Gymnasium's family and its estimate of a return, not a simulation: ore is the mean of the normal
    distribution given that it is positive (a dig yields the positive part), every dig of the last step fits to the
    average, and the way back takes as long as the way there. Returns of real policies differ a little and can be
    better. At discount 0.98, deterministic: 20 points of hypervolume 723.048 above (-1, -1, -200).

    Cost: all patterns of one mine at once, a few hundred rows; about 10 ms.
    """
    from paretokit.problems.morl._minecart import BASE_RADIUS

    k = environment.n_ores
    side = math.sqrt(BASE_RADIUS**2 / 2)
    rows = environment._mines.cpu().tolist()
    found = [_returns(environment, row, discount) for row in [*rows, [side, side] + [0.0] * (2 * k)]]
    points = torch.cat(found)
    points = points[non_dominated(points, maximize=True)]
    return points[points[:, 0].argsort(stable=True)].to(environment.device)


def _returns(environment: Minecart, row: list[float], discount: float) -> Tensor:
    from paretokit.problems.morl._minecart import BASE_RADIUS, MINE, MINE_RADIUS, NONE

    ticks, k = environment.frame_skip, environment.n_ores
    fuel = environment._fuel.cpu()
    angle = math.degrees(math.atan2(row[1] - row[0], row[0] + row[1]))
    turns = math.ceil(abs(angle) / (10 * ticks) - 1e-9)
    around = 180 // (10 * ticks)
    length, spent, tail = _patterns(environment, math.hypot(row[0], row[1]) - MINE_RADIUS - BASE_RADIUS / 2, discount)
    means = torch.tensor(
        [_positive_mean(m, s) for m, s in zip(row[2 : 2 + k], row[2 + k :], strict=True)], dtype=torch.float64
    )
    means = means * ticks
    yielded = float(means.sum())
    empty = yielded == 0
    # Digs in the rows, patterns in the columns; without ore an idle step replaces the first one of the way back.
    digs = torch.arange(1, 2 if empty else math.ceil(environment.capacity / yielded) + 1, dtype=torch.float64)
    digs = digs.unsqueeze(1)
    length, spent, tail = length.unsqueeze(0), spent.unsqueeze(0), tail.unsqueeze(0)
    idle, dig = fuel[NONE], fuel[MINE]
    there = turns + length
    middle = around if empty else around + 1
    at_mine = _sum(discount, there + middle) * idle - _sum(discount, there) * idle
    dug = discount ** (there + middle)
    if empty:
        work = dug * idle
        back = discount ** (there + middle + 1) * tail
        total = there + middle + length + 0 * digs
    else:
        work = dug * dig * _sum(discount, digs)
        back = discount ** (there + middle + digs) * spent
        total = there + middle + digs + length
    fuels = _sum(discount, torch.tensor(float(turns), dtype=torch.float64)) * idle + discount**turns * spent
    fuels = fuels + at_mine + work + back
    full = (yielded * digs / environment.capacity).clamp(min=1.0)
    ores = means * (digs / full).unsqueeze(-1) * (discount ** (total - 1)).unsqueeze(-1)
    return torch.cat((ores, fuels.unsqueeze(-1)), dim=-1).reshape(-1, k + 1)


def _patterns(environment: Minecart, distance: float, discount: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return lengths, discounted fuel, and discounted fuel without the first step, of all patterns over a distance."""
    from paretokit.problems.morl._minecart import ACCELERATE, ACCELERATION, NONE

    ticks = environment.frame_skip
    fuel = environment._fuel.cpu()
    ramp = ACCELERATION * ticks * (ticks + 1) / 2  # way of one accelerating step beyond speed times ticks
    begin = ramp if environment.incremental_frame_skip else ACCELERATION * ticks * ticks
    speed = torch.tensor([ACCELERATION * ticks], dtype=torch.float64)
    left = torch.tensor([distance - begin], dtype=torch.float64)
    spent = fuel[ACCELERATE : ACCELERATE + 1]
    tail = torch.zeros(1, dtype=torch.float64)
    done: list[tuple[Tensor, Tensor, Tensor]] = []
    step = 1
    while left.numel():
        way = speed * ticks
        left = torch.cat((left - (way + ramp), left - way))
        speed = torch.cat((speed + ACCELERATION * ticks, speed))
        add = torch.cat((fuel[ACCELERATE].expand(tail.shape), fuel[NONE].expand(tail.shape)))
        spent = spent.repeat(2) + discount**step * add
        tail = tail.repeat(2) + discount ** (step - 1) * add
        step += 1
        there = left <= 0
        done.append((torch.full_like(left[there], float(step)), spent[there], tail[there]))
        left, speed, spent, tail = left[~there], speed[~there], spent[~there], tail[~there]
    lengths, fuels, tails = zip(*done, strict=True)
    return torch.cat(lengths), torch.cat(fuels), torch.cat(tails)


def _sum(discount: float, steps: Tensor) -> Tensor:
    """Return the sum of the first powers of the discount, beginning with 1."""
    if discount == 1:
        return steps
    return (1 - discount**steps) / (1 - discount)


def _positive_mean(mean: float, deviation: float) -> float:
    """Return the mean of a normal number given that it is positive."""
    if deviation == 0:
        return mean
    a = -mean / deviation
    density = math.exp(-a * a / 2) / math.sqrt(2 * math.pi)
    above = math.erfc(a / math.sqrt(2)) / 2
    return mean + density / above * deviation
