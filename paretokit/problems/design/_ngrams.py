"""N-grams: words in which several short patterns shall occur often, with the exact front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import EvaluationProtocol, Objective, Scoring, non_dominated
from paretokit.core import _check as check
from paretokit.problems._thin import thin
from paretokit.problems.design._sequences import SequenceProblem

AMINO = "ACDEFGHIKLMNPQRSTVWY"
VECTORS = 10_000  # most vectors of counts up to which the exact front is found


@final
class NGrams(SequenceProblem):
    r"""Words whose objective j is the number of occurrences of n-gram j, overlaps included, over a divisor.

    .. math:: f_j(x) = \tfrac1D \left|\{\, i : x_{i+1} \dots x_{i+|g_j|} = g_j \,\}\right|

    Args:
        ngrams: Different patterns g of letters of the alphabet.
        min_length: Letters of the shortest word, included. The published code's `min_len` is one less: its words have
            33 to 36 letters. The front is the same, since a further letter never takes an occurrence away.
        max_length: Letters of the longest word, included.
        divisor: D, the most that is expected; values above 1 are possible where it is less.
        alphabet: One-character letters; the 20 amino acids unless given.

    The front is exact, by dynamic programming over the last letters and the counts, while the vectors of counts can be
    no more than about 10^4; else it is unknown.

    A letter outside the alphabet is refused: a published configuration with the four bigrams AV, VC, CA and AB, of
    which the last can never occur, has an objective that is always 0.

    Source: Stanton et al. (2022), ICML; with several n-grams Jain et al. (2023), ICML.

    >>> NGrams(ngrams=("AA", "C"), min_length=1, max_length=4, divisor=4).pareto_front().tolist()
    [[0.0, 1.0], [0.25, 0.5], [0.5, 0.25], [0.75, 0.0]]
    """

    id = "ngrams-v1"

    def __init__(
        self,
        *,
        ngrams: Sequence[str] = ("AV", "VC", "CA"),
        min_length: int = 32,
        max_length: int = 36,
        divisor: float = 18,
        alphabet: str = AMINO,
    ) -> None:
        check.arguments(NGrams.__init__, locals())
        super().__init__(alphabet=alphabet, min_length=min_length, max_length=max_length)
        self.ngrams = (ngrams,) if isinstance(ngrams, str) else tuple(ngrams)
        check.at_least(1, ngrams=len(self.ngrams))
        check.that(len(set(self.ngrams)) == len(self.ngrams), "ngrams", "be different", list(self.ngrams))
        check.positive(divisor=divisor)
        for gram in self.ngrams:
            check.that(1 <= len(gram) <= max_length, "ngrams", f"have 1 to {max_length} letters", repr(gram))
            strange = "".join(c for c in gram if c not in alphabet)
            hint = f"{strange!r} is none, so the objective would always be 0"
            check.that(not strange, "ngrams", f"use letters of {alphabet!r} only", repr(gram), hint)
        self.divisor, m = divisor, len(self.ngrams)
        self.objectives = tuple(Objective(gram, "max") for gram in self.ngrams)
        self.front_kind = "exact" if math.comb(max_length + m - 1, m - 1) <= VECTORS else "unknown"
        scoring = Scoring(reference_point=(0.0,) * m, ideal=(1.0,) * m, nadir=(0.0,) * m)
        self.protocol = EvaluationProtocol(scoring=scoring)

    def options(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        return {
            "ngrams": list(self.ngrams),
            "min_length": self.space.min_length,
            "max_length": self.space.max_length,
            "divisor": self.divisor,
            "alphabet": "".join(self.alphabet),
        }

    def _score(self, x: Tensor) -> Tensor:
        return torch.stack([self._count(x, gram) for gram in self.ngrams], -1).to(x.dtype) / self.divisor

    def _count(self, x: Tensor, gram: str) -> Tensor:
        """Return how often an n-gram occurs in padded tokens `[n, d]`, overlaps included."""
        places = self.space.max_length - len(gram) + 1
        found = torch.ones(len(x), places, dtype=torch.bool, device=x.device)
        for i, letter in enumerate(gram):
            found &= x[:, i : i + places] == self.alphabet.index(letter)
        return found.sum(-1)

    def pareto_front(self, n: int | None = None) -> Tensor | None:
        """Return the exact front `[n, m]`, sorted; None where there are too many vectors of counts."""
        if self.front_kind == "unknown":
            return None
        front = self._counts.to(self.device, self.dtype) / self.divisor
        return front if n is None else thin(front, n)

    @cached_property
    def _counts(self) -> Tensor:
        r"""Non-dominated vectors of counts, int64 `[k, m]`, by dynamic programming over letters.

        A word's future depends on the longest end of it that begins some n-gram without being all of it. Of the words
        of a length with equal such ends, only those with non-dominated counts are kept.

        Cost: O(L |ends| |letters|) filterings of the vectors kept.
        """
        ends = sorted({gram[:i] for gram in self.ngrams for i in range(len(gram))})
        letters = sorted({letter for gram in self.ngrams for letter in gram})
        # Any letter that is in no n-gram does the same; where there is none, every word goes on with one that is.
        moves = [*letters, *([""] if len(letters) < len(self.alphabet) else [])]
        edges: list[tuple[str, str, Tensor]] = []
        for end in ends:
            for letter in moves:
                text = end + letter if letter else ""
                after = next(text[i:] for i in range(len(text) + 1) if text[i:] in ends)
                gain = torch.tensor([bool(letter) and text.endswith(gram) for gram in self.ngrams])
                edges.append((end, after, gain.to(torch.int64)))
        kept = {"": torch.zeros(1, len(self.ngrams), dtype=torch.int64)}
        for _ in range(self.space.max_length):
            following: dict[str, list[Tensor]] = {}
            for end, after, gain in edges:
                if end in kept:
                    following.setdefault(after, []).append(kept[end] + gain)
            kept = {end: _best(torch.cat(parts)) for end, parts in following.items()}
        return _best(torch.cat(list(kept.values())))


def _best(counts: Tensor) -> Tensor:
    """Return the non-dominated rows, each once, sorted."""
    unique: Tensor = torch.unique(counts, dim=0)
    return unique[torch.as_tensor(non_dominated(unique.to(torch.float64), maximize=True))]
