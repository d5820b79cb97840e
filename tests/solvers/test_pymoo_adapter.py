import inspect
import pkgutil
import random

import numpy as np
import pytest
import torch
from foreign_problems import (
    POINTS,
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
    small,
)

from paretokit.core import (
    AskTell,
    Box,
    CheckpointError,
    Integers,
    Objective,
    ParetoError,
    Problem,
    Rng,
    ShapeError,
    UnsupportedProblemError,
)
from paretokit.solvers.evolutionary._foreign import FAILED
from paretokit.solvers.evolutionary._pymoo import pymoo
from paretokit.solvers.evolutionary._pymoo_build import directions, load
from paretokit.solvers.evolutionary._pymoo_table import ALGORITHMS, EXCLUDED

NAMES = sorted(ALGORITHMS)


def test_every_algorithm_that_pymoo_ships_is_offered_or_excluded():
    import importlib

    import pymoo.algorithms.moo as package
    from pymoo.core.algorithm import Algorithm

    found = set()
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        members = vars(importlib.import_module(module.name)).values()
        found |= {
            c.__name__
            for c in members
            if inspect.isclass(c) and issubclass(c, Algorithm) and c.__module__ == module.name
        }
    assert found == set(ALGORITHMS) | set(EXCLUDED)


@pytest.mark.parametrize("name", NAMES)
def test_beats_random_search_by_a_third_and_repeats_itself(name):
    problem = Curve()
    solver = small(name)
    state = run(solver, problem, 12)
    front = solver.front(problem, state)
    spent = solver.cost(state).evaluations
    assert spent == problem.rows == state.log.rows
    assert curve_gap(front.values) < 0.67 * curve_gap(random_front(problem, spent).values)
    again = run(solver, problem, 12)
    assert torch.equal(solver.front(problem, again).values, front.values)
    assert all(torch.equal(a, b) for a, b in zip(logged(state), logged(again), strict=True))
    other = run(solver, problem, 2, seed=4)
    assert not torch.equal(logged(other)[0][:10], logged(state)[0][:10])


@pytest.mark.parametrize("name", NAMES)
def test_resumes_bit_for_bit_without_evaluating_again(name, tmp_path):
    problem, solver = Noisy(), small(name)
    assert solver.resume_note == "exact"
    whole = run(solver, problem, 6)
    half = run(solver, problem, 3)
    before = problem.rows
    half = reloaded(solver, problem, half, tmp_path)
    assert problem.rows == before
    for _ in range(3):
        half = solver.step(problem, half)
    assert all(torch.equal(a, b) for a, b in zip(logged(whole), logged(half), strict=True))
    ours, theirs = solver.front(problem, whole), solver.front(problem, half)
    assert torch.equal(ours.values, theirs.values)
    assert torch.equal(ours.x, theirs.x)


def theirs(problem, name, generations, seed):
    """The last population of pymoo's own loop."""
    from pymoo.core.problem import Problem as Foreign

    class Copy(Foreign):
        def __init__(self):
            super().__init__(n_var=6, n_obj=2, xl=np.zeros(6), xu=np.ones(6))

        def _evaluate(self, x, out, *args, **kwargs):
            out["F"] = curve(torch.from_numpy(np.asarray(x, dtype=float))).numpy()

    solver = small(name)
    options = {k: v for k, v in solver.options.items() if k not in ("n_max_gen", "partitions")}
    if "partitions" in solver.options:
        options["ref_dirs"] = directions(2, solver.options)
    if "ref_points" in options:
        options["ref_points"] = np.array(options["ref_points"])
    if name == "SPEA2":
        from pymoo.algorithms.moo.spea2 import SPEA2Survival

        options["survival"] = SPEA2Survival(normalize=True)
    algorithm = load(ALGORITHMS[name].path)(**options)
    with np.errstate(all="ignore"):
        algorithm.setup(Copy(), termination=("n_gen", generations), seed=seed, verbose=False)
        while algorithm.has_next():
            algorithm.next()
    return algorithm.archive if name == "MOPSO_CD" else algorithm.pop


@pytest.mark.parametrize("name", [n for n in NAMES if n != "CMOPSO"])
def test_equals_calling_pymoo_with_the_same_seed(name):
    problem, solver = Curve(), small(name)
    generations = 12 if name == "RVEA" else 5
    state = run(solver, problem, generations)
    population = theirs(problem, name, generations, Rng.from_seed(3).child("pymoo").seed32)
    chosen = state.live.algorithm.archive if name == "MOPSO_CD" else state.live.algorithm.pop
    assert np.array_equal(np.array([i.F for i in chosen]), np.array([i.F for i in population]))
    assert np.array_equal(np.array([i.X for i in chosen]), np.array([i.X for i in population]))


