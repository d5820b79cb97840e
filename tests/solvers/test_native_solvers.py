"""The native evolutionary solvers: contracts, twins over whole runs, convergence, bad input."""

import dataclasses

import pytest
import torch
from native_runs import Mixture, lanes, run, run_to, same

from paretokit import problems, solvers
from paretokit.core import (
    Box,
    Evaluation,
    InputError,
    Problem,
    ShapeError,
    UnsupportedProblemError,
    objectives_of,
)
from paretokit.core import _serial as serial
from paretokit.core._kernel import KernelModule
from paretokit.indicators import igd_plus
from paretokit.solvers.evolutionary._genetic import PopulationState
from paretokit.testing import check_solver

SMALL = {
    "NSGA2": solvers.NSGA2(pop_size=20),
    "NSGA3": solvers.NSGA3(partitions=19),
    "MOEAD": solvers.MOEAD(partitions=19, n_neighbors=5),
    "SMSEMOA": solvers.SMSEMOA(pop_size=20),
    "RandomSearch": solvers.RandomSearch(pop_size=20),
    "QuasiRandomSearch": solvers.QuasiRandomSearch(pop_size=16),
}


class Noisy(Problem):
    """Two bowls with noise and its standard error."""

    objectives = objectives_of(2)
    space = Box(-1.0, 1.0, dim=3)
    deterministic = False

    def _evaluate(self, x, rng):
        f = torch.stack([(x - 0.5).square().sum(1), (x + 0.5).square().sum(1)], 1)
        return Evaluation(f + 0.1 * rng.normal(*f.shape), stderr=torch.full_like(f, 0.1))


@pytest.mark.parametrize("name", SMALL)
def test_the_contract(name):
    check_solver(SMALL[name])


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("problem", ["dtlz2-v1", "mixture"])
def test_plain_and_compiled_runs_are_the_same_bits(name, problem, monkeypatch):
    target = Mixture() if problem == "mixture" else problems.make(problem)
    solver = SMALL[name]
    if target.n_objectives == 3 and name in ("NSGA3", "MOEAD"):
        solver = dataclasses.replace(solver, partitions=5)
    with monkeypatch.context() as patch:
        patch.setattr(KernelModule, "worth", lambda self, seconds=0.0: False)
        plain = run(target, solver, 8, 0, 1)
    with monkeypatch.context() as patch:
        patch.setattr(KernelModule, "worth", lambda self, seconds=0.0: True)
        compiled = run(target, solver, 8, 0, 1)
    same(plain, compiled)


@pytest.mark.parametrize("name", SMALL)
def test_members_alone_equal_members_of_a_stack(name):
    problem, solver = Mixture(), SMALL[name]
    stack = run(problem, solver, 10, 3, 4, 5)
    for p, seed in enumerate((3, 4, 5)):
        alone = run(problem, solver, 10, seed)
        assert torch.equal(alone.x[0], stack.x[p])
        assert torch.equal(alone.f[0], stack.f[p])
        for key, tensor in alone.memory.items():
            assert torch.equal(tensor[0], stack.memory[key][p])


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_state_goes_on_bit_for_bit(name):
    problem, solver = Noisy(), SMALL[name]
    tensors = {}
    tree = serial.encode(run(problem, solver, 5, 0, 1), tensors)
    loaded = serial.decode(tree, tensors, serial.known_types(PopulationState))
    resumed = run(problem, solver, 5, state=solver.restore(problem, loaded))
    same(resumed, run(problem, solver, 10, 0, 1))
    assert resumed.stderr is not None
    assert resumed.stderr.shape == resumed.f.shape
    assert solver.fronts(problem, resumed)[0].stderr is not None


@pytest.mark.parametrize("name", SMALL)
def test_mixed_constrained_failing_problems_end_feasible(name):
    problem, solver = Mixture(), SMALL[name]
    state = run_to(problem, solver, 800, 0, 1, 2)
    assert problem.space.contains(state.x).all()
    for front in solver.fronts(problem, state):
        assert torch.isfinite(front.values).all()
        assert (front.x[:, 0] >= 0.5).all()
        if "Random" not in name:
            assert len(front) >= 5
    values = solver.population(state)
    assert torch.equal(torch.isnan(values).any(-1), state.v > 0)
    assert torch.equal(values[~torch.isnan(values)], (state.f * state.signs)[~torch.isnan(values)])


