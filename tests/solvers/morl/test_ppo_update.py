"""The update against a textbook loop of torch's own parts, and float64 autograd against kernels."""

import dataclasses
import math

import pytest
import torch

from paretokit.core import InputError, Lanes, Rng, ShapeError
from paretokit.nn import MLP, Adam
from paretokit.solvers.morl import _ppo_plain, _ppo_update
from paretokit.solvers.morl._ppo_update import Barrier, Batch, Networks, PPOSettings, update

HEADS = ("categorical", "gaussian")


def lanes(members):
    return Lanes(tuple(Rng.from_seed(i) for i in range(members)))


def normal(source, *shape):
    return torch.special.ndtri(source.uniform(*shape) + 2.0**-54)


def case(
    head="categorical",
    *,
    members=3,
    rows=256,
    hidden=(64, 64),
    activation="tanh",
    barrier=False,
    drift=0.3,
    epochs=2,
    dtype=torch.float64,
    o=7,
    k=6,
    m=3,
):
    """Return a batch that an older policy and critic have left (`drift` says how much older), and networks."""
    own = lanes(members)
    actor, critic = MLP((o, *hidden, k), activation), MLP((o, *hidden, m), activation)
    actor_rows = actor.init(own.child("actor"), last_gain=0.7, dtype=torch.float64)
    if head == "gaussian":
        actor_rows = torch.cat([actor_rows, 0.3 * normal(own.child("std"), k) - 0.5], -1)
    critic_rows = critic.init(own.child("critic"), dtype=torch.float64)
    networks = Networks.start(actor, critic, head=head, actor_rows=actor_rows, critic_rows=critic_rows)
    seen = normal(own.child("seen"), rows, o)
    actions = (own.child("act").uniform(rows) * k).long()
    if head == "gaussian":
        spread = actor_rows[:, actor.n_parameters :].exp().unsqueeze(1)
        actions = actor(actor_rows, seen) + spread * normal(own.child("act"), rows, k)
    log_probs = _ppo_plain.distribution(networks, seen, actions)[0] + drift * normal(own.child("drift"), rows)
    values = critic(critic_rows, seen) + drift * normal(own.child("old"), rows, m)
    floors = None
    if barrier:
        slack = torch.tensor([0.4, -0.3, 0.05]).expand(members, m)
        weight = torch.tensor([0.05, 0.02, 0.0]).expand(members, m)
        floors = Barrier(weight=weight, slack=slack, margin=torch.full_like(slack, 0.1), gain=2.0)
    batch = Batch(
        observations=seen,
        actions=actions,
        log_probs=log_probs,
        advantage=normal(own.child("advantage"), rows),
        targets=values + normal(own.child("target"), rows, m),
        values=values,
        permutations=own.child("order").uniform(epochs, rows).argsort(-1),
        advantages=3.0 * normal(own.child("advantages"), rows, m),
        barrier=floors,
    )
    return converted(batch, networks, dtype)


def converted(batch, networks, dtype):
    def cast(thing):
        if isinstance(thing, torch.Tensor):
            return thing.to(dtype if thing.is_floating_point() else thing.dtype, copy=True)
        if dataclasses.is_dataclass(thing) and not isinstance(thing, MLP):
            changed = {f.name: cast(getattr(thing, f.name)) for f in dataclasses.fields(thing)}
            return dataclasses.replace(thing, **changed)
        return thing

    return cast(batch), cast(networks)


def copied(networks):
    return networks.select(torch.arange(len(networks.actor_rows)))


