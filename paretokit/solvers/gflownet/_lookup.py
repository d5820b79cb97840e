"""Trajectories through tables of all states: walked, read along, and their slopes brought back into the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core._kernel import KernelModule
from paretokit.problems.design._environment import NOTHING
from paretokit.problems.design._states import States
from paretokit.solvers.gflownet._sampler import entry
from paretokit.solvers.gflownet._trajectories import Trajectories

KERNELS = KernelModule("paretokit.solvers.gflownet._table_kernels", compile_seconds=3.0)


@dataclass(frozen=True)
class Paths:
    """Trajectories from the start, by their actions alone.

    Attributes:
        states: All states.
        every: Whether tables of the states before actions have a row for each state, or for each unfinished one.
        taken: Actions `[T, n]`.
        undone: Backward actions `[T, n]`.
    """

    states: States
    every: bool
    taken: Tensor
    undone: Tensor

    @property
    def rank(self) -> Tensor:
        """Row of each state in tables of the states before actions `[S]`."""
        return self.states.numbers if self.every else self.states.rank

    @cached_property
    def trail(self) -> tuple[Any, ...]:
        """What the compiled twins follow."""
        kept = self.states.arrays
        rank = kept["numbers"] if self.every else kept["rank"]
        return rank, kept["children"], self.taken.contiguous().numpy(), self.undone.contiguous().numpy()


def compiled(like: Tensor) -> bool:
    """Tell whether the compiled twins run."""
    return like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64) and KERNELS.worth()


def arrays(*tensors: Tensor) -> list[Any]:
    """Return tensors without gradients as contiguous arrays."""
    return [t.contiguous().numpy() for t in tensors]


def walk(states: States, cumulative: Tensor, *, steps: int, n: int, rng: Rng) -> Trajectories:
    """Return n trajectories of the unfinished states' cumulative probabilities `[N, A]`.

    Number ``step, trajectory`` of one block of `rng` makes each choice, as in `sample`.
    """
    if not compiled(cumulative):
        walked: Trajectories = KERNELS.plain(walk_plain, states, cumulative, steps, n, rng)
        return walked
    path = torch.empty(steps + 1, n, states.rows.shape[1], dtype=torch.int64)
    actions, backward = (torch.empty(steps, n, dtype=torch.int64) for _ in range(2))
    kept = [states.arrays[name] for name in ("rank", "children", "undone", "rows")]
    KERNELS.load().walk(*arrays(cumulative), *kept, rng.key, *arrays(path, actions, backward))
    return Trajectories(path, actions, backward)


def walk_plain(states: States, cumulative: Tensor, steps: int, n: int, rng: Rng) -> Trajectories:
    """Return what `walk` does, a step at a time; reads nothing back."""
    device = cumulative.device
    u = rng.uniform(steps, n, device=device).to(cumulative.dtype)
    legal = states.children != NOTHING
    number = torch.zeros(n, dtype=torch.int64, device=device)
    path, actions = [number], []
    for step in range(steps):
        action = entry(cumulative[states.rank[number]], legal[number], u[step])
        child = states.children[number, action.clamp_min(0)]
        number = torch.where(action == NOTHING, number, child)
        path.append(number)
        actions.append(action)
    numbers, taken = torch.stack(path), torch.stack(actions)
    undone = states.undone[numbers[:-1], taken.clamp_min(0)]
    return Trajectories(states.rows[numbers], taken, torch.where(taken == NOTHING, NOTHING, undone))


def read(paths: Paths, policy: Tensor, behind: Tensor, flow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what tables `[R, A]`, `[S, B]` and `[R]` hold along trajectories, three times `[T, n]`; 0 beyond ends.

    The first is read at the state before each action and the action, the second at the state after it and the action
    back, the third at the state before. No gradient.
    """
    if not compiled(policy):
        found: tuple[Tensor, Tensor, Tensor] = KERNELS.plain(read_plain, paths, policy, behind, flow)
        return found
    forward, backward, at = (torch.empty(paths.taken.shape, dtype=policy.dtype) for _ in range(3))
    KERNELS.load().read(*arrays(policy, behind, flow), *paths.trail, *arrays(forward, backward, at))
    return forward, backward, at


