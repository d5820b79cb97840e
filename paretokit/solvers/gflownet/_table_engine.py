"""Rolling out and scoring from a table: the network reads every state once, trajectories only look up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core._kernel import KernelModule
from paretokit.problems.design._environment import NOTHING
from paretokit.problems.design._states import States
from paretokit.solvers.gflownet._edge_flows import EdgeFlows, log_sum
from paretokit.solvers.gflownet._mlp_policy import MLPFlow
from paretokit.solvers.gflownet._perceptron import Reading
from paretokit.solvers.gflownet._policy import FlowModel, Outputs, masked_log_softmax
from paretokit.solvers.gflownet._sampler import entry, explored
from paretokit.solvers.gflownet._scores import Scores
from paretokit.solvers.gflownet._trajectories import Trajectories

KERNELS = KernelModule("paretokit.solvers.gflownet._table_kernels", compile_seconds=3.0)


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

    @torch.no_grad()
    def sample(self, row: Tensor, condition: Tensor | None, *, n: int, rng: Rng, epsilon: float = 0.0) -> Trajectories:
        """Return n trajectories; `condition` is None."""
        states, steps = self.states, self.model.environment.max_steps
        logits, mask = self._unfinished(row).forward, states.legal
        cumulative = explored(masked_log_softmax(logits, mask), mask, epsilon).cumsum(-1)
        if not compiled(row):
            walked: Trajectories = KERNELS.plain(walk_plain, states, cumulative, steps, n, rng)
            return walked
        path = torch.empty(steps + 1, n, states.rows.shape[1], dtype=torch.int64)
        actions, backward = torch.empty(2, steps, n, dtype=torch.int64)
        tables = (cumulative, states.rank, states.children, states.undone, states.rows)
        KERNELS.load().walk(*arrays(*tables), rng.key, *arrays(path, actions, backward))
        return Trajectories(path, actions, backward)

    def scores(self, row: Tensor, trajectories: Trajectories) -> Scores:
        """Return the scores of trajectories that begin at the start."""
        states = self.states
        if self.model.backward:
            every = self._all(row)
            assert every.backward is not None
            behind = masked_log_softmax(every.backward, states.parents != NOTHING)
            logits, log_flow = every.forward[states.unfinished], every.log_flow[states.unfinished]
        else:
            out = self._unfinished(row)
            behind, logits, log_flow = states.log_uniform_backward.to(row.dtype), out.forward, out.log_flow
        policy = masked_log_softmax(logits, states.legal)
        forward, backward, flow = looked_up(states, trajectories, policy, behind, log_flow)
        return Scores(forward, backward, flow, trajectories.moved)

    def edge_flows(self, row: Tensor, trajectories: Trajectories) -> EdgeFlows:
        """Return the flows into and out of the states of trajectories that begin at the start."""
        states = self.states
        logits = self._unfinished(row).forward
        has = states.parents != NOTHING
        entering = logits[states.rank[states.parents.clamp_min(0)], states.redone.clamp_min(0)]
        inflow = log_sum(entering, has).unsqueeze(1).expand(has.shape)
        _, into, out = looked_up(states, trajectories, logits.detach(), inflow, log_sum(logits, states.legal))
        return EdgeFlows(into, out, trajectories.moved)

    def _unfinished(self, row: Tensor) -> Outputs:
        states, model = self.states, self.model
        if isinstance(model, MLPFlow):
            return model.read(row, Reading(states.seen_unfinished))
        return model.outputs(row, states.rows[states.unfinished], None)

    def _all(self, row: Tensor) -> Outputs:
        states, model = self.states, self.model
        return (
            model.read(row, Reading(states.seen))
            if isinstance(model, MLPFlow)
            else model.outputs(row, states.rows, None)
        )


def compiled(row: Tensor) -> bool:
    """Tell whether the compiled twins run for parameters."""
    return row.device.type == "cpu" and row.dtype in (torch.float32, torch.float64) and KERNELS.worth()


def arrays(*tensors: Tensor) -> tuple[Any, ...]:
    """Return tensors as contiguous arrays."""
    return tuple(t.detach().contiguous().numpy() for t in tensors)


def walk_plain(states: States, cumulative: Tensor, steps: int, n: int, rng: Rng) -> Trajectories:
    """Return n trajectories from cumulative probabilities `[N, A]`, a step at a time; reads nothing back."""
    device = cumulative.device
    u = rng.uniform(steps, n, device=device).to(cumulative.dtype)
    legal = states.children != NOTHING
    number = torch.zeros(n, dtype=torch.int64, device=device)
    path, actions = [number], []
    for step in range(steps):
        action = entry(cumulative[states.rank[number]], legal[number], u[step])
        child = states.children[number, action.clamp_min(0)]
        number = torch.where(action == NOTHING, number, child)
        path.append(number)
        actions.append(action)
    numbers, taken = torch.stack(path), torch.stack(actions)
    undone = states.undone[numbers[:-1], taken.clamp_min(0)]
    return Trajectories(states.rows[numbers], taken, torch.where(taken == NOTHING, NOTHING, undone))


def looked_up(
    states: States, trajectories: Trajectories, policy: Tensor, behind: Tensor, flow: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what tables `[N, A]`, `[S, B]` and `[N]` hold along trajectories, three times `[T, n]`; 0 beyond ends.

    The first is read at the state before each action and the action, the second at the state after it and the action
    back, the third at the state before.
    """
    taken, undone = trajectories.actions, trajectories.backward
    if compiled(policy):
        forward, backward, at = _Read.apply(policy, behind, flow, states, taken, undone)  # type: ignore[no-untyped-call]
        return forward, backward, at
    found: tuple[Tensor, Tensor, Tensor] = KERNELS.plain(read_plain, states, trajectories, policy, behind, flow)
    return found


def read_plain(
    states: States, trajectories: Trajectories, policy: Tensor, behind: Tensor, flow: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `looked_up` does, by gathers."""
    moved, taken = trajectories.moved, trajectories.actions.clamp_min(0)
    number = torch.zeros(len(trajectories), dtype=torch.int64, device=policy.device)
    path = [number]
    for step in range(len(taken)):
        number = torch.where(moved[step], states.children[number, taken[step]], number)
        path.append(number)
    numbers = torch.stack(path)
    rank = states.rank[numbers[:-1]].clamp_min(0)
    back = behind[numbers[1:], trajectories.backward.clamp_min(0)]
    forward, backward, at = (torch.where(moved, v, 0) for v in (policy[rank, taken], back, flow[rank]))
    return forward, backward, at


class _Read(torch.autograd.Function):
    """`read_plain` with compiled lookups; its gradient adds up what came to each entry."""

    @staticmethod
    def forward(
        ctx: Any, policy: Tensor, behind: Tensor, flow: Tensor, states: States, taken: Tensor, undone: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.sizes = (policy, behind, flow)
        ctx.trail = (states.rank, states.children, taken, undone)
        out = torch.empty(3, *taken.shape, dtype=policy.dtype)
        KERNELS.load().read(*arrays(policy, behind, flow, *ctx.trail, *out))
        forward, backward, at = out
        return forward, backward, at

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        tables = tuple(torch.zeros(t.shape, dtype=t.dtype) for t in ctx.sizes)
        nothing = torch.empty(0, 0, dtype=tables[0].dtype)
        wanted = ctx.needs_input_grad
        given = [g if g is not None and w else nothing for g, w in zip(gradients, wanted, strict=False)]
        KERNELS.load().spread(*arrays(*tables, *ctx.trail, *given))
        return (*(t if w else None for t, w in zip(tables, wanted, strict=False)), None, None, None)