def test_cmopso_repeats_here_because_its_truncation_is_seeded():
    first, second = (theirs(Curve(), "CMOPSO", 40, 1).get("F") for _ in range(2))
    assert not np.array_equal(first, second)  # pymoo asks the system for a seed when it truncates
    problem, solver = Curve(), small("CMOPSO")
    one, two = (run(solver, problem, 40) for _ in range(2))
    assert torch.equal(one.log.out, two.log.out)


@pytest.mark.parametrize("name", ["NSGA3", "UNSGA3", "CTAEA", "NSDER", "SMSEMOA", "AGEMOEA2", "MOEAD", "RVEA"])
def test_approaches_a_front_of_three_objectives(name):
    problem = Sphere()
    options = {"partitions": 6} if "partitions" in ALGORITHMS[name].options else {"pop_size": 28}
    solver = pymoo(name, **(options | ({"n_max_gen": 25} if name == "RVEA" else {})))
    state = run(solver, problem, 25)
    gap = solver.front(problem, state).values.norm(dim=-1).mean() - 1
    assert gap < 0.5 * (random_front(problem, state.log.rows).values.norm(dim=-1).mean() - 1)


@pytest.mark.parametrize("name", NAMES)
def test_failed_rows_neither_crash_nor_enter_the_front(name):
    problem, solver = Patchy(), small(name)
    state = run(solver, problem, 6)
    front = solver.front(problem, state)
    x, out = logged(state)
    failed = (out >= FAILED).all(-1)
    assert bool(failed.any())
    assert torch.equal(failed, ~torch.isfinite(problem.evaluate(x).values).all(-1))
    assert len(front) >= 1
    assert bool(torch.isfinite(front.values).all())
    assert torch.equal(problem.evaluate(front.x).values, front.values)


@pytest.mark.parametrize("name", NAMES)
def test_constraints_are_kept_or_refused(name):
    problem = Halved()
    if not ALGORITHMS[name].constraints:
        with pytest.raises(UnsupportedProblemError, match=f"pymoo.{name} cannot solve Halved: it handles no constr"):
            run(small(name), problem, 1)
        return
    solver = small(name)
    front = solver.front(problem, run(solver, problem, 12))
    assert len(front) >= 1
    assert bool((front.x[:, 0] >= 0.5).all())
    assert curve_gap(front.values) < curve_gap(random_front(problem, 480).values)


@pytest.mark.parametrize("name", NAMES)
def test_whole_columns_and_categories_are_varied_or_refused(name):
    problem = Counted()
    if ALGORITHMS[name].kinds == 2:
        problem = Catalog()
    else:
        with pytest.raises(UnsupportedProblemError, match="no unordered categories, and column 5 is one"):
            run(small(name), Catalog(), 1)
    solver = small(name)
    state = run(solver, problem, 12)
    front = solver.front(problem, state)
    x = problem.space.project(logged(state)[0])
    for column in range(problem.space.dim):
        if problem.space.kinds[column]:
            lower, upper = (int(b[column]) for b in (problem.space.lower, problem.space.upper))
            seen = x[:, column].unique().tolist()
            assert set(seen) <= set(range(lower, upper + 1))
            assert len(seen) >= upper - lower
    assert bool(problem.space.contains(front.x).all())
    middle = random_front(problem, state.log.rows).values.sum(-1).mean() - 1
    assert front.values.sum(-1).mean() - 1 < middle


def test_senses_are_flipped_once_and_reference_points_are_the_users():
    straight = run(pymoo("RNSGA2", ref_points=POINTS, pop_size=40), Curve(), 5)
    flipped = [[a, -b] for a, b in POINTS]
    solver, problem = pymoo("RNSGA2", ref_points=flipped, pop_size=40), Mirrored()
    mirrored = run(solver, problem, 5)
    assert torch.equal(straight.log.x, mirrored.log.x)
    assert bool((solver.front(problem, mirrored).values[:, 1] <= 0).all())


