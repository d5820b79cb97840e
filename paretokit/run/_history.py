"""What happened: cost and time of every step, and at most 200 snapshots of the front, thinned by stride."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from paretokit.core import Cost

if TYPE_CHECKING:
    import pandas as pd

MAX_FRONTS = 200
_SNAPSHOT_BYTES = 1 << 26


@dataclass
class History:
    """An append-only record of a run (of all members of a stack; cost is a member's, seconds are the stack's).

    Attributes:
        steps: One row a step: evaluations, env_steps, gradient_steps, work, seconds.
        extra: Further columns by name, as the solver's `report` gives them, NaN before they first appear.
        fronts: Snapshots `[P, n, m]` in the user's senses; rows that are no solution are NaN.
        taken: Step of each snapshot.
        stride: Steps between snapshots; doubles when there are too many.
    """

    steps: list[list[float]] = field(default_factory=list)
    extra: dict[str, list[float]] = field(default_factory=dict)
    fronts: list[Tensor] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    stride: int = 1

    def __len__(self) -> int:
        return len(self.steps)

    def due(self) -> bool:
        """Tell whether the step that is about to be recorded wants a snapshot."""
        return (len(self.steps) + 1) % self.stride == 0

    def record(self, cost: Cost, seconds: float, report: dict[str, float], snapshot: Tensor | None) -> None:
        """Append one step."""
        for name in report.keys() - self.extra.keys():
            self.extra[name] = [float("nan")] * len(self.steps)
        self.steps.append([cost.evaluations, cost.env_steps, cost.gradient_steps, cost.work, seconds])
        for name, column in self.extra.items():
            column.append(float(report.get(name, float("nan"))))
        if snapshot is not None:
            self.fronts.append(snapshot)
            self.taken.append(len(self.steps))
            room = max(20, min(MAX_FRONTS, _SNAPSHOT_BYTES // max(1, snapshot.nbytes)))
            if len(self.fronts) > room:
                self.stride *= 2
                kept = [i for i, step in enumerate(self.taken) if step % self.stride == 0]
                self.fronts = [self.fronts[i] for i in kept]
                self.taken = [self.taken[i] for i in kept]

    def amend(self, cost: Cost, seconds: float, snapshot: Tensor) -> None:
        """Let the last step have cost this and have this front."""
        self.steps[-1] = [cost.evaluations, cost.env_steps, cost.gradient_steps, cost.work, seconds]
        if self.taken and self.taken[-1] == len(self.steps):
            self.fronts[-1] = snapshot
        else:
            self.fronts.append(snapshot)
            self.taken.append(len(self.steps))

    def member_fronts(self, member: int) -> list[Tensor]:
        """Return a member's snapshots without the rows that are no solution, `[n_i, m]` each."""
        own = [snapshot[member] for snapshot in self.fronts]
        return [values[~torch.isnan(values).any(-1)] for values in own]

    def frame(self) -> pd.DataFrame:
        """Return a tidy frame: one row a step, one column a quantity."""
        import pandas as pd

        columns = ["evaluations", "env_steps", "gradient_steps", "work", "seconds"]
        frame = pd.DataFrame(self.steps, columns=columns)
        for name in columns[:3]:
            frame[name] = frame[name].astype("int64")
        frame.insert(0, "step", range(1, len(frame) + 1))
        for name, column in self.extra.items():
            frame[name] = column
        return frame
