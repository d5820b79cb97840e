"""The public conformance kits over everything that is registered: a new room is tested by existing."""

import inspect

import pytest
import torch

import paretokit as pk
from paretokit import indicators
from paretokit.problems.morl._table import TENSOR
from paretokit.testing import check_continual, check_environment, check_indicator, check_problem, check_solver

NATIVE = ["MOEAD", "NSGA2", "NSGA3", "QuasiRandomSearch", "RandomSearch", "SMSEMOA"]


@pytest.mark.parametrize("name", pk.problems.list())
def test_problem(name):
    check_problem(pk.problems.make(name))


@pytest.mark.parametrize("name", TENSOR)
def test_environment(name):
    check_environment(name)


@pytest.mark.parametrize("name", NATIVE)
def test_native_solver(name):
    check_solver(pk.solvers.make(name, **small(name)))


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("problem", ["c2dtlz2-v1", "re25-v1", "zdt5-v1"])
def test_native_solver_on_constraints_integers_and_bits(name, problem):
    options = {"pop_size": 200} if name.endswith("Search") else small(name)
    solver = pk.solvers.make(name, **options)
    made = pk.problems.make(problem)
    check_solver(solver, made, iterations=6)


# Solvers of one world: small settings, and problems of that world on which seconds suffice.
NET = {"kind": "mlp", "hidden": (16,)}
FLOW = {"policy": NET, "batch_size": 16, "n_samples": 4, "evaluate_every": 2, "learning_rate": 0.02}
DESIGNS = {
    "GCGFN": {**FLOW, "iterations": 8, "goals": {"resolution": 4}, "replay": {"warmup": 8, "share": 0.5}},
    "MOGFN": {**FLOW, "temperature": {"draw": "uniform", "high": 4.0, "bins": 4}, "replay": {"warmup": 8}},
    "MOReinforce": {**FLOW, "group": 4, "entropy": 0.01},
    "MetropolisHastings": {"n_chains": 2},
    "OPGFN": {**FLOW, "replay": {"warmup": 8}, "ema": 0.9, "backward": "learned"},
}
# Solvers of merging are checked on trained networks in tests/solvers/merging.
MERGING = [
    "AdaMerging",
    "DARE",
    "FisherMerging",
    "PreferenceMerging",
    "RegMean",
    "SurrogateMerging",
    "TIES",
    "TaskArithmetic",
    "WeightAveraging",
]
PPO = {"n_steps": 16, "n_envs": 4, "epochs": 2, "minibatches": 2}
WORLDS = {
    "CMORL": {"ppo": PPO, "init_updates": 2, "rounds": 2, "n_selected": 2, "extension_updates": 2},
    "ConditionedPPO": {"ppo": PPO, "n_preferences": 4, "partitions": 4, "iterations": 6, "evaluate_every": 2},
    "MORLD": {"improver": {"kind": "EUPG", "hidden": (8,)}, "pop_size": 3, "exchange_every": 90},
    "MultiPolicyQ": {},
    "PGMORL": {"ppo": PPO, "partitions": 3, "warmup": 2, "generations": 1, "updates": 2},
}


def world(name):
    if name == "MORLD":  # in treasure hunts, policies that have hardly learned are worth the same for all seeds
        return pk.problems.MORL("fruit-tree-v0", env_options={"depth": 5})
    return pk.problems.MORL("deep-sea-treasure-v0", policy=pk.problems.morl.Network(hidden=(8,)))


@pytest.mark.parametrize("name", WORLDS)
def test_native_solver_of_a_world(name):
    check_solver(pk.solvers.make(name, **WORLDS[name]), world(name), iterations=3)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("dim", [2, 3])
def test_native_solver_of_designs(name, dim):
    grid = pk.problems.HyperGrid(objectives=("branin", "currin", "shubert")[:dim], side=5, dim=dim)
    check_solver(pk.solvers.make(name, **DESIGNS[name]), grid, iterations=3)


ACTIVE = {"n_initial": 8, "n_active": 2, "n_proposals": 4, "updates": 2, "batch_size": 4, "fit_iterations": 5}
WORDS = {"MOGFNAL": {"policy": NET, "samples": 16, "max_edits": 3, **ACTIVE}}


@pytest.mark.parametrize("name", WORDS)
def test_native_solver_of_words(name):
    words = pk.problems.make("ngrams-v1", ngrams=("AB", "BA"), min_length=4, max_length=6, divisor=3, alphabet="ABC")
    check_solver(pk.solvers.make(name, **WORDS[name]), words, iterations=2)


GRADIENT = {
    "GradientDescent": {"preferences": 9, "steps": 8, "evaluate_every": 3},
    "ParetoSetModel": {"preferences": 9, "steps": 8, "evaluate_every": 3, "hidden": (8,)},
}


@pytest.mark.parametrize("name", GRADIENT)
def test_native_solver_by_gradients(name):
    check_solver(pk.solvers.make(name, **GRADIENT[name]), iterations=4)


