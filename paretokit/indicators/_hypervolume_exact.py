"""Exact volumes of finite NumPy fronts in minimization sense: which algorithm, which library, how many threads.

A front has float64 rows `[n, m]`. Peers crash or hang on NaN and infinity, so callers hand over finite rows only.
Compiled kernels are used once they pay (see `paretokit.core._kernel`); until then moocore or pygmo do the work.
"""

from __future__ import annotations

import functools
import heapq
import importlib
import itertools
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from paretokit.core._kernel import KernelModule, cache_folder

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_TASKS = 64  # parts that a large tree is cut into; the same for every number of threads, so the sum is the same too
_THREAD_ROWS = {2: 5000, 3: 2000, 4: 300, 5: 100}  # from here a call of moocore outweighs the quarrel about the GIL
_GRAIN_SECONDS = 2.5e-3  # a thread is not worth waking for less
_SPLIT_SECONDS = 4e-3  # work below this stays on one thread


class SizedKernels(KernelModule):
    """Kernels that are compiled for one number of objectives at a time, by ``prepare(m)`` of their module."""

    def __init__(self, name: str, m: int, compile_seconds: float, prepare: str = "prepare") -> None:
        super().__init__(f"paretokit.indicators.{name}", compile_seconds)
        self.m = m
        self.prepare = prepare
        self._loaded: Any = None

    @functools.cached_property
    def _stamp(self) -> Any:
        plain = KernelModule(self.name, self.compile_seconds)._stamp.name
        return cache_folder() / "stamps" / f"{plain}-{self.prepare}-{self.m}"

    def ready(self) -> bool:
        """Tell whether the kernels can be had without waiting for the compiler."""
        return self._loaded is not None or self._stamp.exists()

    def load(self) -> Any:
        """Import the module and compile it for m objectives, where the cache does not hold it."""
        if self._loaded is None:
            module = importlib.import_module(self.name)
            getattr(module, self.prepare)(self.m)
            self._loaded = module
            try:
                self._stamp.parent.mkdir(parents=True, exist_ok=True)
                self._stamp.touch()
            except OSError:
                pass  # a read-only home costs the compilation again, nothing else
        return self._loaded


@functools.cache
def _qhv(m: int) -> SizedKernels:
    return SizedKernels("_hv_qhv_kernels", m, 4.0)


@functools.cache
def _exclusive(m: int) -> SizedKernels:
    return SizedKernels("_hv_exclusive_kernels", m, 4.0)


@functools.cache
def _facets(m: int) -> SizedKernels:
    return SizedKernels("_hv_exclusive_kernels", m, 4.0, "prepare_facets")


_SWEEPS = KernelModule("paretokit.indicators._hv_sweep_kernels", 3.0)


def threads() -> int:
    """Return how many threads kernels may use: as many as torch."""
    return torch.get_num_threads()


def spread(function: Callable[[int, int], object], n: int, *, grain: int = 1) -> None:
    """Call ``function(first, last)`` over 0 … n in chunks of at least `grain`, on as many threads as torch uses."""
    workers = min(threads(), n // max(grain, 1))
    if workers <= 1:
        function(0, n)
        return
    edges = np.linspace(0, n, min(n, 4 * workers) + 1).astype(int).tolist()
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(function, a, b) for a, b in itertools.pairwise(edges)]:
            future.result()


def area(A: Matrix, ref: Vector) -> float:
    """Return the hypervolume for m = 2: sort by x, sum strips under the running minimum of y; O(n log n)."""
    order = A[:, 0].argsort()
    x, y = A[:, 0].take(order), A[:, 1].take(order)
    np.minimum(x, ref[0], out=x)
    np.minimum.accumulate(y, out=y)
    np.minimum(y, ref[1], out=y)
    width = np.empty_like(x)
    np.subtract(x[1:], x[:-1], out=width[:-1])
    width[-1] = ref[0] - x[-1]
    np.subtract(ref[1], y, out=y)
    np.multiply(width, y, out=y)
    return float(y.sum())  # not a BLAS product: its threads cost more than they save


def exact(A: Matrix, ref: Vector) -> float:
    """Return the hypervolume of finite rows; rows outside the box of the reference point count nothing."""
    n, m = A.shape
    if n == 0:
        return 0.0
    if m == 1:
        return max(0.0, float(ref[0] - A.min()))
    if m == 2:
        return area(A, ref)
    if m <= 5:
        import moocore

        return float(moocore.hypervolume(A, ref=ref))
    A = A[(ref > A).all(1)]
    return 0.0 if len(A) == 0 else many(A, ref)


def peer_seconds(n: int, m: int) -> float:
    """Return what pygmo takes for a linear front, roughly: a fit to one core of an EPYC, m = 6 … 10, n = 20 … 400."""
    return float(1e-4 * 2.2 ** (m - 6) * (n / 20) ** (2.2 + 0.35 * (m - 6)))


def many(A: Matrix, ref: Vector) -> float:
    """Return the hypervolume of rows inside the box for m ≥ 6: QHV-II, or a peer where waiting would not pay."""
    n, m = A.shape
    kernels = _qhv(m)
    if n <= 4 or not kernels.worth(peer_seconds(n, m)):
        begin = time.perf_counter()
        volume = peer(A, ref)
        kernels._spent += time.perf_counter() - begin
        return volume
    return qhv(kernels.load(), np.ascontiguousarray(ref - A))


def peer(A: Matrix, ref: Vector) -> float:
    """Return the hypervolume by the faster of moocore and pygmo; pygmo has no wheel on some platforms."""
    n, m = A.shape
    if n > 15 and (m >= 8 or n > 60):
        try:
            import pygmo
        except ImportError:
            pass
        else:
            return float(pygmo.hypervolume(A).compute(ref))
    import moocore

    return float(moocore.hypervolume(A, ref=ref))


