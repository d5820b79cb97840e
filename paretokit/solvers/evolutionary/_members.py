"""One task a thread over the members of a stack."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

from torch import Tensor

from paretokit.core._threads import kernel_threads

THREAD_WORK = 20_000  # entries of a stack above which a second thread pays (a hand-over takes some 30 us)


LIGHT_WORK = 1_000_000  # entries of a light problem's generation below which torch's own threads only wait


@lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=f"paretokit-{process}")


def columns(*tensors: Tensor) -> tuple[Any, ...]:
    """Return CPU tensors as contiguous NumPy arrays."""
    return tuple(t.detach().contiguous().numpy() for t in tensors)


def over_members(kernel: Callable[..., None], *stacks: Tensor, work: int) -> None:
    """Call a kernel that releases the GIL on slices of the leading axis, on as many threads as torch has.

    Args:
        kernel: Fills its last arguments, given NumPy slices of all `stacks`.
        stacks: Contiguous CPU tensors `[P, ...]`.
        work: Entries that one member costs; small stacks stay on one thread.
    """
    members = len(stacks[0])
    arrays = columns(*stacks)
    threads = min(members, kernel_threads()) if members * work > THREAD_WORK else 1
    if threads <= 1:
        kernel(*arrays)
        return
    cuts = [members * t // threads for t in range(threads + 1)]
    pool = _pool(os.getpid(), threads - 1)
    parts = [[a[i:j] for a in arrays] for i, j in pairwise(cuts)]
    others = [pool.submit(kernel, *part) for part in parts[1:]]
    kernel(*parts[0])
    for other in others:
        other.result()
