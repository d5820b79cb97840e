"""The samplers as solvers: answers, samples, bad input, and that every option does something."""

import dataclasses
import json

import pytest
import torch

import paretokit as pk
from paretokit.core import InputError, Objective, ParetoError, Rng, Sampler, UnknownNameError, UnsupportedProblemError
from paretokit.problems.design import CompositionalDesign, GridEnvironment, HyperGrid
from paretokit.solvers import GCGFN, MOGFN, OPGFN
from paretokit.solvers.gflownet import Replay, SubTrajectoryBalance, TrajectoryBalance
from paretokit.testing import check_solver

NET = {"kind": "mlp", "hidden": (16,)}
SMALL = {"policy": NET, "batch_size": 16, "n_samples": 4, "evaluate_every": 2, "learning_rate": 1e-2}
DESIGNS = sorted(pk.problems.design.DESIGN)


def small(name, **options):
    base = {**SMALL, "iterations": 8} if name == "GCGFN" else SMALL
    return pk.solvers.make(name, **{**base, **options})


def trained(solver, problem=None, iterations=4):
    return pk.solve(problem or HyperGrid(side=5), solver, budget=pk.Budget(iterations=iterations), progress=False)


class Given(CompositionalDesign):
    """A small grid with values of one's own."""

    objectives = (Objective("a", "max"), Objective("b", "max"))
    space = HyperGrid(side=4).space

    def __init__(self, values):
        self.environment, self.values = GridEnvironment(2, 4), values

    def _score(self, x):
        return self.values(x)


class TestSample:
    def test_a_trained_sampler_gives_new_objects_with_their_values(self):
        result = trained(small("OPGFN"))
        front = result.sample(300, seed=1)
        assert front.values.shape == (300, 2)
        assert torch.equal(front.values, result.problem.evaluate(front.x).values)
        assert torch.equal(front.x, result.sample(300, seed=1).x)
        assert not torch.equal(front.x, result.sample(300, seed=2).x)
        assert front[0].decode() is not None

    def test_a_saved_sampler_gives_the_same_objects(self, tmp_path):
        for solver in (small("OPGFN", ema=0.9), small("MOGFN", ema=0.9)):
            result = trained(solver)
            result.save(tmp_path / solver.name)
            again = pk.Result.load(tmp_path / solver.name)
            assert again.solver == solver
            if isinstance(solver, Sampler):
                assert torch.equal(again.sample(50).x, result.sample(50).x)
            else:
                assert torch.equal(again.at([0.3, 0.7], n=50).x, result.at([0.3, 0.7], n=50).x)

    @pytest.mark.parametrize(
        ("solver", "line"),
        [
            (small("MOGFN"), r"MOGFN trains no sampler without conditions; use `result.at\(preference, n=n\)`"),
            (pk.solvers.NSGA2(), "NSGA2 trains no sampler without conditions; use `result.front`"),
        ],
    )
    def test_solvers_without_one_say_so(self, solver, line):
        with pytest.raises(ParetoError, match=line):
            trained(solver).sample(5)

    def test_nothing_is_not_a_number_of_samples(self):
        with pytest.raises(InputError, match="`n` must be at least 1; got 0"):
            trained(small("OPGFN")).sample(0)

    def test_unconditional_samplers_answer_no_preference_and_say_what_does(self):
        with pytest.raises(ParetoError, match=r"OPGFN answers no preferences .*`result.sample\(n\)` draws"):
            trained(small("OPGFN")).at([0.5, 0.5])


