"""Fixed weights, MGDA and exact Pareto search through the same loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from paretokit.core import Problem, Rng
from paretokit.problems.adaptation import DomainAdaptation
from paretokit.solvers.adaptation._training import AdaptationTraining, Gradients
from paretokit.solvers.gradient._aggregator import Aggregator, aggregator_of, described
from paretokit.solvers.gradient._preferences import Preferences, checked, rows_of


@final
@dataclass(frozen=True, kw_only=True)
class WeightedDA(AdaptationTraining):
    """Weighs source loss, alignment and target information by fixed weights, or by a rule of `solvers.gradient`.

    The training loop is `ParetoDA`'s. A grid of preferences with the linear rule gives a front: members begin alike,
    see the same minibatches, and differ in their weights only. The preference (1, 0, 0) is training on the source only,
    (1/2, 1/2, 0) the alignment's own method.

    Attributes:
        aggregator: The rule, its name, or a mapping of its `name` and options: "Linear", "MGDA", "EPO", .... Rules
            read positive losses: the cross-entropy, the domains' distance as the adversary sees it, and log K minus the
            mutual information. Weights of any rule are brought to sum one.
        preferences: How many, or rows on the simplex, one member each; evenly spread unless given. A larger entry
            matters more.
        alignment: "dann", "cdan", "mcc" or "mdd": what draws the domains together.
        refine: Whether target predictions are refined by Bayes' rule through a discriminator of domains for each class.
        steps: Updates, after which the run ends.
        batch_size: Examples of each domain, and of held-out target inputs.
        learning_rate: Of the first step.
        decay: After i steps the learning rate is ``learning_rate * (1 + decay * i) ** -0.75``.
        momentum: Nesterov's.
        weight_decay: Of all parameters.
        ramp: Steps over which features begin to feel adversaries: their factor is ``2 / (1 + exp(-i / ramp)) - 1``.
        hidden: Hidden layers of the adversary.
        class_hidden: Hidden layers of the classes' discriminators.
        evaluate_every: Updates between measurements.

    Cost: two backward passes a step with the linear rule, else four, and each member's network.

    Source: Ganin et al. (2016), JMLR 17, for weighted alignment, and those of the rules.
    """

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

    def unsupported(self, problem: Problem) -> str | None:
        """Tell whether preferences have another number of entries."""
        rows = self.preferences
        if isinstance(rows, tuple) and len(rows[0]) != 3:
            return f"its preferences have {len(rows[0])} entries, the problem has 3 objectives"
        return super().unsupported(problem)

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
