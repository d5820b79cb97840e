"""NSGA-II's generation in one compiled call a member, where survival and variation are compiled anyway."""

from __future__ import annotations

from dataclasses import replace

import torch

from paretokit.core import Evaluation, Problem
from paretokit.core._dominance import RANKING
from paretokit.core._kernel import KernelModule
from paretokit.solvers.evolutionary import _crowding as crowding
from paretokit.solvers.evolutionary._genetic import PopulationState, told
from paretokit.solvers.evolutionary._members import columns, over_members
from paretokit.solvers.evolutionary._variation import Operators

KERNELS = KernelModule("paretokit.solvers.evolutionary._generation_kernels", compile_seconds=3.0)


def fusible(state: PopulationState, evaluation: Evaluation, ops: Operators) -> bool:
    """Tell whether all parts are compiled and what was told is what the kernel reads: float64 without errors."""
    parts = ops.compiled(state.x) and RANKING.worth() and crowding.KERNELS.worth()
    return parts and ops.dtype == torch.float64 and evaluation.stderr is None and state.stderr is None


def next_generation(
    problem: Problem, state: PopulationState, evaluation: Evaluation, ops: Operators, *, size: int
) -> PopulationState:
    """Return the survivors by rank and crowding distance, with their children asked: the bits of the separate parts."""
    new, f_new, v_new, _ = told(problem, state, evaluation)
    members, _, d = new.shape
    x, asked = new.new_empty(members, size, d), new.new_empty(members, size, d)
    f, v, kept = (new.new_empty(members, size, *rest) for rest in ((f_new.shape[2],), (), ()))
    lower, upper, kinds = columns(*ops.bounds)
    kernel, params, counter = KERNELS.load().generation_stack, ops.params.numpy(), 2 * (state.step + 1)
    over_members(
        lambda keys, *stacks: kernel(keys.view("uint64"), *stacks, counter, lower, upper, kinds, params, ops.rounds),
        state.keys, state.x, new, state.f, f_new, state.v, v_new, x, f, v, kept, asked, work=size * d,
    )  # fmt: skip
    return replace(
        state,
        x=x,
        f=f,
        v=v,
        memory={"crowding": kept},
        asked=asked,
        step=state.step + 1,
        evaluations=state.evaluations + new.shape[1],
        work=state.work + evaluation.total_work / members,
    )
