"""Everything non-dominated that was seen: an archive as a value, and the log of a run that it is made from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from paretokit.core import Evaluation, Front, Objective, Problem, maximize_of, non_dominated, to_min
from paretokit.core import _check as check

_LOG_BYTES = 1 << 28
_FEW = 10  # rows that tell a run that fails from a candidate that does


@dataclass(frozen=True, eq=False)
class Archive:
    """An incremental non-dominated set with optional capacity. `add` returns a new archive; nothing is shared.

    Attributes:
        objectives: One each.
        capacity: Largest size, or None.
        pruning: What goes first when the capacity is exceeded: the least "crowding" distance, or the least
            "hypervolume" contribution with regard to the archive's own nadir (extremes stay).
        values: `[n, m]` in the user's senses.
        x: `[n, d]`.

    Cost: `add` of k rows takes O(n k m) comparisons, chunked.
    """

    objectives: tuple[Objective, ...]
    capacity: int | None = None
    pruning: str = "crowding"
    values: Tensor = field(default_factory=lambda: torch.empty(0, 0, dtype=torch.float64))
    x: Tensor = field(default_factory=lambda: torch.empty(0, 0, dtype=torch.float64))

    def __post_init__(self) -> None:
        check.one_of(("crowding", "hypervolume"), pruning=self.pruning)
        if self.capacity is not None:
            check.at_least(1, capacity=self.capacity)

    def __len__(self) -> int:
        return self.values.shape[0]

    def add(self, x: Tensor, evaluation: Evaluation) -> Archive:
        """Return the archive after rows `x [k, d]` were seen; infeasible and failed rows are left out."""
        keep = (evaluation.total_violation <= 0).nonzero().flatten()
        values, rows = evaluation.values.detach()[keep], x.detach()[keep]
        best = non_dominated(values, maximize=maximize_of(self.objectives), keep_duplicates=False)
        values, rows = values[best], rows[best]
        if len(self):
            new, old = to_min(values, self.objectives), to_min(self.values, self.objectives)
            fresh = ~_covered(new, by=old)
            new, values, rows = new[fresh], values[fresh], rows[fresh]
            stay = ~_covered(old, by=new)
            values, rows = torch.cat([self.values[stay], values]), torch.cat([self.x[stay], rows])
        return replace(self, values=values.clone(), x=rows.clone())._pruned()

    def front(self, problem: Problem) -> Front:
        """Return the archive as a front of `problem`."""
        return Front(self.values, self.x, self.objectives, problem.protocol, problem=problem)

    def _pruned(self) -> Archive:
        if self.capacity is None or len(self) <= self.capacity:
            return self
        points = to_min(self.values, self.objectives)
        alive = torch.arange(len(points), device=points.device)
        while len(alive) > self.capacity:
            worth = _crowding(points[alive]) if self.pruning == "crowding" else _contributions(points[alive])
            # A batch goes at a time where many are to go, so that the cost stays O(n log n) a halving.
            surplus = len(alive) - self.capacity
            go = max(1, min(surplus, len(alive) // 8)) if surplus > 64 else 1
            order = torch.argsort(worth, stable=True)
            alive = alive[torch.sort(order[go:]).values]
        return replace(self, values=self.values[alive], x=self.x[alive])


def _covered(points: Tensor, *, by: Tensor) -> Tensor:
    """Tell which points are weakly dominated by any of the others (min sense), a block of rows at a time."""
    out = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    if not len(by):
        return out
    rows = max(1, (1 << 22) // max(1, by.shape[0]))
    for start in range(0, len(points), rows):
        block = points[start : start + rows]
        under = torch.ones(len(block), len(by), dtype=torch.bool, device=points.device)
        for i in range(points.shape[1]):
            under &= by[:, i] <= block[:, i : i + 1]
        out[start : start + rows] = under.any(1)
    return out


def _crowding(points: Tensor) -> Tensor:
    """Return each point's crowding distance (Deb et al. 2002); extremes are infinite."""
    total = torch.zeros(len(points), dtype=points.dtype, device=points.device)
    for column in points.T:
        order = torch.argsort(column, stable=True)
        ranked = column[order]
        span = (ranked[-1] - ranked[0]).clamp_min(torch.finfo(points.dtype).tiny)
        gap = torch.full_like(ranked, torch.inf)
        gap[1:-1] = (ranked[2:] - ranked[:-2]) / span
        total[order] += gap
    return total


def _contributions(points: Tensor) -> Tensor:
    """Return exclusive hypervolumes with regard to the nadir; extremes are infinite so that the range is kept."""
    from paretokit.indicators import hypervolume_contributions

    low, high = points.amin(0), points.amax(0)
    scaled = (points - low) / (high - low).clamp_min(torch.finfo(points.dtype).tiny)
    worth = hypervolume_contributions(scaled, torch.ones_like(low))
    return torch.where((points == low).any(1), torch.inf, worth)


