"""MORL/D: each block of the method changes what it says it changes, and optima that are known exactly are reached."""

import dataclasses
import json

import pytest
import torch
from morld_world import CHOICES, Exact, ExactESR, Sharing, choice

import paretokit as pk
from paretokit.core import InputError, Rng, UnknownNameError, UnsupportedProblemError
from paretokit.solvers.morl._eupg import EUPG
from paretokit.solvers.morl._morld import MORLD
from paretokit.testing import check_solver

CORNERS = {(1.0, 0.0), (0.0, 1.0)}
MIDDLE = (0.4, 0.45)


def run(solver, *, iterations=60, seed=0, problem=None):
    budget = pk.Budget(iterations=iterations)
    return pk.solve(problem or choice(), solver, budget=budget, seed=seed, progress=False)


def points(front):
    return {tuple(round(v, 6) for v in row) for row in front.values.tolist()}


@pytest.mark.parametrize(
    "options",
    [
        {"cooperation": "transfer", "exchange_every": 60, "adaptation": "psa", "evaluate_every": 2},
        {"selection": "round_robin", "cooperation": "transfer", "exchange_every": 20, "adaptation": "psa"},
        {"scalarization": "smooth_tchebycheff", "normalize": True, "weights": "riesz", "archive_size": 2},
    ],
)
def test_keeps_the_contract(options):
    noisy = choice(sample_actions=True, episodes=40)  # so that the values show the seed
    check_solver(MORLD(improver=Exact(rate=0.5), **options), noisy, iterations=3)


@pytest.mark.parametrize("improver", [Exact(), ExactESR()])
def test_weighted_sums_find_the_convex_corners_and_never_the_concave_point(improver):
    result = run(MORLD(improver=improver, pop_size=7, front_from="population"))
    assert points(result.front) == CORNERS


@pytest.mark.parametrize("scalarization", ["tchebycheff", "augmented_tchebycheff", "smooth_tchebycheff", "achievement"])
def test_nonlinear_utilities_of_returns_find_the_concave_point(scalarization):
    solver = MORLD(
        improver=ExactESR(rate=20.0),
        pop_size=7,
        front_from="population",
        scalarization=scalarization,
        scalarization_options={"mu": 0.05} if scalarization.startswith("smooth") else {},
        utopian=(1.0, 1.0),
    )
    assert points(run(solver).front) == CORNERS | {MIDDLE}


def test_under_ser_the_weights_are_the_gradient_of_the_utility_at_the_last_returns():
    solver = MORLD(
        improver=Exact(rate=1e-9), pop_size=5, scalarization="tchebycheff", utopian=(1.0, 1.0), evaluate_every=99
    )
    state = run(solver, iterations=1).state
    weighted = state.weights * (1.0 - state.values.to(torch.float64))
    expected = torch.nn.functional.one_hot(weighted.argmax(1), 2).to(torch.float64)
    assert torch.equal(state.groups[0].aimed, expected)


def test_under_ser_a_weighted_sum_aims_along_the_preference():
    state = run(MORLD(improver=Exact(), pop_size=5), iterations=1).state
    torch.testing.assert_close(state.groups[0].aimed, state.weights, rtol=0, atol=1e-15)


def test_the_utopian_point_is_the_running_maximum_plus_tau_scales():
    solver = MORLD(improver=Exact(), tau=0.25, normalize=True)
    state = run(solver).state
    assert state.best.tolist() == [1.0, 1.0]
    assert state.span.tolist() == [1.0, 1.0]
    assert solver.utility(state).utopian.tolist() == [1.25, 1.25]
    fixed = dataclasses.replace(solver, utopian=(2.0, 3.0), scale=(4.0, 5.0)).utility(state)
    assert (fixed.utopian.tolist(), fixed.scale.tolist()) == ([2.0, 3.0], [4.0, 5.0])
    assert dataclasses.replace(solver, normalize=False, tau=0.5).utility(state).utopian.tolist() == [1.5, 1.5]


def test_round_robin_trains_one_member_a_turn_and_replays_for_those_that_were_trained():
    solver = MORLD(improver=Exact(), pop_size=3, selection="round_robin", exchange_every=20, update_passes=7)
    state = run(solver, iterations=3).state
    assert [int(g.calls) for g in state.groups] == [2, 1, 0]
    assert [int(g.replays) for g in state.groups] == [0, 0, 0]
    state = run(solver, iterations=6).state
    assert [int(g.calls) for g in state.groups] == [2, 2, 2]
    assert [int(g.replays) for g in state.groups] == [14, 7, 0]
    assert state.turn == 3
    none = run(dataclasses.replace(solver, update_passes=0), iterations=6).state
    assert [int(g.replays) for g in none.groups] == [0, 0, 0]


