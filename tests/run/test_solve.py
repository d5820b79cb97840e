"""The loop: budgets, statuses, seeds, failures, interruption. Nothing that was computed is lost."""

import signal

import numpy as np
import pytest
import torch
from toys import Bowls, Crashing, Failing, Forgetful, HeldOut, Infeasible, Walk, WalkState

import paretokit as pk
from paretokit.core import Lanes, Rng


def same(a, b):
    return torch.equal(a.front.values, b.front.values) and torch.equal(a.front.x, b.front.x)


@pytest.mark.parametrize(
    ("budget", "steps", "status"),
    [
        (pk.Budget(evaluations=60), 10, "budget"),
        (pk.Budget(evaluations=61), 11, "budget"),
        (pk.Budget(iterations=4), 4, "budget"),
        (pk.Budget(work=12.0), 2, "budget"),
        (pk.Budget(evaluations=600, iterations=3), 3, "budget"),
    ],
)
def test_first_limit_ends_the_run_and_overshoot_is_reported(budget, steps, status):
    result = pk.solve(Bowls(), Walk(), budget=budget)
    assert (len(result.history), result.status) == (steps, status)
    assert result.cost.evaluations == 6 * steps
    assert f"{6 * steps} evaluations (of {budget!r})" in repr(result)


def test_solver_may_end_by_itself_and_a_larger_budget_changes_nothing_before():
    short = pk.solve(Bowls(), Walk(length=5))
    assert (short.status, len(short.history)) == ("finished", 5)
    assert same(short, pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=5)))


def test_seconds_end_the_run():
    result = pk.solve(Bowls(), Walk(), budget=pk.Budget(seconds=0.05))
    assert result.status == "budget"
    assert result.seconds >= 0.05


def test_a_budget_that_nobody_spends_is_called_so_and_does_not_run_forever():
    wrong = r"`budget` must limit something that Walk spends; got Budget\(env_steps=50\) \(in 100 steps it has spent"
    with pytest.raises(pk.core.InputError, match=wrong):
        pk.solve(Bowls(), Walk(), budget=pk.Budget(env_steps=50))
    both = pk.Budget(env_steps=50, iterations=120)
    assert len(pk.solve(Bowls(), Walk(), budget=both).history) == 120


def test_target_and_stall():
    result = pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=200, target={"hypervolume": 240.0}))
    assert result.status == "target"
    assert result.scores["hypervolume"] >= 240.0
    stalled = pk.solve(Bowls(), Walk(n=2), budget=pk.Budget(iterations=10_000, stall=20))
    assert stalled.status == "stall"
    assert len(stalled.history) < 10_000


def test_seed_holds_and_members_equal_single_runs():
    budget = pk.Budget(iterations=7)
    many = pk.solve_many(Bowls(), Walk(), seeds=[3, 1, 7], budget=budget)
    for result in many:
        assert same(result, pk.solve(Bowls(), Walk(), budget=budget, seed=result.seed))
    assert [r.seed for r in many] == [3, 1, 7]
    assert not same(many[0], many[1])


def test_processes_serve_solvers_that_do_not_stack():
    budget = pk.Budget(iterations=3)
    many = pk.solve_many(Bowls(), Forgetful(), seeds=2, budget=budget)
    for seed, result in enumerate(many):
        assert same(result, pk.solve(Bowls(), Forgetful(), budget=budget, seed=seed))
        assert torch.equal(result.front[0].decode(), result.front.x[0])
        assert len(result.archive) >= 1


def test_global_generators_are_neither_read_nor_written():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=3))
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (numpy_state == np.random.get_state()[1]).all()  # noqa: NPY002
    torch.rand(3)
    assert same(first, pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=3)))


def test_archive_holds_everything_non_dominated_that_was_seen():
    seen = []

    class Watched(Bowls):
        def _evaluate(self, x, rng):
            out = super()._evaluate(x, rng)
            seen.append(out.values)
            return out

    result = pk.solve(Watched(), Walk(), budget=pk.Budget(iterations=9))
    expected = pk.Front.from_values(torch.cat(seen)).values
    assert torch.equal(result.archive.values, expected)
    assert torch.equal(Bowls().evaluate(result.archive.x).values, expected)


