"""Which preferences over tasks a learner is asked for, and what they mean while tasks are still to come."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.indicators import lattice_size, riesz_energy_points, simplex_lattice

PARTITIONS = {2: 10, 3: 4, 4: 3}


def rows_of(given: int | tuple[tuple[float, ...], ...] | None, m: int) -> Tensor:
    """Return preferences `[n, m]`, float64: the given rows, or evenly spread ones with the corners among them."""
    if isinstance(given, tuple):
        return torch.tensor(given, dtype=torch.float64)
    partitions = PARTITIONS.get(m, 2)
    if given is None:
        return simplex_lattice(m, partitions)
    if given == 1:
        return torch.full((1, m), 1 / m, dtype=torch.float64)
    partitions = next(h for h in range(1, given + 1) if lattice_size(m, h) >= given)
    if lattice_size(m, partitions) == given:
        return simplex_lattice(m, partitions)
    return riesz_energy_points(m, given, Rng.from_seed(0))


def wrong_length(given: int | tuple[tuple[float, ...], ...] | None, m: int) -> str | None:
    """Return why given preferences do not fit m tasks, or None."""
    if isinstance(given, tuple) and len(given[0]) != m:
        return f"its preferences have {len(given[0])} entries, the problem has {m} tasks"
    return None


def over_seen(preferences: Tensor, seen: int) -> Tensor:
    """Return preferences `[n, m]` over the first tasks: shares of later ones go to those, in proportion.

    A preference that wants only later ones wants the seen ones alike.
    """
    held = preferences.clone()
    held[:, seen:] = 0
    total = held.sum(-1, keepdim=True)
    even = torch.zeros_like(held)
    even[:, :seen] = 1 / seen
    return torch.where(total > 0, held / total.clamp_min(1e-300), even)
