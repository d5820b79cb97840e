"""What tuning returns: the best setting, all trials, and default against tuned on fresh seeds."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paretokit.bench._bootstrap import Interval, check_options, draw_counts, interval, middle_means
from paretokit.bench._statistics import better_pairs
from paretokit.core import CheckpointError, Rng, Scoring, Solver
from paretokit.core._text import number
from paretokit.indicators import larger_is_better
from paretokit.tuning._space import configured
from paretokit.tuning._trial import restored

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A setting that was tried.

    Attributes:
        number: Its position, from 0.
        state: "complete", "pruned" (ended early) or "failed".
        value: Mean of the indicator over the tuning seeds; of a pruned one as it stood; NaN of a failed one.
        parameters: The hyper-parameters.
        scores: Of each seed that was finished.
        seconds: Wall time.
        error: One line where it failed.
    """

    number: int
    state: str
    value: float
    parameters: Mapping[str, Any]
    scores: tuple[float, ...] = ()
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A score with a fresh seed.

    Attributes:
        seed: The seed.
        value: Indicator of the front.
        held_out: Indicator of the same decisions as measured on held-out data, where the problem has any.
    """

    seed: int
    value: float
    held_out: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Tuning:
    """The outcome of `tune`.

    Attributes:
        solver: The default that was to be beaten.
        best: Hyper-parameters of the best complete trial; empty where none beats the default.
        problem: Name of the problem.
        budget: Of each run, as text.
        indicator: What was made best.
        scoring: Reference point, ideal and nadir of all scores.
        scoring_from: "protocol" (the problem's own), or "default" (the union of the default's fronts on the tuning
            seeds).
        seeds, test_seeds: Disjoint.
        default_scores: Of the default on the tuning seeds.
        records: The trials in order.
        tests: Scores on the test seeds, under "default" and "tuned"; empty where there are none.
        study, storage: Where the trials are kept.
        status: "finished" or "interrupted".
    """

    solver: Solver[Any]
    best: Mapping[str, Any]
    problem: str
    budget: str
    indicator: str
    scoring: Scoring
    scoring_from: str
    seeds: tuple[int, ...]
    test_seeds: tuple[int, ...]
    default_scores: tuple[float, ...]
    records: tuple[Trial, ...] = field(repr=False)
    tests: Mapping[str, tuple[Tested, ...]] = field(repr=False)
    study: str
    storage: str
    status: str = "finished"

    @cached_property
    def best_solver(self) -> Solver[Any]:
        """The default with the best hyper-parameters."""
        return configured(self.solver, self.best)

    @property
    def default_value(self) -> float:
        """Mean of the default over the tuning seeds."""
        return sum(self.default_scores) / len(self.default_scores) if self.default_scores else math.nan

    @property
    def best_value(self) -> float:
        """Mean of the best setting over the tuning seeds: flattered by the choice; `report` is not."""
        top = best_of(self.records, self.indicator, self.default_value)
        return self.default_value if top is None else top.value

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial: number, state, value, seconds, error, and a column a hyper-parameter."""
        import pandas as pd

        names = ("number", "state", "value", "seconds", "error")
        rows = [{n: getattr(t, n) for n in names} | dict(t.parameters) for t in self.records]
        return pd.DataFrame(rows, columns=[*names, *dict.fromkeys(n for t in self.records for n in t.parameters)])

    def report(self, *, level: float = 0.95, resamples: int = 10_000, seed: int = 0) -> pd.DataFrame:
        """Return default against tuned on the test seeds, one row a measure, with bootstrap intervals.

        The difference of means is tuned minus default, ``d = mean_i t_i - mean_i d_i``; a resample draws seeds with
        replacement, and a seed brings both runs. The probability of improvement is
        ``(1/n^2) sum_{i,j} [t_i better than d_j] + [equal] / 2``. Intervals are percentiles of the resamples.

        Args:
            level: Coverage of each interval by itself.
            resamples: Their number R.
            seed: Of the resampling.

        Returns:
            Columns measure ("selection", and "held-out" where the problem has such data), indicator, default, tuned,
            difference, low, high, improvement, improvement_low, improvement_high, level, seeds. No rows without tests.

        Cost: O(R n^2) for n test seeds.

        Source: B. Efron, Annals of Statistics, 1979; R. Agarwal, M. Schwarzer, P. Castro, A. Courville and M.
        Bellemare, NeurIPS 2021.
        """
        import pandas as pd

        check_options(level=level, resamples=resamples)
        rows = []
        for measure, attribute in (("selection", "value"), ("held-out", "held_out")):
            pair = [[getattr(t, attribute) for t in self.tests.get(side, ())] for side in ("default", "tuned")]
            if not pair[0] or not pair[1] or any(v is None for side in pair for v in side):
                continue
            default, tuned = (np.asarray(side, dtype=np.float64) for side in pair)
            counts = draw_counts([len(default)], resamples, Rng.from_seed(seed))[0]
            change = interval(
                float(tuned.mean() - default.mean()),
                middle_means(np.stack([tuned - default], axis=1), counts, 0)[:, 0],
                level,
            )
            sign = 1.0 if larger_is_better(self.indicator) else -1.0
            wins = better_pairs(sign * tuned, sign * default)
            chance = interval(float(wins.mean()), ((counts @ wins) * counts).sum(1) / len(default) ** 2, level)
            rows.append(_row(measure, self.indicator, float(default.mean()), float(tuned.mean()), change, chance))
            rows[-1]["seeds"] = len(default)
        names = ("measure", "indicator", "default", "tuned", "difference", "low", "high")
        more = ("improvement", "improvement_low", "improvement_high", "level", "seeds")
        return pd.DataFrame(rows, columns=[*names, *more])

    def save(self, path: str | Path) -> None:
        """Write everything to a JSON file, whole or not at all.

        Raises:
            CheckpointError: If the disk cannot take it.
        """
        target = Path(path)
        content = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        content |= {"format": FORMAT, "solver": {"name": self.solver.name, "options": self.solver.config()}}
        aside = target.with_name(f".writing-{target.name}")
        try:
            aside.write_text(json.dumps(content, indent=1, default=_plain) + "\n", encoding="utf-8")
            aside.replace(target)
        except (OSError, TypeError) as error:
            aside.unlink(missing_ok=True)
            raise CheckpointError(f"{target} could not be written: {error}") from error

    @staticmethod
    def load(path: str | Path, solver: Solver[Any] | None = None) -> Tuning:
        """Return what `save` wrote; the default solver is made from its name and options unless given.

        Raises:
            CheckpointError: If there is no such file, or it is damaged or of another format.
        """
        from paretokit.solvers import make

        source = Path(path)
        try:
            content = json.loads(source.read_text("utf-8"))
            found = content.pop("format")
            if found != FORMAT:
                raise CheckpointError(f"{source} has format {found}; this version reads format {FORMAT}")
            named = content.pop("solver")
            made = solver or make(named["name"], **named["options"])
            scoring = restored(content.pop("scoring"))
            records = tuple(Trial(**_numbers(r, "value") | {"scores": tuple(r["scores"])}) for r in content["records"])
            tests = {side: tuple(Tested(**t) for t in runs) for side, runs in content.pop("tests").items()}
            rest = {n: tuple(content.pop(n)) for n in ("seeds", "test_seeds", "default_scores")}
            return Tuning(**content | rest | {"records": records}, solver=made, scoring=scoring, tests=tests)
        except OSError as error:
            raise CheckpointError(f"there is no readable file {source}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{source} holds no saved tuning: {' '.join(str(error).split())}") from error

    def __repr__(self) -> str:
        states = [t.state for t in self.records]
        told = ", ".join(f"{states.count(s)} {s}" for s in ("complete", "pruned", "failed") if s in states)
        source = "the problem's scoring" if self.scoring_from == "protocol" else "a scoring from the default's fronts"
        lines = [
            f"{self.solver.name} on {self.problem}: {len(states)} trials ({told or 'none'}) of {self.budget}"
            + ("" if self.status == "finished" else f"; {self.status}"),
            f"  {self.indicator}  default {number(self.default_value, 6)}, best {number(self.best_value, 6)}"
            f" (mean of seeds {', '.join(map(str, self.seeds))}, by {source})",
        ]
        lines += [f"  {name} = {value!r}" for name, value in self.best.items()]
        if not self.best:
            lines.append("  no trial beats the defaults")
        failed = next((t.error for t in self.records if t.error), "")
        lines += [f"  first failure: {failed}"] if failed else []
        for row in self.report().itertuples() if self.tests else ():
            lines.append(
                f"  {row.seeds} fresh seeds, {row.measure}: default {number(row.default, 6)}, tuned"
                f" {number(row.tuned, 6)}; difference {number(row.difference)} [{number(row.low)}, {number(row.high)}],"
                f" probability of improvement {row.improvement:.2f} [{row.improvement_low:.2f},"
                f" {row.improvement_high:.2f}]"
            )
        return "\n".join(lines)


def best_of(records: tuple[Trial, ...], indicator: str, default: float) -> Trial | None:
    """Return the best complete trial that beats the default, the first of equals; None where none does."""
    sign = 1.0 if larger_is_better(indicator) else -1.0
    done = [t for t in records if t.state == "complete" and math.isfinite(t.value)]
    top = max(done, key=lambda t: (sign * t.value, -t.number), default=None)
    return top if top is not None and not sign * top.value <= sign * default else None


def _row(
    measure: str, indicator: str, default: float, tuned: float, change: Interval, chance: Interval
) -> dict[str, Any]:
    return {
        "measure": measure,
        "indicator": indicator,
        "default": default,
        "tuned": tuned,
        "difference": change.estimate,
        "low": change.low,
        "high": change.high,
        "improvement": chance.estimate,
        "improvement_low": chance.low,
        "improvement_high": chance.high,
        "level": change.level,
    }


def _plain(value: Any) -> Any:
    """Return what JSON takes; NaN as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{type(value).__name__} {value!r} is nothing that JSON holds")


def _numbers(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**record, **{n: math.nan for n in names if record[n] is None}}
