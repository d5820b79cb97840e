"""Fronts by descent: updates against closed forms and torch's optimizers, known fronts, rules where they differ."""

import dataclasses
import json
import math

import pytest
import torch

import paretokit as pk
from paretokit.core import (
    Box,
    Evaluation,
    EvaluationProtocol,
    InputError,
    Integers,
    Objective,
    Problem,
    Rng,
    Scoring,
    ShapeError,
    UnsupportedProblemError,
    objectives_of,
)
from paretokit.indicators import igd_plus
from paretokit.solvers.gradient import MGDA
from paretokit.solvers.gradient._aggregator import aggregator_of


class Bowls(Problem):
    """Half squared distances to two points."""

    objectives = objectives_of(2)
    space = Box(-4.0, 4.0, dim=3)
    centers = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 2.0, 0.0]], dtype=torch.float64)

    def _evaluate(self, x, rng):
        return Evaluation((x.unsqueeze(1) - self.centers.to(x)).square().sum(-1) / 2)


class Concave(Problem):
    """Fonseca and Fleming's problem, whose front is concave: 1 - exp(-|x -+ 1/sqrt(n)|^2)."""

    objectives = objectives_of(2)
    space = Box(-2.0, 2.0, dim=20)

    def _evaluate(self, x, rng):
        far = [(x - s * 20**-0.5).square().sum(-1) for s in (1, -1)]
        return Evaluation(1 - torch.exp(-torch.stack(far, -1)))


def run(problem, *, initial=None, seed=0, **options):
    solver = pk.solvers.GradientDescent(**options)
    return pk.solve(problem, solver, seed=seed, initial=initial, progress=False)


def rows_after(problem, steps, *, initial=None, **options):
    solver = pk.solvers.GradientDescent(steps=max(steps, 1), **options)
    state = solver.init(problem, Rng.from_seed(0), initial=initial)
    for _ in range(steps):
        state = solver.step(problem, state)
    return state.x


START = torch.tensor([[3.0, -1.0, 2.0]], dtype=torch.float64)
SGD = {"optimizer": "sgd", "decay": "none"}


def test_a_step_is_that_of_the_weighted_sum():
    # In ranges of the variables (8 each): x - rate * 8 * 8 * gradient.
    rate = 0.1 / 64
    found = rows_after(
        Bowls(), 1, initial=START, aggregator="Linear", preferences=[[0.25, 0.75]], learning_rate=rate, **SGD
    )
    gradient = 0.25 * (START - Bowls.centers[0]) + 0.75 * (START - Bowls.centers[1])
    torch.testing.assert_close(found, START - 0.1 * gradient)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_updates_are_those_of_torchs_optimizers(optimizer):
    problem, w = Bowls(), torch.tensor([0.3, 0.7], dtype=torch.float64)
    x = START.clone().requires_grad_()
    rate = 0.01 if optimizer == "adam" else 0.001
    peer = torch.optim.Adam([x], lr=8 * rate) if optimizer == "adam" else torch.optim.SGD([x], 64 * rate, momentum=0.5)
    for _ in range(10):
        peer.zero_grad()
        (problem.losses(x, Rng.from_seed(0)) @ w).sum().backward()
        peer.step()
    options = {"optimizer": optimizer, "decay": "none", "momentum": 0.5 if optimizer == "sgd" else 0.0}
    ours = rows_after(
        problem, 10, initial=START, aggregator="Linear", preferences=[w.tolist()], learning_rate=rate, **options
    )
    torch.testing.assert_close(ours, x.detach(), rtol=1e-6, atol=1e-6)  # Adam's eps is in units of ranges


def test_decays_end_at_zero():
    steps = {}
    for decay in ("none", "linear", "cosine"):
        options = {"aggregator": "Linear", "preferences": 3, "optimizer": "sgd", "learning_rate": 1e-4, "steps": 50}
        solver = pk.solvers.GradientDescent(decay=decay, **options)
        state = solver.init(Bowls(), Rng.from_seed(0))
        for _ in range(50):
            before = state.x
            state = solver.step(Bowls(), state)
        steps[decay] = float((state.x - before).norm())
    assert steps["cosine"] < 0.1 * steps["linear"] < 0.1 * 0.1 * steps["none"]


