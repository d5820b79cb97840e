"""``paretokit warm``: compile every kernel once, so that no run waits for the compiler."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import paretokit
from paretokit.core import _check as check
from paretokit.core._kernel import KernelModule, cache_folder


@dataclass(frozen=True)
class Kernel:
    """Kernels that are compiled together.

    Attributes:
        name: Dotted path of their module.
        objectives: The number of objectives that they are made for, or 0 where they serve all.
        prepare: The module's function that compiles them for one number of objectives, or "".
    """

    name: str
    objectives: int = 0
    prepare: str = ""

    def __str__(self) -> str:
        short = self.name.removeprefix("paretokit.")
        return f"{short} ({self.prepare}, {self.objectives} objectives)" if self.objectives else short

    def module(self) -> KernelModule:
        """Return what loads them."""
        from paretokit.indicators._hypervolume_exact import SizedKernels

        if self.objectives:
            return SizedKernels(self.name.rpartition(".")[2], self.objectives, 0.0, self.prepare)
        return KernelModule(self.name, 0.0)


def kernels(objectives: Sequence[int] = ()) -> list[Kernel]:
    """Return all kernels, found by file names; those for one number of objectives once for each of `objectives`."""
    root = Path(paretokit.__file__).parent
    found = []
    for file in sorted(root.rglob("_*_kernels.py")):
        name = ".".join(["paretokit", *file.relative_to(root).with_suffix("").parts])
        sized = [line[4:].partition("(")[0] for line in file.read_text("utf-8").splitlines() if "def prepare" in line]
        found += [Kernel(name, m, prepare) for prepare in sized for m in objectives] if sized else [Kernel(name)]
    return found


def load(kernel: Kernel) -> Kernel:
    """Load kernels, compiling what the cache lacks."""
    kernel.module().load()
    return kernel


def load_ready() -> None:
    """Import the kernels that are compiled already, so that the first run's time is its own."""
    for kernel in kernels():
        if kernel.module().ready():
            load(kernel)


def run(args: argparse.Namespace) -> int:
    """Compile what the cache lacks, on as many cores as there are (at most 4)."""
    for m in args.objectives:
        check.that(2 <= m <= 20, "objectives", "lie between 2 and 20", m)
    begin, every = time.perf_counter(), kernels(args.objectives)
    missing = [kernel for kernel in every if not kernel.module().ready()]
    if missing:
        from tqdm import tqdm

        bar = tqdm(total=len(missing), desc="compiling kernels", disable=None, leave=False, bar_format="{l_bar}{bar}")
        spawn = multiprocessing.get_context("spawn")
        workers = min(4, os.cpu_count() or 1, len(missing))
        with bar, ProcessPoolExecutor(workers, mp_context=spawn) as pool:
            for _ in as_completed([pool.submit(load, kernel) for kernel in missing]):
                bar.update()
    seconds = time.perf_counter() - begin
    print(f"{len(every)} kernels ready in {cache_folder()}: {len(missing)} compiled, {seconds:.1f} s", file=sys.stderr)
    return 0