def test_failed_rows_never_reach_a_front():
    result = pk.solve(Failing(0.5), Walk(n=20), budget=pk.Budget(iterations=5))
    assert len(result.front) > 0
    assert torch.isfinite(result.front.values).all()
    assert torch.isfinite(result.archive.values).all()
    assert result.cost.evaluations == 100


def test_a_step_in_which_all_rows_fail_ends_the_run():
    result = pk.solve(Failing(1.1), Walk(), budget=pk.Budget(iterations=5))
    assert (result.status, len(result.front), len(result.history)) == ("failed", 0, 1)


def test_no_feasible_point_gives_an_empty_front_and_the_nearest_rows():
    result = pk.solve(Infeasible(), pk.solvers.RandomSearch(pop_size=50), budget=pk.Budget(evaluations=200))
    assert (result.status, len(result.front)) == ("infeasible", 0)
    x, violation = result.infeasible
    assert torch.equal(violation, violation.sort().values)
    assert float(violation[0]) == pytest.approx(float(5 - x[0].sum()))
    assert "infeasible" in repr(result)


def test_user_exception_keeps_everything_before_it(tmp_path):
    with pytest.raises(pk.EvaluationError, match=r"RuntimeError in step 3 of Walk on Crashing: the simulator") as info:
        pk.solve(Crashing(3), Walk(), budget=pk.Budget(iterations=9), checkpoint=tmp_path)
    kept = info.value.result
    assert (kept.status, len(kept.history)) == ("failed", 2)
    assert same(kept, pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=2)))
    resumed = pk.solve(Crashing(99), Walk(), budget=pk.Budget(iterations=9), checkpoint=tmp_path)
    assert same(resumed, pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=9)))


def test_ctrl_c_returns_what_there_is_and_restores_the_handler(tmp_path):
    before = signal.getsignal(signal.SIGINT)

    class Pressed(Bowls):
        calls = 0

        def _evaluate(self, x, rng):
            Pressed.calls += 1
            if Pressed.calls == 4:
                signal.raise_signal(signal.SIGINT)
            return super()._evaluate(x, rng)

    result = pk.solve(Pressed(), Walk(), budget=pk.Budget(iterations=50), checkpoint=tmp_path)
    assert (result.status, len(result.history)) == ("interrupted", 4)
    assert signal.getsignal(signal.SIGINT) is before
    resumed = pk.solve(Pressed(), Walk(), budget=pk.Budget(iterations=8), checkpoint=tmp_path)
    assert same(resumed, pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=8)))


def test_second_ctrl_c_ends_the_step_at_once():
    class Pressed(Bowls):
        def _evaluate(self, x, rng):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("never reached")

    result = pk.solve(Pressed(), Walk(), budget=pk.Budget(iterations=50))
    assert (result.status, len(result.history)) == ("interrupted", 0)


def test_held_out_is_measured_once_at_the_end_and_never_by_a_solver():
    result = pk.solve(HeldOut(), Walk(), budget=pk.Budget(iterations=3))
    assert torch.equal(result.held_out, result.front.values + 100)

    class Peeking:
        """A walk that tries to read the held-out split."""

    handle = HeldOut().observed(None)
    with pytest.raises(pk.ParetoError, match="must not be called by a solver"):
        handle.assess(torch.zeros(1, 2))


def test_callbacks_see_every_step_and_may_stop():
    seen = []

    def watch(moment):
        seen.append((moment.iterations, moment.cost.evaluations, len(moment.front)))
        return moment.iterations == 3

    result = pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=9), callbacks=[watch, lambda m: None])
    assert result.status == "stopped"
    assert [s[:2] for s in seen] == [(1, 6), (2, 12), (3, 18)]


def test_initial_decisions_and_fronts_seed_the_search():
    x = torch.tensor([[0.5, 0.5], [0.0, 0.0]], dtype=torch.float64)
    result = pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=1), initial=x)
    assert {tuple(r) for r in x.tolist()} <= {tuple(r) for r in result.archive.x.tolist()}
    again = pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=1), initial=result.front)
    assert any(torch.equal(row, result.front.x[0]) for row in again.archive.x)


def test_history_is_tidy_and_convergence_is_computed_on_demand():
    result = pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=12))
    frame = result.history
    assert list(frame.columns) == ["step", "evaluations", "env_steps", "gradient_steps", "work", "seconds", "best"]
    assert list(frame["evaluations"]) == [6 * (i + 1) for i in range(12)]
    assert frame["seconds"].is_monotonic_increasing
    curve = result.convergence("hypervolume", "cardinality")
    assert curve["hypervolume"].iloc[-1] == pytest.approx(result.scores["hypervolume"])
    for step, volume in zip(result.trace.taken, curve["hypervolume"], strict=True):
        assert volume == pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=step)).scores["hypervolume"]


