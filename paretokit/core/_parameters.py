"""The weights of a network as a decision: one flat row, with the way back to named tensors."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from paretokit.core import _check as check
from paretokit.core._rng import Rng
from paretokit.core._space import REAL, Space


@dataclass(frozen=True)
class Slice:
    """Where a tensor lies in the row.

    Attributes:
        name: Its name in the module.
        begin, end: Its columns.
        shape: Its shape.
        dtype: Its dtype in the module.
    """

    name: str
    begin: int
    end: int
    shape: tuple[int, ...]
    dtype: torch.dtype


@final
class Parameters(Space):
    """All parameters and buffers of a module, flat; generic solvers vary only the parameters.

    Buffers (running statistics, counters) are columns whose bounds both equal their value, so that variation leaves
    them alone and a row still holds the whole module.

    Args:
        module: A template; it is copied and never changed.
        bound: Parameters are decided within [-bound, bound].

    Raises:
        InputError: If the module has no parameters, or one of them is outside the bound.
    """

    def __init__(self, module: nn.Module, *, bound: float = 10.0) -> None:
        check.positive(bound=bound)
        self._template = copy.deepcopy(module).cpu()
        named = [*self._template.named_parameters(), *self._template.named_buffers()]
        self.n_parameters = sum(p.numel() for p in self._template.parameters())
        check.at_least(1, n_parameters=self.n_parameters)
        slices, at = [], 0
        for name, tensor in named:
            slices.append(Slice(name, at, at + tensor.numel(), tuple(tensor.shape), tensor.dtype))
            at += tensor.numel()
        self.slices = tuple(slices)
        start = self.flatten(dict(named))
        varied = torch.arange(at) < self.n_parameters
        most = float(start[varied].abs().max())
        check.that(most <= bound, "bound", "hold the module's own parameters", bound, f"the largest is {most:g}")
        lower = torch.where(varied, -bound, start)
        super().__init__(lower, torch.where(varied, bound, start), torch.full((at,), REAL, dtype=torch.int64))

    def flatten(self, tensors: dict[str, Tensor]) -> Tensor:
        """Return the row `[d]`, float64, of named tensors (a state dict)."""
        return torch.cat([tensors[s.name].detach().to("cpu", torch.float64).reshape(-1) for s in self.slices])

    def unflatten(self, x: Tensor) -> dict[str, Tensor]:
        """Return rows `[..., d]` as tensors `[..., *shape]` by name, as `torch.func.functional_call` reads them."""
        return {
            s.name: x[..., s.begin : s.end]
            .reshape((*x.shape[:-1], *s.shape))
            .to(x.dtype if s.dtype.is_floating_point else s.dtype)
            for s in self.slices
        }

    def module(self, x: Tensor) -> nn.Module:
        """Return a module of its own that holds one row `[d]`."""
        made = copy.deepcopy(self._template)
        named = {
            s.name: t.to(s.dtype) for s, t in zip(self.slices, self.unflatten(x.detach().cpu()).values(), strict=True)
        }
        made.load_state_dict(named, strict=False)
        return made

    def sample(self, n: int, rng: Rng, *, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return n rows `[n, d]` initialized as the module initializes itself (its `reset_parameters`)."""
        rows = []
        for i in range(n):
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(rng.child("parameters", i).seed32)
                made = copy.deepcopy(self._template)
                for part in made.modules():
                    reset = getattr(part, "reset_parameters", None)
                    if callable(reset):
                        reset()
            rows.append(self.flatten({**dict(made.named_parameters()), **dict(made.named_buffers())}))
        empty = torch.empty(0, self.dim, dtype=torch.float64)
        return self.project(torch.stack(rows) if rows else empty).to(dtype)

    def describe(self) -> dict[str, Any]:
        """Return names, shapes and the bound."""
        return {
            "kind": "Parameters",
            "slices": [[s.name, list(s.shape), str(s.dtype)] for s in self.slices],
            "bound": float(self.upper[0]),
            "buffers": [float(v) for v in self.lower[self.n_parameters :]],
        }