@pytest.mark.parametrize("name", GRADIENT)
@pytest.mark.parametrize("problem", ["zdt1-v1", "dtlz2-v1", "re21-v1", "multitask-curves-v1"])
def test_native_solver_by_gradients_on_known_problems(name, problem):
    check_solver(pk.solvers.make(name, **GRADIENT[name]), pk.problems.make(problem), iterations=4)


ADAPTATION = {
    "ParetoDA": {"steps": 6, "batch_size": 8, "n_members": 2, "evaluate_every": 3},
    "WeightedDA": {"steps": 6, "batch_size": 8, "preferences": 3, "evaluate_every": 3},
}


@pytest.mark.parametrize("name", ADAPTATION)
def test_native_solver_of_adaptation(name):
    moons = pk.problems.make("adaptation-moons-v1", n=60)
    check_solver(pk.solvers.make(name, **ADAPTATION[name]), moons, iterations=3)


CONTINUAL = {
    "AGEM": {"memory": 4},
    "EWC": {},
    "ExperienceReplay": {"memory": 4},
    "GEM": {"memory": 4},
    "IBCL": {"preferences": 5},
    "PreferenceRehearsal": {"memory": 4, "preferences": 3},
    "VCL": {},
}


@pytest.mark.parametrize("name", CONTINUAL)
def test_native_solver_of_streams(name):
    from tests.solvers.continual.streams import stream

    solver, problem = pk.solvers.make(name, **CONTINUAL[name], epochs=2, batch_size=12), stream(0.0, 0.8)
    check_solver(solver, problem, iterations=4)
    check_continual(solver, problem)


def test_every_native_solver_is_checked():
    from paretokit.solvers._registry import NATIVE as REGISTERED

    assert {*NATIVE, *WORLDS, *DESIGNS, *WORDS, *MERGING, *GRADIENT, *CONTINUAL, *ADAPTATION} == set(REGISTERED)


def small(name):
    return {} if "NSGA3" in name or "MOEAD" in name else {"pop_size": 20}


def adapters():
    records = pk.solvers.list()
    return sorted({r.name for r in records if r.source in ("pymoo", "pygmo") and not r.excluded})


@pytest.mark.slow
@pytest.mark.parametrize("name", pk.problems.list())
@pytest.mark.parametrize("solver", NATIVE)
def test_every_native_solver_runs_on_every_problem(name, solver):
    problem, options = pk.problems.make(name), small(solver)
    if isinstance(problem, pk.problems.MORL):  # short episodes, few rows: MOE/D measures them one after the other
        few = next(h for h in range(1, 10) if indicators.lattice_size(problem.n_objectives, h) >= 10)
        problem = pk.problems.make(name, horizon=50, episodes=2, policy={"kind": "network", "hidden": [8]})
        options = options or {"partitions": few}
    made = pk.solvers.make(solver, **options)
    if made.unsupported(problem):
        pytest.skip(made.unsupported(problem))
    result = pk.solve(problem, made, budget=pk.Budget(iterations=3))
    assert result.status in ("budget", "infeasible")
    assert torch.isfinite(result.front.values).all()


REFERENCE = {
    "hypervolume": lambda m: {"reference_point": torch.full((m,), 1.1, dtype=torch.float64)},
    "hypervolume_contributions": None,
    "hypervolume_improvement": None,
    "hypervolume_approx": None,
    "r2_exact": lambda m: {"utopian_point": torch.full((m,), -0.1, dtype=torch.float64)},
    "r2": lambda m: {
        "weights": indicators.simplex_lattice(m, 7),
        "utopian_point": torch.full((m,), -0.1, dtype=torch.float64),
    },
    "expected_utility": lambda m: {"weights": indicators.simplex_lattice(m, 7)},
    "sparsity": lambda m: {},
    "spacing": lambda m: {},
    "cardinality": lambda m: {},
} | {
    name: lambda m: {"reference": 0.3 * indicators.simplex_lattice(m, 4)}
    for name in ("igd", "igd_plus", "gd", "gd_plus", "averaged_hausdorff", "epsilon_additive")
}


@pytest.mark.parametrize("name", [n for n, arguments in REFERENCE.items() if arguments])
def test_indicator(name):
    function = getattr(indicators, name)
    flips = name != "expected_utility"
    check_indicator(
        function, arguments=REFERENCE[name], flips=flips and "maximize" in inspect.signature(function).parameters
    )


def test_kit_finds_an_indicator_that_depends_on_order():
    def first(values, *, maximize=False, mask=None):
        return values[..., 0, 0]

    with pytest.raises(AssertionError, match="NumPy|order of points"):
        check_indicator(first, flips=False)


def test_kit_finds_an_environment_that_changes_the_state_it_was_given():
    from tests.solvers.morl.toy_environments import Line

    class Careless(Line):
        def step(self, state, action, noise):
            state += 0.1
            return super().step(state, action, noise)

    with pytest.raises(AssertionError, match="a step leaves its state as it was|equal noise"):
        check_environment(Careless())
