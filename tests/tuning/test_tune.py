"""Tuning: the mean of the tuning seeds, a fixed scoring, resumption, pruning, failures, and fresh seeds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import pytest
import torch

import paretokit as pk
from paretokit.core import Choice, Cost, Front, InputError, Range, Solver, UnknownNameError
from paretokit.indicators import score
from paretokit.tuning import Tuning

BUDGET = pk.Budget(iterations=10)
QUIET = {"storage": None, "progress": False}


class Line(pk.Problem):
    """Points (x, 1 - x) shifted by nothing: hypervolume at (2, 2) tells how far a search came."""

    objectives: ClassVar = (pk.Objective("f1"), pk.Objective("f2"))
    protocol: ClassVar = pk.EvaluationProtocol(scoring=pk.Scoring(reference_point=(2.0, 2.0)))
    space = pk.Box([0.0], [1.0])

    def _evaluate(self, x, rng):
        return pk.Evaluation(torch.cat([x, 1 - x], 1))


class Bare(Line):
    protocol: ClassVar = pk.EvaluationProtocol()


@dataclass
class Count:
    steps: int
    seed: int


@final
@dataclass(frozen=True, kw_only=True)
class Known(Solver[Count]):
    """Its front after t steps of seed s is the one point (v, v) with v = 1 - gain - t/100 - s/1000: best gain wins."""

    state_type: ClassVar[type] = Count
    search_space: ClassVar = {"gain": Range(0.0, 0.5)}

    gain: float = 0.1
    crash: str = "no"
    noise: float = 0.0

    def init(self, problem, rng, *, initial=None):
        return Count(0, rng.key % 7)

    def step(self, problem, state):
        if self.crash == "yes":
            raise ZeroDivisionError("one over nothing")
        return dataclasses.replace(state, steps=state.steps + 1)

    def front(self, problem, state):
        v = 1 - self.gain - state.steps / 100 - state.seed / 1000
        return Front(torch.full((1, 2), v), None, problem.objectives, problem.protocol, problem=problem)

    def cost(self, state):
        return Cost(evaluations=state.steps)


def tuned(solver=None, problem=None, **options):
    settings = {"budget": BUDGET, "trials": 12, "seeds": 2, "test_seeds": 3} | QUIET | options
    return pk.tune(solver or Known(), problem or Line(), **settings)


def test_a_trial_is_the_mean_of_the_indicator_over_the_tuning_seeds():
    found = tuned(pruning="none", trials=4, test_seeds=0)
    for trial in found.records:
        solver = Known(**trial.parameters)
        fronts = [pk.solve(Line(), solver, budget=BUDGET, seed=s, progress=False).front for s in (0, 1)]
        assert trial.scores == tuple(score(front, "hypervolume") for front in fronts)
        assert trial.value == pytest.approx(sum(trial.scores) / 2, abs=1e-12)
    assert found.default_scores == tuple(
        score(pk.solve(Line(), Known(), budget=BUDGET, seed=s, progress=False).front, "hypervolume") for s in (0, 1)
    )


def test_the_best_gain_is_found_and_beats_the_default_on_fresh_seeds():
    found = tuned(trials=25)
    assert found.best["gain"] > 0.45
    assert found.best_solver == Known(gain=found.best["gain"])
    assert found.seeds == (0, 1)
    assert found.test_seeds == (2, 3, 4)
    assert found.scoring_from == "protocol"
    (row,) = found.report().to_dict("records")
    default, own = ([t.value for t in found.tests[side]] for side in ("default", "tuned"))
    assert row["difference"] == pytest.approx(np.mean(own) - np.mean(default))
    assert row["improvement"] == 1.0
    assert row["low"] > 0
    assert "difference" in repr(found)


def test_an_interval_of_the_difference_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    found = tuned(trials=3, test_seeds=12)
    default, own = (np.array([t.value for t in found.tests[side]]) for side in ("default", "tuned"))
    noise = np.random.default_rng(3).normal(size=12) / 20
    tests = {
        "default": found.tests["default"],
        "tuned": tuple(
            dataclasses.replace(t, value=t.value + e) for t, e in zip(found.tests["tuned"], noise, strict=True)
        ),
    }
    (row,) = dataclasses.replace(found, tests=tests).report(resamples=20_000).to_dict("records")
    peer = stats.bootstrap((own + noise - default,), np.mean, method="percentile", n_resamples=20_000, rng=1)
    assert row["low"] == pytest.approx(peer.confidence_interval.low, abs=2e-3)
    assert row["high"] == pytest.approx(peer.confidence_interval.high, abs=2e-3)
    wins = stats.mannwhitneyu(own + noise, default).statistic / 144
    assert row["improvement"] == pytest.approx(wins)


def test_smaller_is_better_where_the_indicator_says_so():
    problem = pk.problems.ZDT1(n_variables=4)
    options = {"budget": pk.Budget(evaluations=120), "indicator": "igd_plus", "trials": 4, "seeds": 1}
    found = tuned(pk.solvers.NSGA2(pop_size=40), problem, space={"pop_size": Choice((8, 40))}, **options)
    done = [t.value for t in found.records if t.state == "complete"]
    assert found.best_value == min([*done, found.default_value])


def test_the_same_call_has_the_same_trials():
    a, b = tuned(pruning="hyperband"), tuned(pruning="hyperband")
    assert a.trials.drop(columns="seconds").equals(b.trials.drop(columns="seconds"))
    assert a.tests == b.tests
    other = tuned(pruning="hyperband", seed=1)
    assert not a.trials["gain"].equals(other.trials["gain"])


def test_finished_trials_are_taken_over_and_more_continue_them(tmp_path):
    store = tmp_path / "trials.sqlite3"
    whole = tuned(trials=14)
    first = tuned(trials=6, storage=store)
    assert whole.trials[:6].drop(columns="seconds").equals(first.trials.drop(columns="seconds"))
    second = tuned(trials=14, storage=store)
    assert second.trials[:6].equals(first.trials)
    assert second.trials.drop(columns="seconds").equals(whole.trials.drop(columns="seconds"))
    third = tuned(trials=14, storage=store)
    assert third.trials.equals(second.trials)
    assert third.tests == second.tests == whole.tests


def test_a_trial_whose_process_is_gone_is_drawn_again(tmp_path):
    import optuna

    store = tmp_path / "trials.sqlite3"
    first = tuned(trials=5, storage=store)
    study = optuna.load_study(study_name=first.study, storage=f"sqlite:///{store}")
    lost = study.ask({"gain": optuna.distributions.FloatDistribution(0.0, 0.5)})
    from paretokit.tuning._storage import owner

    lost.set_user_attr("owner", owner())
    again = tuned(trials=9, storage=store)
    assert len(again.records) == 9
    assert again.trials.drop(columns="seconds").equals(tuned(trials=9).trials.drop(columns="seconds"))


def test_another_question_in_the_same_file_is_another_study(tmp_path):
    store = tmp_path / "trials.sqlite3"
    a = tuned(trials=2, storage=store)
    b = tuned(trials=2, storage=store, budget=pk.Budget(iterations=11))
    c = tuned(Known(noise=1.0), trials=2, storage=store)
    assert len({a.study, b.study, c.study}) == 3


def test_bad_trials_are_pruned_at_a_tenth_of_a_budget_and_never_win():
    found = tuned(trials=25, pruning="median")
    pruned = [t for t in found.records if t.state == "pruned"]
    assert pruned
    assert all(len(t.scores) < 2 for t in pruned)
    medians = np.median([t.value for t in found.records if t.state == "complete"])
    assert np.mean([t.value for t in pruned]) < medians
    assert found.best_value == max(t.value for t in found.records if t.state == "complete")


def test_reports_are_the_mean_of_finished_seeds_and_the_present_one():
    from paretokit.tuning._trial import Task, measured

    seen = {}
    task = Task(Line(), BUDGET, (0, 1), "hypervolume", Line.protocol.scoring)

    def note(value, step):
        seen[step] = value
        return False

    outcome = measured(task, Known, note)
    assert sorted(seen) == list(range(1, 21))
    assert seen[20] == outcome.mean

    def volume(seed, steps):
        run = pk.solve(Line(), Known(), budget=pk.Budget(iterations=steps), seed=seed, progress=False)
        return score(run.front, "hypervolume")

    assert seen[3] == volume(0, 3)
    assert seen[10] == volume(0, 10)
    assert seen[14] == pytest.approx((volume(0, 10) + volume(1, 4)) / 2, abs=1e-12)


def test_a_setting_that_crashes_is_a_failed_trial_and_the_rest_goes_on():
    space = {"gain": Range(0.0, 0.5), "crash": Choice(("no", "yes"))}
    found = tuned(space=space, trials=12)
    failed = [t for t in found.records if t.state == "failed"]
    assert failed
    assert all(t.parameters["crash"] == "yes" for t in failed)
    assert all("ZeroDivisionError in step 1 of Known on" in t.error and "one over nothing" in t.error for t in failed)
    assert found.best["crash"] == "no"
    assert "first failure: EvaluationError: ZeroDivisionError" in repr(found)


def test_a_setting_that_the_solver_refuses_is_a_failed_trial():
    found = tuned(pk.solvers.NSGA2(pop_size=8), space={"pop_size": Choice((1, 8))}, trials=6)
    failed = [t for t in found.records if t.state == "failed"]
    assert failed
    assert failed[0].error == "InputError: `pop_size` must be at least 2; got 1"


def test_the_default_is_the_answer_where_nothing_beats_it():
    found = tuned(Known(gain=0.5), space={"gain": Range(0.0, 0.4)}, trials=4)
    assert found.best == {}
    assert found.best_solver == found.solver
    assert found.best_value == found.default_value
    assert found.tests["tuned"] == found.tests["default"]
    assert "no trial beats the defaults" in repr(found)


def test_without_a_scoring_the_fronts_of_the_default_give_it():
    found = tuned(problem=Bare(), trials=2)
    assert found.scoring_from == "default"
    fronts = [pk.solve(Bare(), Known(), budget=BUDGET, seed=s, progress=False).front for s in (0, 1)]
    union = torch.cat([f.values for f in fronts])
    low, high = union.amin(0), union.amax(0)
    assert found.scoring.nadir == pytest.approx(fronts[0].merge(fronts[1]).values.amax(0).tolist())
    assert found.scoring.ideal == pytest.approx(low.tolist())
    assert all(r >= n for r, n in zip(found.scoring.reference_point, found.scoring.nadir, strict=True))
    assert high.shape == (2,)
    assert "a scoring from the default's fronts" in repr(found)


def test_a_tuning_comes_back_as_it_was_saved(tmp_path):
    found = tuned(pk.solvers.NSGA2(pop_size=8), trials=3, budget=pk.Budget(evaluations=40))
    found.save(tmp_path / "tuning.json")
    back = Tuning.load(tmp_path / "tuning.json")
    assert repr(back) == repr(found)
    assert back.solver == found.solver
    assert back.best_solver == found.best_solver
    assert back.trials.equals(found.trials)
    assert back.report().equals(found.report())
    own = tuned(trials=2)
    own.save(tmp_path / "own.json")
    assert Tuning.load(tmp_path / "own.json", solver=Known()).best_solver == own.best_solver


def test_held_out_data_is_a_row_of_its_own():
    found = tuned(trials=2)
    tests = {side: tuple(dataclasses.replace(t, held_out=0.5) for t in runs) for side, runs in found.tests.items()}
    report = dataclasses.replace(found, tests=tests).report()
    assert report["measure"].tolist() == ["selection", "held-out"]
    assert report["difference"][1] == 0.0


@pytest.mark.slow
def test_several_processes_share_the_trials(tmp_path):
    solver, problem = pk.solvers.NSGA2(pop_size=8), pk.problems.ZDT1(n_variables=4)
    options = {"budget": pk.Budget(evaluations=80), "trials": 6, "seeds": 1, "test_seeds": 0, "progress": False}
    found = pk.tune(solver, problem, storage=tmp_path / "trials.sqlite3", n_jobs=2, **options)
    assert len(found.records) == 6


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"budget": None}, "`budget` must be given; got None (all trials spend the same, for example"),
        ({"seeds": (1, 2), "test_seeds": (2, 3)}, "`test_seeds` must share no seed with the tuning seeds; got [2]"),
        ({"seeds": (1, 1)}, "`seeds` must be distinct; got [1, 1]"),
        ({"seeds": 0}, "`seeds` must be at least 1; got 0"),
        ({"seeds": ("a",)}, "`seeds[0]` must be a whole number; got 'a'"),
        ({"test_seeds": 2.5}, "`test_seeds` must be their number, or whole numbers; got 2.5"),
        ({"trials": 0}, "`trials` must be at least 1; got 0"),
        ({"n_jobs": 2}, "`storage` must be a file or a URL with several processes; got None"),
        ({"n_jobs": 0, "storage": "a"}, "`n_jobs` must be -1 or at least 1; got 0"),
        ({"pruning": "medium"}, "`pruning` must be one of ['median', 'hyperband', 'none']; got 'medium' (did you mean"),
        ({"sampler": "grid"}, "`sampler` must be one of ['tpe', 'random']; got 'grid'"),
        ({"space": {}}, "`space` must hold at least one hyper-parameter; got none"),
        ({"storage": "/no/such/folder/a.db"}, "`storage` must lie in a folder that exists; got /no/such/folder"),
        (
            {"storage": "nodb://me:secret@host/x"},
            "`storage` must be one that Optuna can open; got 'nodb://me:***@host/x'",
        ),
    ],
)
def test_bad_calls(options, line):
    with pytest.raises(InputError) as error:
        tuned(**options)
    text = str(error.value)
    assert text.startswith(line)
    assert "\n" not in text
    assert "secret" not in text


def test_unknown_names_and_swapped_arguments():
    with pytest.raises(UnknownNameError, match="did you mean 'hypervolume'"):
        tuned(indicator="hypervolum")
    with pytest.raises(InputError, match="`solver` must come first, the problem second; got Line first"):
        pk.tune(Line(), Known(), budget=BUDGET, **QUIET)
    with pytest.raises(InputError, match=r"`solver` must be a Solver; got ABCMeta \(pass an instance"):
        pk.tune(pk.solvers.NSGA2, Line(), budget=BUDGET, **QUIET)
    with pytest.raises(InputError, match="`solver` must run as it is, to be compared with; got Known"):
        tuned(Known(crash="yes"))


def test_files_that_hold_no_tuning(tmp_path):
    with pytest.raises(pk.CheckpointError, match="there is no readable file"):
        Tuning.load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}", encoding="utf-8")
    with pytest.raises(pk.CheckpointError, match="holds no saved tuning"):
        Tuning.load(tmp_path / "bad.json")
    (tmp_path / "new.json").write_text('{"format": 9}', encoding="utf-8")
    with pytest.raises(pk.CheckpointError, match="has format 9; this version reads format 1"):
        Tuning.load(tmp_path / "new.json")


def test_ctrl_c_keeps_the_trials(tmp_path, monkeypatch):
    from paretokit.tuning import _tune

    whole, calls = _tune.measured, []

    def third(task, solver, report):
        calls.append(1)
        if len(calls) == 4:  # the default, two trials, then this one
            raise KeyboardInterrupt
        return whole(task, solver, report)

    store = tmp_path / "trials.sqlite3"
    monkeypatch.setattr(_tune, "measured", third)
    stopped = tuned(trials=6, storage=store)
    assert stopped.status == "interrupted"
    assert len(stopped.records) == 2
    assert stopped.tests == {}
    monkeypatch.undo()
    again = tuned(trials=6, storage=store)
    assert again.status == "finished"
    assert again.trials.drop(columns="seconds").equals(tuned(trials=6).trials.drop(columns="seconds"))