@pytest.mark.parametrize("name", ["NSGA2", "MOEAD", "MOPSO_CD", "CMOPSO", "GDE3"])
def test_initial_rows_come_first_and_are_moved_into_the_space(name):
    problem, solver = Curve(), small(name)
    given = torch.rand(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    given[0, 0] = 1.5
    state = run(solver, problem, 1, initial=given)
    assert torch.equal(logged(state)[0][:5], problem.space.project(given))
    assert state.log.rows == 40
    crowd = problem.space.sample(100, Rng.from_seed(0))
    assert run(solver, problem, 1, initial=crowd).log.rows == 40


def test_initial_rows_survive_a_checkpoint(tmp_path):
    problem, solver = Curve(), small("NSGA2")
    given = problem.space.sample(3, Rng.from_seed(8))
    whole = run(solver, problem, 4, initial=given)
    half = reloaded(solver, problem, run(solver, problem, 2, initial=given), tmp_path)
    for _ in range(2):
        half = solver.step(problem, half)
    assert torch.equal(logged(half)[0], logged(whole)[0])


@pytest.mark.parametrize("name", ["NSGA3", "MOEAD"])
def test_ask_and_tell_do_what_step_does(name):
    problem, solver = Curve(), small(name)
    assert isinstance(solver, AskTell)
    stepped = run(solver, problem, 3)
    state = solver.init(problem, Rng.from_seed(3))
    while state.log.rows < stepped.log.rows:
        x = solver.ask(problem, state)
        assert torch.equal(x, solver.ask(problem, state))
        state = solver.tell(problem, state, problem.evaluate(x))
    assert torch.equal(state.log.out, stepped.log.out)
    with pytest.raises(ShapeError, match="`evaluation` must hold"):
        solver.tell(problem, state, problem.evaluate(problem.space.sample(7, Rng.from_seed(0))))


def test_a_step_that_user_code_broke_can_be_taken_again():
    solver = small("NSGA2")
    problem = Breaking(3)
    state = run(solver, problem, 2)
    with pytest.raises(ZeroDivisionError):
        solver.step(problem, state)
    state = solver.step(problem, state)
    assert torch.equal(state.log.out, run(solver, Curve(), 3).log.out)


def test_rvea_is_done_when_its_schedule_is_over():
    problem, solver = Curve(), small("RVEA")
    assert not solver.done(run(solver, problem, 11))
    state = run(solver, problem, 12)
    assert solver.done(state)
    rows = state.log.rows
    assert solver.step(problem, state).log.rows == rows
    with pytest.raises(ParetoError, match="RVEA has finished"):
        solver.ask(problem, state)


class Four(Problem):
    """Only four decisions."""

    objectives = (Objective("f1"), Objective("f2"))
    space = Integers(0, 1, dim=2)

    def _evaluate(self, x, rng):
        from paretokit.core import Evaluation

        return Evaluation(torch.stack([x.sum(-1), 2 - x.sum(-1)], -1))


def test_a_method_without_new_decisions_is_done_and_still_resumes(tmp_path):
    problem, solver = Four(), pymoo("NSGA2", pop_size=8)
    state = run(solver, problem, 3)
    assert solver.done(state)
    assert state.log.rows <= 4
    assert len(solver.front(problem, reloaded(solver, problem, state, tmp_path))) == 3


def test_another_log_than_the_algorithms_own_is_refused_by_name(tmp_path):
    problem, solver = Curve(), small("NSGA2")
    state = run(solver, problem, 3)
    state.log.x[50, 0] += 1e-9
    with pytest.raises(CheckpointError, match=r"pymoo\.NSGA2 does not replay: row 40 differs"):
        reloaded(solver, problem, state, tmp_path)
    state = run(solver, problem, 3)
    state.log.rows -= 1
    with pytest.raises(CheckpointError, match=r"pymoo\.NSGA2 does not replay"):
        solver.restore(problem, state)


def test_no_global_generator_is_read_or_written():
    problem = Curve()
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    logs = []
    for _ in range(2):
        logs.append([run(small(name), problem, 3).log.out for name in ("CMOPSO", "NSGA3", "CTAEA", "MOPSO_CD")])
        assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    assert all(torch.equal(a, b) for a, b in zip(*logs, strict=True))


def test_one_run_leaves_nothing_behind_for_the_next():
    problem, solver = Curve(), small("SPEA2")
    alone = run(solver, problem, 4)
    run(solver, Mirrored(), 4, seed=9)
    assert torch.equal(run(solver, problem, 4).log.out, alone.log.out)


def test_one_objective_and_misshapen_initial_rows_are_refused():
    class Single(Curve):
        objectives = (Objective("f"),)

    with pytest.raises(UnsupportedProblemError, match="it needs at least two objectives"):
        run(small("NSGA2"), Single(), 1)
    with pytest.raises(ShapeError, match=r"`initial` must have shape \[n, 6\]; got \(3, 2\)"):
        run(small("NSGA2"), Curve(), 1, initial=torch.zeros(3, 2))


def test_a_front_before_the_first_step_is_empty():
    problem, solver = Curve(), small("NSGA2")
    state = solver.init(problem, Rng.from_seed(0))
    assert len(solver.front(problem, state)) == 0
    assert solver.cost(state).evaluations == 0


def test_float32_problems_are_solved_inside_their_bounds():
    problem = Curve().to(dtype=torch.float32)
    solver = small("NSGA2")
    front = solver.front(problem, run(solver, problem, 3))
    assert front.values.dtype == front.x.dtype == torch.float32
    assert bool(Box(0.0, 1.0, dim=6).contains(front.x).all())
