"""Rolling out and scoring from a table: the network reads every state once, trajectories only look up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.design._environment import NOTHING
from paretokit.problems.design._states import States
from paretokit.solvers.gflownet._edge_flows import EdgeFlows, log_sum
from paretokit.solvers.gflownet._lookup import Paths, add_up, looked_up, share_out, walk
from paretokit.solvers.gflownet._mlp_policy import MLPFlow
from paretokit.solvers.gflownet._perceptron import Layers, Reading, backwards, forwards
from paretokit.solvers.gflownet._policy import FlowModel, Outputs
from paretokit.solvers.gflownet._scores import Scores
from paretokit.solvers.gflownet._trajectories import Trajectories

NARROW = 32  # most features that are multiplied rather than added up


@dataclass(frozen=True)
class TableEngine:
    """For models without conditions on environments with few states.

    Gives the trajectories of `StateByState` from the same numbers (a choice differs only where a random number falls
    within rounding of a boundary), and its scores up to rounding.

    Attributes:
        model: What is rolled out.
        states: All states of its environment.

    Cost: one evaluation of the N unfinished states (of all states where the backward policy is learned) instead of
    one a step and trajectory; then O(A) a step and trajectory.
    """

    model: FlowModel
    states: States
    kept: list[_Said] = field(default_factory=list, init=False, repr=False, compare=False)

    def sample(self, row: Tensor, condition: Tensor | None, *, n: int, rng: Rng, epsilon: float = 0.0) -> Trajectories:
        """Return n trajectories; `condition` is None."""
        states = self.states
        with torch.no_grad():
            if isinstance(self.model, MLPFlow):
                log_policy = self._said(row).policy
            else:
                logits = self.model.outputs(row, states.rows[states.unfinished], None).forward
                log_policy = torch.log_softmax(logits + states.forbidden_unfinished, -1)
            if self.model.backward and isinstance(self.model, MLPFlow):
                log_policy = log_policy[states.unfinished]
            policy = log_policy.exp()
            if epsilon:
                policy = (1 - epsilon) * policy + epsilon * states.uniform[states.unfinished]
            return walk(states, policy.cumsum(-1), steps=self.model.environment.max_steps, n=n, rng=rng)

    def scores(self, row: Tensor, trajectories: Trajectories) -> Scores:
        """Return the scores of trajectories that begin at the start."""
        forward, backward, flow = looked_up(self._paths(trajectories), *self._tables(row))
        return Scores(forward, backward, flow, trajectories.moved)

    def balance(self, row: Tensor, trajectories: Trajectories) -> Tensor:
        """Return the sums of their log-probabilities, forwards minus backwards `[n]`."""
        paths, model = self._paths(trajectories), self.model
        if isinstance(model, MLPFlow):
            with torch.no_grad():
                said = self._said(row)
            balance: Tensor = _Balance.apply(row, said, paths)  # type: ignore[no-untyped-call]
            return balance
        forward, backward, _ = looked_up(paths, *self._tables(row))
        return (forward - backward).sum(0)

    def edge_flows(self, row: Tensor, trajectories: Trajectories) -> EdgeFlows:
        """Return the flows into and out of the states of trajectories that begin at the start."""
        states = self.states
        paths = Paths(states, every=False, taken=trajectories.actions, undone=trajectories.backward)
        logits, has = self._unfinished(row).forward, states.parents != NOTHING
        entering = logits[states.rank[states.parents.clamp_min(0)], states.redone.clamp_min(0)]
        inflow = log_sum(entering, has).unsqueeze(1).expand(has.shape)
        _, into, out = looked_up(paths, logits.detach(), inflow, log_sum(logits, states.legal))
        return EdgeFlows(into, out, trajectories.moved)

    def _paths(self, trajectories: Trajectories) -> Paths:
        return Paths(self.states, self.model.backward, trajectories.actions, trajectories.backward)

    def _tables(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        states, model = self.states, self.model
        if not model.backward:
            out = self._unfinished(row)
        elif isinstance(model, MLPFlow):
            out = model.read(row, Reading(states.seen))
        else:
            out = model.outputs(row, states.rows, None)
        return _tables(out, states)

    def _said(self, row: Tensor) -> _Said:
        """Return what the perceptron says under a row, and keep it: one row rolls a batch out and scores it."""
        model, version = self.model, (row.data_ptr(), row._version)
        assert isinstance(model, MLPFlow)
        if not self.kept or self.kept[0].version != version:
            states = self.states
            if model.environment.n_features <= NARROW:
                reading = Reading(states.shown if model.backward else states.shown_unfinished)
            else:
                reading = Reading(states.seen if model.backward else states.seen_unfinished)
            layers, values = forwards(model.mlp, row, reading)
            policy, behind, _ = _tables(model.split(values[-1]), states)
            self.kept[:] = [_Said(row, version, reading, layers, values, policy, behind)]
        return self.kept[0]

    def _unfinished(self, row: Tensor) -> Outputs:
        states, model = self.states, self.model
        if isinstance(model, MLPFlow):
            return model.read(row, Reading(states.seen_unfinished))
        return model.outputs(row, states.rows[states.unfinished], None)


def _tables(out: Outputs, states: States) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-probabilities of actions and of backward actions `[S, B]`, and log flows.

    Of the unfinished states where the backward policy is uniform, else of all.
    """
    forbidden = states.forbidden_unfinished if out.backward is None else states.forbidden
    policy = torch.log_softmax(out.forward + forbidden, -1)
    if out.backward is None:
        single = policy.dtype == torch.float32
        behind = states.log_uniform_backward_single if single else states.log_uniform_backward.to(policy.dtype)
        return policy, behind, out.log_flow
    return policy, torch.log_softmax(out.backward + states.forbidden_back, -1), out.log_flow


@dataclass(frozen=True)
class _Said:
    """What a perceptron says of a table's states under a row, which `version` tells from later ones.

    Attributes:
        row: Held so that no other can take its place in memory.
        version: Where it lies and how often it was written to.
        reading, layers, values: How the outputs came about.
        policy, behind: Log-probabilities of actions and of backward actions.
    """

    row: Tensor
    version: tuple[int, int]
    reading: Reading
    layers: Layers
    values: list[Tensor]
    policy: Tensor
    behind: Tensor


class _Balance(torch.autograd.Function):
    """From parameters to sums along trajectories in one node: the perceptron, its tables, the reading."""

    @staticmethod
    def forward(ctx: Any, _row: Tensor, said: _Said, paths: Paths) -> Tensor:
        ctx.said, ctx.paths = said, paths
        return add_up(paths, said.policy, said.behind)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        said: _Said = ctx.said
        paths: Paths = ctx.paths
        tables = (torch.zeros_like(said.policy), torch.zeros_like(said.behind) if paths.every else None)
        share_out(paths, *tables, slopes[0])
        logs = (said.policy, said.behind)
        parts = [_softmax_slopes(t, log) for t, log in zip(tables, logs, strict=True) if t is not None]
        *values, out = said.values
        heads = torch.cat([*parts, torch.zeros_like(out[:, -1:])], 1)
        return backwards(said.layers, said.reading, values, heads), None, None


def _softmax_slopes(slopes: Tensor, logs: Tensor) -> Tensor:
    """Return slopes by logits from those by their log-softmax."""
    by_logits: Tensor = torch.ops.aten._log_softmax_backward_data(slopes, logs, -1, logs.dtype)
    return by_logits
