"""Methods of domain adaptation, all through one training loop, and what one run of each gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

import paretokit as pk
from paretokit.core import Rng
from paretokit.indicators import simplex_lattice
from paretokit.problems import DomainAdaptation
from paretokit.run import Moment
from paretokit.solvers import ParetoDA, WeightedDA

NEVER = 1 << 30  # no measurement but the first and the last
EVEN = ((1 / 3, 1 / 3, 1 / 3),)
INNER = [[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6], [0.4, 0.4, 0.2], [0.4, 0.2, 0.4], [0.2, 0.4, 0.4]]
"""The points of a lattice of five steps that give no objective zero; with 1:1:1 the claim's grid."""


@dataclass(frozen=True)
class Shift:
    """One pair of domains.

    Attributes:
        id: Of the problem; its seed is the solver's.
        steps: Updates of every method.
        options: Of the problem.
        training: Options of every method.
    """

    id: str
    steps: int
    options: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def problem(self, seed: int) -> DomainAdaptation:
        """Return the problem of a seed."""
        made = pk.problems.make(self.id, seed=seed, **self.options)
        assert isinstance(made, DomainAdaptation)
        return made


PLAIN = {"decay": 0.0, "ramp": 10.0}
"""Plain descent with 0.02, and adversaries felt from the start: chosen on seeds 100 to 103, momentum against none."""
FAST = {"learning_rate": 0.1}
"""Fewer steps, larger ones."""

SHIFTS: Mapping[str, Shift] = {
    "fonts": Shift("adaptation-fonts-v1", 600, training=PLAIN),
    "fonts, MLP": Shift("adaptation-fonts-v1", 200, {"architecture": "mlp"}, FAST),
    "rotated": Shift("adaptation-rotated-v1", 200, training=FAST),
    "noisy": Shift("adaptation-noisy-v1", 200, training=FAST),
    "styles": Shift("adaptation-styles-v1", 200, training=FAST),
    "cancer": Shift("adaptation-cancer-v1", 200, training=FAST),
}


def weighted(rule: str, rows: object) -> dict[str, Any]:
    """Return options of a method with weights of its own."""
    return {"aggregator": rule, "preferences": rows}


METHODS: Mapping[str, dict[str, Any]] = {
    "source only": weighted("Linear", [[1.0, 0.0, 0.0]]),
    "alignment only": weighted("Linear", [[0.5, 0.5, 0.0]]),
    "linear 1:1:1": weighted("Linear", EVEN),
    "MGDA": weighted("MGDA", EVEN),
    "EPO": weighted("EPO", EVEN),
    "ParetoDA, descent": {},
    "ParetoDA, guidance": {"direction": "guidance"},
    "ParetoDA, no refinement": {"refine": False},
    "ParetoDA, not dynamic": {"dynamic": False},
    "guidance, no refinement": {"direction": "guidance", "refine": False},
    "linear, no refinement": {**weighted("Linear", EVEN), "refine": False},
    "grid": weighted("Linear", simplex_lattice(3, 3).tolist()),
    "inner grid": weighted("Linear", INNER),
}
GRIDS = ("grid", "inner grid")


def run(shift: str, alignment: str, method: str, seed: int) -> dict[str, Any]:
    """Return target accuracy, objectives and mean weights of one run; accuracies by weights of a grid."""
    own, problem = SHIFTS[shift], SHIFTS[shift].problem(seed)
    common = {"alignment": alignment, "steps": own.steps, "evaluate_every": NEVER, **own.training}
    options = METHODS[method]
    solver = (WeightedDA if "aggregator" in options else ParetoDA)(**common, **options)
    weights = []

    def watch(moment: Moment) -> None:
        weights.append(moment.state.weights.double().mean(0))

    result = pk.solve(problem, solver, seed=seed, progress=False, callbacks=[watch])
    x = solver.decisions(problem, result.state)  # all members, those too that others dominate
    values = problem.evaluate(x, Rng.from_seed(0)).values
    found = (100 * problem.target_accuracy(x)).tolist()
    row: dict[str, Any] = {"accuracy": sum(found) / len(found)}
    if method in GRIDS:
        asked = result.state.preferences.tolist()
        points = zip(asked, found, strict=True)
        return {**row, "points": "; ".join(f"{':'.join(f'{v:.3f}' for v in w)} {a:.2f}" for w, a in points)}
    row |= dict(zip(("cross_entropy", "discrepancy", "minus_information"), values[0].tolist(), strict=True))
    mean = torch.stack(weights).mean(0).tolist()
    row |= dict(zip(("w_source", "w_alignment", "w_target"), mean, strict=True))
    row["source_accuracy"] = 100 * source_accuracy(problem, x[0])
    return {**row, "examples": result.cost.work}


def source_accuracy(problem: DomainAdaptation, x: torch.Tensor) -> float:
    """Return the accuracy on source test data."""
    inputs, labels = problem.test
    with torch.no_grad():
        return float((problem.decode(x)(inputs).argmax(1) == labels).double().mean())