@pytest.mark.parametrize("size", [1, 2])
def test_in_turns_networks_go_to_untrained_neighbors(size):
    solver = MORLD(
        improver=Exact(),
        pop_size=4,
        selection="round_robin",
        exchange_every=10,
        cooperation="transfer",
        neighborhood=size,
    )
    state = run(solver, iterations=1).state
    same = [torch.equal(g.logits, state.groups[0].logits) for g in state.groups]
    assert same == [True, True, size > 1, False]
    assert state.trained.tolist() == same
    assert [g.rngs for g in state.groups] == [
        (
            Rng.from_seed(0)
            .child(
                "solver",
            )
            .child("member", p),
        )
        for p in range(4)
    ]
    alone = run(dataclasses.replace(solver, cooperation="none"), iterations=1).state
    assert not torch.equal(alone.groups[1].logits, alone.groups[0].logits)


def test_side_by_side_networks_go_to_weaker_neighbors_only():
    solver = MORLD(improver=Exact(rate=1e-9), pop_size=6, cooperation="transfer", exchange_every=60, neighborhood=5)
    before = run(dataclasses.replace(solver, cooperation="none"), iterations=1).state
    after = run(solver, iterations=1).state
    utility = before.weights @ before.values.to(torch.float64).T
    gained = after.weights @ after.values.to(torch.float64).T
    assert (gained.diag() >= utility.diag()).all()
    moved = (before.groups[0].logits != after.groups[0].logits).any(1)
    assert moved.any()
    assert torch.equal(moved, (utility.amax(1) > utility.diag() + 1e-12) & moved)
    assert (gained.diag() > utility.diag())[moved].all()


def test_a_shared_buffer_is_asked_of_both():
    assert run(MORLD(improver=Sharing(), cooperation="shared_buffer"), iterations=1).status == "budget"
    rule = '`cooperation` must be "shared_buffer" exactly where the improver has `shared_buffer` set'
    with pytest.raises(InputError, match=rule):
        MORLD(improver=Exact(), cooperation="shared_buffer")
    with pytest.raises(InputError, match=rule):
        MORLD(improver=Sharing())
    with pytest.raises(InputError, match='`selection` must be "all" with a shared buffer'):
        MORLD(improver=Sharing(), cooperation="shared_buffer", selection="round_robin")


def test_adaptation_moves_inner_preferences_at_exchanges_only():
    solver = MORLD(improver=Exact(), pop_size=5, adaptation="psa", delta=0.2, exchange_every=100)
    still = run(solver, iterations=1).state
    moved = run(solver, iterations=4).state
    assert torch.equal(still.weights, run(dataclasses.replace(solver, adaptation=None), iterations=4).state.weights)
    assert not torch.equal(still.weights, moved.weights)
    torch.testing.assert_close(moved.weights.sum(1), torch.ones(5, dtype=torch.float64))
    assert torch.equal(moved.weights[[0, -1]], still.weights[[0, -1]])


def test_evaluations_are_counted_apart_from_training():
    every, seldom = (run(MORLD(improver=Exact(), evaluate_every=k), iterations=6).cost for k in (1, 3))
    assert (every.env_steps, every.gradient_steps, every.evaluations) == (360, 36, 42)
    assert every.work == 360 + 42
    assert (seldom.env_steps, seldom.evaluations, seldom.work) == (360, 18, 378.0)


def test_only_members_that_changed_are_evaluated_in_turns():
    cost = run(MORLD(improver=Exact(), selection="round_robin"), iterations=6).cost
    assert (cost.evaluations, cost.env_steps) == (6 + 6, 60)


def test_the_archive_is_bounded_and_says_where_policies_come_from():
    free = run(MORLD(improver=ExactESR(rate=20.0), scalarization="tchebycheff", utopian=(1.0, 1.0)))
    assert points(free.front) == CORNERS | {MIDDLE}
    assert free.front.info["preference"].shape == (3, 2)
    assert set(free.front.info["member"].tolist()) <= set(range(6))
    bounded = run(MORLD(improver=ExactESR(rate=20.0), scalarization="tchebycheff", utopian=(1.0, 1.0), archive_size=2))
    assert points(bounded.front) == CORNERS


