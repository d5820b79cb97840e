"""Target predictions refined by Bayes' rule: how likely is each class, given that the example is of the target?"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from paretokit.core import Lanes
from paretokit.nn import MLP


def refined(probabilities: Tensor, target_given_class: Tensor) -> Tensor:
    r"""Return the predictions given that the examples are of the target, `[..., K]`.

    .. math:: \rho_k(x) = p(y = k \mid x, z = 1) \propto p(z = 1 \mid x, y = k)\, p(y = k \mid x)

    Args:
        probabilities: Predictions `[..., K]`.
        target_given_class: What each class's own discriminator says that the example is of the target, `[..., K]`.

    Source: Lv et al. (2021), NeurIPS, equation 3. The authors' code multiplies logits instead of probabilities.
    """
    joint = probabilities * target_given_class
    return joint / joint.sum(-1, keepdim=True).clamp_min(torch.finfo(joint.dtype).tiny)


class ClassDiscriminators:
    """One discriminator of domains a class, all of them and of all members in one program.

    Args:
        q: Width of the features.
        classes: Number K.
        hidden: Widths of the hidden layers.
    """

    def __init__(self, q: int, classes: int, hidden: tuple[int, ...]) -> None:
        self.net, self.classes = MLP((q, *hidden, 1), "relu"), classes
        self.n_parameters = classes * self.net.n_parameters

    def init(self, lanes: Lanes, *, dtype: torch.dtype) -> Tensor:
        """Return rows `[P, K D]`."""
        each = tuple(rng.child("class", k) for rng in lanes.rngs for k in range(self.classes))
        return self.net.init(Lanes(each), dtype=dtype).reshape(len(lanes), -1)

    def logits(self, rows: Tensor, features: Tensor) -> Tensor:
        """Return logits `[P, n, K]` of being of the target."""
        p, n, q = features.shape
        spread = features.unsqueeze(1).expand(-1, self.classes, -1, -1).reshape(p * self.classes, n, q)
        found = self.net(rows.reshape(p * self.classes, -1), spread)
        return found.reshape(p, self.classes, n).mT

    def loss(self, source: Tensor, labels: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        r"""Return the cross-entropies `[P]`: an example counts for the discriminators of the classes it is likely of.

        .. math:: \overline{\sum_k 1[y = k]\, s(v_k(x))} + \overline{\sum_k \rho_k(x')\, s(-v_k(x'))}

        with :math:`s(u) = \log(1 + e^u)`.

        Args:
            source: Logits `[P, n, K]`.
            labels: Classes `[n]`.
            target: Logits `[P, k, K]` and refined predictions `[P, k, K]`, which get no gradient.

        Source: Lv et al. (2021), equation 4. The authors' code counts a class only where the batch's last example is
        of it.
        """
        own = source.gather(-1, labels.expand(len(source), -1).unsqueeze(-1)).squeeze(-1)
        logits, likely = target
        return F.softplus(own).mean(-1) + (likely.detach() * F.softplus(-logits)).sum(-1).mean(-1)