@dataclass
class EvaluationLog:
    """What a run's problem was asked and answered, by member: the observer of `solve`.

    Blocks are kept as they come, put together when a step ends, and reduced to their non-dominated rows when they
    exceed a fixed number of bytes, so memory stays bounded and the hot loop pays for a copy only. Nothing here depends
    on wall time.

    Attributes:
        n_members: Length P of the member axis (1 for a single run).
        x, values, violations: Blocks `[P, n, ...]`; values of infeasible rows are kept for `infeasible`.
        archives: The reduced part, one archive a member, or empty.
        evaluations: Rows seen a member.
        failed: Members all of whose rows failed in one step; in ten, where steps are of one row.
        settled: Number of blocks from before the current step.
        finite: Members with a row that did not fail since `failed` was looked at, or empty.
        looked: Evaluations when `failed` was looked at.
        held: Bytes of the blocks.
    """

    n_members: int
    objectives: tuple[Objective, ...]
    x: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    violations: list[Tensor | None] = field(default_factory=list)
    archives: list[Archive] = field(default_factory=list)
    evaluations: int = 0
    failed: list[bool] = field(default_factory=list)
    settled: int = 0
    finite: list[bool] = field(default_factory=list)
    looked: int = 0
    held: int = 0

    def evaluated(self, x: Tensor, evaluation: Evaluation) -> None:
        """Take note of decisions `x [P, n, d]` (or `[n, d]`, or one row)."""
        p, m = self.n_members, evaluation.values.shape[-1]
        rows = x.detach().reshape(p, -1, x.shape[-1])
        values = evaluation.values.detach().reshape(p, -1, m)
        n = rows.shape[1]
        if n == 0:
            return
        total = None if evaluation.violations is None else evaluation.total_violation.reshape(p, -1)
        self.x.append(rows.to("cpu", copy=True))
        self.values.append(values.to("cpu", copy=True))
        self.violations.append(None if total is None else total.to("cpu", copy=True))
        self.evaluations += n
        self.held += self.x[-1].nbytes + self.values[-1].nbytes
        if self.held > _LOG_BYTES:
            self._reduce()

    def step_ended(self) -> None:
        """Put the step's blocks together, and note the members all of whose rows failed in it."""
        self._settle()
        several = not self.values or self.values[-1].shape[1] > 1
        if self.finite and (several or self.evaluations - self.looked >= _FEW):
            before = self.failed or [False] * self.n_members
            self.failed = [a or not b for a, b in zip(before, self.finite, strict=True)]
            self.finite, self.looked = [], self.evaluations

    def archive(self, member: int = 0) -> Archive:
        """Return everything non-dominated that a member saw, in the order in which it was seen."""
        archive = self.archives[member] if self.archives else Archive(self.objectives)
        if not self.x:
            return archive
        rows = torch.cat([block[member] for block in self.x])
        return archive.add(rows, Evaluation(torch.cat([b[member] for b in self.values]), self._violation(member)))

    def join(self) -> None:
        """Put the blocks together (before they are saved); says nothing new."""
        self._settle()
        self._join(0)
        self.settled = len(self.x)

    def least_violating(self, member: int, count: int) -> tuple[Tensor, Tensor]:
        """Return up to `count` decisions with the least total violation, and those totals (unreduced log only)."""
        total = self._violation(member)
        rows = torch.cat([block[member] for block in self.x])
        if total is None:
            return rows[:0], torch.empty(0)
        order = torch.argsort(total[:, 0], stable=True)[:count]
        return rows[order], total[order, 0]

    def _violation(self, member: int) -> Tensor | None:
        blocks = [block[member] for block in self.violations if block is not None]
        return torch.cat(blocks).unsqueeze(-1) if blocks else None

    def _join(self, start: int) -> None:
        """Put the blocks from a place on together."""
        if len(self.x) - start > 1:
            self.x[start:] = [torch.cat(self.x[start:], 1)]
            self.values[start:] = [torch.cat(self.values[start:], 1)]
            kept = [block for block in self.violations[start:] if block is not None]
            self.violations[start:] = [torch.cat(kept, 1) if kept else None]

    def _settle(self) -> None:
        """Put the current step's blocks together, and note which members have a row in them that did not fail."""
        if len(self.x) == self.settled:
            return
        self._join(self.settled)
        whole = torch.isfinite(self.values[-1].sum(-1))
        found = [True] * self.n_members if bool(whole.all()) else whole.any(1).tolist()
        self.finite = [a or b for a, b in zip(self.finite, found, strict=True)] if self.finite else found
        self.settled = len(self.x)

    def _reduce(self) -> None:
        self._settle()
        reduced = [self.archive(p) for p in range(self.n_members)]
        row_bytes = self.x[0].shape[-1] * 8 + self.values[0].shape[-1] * 8
        most = max(1000, _LOG_BYTES // 2 // row_bytes // self.n_members)
        self.archives = [replace(a, capacity=most)._pruned() for a in reduced]
        self.archives = [replace(a, capacity=None) for a in self.archives]
        self.x, self.values, self.violations = [], [], []
        self.settled = self.held = 0
