import inspect
import random
import re

import numpy as np
import pygmo as pg
import pytest
import torch
from foreign_problems import (
    Breaking,
    Catalog,
    Counted,
    Curve,
    Halved,
    Mirrored,
    Noisy,
    Patchy,
    Sphere,
    curve,
    curve_gap,
    logged,
    random_front,
    reloaded,
    run,
)

from paretokit.core import (
    AskTell,
    CheckpointError,
    InputError,
    Rng,
    ShapeError,
    UnknownNameError,
    UnsupportedProblemError,
)
from paretokit.solvers.evolutionary._foreign import FAILED
from paretokit.solvers.evolutionary._pygmo import ALGORITHMS, PygmoSolver, pygmo

NAMES = sorted(ALGORITHMS)
STEPS = 16


def small(name, **more):
    """The algorithm with forty rows a generation."""
    options = {"pop_size": 40} | ({"ker": 20} if name == "maco" else {"gen": 40} if name == "ihs" else {})
    return pygmo(name, **(options | more))


def test_every_algorithm_that_solves_multi_objective_problems_is_offered():
    """Whatever pygmo ships is tried on two objectives; those that refuse are single-objective."""
    solving = set()
    wrappers = {"algorithm", "mbh", "cstrs_self_adaptive", "null_algorithm", "scipy_optimize"}
    for name, found in vars(pg).items():
        if not inspect.isclass(found) or name in wrappers or not hasattr(found, "get_log"):
            continue
        population = pg.population(pg.problem(pg.zdt(1, param=4)), size=100, seed=1)
        try:
            pg.algorithm(found(**({"memory": True} if name == "maco" else {}))).evolve(population)
        except (ValueError, NotImplementedError):
            continue
        solving.add(name)
    assert solving == set(ALGORITHMS)


def test_every_option_of_pygmo_but_the_seed_is_taken():
    for name, entry in ALGORITHMS.items():
        signature = re.match(r"__init__\((.*?)\)\n", getattr(pg, name).__doc__, re.DOTALL).group(1)
        theirs = {part.split("=")[0].strip() for part in signature.split(",")} - {"seed"}
        assert set(entry.options) == theirs | {"pop_size"}, name


@pytest.mark.parametrize("name", NAMES)
def test_beats_random_search_by_a_tenth_and_repeats_itself(name):
    problem, solver = Curve(), small(name)
    state = run(solver, problem, STEPS)
    front, spent = solver.front(problem, state), solver.cost(state).evaluations
    assert spent == problem.rows == state.log.rows == 40 * STEPS
    assert curve_gap(front.values) < 0.9 * curve_gap(random_front(problem, spent).values)
    again = run(solver, problem, STEPS)
    assert torch.equal(solver.front(problem, again).values, front.values)
    assert all(torch.equal(a, b) for a, b in zip(logged(state), logged(again), strict=True))
    assert not torch.equal(logged(run(solver, problem, 1, seed=4))[0], logged(state)[0][:40])


@pytest.mark.parametrize("name", ["nsga2", "nsga3", "maco", "ihs", "moead"])
def test_approaches_a_front_of_three_objectives(name):
    problem, solver = Sphere(), pygmo(name)
    state = run(solver, problem, 20)
    gap = solver.front(problem, state).values.norm(dim=-1).mean() - 1
    assert gap < 0.75 * (random_front(problem, state.log.rows).values.norm(dim=-1).mean() - 1)


@pytest.mark.parametrize("name", NAMES)
def test_resumes_bit_for_bit_without_evaluating_again(name, tmp_path):
    problem, solver = Noisy(), small(name)
    assert solver.resume_note == "exact"
    whole, half = run(solver, problem, 8), run(solver, problem, 4)
    before = problem.rows
    half = reloaded(solver, problem, half, tmp_path)
    assert problem.rows == before
    for _ in range(4):
        half = solver.step(problem, half)
    assert all(torch.equal(a, b) for a, b in zip(logged(whole), logged(half), strict=True))
    ours, theirs = solver.front(problem, whole), solver.front(problem, half)
    assert torch.equal(ours.values, theirs.values)
    assert torch.equal(ours.x, theirs.x)


class Direct:
    """The curve as pygmo's users write it."""

    def fitness(self, x):
        return curve(torch.from_numpy(np.asarray(x)[None])).numpy()[0]

    def get_nobj(self):
        return 2

    def get_bounds(self):
        return [0.0] * 6, [1.0] * 6


