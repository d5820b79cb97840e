"""The hand-written updates of soft actor-critic against autograd, and against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import AffineTransform, TanhTransform

from paretokit.core import Lanes, Rng
from paretokit.nn import MLP, Adam, AdamState
from paretokit.problems.morl import Continuous, Discrete
from paretokit.problems.morl._network import squashed_log_std
from paretokit.solvers.morl._backpropagation import adam_step, backward, forward
from paretokit.solvers.morl._replay import Replay
from paretokit.solvers.morl._sac_heads import Categorical, Squashed, Views
from paretokit.solvers.morl._sac_update import Batch, Learner, Rule, SACNetworks

BOX = Continuous((-1.0, 0.0), (3.0, 0.5))
P, B, SEEN, M = 3, 7, 4, 2
DOUBLE = torch.float64


def lanes():
    return Lanes(tuple(Rng.from_seed(s) for s in range(P)))


def normal(*shape, seed=0):
    return Rng.from_seed(seed).normal(*shape)


def rule(**changed):
    given = {
        "discount": 0.9,
        "tau": 0.1,
        "target_every": 1,
        "policy_delay": 1,
        "policy_rate": 1e-3,
        "critic_rate": 1e-2,
        "alpha_rate": 1e-2,
        "target_entropy": -2.0,
        "tune_alpha": True,
        "per_objective": False,
        "eps": 1e-8,
    }
    return Rule(**{**given, **changed})


def learner(actions, **changed):
    head = Squashed(actions, DOUBLE, "cpu") if isinstance(actions, Continuous) else Categorical(actions)
    outputs = 2 * actions.dim if isinstance(actions, Continuous) else actions.n
    actor, critic = MLP((SEEN, 8, 8, outputs), "relu"), MLP((SEEN + head.columns, 8, 8, head.critic_outputs(M)), "relu")
    rows = [critic.init(lanes().child("critic", i), dtype=DOUBLE) for i in range(2)]
    networks = SACNetworks.start(
        actor.init(lanes().child("actor"), dtype=DOUBLE), torch.cat(rows, -1), normal(P, 1, seed=8) * 0.3
    )
    networks.target += 0.1 * normal(*networks.target.shape, seed=9)
    if isinstance(actions, Continuous):
        action = head.center + 0.3 * normal(P, B, actions.dim, seed=1)
    else:
        action = (Rng.from_seed(1).uniform(P, B, 1) * actions.n).floor()
    ended = Rng.from_seed(2).uniform(P, B) < 0.3
    batch = Batch(
        inputs=normal(P, B, SEEN, seed=3),
        action=action,
        reward=normal(P, B, M, seed=4),
        successors=normal(P, B, SEEN, seed=5),
        follows=0.9 * (~ended).to(DOUBLE),
        weights=torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.2, 1.3]], dtype=DOUBLE),
        noise=normal(P, 3, B, head.noise, seed=6),
    )
    return Learner(networks, actor, critic, head=head, rule=rule(**changed)), batch


def twin(mlp, row, x):
    """A perceptron in plain torch."""
    for i, (weight, bias, fan_in, fan_out) in enumerate(mlp.slices):
        x = x @ row[weight:bias].view(fan_out, fan_in).T + row[bias : bias + fan_out]
        x = torch.relu(x) if i + 1 < len(mlp.slices) else x
    return x


def sampled(outputs, noise, actions):
    """Action and log density from torch.distributions."""
    mean, raw = outputs.chunk(2, -1)
    std = squashed_log_std(raw).exp()
    low, high = (torch.tensor(v, dtype=DOUBLE) for v in (actions.low, actions.high))
    base = Independent(Normal(mean, std), 1)
    squash = [TanhTransform(cache_size=1), AffineTransform((low + high) / 2, (high - low) / 2, cache_size=1)]
    squash = [*squash[:1], AffineTransform((low + high) / 2, (high - low) / 2, event_dim=1, cache_size=1)]
    u = mean + std * noise
    full = TransformedDistribution(base, squash)
    action = squash[1](squash[0](u))
    return action, full.log_prob(action)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_reverse_pass_equals_autograd(activation):
    mlp = MLP((5, 9, 6, 3), activation)
    rows = mlp.init(lanes(), dtype=DOUBLE).requires_grad_()
    x, slope = normal(P, B, 5).requires_grad_(), normal(P, B, 3, seed=1)
    expected = torch.autograd.grad((mlp(rows, x) * slope).sum(), [rows, x])
    with torch.no_grad():
        _, kept = forward(mlp, mlp.layers(rows), x)
        gradient = torch.empty_like(rows)
        found = backward(mlp, mlp.layers(rows), kept, slope, into=mlp.layers(gradient), columns=2)
        alone = backward(mlp, mlp.layers(rows), kept, slope, columns=2)
    torch.testing.assert_close(gradient, expected[0])
    torch.testing.assert_close(found, expected[1][..., -2:])
    torch.testing.assert_close(alone, found)


def test_fused_adam_steps_as_the_plain_one():
    rows, plain = normal(P, 50), normal(P, 50)
    state, twin_state = AdamState.zeros(rows), AdamState.zeros(plain)
    state.steps[1] = twin_state.steps[1] = 7  # each member corrects its own bias
    for i in range(4):
        gradient = normal(P, 50, seed=10 + i)
        adam_step(rows, gradient, state, 1e-2, eps=1e-4)
        Adam(eps=1e-4).step(plain, gradient, twin_state, 1e-2)
    torch.testing.assert_close(rows, plain, rtol=1e-12, atol=1e-12)
    assert state.steps.tolist() == [4, 11, 4]


def test_squashed_samples_have_the_density_that_torch_gives_them():
    head = Squashed(BOX, DOUBLE, "cpu")
    outputs, noise = normal(P, B, 4), normal(P, B, 2, seed=1)
    draw = head.draw(outputs, noise)
    action, log_prob = sampled(outputs, noise, BOX)
    torch.testing.assert_close(draw.action, action)
    torch.testing.assert_close(draw.log_prob, log_prob)
    far = head.draw(torch.full((1, 1, 4), 40.0, dtype=DOUBLE), torch.zeros(1, 1, 2, dtype=DOUBLE))
    assert bool(torch.isfinite(far.log_prob).all())


def critic_loss(row, made, batch, p, *, per_objective):
    """Return one member's critic loss as the definition says it."""
    w, alpha = batch.weights[p], made.networks.log_alpha[p].exp()
    pair = row.view(2, -1)
    targets = made.networks.target[p].view(2, -1)
    outputs = twin(made.actor, made.networks.actor[p], batch.successors[p])
    if isinstance(made.head, Squashed):
        action, log_prob = sampled(outputs, batch.noise[p, 0], BOX)
        q = torch.stack([twin(made.critic, t, torch.cat([batch.successors[p], action], -1)) for t in targets])
        s = q @ w
        best = torch.where((s[0] <= s[1]).unsqueeze(-1), q[0], q[1]) - (alpha * log_prob / w.sum()).unsqueeze(-1)
        follow = s.min(0).values - alpha * log_prob
        values = torch.stack([twin(made.critic, c, torch.cat([batch.inputs[p], batch.action[p]], -1)) for c in pair])
    else:
        n = made.head.n
        log_prob = outputs.log_softmax(-1)
        q = torch.stack([twin(made.critic, t, batch.successors[p]).view(B, n, M) for t in targets])
        s = q @ w
        each = torch.where((s[0] <= s[1]).unsqueeze(-1), q[0], q[1]) - (alpha * log_prob / w.sum()).unsqueeze(-1)
        best = (log_prob.exp().unsqueeze(-1) * each).sum(1)
        follow = (log_prob.exp() * (s.min(0).values - alpha * log_prob)).sum(-1)
        rows = torch.arange(B)
        taken = batch.action[p, :, 0].long()
        values = torch.stack([twin(made.critic, c, batch.inputs[p]).view(B, n, M)[rows, taken] for c in pair])
    if per_objective:
        goal = (batch.reward[p] + batch.follows[p].unsqueeze(-1) * best).detach()
        torch.testing.assert_close(goal @ w, batch.reward[p] @ w + batch.follows[p] * follow)
        return (values - goal).square().sum(-1).mean(1).sum()
    goal = (batch.reward[p] @ w + batch.follows[p] * follow).detach()
    return (values @ w - goal).square().mean(1).sum()


