"""A module with other tensors: copied without copying its weights first."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from paretokit.core import _check as check


def key_of(tensor: Tensor) -> object:
    """Return what two names of one tensor have in common."""
    apart = tensor.is_meta or tensor.numel() == 0
    return id(tensor) if apart else (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())


def groups_of(module: nn.Module) -> dict[str, tuple[str, ...]]:
    """Return, by its first name, all names of each tensor of a module's state: tied tensors have several."""
    by_place: dict[object, list[str]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        by_place.setdefault(key_of(tensor), []).append(name)
    return {names[0]: tuple(names) for names in by_place.values()}


def with_tensors(
    architecture: nn.Module, tensors: Mapping[str, Tensor], otherwise: Callable[[Tensor], Tensor]
) -> nn.Module:
    """Return a copy of a module, in evaluation mode, whose state are the given tensors themselves; ties stay ties.

    Args:
        architecture: The module; unchanged, and its weights are never copied as a whole. It may be on the meta device.
        tensors: By name in the state dict. A `Parameter` becomes the copy's, any other tensor its memory.
        otherwise: Makes a tensor of the copy from one of the module's that was not given.

    Raises:
        InputError: If a tensor is on the meta device and was not given.
    """
    held = list(chain(architecture.parameters(), architecture.buffers()))
    twin = copy.deepcopy(architecture, {id(t): t for t in held}).eval()
    state = architecture.state_dict(keep_vars=True)
    new: dict[object, Tensor] = {}
    for name, tensor in tensors.items():
        if name in state:
            new[key_of(state[name])] = tensor
    for place, owner in list(twin.named_modules()):
        own = [*owner.named_parameters(recurse=False), *owner.named_buffers(recurse=False)]
        for name, old in own:
            key = key_of(old)
            if key not in new:
                check.that(not old.is_meta, f"architecture[{place}.{name}]", "have values", "a meta tensor in no file")
                new[key] = otherwise(old.detach())
            made = new[key]
            if isinstance(old, nn.Parameter) and not isinstance(made, nn.Parameter):
                made = new[key] = nn.Parameter(made, requires_grad=False)
            setattr(owner, name, made)
    return twin


BatchNorm = nn.modules.batchnorm._BatchNorm


def batch_norms(module: nn.Module) -> list[BatchNorm]:
    """Return a module's BatchNorm layers that keep running statistics."""
    found = [m for m in module.modules() if isinstance(m, BatchNorm)]
    return [m for m in found if m.running_mean is not None]


def differentiable(norms: list[BatchNorm]) -> None:
    r"""Let BatchNorm layers, in place, normalize with gradients to their running statistics too, as torch's do not.

    .. math:: y = \gamma'\,(x - \bar\mu) / \sqrt{\bar v + \epsilon} + \beta', \qquad
              \gamma' = \gamma \sqrt{(\bar v + \epsilon) / (v + \epsilon)}, \qquad
              \beta' = \beta - \gamma' (\mu - \bar\mu) / \sqrt{\bar v + \epsilon}

    where :math:`\bar\mu, \bar v` equal the statistics without a graph: the value is torch's, from torch's kernel, and
    the statistics' gradients come through scale and shift. A variance that a merge extrapolated below zero counts as
    zero.
    """
    for m in norms:
        m.forward = partial(_normalized, m)  # type: ignore[method-assign]


def _normalized(m: BatchNorm, x: Tensor) -> Tensor:
    m._check_input_dim(x)
    assert m.running_mean is not None
    assert m.running_var is not None
    variance = m.running_var.clamp_min(0)
    mean, fixed = m.running_mean.detach(), variance.detach()
    scale = ((fixed + m.eps) / (variance + m.eps)).sqrt()
    scale = scale if m.weight is None else scale * m.weight
    shift = scale * (mean - m.running_mean) * (fixed + m.eps).rsqrt()
    shift = shift if m.bias is None else shift + m.bias
    return nn.functional.batch_norm(x, mean, fixed, scale, shift, training=False, eps=m.eps)


@contextmanager
def batch_statistics(norms: list[BatchNorm]) -> Iterator[None]:
    """Let BatchNorm layers normalize by the batch they see, and leave their running statistics alone."""
    for m in norms:
        m.training, m.track_running_stats = True, False
    try:
        yield
    finally:
        for m in norms:
            m.training, m.track_running_stats = False, True


@contextmanager
def estimating(norms: list[BatchNorm]) -> Iterator[None]:
    """Let BatchNorm layers forget their running statistics and take the mean of those of the batches they see."""
    kept = [m.momentum for m in norms]
    for m in norms:
        m.reset_running_stats()
        m.momentum, m.training = None, True
    try:
        yield
    finally:
        for m, momentum in zip(norms, kept, strict=True):
            m.momentum, m.training = momentum, False


@contextmanager
def plain_attention() -> Iterator[None]:
    """Keep torch's attention from its fused kernels, which have no batching rule."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def likeness(device: torch.device, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """Return what copies a tensor to a device, and one of floating point to a type."""

    def made(tensor: Tensor) -> Tensor:
        return tensor.to(device, dtype if tensor.is_floating_point() else None, copy=True)

    return made