def read_plain(paths: Paths, policy: Tensor, behind: Tensor, flow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `read` does, by gathers."""
    before, after, taken, undone = _places(paths)
    moved = paths.taken != NOTHING
    found = (policy[before, taken], behind[after, undone], flow[before])
    forward, backward, at = (torch.where(moved, v, 0) for v in found)
    return forward, backward, at


def spread(paths: Paths, tables: Sequence[Tensor], slopes: Sequence[Tensor | None]) -> None:
    """Add slopes of what `read` gave `[T, n]` to tables like those it read, each where there are any, in order."""
    like = tables[0]
    if compiled(like):
        nothing = torch.empty(0, 0, dtype=like.dtype)
        given = [nothing if s is None else s for s in slopes]
        KERNELS.load().spread(*arrays(*tables), *paths.trail, *arrays(*given))
    else:
        KERNELS.plain(spread_plain, paths, tables, slopes)


def spread_plain(paths: Paths, tables: Sequence[Tensor], slopes: Sequence[Tensor | None]) -> None:
    """Do what `spread` does, by scattering."""
    before, after, taken, undone = _places(paths)
    moved = paths.taken != NOTHING
    places: tuple[tuple[Tensor, ...], ...] = ((before, taken), (after, undone), (before,))
    for table, place, slope in zip(tables, places, slopes, strict=True):
        if slope is not None:
            table.index_put_(place, torch.where(moved, slope, 0), accumulate=True)


def add_up(paths: Paths, policy: Tensor, behind: Tensor) -> Tensor:
    """Return the sums along trajectories `[n]` of what `read` gives first minus what it gives second, in order."""
    if not compiled(policy):
        summed: Tensor = KERNELS.plain(add_up_plain, paths, policy, behind)
        return summed
    out = torch.zeros(paths.taken.shape[1], dtype=policy.dtype)
    KERNELS.load().add_up(*arrays(policy, behind), *paths.trail, *arrays(out))
    return out


def add_up_plain(paths: Paths, policy: Tensor, behind: Tensor) -> Tensor:
    """Return what `add_up` does, a step at a time."""
    forward, backward, _ = read_plain(paths, policy, behind, policy[:, 0])
    out = torch.zeros_like(forward[0])
    for more, less in zip(forward, backward, strict=True):
        out = out + (more - less)
    return out


def share_out(paths: Paths, policy: Tensor, behind: Tensor | None, slopes: Tensor) -> None:
    """Add slopes of the sums `[n]` to a table of the first kind, and subtract them from one of the second, if any."""
    if compiled(policy):
        second = policy[:0] if behind is None else behind
        KERNELS.load().share_out(*arrays(policy, second), *paths.trail, *arrays(slopes), behind is not None)
    else:
        KERNELS.plain(share_out_plain, paths, policy, behind, slopes)


def share_out_plain(paths: Paths, policy: Tensor, behind: Tensor | None, slopes: Tensor) -> None:
    """Do what `share_out` does, by scattering."""
    along = slopes.expand(paths.taken.shape)
    second = policy[:0] if behind is None else behind
    spread_plain(paths, (policy, second, policy), (along, None if behind is None else -along, None))


def _places(paths: Paths) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return rows before and numbers after each action, and the actions either way, `[T, n]` each, 0 beyond ends."""
    taken, moved = paths.taken.clamp_min(0), paths.taken != NOTHING
    number = torch.zeros(taken.shape[1], dtype=torch.int64, device=taken.device)
    trail = [number]
    for step in range(len(taken)):
        number = torch.where(moved[step], paths.states.children[number, taken[step]], number)
        trail.append(number)
    numbers = torch.stack(trail)
    return paths.rank[numbers[:-1]].clamp_min(0), numbers[1:], taken, paths.undone.clamp_min(0)


def looked_up(paths: Paths, policy: Tensor, behind: Tensor, flow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `read` does, with gradients to the tables."""
    forward, backward, at = _LookedUp.apply(policy, behind, flow, paths)  # type: ignore[no-untyped-call]
    return forward, backward, at


class _LookedUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, policy: Tensor, behind: Tensor, flow: Tensor, paths: Paths) -> tuple[Tensor, Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.paths, ctx.tables = paths, (policy, behind, flow)
        return read(paths, policy, behind, flow)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, ...]:
        tables = [torch.zeros(t.shape, dtype=t.dtype, device=t.device) for t in ctx.tables]
        wanted = ctx.needs_input_grad
        spread(ctx.paths, tables, [s if w else None for s, w in zip(slopes, wanted, strict=False)])
        return (*(t if w else None for t, w in zip(tables, wanted, strict=False)), None)
