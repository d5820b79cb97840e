"""A part of MOEA/D's sweep in one compiled call a member, where replacement and variation are compiled anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from paretokit.core import Evaluation, Problem
from paretokit.core._kernel import KernelModule
from paretokit.solvers.evolutionary import _decomposition as decomposition
from paretokit.solvers.evolutionary._genetic import PopulationState
from paretokit.solvers.evolutionary._members import columns, over_members
from paretokit.solvers.evolutionary._variation import Operators

KERNELS = KernelModule("paretokit.solvers.evolutionary._sweep_kernels", compile_seconds=4.0)


def bounds(n: int, parts: int, step: int) -> tuple[int, int, int]:
    """Return number and slice of the sweep that a step is a part of: the sweep's order is cut into equal parts."""
    sweep, part = divmod(step - 1, parts)
    return sweep, n * part // parts, n * (part + 1) // parts


def compilable(state: PopulationState, ops: Operators) -> bool:
    """Tell whether all parts are compiled and the state is what the kernel reads: float64 without errors."""
    if not (ops.compiled(state.x) and decomposition.KERNELS.worth() and KERNELS.worth()):
        return False
    return state.step > 0 and ops.dtype == torch.float64 and state.stderr is None


@dataclass(frozen=True)
class Sweep:
    """What the compiled call reads beside the state, made once for many of them.

    Attributes:
        signs: -1 for maximized objectives `[m]`.
        weights: Weights of the subproblems `[n, m]`.
        near: Subproblems in each neighborhood `[n, T]`.
        theta: Penalty of PBI; negative for Tchebycheff.
        parts: Parts of a sweep.
        mating_prob: Probability that parents come from the neighborhood.
        ops: Probabilities and distribution indices of the variation.
    """

    signs: Tensor
    weights: Tensor
    near: Tensor
    theta: float
    parts: int
    mating_prob: float
    ops: Operators

    def __post_init__(self) -> None:
        directions = decomposition.unit_length(self.weights)
        geometry = columns(self.signs, self.weights, directions, self.near)
        bred = (self.mating_prob, *columns(*self.ops.bounds), self.ops.params.numpy())
        object.__setattr__(self, "_fixed", (geometry, bred))

    def told(self, problem: Problem, state: PopulationState, evaluation: Evaluation) -> PopulationState:
        """Return the state, changed in place, after its children were evaluated, with the next ones asked.

        The bits are those of the separate parts: `replaced`, then `bred`.
        """
        new: Any = state.asked
        members, n, d = state.x.shape
        values = evaluation.values.detach()
        if evaluation.violations is None:
            violation = values.new_zeros(new.shape[:2])
        else:
            violation = evaluation.total_violation.detach()
        _, begin, end = bounds(n, self.parts, state.step + 1)
        asked = new.new_empty(members, end - begin, d)
        fixed: Any = self._fixed  # type: ignore[attr-defined]
        (geometry, bred), kernel = fixed, KERNELS.load().sweep_stack
        now = (self.theta, state.step, self.parts)
        over_members(
            lambda keys, *stacks: kernel(keys.view("uint64"), *stacks, *geometry, *now, *bred),
            state.keys, new, values, violation, state.x, state.f, state.v, state.memory["ideal"], asked,
            work=new.shape[1] * (self.near.shape[1] * values.shape[2] + d),
        )  # fmt: skip
        state.asked = asked
        state.step += 1
        state.evaluations += new.shape[1]
        state.work += evaluation.total_work / members
        return state