@pytest.mark.parametrize("name", SMALL)
def test_failed_rows_do_not_outlive_finite_ones(name):
    class Failing(Problem):
        objectives = objectives_of(2)
        space = Box(0.0, 1.0, dim=2)

        def _evaluate(self, x, rng):
            bad = x[:, :1] < 0.5
            return Evaluation(torch.where(bad, torch.inf, torch.cat([x[:, :1], 1 - x[:, :1] + x[:, 1:]], 1)))

    state = run_to(Failing(), SMALL[name], 240, 0, 1)
    assert torch.isfinite(state.f).all()
    assert (state.x[..., 0] >= 0.5).all()


def test_a_population_of_failures_goes_on():
    class Broken(Problem):
        objectives = objectives_of(3)
        space = Box(0.0, 1.0, dim=2)

        def _evaluate(self, x, rng):
            return Evaluation(torch.full((len(x), 3), torch.nan, dtype=torch.float64))

    for solver in SMALL.values():
        other = dataclasses.replace(solver, partitions=3) if hasattr(solver, "partitions") else solver
        state = run(Broken(), other, 3, 0)
        assert len(other.fronts(Broken(), state)[0]) == 0
        assert torch.isnan(other.population(state)).all()


# what pymoo's same algorithms reach at these sizes lies below these medians, too
GAPS = {
    ("NSGA2", "zdt1-v1"): 0.02,
    ("NSGA3", "dtlz2-v1"): 0.035,
    ("MOEAD", "dtlz2-v1"): 0.035,
    ("SMSEMOA", "zdt1-v1"): 0.02,
    ("NSGA2", "dtlz2-v1"): 0.06,
}


@pytest.mark.parametrize(("name", "problem"), GAPS)
def test_known_fronts_are_reached(name, problem):
    target = problems.make(problem)
    solver = getattr(solvers, name)()
    state = run_to(target, solver, 10_000 if name == "MOEAD" else 15_000, 0, 1, 2)
    reference = target.pareto_front(500)
    gaps = torch.stack([igd_plus(front.values, reference) for front in solver.fronts(target, state)])
    assert gaps.median() < GAPS[name, problem]


def test_search_beats_chance():
    target = problems.make("zdt1-v1")
    reference = target.pareto_front(500)

    def gap(solver):
        return igd_plus(solver.fronts(target, run(target, solver, 60, 0))[0].values, reference)

    assert gap(SMALL["NSGA2"]) < 0.5 * gap(SMALL["RandomSearch"])


def test_quasi_random_points_fill_space_more_evenly():
    problem = problems.make("dtlz2-v1")
    solver = solvers.QuasiRandomSearch(pop_size=64)
    state = solver.init_stack(problem, lanes(0, 1))
    points = [state.asked]
    state = solver.step(problem, state)
    points.append(solver.ask(problem, state))
    first_two_hundred = torch.cat(points, 1)
    assert not torch.equal(first_two_hundred[0], first_two_hundred[1])
    # a scrambled (t, s)-sequence puts exactly one of 2^k points into each of 2^k intervals of every axis
    cells = (first_two_hundred * 128).floor().sort(1).values
    assert torch.equal(cells, torch.arange(128.0, dtype=torch.float64).view(1, -1, 1).expand_as(cells))


VARIATION = {
    "crossover_prob": 0.3,
    "crossover_var_prob": 0.9,
    "crossover_eta": 3.0,
    "mutation_prob": 0.2,
    "mutation_var_prob": 0.5,
    "mutation_eta": 5.0,
}
CHANGES = {
    "NSGA2": {**VARIATION, "pop_size": 16, "eliminate_duplicates": False},
    "NSGA3": {**VARIATION, "pop_size": 24, "partitions": 15, "eliminate_duplicates": False},
    "MOEAD": {
        **VARIATION,
        "partitions": 15,
        "decomposition": "pbi",
        "n_neighbors": 9,
        "n_offspring": 7,
        "neighbor_mating_prob": 0.1,
    },
    "SMSEMOA": {
        **VARIATION,
        "pop_size": 16,
        "n_offspring": 3,
        "reference_offset": 0.0,
        "eliminate_duplicates": False,
    },
    "RandomSearch": {"pop_size": 16},
    "QuasiRandomSearch": {"pop_size": 20},
}


