"""Losses that draw two domains together in feature space, with their adversaries as rows of weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from paretokit.core import Lanes
from paretokit.nn import MLP

AlignmentName = Literal["cdan", "dann", "mcc", "mdd"]
LEAST = 1e-6
"""Least value of an alignment that rules read, so that it stays positive."""


@dataclass(frozen=True)
class Batch:
    """What alignments look at, one row a member.

    Attributes:
        source, target: Features `[P, n, q]`.
        source_logits, target_logits: `[P, n, K]`.
        reversal: Factor of the gradient that features get from an adversary, with the sign turned.
    """

    source: Tensor
    target: Tensor
    source_logits: Tensor
    target_logits: Tensor
    reversal: float


def reversed_gradient(features: Tensor, factor: float) -> Tensor:
    """Return the features themselves, whose gradient comes back times ``-factor`` (Ganin and Lempitsky 2015, ICML)."""
    return (1 + factor) * features.detach() - factor * features


class Alignment(ABC):
    """A loss between domains; adversaries descend it, and features ascend it through the reversal."""

    @abstractmethod
    def network(self, q: int, classes: int, hidden: tuple[int, ...]) -> MLP | None:
        """Return the adversary for features of width q, or None where there is none."""

    @abstractmethod
    def loss(self, batch: Batch, adversary: MLP | None, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss `[P]` to go back through, and the domains' distance `[P]` that features make small."""

    def init(self, lanes: Lanes, adversary: MLP | None, *, dtype: torch.dtype) -> Tensor:
        """Return initial rows of adversaries `[P, D]`; of no columns where there are none."""
        return torch.zeros(len(lanes), 0, dtype=dtype) if adversary is None else adversary.init(lanes, dtype=dtype)


@final
@dataclass(frozen=True)
class DANN(Alignment):
    r"""A discriminator of features (Ganin et al. 2016, JMLR 17).

    .. math:: \tfrac12 \bigl(-\overline{\log(1 - D(f(x)))} - \overline{\log D(f(x'))}\bigr)

    The distance is log 2 minus that: the Jensen-Shannon divergence at the best discriminator.
    """

    def network(self, q: int, classes: int, hidden: tuple[int, ...]) -> MLP:
        """Return features to one logit."""
        return MLP((q, *hidden, 1), "relu")

    def loss(self, batch: Batch, adversary: MLP | None, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the discriminator's cross-entropy, and log 2 minus it."""
        assert adversary is not None
        both = torch.cat([batch.source, batch.target], 1)
        return _discriminated(adversary(rows, reversed_gradient(both, batch.reversal)), batch.source.shape[1])


@final
@dataclass(frozen=True)
class CDAN(Alignment):
    """A discriminator of products of features and predictions (Long, Cao, Wang and Jordan 2018, NeurIPS).

    Predictions are detached, as in the authors' code; examples are weighed alike (their CDAN without entropy).
    """

    def network(self, q: int, classes: int, hidden: tuple[int, ...]) -> MLP:
        """Return products of features and predictions to one logit."""
        return MLP((q * classes, *hidden, 1), "relu")

    def loss(self, batch: Batch, adversary: MLP | None, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the discriminator's cross-entropy, and log 2 minus it."""
        assert adversary is not None
        both = torch.cat([batch.source, batch.target], 1)
        guesses = torch.cat([batch.source_logits, batch.target_logits], 1).detach().softmax(-1)
        products = (guesses.unsqueeze(-1) * both.unsqueeze(-2)).flatten(-2)
        return _discriminated(adversary(rows, reversed_gradient(products, batch.reversal)), batch.source.shape[1])


def _discriminated(logits: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return the mean of both domains' cross-entropies `[P]`, and the distance that it stands for."""
    logits = logits.squeeze(-1)
    value = (F.softplus(logits[:, :n]).mean(-1) + F.softplus(-logits[:, n:]).mean(-1)) / 2
    return value, (math.log(2) - value.detach()).clamp_min(LEAST)


@final
@dataclass(frozen=True)
class MCC(Alignment):
    r"""Minimum class confusion of the target predictions, without an adversary (Jin et al. 2020, ECCV).

    .. math:: \tfrac1K \sum_{j \ne k} \tilde C_{jk}, \qquad C = P^\top W P, \quad P = \text{softmax}(z / T)

    with rows of C brought to sum one, and weights W of an example in proportion to :math:`1 + e^{-H(p)}`, of sum n.
    """

    temperature: float = 2.5

    def network(self, q: int, classes: int, hidden: tuple[int, ...]) -> None:
        """Return none."""
        return

    def loss(self, batch: Batch, adversary: MLP | None, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the confusion, twice."""
        value = confusion(batch.target_logits, temperature=self.temperature)
        return value, value.detach().clamp_min(LEAST)


def confusion(logits: Tensor, *, temperature: float = 2.5) -> Tensor:
    """Return the class confusion `[...]` of logits `[..., n, K]` (see `MCC`)."""
    n, classes = logits.shape[-2:]
    p = (logits / temperature).softmax(-1)
    weight = 1 + torch.exp(-torch.special.entr(p.detach()).sum(-1))
    weight = n * weight / weight.sum(-1, keepdim=True)
    c = (p * weight.unsqueeze(-1)).mT @ p
    c = c / c.sum(-1, keepdim=True)
    return (c.sum((-1, -2)) - c.diagonal(dim1=-2, dim2=-1).sum(-1)) / classes


@final
@dataclass(frozen=True)
class MDD(Alignment):
    r"""Margin disparity: a second head that agrees on the source and not on the target (Zhang et al. 2019, ICML).

    .. math:: D = \gamma\,\overline{\log \sigma_{\hat y}(h(f(x)))}
              + \overline{\log\bigl(1 - \sigma_{\hat y'}(h(f(x')))\bigr)}

    with the classifier's guesses :math:`\hat y`. The head ascends D, features descend it. The distance is D above its
    value for equal domains, :math:`\gamma \log \frac{\gamma}{1 + \gamma} - \log(1 + \gamma)`.
    """

    margin: float = 4.0

    def network(self, q: int, classes: int, hidden: tuple[int, ...]) -> MLP:
        """Return features to logits."""
        return MLP((q, *hidden, classes), "relu")

    def loss(self, batch: Batch, adversary: MLP | None, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return minus the disparity, and the disparity above that of equal domains."""
        assert adversary is not None
        both = torch.cat([batch.source, batch.target], 1)
        logs = adversary(rows, reversed_gradient(both, batch.reversal)).log_softmax(-1)
        n, margin = batch.source.shape[1], self.margin
        guesses = torch.cat([batch.source_logits, batch.target_logits], 1).argmax(-1, keepdim=True)
        agreed = logs.gather(-1, guesses).squeeze(-1)
        others = logs.scatter(-1, guesses, -torch.inf).logsumexp(-1)
        disparity = margin * agreed[:, :n].mean(-1) + others[:, n:].mean(-1)
        equal = margin * math.log(margin / (1 + margin)) - math.log(1 + margin)
        return -disparity, (disparity.detach() - equal).clamp_min(LEAST)


ALIGNMENTS: Mapping[str, Alignment] = {"cdan": CDAN(), "dann": DANN(), "mcc": MCC(), "mdd": MDD()}
