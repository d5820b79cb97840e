"""The contract of a design problem: objects built step by step, scored by several objectives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from paretokit.core import Evaluation, Objective, Problem, Rng, to_min
from paretokit.core import _check as check
from paretokit.core._io import Array, tensor_of
from paretokit.problems.design._environment import DesignEnvironment
from paretokit.problems.design._pending import Pending
from paretokit.problems.design._states import States

if TYPE_CHECKING:
    from paretokit.problems.design._sequence_function import SequenceFunction

ROUNDING = 1e-9  # by how much a sum of values may fall below 0 and count as 0


class CompositionalDesign(Problem):
    r"""A problem whose decisions are built by a `DesignEnvironment`; a decision row x is an object's plain encoding.

    Objectives are maximized, finite and not negative, in about [0, 1], unless `protocol.scoring` holds an ideal and a
    nadir, by which `gains` then scales. Rows of other spaces' search (evolution) are the same rows.

    Subclasses give `objectives`, `space`, `environment` and write `_score`. Evaluation counts oracle calls, one a row.

    Attributes:
        environment: How the objects are built.
    """

    environment: DesignEnvironment
    unit = "oracle calls"
    dtype = torch.float64

    @abstractmethod
    def _score(self, x: Tensor) -> Tensor:
        """Return the objectives `[n, m]` of decision rows `x [n, d]`."""

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return Evaluation(self._score(x))

    def _begin(self, x: Tensor) -> Callable[[], Tensor]:
        """Begin to score decision rows `[n, d]`; what is returned waits and returns the objectives `[n, m]`.

        Scores on a thread of its own unless overridden: a function that waits (for processes, a server, a laboratory)
        or computes outside Python leaves this one free.
        """
        beside = ThreadPoolExecutor(1)
        future = beside.submit(self._score, x)
        beside.shutdown(wait=False)
        return future.result

    def submit(self, x: Array) -> Pending[Evaluation]:
        """Begin to evaluate decisions `[n, d]`; the answer's `result` is what `evaluate` returns, and counted then.

        Returns before the values are there.

        Raises:
            ShapeError, InputError: As `evaluate`.
        """
        rows = self._checked(tensor_of(x, "x"))
        finish = self._begin(rows) if len(rows) else lambda: rows.new_empty(0, self.n_objectives)

        def answered() -> Evaluation:
            out = self._answer(Evaluation(finish()), len(rows))
            if self._observer is not None:
                self._observer.evaluated(rows, out)
            return out

        return Pending(answered)

    def gains(self, values: Tensor) -> Tensor:
        r"""Return what samplers are rewarded for, `[..., m]`: larger is better, at least 0, about 1 at the ideal.

        .. math:: r_j = \max\left(0, \frac{f_j - f^{nad}_j}{f^*_j - f^{nad}_j}\right)

        with the ideal f* and the nadir of `protocol.scoring`; without them the values themselves, which must then be
        maximized.

        Raises:
            InputError: If an objective is minimized, or a value negative, and the scoring holds no ideal and nadir.
        """
        scoring = self.protocol.scoring
        better = values.clone() if all(o.maximize for o in self.objectives) else -to_min(values, self.objectives)
        if scoring.ideal is None or scoring.nadir is None:
            minimized = [o.name for o in self.objectives if not o.maximize]
            rule = "hold ideal and nadir where an objective is minimized"
            check.that(not minimized, "protocol.scoring", rule, f"neither, for {', '.join(minimized)}")
            if better.numel() == 0 or float(better.min()) >= 0:
                return better
            low = torch.where(better < 0, better, 0).reshape(-1, better.shape[-1]).sum(0)  # NaN is no negative value
            if bool((low < -ROUNDING).any()):
                j = int(low.argmin())
                hint = "rewards are powers of it: shift it, or let `protocol.scoring` hold ideal and nadir"
                least = float(better[..., j].nan_to_num().min())
                check.fail(self.objectives[j].name, "have no negative value", f"{least:g}", hint)
            return better.clamp_min(0)
        ideal, nadir = (
            -to_min(torch.tensor(p, dtype=values.dtype, device=values.device), self.objectives)
            for p in (scoring.ideal, scoring.nadir)
        )
        return ((better - nadir) / (ideal - nadir)).clamp_min(0)

    def describe_object(self, x: Tensor) -> str:
        """Return how error messages and tables show one decision row `x [d]`."""
        return str(self.decode(x))

    def describe_decisions(self, x: Tensor) -> list[str] | None:
        """Return the objects that decision rows `x [n, d]` are, a line each; None where they are their numbers."""
        own = type(self).decode, type(self).describe_object
        if own == (CompositionalDesign.decode, CompositionalDesign.describe_object):
            return None
        return [self.describe_object(row) for row in x]

    @staticmethod
    def sequences(
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
        """Return the design of words that a function of one's own scores, written from left to right.

        Objectives are maximized unless an `Objective` says "min" (`external` and `from_function` minimize).

        Args:
            alphabet: Different letters: "ACGT", or a list of strings of any length, which words join.
            objectives: Their number, names (then maximized), or `Objective`s.
            function: Takes a word and returns its m values (one number where m = 1): finite and, without `ideal` and
                `nadir`, not negative.
            max_length: Letters of the longest word, included.
            min_length: Letters of the shortest word, included.
            batch: Whether the function takes a list of different words and returns `[n, m]` instead.
            workers: Number of processes that score words at the same time; the function is sent to them by value.
            on_error: "raise" ends with the word for which the function raised or gave no finite values; "fail" makes it
                a failed candidate, which counts as scored, teaches nothing and enters no front. A batch that raises is
                then tried word by word.
            ideal: Best value of each objective, by which `gains` scales; needed where one is minimized.
            nadir: Worst value of each objective, likewise; also the reference point.
            allowed: Which letter (column) may follow which (row), bool `[v, v]`; all where None.
            first: Which letters may begin a word, bool `[v]`; all where None.
            name: What tables call the problem; the function's name where empty, "function" for a lambda.

        Raises:
            InputError: If an option breaks its rule, or, at evaluation, if values are NaN, infinite, negative or not m
                in number; the message shows the word.
            EvaluationError: If the function raised; the message shows the word.

        Cost: the function once for each different word of a call.

        >>> count = lambda word: (word.count("A"), word.count("B"))
        >>> words = CompositionalDesign.sequences("AB", ["a", "b"], count, max_length=4)
        >>> words.evaluate(words.encode(["ABBA"])).values.tolist()
        [[2.0, 2.0]]
        """
        from paretokit.problems.design._sequence_function import sequence_function

        return sequence_function(
            alphabet,
            objectives,
            function,
            max_length=max_length,
            min_length=min_length,
            batch=batch,
            workers=workers,
            on_error=on_error,
            ideal=ideal,
            nadir=nadir,
            allowed=allowed,
            first=first,
            name=name,
        )

    def states(self, limit: int = 1 << 17) -> States | None:
        """Return all states that can be reached, where there are at most `limit`, else None; found once and kept."""
        kept: dict[tuple[int, torch.device], States | None] = self.__dict__.setdefault("_kept_states", {})
        key = (limit, self.device)
        if key not in kept:
            found = States.of(self.environment, limit)
            kept[key] = None if found is None else found.to(self.device)
        return kept[key]
