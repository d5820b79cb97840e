"""The shortest vector in the convex hull of gradients: a direction that descends every loss, or none does."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gradient._faces import nonnegative_minimizer


def min_norm_weights(gramian: Tensor) -> Tensor:
    r"""Return weights on the simplex whose combined gradient is the shortest in the gradients' convex hull.

    .. math:: \min_w w^\top C w \ \text{ with } w \ge 0,\ 1^\top w = 1, \qquad
              (C w)_i \ge w^\top C w \text{ for all } i \text{ at the minimum}

    so that :math:`d = J^\top w` has an inner product of at least :math:`\lVert d \rVert^2` with every gradient, and is
    zero exactly where some convex combination of the gradients vanishes.

    Args:
        gramian: Inner products C of the gradients, `[*batch, m, m]`.

    Returns:
        Weights `[*batch, m]`, NaN where the Gramian has entries that are not finite.

    Raises:
        ShapeError: If the matrices are not square.

    Cost: :math:`2^m` systems for m up to 6, else about m systems, all in float64 on the Gramian's device.

    Source: Désidéri (2012), Comptes Rendus Mathématique 350. The program is brought to nonnegative least squares: a
    constant added to C changes no minimizer on the simplex, and the sum is free once it is priced. Gradients are
    brought to length one first, so that losses of any scale lose no digits.
    """
    c = square(gramian, "gramian")
    length = c.diagonal(dim1=-2, dim2=-1)
    positive = torch.where(length > 0, length, torch.inf).amin(-1)
    offset = torch.where(torch.isfinite(positive), positive, 1.0)[..., None, None]
    root = (length.clamp_min(0) + offset.squeeze(-1)).sqrt()
    scaled = (c + offset) / root.unsqueeze(-1) / root.unsqueeze(-2)
    found = nonnegative_minimizer(scaled, -offset.squeeze(-1).sqrt() / root) / root
    weights = found / found.sum(-1, keepdim=True)
    return torch.where(torch.isfinite(c).all(-1).all(-1, keepdim=True), weights, torch.nan).to(gramian)


def square(gramian: Tensor, name: str) -> Tensor:
    """Return square matrices in float64, detached."""
    fits = gramian.ndim >= 2 and gramian.shape[-1] == gramian.shape[-2] and gramian.shape[-1] > 0
    check.shape(fits, name, "have shape [*batch, m, m]", list(gramian.shape))
    return gramian.detach().to(torch.float64)
