"""Policies for molecules that grow as trees: attention over the fragments, aware of who is bound to whom and where."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name in the field

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.design._environment import DesignEnvironment
from paretokit.problems.design._tree import TreeEnvironment
from paretokit.problems.design._tree_forms import NONE, Trees
from paretokit.solvers.gflownet._policy import FlowModel, Outputs, PolicyNetwork


@final
@dataclass(frozen=True, kw_only=True)
class TreePolicy(PolicyNetwork):
    r"""A transformer whose tokens are a tree's fragments and one token for the whole, which carries the condition.

    .. math::
        h^0_i &= E_{f_i} + \sum_{j \sim i} U_{k_{ij}} + [i \text{ chosen}]\,M_k, \qquad
        h^0_* = g_{\text{phase}} + W c \\
        A_{ij} &= q_i \cdot k_j / \sqrt{d} + b_{r(i,j)}

    for fragments f, classes k_ij of the attachment points by which i is bound to j, the class k of the chosen place and
    the condition c. The relation r(i, j) of two tokens is the pair of classes of their bond, "the same", "not bound",
    "to the whole" or "from the whole", and b is learned for each head and layer. Layers are pre-normalized, as in
    `nn.Transformer`, and without causal mask. Places and leaves are read off each fragment's token; joints off the
    whole and the chosen fragment; stop and log flow off the whole.

    Numbers of nodes are no input: renumbering a tree renumbers its logits and changes nothing else.

    Attributes:
        layers: Number of layers.
        heads: Heads of each attention; a divisor of `width`.
        width: Width w of the tokens.
        feedforward: Hidden units of the feed-forward parts and of the heads.

    Cost: one pass of N + 1 tokens a state.

    Source: a graph transformer with a virtual node that carries the condition, as in Jain et al. (2023), ICML; biases
    from relations as in Ying et al. (2021), NeurIPS. Deviations from the authors' code: attention is over all pairs and
    knows bonds by biases, where theirs is along bonds only; the condition joins in a token and does not scale layers.
    """

    kind: ClassVar[str] = "tree"

    layers: int = 2
    heads: int = 4
    width: int = 64
    feedforward: int = 128

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(1, layers=self.layers, heads=self.heads, width=self.width, feedforward=self.feedforward)
        check.that(self.width % self.heads == 0, "width", f"be a multiple of heads = {self.heads}", self.width)

    def bind(self, environment: DesignEnvironment, *, condition_dim: int, backward: bool) -> TreeFlow:
        """Return the transformer over an environment's trees.

        Raises:
            InputError: If the environment does not build trees.
        """
        if not isinstance(environment, TreeEnvironment):
            rule = "meet trees of fragments (TreeEnvironment)"
            check.fail("TreePolicy", rule, type(environment).__name__, "use MLPPolicy")
        return TreeFlow(self, environment, condition_dim, backward)

    def describe(self) -> dict[str, Any]:
        """Return the options."""
        return {"kind": self.kind, **dataclasses.asdict(self)}


class Layer(NamedTuple):
    """One layer's parameters."""

    attention_scale: Tensor
    attention_shift: Tensor
    into_weight: Tensor
    into_bias: Tensor
    out_weight: Tensor
    out_bias: Tensor
    feedforward_scale: Tensor
    feedforward_shift: Tensor
    up_weight: Tensor
    up_bias: Tensor
    down_weight: Tensor
    down_bias: Tensor


class Weights(NamedTuple):
    """Parameters outside the layers; `*_weight` and `*_bias` are linear maps.

    Attributes:
        fragments: One vector each `[V, w]`.
        bound: Added for each bond at a class `[K, w]`.
        chosen: Added where a class of the node is the chosen place `[K, w]`.
        phases: The whole before the first fragment, without and with a chosen place, finished `[4, w]`.
        relations: Bias of each relation in each layer and head `[layers * heads, R]`.
        condition: `[w, c]`.
        scale, shift: Of the last normalization.
    """

    fragments: Tensor
    bound: Tensor
    chosen: Tensor
    phases: Tensor
    relations: Tensor
    condition: Tensor
    scale: Tensor
    shift: Tensor
    node_weight: Tensor
    node_bias: Tensor
    joint_weight: Tensor
    joint_bias: Tensor
    joints_weight: Tensor
    joints_bias: Tensor
    whole_weight: Tensor
    whole_bias: Tensor


