"""Molecules as trees of fragments, built joint by joint: a graph of free trees, each of which is one state."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.problems.design._environment import NOTHING, DesignEnvironment
from paretokit.problems.design._fragments import Tables, Vocabulary
from paretokit.problems.design._tree_forms import NONE, Trees, canonical


@final
@dataclass(frozen=True)
class TreeEnvironment(DesignEnvironment):
    """Trees that grow by one fragment in two actions: choose a place, then what is attached there.

    A *place* is a node and a class of its attachment points; a *joint* is a fragment and the class by which it is
    attached. Actions, in order: the J joints (of a first fragment only the joint of its first class), the N K places,
    the stop. Only a tree that has a fragment, and no chosen place, can stop; a full one can do nothing else.

    Backward actions: N that remove a leaf each (and leave its place chosen), one that takes the choice of a place back,
    one that takes the stop back.

    A state's row is canonical: the fragment, parent slot, class at the parent and own class of each node, the first
    node that is its equal by symmetry, the chosen place (0 for none) and whether it is finished. A tree has one row,
    in whatever order and from whatever root it was built, and of nodes that are equal by symmetry only the first can be
    chosen or removed: two different actions never lead to the same state, and the parents of a state are counted once.
    What remains is that two *different trees* can be the same molecule (a carbon on isopropyl is tert-butyl): the
    probability of a molecule is the sum over its trees.

    Attributes:
        vocabulary: The fragments.
        max_fragments: Most nodes N.
    """

    vocabulary: Vocabulary = field(repr=False)
    max_fragments: int
    _tables: dict[torch.device, Tables] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        check.at_least(1, max_fragments=self.max_fragments)

    @property
    def n_joints(self) -> int:
        """Number J of joints."""
        return len(self.vocabulary.joints)

    @property
    def n_places(self) -> int:
        """Number N K of places."""
        return self.max_fragments * self.vocabulary.n_classes

    @property
    def n_actions(self) -> int:
        """Joints, places, and the stop."""
        return self.n_joints + self.n_places + 1

    @property
    def n_backward(self) -> int:
        """Leaves, the choice of a place, and the stop."""
        return self.max_fragments + 2

    @property
    def max_steps(self) -> int:
        """One for the first fragment, two for each other, and the stop."""
        return 2 * self.max_fragments

    @property
    def n_features(self) -> int:
        """Fragment, parent and two classes of each node, the chosen place, whether there is none."""
        v, k, n = len(self.vocabulary), self.vocabulary.n_classes, self.max_fragments
        return n * (v + n + 2 * k) + self.n_places + 1

    @cached_property
    def width(self) -> int:
        """Entries k of a state."""
        return 5 * self.max_fragments + 2

    def tables(self, device: torch.device) -> Tables:
        """Return the vocabulary's tables on a device, sent there once."""
        if device not in self._tables:
            self._tables[device] = self.vocabulary.tables.to(device)
        return self._tables[device]

    def trees(self, states: Tensor) -> Trees:
        """Return the trees of states."""
        return Trees(*states[:, : 4 * self.max_fragments].split(self.max_fragments, 1))

    def twins(self, states: Tensor) -> Tensor:
        """Return the first node that equals each node by symmetry `[n, N]`; `NONE` for empty slots."""
        return states[:, 4 * self.max_fragments : 5 * self.max_fragments]

    def place(self, states: Tensor) -> Tensor:
        """Return the chosen place `[n]`, `NONE` where there is none."""
        return states[:, -2] - 1

    def joined(self, trees: Trees, twins: Tensor, place: Tensor, finished: Tensor) -> Tensor:
        """Return the rows of states from their parts; `place` counts from 0, `NONE` for none."""
        parts = (trees.fragment, trees.parent, trees.outer, trees.inner, twins)
        return torch.cat([*parts, place.unsqueeze(1) + 1, finished.to(torch.int64).unsqueeze(1)], 1)

    def start(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """Return n times no fragment at all."""
        states = torch.full((n, self.width), NONE, dtype=torch.int64, device=device)
        states[:, -2:] = 0
        return states

    def open(self, trees: Trees) -> Tensor:
        """Return how many attachment points are open at each node and class `[n, N, K]`; 0 in empty slots."""
        capacity = self.tables(trees.fragment.device).capacity[trees.fragment.clamp_min(0)]
        there = trees.there.unsqueeze(2)
        k = torch.arange(capacity.shape[2], device=capacity.device)
        own = (trees.inner.unsqueeze(2) == k).to(torch.int64)
        n, size = trees.fragment.shape
        bound = trees.parent.clamp_min(0) * len(k) + trees.outer.clamp_min(0)
        taken = torch.zeros(n, size * len(k), dtype=torch.int64, device=capacity.device)
        taken = taken.scatter_add(1, bound, (trees.parent != NONE).to(torch.int64)).view(n, size, len(k))
        return torch.where(there, capacity - own - taken, 0)

    def mask(self, states: Tensor) -> Tensor:
        """Return joints that fit the chosen place or may be first, or else open places and the stop."""
        tables = self.tables(states.device)
        trees, place = self.trees(states), self.place(states).unsqueeze(1)
        active = states[:, -1:] == 0
        count = trees.there.sum(1, keepdim=True)
        chosen = place != NONE
        joints = torch.where(chosen, tables.fits[self.kind_at(trees, place.squeeze(1))], tables.own == 0)
        slots = torch.arange(self.max_fragments, device=states.device)
        places = ((self.open(trees) > 0) & (self.twins(states) == slots).unsqueeze(2)).flatten(1)
        idle = active & ~chosen & (count > 0)
        return torch.cat(
            [joints & active & (chosen | (count == 0)), places & idle & (count < self.max_fragments), idle], 1
        )

    def kind_at(self, trees: Trees, place: Tensor) -> Tensor:
        """Return what places `[n]` are to a bond `[n]`; that of the first place for `NONE`."""
        classes = self.vocabulary.n_classes
        node, own = self.divided(place.clamp_min(0))
        fragment = trees.fragment.gather(1, node.unsqueeze(1)).squeeze(1).clamp_min(0)
        return self.tables(place.device).kind.flatten()[fragment * classes + own]

    def divided(self, place: Tensor) -> tuple[Tensor, Tensor]:
        """Return node and class of places."""
        classes = self.vocabulary.n_classes
        return place.div(classes, rounding_mode="floor"), place % classes

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the states with a fragment more, with a chosen place, or finished."""
        return self.advance(states, actions)[0]

    def undoing(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return which leaf is removed again, or that the place or the stop is taken back."""
        return self.advance(states, actions)[1]

    def advance(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `step` and `undoing` return, for the cost of one of them."""
        tables, joints, places = self.tables(states.device), self.n_joints, self.n_places
        trees, place = self.trees(states), self.place(states)
        attach = (actions >= 0) & (actions < joints)
        choose = (actions >= joints) & (actions < joints + places)
        stop = actions == joints + places
        joint = torch.where(attach, actions, 0)
        count = trees.there.sum(1)
        slots = torch.arange(self.max_fragments, device=states.device)
        new = attach.unsqueeze(1) & (slots == count.unsqueeze(1))
        node, own = self.divided(place)
        first = (count == 0).unsqueeze(1)
        grown = Trees(
            torch.where(new, tables.fragment[joint].unsqueeze(1), trees.fragment),
            torch.where(new & ~first, node.unsqueeze(1), trees.parent),
            torch.where(new & ~first, own.unsqueeze(1), trees.outer),
            torch.where(new & ~first, tables.own[joint].unsqueeze(1), trees.inner),
        )
        following, old, twins = canonical(grown)
        leaf = twins.gather(1, _where(old, count)).squeeze(1)
        place = torch.where(choose, actions - joints, torch.where(attach, NONE, place))
        after = self.joined(following, twins, place, (states[:, -1] == 1) | stop)
        rest = torch.where(stop, self.max_fragments + 1, NOTHING)
        undone = torch.where(attach, leaf, torch.where(choose, self.max_fragments, rest))
        return after, undone

    def backward_mask(self, states: Tensor) -> Tensor:
        """Return the leaves that may have been last, or that a place or the stop is taken back."""
        trees, place = self.trees(states), self.place(states).unsqueeze(1)
        finished = states[:, -1:] == 1
        slots = torch.arange(self.max_fragments, device=states.device)
        leaves = trees.there & (trees.degree <= 1) & (self.twins(states) == slots)
        chosen = place != NONE
        return torch.cat([leaves & ~chosen & ~finished, chosen, finished], 1)

    def back(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the states with a leaf less and its place chosen, without a chosen place, or unfinished."""
        trees = self.trees(states)
        slots = torch.arange(self.max_fragments, device=states.device)
        remove = (backward >= 0) & (backward < self.max_fragments)
        gone = remove.unsqueeze(1) & (slots == backward.unsqueeze(1))
        bonds = trees.bonds
        # The leaf's only neighbor and the class at which it is bound there.
        at = bonds.gather(2, backward.clamp(0, self.max_fragments - 1).view(-1, 1, 1).expand_as(bonds[:, :, :1]))
        own, neighbor = at.squeeze(2).max(1)
        lone = trees.there.sum(1) == 1
        less = Trees(torch.where(gone, NONE, trees.fragment), trees.parent, trees.outer, trees.inner)
        before, old, twins = canonical(less)
        node = twins.gather(1, _where(old, neighbor)).squeeze(1)
        left = torch.where(lone, NONE, node * self.vocabulary.n_classes + own - 1)
        place = torch.where(remove, left, torch.where(backward == self.max_fragments, NONE, self.place(states)))
        return self.joined(before, twins, place, (states[:, -1] == 1) & (backward != self.max_fragments + 1))

    def redoing(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return which joint attaches the leaf again, or which place was chosen, or the stop."""
        trees, n = self.trees(states), self.max_fragments
        leaf = backward.clamp(0, n - 1)
        fragment = trees.fragment.gather(1, leaf.unsqueeze(1)).squeeze(1).clamp_min(0)
        own = trees.bonds.gather(1, leaf.view(-1, 1, 1).expand(-1, 1, n)).amax((1, 2)) - 1
        joint = self.tables(states.device).first[fragment] + own.clamp_min(0)
        attached = (backward >= 0) & (backward < n)
        rest = torch.where(backward == n + 1, self.n_actions - 1, NOTHING)
        chosen = torch.where(backward == n, self.place(states) + self.n_joints, rest)
        return torch.where(attached, joint, chosen)

    def observe(self, states: Tensor) -> Tensor:
        """Return everything one-hot: fragment, parent and classes of each node, the chosen place."""
        trees, place = self.trees(states), self.place(states)
        classes = self.vocabulary.n_classes
        sizes = (len(self.vocabulary), self.max_fragments, classes, classes)
        columns = (trees.fragment, trees.parent, trees.outer, trees.inner)
        parts = [_one_hot(c, k).flatten(1) for c, k in zip(columns, sizes, strict=True)]
        return torch.cat([*parts, _one_hot(place, self.n_places), (place == NONE).unsqueeze(1)], 1).to(torch.float32)

    def decisions(self, states: Tensor) -> Tensor:
        """Return the first fragment, then place and joint of each further node (see `TreeRows`)."""
        trees = self.trees(states)
        place = trees.parent * self.vocabulary.n_classes + trees.outer
        joint = self.tables(states.device).first[trees.fragment.clamp_min(0)] + trees.inner
        missing = ~trees.there[:, 1:]
        rest = torch.stack(
            [torch.where(missing, 0, place[:, 1:]), torch.where(missing, self.n_joints, joint[:, 1:])], 2
        )
        return torch.cat([trees.fragment[:, :1], rest.flatten(1)], 1).to(torch.float64)

    def planted(self, x: Tensor) -> Trees:
        """Return the trees of decision rows in the rows' own slots, empty ones included."""
        tables, rows = self.tables(x.device), x.to(torch.int64)
        place, joint = rows[:, 1::2], rows[:, 2::2]
        missing = joint == self.n_joints
        known = torch.where(missing, 0, joint)
        node, own = self.divided(place)
        root = torch.full_like(rows[:, :1], NONE)
        return Trees(
            torch.cat([rows[:, :1], torch.where(missing, NONE, tables.fragment[known])], 1),
            torch.cat([root, torch.where(missing, NONE, node)], 1),
            torch.cat([root, torch.where(missing, NONE, own)], 1),
            torch.cat([root, torch.where(missing, NONE, tables.own[known])], 1),
        )

    def finished(self, x: Tensor) -> Tensor:
        """Return the finished states of decision rows; rows of one tree give one state."""
        trees, _, twins = canonical(self.planted(x))
        return self.joined(trees, twins, torch.full_like(twins[:, 0], NONE), torch.ones_like(twins[:, 0]))

    def done(self, states: Tensor) -> Tensor:
        """Tell which states have stopped."""
        return states[:, -1] == 1


def _where(old: Tensor, slot: Tensor) -> Tensor:
    """Return the new slot `[n, 1]` of what was in a slot `[n]`."""
    return (old == slot.unsqueeze(1)).to(torch.int8).argmax(1, keepdim=True)


def _one_hot(column: Tensor, size: int) -> Tensor:
    """Return whether entries are 0, 1, ... `[..., size]`; nothing for `NONE`."""
    return column.unsqueeze(-1) == torch.arange(size, device=column.device)
