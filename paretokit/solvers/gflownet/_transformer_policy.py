"""Policies for words that grow letter by letter: a causal transformer that reads each letter once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name in the field

from paretokit.core import Lanes, Rng
from paretokit.core import _check as check
from paretokit.nn import MLP, Transformer
from paretokit.nn._transformer import Decoder, Weights
from paretokit.problems.design._environment import DesignEnvironment
from paretokit.problems.design._sequences import AppendEnvironment
from paretokit.solvers.gflownet._policy import FlowModel, Outputs, PolicyNetwork

Conditioning = Literal["head", "start", "both"]


@final
@dataclass(frozen=True, kw_only=True)
class TransformerPolicy(PolicyNetwork):
    r"""A causal transformer over a start token and the letters so far; the place of the last letter answers.

    .. math:: \text{logits}, \log F = \operatorname{MLP}([\,h_{|s|}(s),\; W c + b\,])

    for the state s of |s| letters and the condition c, with h the encoding of `nn.Transformer`. The condition joins
    behind the encoder ("head", as published), in front of it by a second linear map that is added to the embedding of
    the start token ("start": then attention can depend on it, at the cost of no further place), or both.

    One pass gives the logits at every prefix of a word, so training costs one pass a trajectory; sampling keeps keys
    and values and costs one place a letter.

    Attributes:
        layers: Layers of the encoder.
        heads: Heads of each attention; a divisor of `width`.
        width: Width of the encoder, and of the condition's embedding.
        feedforward: Hidden units of the encoder's feed-forward parts.
        hidden: Widths of the hidden layers behind the encoder.
        conditioning: Where the condition joins: "head", "start" or "both".

    Source: the sizes are those of the sequence model of Jain et al. (2023), ICML. Deviations from its code:
    normalization before attention, and the linear map of the condition is trained (there no optimizer knows it).
    """

    kind: ClassVar[str] = "transformer"

    layers: int = 3
    heads: int = 8
    width: int = 64
    feedforward: int = 64
    hidden: tuple[int, ...] = (256, 256)
    conditioning: Conditioning = "head"

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "hidden", tuple(self.hidden))
        check.at_least(1, hidden=len(self.hidden), smallest_hidden=min(self.hidden, default=0))
        check.one_of(("head", "start", "both"), conditioning=self.conditioning)
        self.encoder(1, 1)  # checks the sizes

    def encoder(self, tokens: int, positions: int) -> Transformer:
        """Return the encoder for a vocabulary and a number of places."""
        return Transformer(tokens, positions, self.layers, self.heads, self.width, self.feedforward)

    def bind(self, environment: DesignEnvironment, *, condition_dim: int, backward: bool) -> TransformerFlow:
        """Return the transformer over an environment's letters.

        A word has one parent, so there is nothing to learn backwards: `backward` is taken and nothing comes of it.

        Raises:
            InputError: If the environment does not build words by appending letters.
        """
        if not isinstance(environment, AppendEnvironment):
            rule = "meet words that grow letter by letter (AppendEnvironment)"
            check.fail("TransformerPolicy", rule, type(environment).__name__, "use MLPPolicy")
        return TransformerFlow(self, environment, condition_dim)

    def describe(self) -> dict[str, Any]:
        """Return the options."""
        return {"kind": self.kind, **dataclasses.asdict(self)}


class Views(NamedTuple):
    """Views of one row: of the encoder, of the condition's maps (or None), of the layers behind."""

    encoder: Weights
    start: tuple[Tensor, Tensor] | None
    head: tuple[Tensor, Tensor] | None
    behind: tuple[tuple[Tensor, Tensor], ...]