@final
class TreeFlow(FlowModel):
    """A `TreePolicy` bound to an environment of trees."""

    environment: TreeEnvironment

    def __init__(self, policy: TreePolicy, environment: TreeEnvironment, condition_dim: int, backward: bool) -> None:
        self.policy, self.environment = policy, environment
        self.condition_dim, self.backward = condition_dim, backward

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the parts of a row: `Weights`, then each `Layer`."""
        policy, env = self.policy, self.environment
        w, f, k = policy.width, policy.feedforward, env.vocabulary.n_classes
        heads = policy.layers * policy.heads
        tables = ((len(env.vocabulary), w), (k, w), (k, w), (4, w), (heads, k * k + 4), (w, self.condition_dim))
        answers = ((k + 1, w), (k + 1,), (f, 2 * w), (f,), (env.n_joints, f), (env.n_joints,), (2, w), (2,))
        layer = ((w,), (w,), (3 * w, w), (3 * w,), (w, w), (w,), (w,), (w,), (f, w), (f,), (w, f), (w,))
        return (*tables, (w,), (w,), *answers, *(layer * policy.layers))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Entries of the parts of a row."""
        return tuple(math.prod(shape) for shape in self.shapes)

    @property
    def n_parameters(self) -> int:
        """Of embeddings, layers and heads."""
        return sum(self.sizes)

    def parts(self, row: Tensor) -> tuple[Weights, list[Layer]]:
        """Return views of a row `[D]`, taken apart by one split."""
        views = [p.view(s) for p, s in zip(row.split(self.sizes), self.shapes, strict=True)]
        first, size = len(Weights._fields), len(Layer._fields)
        begins = range(first, len(views), size)
        return Weights(*views[:first]), [Layer(*views[i : i + size]) for i in begins]

    def initial(self, rng: Rng, *, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return normal embeddings, Xavier-uniform matrices, zero biases; the answers begin small.

        Source: Glorot and Bengio (2010), AISTATS.
        """
        row = torch.zeros(self.n_parameters, dtype=dtype)
        weights, layers = self.parts(row)
        named = [("weights", weights._asdict()), *((f"layer {i}", layer._asdict()) for i, layer in enumerate(layers))]
        for group, parts in named:
            for name, part in parts.items():
                drawn = rng.child(group, name)
                if name.endswith("scale"):
                    part.fill_(1)
                elif name.endswith("weight"):
                    gain = 0.01 if name in ("node_weight", "joints_weight", "whole_weight") else 1.0
                    bound = gain * math.sqrt(6 / sum(part.shape))
                    part.copy_((2 * drawn.uniform(*part.shape) - 1) * bound)
                elif name == "condition":
                    part.copy_(drawn.normal(*part.shape) * max(self.condition_dim, 1) ** -0.5)
                elif name in ("fragments", "bound", "chosen", "phases"):
                    part.copy_(drawn.normal(*part.shape))
        return row

    def outputs(self, row: Tensor, states: Tensor, condition: Tensor | None) -> Outputs:
        """Return the outputs of trees."""
        env = self.environment
        weights, layers = self.parts(row)
        trees, place = env.trees(states), env.place(states)
        node, own = env.divided(place.clamp_min(0))
        chosen = place != NONE
        bonds = trees.bonds
        x = torch.cat(
            [
                self._whole(weights, states, trees, chosen, condition).unsqueeze(1),
                self._nodes(weights, trees, bonds, node, own, chosen),
            ],
            1,
        )
        bias = self._biases(weights, trees, bonds)
        for i, layer in enumerate(layers):
            x = self.passed(x, layer, bias[i])
        x = F.layer_norm(x, x.shape[-1:], weights.scale, weights.shift)
        whole, nodes = x[:, 0], x[:, 1:]
        at = nodes.gather(1, node.view(-1, 1, 1).expand(-1, 1, x.shape[-1])).squeeze(1)
        at = torch.where(chosen.unsqueeze(1), at, 0)
        hidden = torch.relu(F.linear(torch.cat([whole, at], 1), weights.joint_weight, weights.joint_bias))
        joints = F.linear(hidden, weights.joints_weight, weights.joints_bias)
        places = F.linear(nodes, weights.node_weight, weights.node_bias)
        stop, log_flow = F.linear(whole, weights.whole_weight, weights.whole_bias).unbind(1)
        forward = torch.cat([joints, places[..., :-1].flatten(1), stop.unsqueeze(1)], 1)
        if not self.backward:
            return Outputs(forward, None, log_flow)
        only = torch.zeros(len(states), 2, dtype=row.dtype, device=row.device)  # without an alternative
        return Outputs(forward, torch.cat([places[..., -1], only], 1), log_flow)

    def _whole(
        self, weights: Weights, states: Tensor, trees: Trees, chosen: Tensor, condition: Tensor | None
    ) -> Tensor:
        """Return the token of the whole `[n, w]`."""
        grown = trees.there.any(1).to(torch.int64)
        phase = torch.where(self.environment.done(states), 3, grown + chosen.to(torch.int64))
        token = F.embedding(phase, weights.phases)
        return token if condition is None else token + F.linear(condition.to(token.dtype), weights.condition)

    def _nodes(
        self, weights: Weights, trees: Trees, bonds: Tensor, node: Tensor, own: Tensor, chosen: Tensor
    ) -> Tensor:
        """Return the tokens of fragments `[n, N, w]`."""
        size, classes = trees.fragment.shape[1], len(weights.bound)
        numbers = torch.arange(classes, device=bonds.device)
        taken = (bonds.unsqueeze(-1) == numbers + 1).sum(2).to(weights.bound.dtype)
        slots = torch.arange(size, device=bonds.device)
        marked = chosen.unsqueeze(1) & (slots == node.unsqueeze(1))
        marks = (marked.unsqueeze(-1) & (own.view(-1, 1, 1) == numbers)).to(weights.chosen.dtype)
        label = F.embedding(trees.fragment.clamp_min(0), weights.fragments)
        return label + taken @ weights.bound + marks @ weights.chosen

    def _biases(self, weights: Weights, trees: Trees, bonds: Tensor) -> Tensor:
        """Return what is added to each pair's attention `[layers, heads * n, N + 1, N + 1]`: -inf to empty slots."""
        classes = len(weights.bound)
        same, apart, to_whole, from_whole = range(classes * classes, classes * classes + 4)
        pair = (bonds - 1) * classes + bonds.transpose(1, 2) - 1
        slots = torch.arange(bonds.shape[1], device=bonds.device)
        inner = torch.where(bonds > 0, pair, torch.where(slots.unsqueeze(1) == slots, same, apart))
        relation = F.pad(F.pad(inner, (1, 0), value=to_whole), (0, 0, 1, 0), value=from_whole)
        bias = weights.relations.index_select(1, relation.flatten()).view(-1, *relation.shape)
        there = F.pad(trees.there, (1, 0), value=True).unsqueeze(1)
        return torch.where(there, bias, -torch.inf).view(self.policy.layers, -1, *relation.shape[1:])

    def passed(self, x: Tensor, layer: Layer, bias: Tensor) -> Tensor:
        """Return tokens `[n, t, w]` after one layer whose attention has a bias `[heads * n, t, t]`, head by head."""
        n, tokens, width = x.shape
        inner = F.layer_norm(x, x.shape[-1:], layer.attention_scale, layer.attention_shift)
        heads = F.linear(inner, layer.into_weight, layer.into_bias)
        split = heads.view(n, tokens, 3, self.policy.heads, -1).permute(2, 3, 0, 1, 4)
        q, k, v = split.reshape(3, self.policy.heads * n, tokens, -1).unbind(0)
        share = torch.baddbmm(bias, q, k.transpose(1, 2), alpha=q.shape[-1] ** -0.5).softmax(-1)
        seen = torch.bmm(share, v).view(self.policy.heads, n, tokens, -1).permute(1, 2, 0, 3)
        x = x + F.linear(seen.reshape(n, tokens, width), layer.out_weight, layer.out_bias)
        inner = F.layer_norm(x, x.shape[-1:], layer.feedforward_scale, layer.feedforward_shift)
        hidden = torch.relu(F.linear(inner, layer.up_weight, layer.up_bias))
        return x + F.linear(hidden, layer.down_weight, layer.down_bias)