@pytest.mark.parametrize("actions", [BOX, Discrete(3)], ids=["continuous", "discrete"])
@pytest.mark.parametrize("per_objective", [False, True])
def test_the_critics_step_descends_the_published_loss(actions, per_objective):
    made, batch = learner(actions, per_objective=per_objective)
    before = made.networks.critic.clone()
    views = Views(batch.weights, made.networks.log_alpha.exp(), per_objective)
    with torch.no_grad():
        made.critic_step(batch, views)
    for p in range(P):
        row = before[p].clone().requires_grad_()
        (expected,) = torch.autograd.grad(critic_loss(row, made, batch, p, per_objective=per_objective), row)
        torch.testing.assert_close(made.critic_gradient[p], expected)
    assert not torch.equal(before, made.networks.critic)


@pytest.mark.parametrize("actions", [BOX, Discrete(3)], ids=["continuous", "discrete"])
def test_the_actors_step_descends_the_published_loss(actions):
    made, batch = learner(actions)
    before, log_alpha = made.networks.actor.clone(), made.networks.log_alpha.clone()
    with torch.no_grad():
        made.actor_step(batch, batch.noise[:, 1])
    entropies = []
    for p in range(P):
        row = before[p].clone().requires_grad_()
        outputs, alpha, w = twin(made.actor, row, batch.inputs[p]), log_alpha[p].exp(), batch.weights[p]
        pair = made.networks.critic[p].view(2, -1)
        if isinstance(actions, Continuous):
            action, log_prob = sampled(outputs, batch.noise[p, 1], actions)
            q = torch.stack([twin(made.critic, c, torch.cat([batch.inputs[p], action], -1)) @ w for c in pair])
            loss = (alpha * log_prob - q.min(0).values).mean()
            entropies.append(-log_prob.mean())
        else:
            log_prob = outputs.log_softmax(-1)
            q = torch.stack([twin(made.critic, c, batch.inputs[p]).view(B, 3, M) @ w for c in pair])
            loss = (log_prob.exp() * (alpha * log_prob - q.min(0).values)).sum(-1).mean()
            entropies.append(-(log_prob.exp() * log_prob).sum(-1).mean())
        (expected,) = torch.autograd.grad(loss, row)
        torch.testing.assert_close(made.actor_gradient[p], expected)
    # Adam's first step is the sign of the gradient: too little entropy raises the temperature.
    moved = made.networks.log_alpha - log_alpha
    wanted = torch.sign(-2.0 - torch.stack(entropies).detach()).unsqueeze(-1)
    torch.testing.assert_close(moved, 0.01 * wanted, rtol=1e-5, atol=0.0)


