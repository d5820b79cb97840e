"""`tune`: the best hyper-parameters of a solver on a problem, and what they are worth on fresh seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from paretokit.core import InputError, Problem, Rng, Scoring, SearchSpace, Solver
from paretokit.core import _check as check
from paretokit.indicators import larger_is_better, score_names
from paretokit.run import Budget
from paretokit.run._progress import Progress
from paretokit.run._solve import check_call
from paretokit.tuning import _storage as store
from paretokit.tuning._space import configured, current, distributions, labels_of, space_of, values_of
from paretokit.tuning._trial import Outcome, Task, measured, restored, scoring_from, scoring_of, tested
from paretokit.tuning._tuning import Tested, Trial, Tuning, best_of


@dataclass(frozen=True)
class _Job:
    """What a worker needs."""

    solver: Solver[Any]
    task: Task
    space: SearchSpace
    pruning: str
    sampler: str
    seed: int
    url: str | None
    study: str

    @property
    def direction(self) -> str:
        return "maximize" if larger_is_better(self.task.indicator) else "minimize"

    def open(self) -> Any:
        """Return the study with the pruner of this job."""
        pruner = store.pruner_of(self.pruning, self.task.length)
        return store.open_study(self.url, self.study, direction=self.direction, pruner=pruner)


def tune(
    solver: Solver[Any],
    problem: Problem,
    *,
    budget: Budget | None = None,
    trials: int = 50,
    seeds: int | Iterable[int] = 3,
    test_seeds: int | Iterable[int] = 10,
    indicator: str = "hypervolume",
    space: SearchSpace | Sequence[str] | None = None,
    storage: str | Path | None = "tuning.sqlite3",
    pruning: str = "median",
    sampler: str = "tpe",
    seed: int = 0,
    n_jobs: int = 1,
    progress: bool | None = None,
) -> Tuning:
    r"""Find hyper-parameters under which a solver's fronts score best, and test them on seeds that were not used.

    .. math:: \theta^* = \arg\max_\theta \frac1{|S|} \sum_{s \in S} I\bigl(F(\theta, s)\bigr)

    for the front F of a run of setting :math:`\theta` with seed s, an indicator I under one fixed scoring, and the
    tuning seeds S; then :math:`\theta^*` and the default run on disjoint test seeds, which `Tuning.report` compares.
    The scoring is the problem's own; where it lacks what the indicator needs, it comes from the union of the default's
    fronts on the tuning seeds (`Tuning.scoring_from` says which).

    The default is measured first, and enters the search where it lies in the space; it is the answer where no trial
    beats it. Seeds of a trial run one after another. When a run has spent each tenth of its budget, the mean of the
    seeds so far, the present run as it stands, is reported to Optuna, whose pruner compares it with other trials at the
    same step and may end the trial.

    Trials are kept as they finish. The same call takes them over and goes on, a larger `trials` continues, and several
    machines may share one storage. Each trial's sampler is seeded by how many came before it, so that with one worker
    a killed and resumed search has the trials of an undisturbed one. Budgets of seconds, and several workers, make
    trials depend on the clock.

    Args:
        solver: The default, an instance; its class declares what may be tuned (`search_space`).
        problem: What is solved.
        budget: Of every run of every trial.
        trials: How many settings are tried, those already in the storage included.
        seeds: Tuning seeds, or how many (0, 1, …).
        test_seeds: Test seeds, or how many, which then follow the largest tuning seed; 0 tests nothing.
        indicator: One of `indicators.score_names()`; larger or smaller is better as it says itself.
        space: Other ranges by name, or names of the declared ones. ``"ppo.learning_rate"`` reaches into a part.
        storage: A file (SQLite), any Optuna storage URL, or None for memory.
        pruning: "median" (worse than the median of the others at that step), "hyperband", or "none".
        sampler: "tpe" or "random".
        seed: Of the sampler.
        n_jobs: Processes that share the trials; -1 for all cores.
        progress: Whether to show a bar; None shows it on a terminal only.

    Returns:
        The best setting, all trials, and the tests. Ctrl-C returns what there is with status "interrupted".

    Cost: at most ``(trials + 1) |S| + 2 |test seeds|`` runs.

    Raises:
        InputError: For an empty space, overlapping seeds, a missing budget, or a storage that cannot be opened.
        UnknownNameError: For an unknown hyper-parameter or indicator; the message offers the nearest.
        MissingPackageError: Without Optuna; the message says how to install it.
        EvaluationError: If the default itself crashes. A setting that does is a failed trial; the rest goes on.

    Source: F. Felten, D. Gareev, E.-G. Talbi and G. Danoy, "Hyperparameter optimization for multi-objective
    reinforcement learning", 2023 (mean hypervolume over tuning seeds, tested on fresh ones); T. Akiba et al.,
    "Optuna", KDD 2019. Deviations from the authors' code: the final front is scored and not the last logged value, the
    default competes, trials are pruned, and a crashing seed fails its trial only.

    >>> from paretokit import Budget, problems, solvers
    >>> found = tune(solvers.NSGA2(pop_size=8), problems.ZDT1(), budget=Budget(evaluations=80), trials=2, seeds=1,
    ...              test_seeds=0, storage=None, progress=False)
    >>> len(found.trials)
    2
    """
    check_call(*_in_order(problem, solver), budget, (seed,))
    hint = "all trials spend the same, for example budget=pk.Budget(evaluations=20_000)"
    check.that(budget is not None, "budget", "be given", None, hint)
    assert budget is not None
    check.whole(1, trials=trials)
    check.that(n_jobs == -1 or n_jobs >= 1, "n_jobs", "be -1 or at least 1", n_jobs)
    check.known(indicator, score_names(), kind="indicator")
    check.one_of(store.PRUNING, pruning=pruning)
    check.one_of(store.SAMPLERS, sampler=sampler)
    chosen, fresh = _seeds(seeds, test_seeds)
    ranges = space_of(solver, space)
    solver.check(problem)
    url = store.url_of(storage)
    check.that(url is not None or n_jobs == 1, "storage", "be a file or a URL with several processes", None)
    settings = {"indicator": indicator, "budget": repr(budget), "pruning": pruning, "sampler": f"{sampler} {seed}"}
    name = store.study_name(solver, problem, seeds=chosen, space=ranges, settings=settings)
    own = scoring_of(problem, indicator)
    task = Task(problem, budget, chosen, indicator, own or Scoring())
    job = _Job(solver, task, ranges, pruning, sampler, seed, url, name)
    with store.quiet(), Progress(f"tuning {solver.name} on {problem.name}", shown=progress) as bar:
        study = job.open()
        store.release_lost(study)
        default: tuple[float, ...] = ()
        scoring, status = own or Scoring(), "interrupted"
        tests: dict[str, tuple[Tested, ...]] = {}
        try:
            default, scoring = _default(job, study, own)
            job = _Job(
                solver, Task(problem, budget, chosen, indicator, scoring), ranges, pruning, sampler, seed, url, name
            )
            if _search(job, study, trials=trials, n_jobs=n_jobs, bar=bar):
                best = _best(job, study, default)
                tests = _tests(job, study, best, fresh, bar)
                status = "finished"
        except KeyboardInterrupt:
            pass
        records = _records(study, ranges)
        return Tuning(
            solver=solver,
            best=_best(job, study, default),
            problem=problem.name,
            budget=repr(budget),
            indicator=indicator,
            scoring=scoring,
            scoring_from="protocol" if own else "default",
            seeds=chosen,
            test_seeds=fresh,
            default_scores=default,
            records=records,
            tests=tests,
            study=name,
            storage=store.shown(url),
            status=status,
        )


def _in_order(problem: Any, solver: Any) -> tuple[Any, Any]:
    """Return problem and solver, or say that they were given the other way round."""
    if isinstance(problem, Solver) and isinstance(solver, Problem):
        check.fail("solver", "come first, the problem second", f"{solver.name} first")
    return problem, solver


def _seeds(tuning: int | Iterable[int], test: int | Iterable[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    for name, given in (("seeds", tuning), ("test_seeds", test)):
        fits = isinstance(given, int | Iterable) and not isinstance(given, bool | str)
        check.that(fits, name, "be their number, or whole numbers", repr(given))
    chosen = tuple(range(tuning)) if isinstance(tuning, int) else tuple(tuning)
    check.at_least(1, seeds=len(chosen))
    after = max((s for s in chosen if isinstance(s, int)), default=0) + 1
    fresh = tuple(range(after, after + test)) if isinstance(test, int) else tuple(test)
    for name, given in (("seeds", chosen), ("test_seeds", fresh)):
        check.whole(-(2**63), **{f"{name}[{i}]": s for i, s in enumerate(given)})
        check.that(len(set(given)) == len(given), name, "be distinct", list(given))
    both = sorted(set(chosen) & set(fresh))
    hint = "what was tuned on a seed is flattered by it"
    check.that(not both, "test_seeds", "share no seed with the tuning seeds", both, hint)
    return chosen, fresh


def _default(job: _Job, study: Any, own: Scoring | None) -> tuple[tuple[float, ...], Scoring]:
    """Return the default's scores on the tuning seeds and the scoring of all, measured once and then remembered."""
    kept = study.user_attrs.get(store.DEFAULT)
    if kept is not None:
        return tuple(kept["scores"]), restored(kept["scoring"])
    task = job.task
    scoring = own or scoring_from(task.problem, job.solver, budget=task.budget, seeds=task.seeds)
    task = Task(task.problem, task.budget, task.seeds, task.indicator, scoring)
    seen: dict[int, float] = {}

    def note(value: float, step: int) -> bool:
        seen[step] = value
        return False

    outcome = measured(task, lambda: job.solver, note)
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.error:
        raise InputError(check.message("solver", "run as it is, to be compared with", job.solver.name, outcome.error))
    names = ("reference_point", "ideal", "nadir", "partitions")
    kept = {"scores": outcome.scores, "scoring": {n: getattr(scoring, n) for n in names}}
    study.set_user_attr(store.DEFAULT, json.loads(json.dumps(kept)))
    values = labels_of(job.space, {name: current(job.solver, name) for name in job.space})
    if values is not None:
        optuna = check.package("optuna", extra="tuning")
        study.add_trial(
            optuna.trial.create_trial(
                value=outcome.mean,
                params=values,
                distributions=distributions(job.space),
                intermediate_values=seen,
                user_attrs={store.DEFAULT: True},
            )
        )
    return tuple(outcome.scores), scoring


