"""EUPG: the gradient of the expected utility, whole episodes only, members that never mix, and what ESR is for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch

from paretokit.core import InputError, Lanes, Objective, Rng, ShapeError
from paretokit.core._serial import load_tree, save_tree
from paretokit.problems.morl._breakable_bottles import BreakableBottles
from paretokit.problems.morl._deep_sea_treasure import DeepSeaTreasure
from paretokit.problems.morl._dynamic_programming import TabularModel
from paretokit.problems.morl._environment import Continuous, Discrete, Environment, Move
from paretokit.problems.morl._fishwood import Fishwood
from paretokit.problems.morl._lookup import Lookup
from paretokit.problems.morl._morl import MORL
from paretokit.solvers.morl._episodes import World
from paretokit.solvers.morl._eupg import EUPG, EUPGState
from paretokit.solvers.morl._improver import Aim


def lanes_of(members, seed=0):
    return Lanes(tuple(Rng.from_seed(seed).child("member", p) for p in range(members)))


def linear(returns, preference):
    return (returns * preference.unsqueeze(1)).sum(-1)


def product(returns, preference):
    return returns.prod(-1)


def corners(members):
    share = torch.linspace(0, 1, members, dtype=torch.float64)
    return torch.stack([share, 1 - share], -1)


def aim_of(preference, utility=None):
    return Aim(weights=preference, preference=preference, utility=utility)


@dataclass(frozen=True, kw_only=True)
class Fair(Lookup):
    """Chance pays one of two objectives, then the agent does: only who remembers can pay the other one."""

    id: ClassVar[str] = "fair"
    objectives = (Objective("left", "max"), Objective("right", "max"))
    observation_dim = 1
    actions = Discrete(2)
    horizon = 2
    n_states = 2
    step_noise = 1
    discount = 1.0

    def model(self):
        reward = torch.zeros(2, 2, 2, 2, dtype=torch.float64)
        reward[0, :, 0, 0] = reward[0, :, 1, 1] = 1.0
        reward[1, 0, :, 0] = reward[1, 1, :, 1] = 1.0
        return TabularModel(
            next_state=torch.ones(2, 2, 2, dtype=torch.int64),
            probability=torch.full((2, 2, 2), 0.5, dtype=torch.float64),
            reward=reward,
            terminal=torch.tensor([False, True])[:, None, None].expand(2, 2, 2),
            initial=torch.tensor([1.0, 0.0], dtype=torch.float64),
        )

    def observations(self):
        return torch.tensor([[0.0], [1.0]])

    def state_index(self, observation):
        return observation[..., 0].to(torch.int64)


class Bandit(Environment):
    """Three arms, one step, continuous state: no table, so the plain path plays it."""

    id = "bandit"
    objectives = (Objective("a", "max"), Objective("b", "max"))
    observation_dim = 1
    actions = Discrete(3)
    horizon = 1
    discount = 1.0
    pays = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.7, 0.9]], dtype=torch.float64)

    def initial(self, noise):
        return torch.zeros(*noise.shape[:-1], 1)

    def step(self, state, action, noise):
        return Move(state, self.pays[action], torch.ones_like(action, dtype=torch.bool))

    def observe(self, state):
        return state + 1.0


class Walk(Environment):
    """A walk on a line with noisy steps and no table; ends when it leaves [-1, 1], at the latest after 30 steps."""

    id = "walk"
    objectives = (Objective("a", "max"), Objective("b", "max"))
    observation_dim = 1
    actions = Discrete(2)
    horizon = 30
    reset_noise = step_noise = 1

    def initial(self, noise):
        return noise - 0.5

    def step(self, state, action, noise):
        moved = state + (action.unsqueeze(-1) - 0.5) * 0.4 * (noise + 0.2)
        return Move(moved, torch.cat([moved, 1 - moved], -1), (moved.abs() > 1).squeeze(-1))

    def observe(self, state):
        return state.to(torch.float32)


@pytest.mark.parametrize(
    "environment",
    [DeepSeaTreasure(treasure="concave"), Fair(), Fishwood(), BreakableBottles(size=4)],
    ids=lambda e: e.id,
)
@pytest.mark.parametrize("hidden", [(50,), (8, 5)])
def test_the_compiled_episodes_and_their_gradients_are_the_rollout_loop_s(environment, hidden):
    problem = MORL(environment).to(dtype=torch.float64)
    solver = EUPG(episodes=5, hidden=hidden, entropy_coef=0.1)
    state = solver.start(problem, lanes_of(4), corners(4))
    assert state.play.world is not None
    state.parameters.mul_(3)
    rows = solver.rows(problem, state)
    plain, compiled = state.play.plain(rows, lanes_of(4), 7), state.play.compiled(rows, lanes_of(4), 7)
    assert torch.equal(plain.lengths, compiled.lengths)
    assert torch.allclose(plain.returns, compiled.returns, rtol=1e-12, atol=1e-12)
    weights, entropy = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).double(), torch.rand(4).double()
    assert torch.allclose(plain.gradient(weights, entropy), compiled.gradient(weights, entropy), rtol=1e-9, atol=1e-12)
    assert torch.allclose(plain.gradient(weights), compiled.gradient(weights), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("hidden", [(50,), (8, 5)])
def test_the_compiled_policies_act_as_the_plain_ones(hidden):
    problem = MORL(Walk()).to(dtype=torch.float64)
    solver = EUPG(episodes=6, hidden=hidden)
    state = solver.start(problem, lanes_of(4), corners(4))
    state.parameters.mul_(3)
    rows, play = solver.rows(problem, state), state.play
    plain = play.plain(rows, lanes_of(4), 7, act=play.plain_act)
    compiled = play.plain(rows, lanes_of(4), 7, act=play.compiled_act)
    for name in ("lengths", "actions", "returns", "accrued", "observations"):
        assert torch.equal(getattr(plain, name), getattr(compiled, name))
    assert plain.lengths.min() < plain.lengths.max()
    # What was accrued before each step, and in all, follows from the observations that pay.
    assert torch.equal(plain.accrued[:, :, 0], torch.zeros(4, 6, 2, dtype=torch.float64))


@pytest.mark.parametrize("environment", [DeepSeaTreasure(), Fair(), Walk()], ids=lambda e: e.id)
def test_members_equal_separate_runs(environment):
    problem = MORL(environment).to(dtype=torch.float64)
    solver = EUPG(episodes=2, learning_rate=0.01, baseline_decay=0.9, entropy_coef=0.01)
    preference, lanes = corners(3), lanes_of(3)
    together = solver.start(problem, lanes, preference)
    for _ in range(20):
        together = solver.improve(problem, together, aim_of(preference, linear))
    for p in range(3):
        own = aim_of(preference[p : p + 1], linear)
        alone = solver.start(problem, Lanes((lanes.rngs[p],)), preference[p : p + 1])
        for _ in range(20):
            alone = solver.improve(problem, alone, own)
        gap = (solver.rows(problem, alone)[0] - solver.rows(problem, together)[p]).abs().max()
        assert gap < 1e-9


@pytest.mark.parametrize("mean_over", ["steps", "episodes"])
def test_the_gradient_is_that_of_the_expected_utility(mean_over):
    problem = MORL(Bandit()).to(dtype=torch.float64)
    solver = EUPG(episodes=20_000, hidden=(4,), mean_over=mean_over)
    state = solver.start(problem, lanes_of(1), corners(1))
    state.parameters = solver.start(problem, lanes_of(1, seed=3), corners(1)).parameters * 2
    wiring, rows = state.play.wiring, solver.rows(problem, state)
    data = state.play(rows, lanes_of(1), 0)
    utility = data.returns.square().sum(-1)
    estimate = data.gradient(utility / solver.episodes)[0]
    body = rows[:, : wiring.n_body].clone().requires_grad_()
    seen = torch.tensor([[[1.0, 0.0, 0.0]]], dtype=torch.float64)
    expected = (torch.softmax(wiring.mlp(body, seen), -1)[0, 0] * Bandit.pays.square().sum(-1)).sum()
    (exact,) = torch.autograd.grad(expected, body)
    assert (estimate - exact[0]).abs().max() < 0.03 * exact.abs().max() + 0.02  # 5 standard errors
    moved = solver.improve(problem, state, aim_of(corners(1), lambda r, p: r.square().sum(-1)))
    assert moved.spent.env_steps == solver.episodes


@pytest.mark.parametrize("mean_over", ["steps", "episodes"])
def test_the_step_is_adam_s_on_the_stated_loss(mean_over):
    problem = MORL(Walk()).to(dtype=torch.float64)
    solver = EUPG(episodes=3, mean_over=mean_over, entropy_coef=0.05, learning_rate=0.01)
    state = solver.start(problem, lanes_of(2), corners(2))
    data = state.play.plain(solver.rows(problem, state), lanes_of(2), 0)
    wiring = state.play.wiring
    leaf = state.parameters.clone().requires_grad_()
    loss = torch.zeros((), dtype=torch.float64)
    for p in range(2):
        terms, entropies = [], []
        for e in range(3):
            steps = int(data.lengths[p, e])
            seen = torch.cat([data.observations[p, e, :steps].double(), data.accrued[p, e, :steps]], -1)
            log_p = torch.log_softmax(wiring.mlp(leaf[p : p + 1], seen.unsqueeze(0))[0], -1)
            chosen = log_p[torch.arange(steps), data.actions[p, e, :steps]]
            terms.append(chosen * data.returns[p, e].prod())
            entropies.append(-(log_p.exp() * log_p).sum(-1))
        count = sum(len(t) for t in terms) if mean_over == "steps" else 3
        loss = loss - (torch.cat(terms).sum() + 0.05 * torch.cat(entropies).sum()) / count
    loss.backward()
    optimizer = torch.optim.Adam([leaf], lr=0.01)
    optimizer.step()
    after = solver.improve(problem, state, aim_of(corners(2), product))
    assert torch.allclose(after.parameters, leaf.detach(), rtol=1e-9, atol=1e-11)


def test_who_remembers_what_was_accrued_reaches_the_utility_that_no_other_policy_can():
    # max over policies of E min(left, right) is 1 with the accrued reward seen, and 1/2 without it.
    problem = MORL(Fair(), episodes=64)
    solver = EUPG(episodes=32, learning_rate=0.02, baseline_decay=0.9)
    preference = torch.full((2, 2), 0.5)
    state = solver.start(problem, lanes_of(2), preference)
    aim = aim_of(preference, lambda returns, _: returns.min(-1).values)
    for _ in range(150):
        state = solver.improve(problem, state, aim)
    view = problem.with_policy(solver.architecture(problem))
    returns, _ = view.rollouts(solver.rows(problem, state), lanes_of(64, seed=9))
    assert returns.min(-1).values.mean(1).min() == 1.0
    assert state.spent.env_steps == 150 * 2 * 32 * 2
    assert state.spent.gradient_steps == 300


def test_without_a_utility_it_climbs_the_weighted_sum():
    problem = MORL(Bandit())
    solver = EUPG(episodes=16, learning_rate=0.05)
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    state = solver.start(problem, lanes_of(2), weights)
    for _ in range(60):
        state = solver.improve(problem, state, aim_of(weights))
    view = problem.with_policy(solver.architecture(problem))
    values = view.evaluate(solver.rows(problem, state)).values
    assert values.tolist() == [[1.0, 0.0], [0.0, 2.0]]


def test_a_saved_state_goes_on_bit_for_bit(tmp_path):
    problem = MORL(DeepSeaTreasure())
    solver, aim = EUPG(episodes=2, baseline_decay=0.5, max_grad_norm=0.5), aim_of(corners(3), linear)
    state = solver.start(problem, lanes_of(3), corners(3))
    for _ in range(3):
        state = solver.improve(problem, state, aim)
    save_tree(tmp_path, "state", state)
    loaded = solver.restore(problem, load_tree(tmp_path, "state", EUPGState))
    for _ in range(3):
        state, loaded = solver.improve(problem, state, aim), solver.improve(problem, loaded, aim)
    assert torch.equal(state.parameters, loaded.parameters)
    assert torch.equal(state.baseline, loaded.baseline)
    assert state.spent == loaded.spent


def test_members_are_selected_and_transferred_as_copies():
    problem, solver, aim = MORL(DeepSeaTreasure()), EUPG(baseline_decay=0.5), aim_of(corners(3), linear)
    state = solver.improve(problem, solver.start(problem, lanes_of(3), corners(3)), aim)
    before = state.parameters.clone()
    some = solver.select(state, torch.tensor([2, 0, 2]))
    assert torch.equal(some.parameters, before[[2, 0, 2]])
    assert some.rngs == tuple(lanes_of(3).rngs[p] for p in (2, 0, 2))
    solver.transfer(some, 1, 0)
    assert torch.equal(some.parameters[0], before[0])
    assert some.optimizer.steps.tolist() == [0, 1, 1]
    assert float(some.baseline[0]) == 0.0
    assert torch.equal(state.parameters, before)
    assert state.optimizer.steps.tolist() == [1, 1, 1]


def test_episodes_end_where_the_environment_or_the_time_limit_says():
    problem = MORL(DeepSeaTreasure(), horizon=7)
    solver = EUPG(episodes=40)
    state = solver.start(problem, lanes_of(2), corners(2))
    for data in (
        state.play.plain(solver.rows(problem, state), lanes_of(2), 0),
        state.play.compiled(solver.rows(problem, state), lanes_of(2), 0),
    ):
        assert data.lengths.max() == 7
        assert data.lengths.min() == 1
        ended = data.lengths < 7
        assert (data.returns[ended][:, 0] > 0).all()


def test_large_or_untabular_environments_have_no_tables():
    assert World.of(Walk()) is None
    assert World.of(replace(Fair())) is not None
    assert World.of(BreakableBottles()) is not None
    assert World.of(BreakableBottles(unbreakable_bottles=True)) is None  # its observations do not tell its states
    assert World.of(BreakableBottles(size=12)) is None  # 110 592 states


@pytest.mark.parametrize(("horizon", "length"), [(300, 200), (200, 200), (150, 150)])
def test_an_environment_that_ends_its_episodes_by_the_clock_does_so_in_both_twins(horizon, length):
    problem = MORL(Fishwood(), horizon=horizon)
    state = EUPG(episodes=3).start(problem, lanes_of(2), corners(2))
    rows = EUPG(episodes=3).rows(problem, state)
    plain, compiled = state.play.plain(rows, lanes_of(2), 1), state.play.compiled(rows, lanes_of(2), 1)
    for data in (plain, compiled):
        assert torch.equal(data.lengths, torch.full((2, 3), length))
    assert torch.allclose(plain.returns, compiled.returns, rtol=1e-12, atol=1e-12)


def test_what_it_cannot_train_is_said():
    class Box(Walk):
        actions = Continuous((-1.0,), (1.0,))

    assert EUPG().unsupported(MORL(Box())) == "its actions are continuous"
    assert EUPG().unsupported(MORL(Walk())) is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"episodes": 0}, "`episodes` must be at least 1; got 0"),
        ({"hidden": (0,)}, "`hidden widths` must be at least 1; got 0"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive; got 0.0"),
        ({"mean_over": "step"}, "`mean_over` must be one of ['steps', 'episodes']; got 'step'"),
        ({"baseline_decay": 1.0}, "`baseline_decay` must lie in [0, 1); got 1.0"),
        ({"entropy_coef": -1.0}, "`entropy_coef` must be at least 0; got -1.0"),
        ({"max_grad_norm": 0.0}, "`max_grad_norm` must be positive; got 0.0"),
    ],
)
def test_bad_options_are_refused_in_one_line(options, text):
    with pytest.raises(InputError) as error:
        EUPG(**options)
    assert str(error.value).startswith(text)


def test_a_utility_of_another_shape_is_refused():
    problem, solver = MORL(Walk()), EUPG(episodes=2)
    state = solver.start(problem, lanes_of(3), corners(3))
    with pytest.raises(ShapeError, match=r"`utility` must return one number an episode, shape \(3, 2\); got shape"):
        solver.improve(problem, state, aim_of(corners(3), lambda returns, preference: returns))


def test_a_return_that_is_no_number_is_refused():
    class Broken(Walk):
        def step(self, state, action, noise):
            move = super().step(state, action, noise)
            return Move(move.state, move.reward * torch.nan, move.terminated)

    problem, solver = MORL(Broken()), EUPG()
    state = solver.start(problem, lanes_of(1), corners(1))
    with pytest.raises(InputError, match="`reward` of walk must be finite; got an episode that returns NaN or inf"):
        solver.improve(problem, state, aim_of(corners(1)))