def test_targets_follow_softly_and_by_period():
    made, batch = learner(BOX, tau=0.25, target_every=2, policy_delay=2)
    first, actor = made.networks.target.clone(), made.networks.actor.clone()
    with torch.no_grad():
        made.update(batch, 1)
        assert torch.equal(made.networks.target, first)
        assert torch.equal(made.networks.actor, actor)  # delayed
        made.update(batch, 2)
    torch.testing.assert_close(made.networks.target, 0.75 * first + 0.25 * made.networks.critic)
    assert made.networks.actor_moments.steps.tolist() == [2] * P  # and made up for


def test_a_range_of_members_learns_as_in_the_whole_stack():
    for actions in (BOX, Discrete(3)):
        made, batch = learner(actions)
        other, _ = learner(actions)
        with torch.no_grad():
            made.update(batch, 1)
            for p in range(P):
                own = slice(p, p + 1)
                part = Learner(other.networks.part(own), other.actor, other.critic, head=other.head, rule=other.rule)
                part.update(batch.part(own), 1)
        for name in ("actor", "critic", "target", "log_alpha"):
            torch.testing.assert_close(
                getattr(other.networks, name), getattr(made.networks, name), rtol=1e-12, atol=1e-12
            )


def test_memory_keeps_the_last_transitions_and_no_more_room_than_it_needs():
    memory = Replay.empty(2, 3, 2500, dtype=torch.float32)
    rows = torch.arange(6000.0).view(1, -1, 1).expand(2, 6000, 3) + torch.tensor([0.0, 0.5]).view(2, 1, 1)
    memory.add(rows[:, :7])
    assert memory.rows.shape[1] == 1024
    for begin in range(7, 6000, 41):
        memory.add(rows[:, begin : begin + 41])
    assert len(memory) == memory.rows.shape[1] == 2500
    assert memory.rows[0, :, 0].sort().values.tolist() == list(range(3500, 6000))
    got = memory.sample(torch.linspace(0, 0.9999, 100, dtype=DOUBLE).expand(2, 100))
    assert bool(((got[0] % 1) == 0).all())
    assert bool(((got[1] % 1) == 0.5).all())
    assert float(got.min()) >= 3500
    again = memory.select(torch.tensor([1, 1]), shared=False)
    assert torch.equal(again.rows[0], memory.rows[1])


def test_a_million_transitions_shared_by_64_half_cheetahs_fit_below_two_gigabytes():
    o, k, m, members = 17, 6, 2, 64
    memory = 1_000_000 * (2 * o + k + m + 1) * 4
    actor, critic = MLP((o, 256, 256, 2 * k), "relu"), MLP((o + k, 256, 256, m), "relu")
    # Critics and actors with two moments and a gradient each, and the targets.
    networks = members * 4 * (4 * actor.n_parameters + 5 * 2 * critic.n_parameters)
    assert memory + networks < 2e9
    assert math.isclose(memory, 172e6, rel_tol=0.01)
