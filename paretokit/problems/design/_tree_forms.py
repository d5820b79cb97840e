"""One row for each tree: free trees of labelled nodes and bonds, brought into a canonical form on tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core._kernel import KernelModule
from paretokit.core._rng import _signed

NONE = -1
_ODD = tuple(_signed(c) for c in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93))  # odd multipliers
KERNELS = KernelModule("paretokit.problems.design._tree_kernels", compile_seconds=3.0)
_CLASSES = 8  # more than a fragment has classes


def _mixed(z: Tensor) -> Tensor:
    """Return a hash of whole numbers, elementwise."""
    z = z * _ODD[1]
    z = (z ^ (z >> 32)) * _ODD[2]
    return z ^ (z >> 29)


@dataclass(frozen=True)
class Trees:
    """n trees of at most N nodes, one slot a node; `NONE` fills empty slots.

    Attributes:
        fragment: Label of each node `[n, N]`.
        parent: Slot of the node that it hangs on `[n, N]`; `NONE` for the root.
        outer: Class of the parent's attachment point to which it is bound `[n, N]`.
        inner: Class of its own attachment point `[n, N]`.
    """

    fragment: Tensor
    parent: Tensor
    outer: Tensor
    inner: Tensor

    @property
    def there(self) -> Tensor:
        """Which slots hold a node, bool `[n, N]`."""
        return self.fragment != NONE

    @property
    def hangs(self) -> Tensor:
        """Whether child i (second axis) hangs on parent j (third axis), bool `[n, N, N]`."""
        slots = torch.arange(self.parent.shape[1], device=self.parent.device)
        there = self.there
        return (self.parent.unsqueeze(2) == slots) & there.unsqueeze(2) & there.unsqueeze(1)

    @property
    def bonds(self) -> Tensor:
        """1 + the class at node i of its bond to node j, 0 where there is none, `[n, N, N]`."""
        hangs = self.hangs
        inner = torch.where(hangs, self.inner.unsqueeze(2) + 1, 0)
        return inner + torch.where(hangs, self.outer.unsqueeze(2) + 1, 0).transpose(1, 2)

    @property
    def degree(self) -> Tensor:
        """Bonds of each node `[n, N]`."""
        hangs = self.hangs
        return hangs.sum(1) + hangs.sum(2)


def node_marks(fragment: Tensor, bonds: Tensor) -> Tensor:
    r"""Return a 64-bit hash of each node's view of its tree `[n, N]`: equal exactly for nodes that symmetries swap.

    .. math:: m_{i \to j} = h\Big(h(f_i) + \sum_{k \ne j} h(m_{k \to i}, c_{ik}),\; c_{ij}\Big),
        \qquad H_i = h\Big(h(f_i) + \sum_k h(m_{k \to i}, c_{ik})\Big)

    over the bonds of node i, with fragments f and the classes c at which they are bound; sums forget the order. That
    unequal views have equal hashes has a probability of about 2^-64 a pair.

    Cost: N rounds of O(N^2) whole-number operations a tree.
    """
    label = _mixed(fragment + 2).unsqueeze(2)
    end = bonds * _ODD[0]
    message = torch.zeros_like(bonds)
    for _ in range(bonds.shape[1]):
        arriving = torch.where(bonds > 0, _mixed(message.transpose(1, 2) + end), 0)
        total = label + arriving.sum(2, keepdim=True)
        message = _mixed(total - arriving + end)
    return _mixed(total.squeeze(2))


def canonical(trees: Trees) -> tuple[Trees, Tensor, Tensor]:
    """Return the trees renumbered so that equal free trees have equal rows, whatever their root and their slots were.

    The root is the node of the smallest mark (see `node_marks`); nodes follow breadth first, children of one parent by
    the class to which they are bound, then by their mark. Two children of equal mark carry equal subtrees, since a
    symmetry of a tree that swaps two nodes with a common neighbor keeps that neighbor.

    Args:
        trees: Trees in any numbering, with empty slots anywhere.

    Returns:
        The trees, the old slot `[n, N]` of each new one, and the first slot `[n, N]` that is swapped with it by a
        symmetry (itself, where there is none; `NONE` for empty slots).

    Cost: O(N^3) a tree, on the CPU in a compiled twin.
    """
    parts = (trees.fragment, trees.parent, trees.outer, trees.inner)
    if parts[0].device.type != "cpu":
        found = plain(*parts)
    elif KERNELS.worth():
        found = torch.empty((6, *parts[0].shape), dtype=torch.int64)
        KERNELS.load().canonical(*(part.contiguous().numpy() for part in parts), found.numpy())
    else:
        found = KERNELS.plain(plain, *parts)
    return Trees(*found[:4]), found[4], found[5]


def plain(fragment: Tensor, parent: Tensor, outer: Tensor, inner: Tensor) -> Tensor:
    """Return the entries of the canonical trees, the old slots and the twins `[6, n, N]` (see `canonical`)."""
    trees = Trees(fragment, parent, outer, inner)
    n, size = fragment.shape
    slots = torch.arange(size, device=fragment.device)
    there, bonds = trees.there, trees.bonds
    marks = node_marks(trees.fragment, bonds)
    last = torch.iinfo(torch.int64).max
    marks = torch.where(there, marks & last, last)
    rank = marks.argsort(dim=1, stable=True).argsort(dim=1)
    # Breadth first: a node's key is the new slot of its parent, its class there, its rank.
    reach = _CLASSES * size
    never = size * reach + size
    key = torch.where(there & (rank == 0), NONE, never)
    order, keys = [], []
    for slot in range(size):
        smallest, node = key.min(1)
        order.append(node)
        keys.append(smallest)
        here = node.unsqueeze(1)
        to = bonds.gather(1, here.unsqueeze(2).expand(n, 1, size)).squeeze(1)  # classes at the node
        found = slot * reach + (to - 1) * size + rank
        key = torch.where((key == never) & (to > 0), found, key)
        key = torch.where(slots == here, never + 1, key)
    old, found = torch.stack(order, 1), torch.stack(keys, 1)
    exists = found < never
    child = exists & (found >= 0)
    parent = torch.where(child, found.div(reach, rounding_mode="floor"), NONE)
    outer = torch.where(child, found.div(size, rounding_mode="floor") % _CLASSES, NONE)
    above = old.gather(1, parent.clamp_min(0))
    own = bonds.gather(1, old.unsqueeze(2).expand(n, size, size)).gather(2, above.unsqueeze(2)).squeeze(2)
    inner = torch.where(child, own - 1, NONE)
    fragment = torch.where(exists, trees.fragment.gather(1, old), NONE)
    seen = torch.where(exists, marks.gather(1, old), last)
    twin = (seen.unsqueeze(2) == seen.unsqueeze(1)).to(torch.int8).argmax(2)
    return torch.stack([fragment, parent, outer, inner, old, torch.where(exists, twin, NONE)])
