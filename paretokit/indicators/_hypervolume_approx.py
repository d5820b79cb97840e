"""Hypervolume by quasi-random directions, with its standard error: for many objectives."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._rng import Rng
from paretokit.indicators._hypervolume import corner, fronts
from paretokit.indicators._io import Array, Senses, flip

_CELLS = 1 << 15  # directions x points held at once: in a core's cache, and too few for torch to wake threads
_DEVICE_CELLS = 1 << 24  # and on an accelerator


class HypervolumeEstimate(NamedTuple):
    """An estimate and how far it may be off.

    Attributes:
        value: `[*batch]`, the mean over the replicates.
        standard_error: `[*batch]`, the standard deviation over the replicates by the root of their number.
    """

    value: Any
    standard_error: Any


def hypervolume_approx(
    values: Array,
    reference_point: Array,
    *,
    maximize: Senses = False,
    mask: Array | None = None,
    n_directions: int = 4096,
    n_replicates: int = 8,
    rng: Rng | None = None,
) -> HypervolumeEstimate:
    r"""An unbiased estimate of the hypervolume with its standard error, at a cost linear in everything.

    .. math:: HV(A) = c_m\, E_w \max_{a \in A} \min_i \Big(\frac{r_i - a_i}{w_i}\Big)^m, \qquad
        c_m = \frac{\pi^{m/2}}{m\, 2^{m-1}\, \Gamma(m/2)}

    with w uniform on the positive part of the unit sphere: normal quantiles of a scrambled Sobol sequence, one
    independent scrambling a replicate. Gains are scaled to the best point first, which leaves the identity exact and
    makes objectives of different units alike. Edge cases as in `hypervolume`.

    Args:
        values: Fronts `[*batch, n, m]` in the caller's senses, NumPy or tensor; the results come back the same way.
        reference_point: `[m]`, finite, in the same senses.
        maximize: Whether objectives are maximized: one bool, or one an objective.
        mask: `[*batch, n]`, True where a row counts.
        n_directions: Directions a replicate, at least 1; powers of two keep the sequence balanced.
        n_replicates: Independent replicates, at least 2.
        rng: Source of the scramblings; equal keys give equal estimates. None takes ``Rng.from_seed(0)``.

    Raises:
        InputError: If shapes do not fit, the reference point is not finite, or a number is too small.

    Cost:
        n_replicates · n_directions · n · m multiplications a front, on the front's device, in blocks of bounded memory.

    References:
        Shang, Ishibuchi and Ni (2018), IEEE TEVC (R2 form); Deng and Zhang (2019), IEEE TEVC (polar identity);
        Owen (1998), scrambled nets. The standard error is our addition.

    >>> estimate = hypervolume_approx([[0.5, 0.5]], [1.0, 1.0])
    >>> bool(abs(estimate.value - 0.25) < 4 * estimate.standard_error + 1e-4)
    True
    """
    check.that(isinstance(n_directions, int) and n_directions >= 1, "n_directions", "be at least 1", repr(n_directions))
    check.that(isinstance(n_replicates, int) and n_replicates >= 2, "n_replicates", "be at least 2", repr(n_replicates))
    points = fronts(values, reference_point, maximize=maximize, mask=mask)
    m, batch, n = points.m, points.values.shape[:-2], points.values.shape[-2]
    ref = flip(torch.from_numpy(corner(reference_point, m).copy()), points.senses).to(points.values)
    flat = points.values.reshape(math.prod(batch), n, m)
    inside = (flat < ref).all(-1, keepdim=True)
    gains = torch.where(inside, ref - flat, 0.0)
    if n == 0:
        gains = gains.new_zeros(len(flat), 1, m)
    endless = torch.isinf(gains).any(-1).any(-1)
    gains = gains.masked_fill(torch.isinf(gains).any(-1, keepdim=True), 0.0)
    scale = gains.amax(1, keepdim=True)
    gains = gains / torch.where(scale > 0, scale, 1.0)
    log_constant = 0.5 * m * math.log(math.pi) - math.log(m) - (m - 1) * math.log(2.0) - math.lgamma(m / 2)
    root = Rng.from_seed(0) if rng is None else rng
    rays = (_inverse_directions(m, n_directions, root.child("directions", k)) for k in range(n_replicates))
    found = [_mean(gains, inverse.to(gains)) for inverse in rays]
    every = torch.stack(found) * math.exp(log_constant) * scale.squeeze(1).double().prod(-1)
    value = every.mean(0).masked_fill(endless, math.inf)
    error = (every.std(0) / math.sqrt(n_replicates)).masked_fill(endless, 0.0)
    return HypervolumeEstimate(points.give(value.reshape(batch)), points.give(error.reshape(batch)))


def _inverse_directions(m: int, count: int, rng: Rng) -> Tensor:
    """Return ``1 / w`` for directions `[count, m]` on the positive part of the unit sphere."""
    sobol = torch.quasirandom.SobolEngine(m, scramble=True, seed=rng.seed32)
    u = sobol.draw(count, dtype=torch.float64).clamp(2.0**-53, 1.0 - 2.0**-53)
    normal = torch.special.ndtri(0.5 + 0.5 * u).clamp_min(1e-300)
    inverse: Tensor = normal.norm(dim=1, keepdim=True) / normal
    return inverse


def _mean(gains: Tensor, inverse: Tensor) -> Tensor:
    """Return the mean over directions of max over points of the m-th power of the ray's length, `[b]`, float64."""
    b, n, m = gains.shape
    cells = _CELLS if gains.device.type == "cpu" else _DEVICE_CELLS
    rows = min(len(inverse), max(1, cells // (max(b, 1) * n)))
    columns = gains.movedim(2, 0).contiguous().unsqueeze(2)  # [m, b, 1, n]
    slopes = inverse.T.contiguous().unsqueeze(2)  # [m, directions, 1]
    total = torch.zeros(b, dtype=torch.float64, device=gains.device)
    room = None if gains.requires_grad else gains.new_empty(2, b, rows, n)
    for first in range(0, len(inverse), rows):
        block = slopes[:, first : first + rows]
        if room is None:
            length = columns[0] * block[0]
            for i in range(1, m):
                length = torch.minimum(length, columns[i] * block[i])
        else:
            length, other = room[:, :, : block.shape[1]]
            torch.mul(columns[0], block[0], out=length)
            for i in range(1, m):
                torch.mul(columns[i], block[i], out=other)
                torch.minimum(length, other, out=length)
        total = total + length.amax(2).double().pow(m).sum(1)
    return total / len(inverse)
