"""fusion-bench's side of the merging benchmark: its layer-wise merged model and its entropy, stepped as it does.

Installed by `make peers-merging`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AdaMerging:
    """The loop of its `LayerWiseAdaMergingAlgorithm`, without loaders, loggers and Lightning's wrappers around it.

    Args:
        pretrained: The common origin.
        finetuned: Become task vectors, in place.
        heads: One a task, frozen.
        start: Of all coefficients.
        learning_rate: Of Adam.
    """

    def __init__(
        self,
        pretrained: nn.Module,
        finetuned: list[nn.Module],
        heads: list[nn.Module],
        *,
        start: float = 0.3,
        learning_rate: float = 1e-3,
    ) -> None:
        from fusion_bench.method.adamerging.entropy_loss import entropy_loss
        from fusion_bench.models.wrappers.layer_wise_fusion import LayerWiseMergedModel, get_layer_wise_weights

        n_layers = len([p for p in pretrained.parameters() if p.requires_grad])
        weights = get_layer_wise_weights(len(finetuned), n_layers, start)
        self.names = [name for name, _ in pretrained.named_parameters()]
        with torch.no_grad():
            self.module = LayerWiseMergedModel(weights, pretrained, finetuned)
        self.module.eval()  # its training mode lets BatchNorm take each batch's statistics, and forget the checkpoint's
        self.heads, self._entropy = heads, entropy_loss
        self._adam = torch.optim.Adam([self.module.merge_weight], lr=learning_rate)
        self.module.merge_weights()

    def step(self, batches: list[Tensor]) -> None:
        """Run forward and backward for one batch of each task, update, merge."""
        for x, head in zip(batches, self.heads, strict=True):
            loss = self._entropy(head(self.module(x)))
            loss.backward(retain_graph=True)
        self._adam.step()
        self._adam.zero_grad()
        self.module.merge_weights()

    @property
    def coefficients(self) -> Tensor:
        """Coefficients `[L, K]`, in the order of `names`."""
        out: Tensor = self.module.merge_weight.detach().T
        return out
