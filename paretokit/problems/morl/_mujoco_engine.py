"""MuJoCo as a pure function of stacked states: the physics of all lanes, stepped by a few threads."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paretokit.core import _check as check
from paretokit.core._kernel import KernelModule
from paretokit.core._threads import kernel_threads

Matrix = NDArray[np.float64]

_KERNELS = KernelModule("paretokit.problems.morl._mujoco_kernels", compile_seconds=2.5)
_FUNCTIONS = ("mj_setState", "mj_getState", "mj_step", "mju_copy", "mj_rnePostConstraint")
FEWEST = 4  # lanes that are worth a thread


class Field(NamedTuple):
    """An array of MuJoCo's data that a state carries beside the physics, because it lags behind the positions.

    Attributes:
        name: Of the array, in MuJoCo's words.
        start, size: The entries of it, flattened, that are carried.
    """

    name: str
    start: int
    size: int


@dataclass
class _Scratch:
    """What one thread steps in: an `MjData` and its addresses."""

    data: Any
    addresses: NDArray[np.int64]
    fields: NDArray[np.int64]


def _library() -> Any:
    """Return MuJoCo's shared library, or None where it is not found beside the bindings."""
    folder = Path(check.package("mujoco", extra="mujoco").__file__ or "").parent
    found = [
        f for pattern in ("libmujoco*.so*", "libmujoco*.dylib", "mujoco.dll") for f in sorted(folder.glob(pattern))
    ]
    return ctypes.CDLL(str(found[0])) if found else None


