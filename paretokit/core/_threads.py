"""Who may use how many threads: torch's operators, or our own kernels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import torch

_ours: ContextVar[int] = ContextVar("threads that kernels may use while torch keeps to one", default=0)


@contextlib.contextmanager
def one_torch_thread(*, when: bool) -> Iterator[None]:
    """Keep torch's operators on this thread inside the block.

    After an operator has used several threads, the others spin for milliseconds, on cores that kernels need.
    """
    threads = torch.get_num_threads()
    if not when or threads == 1:
        yield
        return
    token = _ours.set(threads)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _ours.reset(token)


def kernel_threads() -> int:
    """Return how many threads a kernel may use: torch's number, also where torch itself keeps to one meanwhile."""
    return _ours.get() or torch.get_num_threads()