def test_snapshots_are_thinned_to_two_hundred_by_stride():
    result = pk.solve(Bowls(), Walk(n=2), budget=pk.Budget(iterations=900))
    taken = result.trace.taken
    assert len(taken) <= 200
    assert taken == list(range(result.trace.stride, taken[-1] + 1, result.trace.stride))
    assert len(result.history) == 900


class TestBadInput:
    """Each mistake gets one clear line."""

    @pytest.mark.parametrize(
        ("call", "line"),
        [
            (lambda: pk.Budget(), "`budget` must name at least one limit"),
            (lambda: pk.Budget(evaluations=0), "`evaluations` must be positive; got 0"),
            (lambda: pk.Budget(seconds=-1.0), "`seconds` must be positive; got -1.0"),
            (lambda: pk.Budget(target={}), "`target` must name at least one indicator"),
            (lambda: pk.solve(Bowls(), Walk()), "`budget` must be given, since Walk never ends by itself"),
            (lambda: pk.solve(Bowls(), Walk, budget=pk.Budget(iterations=1)), "pass an instance, NSGA2"),
            (lambda: pk.solve("zdt1", Walk(), budget=pk.Budget(iterations=1)), "`problem` must be a Problem; got str"),
            (
                lambda: pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=1), seed=0.5),
                "`seed` must be a whole number; got 0.5",
            ),
            (
                lambda: pk.solve_many(Bowls(), Walk(), seeds=[1, 1], budget=pk.Budget(iterations=1)),
                "`seeds` must be distinct",
            ),
            (
                lambda: pk.solve_many(Bowls(), Walk(), seeds=0, budget=pk.Budget(iterations=1)),
                "`seeds` must be at least 1; got 0",
            ),
            (
                lambda: pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=1), initial=[[1.0]]),
                r"`initial` must have shape \[n, 2\]; got \(1, 1\)",
            ),
            (
                lambda: pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=1), initial=[[9.0, 0.0]]),
                "`initial` must lie in the space; got row 0",
            ),
            (
                lambda: pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=2, target={"hypervolumes": 1.0})),
                "did you mean 'hypervolume'",
            ),
        ],
    )
    def test_line(self, call, line):
        with pytest.raises(pk.ParetoError, match=line):
            call()

    def test_shape_error_in_the_first_step_is_raised_as_it_is(self):
        class Wrong(Bowls):
            def _evaluate(self, x, rng):
                return pk.Evaluation(torch.zeros(len(x), 3))

        with pytest.raises(
            pk.ShapeError, match=r"`Wrong._evaluate` must return values of shape \(6, 2\); got \(6, 3\)"
        ):
            pk.solve(Wrong(), Walk(), budget=pk.Budget(iterations=1))

    def test_unconditioned_solver_answers_no_preference(self):
        result = pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=1))
        with pytest.raises(pk.ParetoError, match="use `result.front.pick"):
            result.at([0.5, 0.5])

    def test_a_sampler_loaded_without_its_problem_asks_for_it(self, tmp_path):
        words = pk.problems.CompositionalDesign.sequences("AB", 2, lambda w: (len(w), w.count("A")), max_length=3)
        options = {"iterations": 1, "batch_size": 4, "n_samples": 4}
        for solver, ask in (
            (pk.solvers.OPGFN(**options), lambda result: result.sample(2)),
            (pk.solvers.MOGFN(**options), lambda result: result.at([0.5, 0.5], n=2)),
        ):
            made = pk.solve(words, solver, seed=0, progress=False)
            made.save(tmp_path / solver.name)
            with pytest.raises(pk.ParetoError, match=r"`problem` must be at hand .*`Result.load\(path, problem=...\)`"):
                ask(pk.Result.load(tmp_path / solver.name))
            again = pk.Result.load(tmp_path / solver.name, problem=words)
            assert torch.equal(ask(again).x, ask(made).x)


def test_state_type_is_a_plain_dataclass():
    state = Walk().init(Bowls(), Rng.from_seed(0))
    assert isinstance(state, WalkState)
    assert isinstance(state.keys, Lanes)
