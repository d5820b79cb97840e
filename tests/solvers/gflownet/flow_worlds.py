"""Small grids with tabular flow models, and the flows that satisfy every criterion, by dynamic programming."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.problems.design import DesignEnvironment, GridEnvironment, States
from paretokit.solvers.gflownet._policy import FlowModel, Outputs, masked_log_softmax


class TabularFlow(FlowModel):
    """One row of heads for each state, looked up by comparing with all of them."""

    condition_dim = 0

    def __init__(self, states: States, *, backward: bool = False) -> None:
        self.states, self.environment, self.backward = states, states.environment, backward

    @property
    def heads(self) -> tuple[int, int, int]:
        env = self.environment
        return env.n_actions, env.n_backward if self.backward else 0, 1

    @property
    def n_parameters(self) -> int:
        return len(self.states) * sum(self.heads)

    def initial(self, rng: Rng, *, dtype: torch.dtype = torch.float32) -> Tensor:
        return 0.5 * rng.normal(self.n_parameters, dtype=dtype)

    def outputs(self, row: Tensor, states: Tensor, condition: Tensor | None) -> Outputs:
        number = (states.unsqueeze(1) == self.states.rows).all(-1).to(torch.int8).argmax(1)
        forward, backward, flow = row.view(len(self.states), -1)[number].split(self.heads, -1)
        return Outputs(forward, backward if self.backward else None, flow.squeeze(-1))


def grid(dim: int = 2, side: int = 4, *, edge_stops: bool = False) -> States:
    states = States.of(GridEnvironment(dim, side, edge_stops), 1 << 12)
    assert states is not None
    return states


def log_rewards(states: States, seed: int = 0) -> Tensor:
    """Log-rewards of all states `[S]`, of which only the finished ones' matter."""
    return Rng.from_seed(seed).normal(len(states))


def exact_row(states: States, log_reward: Tensor, *, backward: bool = False, seed: int = 0) -> tuple[Tensor, float]:
    """The row of a `TabularFlow` that flows exactly, and log Z; for uniform or for random backward policies."""
    has = states.parents >= 0
    logits = Rng.from_seed(seed).child("backward").normal(*has.shape) if backward else torch.zeros(has.shape)
    log_back = masked_log_softmax(logits.double(), has)
    legal = states.children >= 0
    flow = torch.where(legal.any(-1), -torch.inf, log_reward.double())
    edges = torch.full(legal.shape, -torch.inf, dtype=torch.float64)
    for begin, end in reversed(list(zip(states.levels[:-1], states.levels[1:], strict=True))):
        for s in range(begin, end):
            for a in legal[s].nonzero().flatten().tolist():
                child = int(states.children[s, a])
                edges[s, a] = flow[child] + log_back[child, int(states.undone[s, a])]
            if legal[s].any():
                flow[s] = edges[s].logsumexp(0)
    heads = [edges.nan_to_num(neginf=0.0), *([logits.double()] if backward else []), flow.unsqueeze(1)]
    return torch.cat(heads, 1).flatten(), float(flow[0])


def log_reward_of(states: States, log_reward: Tensor, finished: Tensor) -> Tensor:
    number = (finished.unsqueeze(1) == states.rows).all(-1).to(torch.int8).argmax(1)
    return log_reward[number]


def target(states: States, log_reward: Tensor) -> Tensor:
    """The distribution `[S]` that a perfect sampler ends in."""
    terminal = states.terminal
    out = torch.zeros(len(states), dtype=torch.float64)
    out[terminal] = torch.softmax(log_reward.double()[terminal], 0)
    return out


def terminal_l1(environment: DesignEnvironment, states: States, model: FlowModel, row: Tensor, wanted: Tensor) -> float:
    """Summed L1 distance of a model's exact terminal distribution from a wanted one `[S]`."""
    with torch.no_grad():
        logits = model.outputs(row, states.rows, None).forward
        policy = masked_log_softmax(logits, environment.mask(states.rows))
        return float((states.terminal_distribution(policy.double()) - wanted).abs().sum())
