"""What turns several gradients into one step: weights of a Jacobian's rows, as pure functions of its Gramian."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from paretokit.core import Registry, Rng
from paretokit.core import _check as check
from paretokit.solvers.gradient._min_norm import square

_ROOM = "paretokit.solvers.gradient."

AGGREGATORS = Registry(
    "aggregator",
    {
        "AlignedMTL": _ROOM + "_aligned_mtl:AlignedMTL",
        "CAGrad": _ROOM + "_cagrad:CAGrad",
        "EPO": _ROOM + "_exact_pareto:EPO",
        "IMTLG": _ROOM + "_imtl_g:IMTLG",
        "Linear": _ROOM + "_scalarized:Linear",
        "MGDA": _ROOM + "_mgda:MGDA",
        "NashMTL": _ROOM + "_nash_mtl:NashMTL",
        "PCGrad": _ROOM + "_pcgrad:PCGrad",
        "ParetoMTL": _ROOM + "_pareto_mtl:ParetoMTL",
        "SmoothTchebycheff": _ROOM + "_scalarized:SmoothTchebycheff",
        "Tchebycheff": _ROOM + "_scalarized:Tchebycheff",
        "UPGrad": _ROOM + "_upgrad:UPGrad",
    },
)


@dataclass(frozen=True)
class Setting:
    """What weights are computed from, float64.

    Attributes:
        gramian: Inner products of the gradients `[*batch, m, m]`.
        losses: `[*batch, m]`; zeros where none were given.
        preference: On the simplex `[*batch, m]`.
        rng: For methods that draw.
    """

    gramian: Tensor
    losses: Tensor
    preference: Tensor
    rng: Rng | None = None


@dataclass(frozen=True, kw_only=True)
class Aggregator(ABC):
    r"""A rule from the gradients of m losses to weights: the step is :math:`d = J^\top w`, to be subtracted.

    Rules are frozen records of their options. They are batched over any leading axes, compute in float64 on the
    Gramian's device, and neither keep a state nor read anything back to the host.
    """

    _reads: ClassVar[frozenset[str]] = frozenset({"gramian"})

    @property
    def name(self) -> str:
        """What configurations call the rule."""
        return type(self).__name__

    @property
    def reads(self) -> frozenset[str]:
        """Which of "gramian", "losses" and "preference" the weights depend on."""
        return self._reads

    @abstractmethod
    def _weights(self, given: Setting) -> Tensor:
        """Return weights `[*batch, m]` for checked arguments."""

    def weights(
        self,
        gramian: Tensor,
        *,
        losses: Tensor | None = None,
        preference: Tensor | None = None,
        rng: Rng | None = None,
    ) -> Tensor:
        """Return the weights `[*batch, m]` of the gradients.

        Args:
            gramian: Their inner products `[*batch, m, m]`.
            losses: Values of the losses `[*batch, m]`, for rules that read them.
            preference: On the simplex, broadcast to `[*batch, m]`; a larger entry matters more. Equal entries unless
                given.
            rng: For rules that draw (PCGrad's order); the fixed order without it.

        Returns:
            Weights in the Gramian's dtype; NaN where what a rule reads is not finite.

        Raises:
            ShapeError: If the shapes do not fit.
            InputError: If a rule needs losses and none are given.
        """
        c = square(gramian, "gramian")
        due = tuple(c.shape[:-1])
        if losses is None:
            check.that("losses" not in self.reads, "losses", f"be given to {self.name}", None)
            values = torch.zeros(due, dtype=torch.float64, device=c.device)
        else:
            check.shape(tuple(losses.shape) == due, "losses", f"have shape {list(due)}", list(losses.shape))
            values = losses.detach().to(c)
        if preference is None:
            wanted = torch.full_like(values, 1 / due[-1])
        else:
            fits = preference.ndim >= 1 and preference.shape[-1] == due[-1] and preference.ndim <= len(due)
            check.shape(fits, "preference", f"have {due[-1]} entries, one per loss", list(preference.shape))
            wanted = preference.detach().to(c).expand(due)
        return self._weights(Setting(c, values, wanted, rng)).to(gramian)

    def direction(
        self,
        jacobian: Tensor,
        *,
        losses: Tensor | None = None,
        preference: Tensor | None = None,
        rng: Rng | None = None,
    ) -> Tensor:
        """Return the combined gradient `[*batch, n]` of a Jacobian `[*batch, m, n]`."""
        check.shape(jacobian.ndim >= 2, "jacobian", "have shape [*batch, m, n]", list(jacobian.shape))
        exact = jacobian.detach().to(torch.float64)
        w = self.weights(exact @ exact.mT, losses=losses, preference=preference, rng=rng)
        return (w.unsqueeze(-2) @ exact).squeeze(-2).to(jacobian)


def aggregator_of(given: Aggregator | Mapping[str, Any] | str) -> Aggregator:
    """Return an aggregator: itself, by name, or from what `described` gave.

    Raises:
        InputError: If a mapping has no name.
        UnknownNameError: For an unknown name or option; the message offers the nearest.
    """
    if isinstance(given, Aggregator):
        return given
    options = {"name": given} if isinstance(given, str) else dict(given)
    hint = f"one of {', '.join(AGGREGATORS.names())}"
    check.that("name" in options, "aggregator", "have a name", sorted(options), hint)
    made: Aggregator = AGGREGATORS.make(str(options.pop("name")), options)
    return made


def described(aggregator: Aggregator) -> dict[str, Any]:
    """Return name and options, JSON-able."""
    return {"name": aggregator.name, **dataclasses.asdict(aggregator)}


def ratio(values: Tensor, by: Tensor) -> Tensor:
    """Return a quotient that is zero where the divisor is zero."""
    none = by == 0
    return torch.where(none, 0.0, values / torch.where(none, 1.0, by))


def lengths(gramian: Tensor) -> Tensor:
    """Return the lengths of the gradients `[*batch, m]`."""
    return gramian.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt()


def correlation(gramian: Tensor) -> tuple[Tensor, Tensor]:
    """Return the Gramian of the gradients brought to length one, and their lengths, one for gradients that vanish."""
    length = lengths(gramian)
    length = torch.where(length > 0, length, 1.0)
    return gramian / length.unsqueeze(-1) / length.unsqueeze(-2), length


def eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues and vectors, NaN where a matrix has entries that are not finite."""
    if matrix.device.type == "cpu" and bool(torch.isfinite(matrix.sum())):  # elsewhere a read would wait
        whole: tuple[Tensor, Tensor] = torch.linalg.eigh(matrix)
        return whole
    finite = torch.isfinite(matrix).flatten(-2).all(-1)[..., None, None]
    value, vector = torch.linalg.eigh(torch.where(finite, matrix, 0.0))
    return torch.where(finite.squeeze(-1), value, torch.nan), torch.where(finite, vector, torch.nan)