class TestPreference:
    @pytest.mark.parametrize("name", ["GCGFN", "MOGFN", "MOReinforce"])
    def test_answers_hold_the_preference(self, name):
        front = trained(small(name)).at([0.25, 0.75], n=7)
        assert len(front.values) == 7
        assert front.info["preference"].tolist() == [[0.25, 0.75]] * 7

    @pytest.mark.parametrize(
        ("preference", "line"),
        [
            ([0.7, 0.7], r"`preference` must sum to one; got \[0.7, 0.7\], sum 1.4 \(normalized: \[0.5, 0.5\]\)"),
            ([3, 1], r"sum 4 \(normalized: \[0.75, 0.25\]\)"),
            ([-0.5, 1.5], r"`preference` must be non-negative and finite \(a larger entry matters more\); got \[-0.5"),
            ([0.0, 0.0], r"`preference` must have a positive sum; got \[0.0, 0.0\]"),
            ([0.5, float("inf")], "`preference` must be non-negative and finite"),
            ([0.5, float("nan")], "`preference` must not contain NaN"),
            ([0.2, 0.3, 0.5], "`preference` must have 2 entries, one per objective; got 3"),
        ],
    )
    def test_one_off_the_simplex_is_refused(self, preference, line):
        with pytest.raises(InputError if len(preference) == 2 else pk.ShapeError, match=line):
            trained(small("MOGFN"), iterations=1).at(preference)

    def test_rounding_is_no_mistake(self):
        result = trained(small("MOGFN"), HyperGrid(objectives=("branin", "currin", "beale"), side=5), 1)
        third = torch.full((3,), 1 / 3, dtype=torch.float32)
        assert float(result.at(third).info["preference"].sum()) == pytest.approx(1, abs=1e-15)
        assert len(result.at([0.33333, 0.33333, 0.33333]).values) == 1

    def test_no_answers_are_no_number_of_answers(self):
        with pytest.raises(InputError, match="`n` must be at least 1; got 0"):
            trained(small("MOGFN"), iterations=1).at([0.5, 0.5], n=0)


class TestWorthless:
    @pytest.mark.parametrize("name", ["GCGFN", "MOGFN", "OPGFN"])
    @pytest.mark.parametrize("criterion", ["TB", "DB", "SubTB", "FM"])
    def test_batches_without_any_reward_break_nothing(self, name, criterion):
        problem = Given(lambda x: torch.zeros(len(x), 2, dtype=x.dtype))
        result = trained(small(name, criterion=criterion, replay={"warmup": 8}), problem)
        state = result.state
        assert torch.isfinite(state.row).all()
        assert torch.isfinite(state.log_z).all()
        assert 0 <= state.loss < 1e5  # the lowest log-reward bounds it
        assert len(result.front) == 1

    @pytest.mark.parametrize("name", ["GCGFN", "MOGFN", "OPGFN"])
    def test_failed_objects_teach_nothing_and_reach_no_front(self, name):
        def half(x):
            return torch.where((x.sum(1) % 2 == 0).unsqueeze(1), torch.nan, 0.1 + x / 4)

        result = trained(small(name, replay={"warmup": 8}), Given(half))
        assert torch.isfinite(result.state.row).all()
        assert torch.isfinite(result.state.memory.gains).all()
        assert torch.isfinite(result.front.values).all()
        assert len(result.front)

    @pytest.mark.parametrize("name", ["GCGFN", "MOGFN", "OPGFN"])
    def test_a_batch_in_which_all_fail_ends_the_run(self, name):
        result = trained(small(name), Given(lambda x: torch.full((len(x), 2), torch.nan, dtype=x.dtype)))
        assert result.status == "failed"
        assert len(result.front) == 0


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("solver", ["GCGFN", "MOGFN", "OPGFN"])
def test_samplers_run_on_every_design(solver, name):
    problem = pk.problems.make(name)
    options = {"goals": {"sampler": "uniform"}, "partitions": 1} if solver == "GCGFN" else {}
    result = trained(small(solver, n_samples=16, replay={"warmup": 8}, **options), problem, 3)
    assert result.status == "budget"
    assert len(result.front)
    assert problem.space.contains(result.front.x).all()


@pytest.mark.parametrize(("name", "own"), [("MOGFN", {}), ("GCGFN", {"temperature": 4.0, "lowest": -8.0})])
def test_scoring_beside_the_next_rollout_resumes_bit_for_bit(name, own):
    options = {"learning_rate": 0.05, "anneal": False, "overlap": True, "replay": {"warmup": 16}}
    check_solver(small(name, **options, **own), HyperGrid(side=5), iterations=3)