def qhv(kernels: Any, gains: Matrix) -> float:
    """Return the volume by QHV-II, the tree cut deeply and worked off largest first over torch's number of threads."""
    n, m = gains.shape
    w = (0.0,) * m
    if threads() == 1 or peer_seconds(n, m) < _SPLIT_SECONDS:
        return float(kernels.volume(gains, w))
    boxes: list[float] = []
    small: list[Matrix] = []
    heap, serial = [(-n, 0, gains)], 1
    while heap and len(heap) + len(small) < _TASKS:
        size, _, rows = heapq.heappop(heap)
        if -size <= 8:
            small.append(rows)
            continue
        volume, parts, sizes = kernels.split(rows, w)
        boxes.append(volume)
        edges = np.concatenate([[0], np.cumsum(sizes)])
        for a, b in itertools.pairwise(edges.tolist()):
            if b > a:
                heapq.heappush(heap, (a - b, serial, parts[a:b]))
                serial += 1
    tasks = [rows for _, _, rows in sorted(heap, key=lambda task: task[:2])] + small
    with ThreadPoolExecutor(threads()) as pool:
        return math.fsum([*boxes, *pool.map(lambda rows: kernels.volume(rows, w), tasks)])


def exact_batch(A: NDArray[np.float64], ref: Vector) -> Vector:
    """Return the hypervolumes of fronts `[b, n, m]`; rows outside the box may hold +inf, the others are finite."""
    b, n, m = A.shape
    out = np.zeros(b)
    if n == 0 or b == 0:
        return out
    if m == 1:
        out[:] = np.maximum(ref[0] - A[:, :, 0].min(1), 0.0)
        return out
    if m <= 3 and n <= 4096 and _SWEEPS.worth(1e-5 * b * (1 + n / 200)):
        sweep = getattr(_SWEEPS.load(), f"sweep{m}")
        C = np.ascontiguousarray(A)
        spread(lambda first, last: sweep(C, ref, first, last, out), b, grain=max(1, 20_000 // n))
        return out

    finite = math.isfinite(A.sum())

    def one(first: int, last: int) -> None:
        for i in range(first, last):
            out[i] = exact(A[i] if finite else A[i][(ref > A[i]).all(1)], ref)

    begin = time.perf_counter()
    one(0, b) if m > 5 or n < _THREAD_ROWS[m] else spread(one, b)
    if m <= 3 and n <= 4096:
        _SWEEPS._spent += time.perf_counter() - begin
    return out


def plain_alone(p: Vector, A: Matrix, ref: Vector, *, worse: bool) -> float:
    """Return the volume that p dominates and no row of A does: the box of p less its neighbors' volume inside it."""
    if not (p < ref).all():
        return 0.0
    above, below = p < A, (p > A).any(1) | worse
    if (~above.any(1)).any():
        return 0.0
    if np.isneginf(p).any():
        return math.inf
    D, above = (np.maximum(A, p) - p)[below], above[below]
    U = ref - p
    single = above.sum(1) == 1
    np.minimum.at(U, above[single].argmax(1), D[single].sum(1))
    D = D[(D < U).all(1)]
    return max(0.0, float(U.prod()) - (exact(D, U) if len(D) else 0.0))


def exclusive_seconds(n: int, m: int) -> float:
    """Return what one exclusive volume takes, roughly: a fit to linear fronts, m = 4 … 8, n = 50 … 1000."""
    return float(1e-5 * 5.0 ** (m - 4) * math.sqrt((n + 1) / 100))


def exclusive(C: Matrix, A: Matrix, ref: Vector, *, among: bool) -> Vector:
    """Return the exclusive volume of each row of C against A, m ≥ 2; `among` says that C is A itself.

    Among themselves, rows that are dominated count nothing for the others either.
    """
    k, m = C.shape
    out = np.zeros(k)
    if k == 0:
        return out
    kernels = _exclusive(m)
    if kernels.worth(3e-5 * k):
        C, A = np.ascontiguousarray(C), np.ascontiguousarray(A)
        module, w = kernels.load(), (0.0,) * m
        if among:
            job = lambda first, last: module.contributions(A, ref, first, last, out, w)  # noqa: E731
        else:
            job = lambda first, last: module.improvements(C, A, ref, first, last, out, w)  # noqa: E731
        spread(job, k, grain=1 + int(_GRAIN_SECONDS / exclusive_seconds(len(A), m)))
        return out
    begin = time.perf_counter()
    for i in range(k):
        out[i] = plain_alone(C[i], np.delete(A, i, 0) if among else A, ref, worse=not among)
    kernels._spent += time.perf_counter() - begin
    return out


def facets(A: Matrix, ref: Vector) -> Matrix:
    """Return the exclusive facet areas `[n, m]`, m ≥ 3: minus the gradient of the hypervolume."""
    n, m = A.shape
    out = np.zeros((n, m))
    kernels = _facets(m)
    if kernels.worth(3e-5 * n * m):
        module, w, A = kernels.load(), (0.0,) * (m - 1), np.ascontiguousarray(A)
        spread(lambda first, last: module.facets(A, ref, first, last, out, w), n, grain=max(1, 2000 // (n * m)))
        return out
    begin = time.perf_counter()
    inside = (ref > A).all(1)
    for a in np.flatnonzero(inside):
        for i in range(m):
            below = (A[:, i] <= A[a, i]) & inside
            below[a] = False
            keep = np.arange(m) != i
            out[a, i] = plain_alone(A[a, keep], A[below][:, keep], ref[keep], worse=True)
    kernels._spent += time.perf_counter() - begin
    return out