def test_multiple_gradient_descent_raises_no_loss_and_ends_on_the_pareto_set():
    problem, x = Bowls(), Bowls.space.sample(16, Rng.from_seed(1))
    solver = pk.solvers.GradientDescent(aggregator="MGDA", preferences=16, learning_rate=2e-3, steps=400, **SGD)
    state = solver.init(problem, Rng.from_seed(0), initial=x)
    last = problem.evaluate(state.x).values
    for _ in range(400):
        state = solver.step(problem, state)
        values = problem.evaluate(state.x).values
        assert (values <= last + 1e-12).all()
        last = values
    a, b = Bowls.centers
    along = ((state.x - a) @ (b - a) / (b - a).square().sum()).clamp(0, 1)
    torch.testing.assert_close(state.x, a + along.unsqueeze(1) * (b - a), rtol=0, atol=1e-5)


def test_a_weighted_sum_of_bowls_ends_at_the_weighted_mean():
    problem, rows = Bowls(), [[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]]
    result = run(problem, aggregator="Linear", preferences=rows, learning_rate=5e-3, steps=300, **SGD)
    best = result.front.info["preference"] @ Bowls.centers
    torch.testing.assert_close(result.front.x, best, rtol=0, atol=1e-6)


def test_exact_pareto_search_reaches_rays_where_weighted_sums_collapse():
    problem, rows = Concave(), [[w, 1 - w] for w in (0.2, 0.35, 0.5, 0.65, 0.8)]
    common = {"preferences": rows, "learning_rate": 0.02, "steps": 400, "seed": 3}
    start = 0.2 * Rng.from_seed(5).normal(5, 20)
    exact = run(problem, aggregator={"name": "EPO", "tolerance": 1e-6}, initial=start, **common)
    weighted = exact.front.info["preference"] * exact.front.values
    assert len(exact.front) == 5
    torch.testing.assert_close(weighted[:, 0], weighted[:, 1], rtol=0.02, atol=0)
    # the front are the points t / sqrt(n) on the diagonal, t in [-1, 1]
    x = exact.front.x
    torch.testing.assert_close(x, x.mean(1, keepdim=True).expand_as(x), rtol=0, atol=5e-3)
    linear = run(problem, aggregator="Linear", initial=start, **common)
    ends = linear.front.values.sort(1).values
    assert (ends[:, 0] < 0.01).all()
    assert (ends[:, 1] > 0.95).all()


@pytest.mark.parametrize("rule", ["EPO", "Tchebycheff", {"name": "SmoothTchebycheff", "mu": 0.01}, "ParetoMTL"])
@pytest.mark.parametrize("name", ["zdt1-v1", "zdt2-v1"])
def test_known_fronts_are_reached(name, rule):
    problem = pk.problems.make(name)
    result = run(problem, aggregator=rule, preferences=20, steps=200)
    assert len(result.front) >= 17
    most = 0.035 if rule == "ParetoMTL" else 0.018
    assert igd_plus(result.front.values, problem.pareto_front(500)) < most


@pytest.mark.parametrize("rule", ["EPO", "Tchebycheff"])
def test_three_objectives(rule):
    problem = pk.problems.make("dtlz2-v1")
    result = run(problem, aggregator=rule, preferences=45, steps=250)
    assert igd_plus(result.front.values, problem.pareto_front(500)) < 0.06
    torch.testing.assert_close(
        result.front.values.norm(dim=1), torch.ones(len(result.front)).double(), rtol=0, atol=0.06
    )


@pytest.mark.parametrize("rule", ["MGDA", "UPGrad", "CAGrad", "PCGrad", "NashMTL", "IMTLG", "AlignedMTL"])
def test_every_rule_descends_to_the_pareto_set(rule):
    rate = 4e-3 if rule == "NashMTL" else 2e-3  # whose steps have one length
    result = run(Bowls(), aggregator=rule, preferences=8, learning_rate=rate, steps=300, optimizer="sgd")
    a, b = Bowls.centers
    along = ((result.front.x - a) @ (b - a) / (b - a).square().sum()).clamp(0, 1)
    torch.testing.assert_close(result.front.x, a + along.unsqueeze(1) * (b - a), rtol=0, atol=0.05)


@pytest.mark.parametrize("rule", ["EPO", "Linear", "MGDA", "Tchebycheff", "NashMTL"])
def test_a_member_equals_its_run_alone(rule):
    problem = pk.problems.make("zdt1-v1", n_variables=6)
    x = problem.space.sample(3, Rng.from_seed(2))
    rows = [[0.2, 0.8], [0.5, 0.5], [0.7, 0.3]]
    together = rows_after(problem, 20, initial=x, aggregator=rule, preferences=rows)
    for p in range(3):
        alone = rows_after(problem, 20, initial=x[p : p + 1], aggregator=rule, preferences=rows[p : p + 1])
        torch.testing.assert_close(together[p : p + 1], alone, rtol=0, atol=1e-9)