class Engine:
    """Steps MuJoCo states `[L, s]`: a row is all that the next step depends on, so stepping is a pure function.

    A row holds time, positions, velocities, activations and the warm start of the solver (MuJoCo's integration state
    less what is zero or given with each step: controls and applied forces), then the `fields`, which MuJoCo computes
    during a step and which lag behind the positions after it.

    Cost: `frame_skip` steps of the physics a lane; blocks of lanes go to threads, which hold the interpreter's lock
    only between blocks. The result does not depend on the number of threads.

    Args:
        file: The model.
        frame_skip: Steps of the physics an action is held for.
        fields: Arrays to carry.
        threads: At most so many; None takes torch's number at construction.

    Errors of the physics itself (a full arena) end the process, as MuJoCo's do outside its bindings. A diverged lane
    is reset to the model's first pose by MuJoCo, which also notes it in a file of its own, as in Gymnasium.
    """

    def __init__(
        self, file: Path, *, frame_skip: int, fields: tuple[Field, ...] = (), threads: int | None = None
    ) -> None:
        mujoco = check.package("mujoco", extra="mujoco")
        self.config = {"file": file, "frame_skip": frame_skip, "fields": fields, "threads": threads}
        self.frame_skip, self.fields, self.threads = frame_skip, fields, threads or kernel_threads()
        self.model = mujoco.MjModel.from_xml_path(str(file))
        kinds = mujoco.mjtState
        self.spec = int(kinds.mjSTATE_FULLPHYSICS) | int(kinds.mjSTATE_WARMSTART)
        self.physics = int(mujoco.mj_stateSize(self.model, self.spec))
        self.width = self.physics + sum(f.size for f in fields)
        self.forces = any(f.name == "cfrc_ext" for f in fields)
        self.qpos = slice(1, 1 + self.model.nq)
        self.qvel = slice(1 + self.model.nq, 1 + self.model.nq + self.model.nv)
        self.dt = float(self.model.opt.timestep * frame_skip)
        self._mujoco = mujoco
        library = _library()
        self._functions = None if library is None else self._addresses(library)
        self._scratch = [self._new()]
        self._first = (self._scratch[0].data.qpos.copy(), self._scratch[0].data.qvel.copy())
        self._pool: ThreadPoolExecutor | None = None
        self._owner = (0, 0)  # process and blocks
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return self.config

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        file, frame_skip, fields, threads = (state[k] for k in ("file", "frame_skip", "fields", "threads"))
        Engine.__init__(self, file, frame_skip=frame_skip, fields=fields, threads=threads)

    @property
    def first(self) -> tuple[Matrix, Matrix]:
        """Positions `[nq]` and velocities `[nv]` of the model's first pose."""
        return self._first

    def slices(self) -> dict[str, slice]:
        """Return where each field lies in a row."""
        places, at = {}, self.physics
        for name, _, size in self.fields:
            places[name] = slice(at, at + size)
            at += size
        return places

    def _addresses(self, library: Any) -> NDArray[np.int64]:
        found = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in _FUNCTIONS]
        return np.array([*found[:-1], found[-1] if self.forces else 0], dtype=np.int64)

    def _new(self) -> _Scratch:
        data = self._mujoco.MjData(self.model)
        fields = [[getattr(data, f.name).ctypes.data + 8 * f.start, f.size] for f in self.fields]
        named = (self.model._address, data._address, data.ctrl.ctypes.data, self.model.nu, self.spec, self.physics)
        return _Scratch(data, np.array(named, dtype=np.int64), np.array(fields, dtype=np.int64).reshape(-1, 2))

    def _read(self, data: Any, row: Matrix) -> None:
        self._mujoco.mj_getState(self.model, data, row[: self.physics], self.spec)
        at = self.physics
        for name, start, size in self.fields:
            row[at : at + size] = getattr(data, name).reshape(-1)[start : start + size]
            at += size

    def begin(self, qpos: Matrix, qvel: Matrix) -> Matrix:
        """Return states `[L, s]` at rest in time with positions `[L, nq]` and velocities `[L, nv]`."""
        after = np.empty((len(qpos), self.width))
        with self._lock:
            data = self._scratch[0].data
            for lane, row in enumerate(after):
                self._mujoco.mj_resetData(self.model, data)
                data.qpos[:], data.qvel[:] = qpos[lane], qvel[lane]
                self._mujoco.mj_forward(self.model, data)
                self._read(data, row)
        return after

    def advance(self, states: Matrix, controls: Matrix) -> Matrix:
        """Return the states `[L, s]` after `frame_skip` steps under controls `[L, k]`."""
        states, controls = np.ascontiguousarray(states), np.ascontiguousarray(controls)
        with self._lock:
            if self._functions is None:
                return self.advance_plain(states, controls)
            if not _KERNELS.worth():
                return np.asarray(_KERNELS.plain(self.advance_plain, states, controls))
            return self._advance_compiled(states, controls)

    def advance_plain(self, states: Matrix, controls: Matrix) -> Matrix:
        """Return the same through MuJoCo's bindings, one lane after the other."""
        after = np.empty_like(states)
        data = self._scratch[0].data
        for lane, row in enumerate(after):
            self._mujoco.mj_setState(self.model, data, states[lane, : self.physics], self.spec)
            data.ctrl[:] = controls[lane]
            self._mujoco.mj_step(self.model, data, self.frame_skip)
            if self.forces:
                self._mujoco.mj_rnePostConstraint(self.model, data)
            self._read(data, row)
        return after

    def _advance_compiled(self, states: Matrix, controls: Matrix) -> Matrix:
        kernel = _KERNELS.load().advance
        after = np.empty_like(states)
        lanes = len(states)
        blocks = max(1, min(self.threads, lanes // FEWEST))
        while len(self._scratch) < blocks:
            self._scratch.append(self._new())
        edges = [lanes * b // blocks for b in range(blocks + 1)]

        def work(block: int) -> None:
            mine = self._scratch[block]
            span = (edges[block], edges[block + 1])
            kernel(self._functions, mine.addresses, mine.fields, self.frame_skip, *span, states, controls, after)

        others = [self._threads(blocks).submit(work, block) for block in range(1, blocks)]
        work(0)
        for other in others:
            other.result()
        return after

    def _threads(self, blocks: int) -> ThreadPoolExecutor:
        # A forked child inherits the pool but none of its threads.
        if self._pool is None or self._owner != (os.getpid(), blocks):
            self._pool = ThreadPoolExecutor(blocks - 1, thread_name_prefix="paretokit-mujoco")
            self._owner = (os.getpid(), blocks)
        assert self._pool is not None
        return self._pool
