"""Compositional design: objects built step by step, for samplers (GFlowNets) and for every generic solver.

pk.problems.HyperGrid(objectives=("currin", "shubert"), side=32)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretokit.core._lazy import lazy_names

if TYPE_CHECKING:
    from paretokit.problems.design._aptamers import Aptamers
    from paretokit.problems.design._architecture_table import ArchitectureTable
    from paretokit.problems.design._design import CompositionalDesign
    from paretokit.problems.design._edits import EditEnvironment
    from paretokit.problems.design._ehrlich import Ehrlich
    from paretokit.problems.design._environment import DesignEnvironment
    from paretokit.problems.design._hypergrid import GridEnvironment, HyperGrid
    from paretokit.problems.design._molecule import Molecule
    from paretokit.problems.design._molecules import Molecules
    from paretokit.problems.design._ngrams import NGrams
    from paretokit.problems.design._pending import Pending
    from paretokit.problems.design._sequence_function import SequenceFunction
    from paretokit.problems.design._sequences import AppendEnvironment, SequenceProblem
    from paretokit.problems.design._slots import SlotEnvironment
    from paretokit.problems.design._states import States
    from paretokit.problems.design._tree import TreeEnvironment

__all__ = [
    "AppendEnvironment",
    "Aptamers",
    "ArchitectureTable",
    "CompositionalDesign",
    "DesignEnvironment",
    "EditEnvironment",
    "Ehrlich",
    "GridEnvironment",
    "HyperGrid",
    "Molecule",
    "Molecules",
    "NGrams",
    "Pending",
    "SequenceFunction",
    "SequenceProblem",
    "SlotEnvironment",
    "States",
    "TreeEnvironment",
]

_HOMES = {
    "AppendEnvironment": "_sequences",
    "Aptamers": "_aptamers",
    "ArchitectureTable": "_architecture_table",
    "CompositionalDesign": "_design",
    "DesignEnvironment": "_environment",
    "EditEnvironment": "_edits",
    "Ehrlich": "_ehrlich",
    "GridEnvironment": "_hypergrid",
    "HyperGrid": "_hypergrid",
    "Molecule": "_molecule",
    "Molecules": "_molecules",
    "NGrams": "_ngrams",
    "Pending": "_pending",
    "SequenceFunction": "_sequence_function",
    "SequenceProblem": "_sequences",
    "SlotEnvironment": "_slots",
    "States": "_states",
    "TreeEnvironment": "_tree",
}

DESIGN: dict[str, str] = {
    "aptamers-v1": f"{__name__}._aptamers:Aptamers",
    "ehrlich-v1": f"{__name__}._ehrlich:Ehrlich",
    "hypergrid-v1": f"{__name__}._hypergrid:HyperGrid",
    "molecules-v1": f"{__name__}._molecules:Molecules",
    "nas-cell-v1": f"{__name__}._architecture_table:ArchitectureTable",
    "ngrams-v1": f"{__name__}._ngrams:NGrams",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
