import inspect

import numpy as np
import pytest
import torch
from foreign_problems import (
    POINTS,
    REQUIRED,
    Curve,
    Sphere,
    logged,
    run,
    small,
)

from paretokit.core import (
    InputError,
    ShapeError,
    UnknownNameError,
)
from paretokit.solvers.evolutionary._pymoo import PymooSolver, pymoo
from paretokit.solvers.evolutionary._pymoo_build import directions, load
from paretokit.solvers.evolutionary._pymoo_table import ALGORITHMS, OPERATORS

NAMES = sorted(ALGORITHMS)


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
