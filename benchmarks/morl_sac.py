"""Soft actor-critic in a stack against morl-baselines' MOSAC: ``python -m benchmarks.morl_sac``.

Six policies with networks of 256 x 256, batches of 128 and one shared buffer on half-cheetah, one update a policy and
environment step on both sides, rollouts included, evaluation and logging left out. Windows of the two alternate; the
figure is updates a second. Before that, one whole update of both on the same networks, batch and noise is asserted
equal.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch

from benchmarks._common import calibration, table
from benchmarks._morl_baselines import mosac, mosac_networks, mosac_update, train
from paretokit.core import Lanes, Rng
from paretokit.problems.morl import MORL
from paretokit.solvers.morl._improver import Aim
from paretokit.solvers.morl._sac import SAC
from paretokit.solvers.morl._sac_heads import head_of
from paretokit.solvers.morl._sac_update import Batch, Learner, SACNetworks

GOAL = 2.5


def agreement(environment: str) -> float:
    """Return the largest difference of all networks after one update of both; raise if it is not small.

    The temperature is fixed, because the authors' code draws fresh actions for its step.
    """
    w = np.array([0.3, 0.7])
    (agent,) = mosac(environment, w[None], shared_buffer=False, learning_starts=0, autotune=False, buffer_size=1)
    env = MORL(environment).env
    solver = SAC(alpha=float(agent.alpha))
    actor, critics, targets = mosac_networks(agent)
    networks = SACNetworks.start(actor[None], critics[None], torch.full((1, 1), float(agent.alpha)).log())
    assert torch.equal(networks.target[0], targets)
    rng, size, m = Rng.from_seed(0), 128, env.n_objectives
    o, head = env.observation_dim, head_of(env.actions, torch.float32, "cpu")
    seen, successors = (rng.child(name).normal(size, o, dtype=torch.float32) for name in ("seen", "successors"))
    action = head.warm_up(rng.child("action").uniform(size, head.noise))
    reward = rng.child("reward").normal(size, m, dtype=torch.float32)
    ended = (rng.child("ended").uniform(size, 1) < 0.2).float()
    source = mosac_update(agent, (seen, action, reward, successors, ended, ended), 2, seed=5)
    noise = torch.stack([source() for _ in range(3)])
    batch = Batch(
        inputs=seen[None],
        action=action[None],
        reward=reward[None],
        successors=successors[None],
        follows=(1 - ended[None, :, 0]) * solver.discount,
        weights=torch.tensor(w[None], dtype=torch.float32),
        noise=noise[None],
    )
    policies = solver.wiring(MORL(environment)).mlp
    with torch.no_grad():
        Learner(networks, policies, solver.critic(env), head=head, rule=solver.rule(env)).update(batch, 2)
    found = (networks.actor[0], networks.critic[0], networks.target[0])
    pairs = zip(found, mosac_networks(agent), (actor, critics, targets), strict=True)
    worst = 0.0
    for ours, theirs, before in pairs:
        assert not torch.equal(before, theirs)
        # Adam's first step is the sign of the gradient: where that is zero but for rounding, steps may differ.
        away = (ours - theirs).abs() > 1e-5
        assert float(away.double().mean()) < 1e-3, "an update differs from morl-baselines'"
        worst = max(worst, float((ours - theirs).abs()[~away].max()))
    return worst


def measure(environment: str, *, members: int, steps: int, windows: int) -> dict[str, list[tuple[float, float]]]:
    """Return updates a second and processor seconds an update of each side and window."""
    first = np.linspace(0, 1, members)
    weights = np.stack([first, 1 - first], -1)
    warm = 1000
    agents = mosac(environment, weights, shared_buffer=True, learning_starts=warm)
    train(agents, warm + 10)
    problem, w = MORL(environment), torch.from_numpy(weights)
    solver = SAC(shared_buffer=True, learning_starts=warm, unit=10)
    state: Any = solver.start(problem, Lanes(tuple(Rng.from_seed(p) for p in range(members))), w)
    while state.steps < warm + 10:
        state = solver.improve(problem, state, Aim(w, w))
    solver = SAC(shared_buffer=True, learning_starts=warm, unit=steps)
    sides = {"ours": lambda: solver.improve(problem, state, Aim(w, w)), "peer": lambda: train(agents, steps)}
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for turn in range(windows):
        for name in list(sides) if turn % 2 == 0 else list(sides)[::-1]:
            updates = state.updates
            begin, busy = time.perf_counter(), time.process_time()
            sides[name]()
            taken, busy = time.perf_counter() - begin, time.process_time() - busy
            if name == "ours":
                assert state.updates - updates == steps
            seen[name].append((members * steps / taken, busy / members / steps))
    return seen


def main() -> None:
    """Print the agreement and the speeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment", default="mo-halfcheetah-v5")
    parser.add_argument("--members", type=int, default=6)
    parser.add_argument("--steps", type=int, default=100, help="environment steps a policy and window")
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(calibration(("torch", "numpy", "morl-baselines", "mo-gymnasium", "mujoco")), flush=True)
    print(f"one update of both on the same numbers: largest difference {agreement(given.environment):.1e}", flush=True)
    seen = measure(given.environment, members=given.members, steps=given.steps, windows=given.windows)
    rows = [["side", "updates/s", "windows", "processor ms an update"]]
    medians = {name: statistics.median(rate for rate, _ in windows) for name, windows in seen.items()}
    for name, windows in seen.items():
        each = ", ".join(f"{rate:.0f}" for rate, _ in windows)
        busy = statistics.median(busy for _, busy in windows) * 1e3
        rows.append([name, f"{medians[name]:.0f}", each, f"{busy:.1f}"])
    print(table(rows))
    print(f"ours / peer {medians['ours'] / medians['peer']:.1f}x (goal {GOAL}x)")


if __name__ == "__main__":
    main()
