"""Molecules: trees of fragments, scored by RDKit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import EvaluationProtocol, Objective, Scoring
from paretokit.core import _check as check
from paretokit.problems._named import function_name
from paretokit.problems.design._design import CompositionalDesign
from paretokit.problems.design._fragments import Vocabulary
from paretokit.problems.design._molecule import Drawing, Molecule, canonical_smiles, drawn, written
from paretokit.problems.design._molecule_scores import GAINS, Oracle, Own, Scores
from paretokit.problems.design._tree import TreeEnvironment
from paretokit.problems.design._tree_rows import TreeRows


@final
class Molecules(CompositionalDesign):
    r"""Molecules of up to `max_fragments` fragments; every tree of fragments is a valid molecule.

    Objectives, all in [0, 1] and maximized, of plain properties that RDKit computes:

    ======  ==============================================================================================
    qed     quantitative estimate of drug-likeness as it is
    sa      :math:`(10 - SA)/9` of the synthetic accessibility SA, 1 (easy) to 10
    mw      :math:`\mathrm{clip}((300 - M)/700 + 1,\, 0,\, 1)` of the molecular weight M in g/mol
    logp    1 for 1 to 3, falling linearly to 0 at -2 and at 6, of Crippen's log P
    tpsa    1 for 40 to 90, falling linearly to 0 at 0 and at 140, of the polar surface area in square angstrom
    ======  ==============================================================================================

    Args:
        objectives: Names of the above, and functions of your own that take an RDKit molecule and return a number, or
            pairs of a name and a function. These too are maximized, finite, not negative, and about 1 at best.
        max_fragments: Most fragments N of a molecule.
        fragments: SMILES with attachment points ``[*:1]``, ``[*:2]`` and so on, where equal numbers are
            interchangeable; the 96 of this package for None.
        workers: Number of processes that score beside this one; 0 scores here. `submit` returns before they are ready.
        remembered: Most molecules whose objectives are kept, by canonical SMILES.

    Raises:
        InputError, UnknownNameError: If an option breaks its rule.
        MissingPackageError: Without RDKit, with the install command.

    `workers` and `remembered` change no value, so they are not part of the recipe. The front is unknown.

    Cost: about 0.25 ms a molecule to write it, 2 ms to compute QED and SA the first time.

    Source: properties as in `properties`; fragment trees and the maps of qed, sa and mw as in Jain et al. (2023), ICML,
    whose learned objective and list of fragments are not used. Deviations: the windows of logp and tpsa are ours;
    places and joints are chosen among *classes* of interchangeable attachment points, and states are free trees in a
    canonical form, where the published environments build labeled graphs in which several actions lead to one molecule.
    """

    id = "molecules-v1"

    def __init__(
        self,
        *,
        objectives: Sequence[str | Own | tuple[str, Own]] = ("qed", "sa"),
        max_fragments: int = 9,
        fragments: Sequence[str] | None = None,
        workers: int = 0,
        remembered: int = 100_000,
    ) -> None:
        names, own = named(objectives)
        check.whole(1, objectives=len(names), max_fragments=max_fragments)
        check.whole(0, workers=workers, remembered=remembered)
        check.that(len(set(names)) == len(names), "objectives", "be different", list(names))
        check.package("rdkit", extra="molecules")
        self.fragments = None if fragments is None else tuple(fragments)
        self.environment = self.trees = TreeEnvironment(Vocabulary.of(self.fragments), max_fragments)
        self.space = TreeRows(self.trees)
        self.oracle = Oracle(names, workers=workers, remembered=remembered, own=own)
        self.objectives = tuple(Objective(name, "max") for name in names)
        m = len(names)
        scoring = Scoring(reference_point=(0.0,) * m, ideal=(1.0,) * m, nadir=(0.0,) * m)
        self.protocol = EvaluationProtocol(scoring=scoring)

    def options(self) -> dict[str, Any] | None:
        """Return what tells this problem from others of its class; None where functions of the user's are among it."""
        if self.oracle.own:
            return None
        return {
            "objectives": [o.name for o in self.objectives],
            "max_fragments": self.trees.max_fragments,
            "fragments": None if self.fragments is None else list(self.fragments),
        }

    def _code(self) -> tuple[Any, ...]:
        return tuple(self.oracle.own.values())

    def smiles(self, x: Tensor) -> list[str]:
        """Return the canonical SMILES of decision rows `[n, d]`."""
        return canonical_smiles(written(self.trees.vocabulary, self.trees.planted(x.cpu())))

    def describe_decisions(self, x: Tensor) -> list[str]:
        """Return the canonical SMILES of decision rows `[n, d]`."""
        return self.smiles(x)

    def decode(self, x: Tensor) -> Molecule:
        """Return the molecule of one decision row `[d]`."""
        row = x.detach().cpu().reshape(1, -1)
        check.shape(row.shape[1] == self.space.dim, "x", f"be one row of {self.space.dim} entries", tuple(x.shape))
        used = self.trees.planted(row).fragment[0].tolist()
        parts = [self.trees.vocabulary.fragments[i].smiles for i in used if i >= 0]
        return Molecule(self.smiles(row)[0], tuple(parts))

    def drawn(self, x: Tensor, labels: Sequence[str] | None = None, *, columns: int = 4) -> Drawing:
        """Return a picture of the molecules of decision rows `[n, d]` in a grid, each above its label.

        Raises:
            InputError: If there is no row, or the number of labels is another.
        """
        return drawn([self.decode(row) for row in x], labels, columns=columns)

    def fingerprints(self, x: Tensor, *, radius: int = 2, bits: int = 2048) -> Tensor:
        """Return Morgan fingerprints of decision rows, bool `[n, bits]`, for distances between molecules.

        Source: Rogers and Hahn (2010), Journal of Chemical Information and Modeling; as in RDKit.
        """
        check.whole(1, bits=bits)
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdFingerprintGenerator

        made = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)
        with rdBase.BlockLogs():
            rows = [made.GetFingerprintAsNumPy(Chem.MolFromSmiles(s)).astype(bool) for s in self.smiles(x)]
        return torch.stack([torch.from_numpy(row) for row in rows]) if rows else torch.zeros(0, bits, dtype=torch.bool)

    def close(self) -> None:
        """End the worker processes; the next evaluation starts new ones."""
        self.oracle.close()

    def _begin(self, x: Tensor) -> Callable[[], Tensor]:
        finish = self.oracle.begin(self.smiles(x))
        return lambda: _tensor(finish(), x)

    def _score(self, x: Tensor) -> Tensor:
        return self._begin(x)()


def named(
    objectives: Sequence[str | Own | tuple[str, Own]] | str | Own,
) -> tuple[tuple[str, ...], dict[str, Own]]:
    """Return the names of objectives, and the functions among them by name."""
    given = (objectives,) if isinstance(objectives, str) or callable(objectives) else tuple(objectives)
    names, own = [], {}
    for one in given:
        if isinstance(one, str):
            check.known(one, GAINS, kind="objectives")
            names.append(one)
            continue
        pair = one if isinstance(one, tuple) else (function_name(one), one)
        fine = len(pair) == 2 and isinstance(pair[0], str) and callable(pair[1])
        check.that(fine, "objectives", "be names, functions, or pairs of both", repr(one))
        names.append(pair[0])
        own[pair[0]] = pair[1]
    return tuple(names), own


def _tensor(scores: list[Scores], x: Tensor) -> Tensor:
    """Return scores as `[n, m]` like x."""
    return torch.tensor(scores, dtype=torch.float64).to(x)