def _search(job: _Job, study: Any, *, trials: int, n_jobs: int, bar: Progress) -> bool:
    """Try settings until there are `trials` of them; tell whether that was not interrupted."""
    left = trials - len(store.searched(study))
    if left <= 0:
        return True
    import joblib

    workers = min(left, joblib.cpu_count() if n_jobs == -1 else n_jobs)
    if workers == 1:
        return _work(job, study, count=left, of=trials, bar=bar)
    threads = max(1, torch.get_num_threads() // workers)
    shares = [left // workers + (w < left % workers) for w in range(workers)]
    ended = joblib.Parallel(n_jobs=workers)(
        joblib.delayed(_elsewhere)(job, count, worker, threads) for worker, count in enumerate(shares)
    )
    return all(ended)


def _elsewhere(job: _Job, count: int, worker: int, threads: int) -> bool:
    """Try so many settings in a process of its own."""
    torch.set_num_threads(threads)
    with store.quiet(), Progress("", shown=False) as bar:
        return _work(job, job.open(), count=count, of=0, bar=bar, worker=worker)


def _work(job: _Job, study: Any, *, count: int, of: int, bar: Progress, worker: int = 0) -> bool:
    states = check.package("optuna", extra="tuning").trial.TrialState
    drawn = distributions(job.space)
    for _ in range(count):
        before = len(store.searched(study))
        bar.show(before / max(1, of), f" {before} trials")
        study.sampler = store.sampler_of(job.sampler, Rng.from_seed(job.seed).child("trial", before, worker))
        trial = study.ask(drawn)
        trial.set_user_attr(store.OWNER, store.owner())
        values = values_of(job.space, trial.params)
        outcome = measured(job.task, partial(configured, job.solver, values), _reporter(trial))
        if outcome.interrupted:
            study.tell(trial, state=states.FAIL)
            return False
        _tell(study, trial, outcome, states)
    return True


def _reporter(trial: Any) -> Any:
    def report(value: float, step: int) -> bool:
        trial.report(value, step)
        return bool(trial.should_prune())

    return report


def _tell(study: Any, trial: Any, outcome: Outcome, states: Any) -> None:
    trial.set_user_attr(store.SCORES, outcome.scores)
    if outcome.error:
        trial.set_user_attr(store.ERROR, outcome.error)
        study.tell(trial, state=states.FAIL)
    elif outcome.pruned:
        study.tell(trial, state=states.PRUNED)
    else:
        study.tell(trial, outcome.mean)


def _records(study: Any, space: SearchSpace) -> tuple[Trial, ...]:
    words = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    out = []
    for number, trial in enumerate(store.searched(study)):
        seconds = (trial.datetime_complete - trial.datetime_start).total_seconds()
        last = trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else math.nan
        state = words[trial.state.name]
        out.append(
            Trial(
                number=number,
                state=state,
                value={"complete": trial.value, "pruned": last}.get(state, math.nan),
                parameters=values_of(space, trial.params),
                scores=tuple(trial.user_attrs.get(store.SCORES, ())),
                seconds=seconds,
                error=trial.user_attrs.get(store.ERROR, ""),
            )
        )
    return tuple(out)


def _best(job: _Job, study: Any, default: tuple[float, ...]) -> dict[str, Any]:
    """Return the hyper-parameters of the best trial; {} where none beats the default."""
    if not default:
        return {}
    top = best_of(_records(study, job.space), job.task.indicator, sum(default) / len(default))
    return {} if top is None else dict(top.parameters)


def _tests(
    job: _Job, study: Any, best: dict[str, Any], seeds: tuple[int, ...], bar: Progress
) -> dict[str, tuple[Tested, ...]]:
    """Return default and tuned on the test seeds; what was tested before is remembered."""
    out: dict[str, tuple[Tested, ...]] = {}
    if not seeds:
        return out
    for side, values in (("default", {}), ("tuned", best)):
        solver = configured(job.solver, values)
        runs = []
        for position, seed in enumerate(seeds):
            bar.show(position / len(seeds), f" testing {side}")
            key = f"test {json.dumps(values, sort_keys=True)} {seed}"
            found = study.user_attrs.get(key)
            if found is None:
                found = tested(job.task, solver, seed)
                study.set_user_attr(key, found)
            runs.append(Tested(seed=seed, **found))
        out[side] = tuple(runs)
    return out
