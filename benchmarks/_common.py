"""Timing for benchmarks: interleaved runs, medians, ratios, and one line that says what the machine does."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def interleaved(
    calls: dict[str, Callable[[], Any]], *, repeats: int = 5, least_seconds: float = 0.02
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the median seconds and the last result of each call, run in turns after one warm-up each.

    Short calls are looped until a turn takes `least_seconds`, so that a tick of the clock does not matter.
    """
    results = {name: call() for name, call in calls.items()}
    loops = {}
    for name, call in calls.items():
        begin = time.perf_counter()
        call()
        loops[name] = max(1, int(least_seconds / max(time.perf_counter() - begin, 1e-7)))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats):
        names = list(calls) if turn % 2 == 0 else list(calls)[::-1]
        for name in names:
            call = calls[name]
            begin = time.perf_counter()
            for _ in range(loops[name]):
                call()
            times[name].append((time.perf_counter() - begin) / loops[name])
    return {name: statistics.median(taken) for name, taken in times.items()}, results


def installed(name: str) -> bool:
    """Tell whether a peer can be imported in this interpreter."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def version(name: str) -> str:
    """Return a distribution's version, or a dash."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "–"


def calibration(packages: tuple[str, ...]) -> str:
    """Return one line: processor, threads, float64 matrix products a second, sorting speed, versions."""
    import torch

    rng = np.random.default_rng(0)
    a, b = rng.random((512, 512)), rng.random(1_000_000)
    seconds, _ = interleaved({"product": lambda: a @ a, "sort": lambda: np.sort(b)}, repeats=5)
    speed = f"{2 * 512**3 / seconds['product'] / 1e9:.0f} GFLOP/s, 1e6 doubles sorted in {seconds['sort'] * 1e3:.0f} ms"
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    cores = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    return f"{platform.machine()} {cores}, {speed}, {load}; Python {platform.python_version()}, {versions}"


def duration(seconds: float) -> str:
    """Return seconds in a unit of three digits or so."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def table(rows: list[list[str]]) -> str:
    """Return rows as aligned text, the first one a header."""
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
