"""Three handwritten-digit tasks, an MLP pretrained on all and fine-tuned on each: made in a second or two."""

from __future__ import annotations

import copy
from functools import cache

import torch
from torch import Tensor, nn

from paretokit.core import Rng
from paretokit.problems.merging import ModelMerging, Task

CLASSES = ((0, 1, 2), (3, 4, 5), (6, 7, 8))


class Encoder(nn.Module):
    """Two hidden layers and a normalized output."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.first = nn.Linear(64, width)
        self.second = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(torch.relu(self.second(torch.relu(self.first(x)))))


@cache
def digits() -> tuple[Tensor, Tensor]:
    """Return pixels `[n, 64]` in [0, 1] and digits, in a fixed random order."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = Rng.from_seed(0).permutation(len(data.target))
    return torch.tensor(data.data / 16, dtype=torch.float32)[order], torch.tensor(data.target)[order]


def split(classes: tuple[int, ...]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return train, validation and test data of some digits, labeled from 0."""
    x, y = digits()
    mine = torch.isin(y, torch.tensor(classes))
    x, y = x[mine], torch.searchsorted(torch.tensor(classes), y[mine])
    a, b = len(x) // 2, 3 * len(x) // 4
    return {"train": (x[:a], y[:a]), "validation": (x[a:b], y[a:b]), "test": (x[b:], y[b:])}


def train(encoder: nn.Module, heads: list[nn.Module], data: list[tuple[Tensor, Tensor]], *, steps: int) -> None:
    """Fit an encoder to the sum of the losses, in place; heads stay as they are."""
    adam = torch.optim.Adam(encoder.parameters(), lr=3e-3)
    for _ in range(steps):
        adam.zero_grad()
        loss = sum(
            (nn.functional.cross_entropy(h(encoder(x)), y) for h, (x, y) in zip(heads, data, strict=True)),
            torch.zeros(()),
        )
        loss.backward()
        adam.step()


@cache
def pieces(n: int = 3) -> tuple[Encoder, tuple[Encoder, ...], tuple[Task, ...]]:
    """Return the pretrained encoder, its fine-tunings and the tasks."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        encoder = Encoder()
        heads = [nn.Linear(32, 3) for _ in range(n)]
    data = [split(c) for c in CLASSES[:n]]
    train(encoder, list(heads), [d["train"] for d in data], steps=15)
    tuned = []
    for head, own in zip(heads, data, strict=True):
        mine = copy.deepcopy(encoder)
        train(mine, [head], [own["train"]], steps=60)
        tuned.append(mine)
    tasks = tuple(
        Task(name=f"digits {c}", unlabeled=d["test"][0], validation=d["validation"], test=d["test"], head=h)
        for c, d, h in zip(CLASSES, data, heads, strict=False)
    )
    return encoder, tuple(tuned), tasks


def small(n: int = 3, **options: object) -> ModelMerging:
    """Return the problem."""
    encoder, tuned, tasks = pieces(n)
    return ModelMerging(pretrained=encoder, finetuned=tuned, tasks=tasks, **options)  # type: ignore[arg-type]
