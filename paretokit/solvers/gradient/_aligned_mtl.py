"""Aligned learning: gradients turned to be orthogonal and equally long before they are added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gradient._aggregator import Aggregator, Setting, eigen

SCALES = ("min", "median", "rmse")


@final
@dataclass(frozen=True, kw_only=True)
class AlignedMTL(Aggregator):
    r"""Adds the preferred gradients after their principal components were brought to one length.

    .. math:: w = \sigma V \Lambda^{-1/2} V^\top p, \quad C = V \Lambda V^\top

    over the eigenvalues above rounding. The system of gradients becomes orthogonal with condition number one: it has
    neither conflicts nor dominance.

    Attributes:
        scale: σ² is the smallest such eigenvalue ("min"), their (lower) median ("median") or their mean ("rmse").

    Cost: an eigendecomposition of an m × m matrix.

    Source: Senushkin, Patakin, Kuznetsov and Konushin (2023), CVPR; scales as in TorchJD.
    """

    _reads: ClassVar[frozenset[str]] = frozenset({"gramian", "preference"})

    scale: Literal["min", "median", "rmse"] = "min"

    def __post_init__(self) -> None:
        check.fields(self)
        check.one_of(SCALES, scale=self.scale)

    def _weights(self, given: Setting) -> Tensor:
        value, vector = eigen(given.gramian)
        m = value.shape[-1]
        kept = value > (value[..., -1:] * (m * torch.finfo(value.dtype).eps)).clamp_min(0)  # eigenvalues ascend
        rank = kept.sum(-1, keepdim=True)
        if self.scale == "min":
            square = torch.where(kept, value, torch.inf).amin(-1, keepdim=True)
        elif self.scale == "median":
            square = value.gather(-1, (m - rank + (rank - 1).clamp_min(0) // 2).clamp_max(m - 1))
        else:
            square = torch.where(kept, value, 0.0).sum(-1, keepdim=True) / rank.clamp_min(1)
        factor = torch.where(kept, (square / value).sqrt(), 0.0)
        turned = vector @ (factor.unsqueeze(-1) * (vector.mT @ given.preference.unsqueeze(-1)))
        broken = torch.isnan(value[..., :1])  # then all are
        return torch.where((rank > 0) | broken, turned.squeeze(-1), given.preference)
