"""MOGFN-PC: one sampler, told the preference, for the whole front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from paretokit.core import LogRange, Problem, Rng, SearchSpace
from paretokit.core import _check as check
from paretokit.indicators import simplex_lattice
from paretokit.problems.design._design import CompositionalDesign
from paretokit.solvers.gflownet._conditions import Preferences, Temperature
from paretokit.solvers.gflownet._criterion import Criterion, Flows
from paretokit.solvers.gflownet._gflownet import GFlowNet, GFlowNetState, Request, design_of
from paretokit.solvers.gflownet._rewards import SCALARIZATIONS, Scalarization, log_reward, note_scales
from paretokit.solvers.gflownet._search import GFLOWNET_SPACE

PARTITIONS = {1: 1, 2: 10, 3: 5, 4: 4}  # of the measured lattice by objectives: 1, 11, 21 and 35 preferences


@final
@dataclass(frozen=True, kw_only=True)
class MOGFN(GFlowNet):
    r"""MOGFN-PC: samples objects with probability proportional to a scalarized reward, for any preference.

    .. math:: p(x \mid w, \beta) \propto R_w(x)^\beta, \qquad
              \Big(\log Z(w, \beta) + \sum_t \log P_F - \sum_t \log P_B - \beta \log R_w(x)\Big)^2 \to \min

    (here for trajectory balance). Each trajectory draws its own preference w, unless `preferences` says a batch.

    Attributes:
        preferences: How weights are drawn and encoded.
        temperature: The exponent β, constant or drawn.
        scalarization: "weighted_sum", "weighted_log_sum" or "tchebycheff"; weighted sums at a high β collapse to the
            supported points of a front.
        lowest: Least log-reward. It has to lie below the β log R of usual objects: where all of them lie below it, all
            are worth the same and nothing is learned (β = 512 on words of 36 letters needs about -1000).
        partitions: Of the lattice of preferences under which the sampler is measured; 10, 5 or 4 for two, three or
            four objectives unless given.

    Further attributes: see `pk.solvers.gflownet.GFlowNet`.

    Cost: `batch_size` oracle calls an update; `n_samples` a measured preference every `evaluate_every` updates.

    Source: Jain, Raparthy, Hernández-García, Rector-Brooks, Bengio, Miret and Bengio (2023), ICML. Deviations from the
    authors' code: a preference for each trajectory, the Tchebycheff reward's sign (see `log_reward`), a condition's
    encoding that is trained with the rest, log-rewards bounded below.
    """

    search_space: ClassVar[SearchSpace] = {**GFLOWNET_SPACE, "temperature.value": LogRange(1.0, 256.0)}

    preferences: Preferences | Mapping[str, Any] = field(default_factory=Preferences)
    temperature: Temperature | Mapping[str, Any] | float = field(default_factory=Temperature)
    scalarization: Scalarization = "weighted_sum"
    lowest: float = -75.0
    partitions: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "preferences", Preferences.of(self.preferences))
        object.__setattr__(self, "temperature", Temperature.of(self.temperature))
        check.that(self.lowest < 0, "lowest", "be negative", self.lowest, "it bounds β log R, which is 0 at the ideal")
        check.one_of(SCALARIZATIONS, scalarization=self.scalarization)
        if self.partitions is not None:
            check.at_least(1, partitions=self.partitions)

    @property
    def drawn(self) -> tuple[Preferences, Temperature]:
        """`preferences` and `temperature`, as what `__post_init__` made of them."""
        assert isinstance(self.preferences, Preferences)
        assert isinstance(self.temperature, Temperature)
        return self.preferences, self.temperature

    def condition_dim(self, problem: CompositionalDesign) -> int:
        """Return the entries of the encoded preference and exponent."""
        preferences, temperature = self.drawn
        return preferences.size(problem.n_objectives) + temperature.size

    def requests(self, problem: CompositionalDesign, state: GFlowNetState, n: int) -> Request:
        """Return n preferences and exponents."""
        preferences, temperature = self.drawn
        rng = state.rng.child("requests", state.evaluations)
        weights = preferences.sample(problem.n_objectives, n, rng.child("preferences"))
        return self.request(weights, temperature.sample(n, rng.child("temperature")), problem.device)

    def request(self, weights: Tensor, beta: Tensor, device: torch.device) -> Request:
        """Return preferences `[n, m]` and exponents `[n]` with their encoding."""
        preferences, temperature = self.drawn
        condition = torch.cat([preferences.encode(weights), temperature.encode(beta)], -1)
        return Request(weights.to(device), beta.to(device), condition.to(device, torch.float32))

    def measured(self, problem: CompositionalDesign) -> Request:
        """Return the lattice at the temperature's `value`."""
        m = problem.n_objectives
        return self.asked(simplex_lattice(m, self.partitions or PARTITIONS.get(m, 3)), problem.device)

    def asked(self, weights: Tensor, device: torch.device) -> Request:
        """Return preferences `[n, m]` at the temperature's `value`."""
        _, temperature = self.drawn
        beta = torch.full((len(weights),), temperature.value, dtype=torch.float64)
        return self.request(weights.to("cpu", torch.float64), beta, device)

    def learned(self, problem: CompositionalDesign, state: GFlowNetState, request: Request, gains: Tensor) -> None:
        """Warn of objectives of very different scales in the first batch."""
        if state.steps == 0:
            note_scales(gains, problem.objectives)

    def loss(self, flows: Flows, request: Request, gains: Tensor) -> Tensor:
        """Return the criterion's loss for the scalarized rewards."""
        rewards = log_reward(gains, request.weights, request.beta, scalarization=self.scalarization, lowest=self.lowest)
        criterion = self.criterion
        assert isinstance(criterion, Criterion)
        return criterion.loss(flows, rewards.to(flows.row.dtype))

    def answer(self, problem: Problem, state: GFlowNetState, preference: Tensor, *, n: int, rng: Rng) -> Tensor:
        """Return n objects `[n, d]` sampled for a preference."""
        design = design_of(problem)
        return self.sampled(design, state, self.asked(preference.unsqueeze(0).expand(n, -1), design.device), rng)
