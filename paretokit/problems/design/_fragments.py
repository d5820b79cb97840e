"""The building blocks of molecules: fragments with numbered attachment points, and which of them may join."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from paretokit.core import _check as check

MOST_SITES = 6

# Equal numbers are attachment points that are interchangeable; what is left open is a hydrogen.
FRAGMENTS: dict[str, str] = {
    # hubs and chains
    "carbon": "C([*:1])([*:1])([*:1])[*:1]",
    "amine": "N([*:1])([*:1])[*:1]",
    "ether": "O([*:1])[*:1]",
    "carbonyl": "O=C([*:1])[*:1]",
    "ethylene": "C([*:1])C[*:1]",
    "vinylene": "C([*:1])=C[*:1]",
    "ethynylene": "C([*:1])#C[*:1]",
    "amide": "O=C([*:1])N([*:2])[*:2]",
    "ester": "O=C([*:1])O[*:2]",
    "carbamate": "O=C(O[*:1])N[*:2]",
    "urea": "O=C(N[*:1])N[*:1]",
    "glycinamide": "N([*:1])([*:1])C([*:2])([*:2])C(=O)N([*:3])[*:3]",
    "methanesulfonamide": "CS(=O)(=O)N([*:1])[*:1]",
    "benzenesulfonamide": "c1cc([*:1])ccc1S(=O)(=O)N([*:2])[*:2]",
    # ends
    "fluoride": "F[*:1]",
    "chloride": "Cl[*:1]",
    "bromide": "Br[*:1]",
    "nitrile": "N#C[*:1]",
    "trifluoromethyl": "FC(F)(F)[*:1]",
    "difluoromethyl": "FC(F)[*:1]",
    "trifluoromethoxy": "FC(F)(F)O[*:1]",
    "isopropyl": "CC(C)[*:1]",
    "tert-butyl": "CC(C)(C)[*:1]",
    "methylthio": "CS[*:1]",
    "methylsulfonyl": "CS(=O)(=O)[*:1]",
    "carboxylic acid": "OC(=O)[*:1]",
    "dimethylamino": "CN(C)[*:1]",
    # benzenes
    "para-phenylene": "c1([*:1])ccc([*:1])cc1",
    "meta-phenylene": "c1([*:1])cccc([*:1])c1",
    "ortho-phenylene": "c1([*:1])ccccc1[*:1]",
    "benzene-1,3,5-triyl": "c1([*:1])cc([*:1])cc([*:1])c1",
    "benzene-1,2,4-triyl": "c1([*:1])c([*:2])cc([*:3])cc1",
    "benzene-1,2,4,5-tetrayl, fluorinated": "c1([*:1])c(F)cc([*:2])c([*:3])c1",
    "methoxyphenylene": "COc1cc([*:1])ccc1[*:2]",
    "benzodioxole": "c1([*:1])ccc2OCOc2c1",
    "naphthalene-2,6-diyl": "c1([*:1])ccc2cc([*:1])ccc2c1",
    "naphthalene-1,4-diyl": "c1([*:1])ccc([*:1])c2ccccc12",
    # six-membered heteroaromatics
    "pyridine-2,5-diyl": "n1cc([*:1])ccc1[*:2]",
    "pyridine-2,4-diyl": "n1ccc([*:1])cc1[*:2]",
    "pyridine-3,5-diyl": "n1cc([*:1])cc([*:1])c1",
    "pyridine-2,6-diyl": "n1c([*:1])cccc1[*:1]",
    "pyrimidine-2,5-diyl": "n1cc([*:1])cnc1[*:2]",
    "pyrimidine-2,4-diyl": "n1ccc([*:1])nc1[*:2]",
    "pyrimidine-4,6-diyl": "n1cnc([*:1])cc1[*:1]",
    "pyridazine-3,6-diyl": "n1nc([*:1])ccc1[*:1]",
    "pyrazine-2,5-diyl": "n1cc([*:1])ncc1[*:1]",
    "triazine": "n1c([*:1])nc([*:1])nc1[*:1]",
    "2-pyridone": "O=c1cc([*:1])ccn1[*:2]",
    "uracil": "O=c1cc([*:1])n([*:2])c(=O)[nH]1",
    # five-membered heteroaromatics
    "thiophene-2,5-diyl": "s1c([*:1])ccc1[*:1]",
    "thiophene-2,4-diyl": "s1cc([*:1])cc1[*:2]",
    "furan-2,5-diyl": "o1c([*:1])ccc1[*:1]",
    "pyrrole-1,3-diyl": "n1([*:1])ccc([*:2])c1",
    "pyrrole-1,2-diyl": "n1([*:1])cccc1[*:2]",
    "imidazole-1,4-diyl": "n1([*:1])cnc([*:2])c1",
    "imidazole-1,2-diyl": "n1([*:1])ccnc1[*:2]",
    "pyrazole-1,4-diyl": "n1([*:1])ncc([*:2])c1",
    "pyrazole-1,3,5-triyl": "n1([*:1])nc([*:2])cc1[*:3]",
    "thiazole-2,4-diyl": "s1cc([*:1])nc1[*:2]",
    "thiazole-2,5-diyl": "s1c([*:1])cnc1[*:2]",
    "oxazole-2,5-diyl": "o1c([*:1])cnc1[*:2]",
    "isoxazole-3,5-diyl": "o1nc([*:1])cc1[*:2]",
    "1,2,4-oxadiazole": "o1nc([*:1])nc1[*:2]",
    "1,3,4-oxadiazole": "o1c([*:1])nnc1[*:1]",
    "1,3,4-thiadiazole": "s1c([*:1])nnc1[*:1]",
    "1,2,3-triazole": "n1([*:1])cc([*:2])nn1",
    "tetrazole": "c1([*:1])nnn[nH]1",
    # fused heteroaromatics
    "indole-1,3,5-triyl": "n1([*:1])cc([*:2])c2cc([*:3])ccc12",
    "indazole-1,5-diyl": "n1([*:1])ncc2cc([*:2])ccc12",
    "benzimidazole-1,2-diyl": "n1([*:1])c([*:2])nc2ccccc12",
    "benzothiazole-2,6-diyl": "s1c([*:1])nc2ccc([*:2])cc12",
    "benzofuran-2,5-diyl": "o1c([*:1])cc2cc([*:2])ccc12",
    "quinoline-4,7-diyl": "n1ccc([*:1])c2ccc([*:2])cc12",
    "quinazoline-2,4,6-triyl": "n1c([*:1])nc([*:2])c2cc([*:3])ccc12",
    "purine-6,9-diyl": "n1([*:1])cnc2c([*:2])ncnc12",
    # saturated rings
    "cyclopropane-1,1-diyl": "C1CC1([*:1])[*:1]",
    "cyclobutane-1,3-diyl": "C1([*:1])CC([*:1])C1",
    "cyclopentyl": "C1CCCC1[*:1]",
    "cyclohexane-1,4-diyl": "C1([*:1])CCC([*:1])CC1",
    "bicyclopentane-1,3-diyl": "C12([*:1])CC(C1)(C2)[*:1]",
    "azetidine-1,3-diyl": "N1([*:1])CC([*:2])C1",
    "pyrrolidine-1,3-diyl": "N1([*:1])CCC([*:2])C1",
    "pyrrolidine-1,2-diyl": "N1([*:1])CCCC1[*:2]",
    "2-pyrrolidone": "O=C1CC([*:1])CN1[*:2]",
    "oxazolidinone": "O=C1OC([*:1])CN1[*:2]",
    "hydantoin": "O=C1NC([*:1])([*:1])C(=O)N1[*:2]",
    "piperidine-1,4,4-triyl": "N1([*:1])CCC([*:2])([*:2])CC1",
    "piperidine-1,3-diyl": "N1([*:1])CCCC([*:2])C1",
    "piperazine": "N1([*:1])CCN([*:1])CC1",
    "morpholine": "N1([*:1])CCOC([*:2])C1",
    "thiomorpholine dioxide": "N1([*:1])CCS(=O)(=O)CC1",
    "tetrahydrofuran-2-yl": "C1([*:1])CCCO1",
    "tetrahydropyran-4-yl": "C1([*:1])CCOCC1",
    "oxetane-3,3-diyl": "C1([*:1])([*:1])COC1",
    "isoindoline": "N1([*:1])Cc2cc([*:2])ccc2C1",
    "tetrahydroisoquinoline": "N1([*:1])CCc2cc([*:2])ccc2C1",
}

CARBON, ACYL, HETERO, HALOGEN = range(4)
KINDS = ("carbon", "acyl", "hetero", "halogen")
# Which ends make a stable bond: no hetero-hetero bonds (peroxides, hydrazines), no acyl halides, no diketones.
JOINS = ((1, 1, 1, 1), (1, 0, 1, 0), (1, 1, 0, 0), (1, 0, 0, 0))

_SITE = re.compile(r"\(\[\*:(\d+)\]\)|\[\*:(\d+)\]")


@dataclass(frozen=True)
class Fragment:
    """A piece of a molecule with classes of interchangeable attachment points.

    Attributes:
        smiles: As written, attachment points as ``[*:number]``.
        capacity: Attachment points in each class.
        kinds: What each class's atom is to a bond: carbon, acyl (also sulfonyl and nitrile), hetero (N, O, S, P),
            halogen.
        text: SMILES between the attachment points, each of which follows its atom; one more than there are points.
        classes: Class of each attachment point in `text`.
        bare: What stands for an open attachment point of each class: nothing, or a hydrogen on an aromatic nitrogen.
    """

    smiles: str
    capacity: tuple[int, ...]
    kinds: tuple[int, ...]
    text: tuple[str, ...] = field(repr=False)
    classes: tuple[int, ...] = field(repr=False)
    bare: tuple[str, ...] = field(repr=False)

    @staticmethod
    def of(smiles: str) -> Fragment:
        """Return the fragment of a SMILES whose attachment points are dummy atoms ``[*:1]``, ``[*:2]`` and so on.

        Raises:
            InputError: If it is no SMILES of one piece, has no or more than 6 attachment points, they are not numbered
                1, 2, and so on, one of them is not singly bonded, or points of one number are not interchangeable.
        """
        check.package("rdkit", extra="molecules")
        from rdkit import Chem, rdBase

        with rdBase.BlockLogs():
            mol = Chem.MolFromSmiles(smiles) if isinstance(smiles, str) else None
        check.that(mol is not None, "fragments", "be SMILES that RDKit reads", repr(smiles))
        assert mol is not None
        check.that("." not in smiles and mol.GetNumAtoms() > 1, "fragments", "be of one piece", repr(smiles))
        sites = [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]
        rule = f"have 1 to {MOST_SITES} attachment points"
        check.that(1 <= len(sites) <= MOST_SITES, "fragments", rule, repr(smiles), "written [*:1], [*:2], …")
        numbers = sorted(site.GetAtomMapNum() for site in sites)
        counted = Counter(numbers)
        rule = "number their attachment points 1, 2, …"
        check.that(sorted(counted) == list(range(1, len(counted) + 1)), "fragments", rule, repr(smiles))
        single = all(site.GetDegree() == 1 and site.GetBonds()[0].GetBondTypeAsDouble() == 1 for site in sites)
        check.that(single, "fragments", "bind each attachment point once, singly", repr(smiles))
        alike = _symmetries(mol, sites) == math.prod(math.factorial(k) for k in counted.values())
        rule = "give one number only to attachment points that are interchangeable"
        check.that(alike, "fragments", rule, repr(smiles), "give them different numbers")
        at = {site.GetAtomMapNum(): site.GetNeighbors()[0] for site in sites}
        root = next(atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum())
        parts = _SITE.split(Chem.MolToSmiles(mol, rootedAtAtom=root))
        return Fragment(
            smiles,
            tuple(counted[c + 1] for c in range(len(counted))),
            tuple(_kind(at[c + 1]) for c in range(len(counted))),
            tuple(parts[::3]),
            tuple(int(a or b) - 1 for a, b in zip(parts[1::3], parts[2::3], strict=True)),
            tuple("([H])" if _is_pyrrolic(at[c + 1]) else "" for c in range(len(counted))),
        )


def _is_pyrrolic(atom: Any) -> bool:
    """Tell whether an open attachment point must be written as a hydrogen."""
    return bool(atom.GetIsAromatic() and atom.GetAtomicNum() != 6)


def _kind(atom: Any) -> int:
    """Return what an atom is to a bond that is made to it."""
    symbol = atom.GetSymbol()
    if symbol in ("F", "Cl", "Br", "I"):
        return HALOGEN
    polar = any(
        bond.GetBondTypeAsDouble() >= 2 and bond.GetOtherAtom(atom).GetSymbol() in ("N", "O", "S")
        for bond in atom.GetBonds()
    )
    if polar:
        return ACYL
    return CARBON if symbol in ("C", "Si", "B") else HETERO


def _symmetries(mol: Any, sites: Sequence[Any]) -> int:
    """Return in how many ways the attachment points can be permuted by symmetries that keep their numbers."""
    from rdkit import Chem

    marked = Chem.RWMol(mol)
    for site in sites:  # an element a number, since dummy atoms would match everything
        atom = marked.GetAtomWithIdx(site.GetIdx())
        atom.SetAtomicNum(85 + site.GetAtomMapNum())
        atom.SetAtomMapNum(0)
    found = marked.GetSubstructMatches(marked, uniquify=False, maxMatches=1 << 17)
    return len({tuple(match[site.GetIdx()] for site in sites) for match in found})


@dataclass(frozen=True)
class Vocabulary:
    """Fragments, and the tables of their *joints*: ways in which a fragment can be attached, one a class.

    Attributes:
        fragments: V of them, different.
    """

    fragments: tuple[Fragment, ...]

    @staticmethod
    def of(smiles: Sequence[str] | None = None) -> Vocabulary:
        """Return the vocabulary of SMILES with attachment points; this module's own for None.

        Raises:
            InputError: If there are fewer than 2, two are equal, or one is no fragment.
        """
        given = list(FRAGMENTS.values() if smiles is None else smiles)
        check.at_least(2, fragments=len(given))
        check.that(len(set(given)) == len(given), "fragments", "be different", f"{len(given) - len(set(given))} twice")
        return Vocabulary(tuple(Fragment.of(s) for s in given))

    def __len__(self) -> int:
        return len(self.fragments)

    @cached_property
    def n_classes(self) -> int:
        """Most classes K of a fragment."""
        return max(len(f.capacity) for f in self.fragments)

    @cached_property
    def joints(self) -> tuple[tuple[int, int], ...]:
        """Fragment and class of each of the J joints, fragment by fragment."""
        return tuple((i, c) for i, f in enumerate(self.fragments) for c in range(len(f.capacity)))

    @cached_property
    def tables(self) -> Tables:
        """The tables on the CPU."""
        k = self.n_classes
        capacity = [[*f.capacity, *[0] * (k - len(f.capacity))] for f in self.fragments]
        kinds = [[*f.kinds, *[0] * (k - len(f.kinds))] for f in self.fragments]
        fragment, own = torch.tensor(self.joints).unbind(1)
        kind = torch.tensor(kinds)
        fits = torch.tensor(JOINS, dtype=torch.bool)[:, kind[fragment, own]]
        start = torch.arange(len(self.joints))
        cyclic = (start.unsqueeze(1) + start) % len(start)
        following = (start + fits[:, cyclic].to(torch.int8).argmax(-1)) % len(start)
        first = torch.tensor([self.joints.index((i, 0)) for i in range(len(self))])
        return Tables(torch.tensor(capacity), kind, fragment, own, fits, following, first)


@dataclass(frozen=True)
class Tables:
    """A vocabulary as tensors.

    Attributes:
        capacity: Attachment points of each fragment and class `[V, K]`.
        kind: What each class is to a bond `[V, K]`.
        fragment, own: Fragment and class of each joint `[J]`.
        fits: Which joints may be attached to each kind, bool `[4, J]`.
        following: The first fitting joint from each joint on, cyclically `[4, J]`.
        first: The joint of class 0 of each fragment `[V]`.
    """

    capacity: Tensor
    kind: Tensor
    fragment: Tensor
    own: Tensor
    fits: Tensor
    following: Tensor
    first: Tensor

    def to(self, device: torch.device) -> Tables:
        """Return the tables on a device."""
        parts = (self.capacity, self.kind, self.fragment, self.own, self.fits, self.following, self.first)
        return Tables(*(t.to(device) for t in parts))
