"""Networks of the merging benchmark with random weights: an MLP, a ResNet-18, a ViT-Tiny, and their fine-tunings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from paretokit.core import Rng
from paretokit.problems.merging import ModelMerging, Task

TASKS, BATCH, CLASSES = 8, 16, 10
FINE_TUNED = 0.3  # how far fine-tunings are from the origin, in standard deviations of its weights
EXAMPLES = 32  # of unlabeled data, a task


class MLP(nn.Sequential):
    """Three layers, five million weights."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(784, 1600), nn.ReLU(), nn.Linear(1600, 1600), nn.ReLU(), nn.Linear(1600, 768))


class Block(nn.Module):
    """Two convolutions around a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = convolution(inputs, width, 3, stride), convolution(width, width, 3, 1)
        self.shortcut = nn.Identity() if stride == 1 and inputs == width else convolution(inputs, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps `[n, width, h, w]`."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


def convolution(inputs: int, width: int, kernel: int, stride: int) -> nn.Sequential:
    """Return a convolution and its BatchNorm."""
    own = nn.Conv2d(inputs, width, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(own, nn.BatchNorm2d(width))


class ResNet18(nn.Sequential):
    """He, Zhang, Ren and Sun (2016), without the classifier: 11.2 million weights."""

    def __init__(self) -> None:
        stem = [convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        widths = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
        blocks = [block for a, b, stride in widths for block in (Block(a, b, stride), Block(b, b, 1))]
        super().__init__(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class EncoderLayer(nn.Module):
    """Attention and an MLP around shortcuts, with the tensors that a layer of Hugging Face's CLIP has."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out, self.up, self.down = nn.Linear(width, width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens `[n, t, width]`."""
        h = self.before(x)
        q, k, v = (f(h).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        seen = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        out: Tensor = x + self.down(nn.functional.gelu(self.up(self.between(x))))
        return out


class ViTTiny(nn.Module):
    """Twelve layers of width 192 with three heads.

    Args:
        side: Of images.
        patch: Side of what becomes a token.
    """

    def __init__(self, side: int, patch: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 192, patch, patch, bias=False)
        self.first, self.places = (
            nn.Parameter(torch.zeros(192)),
            nn.Parameter(torch.zeros((side // patch) ** 2 + 1, 192)),
        )
        self.before, self.after = nn.LayerNorm(192), nn.LayerNorm(192)
        self.layers = nn.ModuleList(EncoderLayer(192, 3) for _ in range(12))

    def forward(self, x: Tensor) -> Tensor:
        """Return features `[n, 192]` of images `[n, 3, side, side]`."""
        x = self.patches(x).flatten(2).mT
        x = self.before(torch.cat([self.first.expand(len(x), 1, -1), x], 1) + self.places)
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.after(x[:, 0])
        return out


@dataclass(frozen=True)
class Network:
    """A line of the table.

    Attributes:
        title: What the table calls it.
        make: Makes the encoder.
        shape: Of an example.
        features: Numbers that heads take.
        goal: Ratio of speeds that is asked for.
    """

    title: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    features: int
    goal: float


NETWORKS = {
    "mlp": Network("MLP", MLP, (784,), 768, 5.0),
    "resnet18": Network("ResNet-18, 32 x 32", ResNet18, (3, 32, 32), 512, 2.0),
    "vit-tiny": Network("ViT-Tiny, 17 tokens", partial(ViTTiny, 32, 8), (3, 32, 32), 192, 1.2),
    "vit-tiny-50": Network("ViT-Tiny, 50 tokens", partial(ViTTiny, 224, 32), (3, 224, 224), 192, 1.2),
}


def write(network: Network, folder: Path) -> None:
    """Write the origin ``base.safetensors`` and fine-tunings ``0.safetensors`` …; BatchNorm's statistics stay put."""
    with torch.device("meta"):
        module = network.make()
    rng = Rng.from_seed(0)

    def drawn(name: str, tensor: Tensor, *path: str | int) -> Tensor:
        fan_in = max(tensor[0].numel() if tensor.ndim > 1 else tensor.numel(), 1)
        return rng.child(*path, name).normal(*tensor.shape, dtype=torch.float32) / math.sqrt(fan_in)

    base = {name: torch.zeros(t.shape, dtype=t.dtype) for name, t in module.named_buffers()}
    base |= {name: torch.ones(t.shape) for name, t in module.named_buffers() if name.endswith("running_var")}
    learnt = dict(module.named_parameters())
    for name, tensor in learnt.items():
        scale = tensor.ndim == 1 and name.endswith("weight")
        base[name] = math.sqrt(2) ** (tensor.ndim == 4) * drawn(name, tensor, "base") + scale
    save_file(base, str(folder / "base.safetensors"))
    for k in range(TASKS):
        own = {name: base[name] + FINE_TUNED * drawn(name, tensor, "task", k) for name, tensor in learnt.items()}
        save_file(base | own, str(folder / f"{k}.safetensors"))


def loaded(network: Network, file: Path) -> nn.Module:
    """Return a module with the weights of a file."""
    with torch.device("meta"):
        module = network.make()
    module.load_state_dict(load_file(str(file)), assign=True)
    return module


def tasks(network: Network) -> list[Task]:
    """Return data and heads of each task."""
    rng, made = Rng.from_seed(1), []
    for k in range(TASKS):
        own = rng.child("task", k)
        head = nn.Linear(network.features, CLASSES, bias=False)
        weight = own.child("head").normal(*head.weight.shape, dtype=torch.float32)
        head.weight = nn.Parameter(weight / math.sqrt(network.features), requires_grad=False)
        x = own.child("data").normal(EXAMPLES, *network.shape, dtype=torch.float32)
        made.append(Task(name=str(k), unlabeled=x, head=head))
    return made


def problem(network: Network, folder: Path, **options: Any) -> ModelMerging:
    """Return the merging problem of the files in a folder."""
    with torch.device("meta"):
        module = network.make()
    files = [folder / f"{k}.safetensors" for k in range(TASKS)]
    return ModelMerging(
        pretrained=folder / "base.safetensors",
        finetuned=files,
        tasks=tasks(network),
        architecture=module,
        batch_size=BATCH,
        **options,
    )
