"""Many networks of one architecture in one program."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from paretokit.core._parameters import Parameters
from paretokit.nn import MLP
from paretokit.nn._mlp import Activation

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Stacked:
    """Runs networks that are rows of one space: perceptrons by batched products, others by `torch.func.vmap`.

    Args:
        space: Of the network's parameters.
        network: Which of them is tried on data.
    """

    def __init__(self, space: Parameters, network: nn.Module) -> None:
        self.space = space
        self.start = space.flatten(dict([*network.named_parameters(), *network.named_buffers()]))
        self.module = space.module(self.start).eval()
        for parameter in self.module.parameters():
            parameter.requires_grad = False
        self.mlp = perceptron(self.module)

    def __call__(self, x: Tensor, inputs: Tensor, *, own: bool = False) -> Tensor:
        """Return outputs `[P, B, out]` of networks `x [P, d]` for inputs `[B, ...]`, or each its `own` `[P, B, ...]`."""
        if self.mlp is not None:
            return self.mlp(x, inputs if own else inputs.expand(len(x), *inputs.shape))

        def of_one(row: Tensor, batch: Tensor) -> Tensor:
            found: Tensor = torch.func.functional_call(self.module, self._named(row), batch)
            return found

        if any(isinstance(part, CONVOLUTIONS) for part in self.module.modules()):  # on a CPU faster alone
            return torch.stack([of_one(row, inputs[p] if own else inputs) for p, row in enumerate(x.unbind())])
        stacked: Tensor = torch.func.vmap(of_one, in_dims=(0, 0 if own else None))(x, inputs)
        return stacked

    def _named(self, row: Tensor) -> dict[str, Tensor]:
        parts = row.split([s.end - s.begin for s in self.space.slices])
        found = {}
        for s, part in zip(self.space.slices, parts, strict=True):
            held = part if s.begin < self.space.n_parameters else part.detach()
            found[s.name] = held.reshape(s.shape).to(row.dtype if s.dtype.is_floating_point else s.dtype)
        return found


def perceptron(module: nn.Module) -> MLP | None:
    """Return the perceptron that a module is, if it is one: layers with biases, ReLU or tanh between them."""
    parts = list(module) if isinstance(module, nn.Sequential) else [module]
    layers, between = parts[::2], parts[1::2]
    if len(parts) % 2 == 0 or not all(type(part) is nn.Linear and part.bias is not None for part in layers):
        return None
    kinds = {type(part) for part in between}
    if len(kinds) > 1 or not kinds <= {nn.ReLU, nn.Tanh}:
        return None
    linear = cast("list[nn.Linear]", layers)
    activation: Activation = "tanh" if nn.Tanh in kinds else "relu"
    return MLP((linear[0].in_features, *(part.out_features for part in linear)), activation)
