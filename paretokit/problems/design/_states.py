"""All states of a small design environment, level by level, with the edges between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from paretokit.problems.design._environment import NOTHING, DesignEnvironment


@dataclass(frozen=True)
class States:
    """Every reachable state, numbered level by level (level = number of actions from the start).

    Attributes:
        environment: Whose states they are.
        rows: The states `[S, k]`; the start is row 0.
        children: Number of the state after each action `[S, A]`, -1 where it is illegal.
        undone: The backward action that undoes each action `[S, A]`, -1 likewise.
        parents: Number of the state before each backward action `[S, B]`, -1 where there is none.
        redone: The action that each backward action undoes `[S, B]`, -1 likewise.
        levels: Begin of each level and, at last, S.
    """

    environment: DesignEnvironment
    rows: Tensor = field(repr=False)
    children: Tensor = field(repr=False)
    undone: Tensor = field(repr=False)
    parents: Tensor = field(repr=False)
    redone: Tensor = field(repr=False)
    levels: tuple[int, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def terminal(self) -> Tensor:
        """Numbers of the finished states, in order."""
        return (self.children == NOTHING).all(-1).nonzero().flatten()

    @cached_property
    def unfinished(self) -> Tensor:
        """Numbers `[N]` of the states that have actions, in order."""
        return (self.children != NOTHING).any(-1).nonzero().flatten()

    @cached_property
    def legal(self) -> Tensor:
        """The actions of the unfinished states, bool `[N, A]`."""
        return self.children[self.unfinished] != NOTHING

    @cached_property
    def forbidden(self) -> Tensor:
        """What logits of actions are reduced by `[S, A]`: -inf where an action is illegal, 0 where all are."""
        legal = self.children != NOTHING
        return torch.where(legal | ~legal.any(-1, keepdim=True), 0, -torch.inf).to(torch.float32)

    @cached_property
    def forbidden_back(self) -> Tensor:
        """The same of backward actions `[S, B]`."""
        has = self.parents != NOTHING
        return torch.where(has | ~has.any(-1, keepdim=True), 0, -torch.inf).to(torch.float32)

    @cached_property
    def forbidden_unfinished(self) -> Tensor:
        """`forbidden` of the unfinished states `[N, A]`."""
        return self.forbidden[self.unfinished]

    @cached_property
    def uniform(self) -> Tensor:
        """The uniform policy over legal actions `[S, A]`, float32."""
        legal = (self.children != NOTHING).to(torch.float32)
        return legal / legal.sum(-1, keepdim=True).clamp_min(1)

    @cached_property
    def numbers(self) -> Tensor:
        """0, 1, …, S - 1."""
        return torch.arange(len(self), device=self.rows.device)

    @cached_property
    def rank(self) -> Tensor:
        """Place of each state among the unfinished `[S]`, -1 where it is finished."""
        rank = torch.full((len(self),), NOTHING, device=self.rows.device)
        rank[self.unfinished] = torch.arange(len(self.unfinished), device=rank.device)
        return rank

    @cached_property
    def log_uniform_backward(self) -> Tensor:
        """Log-probabilities of the uniform backward policy `[S, B]`, float64; -inf where there is no parent."""
        has = self.parents != NOTHING
        return torch.where(has, -has.sum(-1, keepdim=True).to(torch.float64).log(), -torch.inf)

    @cached_property
    def seen(self) -> Tensor:
        """What a network reads of each state: the places of the ones `[S, K]` where there are such, else `[S, F]`."""
        ones = self.environment.ones(self.rows)
        return self.environment.observe(self.rows) if ones is None else ones

    @cached_property
    def seen_unfinished(self) -> Tensor:
        """The same of the unfinished states."""
        return self.seen[self.unfinished]

    @cached_property
    def shown(self) -> Tensor:
        """What a network is shown of each state `[S, F]`."""
        return self.environment.observe(self.rows)

    @cached_property
    def shown_unfinished(self) -> Tensor:
        """The same of the unfinished states."""
        return self.shown[self.unfinished]

    @cached_property
    def arrays(self) -> Mapping[str, Any]:
        """`rows`, `children`, `undone`, `rank`, `numbers` and `seen` as arrays, for compiled code."""
        names = ("rows", "children", "undone", "rank", "numbers", "seen")
        return {name: getattr(self, name).numpy() for name in names}

    @cached_property
    def log_uniform_backward_single(self) -> Tensor:
        """The same in float32."""
        return self.log_uniform_backward.to(torch.float32)

    def to(self, device: torch.device | str) -> States:
        """Return the same states on a device."""
        tensors = {name: getattr(self, name).to(device) for name in ("rows", "children", "undone", "parents", "redone")}
        return replace(self, **tensors)

    @staticmethod
    def of(environment: DesignEnvironment, limit: int) -> States | None:
        """Return the states found by breadth-first search, or None where there are more than `limit`."""
        actions = torch.arange(environment.n_actions)
        level = environment.start(1)
        rows, children, undone, levels, total = [], [], [], [0], 0
        while len(level):
            total += len(level)
            if total > limit:
                return None
            legal = environment.mask(level)
            owner, action = legal.nonzero().unbind(1)
            if total + len(owner) / environment.n_backward > limit:  # a state has at most that many parents
                return None
            following, back = environment.advance(level[owner], action)
            unique, number = torch.unique(following, dim=0, return_inverse=True)
            to = torch.full(legal.shape, NOTHING)
            to[owner, action] = total + number
            by = torch.full(legal.shape, NOTHING)
            by[owner, action] = back
            rows.append(level)
            children.append(to)
            undone.append(by)
            levels.append(total)
            level = unique
        to, by = torch.cat(children), torch.cat(undone)
        parents = torch.full((total, environment.n_backward), NOTHING)
        redone = parents.clone()
        owner, action = (to != NOTHING).nonzero().unbind(1)
        parents[to[owner, action], by[owner, action]] = owner
        redone[to[owner, action], by[owner, action]] = actions[action]
        return States(environment, torch.cat(rows), to, by, parents, redone, tuple(levels))

    def terminal_distribution(self, log_policy: Tensor) -> Tensor:
        r"""Return the exact probability `[..., S]` with which a policy ends in each state (0 where not finished).

        .. math:: p(s') = \sum_{s \to s'} p(s)\,P_F(s' \mid s), \qquad p(s_0) = 1

        Args:
            log_policy: Log-probabilities of the actions `[..., S, A]`; illegal ones are ignored.

        Cost: O(SA) for each policy, a level at a time.
        """
        legal = self.children != NOTHING
        probability = torch.where(legal, log_policy.exp(), 0)
        reach = torch.zeros(log_policy.shape[:-1], dtype=log_policy.dtype, device=log_policy.device)
        reach[..., 0] = 1
        for begin, end in zip(self.levels[:-1], self.levels[1:], strict=True):
            owner, action = legal[begin:end].nonzero().unbind(1)
            owner = owner + begin
            flow = reach[..., owner] * probability[..., owner, action]
            reach = reach.index_add(-1, self.children[owner, action], flow)
        out = torch.zeros_like(reach)
        out[..., self.terminal] = reach[..., self.terminal]
        return out
