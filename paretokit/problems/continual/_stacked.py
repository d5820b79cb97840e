"""Many networks of one architecture in one program."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from paretokit.core._parameters import Parameters
from paretokit.nn import perceptron

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
        """Return outputs `[P, B, out]` of networks `x [P, d]` for inputs `[B, ...]`, or each its own `[P, B, ...]`."""
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
