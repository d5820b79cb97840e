"""Trees as plain rows of categories, and how any row becomes a tree: what evolutionary solvers vary."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import Rng, Space
from paretokit.core import _check as check
from paretokit.core._space import CATEGORY
from paretokit.problems.design._tree import TreeEnvironment


@final
class TreeRows(Space):
    r"""Rows ``[fragment, place_1, joint_1, ..., place_{N-1}, joint_{N-1}]``, every column a category.

    Entry i attaches joint_i (a fragment and a class of its attachment points) at place_i (an earlier entry and a class
    of its attachment points); joint J means that the entry is not used, and then its place is 0. Entries keep their
    number when others are dropped, so that crossover compares like with like. Several rows may mean the same tree.

    A row is a decision where every used place is open (there, unused, not taken) and its joint fits. `project` repairs,
    entry by entry: of a place that is not open, the (place modulo number of open places)-th open one is taken; a joint
    that does not fit is replaced by the next one that does, cyclically; where nothing is open the entry is dropped.

    Args:
        environment: The trees.
    """

    def __init__(self, environment: TreeEnvironment) -> None:
        self.environment = environment
        others = environment.max_fragments - 1
        sizes = [len(environment.vocabulary), *[environment.n_places, environment.n_joints + 1] * others]
        upper = torch.tensor(sizes, dtype=torch.float64) - 1
        super().__init__(torch.zeros_like(upper), upper, torch.full_like(upper, CATEGORY, dtype=torch.int64))

    def contains(self, x: Tensor) -> Tensor:
        """Tell for each row whether it is a tree."""
        inside = Space.contains(self, x)
        rows = torch.where(inside.unsqueeze(-1), x, 0).to(torch.int64)
        return inside & (self._repaired(rows) == rows).all(-1)

    def project(self, x: Tensor) -> Tensor:
        """Return each row rounded, clipped and repaired."""
        return self._repaired(Space.project(self, x.nan_to_num(0.0)).to(torch.int64)).to(x.dtype)

    def sample(self, n: int, rng: Rng, *, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return n trees: a uniform number of fragments, each at a uniform place and joint, repaired."""
        check.at_least(0, n=n)
        rows = self.from_unit(rng.child("entries").uniform(n, self.dim))
        sizes = rng.child("sizes").integers(self.environment.max_fragments, n).unsqueeze(1)
        used = torch.arange(self.environment.max_fragments - 1) < sizes
        rows[:, 2::2] = torch.where(used, rows[:, 2::2].clamp_max(self.environment.n_joints - 1), self.upper[2::2])
        return self.project(rows).to(dtype)

    def _repaired(self, rows: Tensor) -> Tensor:
        """Return legal rows for whole numbers within the bounds, `[..., d]`."""
        env, shape = self.environment, rows.shape
        rows = rows.reshape(-1, shape[-1])
        tables, classes = env.tables(rows.device), env.vocabulary.n_classes
        slots = torch.arange(env.max_fragments, device=rows.device)
        fragment = torch.where(slots == 0, rows[:, :1], 0)
        free = torch.where((slots == 0).unsqueeze(1), tables.capacity[rows[:, :1]], 0).flatten(1)
        places = torch.arange(env.n_places, device=rows.device)
        columns = [rows[:, 0]]
        for slot in range(1, env.max_fragments):
            place, joint = rows[:, 2 * slot - 1], rows[:, 2 * slot]
            is_open = free > 0
            count = is_open.sum(1)
            used = (joint < env.n_joints) & (count > 0)
            wanted = (place % count.clamp_min(1) + 1).unsqueeze(1)
            instead = ((is_open.cumsum(1) == wanted) & is_open).to(torch.int8).argmax(1)
            place = torch.where(is_open.gather(1, place.unsqueeze(1)).squeeze(1), place, instead)
            node, own = env.divided(place)
            label = fragment.gather(1, node.unsqueeze(1)).squeeze(1)
            fitting = tables.following[tables.kind[label, own], joint.clamp_max(env.n_joints - 1)]
            new = tables.fragment[fitting]
            mine = (torch.arange(classes, device=rows.device) == tables.own[fitting].unsqueeze(1)).to(torch.int64)
            fragment = torch.where(used.unsqueeze(1) & (slots == slot), new.unsqueeze(1), fragment)
            free = free - (used.unsqueeze(1) & (places == place.unsqueeze(1))).to(torch.int64)
            here = torch.where(used.unsqueeze(1), tables.capacity[new] - mine, 0)
            free = torch.cat([free[:, : slot * classes], here, free[:, (slot + 1) * classes :]], 1)
            columns += [torch.where(used, place, 0), torch.where(used, fitting, env.n_joints)]
        return torch.stack(columns, 1).reshape(shape)

    def describe(self) -> dict[str, Any]:
        """Return the fragments and the size."""
        fragments = [f.smiles for f in self.environment.vocabulary.fragments]
        return {"kind": "TreeRows", "fragments": fragments, "max_fragments": self.environment.max_fragments}
