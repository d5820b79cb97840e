import inspect
import pkgutil
import random

import numpy as np
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
    Box,
    CheckpointError,
    InputError,
    Integers,
    Objective,
    ParetoError,
    Problem,
    Rng,
    ShapeError,
    UnknownNameError,
    UnsupportedProblemError,
)
from paretokit.solvers.evolutionary._foreign import FAILED
from paretokit.solvers.evolutionary._pymoo import PymooSolver, pymoo
from paretokit.solvers.evolutionary._pymoo_build import directions, load
from paretokit.solvers.evolutionary._pymoo_table import ALGORITHMS, EXCLUDED, OPERATORS

POINTS = [[0.25, 0.5], [0.7, 0.2]]
REQUIRED = {
    "RVEA": {"n_max_gen": 12},
    "RNSGA2": {"ref_points": POINTS},
    "RNSGA3": {"ref_points": POINTS, "pop_per_ref_point": 20},
}
NAMES = sorted(ALGORITHMS)


def small(name, **more):
    """The algorithm with about forty rows a generation."""
    entry, options = ALGORITHMS[name], dict(REQUIRED.get(name, {}))
    if "partitions" in entry.options:
        options["partitions"] = 39
    elif "pop_size" in entry.options:
        options["pop_size"] = 40
    return pymoo(name, **(options | more))


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


@pytest.mark.parametrize(
    ("m", "options", "count"),
    [(2, {}, 100), (3, {}, 91), (4, {}, 120), (5, {}, 126), (8, {}, 156), (12, {}, 90), (3, {"partitions": 4}, 15)],
)
def test_default_directions_are_weights_of_the_published_number(m, options, count):
    rows = directions(m, options)
    assert rows.shape == (count, m)
    assert np.allclose(rows.sum(1), 1)
    assert len(np.unique(rows.round(9), axis=0)) == count


VALUES = {
    "CR": 0.3,
    "F": 0.6,
    "adapt_freq": 0.5,
    "alpha": 1.0,
    "archive_size": 20,
    "c1": 1.0,
    "c2": 1.0,
    "crossover": {"name": "SBX", "eta": 5},
    "de_repair": "to-bounds",
    "decomposition": "PBI",
    "delta": 0.1,
    "eliminate_duplicates": False,
    "elite_size": 5,
    "epsilon": 0.5,
    "extreme_points_as_reference_points": True,
    "gamma": 0.5,
    "initial_velocity": "zero",
    "max_velocity_rate": 0.05,
    "mu": 0.5,
    "mutation": {"name": "PM", "eta": 3},
    "mutation_rate": 1.0,
    "n_max_gen": 6,
    "n_neighbors": 5,
    "n_offsprings": 16,
    "normalization": "ever",
    "normalize": False,
    "obj_crowding": False,
    "partitions": 30,
    "pop_per_ref_point": 10,
    "pop_size": 60,
    "prob_neighbor_mating": 0.1,
    "ref_dirs": [[i / 40, 1 - i / 40] for i in range(41)],
    "ref_points": [[0.5, 0.1]],
    "sampling": "LHS",
    "var_crowding": False,
    "variant": "DE/best/1/exp",
    "w": 0.1,
    "weights": [0.9, 0.1],
}
# Options that only matter where duplicates, many objectives or another normalization occur.
SILENT = {"eliminate_duplicates", "normalize", "normalization"}


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_taken_and_changes_the_run(name):
    problem = Curve()
    steps = {"CMOPSO": 20, "MOPSO_CD": 10, "MOEAD": 3}.get(name, 5)  # until archives are full
    shared = {"pop_size": 16} if name == "CMOPSO" else {}
    base = logged(run(small(name, **shared), problem, steps))[0]
    for option in ALGORITHMS[name].options:
        value = VALUES[option]
        if option == "sampling" and (name in ("NSDE", "NSDER", "OmniOptimizer") or name.startswith("GDE3")):
            value = "Random"
        if option == "ref_dirs":
            changed = pymoo(name, **REQUIRED.get(name, {}), ref_dirs=value)
        else:
            changed = small(name, **(shared | {option: value}))
        other = logged(run(changed, problem, steps))[0]
        same = other.shape == base.shape and torch.equal(other, base)
        assert not same or option in SILENT, option


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, table in OPERATORS.items() for n in table])
def test_every_operator_can_be_built_and_used(kind, name):
    problem = Curve()
    owner = "MOEAD" if kind == "decomposition" else "NSGA2"
    solver = small(owner, **{kind: {"name": name}})
    state = run(solver, problem, 3)
    assert len(solver.front(problem, state)) >= 1
    path, options = OPERATORS[kind][name]
    taken = {p for c in load(path).__mro__[:-1] for p in inspect.signature(c.__init__).parameters}
    assert set(options) <= taken


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