def test_normalized_losses_forget_units():
    class Scaled(Bowls):
        protocol = EvaluationProtocol(scoring=Scoring(ideal=(0.0, 3.0), nadir=(4.0, 4003.0)))

        def _evaluate(self, x, rng):
            return Evaluation(super()._evaluate(x, rng).values * torch.tensor([1.0, 1000.0]) + torch.tensor([0.0, 3.0]))

    class Plain(Bowls):
        protocol = EvaluationProtocol(scoring=Scoring(ideal=(0.0, 0.0), nadir=(4.0, 4.0)))

    a, b = (run(p, aggregator="EPO", preferences=5, steps=50, normalized=True) for p in (Scaled(), Plain()))
    torch.testing.assert_close(a.state.x, b.state.x, rtol=0, atol=1e-6)


def test_maximized_objectives_are_climbed():
    class Hills(Bowls):
        objectives = (Objective("left", "max"), Objective("right", "max"))
        protocol = EvaluationProtocol(scoring=Scoring(ideal=(0.0, 0.0), nadir=(-4.0, -4.0)))

        def _evaluate(self, x, rng):
            return Evaluation(-super()._evaluate(x, rng).values)

    up = run(Hills(), aggregator="Tchebycheff", preferences=5, steps=60)
    down = run(Bowls(), aggregator="Tchebycheff", preferences=5, steps=60)
    assert up.front.values.max() <= 0
    normalized = [run(p, aggregator="EPO", preferences=5, steps=60, normalized=True) for p in (Hills(),)]
    assert torch.isfinite(normalized[0].front.values).all()
    assert down.status == up.status == "finished"


def test_work_counts_backward_passes_twice():
    problem = pk.problems.make("zdt1-v1", n_variables=4)
    for rule, passes in (("Linear", 1), ("MGDA", 2)):
        cost = run(problem, aggregator=rule, preferences=10, steps=3).cost
        assert cost.gradient_steps == 3
        assert cost.evaluations == 2 * 10  # after the first and the last update
        assert cost.work == 4 * 10 * (1 + 2 * passes) + 2 * 10  # one more pass looks whether starts are finite


def test_rows_go_back_where_losses_stop_being_finite():
    class Cliff(Bowls):
        def _evaluate(self, x, rng):
            values = super()._evaluate(x, rng).values
            return Evaluation(torch.where(x[:, 1:2] > 1.0, math.nan, values))

    result = run(Cliff(), aggregator="Linear", preferences=9, steps=200, learning_rate=0.02)
    assert torch.isfinite(result.front.values).all()
    assert len(result.front) >= 4
    assert float(result.state.stuck) <= 9


def test_initial_rows_and_shared_starts():
    problem = Bowls()
    x = problem.space.sample(2, Rng.from_seed(0))
    state = pk.solvers.GradientDescent(preferences=5).init(problem, Rng.from_seed(1), initial=x)
    assert torch.equal(state.x, x[[0, 1, 0, 1, 0]])
    state = pk.solvers.GradientDescent(preferences=5, start="shared").init(problem, Rng.from_seed(1))
    assert (state.x == state.x[0]).all()


@pytest.mark.parametrize(
    ("m", "n", "due"), [(2, None, 25), (3, None, 28), (2, 7, 7), (3, 10, 10), (3, 11, 11), (2, 1, 1)]
)
def test_numbers_of_preferences(m, n, due):
    from paretokit.solvers.gradient._preferences import rows_of

    rows = rows_of(n, m)
    assert rows.shape == (due, m)
    torch.testing.assert_close(rows.sum(1), torch.ones(due, dtype=torch.float64))
    assert rows.min() > 0


def test_fixed_columns_and_single_precision():
    problem = pk.problems.make("zdt1-v1", n_variables=5).fixing({4: 0.0})
    first, second = run(problem, preferences=3, steps=400).front.values.unbind(1)
    torch.testing.assert_close(second, 1 - first.sqrt(), rtol=0, atol=0.01)
    single = run(pk.problems.make("zdt1-v1", n_variables=5).to(dtype=torch.float32), preferences=3, steps=20)
    assert single.front.x.dtype == torch.float32


