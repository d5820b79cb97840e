"""What a problem answers for a batch of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Evaluation:
    """Values of n decisions, in the user's own senses.

    Attributes:
        values: Objective values `[..., n, m]`. A row that is not finite is a failed candidate.
        violations: Constraint violations `[..., n, k]`, at most 0 where satisfied; None without constraints.
        stderr: Standard errors of the values `[..., n, m]` where they are estimates.
        work: What each row cost in the problem's unit `[..., n]`, where that is not one evaluation a row.
    """

    values: Tensor
    violations: Tensor | None = None
    stderr: Tensor | None = None
    work: Tensor | None = None

    @classmethod
    def cat(cls, parts: Sequence[Evaluation]) -> Evaluation:
        """Return the evaluations of `[n_i, m]` parts one below the other."""

        def joined(name: str) -> Tensor | None:
            tensors = [getattr(part, name) for part in parts]
            return None if tensors[0] is None else torch.cat(tensors)

        values = torch.cat([part.values for part in parts])
        return cls(values, joined("violations"), joined("stderr"), joined("work"))

    @property
    def total_work(self) -> float:
        """What all rows together cost in the problem's unit."""
        return float(self.values.shape[:-1].numel() if self.work is None else self.work.sum())

    @property
    def failed(self) -> Tensor:
        """Rows whose values or violations are not finite, `[..., n]`."""
        failed = ~torch.isfinite(self.values).all(-1)
        return failed if self.violations is None else failed | torch.isnan(self.violations).any(-1)

    @property
    def total_violation(self) -> Tensor:
        """Sum of the positive violations, `[..., n]`; zero where feasible, +inf where the row failed."""
        if self.violations is None:
            total = torch.zeros(self.values.shape[:-1], dtype=self.values.dtype, device=self.values.device)
        else:
            total = self.violations.clamp_min(0).sum(-1)
        return torch.where(self.failed, torch.inf, total)

    def reshape(self, *batch: int) -> Evaluation:
        """Return the evaluation with its leading axes reshaped to `batch`."""

        def shaped(t: Tensor | None) -> Tensor | None:
            return None if t is None else t.reshape(*batch, t.shape[-1])

        values = self.values.reshape(*batch, self.values.shape[-1])
        work = None if self.work is None else self.work.reshape(batch)
        return Evaluation(values, shaped(self.violations), shaped(self.stderr), work)