def test_given_objects_are_scored_and_replayed():
    grid = HyperGrid(side=5)
    x = grid.cells()[:10]
    solver = small("OPGFN", replay=Replay(warmup=1))
    result = pk.solve(grid, solver, budget=pk.Budget(iterations=1), initial=x, progress=False)
    assert result.cost.evaluations == len(x) + 16 + 4
    assert torch.equal(grid.environment.decisions(result.state.memory.states[: len(x)]), x)
    with pytest.raises(InputError, match="`initial` must be left out without `replay`"):
        pk.solve(grid, small("OPGFN"), budget=pk.Budget(iterations=1), initial=x, progress=False)


OPTIONS = {
    "policy": {"kind": "mlp", "hidden": (4,)},
    "criterion": "DB",
    "backward": "learned",
    "batch_size": 8,
    "learning_rate": 1e-3,
    "log_z_rate": 0.5,
    "clip": 1e-4,
    "epsilon": 0.9,
    "ema": 0.5,
    "replay": Replay(warmup=8, share=0.5),
    "overlap": True,
    "iterations": 5,
    "anneal": False,
    "evaluate_every": 3,
    "n_samples": 3,
}
OWN = {
    "MOGFN": {
        "preferences": {"alpha": 9.0},
        "temperature": 8.0,
        "scalarization": "tchebycheff",
        "lowest": -0.5,
        "partitions": 2,
    },
    "GCGFN": {
        "goals": {"sampler": "uniform"},
        "cone": 0.5,
        "border": 0.9,
        "temperature": 8.0,
        "hindsight": 1.0,
        "lowest": -3.0,
        "partitions": 2,
    },
    "OPGFN": {"duplicates": "apart"},
    "MOReinforce": {
        "preferences": {"encoding": "raw"},
        "scalarization": "tchebycheff",
        "group": 4,
        "entropy": 0.5,
        "partitions": 2,
    },
    "MetropolisHastings": {
        "n_chains": 3,
        "temperature": 8.0,
        "scalarization": "tchebycheff",
        "locality": 0.0,
        "lowest": -0.1,
        "partitions": 2,
    },
}
SHARED = ("policy", "batch_size", "learning_rate", "clip", "iterations", "anneal", "evaluate_every", "n_samples")


def cases():
    out = []
    for name in OWN:
        shared = {} if name == "MetropolisHastings" else OPTIONS
        if name == "MOReinforce":
            shared = {k: OPTIONS[k] for k in SHARED}
        out += [(name, k, v) for k, v in {**shared, **OWN[name]}.items()]
    return out


def outcome(solver, grid):
    state = solver.init(grid, Rng.from_seed(0))
    for _ in range(6):
        if not solver.done(state):
            state = solver.step(grid, state)
    kept = (getattr(state, "row", None), getattr(state, "log_z", None), getattr(state, "states", None), state.values)
    return [t for t in kept if t is not None] + [torch.tensor(state.steps)]


@pytest.mark.parametrize(("name", "option", "value"), cases())
def test_every_option_changes_the_run(name, option, value):
    grid = HyperGrid(side=5)
    base = {} if name == "MetropolisHastings" else {**SMALL, "iterations": 8, "learning_rate": 0.05}
    base |= {"replay": None, "cone": 0.9} if name == "GCGFN" else {}
    if option == "iterations":
        base["anneal"] = False
    first, second = (outcome(pk.solvers.make(name, **o), grid) for o in (base, {**base, option: value}))
    same = all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(first, second, strict=True))
    unused = name == "OPGFN" and option == "log_z_rate"  # the order of rewards needs no log Z
    assert same == unused


def test_every_option_has_its_case():
    for name in OWN:
        fields = {f.name for f in dataclasses.fields(pk.solvers.make(name))}
        assert fields == {option for n, option, _ in cases() if n == name}


