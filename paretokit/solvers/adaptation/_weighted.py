"""Fixed weights, MGDA and exact Pareto search through the same loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.adaptation import DomainAdaptation
from paretokit.solvers.adaptation._training import AdaptationTraining, Gradients
from paretokit.solvers.gradient._aggregator import Aggregator, aggregator_of, described
from paretokit.solvers.gradient._preferences import Preferences, checked, rows_of


@final
@dataclass(frozen=True, kw_only=True)
class WeightedDA(AdaptationTraining):
    """Weighted."""

    aggregator: Aggregator | Mapping[str, Any] | str = "Linear"
    preferences: Preferences = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "aggregator", aggregator_of(self.aggregator))
        object.__setattr__(self, "preferences", checked(self.preferences))

    @property
    def rule(self) -> Aggregator:
        """The aggregator itself."""
        assert isinstance(self.aggregator, Aggregator)
        return self.aggregator

    @property
    def fixed(self) -> bool:
        """Whether the rule is linear."""
        return self.rule.name == "Linear"

    def members(self, problem: DomainAdaptation) -> Tensor:
        """Return one member a preference."""
        given = self.preferences
        assert given is None or isinstance(given, int | tuple)
        return rows_of(given, 3)

    def weigh(self, given: Gradients, rng: Rng) -> Tensor:
        """Return the rule's weights, brought to sum one."""
        w = self.rule.weights(given.gramian, losses=given.losses, preference=given.preferences, rng=rng)
        return w / w.sum(-1, keepdim=True).clamp_min(1e-12)

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        rows = self.preferences
        given = [list(row) for row in rows] if isinstance(rows, tuple) else rows
        return {**super().config(), "aggregator": described(self.rule), "preferences": given}
