"""The mean and the spread of a solver's fronts, as random sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from paretokit.bench._attainment import _alike, _filled, _sets, _user
from paretokit.core import Front, Objective
from paretokit.core import _check as check
from paretokit.core._objective import to_min

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Vorobev:
    """A mean front and how far the fronts lie around it.

    Attributes:
        threshold: Share of runs that attain the mean front, in [0, 1].
        expectation: The mean front `[n, m]`, in the user's senses: the attainment surface of that share.
        deviation: Mean hypervolume of the symmetric difference between a run's region and that of the mean front.
        hypervolume: Mean hypervolume of the runs, which the mean front has as nearly as a level of few runs can.
        objectives: One each.
        runs: Number of runs.
    """

    threshold: float
    expectation: Floats
    deviation: float
    hypervolume: float
    objectives: tuple[Objective, ...]
    runs: int

    @property
    def relative_deviation(self) -> float:
        """The deviation as a share of the mean hypervolume: 0 where all runs give the same front."""
        return self.deviation / self.hypervolume if self.hypervolume > 0 else float("nan")


def vorobev(fronts: Sequence[Front], reference_point: Sequence[float] | None = None) -> Vorobev:
    """Return the Vorob'ev expectation and deviation of the fronts of several runs, by moocore.

    With ``Q_beta`` the region that a share beta of the runs attains, the expectation is the surface ``Q_beta*`` whose
    hypervolume comes nearest to the mean one, and the deviation is ``E mu(Q_beta* Δ Y)`` over runs Y, mu the volume
    that the reference point bounds.

    Args:
        fronts: Final fronts of one solver on one problem, one a run; none may be empty.
        reference_point: In the user's senses; that of the fronts' protocol by default.

    Raises:
        InputError: If there is no reference point or a front is empty.

    Sources: M. Binois, D. Ginsbourger and O. Roustant, European Journal of Operational Research 243, 2015; I.
    Molchanov, Theory of Random Sets, 2005; moocore.
    """
    import moocore

    points = _alike(fronts)
    _filled(points)
    objectives = fronts[0].objectives
    given = reference_point if reference_point is not None else fronts[0].protocol.scoring.reference_point
    check.that(given is not None, "reference_point", "be given where the protocol has none", None)
    corner = check.point("reference_point", given, len(objectives))
    reference = to_min(corner.to(torch.float64), objectives).numpy()
    data, owners = _sets(points)
    found = moocore.vorob_t(data, owners, ref=reference)
    deviation = float(moocore.vorob_dev(data, owners, ref=reference, ve=found["ve"]))
    expectation = _user(np.asarray(found["ve"], dtype=np.float64), objectives)
    share = float(found["threshold"]) / 100
    return Vorobev(share, expectation, deviation, float(found["avg_hyp"]), objectives, len(points))
