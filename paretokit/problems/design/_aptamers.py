"""DNA and RNA aptamers: strands that fold firmly, scored by ViennaRNA."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import torch
from torch import Tensor

from paretokit.core import EvaluationProtocol, Objective, Scoring
from paretokit.core import _check as check
from paretokit.problems._workers import Crew
from paretokit.problems.design._sequences import SequenceProblem

Kind = Literal["dna", "rna"]
LETTERS: Mapping[str, str] = {"dna": "ACGT", "rna": "ACGU"}
_PARAMETERS = threading.Lock()  # ViennaRNA's energy parameters are one global of its C library


@dataclass(frozen=True)
class Fold:
    """A strand's structure of minimum free energy.

    Attributes:
        structure: Dots and brackets, one a base.
        energy: Free energy in kcal/mol, at most 0.
    """

    structure: str
    energy: float

    @property
    def pairs(self) -> int:
        """Number of base pairs."""
        return self.structure.count("(")

    @property
    def stems(self) -> int:
        """Number of outermost stems: how often the brackets close altogether."""
        depth = closed = 0
        for sign in self.structure:
            depth += (sign == "(") - (sign == ")")
            closed += sign == ")" and depth == 0
        return closed


@contextlib.contextmanager
def energy_parameters(kind: Kind) -> Iterator[Any]:
    """Yield ViennaRNA with the parameters of DNA (Mathews 2004) or RNA (Turner 2004); restore what was loaded before.

    One thread at a time: the parameters are global in its C library. Cost: about 12 ms.
    """
    rna = check.package("RNA", extra="aptamers")
    load = rna.params_load_DNA_Mathews2004 if kind == "dna" else rna.params_load_RNA_Turner2004
    with _PARAMETERS, tempfile.TemporaryDirectory() as folder:
        before = str(Path(folder) / "before.par")
        rna.params_save(before)
        load()
        try:
            yield rna
        finally:
            rna.params_load(before)


def folds(words: Sequence[str], kind: Kind) -> list[Fold]:
    """Return the folds of strands at 37 °C, in ViennaRNA's default model. Cost: 1.3 ms a strand of 60 bases."""
    with energy_parameters(kind) as rna:
        return [Fold(*rna.fold_compound(word, rna.md()).mfe()) for word in words]


@final
class Aptamers(SequenceProblem):
    r"""Strands of DNA or RNA whose structure of minimum free energy (MFE) is scored.

    ============== ==================================================== ===================================
    objective      scaled                                               clipped to [0, 1]; 1 is best
    ============== ==================================================== ===================================
    energy         :math:`-E_{MFE} / 60`                                free energy in kcal/mol
    pairs          pairs / (max_length / 2)                             base pairs
    stems          stems / 8                                            stems that lie in no other
    inverse_length min_length / length                                  short strands
    ============== ==================================================== ===================================

    Args:
        kind: "dna" or "rna".
        objectives: Two or more of the above.
        min_length: Bases of the shortest strand, included.
        max_length: Bases of the longest strand, included.
        scales: Other divisors by objective (energy, pairs, stems).
        workers: Number of processes that fold at the same time.

    Raises:
        MissingPackageError: Without ViennaRNA, with the install command.

    The front is unknown. Cost: one fold of each different strand in a call, 1.3 ms at 60 bases and growing with the
    cube of the length, and 12 ms a call to load the parameters and to restore those that were loaded before.

    Source: energies of Mathews et al. (2004), PNAS, in Lorenz et al. (2011), Algorithms for Molecular Biology; the
    objectives of Jain et al. (2023), ICML. Deviations: ViennaRNA with its DNA parameters takes the place of NUPACK,
    which needs a license, so energies differ; values are clipped, not allowed above 1; 30 to 60 bases and three
    objectives by default.
    """

    id = "aptamers-v1"

    def __init__(
        self,
        *,
        kind: Kind = "dna",
        objectives: Sequence[str] = ("energy", "pairs", "inverse_length"),
        min_length: int = 30,
        max_length: int = 60,
        scales: Mapping[str, float] | None = None,
        workers: int = 1,
    ) -> None:
        check.arguments(Aptamers.__init__, locals())
        check.one_of(tuple(LETTERS), kind=kind)
        check.package("RNA", extra="aptamers")
        super().__init__(alphabet=LETTERS[kind], min_length=min_length, max_length=max_length)
        names = (objectives,) if isinstance(objectives, str) else tuple(objectives)
        check.whole(1, objectives=len(names), workers=workers)
        for name in names:
            check.known(name, MEASURES, kind="objectives")
        check.that(len(set(names)) == len(names), "objectives", "be different", list(names))
        usual = {"energy": 60.0, "pairs": max_length / 2, "stems": 8.0}
        given = dict(scales or {})
        check.options(given, usual, owner="scales")
        check.positive(**{f"scales_{name}": value for name, value in given.items()})
        self.kind: Kind = kind
        self.scales = {**usual, **given}
        self.workers = workers
        self.objectives = tuple(Objective(name, "max") for name in names)
        m = len(names)
        scoring = Scoring(reference_point=(0.0,) * m, ideal=(1.0,) * m, nadir=(0.0,) * m)
        self.protocol = EvaluationProtocol(scoring=scoring)
        self._crew = Crew(functools.partial(folds, kind=kind), workers) if workers > 1 else None

    def options(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        return {
            "kind": self.kind,
            "objectives": [o.name for o in self.objectives],
            "min_length": self.space.min_length,
            "max_length": self.space.max_length,
            "scales": self.scales,
            "workers": self.workers,
        }

    def folds(self, x: Tensor) -> list[Fold]:
        """Return the structures of decision rows `[n, d]`, equal strands folded once."""
        words = self.space.words(x)
        distinct = list(dict.fromkeys(words))
        if self._crew is None:
            found = folds(distinct, self.kind)
        else:
            share = -(-len(distinct) // self.workers)
            outcomes = self._crew.map([distinct[i : i + share] for i in range(0, len(distinct), share)])
            for outcome in outcomes:
                if outcome.error is not None:
                    raise outcome.error
            found = [fold for outcome in outcomes for fold in outcome.value]
        by_word = dict(zip(distinct, found, strict=True))
        return [by_word[word] for word in words]

    def _score(self, x: Tensor) -> Tensor:
        measures = [MEASURES[o.name] for o in self.objectives]
        rows = [[measure(self, fold) for measure in measures] for fold in self.folds(x)]
        return torch.tensor(rows, dtype=x.dtype, device=x.device).clamp(0, 1)


MEASURES: Mapping[str, Callable[[Aptamers, Fold], float]] = {
    "energy": lambda problem, fold: -fold.energy / problem.scales["energy"],
    "inverse_length": lambda problem, fold: problem.space.min_length / len(fold.structure),
    "pairs": lambda problem, fold: fold.pairs / problem.scales["pairs"],
    "stems": lambda problem, fold: fold.stems / problem.scales["stems"],
}
