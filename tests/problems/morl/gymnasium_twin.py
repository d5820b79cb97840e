"""Episodes of MO-Gymnasium under recorded actions and noise, and ours stepped through the same, all lanes at once."""

import warnings

import mo_gymnasium
import numpy as np
import torch


class Dice:
    """Stands in for an environment's generator: every `random()` of one step gives the same known number."""

    def __init__(self):
        self.face = 0.0

    def random(self):
        return self.face


def played(peer, episodes, seed, limit=300):
    """Return the episodes of MO-Gymnasium's environment under random actions and noise, as lists of steps."""
    rng, dice, out = np.random.default_rng(seed), Dice(), []
    for _ in range(episodes):
        first, _ = peer.reset(seed=int(rng.integers(2**31)))
        peer.unwrapped._np_random = dice
        steps, done = [], False
        # Some episodes favor an action, so that far cells are met, too.
        chance = rng.dirichlet(np.full(peer.action_space.n, 0.7))
        while not done and len(steps) < limit:
            action, dice.face = int(rng.choice(len(chance), p=chance)), float(rng.random())
            seen, reward, terminated, truncated, _ = peer.step(action)
            steps.append((action, dice.face, seen, np.array(reward), terminated, truncated))
            done = terminated or truncated
        out.append((first, steps))
    return out


def agrees(environment, peer, *, episodes=200, seed=0, flat=np.asarray, horizon=None):
    """Assert that ours gives every observation, reward and end of recorded episodes; return the number of steps."""
    recorded = played(peer, episodes, seed)
    peer.close()
    state = environment.initial(torch.zeros(1, episodes, environment.reset_noise, dtype=torch.float64))
    np.testing.assert_array_equal(environment.observe(state)[0].numpy(), [flat(first) for first, _ in recorded])
    horizon = environment.horizon if horizon is None else horizon
    length = max(len(steps) for _, steps in recorded)
    for t in range(length):
        alive = [i for i, (_, steps) in enumerate(recorded) if t < len(steps)]
        now = [recorded[i][1][t] for i in alive]
        action, noise = torch.zeros(1, episodes, dtype=torch.int64), torch.zeros(1, episodes, 1, dtype=torch.float64)
        action[0, alive] = torch.tensor([step[0] for step in now])
        noise[0, alive, 0] = torch.tensor([step[1] for step in now], dtype=torch.float64)
        move = environment.step(state, action, noise[..., : environment.step_noise])
        state = move.state
        seen = environment.observe(state)
        assert seen.dtype == torch.float32
        assert move.reward.dtype == torch.float64
        np.testing.assert_array_equal(seen[0, alive].numpy(), np.array([flat(step[2]) for step in now], np.float32))
        np.testing.assert_array_equal(
            move.reward[0, alive].float().numpy(), np.array([step[3] for step in now], np.float32)
        )
        assert move.terminated[0, alive].tolist() == [step[4] for step in now]
        assert [horizon is not None and t + 1 >= horizon] * len(now) == [step[5] for step in now]
    return sum(len(steps) for _, steps in recorded)


def peer_of(id_, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium warns of the precision of their bounds
        return mo_gymnasium.make(id_, disable_env_checker=True, **options)


def stacks(environment, *, members=3, lanes=5, steps=40, seed=1):
    """Assert that a stack [P, N] gives what its lanes give one at a time."""
    rng = torch.Generator().manual_seed(seed)
    actions = torch.randint(environment.actions.n, (steps, members, lanes), generator=rng)
    first = torch.rand(members, lanes, environment.reset_noise, generator=rng, dtype=torch.float64)
    noise = torch.rand(steps, members, lanes, environment.step_noise, generator=rng, dtype=torch.float64)

    def run(p, n):
        state, out = environment.initial(first[p, n]), []
        for t in range(steps):
            move = environment.step(state, actions[t, p, n], noise[t, p, n])
            state = move.state
            out.append(torch.cat([environment.observe(state).double(), move.reward, move.terminated.unsqueeze(-1)], -1))
        return torch.stack(out)

    everything = slice(None)
    together = run(everything, everything)
    for p in range(members):
        for n in range(lanes):
            assert torch.equal(run(slice(p, p + 1), slice(n, n + 1)), together[:, p : p + 1, n : n + 1])


def numbers_its_states(environment, states):
    """Assert that `state_index` is one to one on the observations of `states` and stays below `n_states`."""
    index = environment.state_index(environment.observe(states))
    assert int(index.min()) >= 0
    assert int(index.max()) < environment.n_states
    seen = environment.observe(states).reshape(-1, environment.observation_dim)
    assert len(index.unique()) == len(seen.unique(dim=0))