def test_configurations_survive_json():
    solver = pk.solvers.GradientDescent(aggregator=MGDA(normalization="l2"), preferences=[[0.5, 0.5]])
    again = pk.solvers.make("GradientDescent", **json.loads(json.dumps(solver.config())))
    assert again == solver
    assert again.rule == aggregator_of({"name": "MGDA", "normalization": "l2"})


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"optimizer": "lbfgs"}, "`optimizer` must be one of"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive; got 0.0"),
        ({"steps": 0}, "`steps` must be at least 1; got 0"),
        ({"evaluate_every": 0}, "`evaluate_every` must be at least 1; got 0"),
        ({"momentum": 1.0}, r"`momentum` must lie in \[0, 1\); got 1.0"),
        ({"decay": "step"}, "`decay` must be one of"),
        ({"start": "zero"}, "`start` must be one of"),
        ({"preferences": [[0.5, 0.6]]}, r"`preferences` must be rows on the simplex; got \[0.5, 0.6\]"),
        ({"preferences": [[1.5, -0.5]]}, "`preferences` must be rows on the simplex"),
        ({"preferences": []}, "`preferences` must be at least 1; got 0"),
        ({"preferences": 0}, "`preferences` must be at least 1; got 0"),
    ],
)
def test_bad_options_are_named(options, line):
    with pytest.raises(InputError, match=line):
        pk.solvers.GradientDescent(**options)


class Without(Bowls):
    """Values that were computed without torch."""

    def _evaluate(self, x, rng):
        return Evaluation(torch.from_numpy(x.numpy() ** 2)[:, :2])


class Detached(Bowls):
    def _evaluate(self, x, rng):
        return Evaluation(super()._evaluate(x, rng).values.detach())


def whole():
    problem = Bowls()
    problem.space = Integers(-4, 4, dim=3)
    return problem


@pytest.mark.parametrize(
    ("problem", "options", "line"),
    [
        (whole, {}, "not all variables are real"),
        (Without, {}, r"losses carry no gradients \(RuntimeError\)"),
        (Detached, {}, "losses carry no gradients"),
        (lambda: pk.problems.make("c2dtlz2-v1"), {}, "it handles no constraints"),
        (Bowls, {"preferences": [[0.2, 0.3, 0.5]]}, "its preferences have 3 entries, the problem has 2 objectives"),
        (Bowls, {"normalized": True}, "protocol has no ideal and nadir to normalize by"),
        (lambda: pk.problems.MORL("deep-sea-treasure-v0"), {}, "offers no losses with gradients|not all variables"),
    ],
)
def test_problems_that_do_not_fit_are_refused(problem, options, line):
    with pytest.raises(UnsupportedProblemError, match=line):
        run(problem(), **options)


def test_losses_that_are_never_finite_are_named():
    class Broken(Bowls):
        def losses(self, x, rng):
            return super().losses(x, rng) * math.nan

    with pytest.raises(InputError, match="`losses` must be finite at some start"):
        run(Broken())


def test_an_objective_that_nothing_moves_is_named():
    class Still(Bowls):
        objectives = (Objective("moving"), Objective("still"))

        def _evaluate(self, x, rng):
            values = super()._evaluate(x, rng).values
            return Evaluation(torch.stack([values[:, 0], torch.ones_like(values[:, 0])], 1))

    with pytest.raises(InputError, match="`losses` must depend on the variables.*got 'still'"):
        run(Still())


def test_starting_at_an_optimum_is_no_mistake():
    result = run(Bowls(), initial=Bowls.centers[:1], aggregator="MGDA", preferences=1, steps=2)
    torch.testing.assert_close(result.front.x, Bowls.centers[:1])


def test_wrong_shapes_of_losses_are_named():
    class Short(Bowls):
        def losses(self, x, rng):
            return super().losses(x, rng)[:, :1]

    with pytest.raises(ShapeError, match=r"`losses` must have shape \[\d+, 2\]"):
        run(Short())


def test_hyper_parameters_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        pk.solvers.GradientDescent().steps = 3


@pytest.mark.parametrize("name", ["GradientDescent", "ParetoSetModel"])
def test_a_budget_ends_with_the_present_rows_measured_and_counted(name):
    problem, solver = pk.problems.ZDT1(), pk.solvers.make(name, steps=50)
    result = pk.solve(problem, solver, budget=pk.Budget(iterations=5), progress=False)
    assert torch.equal(problem.evaluate(result.state.measured).values, result.state.values)
    assert result.cost.evaluations == 2 * len(result.state.measured)
    first = pk.solve(problem, solver, budget=pk.Budget(iterations=1), progress=False)
    assert not torch.equal(first.state.measured, result.state.measured)
    assert first.cost.evaluations == len(first.state.measured)
