"""The contract of a design problem: objects built step by step, scored by several objectives."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from paretokit.core import Evaluation, Problem, Rng, to_min
from paretokit.core import _check as check
from paretokit.problems.design._environment import DesignEnvironment
from paretokit.problems.design._states import States


class CompositionalDesign(Problem):
    r"""A problem whose decisions are built by a `DesignEnvironment`; a decision row x is an object's plain encoding.

    Objectives are maximized, finite and not negative, in about [0, 1], unless `protocol.scoring` holds an ideal and a
    nadir, by which `gains` then scales. Rows of other spaces' search (evolution) are the same rows.

    Subclasses give `objectives`, `space`, `environment` and write `_score`. Evaluation counts oracle calls, one a row.

    Attributes:
        environment: How the objects are built.
    """

    environment: DesignEnvironment
    unit = "oracle calls"
    dtype = torch.float64

    @abstractmethod
    def _score(self, x: Tensor) -> Tensor:
        """Return the objectives `[n, m]` of decision rows `x [n, d]`."""

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return Evaluation(self._score(x))

    def gains(self, values: Tensor) -> Tensor:
        r"""Return what samplers are rewarded for, `[..., m]`: larger is better, at least 0, about 1 at the ideal.

        .. math:: r_j = \max\left(0, \frac{f_j - f^{nad}_j}{f^*_j - f^{nad}_j}\right)

        with the ideal f* and the nadir of `protocol.scoring`; without them the values themselves, which must then be
        maximized.

        Raises:
            InputError: If an objective is minimized and the scoring holds no ideal and nadir.
        """
        scoring = self.protocol.scoring
        better = -to_min(values, self.objectives)
        if scoring.ideal is None or scoring.nadir is None:
            minimized = [o.name for o in self.objectives if not o.maximize]
            rule = "hold ideal and nadir where an objective is minimized"
            check.that(not minimized, "protocol.scoring", rule, f"neither, for {', '.join(minimized)}")
            return better.clamp_min(0)
        ideal, nadir = (
            -to_min(torch.tensor(p, dtype=values.dtype, device=values.device), self.objectives)
            for p in (scoring.ideal, scoring.nadir)
        )
        return ((better - nadir) / (ideal - nadir)).clamp_min(0)

    def describe_object(self, x: Tensor) -> str:
        """Return how error messages and tables show one decision row `x [d]`."""
        return str(self.decode(x))

    def states(self, limit: int = 1 << 17) -> States | None:
        """Return all states that can be reached, where there are at most `limit`, else None."""
        return States.of(self.environment, limit)
