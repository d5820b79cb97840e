r"""Scores of continual learning, from the matrix :math:`A_{ij}`: performance on task j after learning tasks 0 … i."""

from __future__ import annotations

import torch
from torch import Tensor

from paretokit.core import _check as check


def _square(matrix: Tensor) -> Tensor:
    fits = matrix.ndim >= 2 and matrix.shape[-1] == matrix.shape[-2] and matrix.shape[-1] >= 2
    check.shape(fits, "matrix", "be square, tasks learned by tasks measured, at least 2 x 2", list(matrix.shape))
    return matrix


def average_accuracy(matrix: Tensor) -> Tensor:
    r"""Return how well the tasks seen were known, on average over the stream, `[*batch]`.

    .. math:: \frac1N \sum_i \frac1{i+1} \sum_{j \le i} A_{ij}

    Args:
        matrix: `[*batch, N, N]`; entries above the diagonal are not read.

    Source: Lu, Caprio, Eaton, Lee (2023), arXiv 2305.14782, averages over the seen tasks after each one.
    """
    a = _square(matrix)
    seen = torch.ones_like(a).tril()
    weight = seen / seen.sum(-1, keepdim=True) / a.shape[-1]
    return (torch.where(seen > 0, a, 0) * weight).sum((-1, -2))


def backward_transfer(matrix: Tensor) -> Tensor:
    r"""Return what later tasks did to earlier ones, `[*batch]`; below zero is forgetting.

    .. math:: \frac1{N-1} \sum_{i<N} (A_{Ni} - A_{ii})

    Args:
        matrix: `[*batch, N, N]`.

    Source: Lopez-Paz and Ranzato (2017), NeurIPS, eq. 3. The IBCL code's plots show another number under this name:
    differences of neighboring tasks at one time.
    """
    a = _square(matrix)
    return (a[..., -1, :-1] - torch.diagonal(a, dim1=-2, dim2=-1)[..., :-1]).mean(-1)


def forward_transfer(matrix: Tensor, untrained: Tensor) -> Tensor:
    r"""Return what earlier tasks gave a task before it was learned, `[*batch]`.

    .. math:: \frac1{N-1} \sum_{i>1} (A_{i-1,i} - b_i)

    Args:
        matrix: `[*batch, N, N]`.
        untrained: What the untrained network has on each task, b `[*batch, N]`.

    Source: Lopez-Paz and Ranzato (2017), NeurIPS, eq. 4.
    """
    a = _square(matrix)
    check.shape(untrained.shape[-1:] == a.shape[-1:], "untrained", f"have {a.shape[-1]} entries", list(untrained.shape))
    return (torch.diagonal(a, offset=1, dim1=-2, dim2=-1) - untrained[..., 1:]).mean(-1)


def peak_accuracy(accuracies: Tensor) -> Tensor:
    r"""Return the mean over tasks of the best that any of several networks has, `[*batch]`.

    .. math:: \frac1m \sum_j \max_l a_{lj}

    Args:
        accuracies: Of networks by tasks, `[*batch, n, m]`.

    Source: Lu, Caprio, Eaton, Lee (2023), arXiv 2305.14782: of the sampled networks; here of whatever is given, for
    example one network a preference.
    """
    check.shape(accuracies.ndim >= 2, "accuracies", "be networks by tasks", list(accuracies.shape))
    return accuracies.amax(-2).mean(-1)


def preferred_accuracy(accuracies: Tensor, preferences: Tensor) -> Tensor:
    r"""Return what each network is worth to the one who asked for it, `[*batch, n]`.

    .. math:: \sum_j w_{lj} a_{lj}

    Args:
        accuracies: Of networks by tasks, `[*batch, n, m]`.
        preferences: Rows on the simplex `[*batch, n, m]`; larger entries matter more.
    """
    _on_simplex(preferences)
    return (accuracies * preferences.to(accuracies)).sum(-1)


def preferred_matrix(accuracies: Tensor, preferences: Tensor) -> Tensor:
    r"""Return one row of the matrix from networks of several preferences, `[*batch, m]`.

    .. math:: A_j = \sum_l w_{lj} a_{lj} \Big/ \sum_l w_{lj}

    so that who cares for a task decides how well it is known; for networks that heed no preference it is the plain
    accuracy.

    Args:
        accuracies: Of networks by tasks, `[*batch, n, m]`.
        preferences: Rows on the simplex `[*batch, n, m]`. A task that nobody wants has the plain mean.

    Source: Lu, Caprio, Eaton, Lee (2023), arXiv 2305.14782, the code's weighting.
    """
    w = _on_simplex(preferences).to(accuracies)
    total = w.sum(-2)
    mean = accuracies.mean(-2)
    return torch.where(
        total > 0, (accuracies * w).sum(-2) / total.clamp_min(1e-300 if w.dtype == torch.float64 else 1e-30), mean
    )


def _on_simplex(preferences: Tensor) -> Tensor:
    rows = preferences.to(torch.float64)
    whole = bool((rows >= 0).all()) and bool(((rows.sum(-1) - 1).abs() < 1e-6).all())
    check.that(whole, "preferences", "be rows on the simplex", [round(v, 4) for v in rows.reshape(-1)[:8].tolist()])
    return preferences