@final
class TransformerFlow(FlowModel):
    """A `TransformerPolicy` bound to an environment of words; it never gives logits of backward actions."""

    environment: AppendEnvironment

    def __init__(self, policy: TransformerPolicy, environment: AppendEnvironment, condition_dim: int) -> None:
        self.environment, self.condition_dim, self.backward = environment, condition_dim, False
        self.width = policy.width
        self.encoder = policy.encoder(environment.n_letters + 1, environment.max_length + 1)
        joins = policy.conditioning if condition_dim else "nowhere"
        into = MLP((condition_dim, policy.width)) if condition_dim else None
        self.start = into if joins in ("start", "both") else None
        self.head = into if joins in ("head", "both") else None
        fan_in = 2 * policy.width if self.head else policy.width
        self.behind = MLP((fan_in, *policy.hidden, environment.n_actions + 1), "relu")

    @property
    def n_parameters(self) -> int:
        """Of the encoder, the condition's maps and the layers behind."""
        return self.encoder.n_parameters + sum(m.n_parameters for m in (self.start, self.head, self.behind) if m)

    def initial(self, rng: Rng, *, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the encoder's initial weights, and orthogonal ones behind, of which the last begin small."""
        parts = [self.encoder.init(Lanes((rng.child("encoder"),)), dtype=dtype)]
        for name, into in (("start", self.start), ("head", self.head)):
            if into is not None:
                parts.append(into.init(Lanes((rng.child(name),)), dtype=dtype))
        parts.append(self.behind.init(Lanes((rng.child("behind"),)), last_gain=0.01, dtype=dtype))
        return torch.cat(parts, 1)[0]

    def views(self, row: Tensor) -> Views:
        """Return a row taken apart by one split, whose gradient is one concatenation."""
        maps = [m for m in (self.start, self.head, self.behind) if m is not None]
        layers = [(fan_in, fan_out) for m in maps for _, _, fan_in, fan_out in m.slices]
        own = [size for fan_in, fan_out in layers for size in (fan_in * fan_out, fan_out)]
        parts = row.split([*self.encoder.sizes, *own])
        flat = parts[len(self.encoder.sizes) :]
        linear = [(flat[2 * i].view(fan_out, fan_in), flat[2 * i + 1]) for i, (fan_in, fan_out) in enumerate(layers)]
        start = linear.pop(0) if self.start else None
        head = linear.pop(0) if self.head else None
        return Views(self.encoder.assembled(parts[: len(self.encoder.sizes)]), start, head, tuple(linear))

    def outputs(self, row: Tensor, states: Tensor, condition: Tensor | None) -> Outputs:
        """Return the outputs of words `[n, k]` that are encoded from their begin.

        Cost: a pass over all `max_length` + 1 places of each word, however short it is (its length is not read back);
        `along` and `walker` are the cheap ways.
        """
        views = self.views(row)
        hidden = self._encoded(views, states, condition)
        at = self.environment.lengths(states).view(-1, 1, 1).expand(-1, 1, self.width)
        return self._split(self._answers(views, hidden.gather(1, at), self._given(views, condition)).squeeze(1))

    def along(self, row: Tensor, states: Tensor, condition: Tensor | None) -> Outputs:
        """Return the outputs along trajectories `[T, n, k]`, from one causal pass over the last words.

        Each state's word must begin the last one, as in every trajectory. Cost: one pass a trajectory.
        """
        views = self.views(row)
        hidden = self._encoded(views, states[-1], condition)
        heads = self._answers(views, hidden, self._given(views, condition))
        at = self.environment.lengths(states).T.unsqueeze(-1).expand(-1, -1, heads.shape[-1])
        return self._split(heads.gather(1, at).transpose(0, 1))

    def walker(self, row: Tensor, condition: Tensor | None) -> WordWalker:
        """Return the model before the first letter, with an empty cache of keys and values."""
        with torch.no_grad():
            views = self.views(row)
            given = self._given(views, condition)
            first = _mapped(views.start, condition)
        return WordWalker(self, views, given, first)

    def _encoded(self, views: Views, states: Tensor, condition: Tensor | None) -> Tensor:
        """Return the encoding of the start token and the letters `[n, max_length + 1, w]`; the pad is the start."""
        tokens = F.pad(self.environment.tokens(states), (1, 0), value=self.environment.pad)
        return self.encoder.forward(views.encoder, tokens, first=_mapped(views.start, condition))

    def _given(self, views: Views, condition: Tensor | None) -> Tensor | None:
        """Return what the condition adds to the first layer behind the encoder `[n, 1, h]`: once a trajectory."""
        mapped = _mapped(views.head, condition)
        if mapped is None:
            return None
        weight, bias = views.behind[0]
        return F.linear(mapped, weight[:, self.width :], bias).unsqueeze(1)

    def _answers(self, views: Views, hidden: Tensor, given: Tensor | None) -> Tensor:
        """Return actions' logits and log flow `[n, t, A + 1]` of encodings `[n, t, w]`."""
        (weight, bias), *following = views.behind
        if given is None:
            x = F.linear(hidden, weight, bias)
        else:
            x = F.linear(hidden, weight[:, : self.width]) + given
        for weight, bias in following:
            x = F.linear(torch.relu_(x), weight, bias)
        return x

    def _split(self, heads: Tensor) -> Outputs:
        return Outputs(heads[..., :-1], None, heads[..., -1])


def _mapped(linear: tuple[Tensor, Tensor] | None, condition: Tensor | None) -> Tensor | None:
    if linear is None or condition is None:
        return None
    return F.linear(condition.to(linear[0].dtype), *linear)


@final
class WordWalker:
    """Words on the way from the empty one: a step reads the last letter alone."""

    def __init__(self, flow: TransformerFlow, views: Views, given: Tensor | None, first: Tensor | None) -> None:
        self.flow, self.views, self.given, self.first = flow, views, given, first
        self.decoder: Decoder | None = None

    @torch.no_grad()
    def logits(self, states: Tensor, step: int) -> Tensor:
        """Return the logits of the actions of words that began empty; those of finished words mean nothing.

        Cost: one place a word. Call it with each step once, in order.
        """
        flow = self.flow
        if self.decoder is None:
            self.decoder = flow.encoder.decoder(self.views.encoder, len(states))
        if step == 0:
            last = torch.full_like(states[:, 0], flow.environment.pad)
        else:
            last = flow.environment.tokens(states)[:, step - 1]
        hidden = self.decoder.step(last, first=self.first if step == 0 else None)
        return flow._answers(self.views, hidden.unsqueeze(1), self.given).squeeze(1)[:, :-1]