def test_options_are_kept_as_plain_data():
    solver = pymoo("NSGA3", ref_dirs=torch.eye(2), pop_size=np.int64(40), crossover={"name": "SBX", "eta": 3})
    assert solver.config() == {
        "ref_dirs": [[1.0, 0.0], [0.0, 1.0]],
        "pop_size": 40,
        "crossover": {"name": "SBX", "eta": 3},
    }
    assert solver == PymooSolver(algorithm="NSGA3", options=solver.config())
    assert solver.name == "pymoo.NSGA3"


@pytest.mark.parametrize(
    ("make", "error", "line"),
    [
        (lambda: pymoo("NSGA4"), UnknownNameError, "`pymoo algorithm` must be a known name; got 'NSGA4' .*NSGA"),
        (lambda: pymoo("NSGA2", popsize=3), UnknownNameError, "NSGA2 has no option 'popsize'; did you mean 'pop_size'"),
        (lambda: pymoo("DNSGA2"), InputError, "got 'DNSGA2' .it is for dynamic problems"),
        (lambda: pymoo("PINSGA2"), InputError, "it is interactive"),
        (lambda: pymoo("RVEA"), InputError, "`n_max_gen` must be given to pymoo's RVEA; got nothing .its schedule"),
        (lambda: pymoo("RNSGA3", ref_points=POINTS), InputError, "`pop_per_ref_point` must be given"),
        (lambda: pymoo("NSGA2", mutation=object()), InputError, "`mutation` must be a number, string, list or dict"),
    ],
)
def test_wrong_names_and_options_get_one_line(make, error, line):
    with pytest.raises(error, match=line):
        make()


@pytest.mark.parametrize(
    ("name", "options", "error", "line"),
    [
        ("NSGA2", {"crossover": "SBY"}, UnknownNameError, "`crossover` must be a known name; got 'SBY' .did you mean"),
        ("NSGA2", {"crossover": {"name": "SBX", "etta": 1}}, UnknownNameError, "SBX has no option 'etta'; did you"),
        ("NSGA2", {"mutation": 3}, InputError, "`mutation` must be a name or a dict with a name; got 3"),
        ("GDE3", {"variant": "nonsense"}, InputError, "pymoo's GDE3 refuses its options"),
        ("NSGA3", {"pop_size": 20}, InputError, "`pop_size` must be at least 100; got 20"),
        ("NSGA3", {"partitions": 0}, InputError, "`partitions` must be at least 1; got 0"),
        ("NSGA3", {"ref_dirs": [[1.0, 0.0, 0.0]]}, ShapeError, "`ref_dirs` must have shape"),
        ("NSGA3", {"ref_dirs": [[-1.0, 2.0]]}, InputError, "`ref_dirs` must be weights"),
        ("RNSGA2", {"ref_points": [0.1, 0.2]}, ShapeError, "`ref_points` must have shape"),
        ("RNSGA2", {"ref_points": POINTS, "weights": [1.0]}, ShapeError, "`weights` must have 2 entries"),
    ],
)
def test_wrong_values_get_one_line(name, options, error, line):
    with pytest.raises(error, match=line):
        run(pymoo(name, **options), Curve(), 1)


def test_a_size_per_reference_point_must_be_a_lattices():
    points = [[0.1, 0.2, 0.3]]
    with pytest.raises(InputError, match=r"be a lattice size for 3 objectives; got 11 \(nearest: \[10, 15\]\)"):
        run(pymoo("RNSGA3", ref_points=points, pop_per_ref_point=11), Sphere(), 1)


def test_one_objective_and_misshapen_initial_rows_are_refused():
    class Single(Curve):
        objectives = (Objective("f"),)

    with pytest.raises(UnsupportedProblemError, match="it needs at least two objectives"):
        run(small("NSGA2"), Single(), 1)
    with pytest.raises((ShapeError, RuntimeError)):
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
