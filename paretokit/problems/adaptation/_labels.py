"""Target labels: kept where scoring can ask how many predictions are right, and nothing else can be asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from torch import Tensor


class TargetLabels:
    """Counts right predictions and never hands the labels out.

    Args:
        labels: Classes `[n]`.

    Attributes:
        reads: How often predictions were scored.
    """

    __slots__ = ("_right", "mark", "reads")

    def __init__(self, labels: Tensor) -> None:
        held = labels.detach().clone()
        self.reads = 0
        self.mark = hashlib.blake2b(held.cpu().numpy().tobytes(), digest_size=8).hexdigest()
        self._right: Callable[[Tensor], Tensor] = lambda predicted: predicted == held.to(predicted.device)

    def accuracy(self, predicted: Tensor) -> Tensor:
        """Return the share of right predictions `[...]` of classes `[..., n]`, float64."""
        self.reads += 1
        return self._right(predicted).double().mean(-1)
