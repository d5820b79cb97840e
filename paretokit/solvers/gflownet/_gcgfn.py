"""GC-GFN: one sampler, told a direction in the space of objectives, that answers with objects in a cone around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import Evaluation, Front, Problem, Rng
from paretokit.core import _check as check
from paretokit.indicators import simplex_lattice
from paretokit.problems.design._design import CompositionalDesign
from paretokit.solvers.gflownet._criterion import Criterion, Flows
from paretokit.solvers.gflownet._gflownet import GFlowNet, GFlowNetState, Request, design_of
from paretokit.solvers.gflownet._goals import Goals, cosine, focus_log_reward, goal_table, nearest_row, unit
from paretokit.solvers.gflownet._mogfn import PARTITIONS
from paretokit.solvers.gflownet._replay import Replay
from paretokit.solvers.gflownet._rewards import note_scales


@final
@dataclass(frozen=True, kw_only=True)
class GCGFN(GFlowNet):
    r"""Goal-conditioned GFlowNet: samples objects whose objectives point where it is told.

    .. math:: p(x \mid g) \propto R_g(x)^\beta, \qquad
              R_g(x) = \cos(r, g)^{\log m_g / \log c_g} \textstyle\sum_j r_j
              \ \text{ where } \cos(r, g) \ge c_g, \text{ else } 0

    with unit directions g in the positive orthant and the objectives r(x) as `gains` scales them. Reaches concave parts
    of a front, which a weighted sum cannot. Which goals can be met is learned (`goals`), objects that missed their goal
    teach what they would have met (`hindsight`), and old ones are trained on again (`replay`).

    A preference w asks `answer` for the direction w / |w|, so a larger :math:`w_i` asks for objects with more of
    objective i in proportion to the others: (1, 1) means equal gains, not "equally important".

    Attributes:
        goals: How directions are drawn and encoded.
        cone: Least cosine :math:`c_g` between objectives and goal.
        border: Share :math:`m_g` of the reward at the cone's border.
        temperature: The exponent β.
        hindsight: Share of a training batch of which those that missed their goal are trained for the direction they
            took.
        lowest: Least log-reward, also the one outside the cone.
        partitions: Of the lattice of preferences under which the sampler is measured; 10, 5 or 4 for two, three or
            four objectives unless given.

    Further attributes: see `pk.solvers.gflownet.GFlowNet`; the table of goals needs `iterations`. The front's
    `preference` column holds the goals, scaled to sum to one.

    Cost: `batch_size` oracle calls an update, and the nearest of the table's rows to each object.

    Source: Roy, Bacon, Pal and Bengio (2023), workshop on challenges in deployable generative AI, ICML. Deviations from
    the authors' code: the phases of the goal sampler are shares of one number of iterations, hindsight changes copies,
    the number of objectives is the problem's, replayed objects get new trajectories from the backward policy and only
    part of a batch is replayed, and logarithms are taken once (see `focus_log_reward`).
    """

    replay: Replay | Mapping[str, Any] | None = field(default_factory=lambda: Replay(share=0.5, pareto=0.0))
    iterations: int | None = 20_000
    goals: Goals | Mapping[str, Any] = field(default_factory=Goals)
    cone: float = 0.98
    border: float = 0.2
    temperature: float = 60.0
    hindsight: float = 0.3
    lowest: float = -75.0
    partitions: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.goals, Mapping):
            check.options(self.goals, [f.name for f in dataclasses.fields(Goals)], owner="Goals")
            object.__setattr__(self, "goals", Goals(**self.goals))
        for name, share in {"cone": self.cone, "border": self.border}.items():
            check.that(0 < share < 1, name, "lie strictly between 0 and 1", repr(share))
        check.positive(temperature=self.temperature)
        check.that(self.lowest < 0, "lowest", "be negative", self.lowest, "it bounds β log R, which is 0 at the ideal")
        check.probability(hindsight=self.hindsight)
        if self.partitions is not None:
            check.at_least(1, partitions=self.partitions)
        hint = "or goals=Goals(sampler='uniform')"
        known = self.iterations is not None or self.drawn.sampler == "uniform"
        check.that(known, "iterations", "be given where a table learns the goals", self.iterations, hint)

    @property
    def drawn(self) -> Goals:
        """`goals`, as what `__post_init__` made of them."""
        assert isinstance(self.goals, Goals)
        return self.goals

    def condition_dim(self, problem: CompositionalDesign) -> int:
        """Return the entries of the encoded goal."""
        return self.drawn.size(problem.n_objectives)

    def beginning(self, problem: CompositionalDesign) -> dict[str, Tensor]:
        """Return the table of goals, how often each was asked for and met, and the share of goals met of a batch."""
        extra = {"focus": torch.zeros((), dtype=torch.float64, device=problem.device)}
        if self.drawn.sampler == "table":
            table = goal_table(problem.n_objectives, self.drawn.resolution).to(problem.device)
            counts = torch.zeros(len(table), dtype=torch.int64, device=problem.device)
            extra |= {"goals": table, "asked": counts, "met": counts.clone()}
        return extra

    def requests(self, problem: CompositionalDesign, state: GFlowNetState, n: int) -> Request:
        """Return n goals: uniform at first, then from the table."""
        rng = state.rng.child("requests", state.evaluations)
        if self.drawn.sampler == "table" and self._progress(state) >= self.drawn.begin:
            extra = state.extra
            rows = self.drawn.tabular(extra["asked"], extra["met"], n, rng)
            return self.request(extra["goals"][rows], problem.device)
        return self.request(self.drawn.uniform(problem.n_objectives, n, rng), problem.device)

    def request(self, goals: Tensor, device: torch.device) -> Request:
        """Return goals `[n, m]` with their encoding."""
        goals = goals.to(device)
        beta = torch.full((len(goals),), self.temperature, dtype=torch.float64, device=device)
        return Request(goals, beta, self.drawn.encode(goals).to(torch.float32))

    def measured(self, problem: CompositionalDesign) -> Request:
        """Return the directions of the lattice of preferences."""
        m = problem.n_objectives
        return self.asked(simplex_lattice(m, self.partitions or PARTITIONS.get(m, 3)), problem.device)

    def asked(self, weights: Tensor, device: torch.device) -> Request:
        """Return preferences `[n, m]` as goals."""
        return self.request(unit(weights.to(torch.float64)), device)

    def learned(self, problem: CompositionalDesign, state: GFlowNetState, request: Request, gains: Tensor) -> None:
        """Count which goals were asked for and which were met, in the middle phase."""
        if state.steps == 0:
            note_scales(gains, problem.objectives)
        gains = torch.where(torch.isfinite(gains).all(-1, keepdim=True), gains, 0)
        state.extra["focus"] = (cosine(gains, request.weights) >= self.cone).to(torch.float64).mean()
        if self.drawn.sampler != "table" or not self.drawn.begin <= self._progress(state) < self.drawn.end:
            return
        table = state.extra["goals"]
        some = (gains.sum(-1) > 0).to(torch.int64)
        state.extra["asked"] = counted(state.extra["asked"], nearest_row(table, request.weights), torch.ones_like(some))
        state.extra["met"] = counted(state.extra["met"], nearest_row(table, gains), some)

    def relabel(self, state: GFlowNetState, request: Request, gains: Tensor) -> Request:
        """Return requests in which part of the objects that missed their goal have the direction they took as goal."""
        n = len(gains)
        rng = state.rng.child("hindsight", state.steps)
        chosen = rng.permutation(n, gains.device) < round(self.hindsight * n)
        missed = (cosine(gains, request.weights) < self.cone) & (gains.sum(-1) > 0)
        goals = torch.where((chosen & missed).unsqueeze(-1), unit(gains.to(torch.float64)), request.weights)
        return self.request(goals, gains.device)

    def loss(self, flows: Flows, request: Request, gains: Tensor) -> Tensor:
        """Return the criterion's loss for the focused rewards."""
        rewards = focus_log_reward(
            gains.to(torch.float64),
            request.weights,
            request.beta,
            cone=self.cone,
            border=self.border,
            lowest=self.lowest,
        )
        criterion = self.criterion
        assert isinstance(criterion, Criterion)
        return criterion.loss(flows, rewards.to(flows.row.dtype))

    def front(self, problem: Problem, state: GFlowNetState) -> Front:
        """Return the non-dominated objects of the sampler as last measured, with the preferences they answered."""
        preference = state.weights / state.weights.sum(-1, keepdim=True)
        return Front.of(problem, state.x, Evaluation(state.values), info={"preference": preference})

    def answer(self, problem: Problem, state: GFlowNetState, preference: Tensor, *, n: int, rng: Rng) -> Tensor:
        """Return n objects `[n, d]` sampled for the direction of a preference (see the class)."""
        design = design_of(problem)
        return self.sampled(design, state, self.asked(preference.unsqueeze(0).expand(n, -1), design.device), rng)

    def report(self, problem: Problem, state: GFlowNetState) -> dict[str, float]:
        """Return the loss of the update, and the share of its new objects that lay in the cone of their goal."""
        return {"loss": state.loss, "focus": float(state.extra["focus"])}

    def _progress(self, state: GFlowNetState) -> float:
        assert self.iterations is not None
        return state.steps / self.iterations


def counted(counts: Tensor, rows: Tensor, times: Tensor) -> Tensor:
    """Return counts `[k]` with each of `rows [n]` counted so many `times [n]`."""
    return counts.index_add(0, rows, times)
