"""One sentence on what a choice gives up, and for what."""

from __future__ import annotations

import torch

from paretokit.core import Front, Objective
from paretokit.core._text import number
from paretokit.decision._scale import scaled

STEP = 0.1  # of an objective's range: an improvement that is worth a sentence


def why(front: Front, index: int) -> str:
    """Return what row `index` of a front gave up for what, and what getting it back would cost.

    Named are the objective that is farthest from its best in the front (as a share of its range), the one that is
    nearest, and, of the points that are better in the first by a tenth of its range (or at all, if there is none),
    the nearest, with the objective that suffers most there.
    """
    u = scaled(front)
    if len(front) == 1:
        return "it is the only point of the front, so nothing is traded off"
    row = u[index]
    lost = int(row.argmax())
    other = (u > 0).any(0)  # objectives with a range
    other[lost] = False
    won = int(torch.where(other, row, torch.inf).argmin())
    gain = row[lost] - u[:, lost]
    distance = torch.where(gain >= min(STEP, float(gain.max())), (u - row).norm(dim=-1), torch.inf)
    near = int(distance.argmin())
    paid = int((u[near] - row).argmax())
    a, b, c = (front.objectives[i] for i in (lost, won, paid))
    values, better = front.values[index].tolist(), front.values[near].tolist()
    return (
        f"{a.name} {_quantity(a, values[lost])}, {_share(a, float(row[lost]))}, is the price of "
        f"{b.name} {_quantity(b, values[won])}, {_share(b, float(row[won]))}; improving the former to "
        f"{_quantity(a, better[lost])} would {'lower' if c.maximize else 'raise'} {c.name} by "
        f"{_quantity(c, abs(better[paid] - values[paid]))}"
    )


def _quantity(objective: Objective, value: float) -> str:
    return f"{number(value)} {objective.unit}".rstrip()


def _share(objective: Objective, share: float) -> str:
    if share == 0:
        return "the best of the front"
    side = "below" if objective.maximize else "above"
    percent = f"{100 * share:.0f}" if share >= 0.01 else "less than 1"
    return f"{percent} % of its range {side} the best of the front"
