"""Experiments made by hand: what statistics read, with nothing run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from paretokit.core import Front, Scoring

SCORING = Scoring(reference_point=(1.2, 1.2), ideal=(0.0, 0.0), nadir=(1.0, 1.0))


def curve(gap: float, n: int = 15, *, scoring: Scoring | None = SCORING) -> Front:
    """A front of points on a circle that lies `gap` behind the unit circle's quarter."""
    angle = np.linspace(0, np.pi / 2, n)
    return Front.from_values(1 - np.column_stack([np.cos(angle), np.sin(angle)]) * (1 - gap), scoring=scoring)


@dataclass(frozen=True)
class Made:
    """Finished runs that were never run.

    Attributes:
        gaps: How far each seed's front lies behind, by problem and solver.
    """

    gaps: Mapping[str, Mapping[str, Sequence[float]]]
    name: str = "made by hand"
    provenance: Mapping[str, Any] = field(default_factory=lambda: {"command": "paretokit bench run made.yaml"})

    @property
    def frame(self) -> pd.DataFrame:
        rows = []
        for problem, own in self.gaps.items():
            for solver, gaps in own.items():
                for seed, gap in enumerate(gaps):
                    base = {"problem": problem, "solver": solver, "seed": seed, "points": 15, "evaluations": 100}
                    base |= {"work": 100.0, "seconds": 0.5, "status": "budget", "cell": "c", "protocol": "p"}
                    rows += [base | {"indicator": "hypervolume", "value": 1 - gap}]
                    rows += [base | {"indicator": "igd_plus", "value": gap}]
        return pd.DataFrame(rows)

    def fronts(self, problem: str, solver: str) -> list[Front]:
        return [curve(gap) for gap in self.gaps[problem][solver]]

    def curves(self, indicator: str) -> pd.DataFrame:
        runs = self.frame[self.frame["indicator"] == indicator]
        costs = (20, 60, 100)
        parts = [
            runs.assign(evaluations=c, work=float(c), seconds=c / 200, value=runs["value"] * c / 100) for c in costs
        ]
        keep = ["problem", "solver", "seed", "evaluations", "work", "seconds", "value"]
        return pd.concat(parts, ignore_index=True)[keep]


def normal_frame(means: Mapping[str, float], *, problems: int = 3, seeds: int = 12, seed: int = 0) -> pd.DataFrame:
    """A tidy frame of normal scores of unit variance."""
    draw = np.random.default_rng(seed)
    rows = [
        {"problem": f"p{p}", "solver": s, "seed": k, "indicator": "hypervolume", "value": draw.normal(mean)}
        for p in range(problems)
        for s, mean in means.items()
        for k in range(seeds)
    ]
    return pd.DataFrame(rows)
