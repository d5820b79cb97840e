"""What the HyperGrid scores: classical test functions, scaled into about [0, 1] and to be maximized."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def branin(u: Tensor, v: Tensor) -> Tensor:
    r"""Return the scaled Branin function, three peaks.

    .. math:: 1 - \frac{(y - \tfrac{5.1}{4\pi^2}x^2 + \tfrac 5\pi x - 6)^2 + 10(1 - \tfrac1{8\pi})\cos x + 10}{308.13},
        \quad x = 15\tfrac{u+1}2 - 5,\; y = 15\tfrac{v+1}2

    Source: Branin (1972), IBM Journal of Research and Development; the scale as in recursionpharma/gflownet.
    """
    x, y = 7.5 * (u + 1) - 5, 7.5 * (v + 1)
    valley = (y - 5.1 / (4 * math.pi**2) * x.square() + 5 / math.pi * x - 6).square()
    return 1 - (valley + 10 * (1 - 1 / (8 * math.pi)) * x.cos() + 10) / 308.13


def currin(u: Tensor, v: Tensor) -> Tensor:
    r"""Return the scaled Currin function, one ridge.

    .. math:: \left(1 - e^{-1/(2b)}\right)\frac{2300a^3 + 1900a^2 + 2092a + 60}{100a^3 + 500a^2 + 4a + 20} / 13.77,
        \quad a = \tfrac{u+1}2,\; b = \tfrac{v+1}2

    Source: Currin, Mitchell, Morris and Ylvisaker (1991), Journal of the American Statistical Association.
    """
    a, b = (u + 1) / 2, (v + 1) / 2
    ratio = (((2300 * a + 1900) * a + 2092) * a + 60) / (((100 * a + 500) * a + 4) * a + 20)
    return (1 - (-1 / (2 * b + 1e-10)).exp()) * ratio / 13.77


def shubert(u: Tensor, v: Tensor) -> Tensor:
    r"""Return the scaled Shubert function on [-1.5, 1.5]^2, many peaks.

    .. math:: \frac{S(-1.5u)\,S(-1.5v) + 186.8}{397}, \quad S(t) = \sum_{i=1}^5 i \cos((i+1)t + i)

    Source: Shubert (1972), SIAM Journal on Numerical Analysis.
    """

    def series(t: Tensor) -> Tensor:
        return torch.stack([i * ((i + 1) * t + i).cos() for i in range(1, 6)]).sum(0)

    return (series(-1.5 * u) * series(-1.5 * v) + 186.8) / 397


def beale(u: Tensor, v: Tensor) -> Tensor:
    r"""Return the scaled Beale function, whose *large* values are wanted here.

    .. math:: \frac{(1.5 - u + uv)^2 + (2.25 - u + uv^2)^2 + (2.625 - u + uv^3)^2}{38.8}

    Source: Beale (1958), Princeton University; maximized as in the multi-objective GFlowNet literature.
    """
    terms = [(c - u + u * v**p).square() for p, c in ((1, 1.5), (2, 2.25), (3, 2.625))]
    return torch.stack(terms).sum(0) / 38.8


def sphere(u: Tensor, v: Tensor) -> Tensor:
    r"""Return the mean square, :math:`(u^2 + v^2)/2`."""
    return (u.square() + v.square()) / 2


FUNCTIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    f.__name__: f for f in (beale, branin, currin, shubert, sphere)
}


def on_grid(name: str, u: Tensor) -> Tensor:
    """Return a function at places `u [n, d]`: its mean over consecutive pairs of axes, `[n]`."""
    function = FUNCTIONS[name]
    pairs = zip(u.unbind(-1)[:-1], u.unbind(-1)[1:], strict=True)
    return torch.stack([function(a, b) for a, b in pairs]).mean(0)
