"""Ehrlich functions: words that must hold spaced motifs and no forbidden pair, with known optima."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import EvaluationProtocol, Objective, Rng, Scoring
from paretokit.core import _check as check
from paretokit.problems.design._ngrams import AMINO
from paretokit.problems.design._sequences import SequenceProblem

ATTEMPTS = 1000  # draws of a motif before its alphabet counts as exhausted


@dataclass(frozen=True)
class Motif:
    """Letters that shall stand at given distances from a common place.

    Attributes:
        letters: Indices of k letters.
        offsets: Distances of each from the first, increasing from 0.
    """

    letters: tuple[int, ...]
    offsets: tuple[int, ...]

    @property
    def span(self) -> int:
        """Places from the first letter to the last."""
        return self.offsets[-1] + 1

    def spelled(self) -> list[int]:
        """Return the shortest word that holds the motif: gaps repeat the letter before."""
        word: list[int] = []
        for letter, begin, end in zip(self.letters, self.offsets, (*self.offsets[1:], self.span), strict=True):
            word += [letter] * (end - begin)
        return word


@final
class Ehrlich(SequenceProblem):
    r"""Words of fixed length whose objective j is the product, over its own c motifs, of how much of each is there.

    .. math:: f_j(x) = \prod_{i=1}^{c} e\big(h_{ji}(x)\big), \quad
        h(x) = \max_{l} \tfrac1q \Big\lfloor \tfrac qk \sum_{r=1}^{k} [x_{l + s_r} = a_r] \Big\rfloor, \quad
        e(h) = h\,(1 + \epsilon\, h (h - 1))

    and 0 for all j where a letter is followed by a forbidden one. The letters a and offsets s of the motifs and the
    transitions are drawn from the seed:

    - The letters stand on a ring in random order; a letter may be followed by itself and by the ``band - 1`` next ones.
      The environment masks the others. Every letter can begin a word.
    - All motifs are different pieces of one legal walk, without a letter twice in a motif, so that they can be written
      one after the other, gaps filled by repeating the letter before: `solution` does, and reaches 1 in every objective
      where the motifs' spans add up to no more than the length. The front is then that one point, and exact. Shorter
      words, or a larger `span`, make objectives compete for places, and the front is unknown.

    Args:
        n_objectives: Number m of objectives.
        length: Letters L of a word.
        n_motifs: Motifs c of each objective.
        motif_length: Letters k of a motif.
        quantization: Levels q, from 1 to k; k unless given.
        epistasis: :math:`\epsilon` from 0 to 3: how little the first letters of a motif count alone.
        span: Most places from the first letter of a motif to its last; unless given L / (m c), but at least k.
        band: How many letters may follow a letter; three quarters of the alphabet unless given.
        alphabet: One-character letters; the 20 amino acids unless given.
        seed: Of motifs and transitions.

    Source: Stanton, Alberstein, Frey et al. (2024), arXiv 2407.00236, who have one objective. Deviations: m objectives
    with motifs of their own share the transitions; transitions are a band on a ring and weigh nothing; infeasible words
    are worth 0 instead of minus infinity; epistasis as written above.

    >>> problem = Ehrlich(length=16, n_motifs=1)
    >>> problem.evaluate(problem.solution()).values.tolist()
    [1.0, 1.0]
    """

    id = "ehrlich-v1"

    def __init__(
        self,
        *,
        n_objectives: int = 2,
        length: int = 32,
        n_motifs: int = 2,
        motif_length: int = 4,
        quantization: int | None = None,
        epistasis: float = 0.0,
        span: int | None = None,
        band: int | None = None,
        alphabet: str = AMINO,
        seed: int = 0,
    ) -> None:
        check.arguments(Ehrlich.__init__, locals())
        m, c, k, v = n_objectives, n_motifs, motif_length, len(alphabet)
        check.whole(1, n_objectives=m, n_motifs=c)
        check.whole(2, motif_length=k)
        rule = f"be at least n_motifs * motif_length = {c * k}"
        check.that(length >= c * k, "length", rule, length, "one objective's motifs must fit into a word")
        self.quantization = k if quantization is None else quantization
        check.that(1 <= self.quantization <= k, "quantization", f"lie in 1 … motif_length = {k}", self.quantization)
        check.that(0 <= epistasis <= 3, "epistasis", "lie in [0, 3]", epistasis, "more is not increasing")
        most = length // c
        self.span = max(k, length // (m * c)) if span is None else span
        rule = f"lie in motif_length … length / n_motifs = {k} … {most}"
        check.that(k <= self.span <= most, "span", rule, self.span)
        self.band = max(k, 3 * v // 4) if band is None else band
        hint = "a motif walks to different letters"
        check.that(k <= self.band <= v, "band", f"lie in motif_length … letters = {k} … {v}", self.band, hint)
        self.epistasis, self.seed = epistasis, seed
        rng = Rng.from_seed(seed).child("ehrlich")
        ring = rng.child("ring").permutation(v)
        place = torch.argsort(ring)
        self.allowed = (place - place.unsqueeze(1)) % v < self.band
        super().__init__(alphabet=alphabet, min_length=length, max_length=length, allowed=self.allowed)
        walk = self._walked(rng, m * c, k)
        self.motifs = tuple(tuple(walk[j * c : (j + 1) * c]) for j in range(m))
        self.objectives = tuple(Objective(f"motifs{j + 1}", "max") for j in range(m))
        self.front_kind = "exact" if sum(motif.span for motif in walk) <= length else "unknown"
        scoring = Scoring(reference_point=(0.0,) * m, ideal=(1.0,) * m, nadir=(0.0,) * m)
        self.protocol = EvaluationProtocol(scoring=scoring)

    def _walked(self, rng: Rng, count: int, k: int) -> list[Motif]:
        """Return different motifs that follow each other on one legal walk."""
        motifs: list[Motif] = []
        seen: set[tuple[int, ...]] = set()
        for i in range(count):
            before = motifs[-1].letters[-1] if motifs else None
            for attempt in range(ATTEMPTS):
                letters = self._piece(before, rng.child("motif", i, attempt), k)
                if letters not in seen:
                    break
            else:
                hint = "use more letters, a wider band or longer motifs"
                check.fail("n_motifs", "leave different motifs to draw", f"{count} of {k} letters", hint)
            seen.add(letters)
            gaps = rng.child("offsets", i).permutation(self.span - 1)[: k - 1] + 1
            motifs.append(Motif(letters, (0, *sorted(gaps.tolist()))))
        return motifs

    def _piece(self, before: int | None, rng: Rng, k: int) -> tuple[int, ...]:
        """Return k different letters that may follow each other, and the letter before."""
        letters: list[int] = []
        for u in rng.uniform(k).tolist():
            last = letters[-1] if letters else before
            free = self.allowed[last].clone() if last is not None else torch.ones(len(self.allowed), dtype=torch.bool)
            free[letters] = False
            choices = free.nonzero().flatten().tolist()
            letters.append(choices[int(u * len(choices))])
        return tuple(letters)

    def options(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        first = self.motifs[0]
        return {
            "n_objectives": len(self.motifs),
            "length": self.space.max_length,
            "n_motifs": len(first),
            "motif_length": len(first[0].letters),
            "quantization": self.quantization,
            "epistasis": self.epistasis,
            "span": self.span,
            "band": self.band,
            "alphabet": "".join(self.alphabet),
            "seed": self.seed,
        }

    def feasible(self, x: Tensor) -> Tensor:
        """Tell which decision rows `[n, d]` have no forbidden pair of letters, bool `[n]`."""
        tokens = x.to(torch.int64)
        return self.allowed.to(x.device)[tokens[:, :-1], tokens[:, 1:]].all(-1)

    def _score(self, x: Tensor) -> Tensor:
        values = torch.stack([torch.stack([self._present(x, a) for a in own]).prod(0) for own in self.motifs], -1)
        return torch.where(self.feasible(x).unsqueeze(-1), values, 0)

    def _present(self, x: Tensor, motif: Motif) -> Tensor:
        """Return how much of a motif words hold at their best place, quantized, `[n]`."""
        q, k, places = self.quantization, len(motif.letters), x.shape[1] - motif.span + 1
        pairs = zip(motif.letters, motif.offsets, strict=True)
        found = torch.stack([x[:, s : s + places] == a for a, s in pairs]).sum(0)
        h = (found.amax(-1) * q // k).to(x.dtype) / q
        return h * (1 + self.epistasis * h * (h - 1))

    def solution(self, objective: int | None = None) -> Tensor:
        """Return a decision row `[d]` that is worth 1 in every objective, or in one.

        Raises:
            InputError: If all motifs together are longer than a word.
        """
        m, length = len(self.motifs), self.space.max_length
        check.that(objective is None or 0 <= objective < m, "objective", f"lie in 0 … {m - 1}", objective)
        own = [a for group in self.motifs for a in group] if objective is None else self.motifs[objective]
        total = sum(motif.span for motif in own)
        rule = f"be at least {total}, the motifs' spans, for a word that holds all"
        check.that(total <= length, "length", rule, length, "name one objective instead")
        word = [letter for motif in own for letter in motif.spelled()]
        return torch.tensor(word + [word[-1]] * (length - len(word)), dtype=torch.float64)

    def pareto_front(self, n: int | None = None) -> Tensor | None:
        """Return the one best point `[1, m]` where all motifs fit into a word, else None."""
        if self.front_kind == "unknown":
            return None
        return torch.ones(1, len(self.motifs), dtype=self.dtype, device=self.device)
