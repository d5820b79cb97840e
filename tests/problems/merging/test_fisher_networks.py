"""Fisher merging of networks that no shortcut fits: tied weights, and layers that are not vectorized."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import paretokit as pk
from paretokit.core import InputError, ParetoError
from paretokit.problems.merging import ModelMerging, Task


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x).tanh())


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(4, 4, batch_first=True)

    def forward(self, x):
        return self.cell(x.unsqueeze(1))[0][:, 0]


def merging(module):
    rng = pk.Rng.from_seed(0)
    tuned = []
    for k in range(2):
        own = copy.deepcopy(module)
        with torch.no_grad():
            for i, p in enumerate(own.parameters()):
                p += 0.1 * rng.child("tuned", k, i).normal(*p.shape, dtype=p.dtype)
        tuned.append(own)
    x = rng.child("x").normal(8, 4, dtype=torch.float32)
    y = torch.arange(8) % 4
    tasks = [Task(name=f"t{k}", unlabeled=x, validation=(x, y)) for k in range(2)]
    return ModelMerging(pretrained=module, finetuned=tuned, tasks=tasks)


def test_tied_weights_are_merged_once():
    result = pk.solve(merging(Tied()), pk.solvers.FisherMerging(), seed=0, progress=False)
    merged = result.front[0].decode()
    assert merged.a.weight is merged.b.weight
    assert torch.isfinite(result.front.values).all()


def test_networks_that_vmap_cannot_follow_are_refused_in_a_line():
    with pytest.raises(
        (InputError, ParetoError), match="`architecture` must be a network that torch.func.vmap can follow"
    ):
        pk.solve(merging(Recurrent()), pk.solvers.FisherMerging(), seed=0, progress=False)