def direct(name, calls, rng, **options):
    """The population after calling pygmo itself, one algorithm object kept."""
    population = pg.population(pg.problem(Direct()), size=0, seed=rng.child("population").seed32 & 0x7FFFFFFF)
    for _ in range(40):
        population.push_back(population.random_decision_vector())
    algorithm = pg.algorithm(getattr(pg, name)(seed=rng.child("pygmo").seed32 & 0x7FFFFFFF, **options))
    for _ in range(calls):
        population = algorithm.evolve(population)
    return population


@pytest.mark.parametrize("name", NAMES)
def test_equals_calling_pygmo_with_the_same_seed(name):
    problem, solver = Curve(), small(name)
    state = run(solver, problem, 7)
    options = {"gen": 1, **ALGORITHMS[name].defaults, **solver.options}
    del options["pop_size"]
    theirs = direct(name, 6, Rng.from_seed(3), **options)
    assert np.array_equal(state.live.population.get_x(), theirs.get_x())
    assert np.array_equal(state.live.population.get_f(), theirs.get_f())


def test_single_generations_of_nspso_are_one_long_call():
    """What the default `memory` is for: velocities and best places outlive a call."""
    problem = Curve()
    single, long = run(small("nspso"), problem, 11), run(small("nspso", gen=10), problem, 2)
    assert torch.equal(logged(single)[0], logged(long)[0])
    forgetful = run(small("nspso", memory=False), problem, 11)
    assert not torch.equal(logged(single)[0], logged(forgetful)[0])


def test_rows_are_evaluated_in_batches_where_pygmo_offers_them():
    problem = Curve()
    run(small("nsga2"), problem, 5)
    assert problem.calls == 5
    problem = Curve()
    run(small("moead"), problem, 5)
    assert problem.calls == 1 + 4 * 40


@pytest.mark.parametrize("name", NAMES)
def test_failed_rows_neither_crash_nor_enter_the_front(name):
    problem, solver = Patchy(), small(name)
    state = run(solver, problem, 8)
    front = solver.front(problem, state)
    x, out = logged(state)
    failed = (out >= FAILED).all(-1)
    assert bool(failed.any())
    assert torch.equal(failed, ~torch.isfinite(problem.evaluate(x).values).all(-1))
    assert len(front) >= 1
    assert torch.equal(problem.evaluate(front.x).values, front.values)


@pytest.mark.parametrize("name", NAMES)
def test_constraints_are_refused(name):
    with pytest.raises(UnsupportedProblemError, match=f"pygmo.{name} cannot solve Halved: it handles no constraints"):
        run(small(name), Halved(), 1)


@pytest.mark.parametrize("name", NAMES)
def test_whole_columns_are_varied_or_refused(name):
    problem, solver = Counted(), small(name)
    if not ALGORITHMS[name].kinds:
        with pytest.raises(UnsupportedProblemError, match="it varies real numbers only, and column 0 is whole"):
            run(solver, problem, 1)
        return
    with pytest.raises(UnsupportedProblemError, match="no unordered categories, and column 5 is one"):
        run(solver, Catalog(), 1)
    state = run(solver, problem, STEPS)
    x, front = logged(state)[0], solver.front(problem, state)
    assert bool(problem.space.contains(x).all())
    assert len(x[:, 0].unique()) >= 9
    assert set(x[:, 4].tolist()) == {0.0, 1.0}
    middle = random_front(problem, 40).values.sum(-1).mean() - 1
    assert front.values.sum(-1).mean() - 1 < middle


def test_senses_are_flipped_once():
    straight = run(small("nsga2"), Curve(), 5)
    mirrored = run(small("nsga2"), Mirrored(), 5)
    assert torch.equal(straight.log.x, mirrored.log.x)
    assert bool((small("nsga2").front(Mirrored(), mirrored).values[:, 1] <= 0).all())


def test_initial_rows_come_first_and_survive_a_checkpoint(tmp_path):
    problem, solver = Counted(), small("nsga2")
    given = problem.space.sample(5, Rng.from_seed(0))
    given[0, 0] = 99.0
    whole = run(solver, problem, 4, initial=given)
    assert torch.equal(logged(whole)[0][:5], problem.space.project(given))
    half = reloaded(solver, problem, run(solver, problem, 2, initial=given), tmp_path)
    for _ in range(2):
        half = solver.step(problem, half)
    assert torch.equal(logged(half)[0], logged(whole)[0])