def compiled_gradient(batch, networks, settings):
    """Return the gradients of the first minibatch that the kernels see: a tenth of them is Adam's first mean."""
    rows = batch.permutations.shape[-1]
    first = dataclasses.replace(batch, permutations=batch.permutations[:, :1])
    once = dataclasses.replace(settings, minibatches=1, max_grad_norm=math.inf)
    assert rows == batch.observations.shape[1]
    update(first, networks, once, rate=0.0)
    return networks.actor_moments.mean.double() / 0.1, networks.critic_moments.mean.double() / 0.1


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"barrier": True},
        {"drift": 0.0},
        {"activation": "relu"},
        {"hidden": (5,), "o": 3, "k": 2, "rows": 37},
        {"hidden": (9, 70, 6), "o": 1, "k": 9, "rows": 50, "barrier": True},
        {"hidden": (), "k": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("entropy", [0.0, 0.1])
def test_the_kernels_derive_what_autograd_derives_in_float64(head, change, entropy):
    # As near as autograd in float32 comes, whose log-densities of size 10 carry an error of 1e-6.
    settings = PPOSettings(entropy_coef=entropy)
    batch, networks = case(head, **change)
    exact = _ppo_plain.gradients(batch, networks, settings, part=batch.permutations[:, 0])
    batch, networks = converted(batch, networks, torch.float32)
    usual = _ppo_plain.gradients(batch, networks, settings, part=batch.permutations[:, 0])
    found = compiled_gradient(batch, networks, settings)
    for sharp, rounded, due in zip(exact[:2], found, usual[:2], strict=True):
        error = (sharp - rounded).norm()
        assert error <= 1e-5 * sharp.norm()
        assert error <= 1e-6 * sharp.norm() + 2 * (sharp - due).norm()


def textbook(batch, networks, settings, rate, member):
    """Train one member with torch's own modules, distributions, clipping and Adam; return its parameters."""

    def module(shape, row):
        phi = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[shape.activation]
        parts = []
        for weight, bias, fan_in, fan_out in shape.slices:
            layer = torch.nn.Linear(fan_in, fan_out, dtype=row.dtype)
            layer.weight.data = row[weight:bias].view(fan_out, fan_in).clone()
            layer.bias.data = row[bias : bias + fan_out].clone()
            parts += [layer, phi()]
        return torch.nn.Sequential(*parts[:-1])

    p, row = member, networks.actor_rows[member]
    actor, critic = module(networks.actor, row), module(networks.critic, networks.critic_rows[p])
    log_std = torch.nn.Parameter(row[networks.actor.n_parameters :].clone())
    parameters = [*actor.parameters(), *([log_std] if len(log_std) else []), *critic.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=rate, eps=settings.adam.eps)
    for order in batch.permutations[p]:
        for part in order.split(len(order) // settings.minibatches):
            outputs = actor(batch.observations[p, part])
            if networks.head == "categorical":
                law = torch.distributions.Categorical(logits=outputs)
            else:
                law = torch.distributions.Independent(torch.distributions.Normal(outputs, log_std.exp()), 1)
            ratio = (law.log_prob(batch.actions[p, part]) - batch.log_probs[p, part]).exp()
            a = batch.advantage[p, part]
            surrogate = torch.min(ratio * a, ratio.clamp(1 - settings.clip, 1 + settings.clip) * a).mean()
            value, old = critic(batch.observations[p, part]), batch.values[p, part]
            target = batch.targets[p, part]
            near = old + (value - old).clamp(-settings.value_clip, settings.value_clip)
            error = 0.5 * torch.max((value - target) ** 2, (near - target) ** 2).mean()
            loss = -surrogate - settings.entropy_coef * law.entropy().mean() + settings.value_coef * error
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
            optimizer.step()
    split = len(list(actor.parameters()))
    flat = [q.detach().reshape(-1) for q in parameters]
    ends = split + bool(len(log_std))
    return torch.cat(flat[:ends]), torch.cat(flat[ends:])


@pytest.mark.parametrize("head", HEADS)
def test_a_float64_stack_is_a_loop_over_members_of_modules_distributions_and_adam(head):
    settings = PPOSettings(minibatches=8, entropy_coef=0.01)
    batch, networks = case(head, epochs=3)
    before = copied(networks)
    update(batch, networks, settings, rate=1e-3)
    for p in range(3):
        actor, critic = textbook(batch, before, settings, 1e-3, p)
        torch.testing.assert_close(networks.actor_rows[p], actor, rtol=0, atol=1e-9)
        torch.testing.assert_close(networks.critic_rows[p], critic, rtol=0, atol=1e-9)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("barrier", [False, True])
def test_the_compiled_update_is_the_plain_one_after_320_minibatches(head, barrier):
    # Rounding: 2e-7 at most where weights move by some 5e-3. The bound leaves room for one row that rounding takes
    # across a clipping edge, which another processor's instructions may do.
    settings = PPOSettings(entropy_coef=0.01)
    batch, fast = case(head, members=2, rows=1024, epochs=10, drift=0.1, barrier=barrier, dtype=torch.float32)
    plain = copied(fast)
    rates = (torch.full((2,), 3e-4, dtype=torch.float64),) * 2
    found = update(batch, fast, settings, rate=3e-4)
    expected = _ppo_plain.update_plain(batch, plain, settings, rates=rates).unbind(-1)
    for name in ("actor_rows", "critic_rows"):
        gap = (getattr(fast, name) - getattr(plain, name)).abs()
        assert gap.median() < 1e-6
        assert gap.max() < 5e-5
    for value, due in zip(dataclasses.astuple(found), expected, strict=True):
        torch.testing.assert_close(value, due, rtol=1e-4, atol=1e-4)
    assert torch.equal(fast.actor_moments.steps, plain.actor_moments.steps)
    assert fast.actor_moments.steps.tolist() == [320, 320]


@pytest.mark.parametrize("head", HEADS)
def test_members_and_threads_do_not_meet(head):
    settings = PPOSettings(minibatches=8)
    batch, networks = case(head, members=4, barrier=True, dtype=torch.float32)
    rate = torch.tensor([1e-3, 2e-3, 3e-4, 0.0])
    together, threaded = copied(networks), copied(networks)
    seen = update(batch, together, settings, rate=rate, threads=1)
    update(batch, threaded, settings, rate=rate, threads=3)
    assert torch.equal(together.actor_rows, threaded.actor_rows)
    assert torch.equal(together.critic_moments.square, threaded.critic_moments.square)
    assert torch.equal(together.actor_rows[3], networks.actor_rows[3])
    for p in range(3):
        one = torch.tensor([p])
        alone = networks.select(one)
        floors = batch.barrier
        floors = dataclasses.replace(floors, **{n: getattr(floors, n)[one] for n in ("weight", "slack", "margin")})
        names = [f.name for f in dataclasses.fields(batch) if f.name != "barrier"]
        own = dataclasses.replace(batch, barrier=floors, **{n: getattr(batch, n)[one] for n in names})
        found = update(own, alone, settings, rate=rate[one])
        assert torch.equal(alone.actor_rows[0], together.actor_rows[p])
        assert torch.equal(alone.critic_rows[0], together.critic_rows[p])
        assert found.gradient_norm[0] == seen.gradient_norm[p]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_barrier_without_weight_is_plain_ppo(head, dtype):
    batch, networks = case(head, barrier=True, dtype=dtype)
    plain, free = dataclasses.replace(batch, barrier=None), copied(networks)
    batch.barrier.weight.zero_()
    assert torch.equal(update(batch, networks, PPOSettings(), rate=1e-3).barrier, torch.zeros(3, dtype=torch.float64))
    update(plain, free, PPOSettings(), rate=1e-3)
    torch.testing.assert_close(networks.actor_rows, free.actor_rows, rtol=0, atol=0)


@pytest.mark.parametrize(("slack", "slope"), [(2.0, 0.5), (0.5, 2.0), (0.1, 10.0), (0.0, 10.0), (-7.0, 10.0)])
def test_the_barrier_is_the_policy_gradient_of_its_objective_times_one_over_the_slack(slack, slope):
    # At rho = 1 the derivative of w l(s + g E[(rho - 1) A]) is w g l'(s) E[A grad log p].
    batch, networks = case(barrier=True, drift=0.0, members=1)
    batch.advantage.zero_()
    batch.barrier.weight.copy_(torch.tensor([[0.3, 0.0, 0.0]]))
    batch.barrier.slack[:, 0] = slack
    rows = networks.actor_rows.clone().requires_grad_()
    free = dataclasses.replace(networks, actor_rows=rows)
    log_prob = _ppo_plain.distribution(free, batch.observations, batch.actions)[0]
    (expected,) = torch.autograd.grad((log_prob * batch.advantages[..., 0]).mean(), rows)
    found = _ppo_plain.gradients(batch, networks, PPOSettings(), part=batch.permutations[:, 0])[0]
    torch.testing.assert_close(found, -0.3 * 2.0 * slope * expected)


@pytest.mark.parametrize("head", HEADS)
def test_a_violated_floor_is_climbed_where_the_advantage_pulls_the_other_way(head):
    batch, networks = case(head, members=2, drift=0.0, epochs=4, dtype=torch.float32)
    batch.advantage = -(batch.advantages[..., 0] - batch.advantages[..., 0].mean()) / 3
    slack, weight = torch.tensor([[-1.0, 1, 1], [1e3, 1, 1]]), torch.tensor([[1.0, 0, 0], [1.0, 0, 0]])
    batch.barrier = Barrier(weight=weight, slack=slack, margin=torch.full((2, 3), 0.1), gain=1.0)
    update(batch, networks, PPOSettings(minibatches=4), rate=1e-3)
    shift = _ppo_plain.distribution(networks, batch.observations, batch.actions)[0] - batch.log_probs
    moved = ((shift.exp() - 1) * batch.advantages[..., 0]).mean(1)
    assert moved[0] > 0.1  # violated: back towards the floor
    assert moved[1] < -0.1  # far above: the advantage has its way


def test_linearized_logarithm_is_smooth_and_concave():
    x = torch.linspace(-2, 2, 4001, dtype=torch.float64).requires_grad_()
    y = _ppo_plain.linearized_log(x, torch.tensor(0.25, dtype=torch.float64))
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(y[x >= 0.25], x[x >= 0.25].log())
    torch.testing.assert_close(slope, 1 / x.clamp_min(0.25))
    assert (slope.diff() <= 1e-12).all()


@pytest.mark.parametrize("head", HEADS)
def test_kernels_and_policies_agree_on_probabilities(head):
    # Policies act with torch's tanh, kernels use a rational fit: no ratio leaves 1 by 1e-5 before the first step.
    batch, networks = case(head, rows=4096, drift=0.0, epochs=1, dtype=torch.float32)
    batch.log_probs = _ppo_plain.distribution(networks, batch.observations, batch.actions)[0]
    seen = update(batch, networks, PPOSettings(clip=1e-5), rate=0.0)
    assert torch.equal(seen.clip_fraction, torch.zeros(3, dtype=torch.float64))
    assert (seen.kl.abs() < 1e-6).all()


def test_the_rational_tanh_is_within_3e_7():
    from paretokit.solvers.morl._perceptron_kernels import tanh

    x = torch.cat([torch.linspace(-12, 12, 200_001), torch.tensor([0.0, 1e-20, -1e-6, torch.inf, -torch.inf])])
    y = x.clone()
    tanh(y.numpy())
    assert (y.double() - x.double().tanh()).abs().max() < 3e-7
    assert y[200_001] == 0
    lost = torch.tensor([torch.nan])
    tanh(lost.numpy())
    assert torch.isnan(lost).all()


@pytest.mark.parametrize("head", HEADS)
def test_a_lost_member_stays_alone(head):
    batch, networks = case(head, dtype=torch.float32)
    networks.actor_rows[1, 0] = torch.nan
    fine = copied(networks)
    seen = update(batch, networks, PPOSettings(), rate=1e-3)
    assert torch.isnan(networks.actor_rows[1]).all()
    assert torch.isnan(networks.critic_rows[1]).all()  # one norm clips both
    assert torch.isnan(seen.gradient_norm).tolist() == [False, True, False]
    update(batch, fine, dataclasses.replace(PPOSettings()), rate=1e-3)
    assert torch.equal(fine.actor_rows[[0, 2]], networks.actor_rows[[0, 2]])
    assert torch.isfinite(fine.actor_rows[[0, 2]]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "change",
    [
        {"minibatches": 4},
        {"clip": 0.1},
        {"value_clip": 0.05},
        {"value_coef": 1.0},
        {"entropy_coef": 0.1},
        {"max_grad_norm": 0.1},
        {"adam": Adam(eps=1e-3)},
        {"adam": Adam(betas=(0.5, 0.999), eps=1e-5)},
        {"adam": Adam(betas=(0.9, 0.9), eps=1e-5)},
    ],
    ids=str,
)
def test_every_setting_matters(dtype, change):
    batch, networks = case(members=1, dtype=dtype)
    other = copied(networks)
    update(batch, networks, PPOSettings(), rate=1e-3)
    update(batch, other, PPOSettings(**change), rate=1e-3)
    assert not torch.equal(networks.critic_rows, other.critic_rows) or not torch.equal(
        networks.actor_rows, other.actor_rows
    )


def test_rates_may_differ_and_the_batch_stays_as_it_is():
    batch, networks = case(barrier=True, dtype=torch.float32)
    kept, start = converted(batch, networks, torch.float32)
    update(batch, networks, PPOSettings(), rate=1e-3, critic_rate=0.0)
    assert torch.equal(networks.critic_rows, start.critic_rows)
    assert not torch.equal(networks.actor_rows, start.actor_rows)
    for field in dataclasses.fields(kept):
        if field.name != "barrier":
            assert torch.equal(getattr(batch, field.name), getattr(kept, field.name))


@pytest.mark.parametrize("head", HEADS)
def test_rows_may_be_columns_of_a_wider_buffer(head):
    batch, networks = case(head, dtype=torch.float32)
    wide = torch.cat([networks.actor_rows, torch.ones(3, 5)], -1)
    view = dataclasses.replace(copied(networks), actor_rows=wide[:, :-5])
    update(batch, networks, PPOSettings(), rate=1e-3)
    update(batch, view, PPOSettings(), rate=1e-3)
    assert torch.equal(wide[:, :-5], networks.actor_rows)
    assert torch.equal(wide[:, -5:], torch.ones(3, 5))


def test_what_does_not_fit_is_named():
    batch, networks = case(barrier=True, dtype=torch.float32)

    def refuse(error, text, settings=None, **changes):
        with pytest.raises(error, match=text):
            update(dataclasses.replace(batch, **changes), networks, settings or PPOSettings(), rate=1e-3)

    refuse(InputError, "`minibatches` must divide the 256 rows of a member; got 7", PPOSettings(minibatches=7))
    refuse(ShapeError, r"`targets` must have shape \(3, 256, 3\); got \(3, 256, 2\)", targets=batch.targets[..., :2])
    refuse(ShapeError, "`observations` must have shape", observations=batch.observations[..., 1:])
    refuse(InputError, "`advantages` must be given where there is a barrier; got None", advantages=None)
    refuse(
        InputError, "`advantage` must have dtype torch.float32; got torch.float64", advantage=batch.advantage.double()
    )
    refuse(
        InputError,
        "`actions` must lie in 0 … 5; got 0 … 6",
        actions=batch.actions.clone().index_fill_(1, torch.tensor(3), 6),
    )
    refuse(InputError, "`permutations` must lie in 0 … 255; got 1 … 256", permutations=batch.permutations + 1)
    with pytest.raises(ShapeError, match=r"`rate` must be one number or have shape \(3,\); got \(2,\)"):
        update(batch, networks, PPOSettings(), rate=torch.ones(2))
    with pytest.raises(InputError, match="`threads` must be at least 1; got 0"):
        update(batch, networks, PPOSettings(), rate=1e-3, threads=0)
    short = dataclasses.replace(networks, critic_moments=networks.actor_moments)
    with pytest.raises(ShapeError, match="`critic_moments.mean` must have shape"):
        update(batch, short, PPOSettings(), rate=1e-3)
    batch.barrier.margin[0, 0] = 0.0
    refuse(InputError, "`barrier.margin` must be positive")
    with pytest.raises(InputError, match="`clip` must be positive; got 0"):
        PPOSettings(clip=0)
    with pytest.raises(InputError, match="`entropy_coef` must be at least 0; got -1"):
        PPOSettings(entropy_coef=-1)


def test_only_float32_rows_on_a_cpu_are_compiled():
    assert _ppo_update.compilable(case(dtype=torch.float32)[1])
    assert not _ppo_update.compilable(case()[1])
