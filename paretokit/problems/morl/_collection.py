"""The exact front of tours that collect things of several kinds on the way to a goal."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.core import _check as check
from paretokit.problems.morl._dynamic_programming import Values, best_rows

Lengths = NDArray[np.int64]


def collection_front(distance: Tensor, kinds: tuple[int, ...], *, discount: float) -> tuple[Tensor, Tensor]:
    r"""Return the exact Pareto front of tours, and the steps that each takes: `[n, m]`, `[n]`.

    There are k things of m kinds, a start and a goal. Coming to a thing for the first time pays 1 in its kind, coming
    to the goal pays 1 in every kind and ends the tour. With S the set of things taken and l the last of them, the front
    of what is still to come is

    .. math:: V(S, l) = \operatorname{ND} \left( \{ \gamma^{d(l, goal) - 1} \mathbf 1 \} \cup \bigcup_{j \notin S}
        \gamma^{d(l, j) - 1} \left( e_{kind(j)} + \gamma V(S \cup \{j\}, j) \right) \right)

    As rewards are not negative, only tours of shortest paths matter, and a path that passes a thing without counting it
    is dominated by the one that does. Of tours with the same value (to 11 decimals) the shortest is kept.

    Args:
        distance: Steps of shortest paths that avoid the goal, `[k + 1, k + 1]`: rows are things and the start, columns
            things and the goal.
        kinds: The kind of each thing.
        discount: γ in (0, 1].

    Cost: 2^k k / 2 sets, each merged from at most k; 12 things of 3 kinds take about 6 s on one core.

    References:
        Held and Karp (1962), A dynamic programming approach to sequencing problems, SIAM J. 10, with sets of
        non-dominated vectors in the place of numbers.
    """
    check.that(0 < discount <= 1, "discount", "lie in (0, 1]", discount)
    k, m = len(kinds), max(kinds) + 1
    check.shape(
        tuple(distance.shape) == (k + 1, k + 1), "distance", f"have shape {(k + 1, k + 1)}", tuple(distance.shape)
    )
    steps: Lengths = distance.to(torch.int64).numpy()
    values: dict[tuple[int, int], Values] = {}
    lengths: dict[tuple[int, int], Lengths] = {}
    for size in range(k, -1, -1):
        for taken in combinations(range(k), size):
            mask = sum(1 << i for i in taken)
            left = [j for j in range(k) if not mask >> j & 1]
            for last in taken or (k,):
                home = steps[last, k]
                points, tours = [np.full((1, m), discount ** float(home - 1))], [home[None]]
                for j in left:
                    after, d = (mask | 1 << j, j), steps[last, j]
                    worth = values[after] * discount ** float(d)
                    worth[:, kinds[j]] += discount ** float(d - 1)
                    points.append(worth)
                    tours.append(lengths[after] + d)
                values[mask, last], lengths[mask, last] = _prune(np.concatenate(points), np.concatenate(tours))
    return torch.from_numpy(values[0, k]), torch.from_numpy(lengths[0, k])


def _prune(points: Values, tours: Lengths) -> tuple[Values, Lengths]:
    """Return the non-dominated points, and the shortest of the tours of each."""
    order = np.argsort(tours, kind="stable")
    kept = order[best_rows(points[order])]
    return points[kept], tours[kept]
