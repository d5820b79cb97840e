"""``paretokit doctor``: what is installed, where things are kept, and whether runs reproduce."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from paretokit._version import __version__
from paretokit.cli._options import as_json
from paretokit.core._kernel import cache_folder

PACKAGES = ("numpy", "numba", "moocore", "pymoo", "pygmo", "mo-gymnasium", "matplotlib", "pandas", "safetensors")


EXTRAS = {
    "mujoco": ("mujoco",),
    "box2d": ("box2d",),
    "molecules": ("rdkit",),
    "aptamers": ("ViennaRNA",),
    "bo": ("botorch",),
    "merging": ("scikit-learn",),
}
"""What extras of the installation bring."""


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return f"not installed (pip install {package})"


def versions() -> dict[str, str]:
    """Return versions of everything that results depend on, and the machine."""
    return {
        "paretokit": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        **{package: _installed(package) for package in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, torch uses "
        f"{torch.get_num_threads()}",
    }


def missing_extras() -> dict[str, str]:
    """Return the extras of which a package is missing, and the command that installs each."""

    def there(package: str) -> bool:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return False
        return True

    lacking = [extra for extra, packages in EXTRAS.items() if not all(map(there, packages))]
    return {extra: f'pip install "paretokit[{extra}]"' for extra in lacking}


def _devices() -> str:
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return "cpu" + "".join(f", cuda:{i} ({name})" for i, name in enumerate(names))


def _cache() -> tuple[bool, str]:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            return True, f"{folder} (writable)"
    except OSError as error:
        return False, f"{folder}: {error.strerror} (set PARETOKIT_CACHE to a folder that can be written)"


def _kernels() -> str:
    from paretokit.cli._warm import kernels

    every = kernels()
    ready = sum(kernel.module().ready() for kernel in every)
    return f"{ready} of {len(every)} compiled" + (
        "" if ready == len(every) else " (`paretokit warm` compiles the rest)"
    )


def trials() -> Iterator[tuple[str, bool, str]]:
    """Yield trial runs: what is tried, whether it holds, and a word on it."""
    from paretokit import problems, solvers
    from paretokit.run import Budget, Result, solve

    problem, solver = problems.make("zdt1-v1"), solvers.make("NSGA2", pop_size=20)

    def go(generations: int, checkpoint: Path | None = None) -> Result:
        budget = Budget(iterations=generations)
        return solve(problem, solver, budget=budget, seed=7, checkpoint=checkpoint, progress=False)

    whole = go(20)
    same = torch.equal(whole.front.values, go(20).front.values)
    yield "same seed", same, "the same bits twice" if same else "two runs differ"
    with tempfile.TemporaryDirectory() as folder:
        go(10, Path(folder) / "run")
        resumed = torch.equal(whole.front.values, go(20, Path(folder) / "run").front.values)
        yield "resume", resumed, "10 + 10 generations equal 20, bit for bit" if resumed else "a resumed run differs"
        whole.save(Path(folder) / "result")
        kept = torch.equal(Result.load(Path(folder) / "result").front.values, whole.front.values)
        yield "save, load", kept, "the same front" if kept else "the front has changed"


def run(args: argparse.Namespace) -> int:
    """Print what was found; exit code 1 where something does not hold."""
    writable, cache = _cache()
    facts = {**versions(), "devices": _devices(), "cache": cache, "kernels": _kernels()}
    extras = missing_extras()
    lacking = "; ".join(f"{extra} is missing ({command})" for extra, command in extras.items()) or "all installed"
    if not args.json:
        print("\n".join(f"{name:14} {value}" for name, value in {**facts, "extras": lacking}.items()))
    found = []
    for name, holds, word in () if args.quick else trials():
        found.append({"trial": name, "holds": holds, "says": word})
        if not args.json:
            print(f"{name:14} {'ok: ' if holds else 'FAULT: '}{word}")
    healthy = writable and all(trial["holds"] for trial in found)
    if args.json:
        print(as_json({"healthy": healthy, "facts": facts, "missing_extras": extras, "trials": found}))
    return 0 if healthy else 1
