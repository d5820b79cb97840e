"""Powers that give the same bits in torch and in a compiled kernel, on any device.

Only additions, multiplications, divisions and bit patterns are used, in one order, so nothing depends on a
mathematical library. Relative error below 1e-13 for the exponents of crossover and mutation.
"""

from __future__ import annotations

import torch
from torch import Tensor

LN2 = 0.6931471805599453
TWO_OVER_LN2 = 2.8853900817779268
SQRT2 = 1.4142135623730951
ATANH = (19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0)
FACTORIALS = (479001600.0, 39916800.0, 3628800.0, 362880.0, 40320.0, 5040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0)


def power(x: Tensor, y: float) -> Tensor:
    r"""Return :math:`x^y = 2^{y \log_2 x}` for float64 x >= 0; zero counts as :math:`2^{-1023}`.

    The logarithm is the series of :math:`2 \operatorname{artanh}((m - 1) / (m + 1))` for the mantissa m, the power
    of two the series of the exponential function.
    """
    bits = x.contiguous().view(torch.int64)
    e = ((bits >> 52) - 1023).to(torch.float64)
    m = ((bits & ((1 << 52) - 1)) | (1023 << 52)).view(torch.float64)
    upper = m > SQRT2
    m = torch.where(upper, m * 0.5, m)
    e = torch.where(upper, e + 1.0, e)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    q = torch.full_like(z, 1.0 / ATANH[0])
    for odd in ATANH[1:]:
        q = q * z + 1.0 / odd
    t = (y * (e + TWO_OVER_LN2 * s * q)).clamp(-1000.0, 1000.0)
    k = torch.floor(t + 0.5)
    z = (t - k) * LN2
    q = torch.full_like(z, 1.0 / FACTORIALS[0])
    for factorial in FACTORIALS[1:]:
        q = q * z + 1.0 / factorial
    return q * ((k.to(torch.int64) + 1023) << 52).view(torch.float64)