@pytest.mark.parametrize(
    "solver",
    [
        MOGFN(criterion=SubTrajectoryBalance(lambda_=0.5), temperature={"draw": "gamma", "low": 2.0, "high": 1.0}),
        OPGFN(replay=Replay(pareto=0.2), backward="learned"),
        GCGFN(goals={"resolution": 7, "encoding": "raw"}),
        pk.solvers.MOReinforce(preferences={"bins": 7}),
        pk.solvers.MetropolisHastings(locality=0.5),
    ],
    ids=lambda s: s.name,
)
def test_a_configuration_rebuilds_its_solver(solver):
    config = json.loads(json.dumps(solver.config()))
    config = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
    assert pk.solvers.make(solver.name, **config) == solver


@pytest.mark.parametrize("kind", [MOGFN, OPGFN, GCGFN])
@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({"criterion": "TBB"}, UnknownNameError, "`criterion` must be a known name; got 'TBB' .did you mean 'TB'"),
        ({"policy": "mpl"}, UnknownNameError, "`policy` must be a known name; got 'mpl' .did you mean 'mlp'"),
        ({"policy": {"kind": "mlp", "width": 3}}, UnknownNameError, "has no option 'width'"),
        ({"backward": "free"}, InputError, "`backward` must be one of"),
        ({"batch_size": 0}, InputError, "`batch_size` must be at least 1; got 0"),
        ({"epsilon": 1.5}, InputError, r"`epsilon` must lie in \[0, 1\]; got 1.5"),
        ({"ema": -0.1}, InputError, r"`ema` must lie in \[0, 1\); got -0.1"),
        ({"clip": 0.0}, InputError, "`clip` must be positive; got 0.0"),
        ({"learning_rate": -1.0}, InputError, "`learning_rate` must be positive; got -1.0"),
        ({"iterations": 0}, InputError, "`iterations` must be at least 1; got 0"),
        ({"replay": {"share": 1.5}}, InputError, r"`share` must lie in \[0, 1\]; got 1.5"),
    ],
)
def test_bad_options_are_refused(kind, options, error, line):
    with pytest.raises(error, match=line):
        kind(**options)


def test_bad_options_of_one_are_refused():
    with pytest.raises(InputError, match="`batch_size` must be at least 2; got 1"):
        OPGFN(batch_size=1)  # one object has no order
    with pytest.raises(InputError, match="`scalarization` must be one of .*did you mean 'tchebycheff'"):
        MOGFN(scalarization="chebycheff")
    with pytest.raises(InputError, match="`duplicates` must be one of"):
        OPGFN(duplicates="twice")
    assert MOGFN().criterion == TrajectoryBalance()


class TestFitting:
    def test_a_problem_of_another_world_names_solvers_that_can(self):
        line = r"MOGFN solves CompositionalDesign problems; got ZDT1; .*MOEAD, NSGA2, .*RandomSearch, SMSEMOA can"
        with pytest.raises(UnsupportedProblemError, match=line):
            pk.solve(pk.problems.ZDT1(), MOGFN(), budget=pk.Budget(iterations=1))

    def test_the_world_of_the_problem_comes_first(self):
        names = pk.solvers.fitting(HyperGrid(side=5))
        assert names[: names.index("MOEAD")] == ["GCGFN", "MOGFN", "MOReinforce", "MetropolisHastings", "OPGFN"]
        with pytest.raises(UnsupportedProblemError, match="CMORL solves MORL problems; got HyperGrid; GCGFN, MOGFN"):
            pk.solve(HyperGrid(side=5), pk.solvers.CMORL(), budget=pk.Budget(iterations=1))

    def test_what_a_solver_cannot_do_is_said_with_who_can(self):
        constrained = pk.problems.make("c2dtlz2-v1")
        line = r"pygmo.moead cannot solve c2dtlz2-v1: .*; .*MOEAD, NSGA2, NSGA3, .* can"
        with pytest.raises(UnsupportedProblemError, match=line):
            pk.solve(constrained, pk.solvers.pygmo("moead"), budget=pk.Budget(iterations=1))
