"""Small streams whose answers are known."""

import torch
from torch import nn

from paretokit.core import Rng
from paretokit.problems import ContinualLearning
from paretokit.problems.continual._networks import perceptron_of


def blobs(angle, n, rng, *, labels=True):
    """Two clouds in the plane, either side of a line through the origin at an angle."""
    y = torch.arange(n) % 2
    side = (2 * y - 1).to(torch.float32)
    a = torch.tensor(angle)
    direction = torch.stack([a.cos(), a.sin()])
    x = 1.5 * side.unsqueeze(1) * direction + rng.normal(n, 2, dtype=torch.float32) * 0.7
    return x, y


def stream(*angles, n=24, hidden=(), seed=0, scenario="domain", metric="accuracy"):
    rng = Rng.from_seed(seed)
    tasks = [
        tuple(blobs(a, n, rng.child("task", k, part)) for part in ("train", "validation", "test"))
        for k, a in enumerate(angles)
    ]
    out = 2 * len(angles) if scenario == "task" else 2
    return ContinualLearning(tasks, perceptron_of((2, *hidden, out)), scenario=scenario, metric=metric)


class Normed(nn.Module):
    """A network with buffers, and no plain perceptron."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(torch.tanh(self.norm(self.first(x))))
