"""Stacked causal transformers: weights in one flat row, and a key-value cache for one token at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name in the field

from paretokit.core import Lanes, Rng
from paretokit.core import _check as check

SHORT = 64  # most places for which plain products attend on a CPU: measured with 8 heads of 8


class Layer(NamedTuple):
    """Views of one layer's parameters, in the order of `torch.nn.TransformerEncoderLayer.parameters`."""

    into_weight: Tensor
    into_bias: Tensor
    out_weight: Tensor
    out_bias: Tensor
    up_weight: Tensor
    up_bias: Tensor
    down_weight: Tensor
    down_bias: Tensor
    attention_scale: Tensor
    attention_shift: Tensor
    feedforward_scale: Tensor
    feedforward_shift: Tensor


class Weights(NamedTuple):
    """Views of rows `[..., D]`.

    Attributes:
        embedding: `[..., V, w]`.
        layers: One after the other.
        scale, shift: Of the last normalization `[..., w]`.
        positions: The table of positions `[T, w]`, which is no parameter.
    """

    embedding: Tensor
    layers: tuple[Layer, ...]
    scale: Tensor
    shift: Tensor
    positions: Tensor


@dataclass(frozen=True)
class Transformer:
    r"""Causal encoders: ``transformer(row [D], tokens [n, t]) -> [n, t, w]``, or P in one program with rows `[P, D]`.

    .. math::
        h_0 &= E[\text{token}] + \text{position} \\
        h' &= h + \operatorname{Attention}(\operatorname{Norm}(h)) \\
        h_{i+1} &= h' + W_2 \operatorname{relu}(W_1 \operatorname{Norm}(h') + b_1) + b_2

    and a last normalization. Place t sees the places up to t only, so what it says of a prefix does not depend on what
    follows: one pass answers for every prefix of a word, and `decoder` answers one place at a time from the keys and
    values of those before. Normalization comes before attention (Xiong et al. 2020, ICML). Positions are sines and
    cosines (Vaswani et al. 2017, NeurIPS):

    .. math:: \text{position}_{t,2j} = \sin(t / 10000^{2j/w}), \quad \text{position}_{t,2j+1} = \cos(t / 10000^{2j/w})

    A row holds the embedding `[V, w]`, each layer's parameters in torch's order (`Layer`), and scale and shift of the
    last normalization; it is taken apart by one split, so its gradient is put together by one concatenation.

    Attributes:
        tokens: Size V of the vocabulary.
        positions: Most places T.
        layers: Number of layers.
        heads: Heads of each attention; a divisor of `width`.
        width: Width w, even.
        feedforward: Hidden units of the feed-forward part.

    Cost: about 2 (4 w^2 + 2 w f) operations a place and layer, and 4 w t for attention; no dropout.
    """

    tokens: int
    positions: int
    layers: int = 3
    heads: int = 8
    width: int = 64
    feedforward: int = 64

    def __post_init__(self) -> None:
        check.at_least(1, tokens=self.tokens, positions=self.positions, layers=self.layers, heads=self.heads)
        check.at_least(1, width=self.width, feedforward=self.feedforward)
        check.that(self.width % 2 == 0, "width", "be even", self.width, "positions are pairs of a sine and a cosine")
        check.that(self.width % self.heads == 0, "width", f"be a multiple of heads = {self.heads}", self.width)

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the parts of a row."""
        w, f = self.width, self.feedforward
        attention = ((3 * w, w), (3 * w,), (w, w), (w,))
        layer = (*attention, (f, w), (f,), (w, f), (w,), (w,), (w,), (w,), (w,))
        return ((self.tokens, w), *(layer * self.layers), (w,), (w,))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Entries of the parts of a row."""
        return tuple(math.prod(shape) for shape in self.shapes)

    @cached_property
    def n_parameters(self) -> int:
        """Length D of a row."""
        return sum(self.sizes)

    def weights(self, rows: Tensor) -> Weights:
        """Return views of `rows [..., D]`."""
        return self.assembled(rows.split(self.sizes, -1))

    def assembled(self, parts: tuple[Tensor, ...]) -> Weights:
        """Return the views by name, from the flat parts that ``rows.split(sizes, -1)`` gives."""
        views = [p.unflatten(-1, s) if len(s) > 1 else p for p, s in zip(parts, self.shapes, strict=True)]
        size = len(Layer._fields)
        layers = tuple(Layer(*views[1 + i * size : 1 + (i + 1) * size]) for i in range(self.layers))
        return Weights(views[0], layers, views[-2], views[-1], self._table(views[0]))

    def _table(self, like: Tensor) -> Tensor:
        t = torch.arange(self.positions, dtype=torch.float64, device=like.device).unsqueeze(-1)
        j = torch.arange(self.width, dtype=torch.float64, device=like.device)
        even = j - j % 2
        return torch.sin(t * 10000.0 ** (-even / self.width) + (j % 2) * (math.pi / 2)).to(like.dtype)

    def init(self, lanes: Lanes, *, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return initialized rows `[P, D]`.

        Standard normal embeddings, Xavier-uniform matrices (Glorot and Bengio 2010, AISTATS) with queries, keys and
        values as one matrix, zero biases and shifts, unit scales.
        """
        rows = torch.zeros(len(lanes), self.n_parameters, dtype=dtype)
        for row, rng in zip(rows, lanes.rngs, strict=True):
            weights = self.weights(row)
            weights.embedding.copy_(rng.child("embedding").normal(self.tokens, self.width))
            weights.scale.fill_(1)
            for i, layer in enumerate(weights.layers):
                layer.attention_scale.fill_(1)
                layer.feedforward_scale.fill_(1)
                for name in ("into_weight", "out_weight", "up_weight", "down_weight"):
                    _xavier_(getattr(layer, name), rng.child("layer", i, name))
        return rows

    def __call__(self, rows: Tensor, tokens: Tensor, *, first: Tensor | None = None) -> Tensor:
        """Return what each place says of the words up to it, `[n, t, w]` or `[P, n, t, w]`, as `forward`."""
        return self.forward(self.weights(rows), tokens, first=first)

    def forward(self, weights: Weights, tokens: Tensor, *, first: Tensor | None = None) -> Tensor:
        """Return the encoding of words.

        Args:
            weights: `weights(rows)`, which hot loops keep between calls.
            tokens: int64 `[n, t]` with `row [D]`, `[P, n, t]` with `rows [P, D]`; t is at most `positions`.
            first: Added to the embedding of the first place, `[..., n, w]`.
        """
        length = tokens.shape[-1]
        x = _embedded(weights.embedding, tokens) + weights.positions[:length]
        if first is not None:
            x = torch.cat([x[..., :1, :] + first.unsqueeze(-2), x[..., 1:, :]], -2)
        for layer in weights.layers:
            inside = _normed(x, layer.attention_scale, layer.attention_shift)
            parts = self._heads(_linear(inside, layer.into_weight, layer.into_bias).flatten(0, -3))
            seen = _attended(parts.permute(2, 0, 3, 1, 4))
            x = x + _linear(seen.transpose(1, 2).reshape(x.shape), layer.out_weight, layer.out_bias)
            x = x + _fed_forward(x, layer)
        return _normed(x, weights.scale, weights.shift)

    def _heads(self, x: Tensor) -> Tensor:
        """Return queries, keys and values `[..., 3, heads, head]` of `[..., 3 w]`."""
        parts: Tensor = x.unflatten(-1, (3, self.heads, self.width // self.heads))
        return parts

    def decoder(self, weights: Weights, n: int) -> Decoder:
        """Return the encoder before the first token of n words (n words for each member)."""
        words = n * math.prod(weights.scale.shape[:-1])
        shape = (self.layers, 2, self.positions, self.width // self.heads, words * self.heads)
        memory = torch.empty(shape, dtype=weights.scale.dtype, device=weights.scale.device)
        return Decoder(self, weights, memory, torch.empty_like(memory[0, 0]))


@dataclass
class Decoder:
    """Words that grow a token at a time, each place computed once.

    Attributes:
        transformer: Whose encoding it gives.
        weights: Its weights.
        memory: Keys and values of the places so far `[layers, 2, T, head, words * heads]`, written in place. Words come
            last, so that a step writes and reads whole blocks: 2.5 times as fast on a CPU as torch's fused attention.
        scratch: Room for products `[T, head, words * heads]`.
        length: Tokens so far.

    Memory: ``(2 layers + 1) w T`` numbers a word.
    """

    transformer: Transformer
    weights: Weights
    memory: Tensor
    scratch: Tensor
    length: int = 0

    @torch.no_grad()
    def step(self, tokens: Tensor, *, first: Tensor | None = None) -> Tensor:
        """Return the encoding `[n, w]` (`[P, n, w]`) of the words with `tokens [n]` (`[P, n]`) appended.

        It equals the last place of the full pass, up to rounding; no gradients.

        Args:
            tokens: The next tokens.
            first: Added to their embedding, `[..., n, w]`; give it with the first tokens only.
        """
        at, weights = self.length, self.weights
        x = _embedded(weights.embedding, tokens) + weights.positions[at]
        if first is not None:
            x = x + first
        for memory, layer in zip(self.memory, weights.layers, strict=True):
            inside = _normed(x, layer.attention_scale, layer.attention_shift)
            parts = self.transformer._heads(_linear(inside, layer.into_weight, layer.into_bias).flatten(0, -2))
            _, _, heads, head = parts.shape
            blocks = parts.permute(1, 3, 0, 2).reshape(3, head, -1)
            memory[:, at].copy_(blocks[1:])
            keys, values = memory[:, : at + 1].unbind(0)
            product = self.scratch[: at + 1]
            share = torch.mul(keys, blocks[0] * head**-0.5, out=product).sum(1, keepdim=True).softmax(0)
            seen = torch.mul(values, share, out=product).sum(0).view(head, -1, heads).permute(1, 2, 0)
            x = x + _linear(seen.reshape(x.shape), layer.out_weight, layer.out_bias)
            x = x + _fed_forward(x, layer)
        self.length += 1
        return _normed(x, weights.scale, weights.shift)


def _xavier_(weight: Tensor, rng: Rng) -> None:
    bound = math.sqrt(6 / sum(weight.shape))
    weight.copy_((2 * rng.uniform(*weight.shape) - 1) * bound)


def _attended(parts: Tensor) -> Tensor:
    """Return causal attention `[n, heads, t, head]` of queries, keys and values `[3, n, heads, t, head]`.

    On a CPU plain products are faster for short words than torch's fused kernel, above all backwards.
    """
    _, n, heads, length, head = parts.shape
    if parts.device.type != "cpu" or length > SHORT:
        query, keys, values = parts.unbind(0)
        return F.scaled_dot_product_attention(query, keys, values, is_causal=True)
    q, k, v = parts.reshape(3, n * heads, length, head).unbind(0)
    later = torch.full((length, length), -torch.inf, dtype=parts.dtype).triu(1)
    share = torch.baddbmm(later, q, k.transpose(1, 2), alpha=head**-0.5).softmax(-1)
    return torch.bmm(share, v).view(n, heads, length, head)


def _fed_forward(x: Tensor, layer: Layer) -> Tensor:
    hidden = _linear(_normed(x, layer.feedforward_scale, layer.feedforward_shift), layer.up_weight, layer.up_bias)
    return _linear(torch.relu_(hidden), layer.down_weight, layer.down_bias)


def _embedded(embedding: Tensor, tokens: Tensor) -> Tensor:
    """Return rows `[..., w]` of a table `[V, w]`, or of each member's own `[P, V, w]`."""
    if embedding.ndim == 2:
        return F.embedding(tokens, embedding)
    members, size, _ = embedding.shape
    begin = torch.arange(members, device=tokens.device).view(-1, *[1] * (tokens.ndim - 1)) * size
    return F.embedding(tokens + begin, embedding.flatten(0, 1))


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``x W' + b`` for `W [out, in]`, or for each member's own `[P, out, in]`."""
    if weight.ndim == 2:
        return F.linear(x, weight, bias)
    flat = torch.baddbmm(bias.unsqueeze(1), x.flatten(1, -2), weight.transpose(1, 2))
    return flat.view(*x.shape[:-1], -1)


def _normed(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return x of zero mean and unit variance along its last axis, scaled and shifted by `[w]` or `[P, w]`."""
    if scale.ndim == 1:
        return F.layer_norm(x, scale.shape, scale, shift)
    own = (len(scale), *[1] * (x.ndim - 2), -1)
    return torch.addcmul(shift.view(own), F.layer_norm(x, x.shape[-1:]), scale.view(own))
