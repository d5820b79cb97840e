"""Encoders of the eight-task suite: a residual MLP, a CNN with BatchNorm, a ViT; and heads by cosine."""

from __future__ import annotations

import math
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from paretokit.core import Rng
from paretokit.problems._glyphs import SIDE
from paretokit.problems.merging._suite_glyphs import CLASSES

EncoderName = Literal["mlp", "cnn", "vit"]
PATCH = 4  # side of a ViT's patch, in pixels
HEADS = 4
SCALE = 16.0  # of cosines, before softmax


@final
class Residual(nn.Module):
    """A layer that adds to its input: ``x + relu(linear(norm(x)))``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[n, width]`."""
        return x + torch.relu(self.linear(self.norm(x)))


@final
class ResidualMLP(nn.Module):
    """A perceptron with skip connections and LayerNorm: images `[n, 1, 16, 16]` to features `[n, width]`."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.input = nn.Linear(SIDE * SIDE, width)
        self.blocks = nn.Sequential(*(Residual(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return features."""
        out: Tensor = self.norm(self.blocks(self.input(2 * x.flatten(1) - 1)))
        return out


@final
class Convolution(nn.Module):
    """A 3 x 3 convolution, BatchNorm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[n, outputs, h / stride, w / stride]`."""
        return torch.relu(self.norm(self.convolution(x)))


@final
class ConvNet(nn.Module):
    """Convolutions with BatchNorm, two of which halve the image: `[n, 1, 16, 16]` to features `[n, 4 width]`.

    `depth` counts the convolutions, which are three at least.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        sizes = [(1, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)]
        sizes += [(4 * width, 4 * width, 1)] * (depth - 3)
        self.blocks = nn.Sequential(*(Convolution(*size) for size in sizes))
        self.output = nn.Linear(4 * width * PATCH * PATCH, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Return features."""
        out: Tensor = self.output(self.blocks(2 * x - 1).flatten(1))
        return out


@final
class Attention(nn.Module):
    """Self-attention of four heads."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[n, tokens, width]`."""
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, tokens, width)
        out: Tensor = self.output(mixed)
        return out


@final
class TransformerBlock(nn.Module):
    """Attention and a perceptron of twice the width, each after a LayerNorm, each added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.attention = Attention(width)
        self.between = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[n, tokens, width]`."""
        x = x + self.attention(self.before(x))
        out: Tensor = x + self.outer(F.gelu(self.inner(self.between(x))))
        return out


@final
class ViT(nn.Module):
    """A vision transformer over 16 patches of 4 x 4 pixels: `[n, 1, 16, 16]` to features `[n, 2 width]`.

    The features are a linear map of all tokens together, which is learned in fewer steps than their mean.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.patches = nn.Linear(PATCH * PATCH, width)
        self.positions = nn.Parameter(torch.empty((SIDE // PATCH) ** 2, width))
        self.blocks = nn.Sequential(*(TransformerBlock(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear((SIDE // PATCH) ** 2 * width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Return features."""
        sides = SIDE // PATCH
        cut = (2 * x - 1).reshape(len(x), sides, PATCH, sides, PATCH).transpose(2, 3).flatten(1, 2).flatten(2)
        out: Tensor = self.output(self.norm(self.blocks(self.patches(cut) + self.positions)).flatten(1))
        return out


@final
class CosineHead(nn.Module):
    r"""Logits of ten classes, :math:`16 \cos(z, w_c)`.

    Attributes:
        weight: Directions `[10, features]`.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(CLASSES, features))

    def forward(self, features: Tensor) -> Tensor:
        """Return `[n, 10]`."""
        return SCALE * F.normalize(features, dim=-1) @ F.normalize(self.weight, dim=-1).T


ENCODERS: dict[str, type[nn.Module]] = {"cnn": ConvNet, "mlp": ResidualMLP, "vit": ViT}


def encoder_of(name: str, *, width: int, depth: int) -> nn.Module:
    """Return an encoder without values, on the meta device."""
    with torch.device("meta"):
        return ENCODERS[name](width, depth)


def features_of(name: str, width: int) -> int:
    """Return how many features an encoder answers with."""
    return {"cnn": 4, "mlp": 1, "vit": 2}[name] * width


@torch.no_grad()
def initialized(module: nn.Module, rng: Rng) -> nn.Module:
    """Return a module of the meta device with values: matrices uniform by fan-in, norms one, biases zero."""
    made = module.to_empty(device="cpu")
    for name, tensor in made.state_dict().items():
        last = name.rpartition(".")[2]
        if tensor.ndim >= 2:
            bound = math.sqrt(3 / tensor[0].numel())
            drawn = rng.child(name).uniform(*tensor.shape, dtype=torch.float32)
            tensor.copy_(bound * (2 * drawn - 1))
        else:
            tensor.fill_(1 if last in ("weight", "running_var") else 0)
    return made
