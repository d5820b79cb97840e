"""What MORL/D carries from step to step, and how evaluated policies are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from paretokit.core import Evaluation, Front
from paretokit.problems.morl._morl import MORL
from paretokit.run import Archive

S = TypeVar("S")


@dataclass
class MORLDState(Generic[S]):
    """Members in training and what is known of them; S is the improver's state.

    Attributes:
        groups: The members' training states: one stack of all, or one stack of one each where they train in turns.
        weights: Preferences `[P, m]`, float64.
        rows: Policies as they were last evaluated `[P, d]`.
        values, stderr: Their returns and standard errors `[P, m]`; NaN before the first evaluation.
        stale: Members that have changed since, bool `[P]`.
        trained: Members that have been trained or given networks, bool `[P]`.
        archive: Non-dominated policies; behind each one's columns stand its standard errors, preference and member.
        step: Calls of the improver.
        turn: Exchanges made; in turns, the member that trains.
        exchanged: Training steps of the environment at the last exchange.
        evaluations: Policies evaluated.
        evaluation_steps: Environment steps that evaluations took.
    """

    groups: list[S]
    weights: Tensor
    rows: Tensor
    values: Tensor
    stderr: Tensor
    stale: Tensor
    trained: Tensor
    archive: Archive
    step: int = 0
    turn: int = 0
    exchanged: int = 0
    evaluations: int = 0
    evaluation_steps: int = 0

    @property
    def best(self) -> Tensor:
        """Largest evaluated returns `[m]`, float64; 0 before the first evaluation."""
        kept = self.archive.values.to(torch.float64)
        return kept.amax(0) if len(kept) else torch.zeros_like(self.weights[0])

    @property
    def span(self) -> Tensor:
        """Range of the archive's returns `[m]`, float64; 1 where it is not positive yet."""
        kept = self.archive.values.to(torch.float64)
        gap = kept.amax(0) - kept.amin(0) if len(kept) else torch.zeros_like(self.weights[0])
        return torch.where(gap > 0, gap, 1.0)

    def learn(self, members: Tensor, rows: Tensor, evaluation: Evaluation, lengths: Tensor) -> None:
        """Take note of what some members (`[Q]` indices) were measured to be, in place."""
        errors = torch.zeros_like(evaluation.values) if evaluation.stderr is None else evaluation.stderr
        self.rows[members], self.values[members], self.stderr[members] = rows, evaluation.values, errors
        self.stale[members] = False
        self.evaluations += len(rows)
        self.evaluation_steps += int(lengths.sum())
        beside = [errors, self.weights[members], members.unsqueeze(1)]
        self.archive = self.archive.add(torch.cat([rows, *(part.to(rows) for part in beside)], 1), evaluation)

    def archived(self, view: MORL) -> Front:
        """Return the archive as a front."""
        kept, d, m = self.archive, view.space.dim, view.n_objectives
        if not len(kept):
            return self.population(view)
        rows, errors, preference, member = kept.x.split([d, m, m, 1], 1)
        info = {"preference": preference.to(torch.float64), "member": member[:, 0].to(torch.int64)}
        return Front(kept.values, rows, view.objectives, view.protocol, errors, info, view)

    def population(self, view: MORL) -> Front:
        """Return the front of the members as last evaluated."""
        info = {"preference": self.weights, "member": torch.arange(len(self.weights), device=self.weights.device)}
        return Front.of(view, self.rows, Evaluation(self.values, None, self.stderr), info=info)

    def copy_known(self, source: int, target: int) -> None:
        """Let a member that was given another's networks be known as it, in place."""
        for known in (self.rows, self.values, self.stderr):
            known[target] = known[source]
        self.trained[target] = True


def empty_state(
    groups: list[S], *, view: MORL, weights: Tensor, rows: Tensor, capacity: int | None, pruning: str
) -> MORLDState[S]:
    """Return the state before the first evaluation."""
    members, m = weights.shape
    unknown = torch.full((members, m), torch.nan, dtype=view.dtype, device=rows.device)
    return MORLDState(
        groups=groups,
        weights=weights.to(rows.device),
        rows=rows,
        values=unknown,
        stderr=unknown.clone(),
        stale=torch.ones(members, dtype=torch.bool, device=rows.device),
        trained=torch.zeros(members, dtype=torch.bool, device=rows.device),
        archive=replace(Archive(view.objectives), capacity=capacity, pruning=pruning),
    )
