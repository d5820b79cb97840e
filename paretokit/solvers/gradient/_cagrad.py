"""Conflict-averse descent: the direction near the mean gradient whose worst decrease is the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.gradient._aggregator import Aggregator, Setting, ratio
from paretokit.solvers.gradient._faces import MOST, best_face, solved_on
from paretokit.solvers.gradient._min_norm import min_norm_weights

ROUNDS = 50


@final
@dataclass(frozen=True, kw_only=True)
class CAGrad(Aggregator):
    r"""Decreases the loss that decreases least as much as a ball around the mean gradient allows.

    .. math:: \max_d \min_i g_i \cdot d \ \text{ with } \lVert d - g_0 \rVert \le c \lVert g_0 \rVert,
              \qquad d = g_0 + c \lVert g_0 \rVert \frac{g_v}{\lVert g_v \rVert}, \quad
              v = \arg\min_{v \in \Delta} g_v \cdot g_0 + c \lVert g_0 \rVert \lVert g_v \rVert

    with :math:`g_0` the mean of the gradients and :math:`g_v = J^\top v`. Asks for no preference.

    Attributes:
        c: Radius of the ball; 0 gives the mean.

    Zero weights where :math:`g_v` vanishes: a combination of gradients does, and no direction descends all.

    Cost: on each face of the simplex the minimum is in closed form, so :math:`2^m` systems for m up to 6; above, about
    ten minimum-norm problems.

    Source: Liu, Liu, Jin, Stone and Liu (2021), NeurIPS. Deviations: solved exactly; not divided by
    :math:`1 + c^2` as in LibMTL (nor is TorchJD's).
    """

    c: float = 0.5

    def __post_init__(self) -> None:
        check.fields(self)
        check.that(0 <= self.c < float("inf"), "c", "be at least 0 and finite", repr(self.c))

    def _weights(self, given: Setting) -> Tensor:
        m = given.gramian.shape[-1]
        mean = torch.full_like(given.losses, 1 / m)
        if self.c == 0:
            return mean + 0 * given.gramian.sum(-1)
        finite = torch.isfinite(given.gramian).all(-1).all(-1, keepdim=True)
        trace = given.gramian.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
        c = torch.where(finite.unsqueeze(-1), ratio(given.gramian, trace), 0.0)
        slope = c.mean(-1)  # g_i g_0
        radius = self.c * slope.mean(-1).clamp_min(0).sqrt()
        v = _direction(c, slope, radius)
        size = (v.unsqueeze(-2) @ c @ v.unsqueeze(-1)).squeeze(-1).clamp_min(0).sqrt()
        enough = size > 1e-6 * torch.isfinite(size)
        w = mean + ratio(radius.unsqueeze(-1), size) * v
        w = torch.where(enough | (trace.squeeze(-1) == 0), w, 0.0)
        return torch.where(finite, w, torch.nan)


def _direction(c: Tensor, slope: Tensor, radius: Tensor) -> Tensor:
    """Return the minimizer v `[*batch, m]` on the simplex."""
    if slope.shape[-1] <= MOST:
        return _by_faces(c, slope, radius)
    return _by_price(c, slope, radius)


def _on_face(c: Tensor, slope: Tensor, radius: Tensor) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]:
    r"""Return a function from faces `[*batch, F, m]` to their minimizers v, squared prices and values.

    On a face with the price :math:`t = \lVert g_v \rVert / r` of a unit of slope, :math:`v = v_0 + t v_1` where
    :math:`v_0` is the shortest affine combination, :math:`1^\top v_1 = 0` and :math:`v_0^\top C v_1 = 0`; so
    :math:`r^2 t^2 = v_0^\top C v_0 + t^2 v_1^\top C v_1` says t.
    """
    length = c.diagonal(dim1=-2, dim2=-1).unsqueeze(-2)
    right = torch.stack([torch.ones_like(slope), slope], -1)

    def norm(v: Tensor) -> Tensor:
        return (v * (c.unsqueeze(-3) @ v.unsqueeze(-1)).squeeze(-1)).sum(-1).clamp_min(0)

    def found(inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        least = torch.where(inside & (length > 0), length, torch.inf).amin(-1)[..., None, None]
        offset = torch.where(torch.isfinite(least), least, 1.0)  # changes nothing where the sum is fixed
        root = (length.clamp_min(0) + offset.squeeze(-1)).sqrt()
        scaled = (c.unsqueeze(-3) + offset) / root.unsqueeze(-1) / root.unsqueeze(-2)
        ones, sloped = (
            solved_on(scaled, right.unsqueeze(-3) / root.unsqueeze(-1), inside) / root.unsqueeze(-1)
        ).unbind(-1)
        total = ones.sum(-1, keepdim=True)
        least = ones / total
        tilted = ones * sloped.sum(-1, keepdim=True) / total - sloped
        room = radius.square().unsqueeze(-1) - norm(tilted)
        price = torch.where(room > 0, norm(least) / room, 0.0)
        held = (least + price.sqrt().unsqueeze(-1) * tilted).clamp_min(0)
        held = held / held.sum(-1, keepdim=True)
        value = (held * slope.unsqueeze(-2)).sum(-1) + radius.unsqueeze(-1) * norm(held).sqrt()
        return held, price, value

    return found


def _by_faces(c: Tensor, slope: Tensor, radius: Tensor) -> Tensor:
    """Return the best of all faces' minimizers."""
    on_face = _on_face(c, slope, radius)

    def face(inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        v, _, value = on_face(inside)
        return v, v, value

    return best_face(face, torch.ones_like(slope, dtype=torch.bool))


def _by_price(c: Tensor, slope: Tensor, radius: Tensor) -> Tensor:
    r"""Return the minimizer by a search for its price.

    For a price t it is the shortest vector of the hull of the :math:`g_i + t g_0`. The face of that one says another
    price, which is right if the face is; the right one lies between bounds that every trial moves.
    """
    on_face = _on_face(c, slope, radius)
    square = slope.mean(-1)[..., None, None].clamp_min(0)
    sides = slope.unsqueeze(-1) + slope.unsqueeze(-2)
    ball = torch.where(radius > 0, radius, 1.0).square()
    low, high = torch.zeros_like(radius), c.diagonal(dim1=-2, dim2=-1).amax(-1) / ball
    price, best = torch.full_like(low, 1 / 4) * high, torch.full_like(slope, 1 / slope.shape[-1])
    least = torch.full_like(radius, torch.inf)
    for _ in range(ROUNDS):
        t = price.sqrt()[..., None, None]
        v = min_norm_weights(c + t * sides + t.square() * square)
        norm = (v.unsqueeze(-2) @ c @ v.unsqueeze(-1)).squeeze(-1).squeeze(-1).clamp_min(0)
        held, told, value = (part.squeeze(radius.ndim) for part in on_face((v > 0).unsqueeze(-2)))
        for trial, worth in ((held, value), (v, (v * slope).sum(-1) + radius * norm.sqrt())):
            better = worth < least - 1e-16 * worth.abs()
            best, least = torch.where(better.unsqueeze(-1), trial, best), torch.where(better, worth, least)
        up = norm > ball * price
        low, high = torch.where(up, price, low), torch.where(up, high, price)
        done = (told - price).abs() <= 1e-12 * price
        between = (told > low) & (told < high)
        price = torch.where(done | between, told, (low.clamp_min(1e-16 * high) * high).sqrt())
        if price.device.type == "cpu" and bool(done.all()):  # elsewhere a read would wait
            break
    return best
