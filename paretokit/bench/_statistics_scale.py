"""One scale for all solvers of a problem, taken from the union of all their fronts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from paretokit.bench._statistics_table import FinishedRuns, one_protocol
from paretokit.core import Front, Objective, non_dominated, same_measurement
from paretokit.core import _check as check
from paretokit.core._objective import to_min
from paretokit.indicators import epsilon_additive, hypervolume, igd_plus, lattice_size, r2, simplex_lattice

if TYPE_CHECKING:
    import pandas as pd

INDICATORS = ("hypervolume", "igd_plus", "r2", "epsilon_additive")


@dataclass(frozen=True, eq=False)
class CommonScale:
    """What fronts of one problem are normalized by and measured against.

    Attributes:
        objectives: One each.
        ideal: Best value of each objective on the union front `[m]`, in the user's senses; becomes 0.
        nadir: Worst value of each objective on the union front `[m]`; becomes 1.
        reference: The union front: the non-dominated points of all fronts, in min sense and normalized `[n, m]`.
        reference_point: The normalized point that bounds the hypervolume `[m]`.
        volume: Hypervolume of the union front, which shares are of.
    """

    objectives: tuple[Objective, ...]
    ideal: Tensor
    nadir: Tensor
    reference: Tensor
    reference_point: Tensor
    volume: float

    def normalized(self, front: Front) -> Tensor:
        """Return a front's values in min sense, the union's ideal at 0 and its nadir at 1."""
        low, high = to_min(self.ideal, self.objectives), to_min(self.nadir, self.objectives)
        return (front.min_values.to(low) - low) / (high - low)

    def score(self, front: Front, indicator: str) -> float:
        """Return one of "hypervolume" (share of the union's), "igd_plus", "r2" and "epsilon_additive"."""
        check.one_of(INDICATORS, indicator=indicator)
        values = self.normalized(front)
        if indicator == "hypervolume":
            return float(hypervolume(values, self.reference_point)) / self.volume
        if indicator == "igd_plus":
            return float(igd_plus(values, self.reference))
        if indicator == "epsilon_additive":
            return float(epsilon_additive(values, self.reference))
        m = len(self.objectives)
        partitions = next(h for h in range(1, 1001) if h == 499 or lattice_size(m, h) >= 495)
        return float(r2(values, simplex_lattice(m, partitions).to(values), utopian_point=torch.zeros(m).to(values)))


def common_scale(fronts: Sequence[Front], *, margin: float = 0.1) -> CommonScale:
    """Return the scale that the union of fronts makes: its ideal, its nadir, its front as reference set.

    ``z = (f - ideal) / (nadir - ideal)`` in min sense; the hypervolume is bounded by ``1 + margin`` in every objective.
    Where all points of the union front share a value of an objective, the range of all given fronts takes the place of
    its range (1 where that is nothing too). The scale belongs to the solvers at hand.

    Args:
        fronts: Of all solvers and seeds on one problem; some may be empty.
        margin: How far beyond the nadir the reference point lies, in ranges.

    Raises:
        InputError: If no front holds a point.
        ProtocolError: If fronts were measured differently.

    Cost: a non-dominated sort of all points and one hypervolume of the union front, which grows steeply with the
    number of objectives.

    Source: J. Knowles, L. Thiele and E. Zitzler, "A tutorial on the performance assessment of stochastic multiobjective
    optimizers", TIK report 214, 2006 (reference sets from the union of all runs).
    """
    check.positive(margin=margin)
    check.that(any(len(front) for front in fronts), "fronts", "hold a point", "none")
    first = fronts[0]
    for front in fronts:
        same_measurement(first.protocol, front.protocol)
        check.that(front.objectives == first.objectives, "fronts", "share their objectives", front.objectives)
    everything = torch.cat([front.min_values.detach().cpu().to(torch.float64) for front in fronts])
    union = everything[non_dominated(everything, keep_duplicates=False)]
    low, high = union.amin(0), union.amax(0)
    high = torch.where(high > low, high, everything.amax(0))
    high = torch.where(high > low, high, low + 1.0)
    reference = (union - low) / (high - low)
    corner = torch.full_like(low, 1.0 + margin)
    volume = float(hypervolume(reference, corner))
    ideal, nadir = to_min(low, first.objectives), to_min(high, first.objectives)
    return CommonScale(first.objectives, ideal, nadir, reference, corner, volume)


def common_scores(
    experiment: FinishedRuns, *, indicators: Sequence[str] = INDICATORS, margin: float = 0.1
) -> tuple[pd.DataFrame, Mapping[str, CommonScale]]:
    """Return a tidy frame of all fronts scored on the common scale of their problem, and the scales.

    Hypervolumes are shares of that of the union front, so that scores of different problems may be pooled. Runs that
    ended without a front keep their row, with NaN.

    Args:
        experiment: Finished runs.
        indicators: Some of "hypervolume", "igd_plus", "r2", "epsilon_additive".
        margin: See `common_scale`.

    Raises:
        ProtocolError: If fronts of one problem were measured differently; the message names the difference.
    """
    import pandas as pd

    for indicator in indicators:
        check.known(indicator, INDICATORS, kind="indicator")
    frame = experiment.frame
    one_protocol(frame)
    runs = frame.drop_duplicates(["problem", "solver", "seed"])
    rows, scales = [], {}
    for problem, group in runs.groupby("problem", sort=False):
        fronts = {str(s): fronts_by_seed(experiment, str(problem), str(s)) for s in group["solver"].unique()}
        scale = common_scale([front for own in fronts.values() for front in own.values()], margin=margin)
        scales[str(problem)] = scale
        for run in group.drop(columns=["indicator", "value"]).to_dict("records"):
            front = fronts[str(run["solver"])].get(run["seed"])
            for indicator in indicators:
                value = float("nan") if front is None else scale.score(front, indicator)
                rows.append(run | {"indicator": indicator, "value": value})
    return pd.DataFrame(rows), scales


def fronts_by_seed(experiment: FinishedRuns, problem: str, solver: str) -> dict[object, Front]:
    """Return a solver's fronts by seed, in the order of its rows; runs that failed may have left none.

    Raises:
        InputError: If there are as many fronts neither as seeds, nor as seeds with a time, nor as those with a score.
    """
    frame = experiment.frame
    own = frame[(frame["problem"] == problem) & (frame["solver"] == solver)]
    fronts = list(experiment.fronts(problem, solver))
    seeds = list(dict.fromkeys(own["seed"]))
    for column in ("seconds", "value"):
        if len(fronts) != len(seeds) and column in own.columns:
            seeds = list(dict.fromkeys(own[own[column].notna()]["seed"]))
    rule = f"hold a front for each scored seed of {solver!r} on {problem!r}"
    check.that(len(fronts) == len(seeds), "experiment", rule, f"{len(fronts)} fronts, {len(seeds)} seeds")
    return dict(zip(seeds, fronts, strict=True))