@pytest.mark.parametrize(("name", "option"), [(name, option) for name, given in CHANGES.items() for option in given])
def test_every_hyper_parameter_changes_the_run(name, option):
    problem = problems.make("zdt1-v1", n_variables=3)
    changed = dataclasses.replace(SMALL[name], **{option: CHANGES[name][option]})
    first, second = (run(problem, solver, 25, 0).f for solver in (SMALL[name], changed))
    assert first.shape != second.shape or not torch.equal(first, second)


def test_theta_changes_pbi_and_given_directions_replace_the_lattice():
    problem = problems.make("dtlz2-v1")
    base = solvers.MOEAD(partitions=3, n_neighbors=4)
    assert not torch.equal(run(problem, base, 30, 0).f, run(problem, dataclasses.replace(base, theta=0.5), 30, 0).f)
    rows = base.weights(problem)
    for given in (rows, rows.tolist(), tuple(map(tuple, rows.tolist()))):
        same(run(problem, solvers.MOEAD(reference_directions=given, n_neighbors=4), 5, 0), run(problem, base, 5, 0))
    three = solvers.NSGA3(reference_directions=rows)
    same(run(problem, three, 5, 0), run(problem, solvers.NSGA3(partitions=3), 5, 0))
    assert solvers.NSGA3(partitions=(3, 2)).size(problem) == 10 + 6


def test_initial_rows_are_evaluated_first_and_more_than_fit_are_cut_by_survival():
    problem = problems.make("zdt1-v1", n_variables=4)
    best = torch.cat([torch.linspace(0, 1, 30).view(-1, 1), torch.zeros(30, 3)], 1).double()
    for name in ("NSGA2", "NSGA3", "MOEAD", "SMSEMOA", "RandomSearch"):
        solver = SMALL[name]
        few = solver.init_stack(problem, lanes(0, 1), initial=best[:5])
        assert torch.equal(few.asked[1, :5], best[:5])
        assert few.asked.shape == (2, 20, 4)
        many = solver.step(problem, solver.init_stack(problem, lanes(0), initial=best))
        assert many.x.shape == (1, 20, 4)
        assert many.evaluations == 30
        assert (many.x[..., 1:] == 0).all()


def test_single_precision_problems_get_what_they_can_hold():
    problem = problems.make("zdt1-v1", n_variables=4).to(dtype=torch.float32)
    solver = SMALL["NSGA2"]
    state = run(problem, solver, 10, 0)
    assert solver.ask(problem, state).dtype == torch.float32
    front = solver.front(problem, state)
    assert front.x.dtype == front.values.dtype == torch.float32
    assert torch.equal(problem.evaluate(front.x).values, front.values)