def test_iterations_finish_a_run_and_its_last_policies_are_evaluated():
    solver = MORLD(improver=Exact(), iterations=5, evaluate_every=99, front_from="population")
    result = pk.solve(choice(), solver, progress=False)
    assert result.status == "finished"
    assert not result.state.stale.any()


def test_fronts_stand_on_the_improvers_policies(tmp_path):
    problem = pk.problems.MORL("deep-sea-treasure-v0")
    solver = MORLD(improver=EUPG(hidden=(8,)), pop_size=2, evaluate_every=2)
    result = run(solver, iterations=3, problem=problem)
    assert result.problem is problem
    assert result.front.problem.policy.conditioned_on == "accrued"
    again = result.front.problem.evaluate(result.front.x).values
    torch.testing.assert_close(again, result.front.values)
    torch.testing.assert_close(result.archive.problem.evaluate(result.archive.x).values, result.archive.values)
    result.save(tmp_path / "run")
    for given in (None, pk.problems.MORL("deep-sea-treasure-v0")):
        back = pk.Result.load(tmp_path / "run", problem=given)
        assert back.solver == solver
        assert back.front[0].decode().architecture == result.front[0].decode().architecture
        assert back.state.step == 3
    (many,) = pk.solve_many(problem, solver, seeds=[0], budget=pk.Budget(iterations=3), n_jobs=1, progress=False)
    assert torch.equal(many.front.x, result.front.x)
    assert many.front.problem.fingerprint() == result.front.problem.fingerprint()


def test_eupg_resumes_bit_for_bit_in_turns():
    solver = MORLD(
        improver=EUPG(hidden=(8,)), pop_size=3, selection="round_robin", exchange_every=40, cooperation="transfer"
    )
    tree = pk.problems.MORL("fruit-tree-v0", env_options={"depth": 5})  # every leaf is optimal: values show the seed
    check_solver(solver, tree, iterations=3)


def test_the_configuration_survives_json():
    solver = MORLD(improver=EUPG(hidden=(8, 8), episodes=3), scalarization="smooth_tchebycheff", utopian=(1, 2))
    again = pk.solvers.make("MORLD", **json.loads(json.dumps(solver.config())))
    assert again == solver
    assert MORLD(improver="EUPG") == MORLD(improver={"kind": "EUPG"}) == MORLD(improver=EUPG())


def test_mistakes_are_told_in_a_line():
    with pytest.raises(UnknownNameError, match=r"`improver` must be a known name; got 'EUPQ' \(did you mean 'EUPG'"):
        MORLD(improver="EUPQ")
    with pytest.raises(UnknownNameError, match=r"EUPG has no option 'episode'; did you mean 'episodes'"):
        MORLD(improver={"kind": "EUPG", "episode": 2})
    with pytest.raises(InputError, match="`improver` must be an? .*, a mapping or text; got 3"):
        MORLD(improver=3)
    with pytest.raises(UnknownNameError, match="did you mean 'tchebycheff'"):
        MORLD(improver=Exact(), scalarization="chebycheff")
    with pytest.raises(InputError, match="`adaptation` must be one of"):
        MORLD(improver=Exact(), adaptation="asp")
    with pytest.raises(InputError, match="`smallest_scale` must be positive"):
        MORLD(improver=Exact(), scale=(1.0, 0.0))
    with pytest.raises(UnsupportedProblemError, match="`utopian` must have 2 entries, one per objective; got 3"):
        run(MORLD(improver=Exact(), utopian=(1.0, 1.0, 1.0)), iterations=1)
    with pytest.raises(UnsupportedProblemError, match="MORLD solves MORL problems; got ZDT1"):
        run(MORLD(improver=Exact()), problem=pk.problems.make("zdt1-v1"))
    with pytest.raises(InputError, match="`initial` must be omitted; got 1 rows"):
        pk.solve(choice(), MORLD(improver=Exact()), budget=pk.Budget(iterations=1), initial=choice().space.lower[None])


def test_choices_are_what_the_docstrings_say():
    from paretokit.core import non_dominated

    assert non_dominated(CHOICES, maximize=True).tolist() == [True, True, True, False]
