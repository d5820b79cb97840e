"""Compiled twins of torch code: cached in the user's cache folder, and never waited for longer than they save.

A kernel exists twice: in plain torch (any device) and as a numba function with the same result. Which of the two runs
is decided like a ski rental: the plain path runs until it has used as much time as the compiler would take, then the
compiled one takes over, and from then on it is found in the cache at once. Callers therefore make the twins agree
bit for bit wherever a random search reads them; the choice changes speed and nothing else.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any


def cache_folder() -> Path:
    """Return paretokit's cache folder: ``$PARETOKIT_CACHE``, else the platform's user cache."""
    given = os.environ.get("PARETOKIT_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "paretokit"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "paretokit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paretokit"


@cache
def _generation() -> str:
    """Return a mark of all kernel sources: numba sees a change in a file, but not in the kernels it calls elsewhere."""
    digest = hashlib.blake2b(digest_size=8)
    for source in sorted(Path(__file__).parents[1].rglob("_*_kernels.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def jit(*signatures: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function with numba for the given signatures, releasing the GIL, into the user's cache folder.

    Options are numba's; `nogil`, `cache` and `error_model="numpy"` are set unless given. Signatures are compiled (or
    loaded) when the module is imported, so import such a module only where its kernels are about to be called.
    """
    import numba

    settings: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", **options}

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        saved = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(cache_folder() / "numba" / _generation())
        try:
            compiled: Callable[..., Any] = numba.njit(list(signatures) or None, **settings)(function)
        finally:
            numba.config.CACHE_DIR = saved
        return compiled

    return decorate


class KernelModule:
    """A module of numba kernels that is imported, and so compiled, once that pays.

    Args:
        name: Dotted path of the module; its functions carry explicit signatures.
        compile_seconds: What compiling all of it takes on one core, measured (the value of the ski rental).
    """

    def __init__(self, name: str, compile_seconds: float) -> None:
        self.name = name
        self.compile_seconds = compile_seconds
        self._spent = 0.0
        self._module: ModuleType | None = None

    @cached_property
    def _stamp(self) -> Path:
        import numba
        import numpy as np

        spec = importlib.util.find_spec(self.name)
        source = Path(spec.origin) if spec and spec.origin else None
        # numba files its cache under the path of the source, and drops it when the file's time or size changes.
        file = f"{source} {source.stat().st_mtime_ns} {source.stat().st_size}" if source and source.exists() else ""
        file = f"{_generation()} {file}"
        mark = hashlib.blake2b(f"{file} {numba.__version__} {np.__version__} {sys.version}".encode(), digest_size=8)
        return cache_folder() / "stamps" / f"{self.name}-{mark.hexdigest()}"

    def ready(self) -> bool:
        """Tell whether the kernels can be had without waiting for the compiler."""
        return self._module is not None or self._stamp.exists()

    def load(self) -> ModuleType:
        """Import the module, compiling it where the cache does not hold it."""
        if self._module is None:
            self._module = importlib.import_module(self.name)
            try:
                self._stamp.parent.mkdir(parents=True, exist_ok=True)
                self._stamp.touch()
            except OSError:
                pass  # a read-only home costs the compilation again, nothing else
        return self._module

    def worth(self, plain_seconds: float = 0.0) -> bool:
        """Tell whether to call the compiled twin for work that the plain path would do in `plain_seconds`."""
        return self.ready() or self._spent + plain_seconds >= self.compile_seconds

    def run(self, function: str, plain: Callable[..., Any], *args: Any) -> Any:
        """Call `function` of the module where that pays, else `plain`, with the same arguments."""
        if self.worth():
            return getattr(self.load(), function)(*args)
        begin = time.perf_counter()
        out = plain(*args)
        self._spent += time.perf_counter() - begin
        return out

    def plain(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call the plain twin and book its time, for callers that have asked `worth` themselves."""
        begin = time.perf_counter()
        out = function(*args)
        self._spent += time.perf_counter() - begin
        return out