BAD = [
    (lambda: solvers.NSGA2(pop_size=1), "`pop_size` must be at least 2; got 1"),
    (lambda: solvers.NSGA2(crossover_prob=1.5), r"`crossover_prob` must lie in \[0, 1\]; got 1.5"),
    (lambda: solvers.NSGA2(crossover_var_prob=-0.1), r"`crossover_var_prob` must lie in \[0, 1\]"),
    (lambda: solvers.NSGA2(crossover_eta=-1.0), "`crossover_eta` must be at least 0; got -1.0"),
    (lambda: solvers.SMSEMOA(mutation_prob=float("nan")), "`mutation_prob` must be a number; got nan"),
    (lambda: solvers.SMSEMOA(mutation_var_prob=2.0), r"`mutation_var_prob` must lie in \[0, 1\]; got 2.0"),
    (lambda: solvers.SMSEMOA(mutation_eta=-2.0), "`mutation_eta` must be at least 0; got -2.0"),
    (lambda: solvers.SMSEMOA(pop_size=0), "`pop_size` must be at least 2; got 0"),
    (lambda: solvers.SMSEMOA(n_offspring=0), "`n_offspring` must be at least 1; got 0"),
    (lambda: solvers.SMSEMOA(reference_offset=-1.0), "`reference_offset` must be at least 0; got -1.0"),
    (lambda: solvers.NSGA3(pop_size=1), "`pop_size` must be at least 2; got 1"),
    (lambda: solvers.NSGA3(partitions=0), "`partitions` must be a whole number of at least 1"),
    (lambda: solvers.NSGA3(partitions=(3, 2, 1)), "`partitions` must be a whole number of at least 1"),
    (lambda: solvers.NSGA3(reference_directions=[1.0, 2.0]), r"`reference_directions` must have shape \[k, m\]"),
    (lambda: solvers.NSGA3(reference_directions=[[0.0, 0.0]]), "`reference_directions` must be finite, at least 0"),
    (lambda: solvers.NSGA3(reference_directions=((1.0, -1.0),)), "`reference_directions` must be finite, at least 0"),
    (lambda: solvers.NSGA3(reference_directions=[[1.0, 0.0]], partitions=3), "`partitions` must be left out"),
    (lambda: solvers.MOEAD(reference_directions=[[1.0, 0.0]], partitions=3), "`partitions` must be left out"),
    (lambda: solvers.MOEAD(decomposition="pbbi"), "`decomposition` must be one of .*'pbbi' .did you mean 'pbi'"),
    (lambda: solvers.MOEAD(theta=-1.0), "`theta` must be at least 0; got -1.0"),
    (lambda: solvers.MOEAD(n_neighbors=1), "`n_neighbors` must be at least 2; got 1"),
    (lambda: solvers.MOEAD(n_offspring=0), "`n_offspring` must be at least 1; got 0"),
    (lambda: solvers.MOEAD(neighbor_mating_prob=1.1), r"`neighbor_mating_prob` must lie in \[0, 1\]; got 1.1"),
    (lambda: solvers.RandomSearch(pop_size=1), "`pop_size` must be at least 2; got 1"),
    (lambda: solvers.QuasiRandomSearch(pop_size=1), "`pop_size` must be at least 2; got 1"),
]


@pytest.mark.parametrize(("build", "line"), BAD)
def test_bad_hyper_parameters_get_one_line(build, line):
    with pytest.raises((InputError, ShapeError), match=line) as caught:
        build()
    assert "\n" not in str(caught.value)


def test_problems_that_do_not_fit_are_refused_by_name():
    from paretokit.core import Sequences

    three, two = problems.make("dtlz2-v1"), problems.make("zdt1-v1")
    with pytest.raises(UnsupportedProblemError, match="reference directions have 3 columns, the problem has 2"):
        solvers.NSGA3(reference_directions=[[1.0, 1.0, 1.0]]).check(two)
    with pytest.raises(UnsupportedProblemError, match="pop_size 50 is below the number of reference directions, 91"):
        solvers.NSGA3(pop_size=50).check(three)
    with pytest.raises(UnsupportedProblemError, match="it needs at least two subproblems"):
        solvers.MOEAD(reference_directions=[[1.0, 1.0]]).check(two)

    class Words(Mixture):
        space = Sequences("AC", 1, 3)

    with pytest.raises(UnsupportedProblemError, match="independent columns, not Sequences"):
        solvers.QuasiRandomSearch().check(Words())
    with pytest.raises(ShapeError, match=r"`initial` must have shape \[n, 30\]"):
        SMALL["NSGA2"].init_stack(two, lanes(0), initial=torch.zeros(3, 4))


def test_tell_without_ask_answers_the_same_question():
    problem, solver = problems.make("zdt1-v1"), SMALL["NSGA2"]
    state, twin = run(problem, solver, 3, 0), run(problem, solver, 3, 0)
    answer = problem.evaluate(solver.ask(problem, twin))
    same(solver.tell(problem, state, answer), solver.tell(problem, twin, answer))
