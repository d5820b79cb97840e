"""The loop of adaptation: one step by hand, members against single runs, the kit, and bad input."""

import copy
import dataclasses
import math

import pytest
import torch
from torch import nn

import paretokit as pk
from paretokit.core import EvaluationError, InputError, Rng, UnknownNameError, UnsupportedProblemError
from paretokit.problems.adaptation import DomainAdaptation, mutual_information, perceptron
from paretokit.solvers.adaptation import ParetoDA, WeightedDA
from paretokit.testing import check_solver

SMALL = {"batch_size": 8, "hidden": (5,), "class_hidden": (4,)}
EVEN = [[1 / 3] * 3]


@pytest.fixture(scope="module")
def moons():
    return pk.problems.make("adaptation-moons-v1", n=60)


def stepped(problem, solver, n=1, seed=0):
    handle = problem.observed(None)
    state = solver.init(handle, Rng.from_seed(seed))
    for _ in range(n):
        state = solver.step(handle, state)
    return state


KINDS = {
    **{a: ParetoDA(alignment=a, steps=6, **SMALL) for a in ("dann", "cdan", "mcc", "mdd")},
    "guidance": ParetoDA(direction="guidance", steps=6, **SMALL),
    "bare": ParetoDA(refine=False, dynamic=False, steps=6, **SMALL),
    "MGDA": WeightedDA(aggregator="MGDA", preferences=1, alignment="mcc", refine=False, steps=6, **SMALL),
    "EPO": WeightedDA(aggregator="EPO", preferences=2, steps=6, **SMALL),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_kit_holds(name, moons):
    check_solver(dataclasses.replace(KINDS[name], evaluate_every=2), moons, iterations=2)


def test_a_step_on_the_source_alone_is_torchs_own(moons):
    options = {"refine": False, "decay": 0.0, "momentum": 0.9, "alignment": "mcc", "steps": 9}
    solver = WeightedDA(preferences=[[1.0, 0.0, 0.0]], **options, **SMALL)
    handle = moons.observed(None)
    state = solver.init(handle, Rng.from_seed(0))
    net = moons.decode(solver.decisions(handle, state)[0]).train()
    parts = [{"params": net.features.parameters(), "lr": 0.02}, {"params": net.classifier.parameters(), "lr": 0.02}]
    plain = torch.optim.SGD(parts, lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for k in range(3):
        at, to = moons.batch(state.rng.child("step", k), 8)
        state = solver.step(handle, state)
        plain.zero_grad()
        logits = net(torch.cat([moons.source[0][at], moons.target[to]]))
        nn.functional.cross_entropy(logits[:8], moons.source[1][at]).backward()
        for parameter in net.features.parameters():  # of three objectives' weights, all are here
            parameter.grad *= 3
        plain.step()
    mine = moons.decode(solver.decisions(handle, state)[0])
    inputs = moons.target
    with torch.no_grad():
        assert torch.allclose(mine(inputs), net.eval()(inputs), atol=1e-4)
        assert torch.allclose(mine.features(inputs), net.features(inputs), atol=1e-4)


def test_linear_weights_of_one_pass_equal_those_of_the_gramians_path(moons):
    quick = WeightedDA(preferences=[[0.5, 0.2, 0.3]], steps=9, **SMALL)

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Slow(type(quick).__mro__[1]):
        def members(self, problem):
            return quick.members(problem)

        def weigh(self, given, rng):
            return given.preferences

    one, other = stepped(moons, quick, 3), stepped(moons, Slow(steps=9, **SMALL), 3)
    assert torch.allclose(one.rows, other.rows, atol=1e-6)
    assert torch.allclose(one.adversaries, other.adversaries, atol=1e-6)
    assert other.work > one.work


def test_members_of_a_grid_equal_their_single_runs(moons):
    rows = [[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]]
    both = stepped(moons, WeightedDA(preferences=rows, steps=9, **SMALL), 3)
    for k, row in enumerate(rows):
        one = stepped(moons, WeightedDA(preferences=[row], steps=9, **SMALL), 3)
        assert torch.allclose(both.rows[k], one.rows[0], atol=1e-5)
        assert torch.allclose(both.buffers[k], one.buffers[0], atol=1e-5)


def test_stacked_and_looped_networks_train_alike(moons):
    looped = copy.copy(moons)
    looped.stacked = False
    solver = ParetoDA(n_members=2, steps=9, **SMALL)
    one, other = stepped(moons, solver, 3), stepped(looped, solver, 3)
    assert torch.allclose(one.rows, other.rows, atol=1e-5)
    assert not torch.allclose(one.rows[0], one.rows[1])


def test_reported_losses_are_those_of_the_minibatch(moons):
    solver = ParetoDA(refine=False, steps=9, **SMALL)
    handle = moons.observed(None)
    state = solver.init(handle, Rng.from_seed(0))
    net = moons.decode(solver.decisions(handle, state)[0]).train()
    at, to = moons.batch(state.rng.child("step", 0), 8)
    with torch.no_grad():
        logits = net(torch.cat([moons.source[0][at], moons.target[to]]))
    state = solver.step(handle, state)
    due = [
        nn.functional.cross_entropy(logits[:8], moons.source[1][at]),
        math.log(2) - mutual_information(logits[8:].softmax(-1)),
    ]
    assert torch.allclose(state.losses[0, [0, 2]], torch.stack(due), atol=1e-5)
    assert float(state.weights.sum()) == pytest.approx(1, abs=1e-6)


def test_every_option_changes_the_run(moons):
    base = ParetoDA(steps=9, **SMALL)
    whole = stepped(moons, base, 3).rows
    for change in (
        {"alignment": "cdan"},
        {"direction": "guidance"},
        {"refine": False},
        {"dynamic": False},
        {"batch_size": 9},
        {"learning_rate": 0.03},
        {"decay": 0.5},
        {"momentum": 0.5},
        {"weight_decay": 0.1},
        {"ramp": 1.0},
        {"hidden": (6,)},
        {"class_hidden": (3,)},
    ):
        assert not torch.equal(stepped(moons, dataclasses.replace(base, **change), 3).rows, whole), change


def test_source_only_learns_the_source_and_adaptation_the_target():
    problem = pk.problems.make("adaptation-moons-v1")
    common = {"steps": 150, "learning_rate": 0.1, "evaluate_every": 150}
    alone = pk.solve(problem, WeightedDA(preferences=[[1.0, 0.0, 0.0]], **common), seed=0)
    adapted = pk.solve(problem, ParetoDA(**common), seed=0)
    found = [problem.target_accuracy(r.front.x) for r in (alone, adapted)]
    assert float(alone.front.values[0, 0]) < 0.1
    assert float(adapted.front.values[0, 1]) < float(alone.front.values[0, 1])
    assert float(found[1]) > float(found[0]) + 0.05
    net = adapted.front.pick([0.2, 0.2, 0.6]).decode()
    assert isinstance(net, nn.Module)
    assert tuple(net(problem.target).shape) == (len(problem.target), 2)


def test_a_grid_is_a_front_and_says_what_was_asked_for(moons):
    result = pk.solve(moons, WeightedDA(preferences=6, steps=20, **SMALL), seed=0)
    assert result.status == "finished"
    assert tuple(result.front.info["preference"].shape) == (len(result.front), 3)
    assert result.cost.gradient_steps == 20
    assert len(result.front) > 1


def test_a_run_begins_from_given_networks(moons):
    x = moons.space.sample(1, Rng.from_seed(5), dtype=moons.dtype)
    solver = ParetoDA(steps=3, **SMALL)
    state = solver.init(moons.observed(None), Rng.from_seed(0), initial=x)
    assert torch.allclose(solver.decisions(moons, state), x)


def test_losses_that_are_not_finite_end_the_run_with_everything_before(moons):
    solver = WeightedDA(preferences=EVEN, learning_rate=1e30, steps=20, evaluate_every=1, **SMALL)
    with pytest.raises(EvaluationError, match="`losses` must be finite") as caught:
        pk.solve(moons, solver, seed=0)
    assert caught.value.result.status == "failed"


def test_a_member_that_diverges_stays_where_it_was_and_the_others_go_on(moons):
    solver = ParetoDA(n_members=2, steps=9, **SMALL)
    handle = moons.observed(None)
    state = solver.init(handle, Rng.from_seed(0))
    state.rows[0] *= 1e30
    before = state.rows[0].clone()
    state = solver.step(handle, state)
    assert state.moving.tolist() == [False, True]
    assert torch.equal(state.rows[0], before)
    assert torch.isfinite(state.rows[1]).all()
    assert torch.isfinite(state.values).all()
    assert solver.report(handle, state)["stuck"] == 1


BAD = {
    "alignment": ({"alignment": "dan"}, "`alignment` must be one of"),
    "direction": ({"direction": "up"}, "`direction` must be one of"),
    "steps": ({"steps": 0}, "`steps` must be at least 1; got 0"),
    "batch_size": ({"batch_size": 1}, "`batch_size` must be at least 2; got 1"),
    "learning_rate": ({"learning_rate": 0.0}, "`learning_rate` must be positive"),
    "ramp": ({"ramp": 0.0}, "`ramp` must be positive"),
    "decay": ({"decay": -1.0}, "`decay` must be at least 0"),
    "weight_decay": ({"weight_decay": -1.0}, "`weight_decay` must be at least 0"),
    "momentum": ({"momentum": 1.0}, r"`momentum` must lie in \[0, 1\); got 1.0"),
    "hidden": ({"hidden": (0,)}, "`hidden` must be at least 1"),
    "members": ({"n_members": 0}, "`n_members` must be at least 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_options_are_named(case):
    options, text = BAD[case]
    with pytest.raises(InputError, match=text):
        ParetoDA(**options)


def test_other_problems_and_preferences_are_refused():
    with pytest.raises(UnsupportedProblemError, match="ParetoDA solves DomainAdaptation problems; got ZDT1"):
        ParetoDA().check(pk.problems.ZDT1())
    with pytest.raises(InputError, match="`preferences` must be rows on the simplex"):
        WeightedDA(preferences=[[0.5, 0.2, 0.2]])
    with pytest.raises(UnsupportedProblemError, match="its preferences have 2 entries"):
        WeightedDA(preferences=[[0.5, 0.5]]).check(pk.problems.make("adaptation-moons-v1", n=60))
    with pytest.raises(UnknownNameError, match="`aggregator` must be a known name"):
        WeightedDA(aggregator="Linea")


def test_float64_networks_train_in_float64():
    x = Rng.from_seed(0).normal(40, 3)
    net = perceptron(3, 2, hidden=(4,)).double()
    problem = DomainAdaptation((x, torch.arange(40) % 2), x + 1, net)
    state = stepped(problem, ParetoDA(steps=3, **SMALL), 2)
    assert state.rows.dtype == state.adversaries.dtype == torch.float64
