"""How a model is rolled out and scored: state by state, from a table of all states, or as long as trajectories live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.design._design import CompositionalDesign
from paretokit.solvers.gflownet._edge_flows import EdgeFlows, edge_flows
from paretokit.solvers.gflownet._live_engine import LiveEngine
from paretokit.solvers.gflownet._mlp_policy import MLPFlow
from paretokit.solvers.gflownet._policy import FlowModel
from paretokit.solvers.gflownet._sampler import sample
from paretokit.solvers.gflownet._scores import Scores, balance, scores
from paretokit.solvers.gflownet._table_engine import TableEngine
from paretokit.solvers.gflownet._trajectories import Trajectories

FEW = 4096  # most states of an environment that are all evaluated for a batch
MANY = 32768  # most that are listed, so that moves are looked up


class Engine(Protocol):
    """Rolls out and scores; every engine gives the same numbers, up to rounding."""

    @property
    def model(self) -> FlowModel:
        """The model that it rolls out."""
        ...

    def sample(self, row: Tensor, condition: Tensor | None, *, n: int, rng: Rng, epsilon: float = 0.0) -> Trajectories:
        """Return n trajectories, as `sample`."""
        ...

    def scores(self, row: Tensor, trajectories: Trajectories) -> Scores:
        """Return their scores under the parameters `row [D]`, with gradients, as `scores`."""
        ...

    def balance(self, row: Tensor, trajectories: Trajectories) -> Tensor:
        """Return the scores' `balance` `[n]`, all that trajectory balance asks, with gradients."""
        ...

    def edge_flows(self, row: Tensor, trajectories: Trajectories) -> EdgeFlows:
        """Return the flows into and out of their states, with gradients, as `edge_flows`."""
        ...


@dataclass(frozen=True)
class StateByState:
    """The plain engine, for every environment, network and condition."""

    model: FlowModel

    def sample(self, row: Tensor, condition: Tensor | None, *, n: int, rng: Rng, epsilon: float = 0.0) -> Trajectories:
        """Return n trajectories."""
        return sample(self.model, row, condition, n=n, rng=rng, epsilon=epsilon)

    def scores(self, row: Tensor, trajectories: Trajectories) -> Scores:
        """Return their scores."""
        return scores(self.model, row, trajectories)

    def balance(self, row: Tensor, trajectories: Trajectories) -> Tensor:
        """Return the sums along them."""
        return balance(self.model, row, trajectories)

    def edge_flows(self, row: Tensor, trajectories: Trajectories) -> EdgeFlows:
        """Return the flows into and out of their states."""
        return edge_flows(self.model, row, trajectories)


def engine_of(model: FlowModel, problem: CompositionalDesign) -> Engine:
    """Return the fastest engine for a model of a problem."""
    few = problem.states(FEW) if model.condition_dim == 0 else None
    if few is not None:
        return TableEngine(model, few)
    if isinstance(model, MLPFlow) and problem.device.type == "cpu":
        return LiveEngine(model, problem.states(MANY))
    return StateByState(model)
