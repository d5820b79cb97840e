"""A neural cell of six edges and five operations, scored by a closed formula instead of training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import Categorical, EvaluationProtocol, Objective, Rng, Scoring, non_dominated
from paretokit.core import _check as check
from paretokit.problems._thin import thin
from paretokit.problems.design._design import CompositionalDesign
from paretokit.problems.design._slots import SlotEnvironment

OPERATIONS = ("none", "skip", "conv1x1", "conv3x3", "pool3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # from node to node; 0 is the input, 3 the output
POWER = (0.0, 0.1, 0.5, 1.0, 0.3)  # what an operation adds to what a cell can tell apart
WEIGHT = (0.0, 0.0, 0.2, 1.0, 0.05)  # parameters and buffers, in conv3x3
DELAY = (0.0, 0.05, 0.4, 1.0, 0.5)  # time, in conv3x3
NOISE = 0.3  # share of an operation's power that depends on its edge
HALF, STEEPNESS = 0.45, 5  # where accuracy is half of its range, and how steep it is there
NAMES = ("accuracy", "lightness", "speed")


@final
class ArchitectureTable(CompositionalDesign):
    r"""All 15,625 cells of six edges with one of five operations each; **synthetic**: no network was ever trained.

    The cell is the one of the usual tabular benchmarks: nodes 0 (input) to 3 (output), an edge from each node to each
    later one. Edges are set in any order. With the operation o on edge e, its power p, weight w and delay d, and a
    number :math:`\xi_{eo}` in [-1, 1] drawn from the seed:

    .. math::
        f_{accuracy} = \frac{\kappa^5}{\kappa^5 + 0.45^5} \left(1 + 0.45^5\right), \quad
        \kappa = \tfrac16 \sum_{e\ \text{live}} \frac{p_o\,(1 + 0.3\,\xi_{eo})}{1.3}

        f_{lightness} = 1 - \tfrac16 \sum_e w_o, \qquad
        f_{speed} = 1 - \tfrac13 \max_{\text{paths}} \sum_{e \in \text{path}} d_o

    An edge is live where it lies on a path of operations other than "none" from input to output; without such a path
    accuracy is 0. Accuracy rises like an S with what is spent, so the front has a part that no weighted sum finds.

    Args:
        objectives: Some of "accuracy", "lightness" and "speed", all maximized and in [0, 1].
        seed: Of the table.

    The front is exact, found by looking at all cells.

    Source: the cell of Dong and Yang (2020), ICLR, as set up for GFlowNets by Chen and Mauch (2024), ICLR; the numbers
    are ours.
    """

    id = "nas-cell-v1"
    light = True

    def __init__(self, *, objectives: Sequence[str] = ("accuracy", "lightness"), seed: int = 0) -> None:
        check.arguments(ArchitectureTable.__init__, locals())
        names = (objectives,) if isinstance(objectives, str) else tuple(objectives)
        check.at_least(1, objectives=len(names))
        for name in names:
            check.known(name, NAMES, kind="objectives")
        check.that(len(set(names)) == len(names), "objectives", "be different", list(names))
        self.seed = seed
        self.objectives = tuple(Objective(name, "max") for name in names)
        self.environment = SlotEnvironment(n_slots=len(EDGES), n_choices=len(OPERATIONS))
        self.space = Categorical(len(OPERATIONS), len(EDGES))
        self.front_kind = "exact"
        m = len(names)
        scoring = Scoring(reference_point=(0.0,) * m, ideal=(1.0,) * m, nadir=(0.0,) * m)
        self.protocol = EvaluationProtocol(scoring=scoring)
        xi = 2 * Rng.from_seed(seed).child("cell").uniform(len(EDGES), len(OPERATIONS)) - 1
        self._power = torch.tensor(POWER, dtype=torch.float64) * (1 + NOISE * xi) / (1 + NOISE)

    def options(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        return {"objectives": [o.name for o in self.objectives], "seed": self.seed}

    def _score(self, x: Tensor) -> Tensor:
        cells = x.to(torch.int64)
        formulas = {"accuracy": self._accuracy, "lightness": _lightness, "speed": _speed}
        return torch.stack([formulas[o.name](cells) for o in self.objectives], -1).to(x.dtype)

    def _accuracy(self, cells: Tensor) -> Tensor:
        spent = self._power.to(cells.device)[torch.arange(len(EDGES), device=cells.device), cells]
        capacity = torch.where(live(cells), spent, 0).sum(-1) / len(EDGES)
        raised, half = capacity**STEEPNESS, HALF**STEEPNESS
        return raised / (raised + half) * (1 + half)

    def cells(self) -> Tensor:
        """Return all decisions `[15625, 6]`, float64."""
        return torch.cartesian_prod(*[torch.arange(len(OPERATIONS), dtype=torch.float64)] * len(EDGES))

    def decode(self, x: Tensor) -> str:
        """Return the cell as the tabular benchmarks write it: ``operation~from`` of the edges into each node."""
        names = [OPERATIONS[int(o)] for o in x.tolist()]
        into = [[f"{o}~{a}" for (a, b), o in zip(EDGES, names, strict=True) if b == node] for node in (1, 2, 3)]
        return "+".join(f"|{'|'.join(edges)}|" for edges in into)

    @cached_property
    def _front(self) -> Tensor:
        values = self._score(self.cells())
        front: Tensor = values[torch.as_tensor(non_dominated(values, maximize=True, keep_duplicates=False))]
        return front

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return the exact front `[n, m]`, equal values once."""
        front = self._front.to(self.device, self.dtype)
        return front if n is None else thin(front, n)


def live(cells: Tensor) -> Tensor:
    """Tell which edges lie on a path from input to output, bool `[n, 6]`."""
    passes = (cells != 0).unbind(-1)
    to = [torch.ones_like(passes[0]), *[torch.zeros_like(passes[0])] * 3]
    to_output = to[::-1]
    for (a, b), open_ in zip(EDGES, passes, strict=True):  # in this order all edges into a node come before those out
        to[b] = to[b] | (to[a] & open_)
    for (a, b), open_ in sorted(zip(EDGES, passes, strict=True), key=_begin, reverse=True):
        to_output[a] = to_output[a] | (to_output[b] & open_)
    return torch.stack([to[a] & open_ & to_output[b] for (a, b), open_ in zip(EDGES, passes, strict=True)], -1)


def _begin(edge: tuple[tuple[int, int], Tensor]) -> int:
    return edge[0][0]


def _lightness(cells: Tensor) -> Tensor:
    weight = torch.tensor(WEIGHT, dtype=torch.float64, device=cells.device)
    return 1 - weight[cells].sum(-1) / len(EDGES)


def _speed(cells: Tensor) -> Tensor:
    delay = torch.tensor(DELAY, dtype=torch.float64, device=cells.device)[cells].unbind(-1)
    passes = live(cells).unbind(-1)
    arrival = [torch.zeros_like(delay[0]) for _ in range(4)]
    for (a, b), d, open_ in zip(EDGES, delay, passes, strict=True):
        arrival[b] = torch.maximum(arrival[b], torch.where(open_, arrival[a] + d, 0))
    return 1 - arrival[3] / 3
