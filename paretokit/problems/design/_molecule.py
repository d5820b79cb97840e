"""From trees of fragments to molecules that a chemist can look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

from paretokit.core import _check as check
from paretokit.problems.design._fragments import Vocabulary
from paretokit.problems.design._tree_forms import NONE, Trees

_RING = 50  # first number of the ring closures by which fragments are tied; fragments use the small ones


def written(vocabulary: Vocabulary, trees: Trees) -> list[str]:
    """Return SMILES of trees, fragment by fragment, tied by ring closures across dots: right, but not canonical."""
    fragments = vocabulary.fragments
    columns = (part.tolist() for part in (trees.fragment, trees.parent, trees.outer, trees.inner))
    out = []
    for labels, parents, outer, inner in zip(*columns, strict=True):
        ties: list[dict[int, list[str]]] = [{} for _ in labels]
        for slot, parent in enumerate(parents):
            if labels[slot] != NONE and parent != NONE:
                tie = f"%{_RING + slot}"
                ties[slot].setdefault(inner[slot], []).append(tie)
                ties[parent].setdefault(outer[slot], []).append(tie)
        parts = []
        for label, tied in zip(labels, ties, strict=True):
            if label == NONE:
                continue
            fragment = fragments[label]
            text = [fragment.text[0]]
            for own, following in zip(fragment.classes, fragment.text[1:], strict=True):
                waiting = tied.get(own)
                text += [waiting.pop() if waiting else fragment.bare[own], following]
            parts.append("".join(text))
        out.append(".".join(parts))
    return out


def canonical_smiles(smiles: Sequence[str]) -> list[str]:
    """Return RDKit's canonical SMILES of molecules, the same for every way to write one."""
    check.package("rdkit", extra="molecules")
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return [Chem.MolToSmiles(Chem.MolFromSmiles(s)) for s in smiles]


@final
@dataclass(frozen=True)
class Molecule:
    """A molecule; notebooks draw it.

    Attributes:
        smiles: Canonical SMILES.
        fragments: SMILES of the fragments that it was made of, attachment points included.
    """

    smiles: str
    fragments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.smiles

    @cached_property
    def mol(self) -> Any:
        """The RDKit molecule, sanitized."""
        check.package("rdkit", extra="molecules")
        from rdkit import Chem, rdBase

        with rdBase.BlockLogs():
            return Chem.MolFromSmiles(self.smiles)

    def svg(self, width: int = 260, height: int = 200) -> str:
        """Return a drawing of `width` times `height` pixels."""
        return drawn([self], columns=1, width=width, height=height).svg

    def _repr_svg_(self) -> str:
        return self.svg()


@final
@dataclass(frozen=True)
class Drawing:
    """A picture; notebooks show it.

    Attributes:
        svg: Its text, to be written into a file.
    """

    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.svg


def drawn(
    molecules: Sequence[Molecule],
    labels: Sequence[str] | None = None,
    *,
    columns: int = 4,
    width: int = 260,
    height: int = 200,
) -> Drawing:
    """Return one picture of molecules in a grid, row by row, each above its label.

    Args:
        molecules: What to draw, at least one.
        labels: One line each, or None.
        columns: Molecules in a row.
        width: Pixels of one drawing.
        height: Likewise.

    Raises:
        InputError: If there is nothing to draw, or the number of labels is another.
    """
    check.at_least(1, molecules=len(molecules), columns=columns, width=width, height=height)
    rule = f"be {len(molecules)}, one a molecule"
    check.shape(labels is None or len(labels) == len(molecules), "labels", rule, len(labels or ()))
    check.package("rdkit", extra="molecules")
    from rdkit import rdBase
    from rdkit.Chem.Draw import rdMolDraw2D

    columns = min(columns, len(molecules))
    rows = -(-len(molecules) // columns)
    with rdBase.BlockLogs():
        pen = rdMolDraw2D.MolDraw2DSVG(columns * width, rows * height, width, height)
        pen.DrawMolecules([m.mol for m in molecules], legends=list(labels or [""] * len(molecules)))
        pen.FinishDrawing()
        text: str = pen.GetDrawingText()
    return Drawing(text[text.index("<svg") :])
