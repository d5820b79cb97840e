"""morl-baselines' side of the reinforcement-learning benchmarks: its agents, without logging and evaluation.

Installed by `make peers`. Environments are made by MO-Gymnasium's own `make`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor


def mosac(
    environment: str, weights: np.ndarray, *, shared_buffer: bool, learning_starts: int, **options: Any
) -> list[Any]:
    """Return one MOSAC agent (continuous actions) a weight vector, as MORL/D makes its population.

    Args:
        environment: MO-Gymnasium's id.
        weights: `[P, m]`.
        shared_buffer: Whether all agents fill and read one buffer.
        learning_starts: Random steps of each agent before its first update.
        options: Of MOSAC, by its names.
    """
    import mo_gymnasium
    from morl_baselines.single_policy.ser.mosac_continuous_action import MOSAC

    agents = []
    for p, w in enumerate(weights):
        env = mo_gymnasium.make(environment)
        env.reset(seed=p)
        env.action_space.seed(p)
        agents.append(MOSAC(env, weights=w, learning_starts=learning_starts, log=False, device="cpu", **options))
    if shared_buffer:
        for agent in agents[1:]:
            agent.set_buffer(agents[0].get_buffer())
    return agents


def train(agents: list[Any], steps: int) -> None:
    """Train each agent for some environment steps, one agent after the other as in MORL/D."""
    for agent in agents:
        agent.train(steps)


def flat(modules: list[Any]) -> Tensor:
    """Return weights and biases of linear layers as one vector; a pair of layers is stacked into one."""
    parts = []
    for module in modules:
        layers = module if isinstance(module, tuple) else (module,)
        parts += [torch.cat([layer.weight for layer in layers]).flatten(), torch.cat([layer.bias for layer in layers])]
    return torch.cat(parts).detach().clone()


def mosac_networks(agent: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return actor, critics and targets of an agent as vectors in the order of `nn.MLP`'s rows."""

    def linear(net: Any) -> list[Any]:
        return [layer for layer in net if isinstance(layer, torch.nn.Linear)]

    actor = [*linear(agent.actor.latent_pi), (agent.actor.fc_mean, agent.actor.fc_logstd)]
    critics = torch.cat([flat(linear(q.critic)) for q in (agent.qf1, agent.qf2)])
    targets = torch.cat([flat(linear(q.critic)) for q in (agent.qf1_target, agent.qf2_target)])
    return flat(actor), critics, targets


def mosac_update(agent: Any, batch: tuple[Tensor, ...], number: int, seed: int) -> Callable[[], Tensor]:
    """Make an agent's update on a given batch; return a source of the normal numbers that it drew, in its order."""

    class Given:
        def sample(self, *_: Any, **__: Any) -> tuple[Tensor, ...]:
            return batch

    kept, agent.buffer, agent.global_step = agent.buffer, Given(), number
    torch.manual_seed(seed)
    agent.update()
    agent.buffer = kept
    torch.manual_seed(seed)
    size, k = len(batch[0]), int(np.prod(agent.action_shape))
    return lambda: torch.normal(torch.zeros(size, k), torch.ones(size, k))
