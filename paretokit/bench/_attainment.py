"""Which values a solver attains in how many of its runs: empirical attainment, its surfaces and differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from paretokit.core import Front, Objective, same_measurement
from paretokit.core import _check as check
from paretokit.core._io import Array, tensor_of
from paretokit.core._objective import to_min

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AttainmentSurface:
    """The best values that a share of the runs attains.

    Attributes:
        level: The share, in (0, 1]: 0.5 is the median surface.
        points: Mutually non-dominated points `[n, m]` in the user's senses; what they weakly dominate is attained by at
            least that share of runs. None where fewer runs hold any point.
        objectives: One each.
        runs: Number of runs.
    """

    level: float
    points: Floats
    objectives: tuple[Objective, ...]
    runs: int


@dataclass(frozen=True, eq=False)
class AttainmentDifference:
    """Where one solver attains more than another, for two objectives.

    Attributes:
        boxes: Corners of rectangles `[k, 4]`, smaller then larger values (x, y, x, y), in the user's senses; the worst
            ends are infinite.
        difference: Share of runs of the first that attain the rectangle minus that of the second `[k]`, in [-1, 1].
        objectives: Both.
        runs: Number of runs of each.
    """

    boxes: Floats
    difference: Floats
    objectives: tuple[Objective, ...]
    runs: int


def attainment(fronts: Sequence[Front], at: Array) -> Floats:
    """Return the share of runs whose front weakly dominates each point: the empirical attainment function.

    ``alpha_n(z) = (1/n) sum_i [some point of A_i is at least as good as z in every objective]``.

    Args:
        fronts: One a run; empty ones attain nothing.
        at: Points `[k, m]`, in the user's senses.

    Cost: O(k m) a point of a front.

    Source: V. Grunert da Fonseca, C. Fonseca and A. Hall, EMO 2001.
    """
    points = _alike(fronts)
    objectives = fronts[0].objectives
    given = tensor_of(at, "at")
    check.shape(given.ndim == 2 and given.shape[1] == len(objectives), "at", f"be [k, {len(objectives)}]", given.shape)
    goal = to_min(given.to(torch.float64), objectives).numpy()
    reached = [(own[:, None, :] <= goal[None, :, :]).all(-1).any(0) for own in points]
    share: Floats = np.stack(reached).mean(0)
    return share


def attainment_surfaces(
    fronts: Sequence[Front], *, levels: Sequence[float] = (0.25, 0.5, 0.75)
) -> tuple[AttainmentSurface, ...]:
    """Return the surfaces that at least a share of the runs attains, by ``moocore.eaf``.

    Args:
        fronts: Final fronts of one solver on one problem, one a run.
        levels: Shares in (0, 1]; a level asks for ``ceil(level n)`` of n runs.

    Raises:
        InputError: If there is no front or a level lies outside (0, 1].
        ProtocolError: If fronts were measured differently.

    Cost: O(N log N + n N) for N points of two objectives, O(n^2 N log N) for three.

    Sources: C. Fonseca, A. Guerreiro, M. Lopez-Ibanez and L. Paquete, "On the computation of the empirical attainment
    function", EMO 2011; moocore.
    """
    import moocore

    points = _alike(fronts)
    objectives = fronts[0].objectives
    for level in levels:
        check.that(0 < level <= 1, "levels", "lie in (0, 1]", level)
    n = len(points)
    held = [own for own in points if len(own)]
    nothing = np.zeros((0, len(objectives)))
    table = nothing
    counts = np.zeros(0, dtype=np.int64)
    if held:
        found = moocore.eaf(*_sets(held))
        table, counts = found[:, :-1], np.rint(found[:, -1] * len(held) / 100).astype(np.int64)
    surfaces = []
    for level in levels:
        wanted = ceil(Fraction(level).limit_denominator(10**9) * n)
        surfaces.append(AttainmentSurface(level, _user(table[counts == wanted], objectives), objectives, n))
    return tuple(surfaces)


def attainment_difference(first: Sequence[Front], second: Sequence[Front]) -> AttainmentDifference:
    """Return where, and in how many more of its runs, one solver attains values that the other does not.

    By ``moocore.eafdiff`` in rectangles, for two objectives and equally many runs of both. It describes; it is no test.

    Args:
        first: Final fronts of one solver, one a run.
        second: Those of the other.

    Raises:
        InputError: If there are not two objectives, the numbers of runs differ, or a front is empty.
        ProtocolError: If fronts were measured differently.

    Source: M. Lopez-Ibanez, L. Paquete and T. Stuetzle, "Exploratory analysis of stochastic local search algorithms in
    biobjective optimization", 2010; moocore.
    """
    import moocore

    sides = _alike([*first, *second])
    objectives = first[0].objectives
    check.that(len(objectives) == 2, "first", "have two objectives", len(objectives), "surfaces take more")
    hint = "drop the runs that the other lacks"
    check.that(len(first) == len(second), "second", f"hold {len(first)} runs, as the first", len(second), hint)
    _filled(sides)
    n = len(first)
    if all(np.array_equal(_ordered(side), _ordered(sides[0])) for side in sides):  # moocore wants a box at least
        return AttainmentDifference(np.zeros((0, 4)), np.zeros(0), objectives, n)
    parts = [np.column_stack(_sets(side)) for side in (sides[:n], sides[n:])]
    found = moocore.eafdiff(*parts, intervals=n, rectangles=True)
    corners = found[:, :4].reshape(-1, 2, 2)
    flipped = np.where([o.maximize for o in objectives], -corners, corners)
    return AttainmentDifference(np.sort(flipped, axis=1).reshape(-1, 4), found[:, 4] / n, objectives, n)


def _alike(fronts: Sequence[Front]) -> list[Floats]:
    """Return the fronts' values in min sense, after checking that they can be compared."""
    check.that(len(fronts) > 0, "fronts", "hold at least one front", "none")
    for front in fronts:
        check.that(isinstance(front, Front), "fronts", "hold Fronts", type(front).__name__)
        same_measurement(fronts[0].protocol, front.protocol)
        names = [o.name for o in front.objectives]
        wanted = [o.name for o in fronts[0].objectives]
        check.that(front.objectives == fronts[0].objectives, "fronts", f"all have the objectives {wanted}", names)
    return [front.min_values.detach().cpu().to(torch.float64).numpy() for front in fronts]


def _ordered(points: Floats) -> Floats:
    return points[np.lexsort(points.T)]


def _filled(points: Sequence[Floats]) -> None:
    empty = [k for k, own in enumerate(points) if not len(own)]
    check.that(not empty, "fronts", "each hold a point", f"an empty front at {empty[:3]}", "leave these runs out")


def _sets(points: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return all points and the number of the run that each belongs to."""
    owners = np.repeat(np.arange(1.0, len(points) + 1), [len(own) for own in points])
    return np.ascontiguousarray(np.concatenate(points)), owners


def _user(values: Floats, objectives: tuple[Objective, ...]) -> Floats:
    """Return points of min sense in the user's senses."""
    return np.where([o.maximize for o in objectives], -values, values) + 0.0
