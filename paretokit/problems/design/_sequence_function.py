"""A user's own function of words as a design problem: `CompositionalDesign.sequences`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, final

import numpy as np
import torch
from torch import Tensor

from paretokit.core import EvaluationError, EvaluationProtocol, Objective, Scoring, objectives_of
from paretokit.core import _check as check
from paretokit.problems._named import function_name
from paretokit.problems._workers import Crew, Outcome
from paretokit.problems.design._sequences import SequenceProblem


@final
class SequenceFunction(SequenceProblem):
    """What `CompositionalDesign.sequences` returns: words scored by a function of the user's.

    Words are scored once each in a call, in the order in which they first appear.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        *,
        alphabet: Sequence[str],
        objectives: tuple[Objective, ...],
        min_length: int,
        max_length: int,
        batch: bool,
        workers: int,
        on_error: Literal["raise", "fail"],
        scoring: Scoring,
        allowed: Tensor | Sequence[Sequence[bool]] | None,
        first: Tensor | Sequence[bool] | None,
        name: str,
    ) -> None:
        super().__init__(alphabet=alphabet, min_length=min_length, max_length=max_length, allowed=allowed, first=first)
        self.objectives = objectives
        self.protocol = EvaluationProtocol(scoring=scoring)
        self._function, self._batch, self._name = function, batch, name
        self._caught: tuple[type[Exception], ...] = (Exception,) if on_error == "fail" else ()
        self._crew = Crew(function, workers) if workers > 1 else None

    @property
    def name(self) -> str:
        """What tables and titles call the problem."""
        return self._name

    def _code(self) -> tuple[Any, ...]:
        return (self._function,)

    def _score(self, x: Tensor) -> Tensor:
        words = self.space.words(x)
        distinct = list(dict.fromkeys(words))
        number = {word: i for i, word in enumerate(distinct)}
        answers = self._answers(distinct)
        rows = [self._row(word, answer) for word, answer in zip(distinct, answers, strict=True)]
        at = torch.tensor([number[word] for word in words])
        return torch.from_numpy(np.stack(rows))[at].to(device=x.device, dtype=x.dtype)

    def _answers(self, words: list[str]) -> list[Outcome]:
        """Return what the function says of distinct words, one entry each."""
        if self._batch:
            return self._batched(words)
        return [self._here(word) for word in words] if self._crew is None else self._crew.map(words)

    def _here(self, word: str) -> Outcome:
        try:
            return Outcome(self._function(word))
        except Exception as error:  # noqa: BLE001 - `_row` raises it with the word
            return Outcome(error=error)

    def _batched(self, words: list[str]) -> list[Outcome]:
        try:
            answer = self._function(words)
        except self._caught as error:
            if len(words) == 1:
                return [Outcome(error=error)]
            return [outcome for word in words for outcome in self._batched([word])]
        answer = answer.tolist() if isinstance(answer, Tensor) else list(answer)
        check.shape(
            len(answer) == len(words), "function", f"return one row a word, {len(words)} of them", f"{len(answer)} rows"
        )
        return [Outcome(row) for row in answer]

    def _row(self, word: str, outcome: Outcome) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the values of one word `[m]`; NaN where it failed and may."""
        if outcome.error is None:
            return self._checked_answer(word, outcome.value)
        if not self._caught:
            kind = type(outcome.error).__name__
            raise EvaluationError(f"the function raised {kind} for {word!r}: {outcome.error}") from outcome.error
        return np.full(self.n_objectives, np.nan)

    def _checked_answer(self, word: str, answer: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the values of one word `[m]`, or raise one line that shows it."""
        m = self.n_objectives
        rule, shown = f"return {m} values, one an objective", f"{_shown(answer)} for {word!r}"
        try:
            values = answer.detach().cpu().numpy() if isinstance(answer, Tensor) else np.asarray(answer)
            row = np.asarray(values, dtype=np.float64)
            row = row.reshape(1) if m == 1 and row.ndim == 0 else row
        except (TypeError, ValueError):  # text, or rows of different lengths
            row = np.empty(0)
        check.shape(row.shape == (m,), "function", rule, shown)
        if self._caught and not np.isfinite(row).all():
            return np.full(m, np.nan)
        check.that(bool(np.isfinite(row).all()), "function", "return finite values", f"{row.tolist()} for {word!r}")
        if self.protocol.scoring.ideal is None:
            hint = "shift them, or pass `ideal` and `nadir`"
            fine = bool((row >= 0).all())
            check.that(fine, "function", "return no negative value", f"{row.tolist()} for {word!r}", hint)
        return row


def _shown(answer: Any) -> str:
    """Return an answer of the wrong shape in short."""
    text = " ".join(repr(answer).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def sequence_function(
    alphabet: Sequence[str],
    objectives: int | Sequence[Objective | str],
    function: Callable[[Any], Any],
    *,
    max_length: int,
    min_length: int = 1,
    batch: bool = False,
    workers: int = 1,
    on_error: Literal["raise", "fail"] = "raise",
    ideal: Sequence[float] | None = None,
    nadir: Sequence[float] | None = None,
    allowed: Tensor | Sequence[Sequence[bool]] | None = None,
    first: Tensor | Sequence[bool] | None = None,
    name: str = "",
) -> SequenceFunction:
    """Return the problem; `CompositionalDesign.sequences` says how."""
    check.that(callable(function), "function", "be callable", type(function).__name__)
    check.arguments(sequence_function, {"batch": batch, "name": name, "workers": workers})
    if isinstance(objectives, int):
        number = objectives
    else:
        number = len(objectives_of(objectives)) if objectives else 0
    check.whole(1, objectives=number)
    check.one_of(("raise", "fail"), on_error=on_error)
    made = objectives_of(objectives, ["max"] * number)
    names = [o.name for o in made]
    check.that(len(set(names)) == number, "objectives", "have different names", names)
    check.whole(1, workers=workers)
    check.that(not batch or workers == 1, "workers", "be 1 where batch is True", workers, "workers take single words")
    check.that((ideal is None) == (nadir is None), "nadir", "be given together with `ideal`", nadir)
    minimized = [o.name for o in made if not o.maximize]
    rule, hint = "be given where an objective is minimized", f"{', '.join(minimized)}; samplers are rewarded by both"
    check.that(ideal is not None or not minimized, "ideal", rule, ideal, hint)
    scoring = Scoring(reference_point=(0.0,) * number, ideal=None, nadir=None)
    if ideal is not None and nadir is not None:
        best, worst = (check.point(n, p, number) for n, p in (("ideal", ideal), ("nadir", nadir)))
        signs = torch.tensor([1.0 if o.maximize else -1.0 for o in made], dtype=torch.float64)
        better = bool((signs * (best - worst) > 0).all())
        check.that(
            better, "ideal", "be better than `nadir` in every objective", best.tolist(), f"nadir {worst.tolist()}"
        )
        point = tuple(worst.tolist())
        scoring = Scoring(reference_point=point, ideal=tuple(best.tolist()), nadir=point)
    return SequenceFunction(
        function,
        alphabet=alphabet,
        objectives=made,
        min_length=min_length,
        max_length=max_length,
        batch=batch,
        workers=workers,
        on_error=on_error,
        scoring=scoring,
        allowed=allowed,
        first=first,
        name=name or function_name(function),
    )