@pytest.mark.parametrize(("name", "at"), [("nsga2", 3), ("moead", 60), ("ihs", 60)])
def test_a_step_that_user_code_broke_can_be_taken_again(name, at):
    problem, solver = Breaking(at), small(name)
    state = run(solver, problem, 2)
    for _ in range(2):
        try:
            state = solver.step(problem, state)
        except ZeroDivisionError:
            assert state.live is None
            assert state.log.rows == 80
            break
    else:
        state = None
    if state is None:  # the failure came earlier, in the second step
        pytest.fail("user code's error did not come through")
    state = solver.step(problem, state)
    assert torch.equal(logged(state)[1], logged(run(solver, Curve(), 3))[1])


def test_another_log_than_the_algorithms_own_is_refused_by_name(tmp_path):
    problem, solver = Curve(), small("nspso")
    state = run(solver, problem, 3)
    state.log.x[50, 0] += 1e-9
    with pytest.raises(CheckpointError, match=r"pygmo\.nspso does not replay: row 40 differs"):
        reloaded(solver, problem, state, tmp_path)
    state = run(solver, problem, 3)
    state.steps -= 1
    with pytest.raises(CheckpointError, match=r"pygmo\.nspso does not replay: it stops at row 80 of 120"):
        solver.restore(problem, state)


def test_no_global_generator_is_read_or_written():
    def globals_now():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002

    before, logs = globals_now(), []
    for seed in (1, 2):
        pg.set_global_rng_seed(seed)
        logs.append([logged(run(small(name), Curve(), 4))[1] for name in NAMES])
    assert globals_now() == before
    assert all(torch.equal(a, b) for a, b in zip(*logs, strict=True))


def test_default_sizes_suit_the_number_of_objectives():
    for name in NAMES:
        for problem, sizes in ((Curve(), {100}), (Sphere(), {100, 105})):
            assert run(pygmo(name), problem, 1).log.rows in sizes
    assert run(pygmo("nsga3", divisions=14), Sphere(), 1).log.rows == 120


def test_a_front_before_the_first_step_is_empty():
    problem, solver = Curve(), small("nsga2")
    state = solver.init(problem, Rng.from_seed(0))
    assert len(solver.front(problem, state)) == 0
    assert solver.cost(state).evaluations == 0
    assert not solver.done(state)
    assert not isinstance(solver, AskTell)


def test_options_are_kept_as_plain_data():
    solver = pygmo("nsga2", pop_size=40, cr=np.float64(0.9))
    assert solver.config() == {"pop_size": 40, "cr": 0.9}
    assert solver == PygmoSolver(algorithm="nsga2", options=solver.config())
    assert solver.name == "pygmo.nsga2"


@pytest.mark.parametrize(
    ("make", "error", "line"),
    [
        (lambda: pygmo("nsga"), UnknownNameError, "`pygmo algorithm` must be a known name; got 'nsga' .did you mean"),
        (lambda: pygmo("nsga2", population=3), UnknownNameError, "pygmo's nsga2 has no option 'population'"),
        (lambda: pygmo("nsga2", seed=3), UnknownNameError, "pygmo's nsga2 has no option 'seed'"),
        (lambda: pygmo("nsga2", gen=0), InputError, "`gen` must be a whole number of at least 1; got 0"),
        (lambda: pygmo("nsga2", pop_size=1.5), InputError, "`pop_size` must be a whole number of at least 1; got 1.5"),
    ],
)
def test_wrong_names_and_options_get_one_line(make, error, line):
    with pytest.raises(error, match=line):
        make()


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("nsga2", {"cr": 2.0}, "pygmo's nsga2 refuses its options: .*crossover probability"),
        ("nsga2", {"cr": "high"}, "pygmo's nsga2 refuses its options"),
        ("nsga2", {"pop_size": 4}, "pygmo's nsga2 refuses the run: .*at least 5"),
        ("moead", {"pop_size": 40}, "pygmo's moead refuses the run: Population size of 40 .* 36 or 45 is possible"),
        ("maco", {"pop_size": 40}, "pygmo's maco refuses the run: .*archive bigger than the population"),
    ],
)
def test_what_pygmo_refuses_is_said_in_its_own_words(name, options, line):
    with pytest.raises(InputError, match=line):
        run(pygmo(name, **options), Sphere(), 2)


def test_misshapen_initial_rows_are_refused():
    with pytest.raises(ShapeError, match=r"`initial` must have shape \[n, 6\]; got \(3, 2\)"):
        run(small("nsga2"), Curve(), 1, initial=torch.zeros(3, 2))
