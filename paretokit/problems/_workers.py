"""Processes that evaluate rows, one at a time each, and are killed when a row takes too long."""

from __future__ import annotations

import os
import signal
import time
import traceback
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from paretokit.core import ParetoError

EVERYTHING: tuple[type[Exception], ...] = (Exception,)
READY = "ready"


@dataclass(frozen=True)
class Outcome:
    """What one row gave: a value, an error, or neither when it took too long.

    Attributes:
        value: What the function returned.
        error: What it raised, or why its process ended.
        late: Whether the row was stopped at the time limit.
    """

    value: Any = None
    error: Exception | None = None
    late: bool = False


@dataclass
class Worker:
    """A process, our end of its pipe, and the row that it works on.

    Attributes:
        process: The process.
        pipe: Our end.
        row: Index of the row it evaluates, None while idle or starting.
        deadline: When the row is late.
        ready: Whether the process has loaded the function.
    """

    process: Any
    pipe: Any
    row: int | None = None
    deadline: float = float("inf")
    ready: bool = False


def serve(pipe: Any, packed: bytes) -> None:
    """Load a function, then answer each row that comes through the pipe, until it closes."""
    from joblib.externals.loky.backend.reduction import dumps, loads

    function = loads(packed)
    pipe.send_bytes(dumps((READY, None)))
    while True:
        try:
            row = loads(pipe.recv_bytes())
        except EOFError:
            return
        try:
            answer: tuple[Any, Exception | None] = (function(row), None)
        except EVERYTHING as error:
            error.add_note(traceback.format_exc())
            answer = (None, error)
        try:
            sent = dumps(answer)
        except EVERYTHING as error:
            sent = dumps((None, ParetoError(f"a worker's answer cannot be sent: {error!r}; it was {answer!r}")))
        pipe.send_bytes(sent)


def stop(workers: list[Worker]) -> None:
    """Kill all processes and forget them."""
    for worker in workers:
        if worker.process.is_alive():
            os.kill(worker.process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))  # loky's processes have no `kill`
        worker.process.join()
        worker.pipe.close()
    workers.clear()


@dataclass(eq=False)
class Crew:
    """Up to `size` processes for one function, started when first needed and kept until `close`.

    Attributes:
        function: What a process calls with a row; sent by value, so lambdas and closures are fine.
        size: Number of processes.
        timeout: Seconds a row may take; None for no limit. Starting a process does not count.
    """

    function: Callable[[Any], Any]
    size: int
    timeout: float | None = None
    _workers: list[Worker] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self._closer = weakref.finalize(self, stop, self._workers)

    def __getstate__(self) -> dict[str, Any]:
        return {"function": self.function, "size": self.size, "timeout": self.timeout}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def close(self) -> None:
        """End all processes; the next call starts new ones."""
        stop(self._workers)

    def _start(self) -> None:
        from joblib.externals.loky.backend import get_context
        from joblib.externals.loky.backend.reduction import dumps

        context = get_context("loky")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, bytes(dumps(self.function))), daemon=True)
        process.start()
        theirs.close()
        self._workers.append(Worker(process, ours))

    def map(self, rows: Sequence[Any]) -> list[Outcome]:
        """Return one outcome a row, in order."""
        from joblib.externals.loky.backend.reduction import dumps

        outcomes: list[Outcome | None] = [None] * len(rows)
        waiting = list(range(len(rows)))[::-1]
        try:
            while any(outcome is None for outcome in outcomes):
                while len(self._workers) < min(self.size, sum(outcome is None for outcome in outcomes)):
                    self._start()
                for worker in self._workers:
                    if worker.ready and worker.row is None and waiting:
                        worker.row = waiting.pop()
                        worker.deadline = time.monotonic() + (self.timeout or float("inf"))
                        worker.pipe.send_bytes(dumps(rows[worker.row]))
                self._collect(outcomes)
        except BaseException:
            self.close()  # half-done rows would answer the next call
            raise
        return [outcome for outcome in outcomes if outcome is not None]

    def _collect(self, outcomes: list[Outcome | None]) -> None:
        """Wait for the next answer or deadline, and note what happened."""
        from multiprocessing.connection import wait

        nearest = min(worker.deadline for worker in self._workers)
        left = None if nearest == float("inf") else max(nearest - time.monotonic(), 0.0)
        answered = set(map(id, wait([worker.pipe for worker in self._workers], left)))
        now = time.monotonic()
        for worker in list(self._workers):
            if id(worker.pipe) in answered:
                self._receive(worker, outcomes)
            elif worker.row is not None and now >= worker.deadline:
                outcomes[worker.row] = Outcome(late=True)
                self._dismiss(worker)

    def _receive(self, worker: Worker, outcomes: list[Outcome | None]) -> None:
        from joblib.externals.loky.backend.reduction import loads

        try:
            value, error = loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            self._dismiss(worker)
            ended = ParetoError(f"a worker process ended with exit code {worker.process.exitcode}")
            if worker.row is None:
                raise ended from None
            outcomes[worker.row] = Outcome(error=ended)
            return
        if not worker.ready:
            worker.ready = True
            return
        if worker.row is not None:
            outcomes[worker.row] = Outcome(value, error)
        worker.row, worker.deadline = None, float("inf")

    def _dismiss(self, worker: Worker) -> None:
        self._workers.remove(worker)
        gone = [worker]
        stop(gone)
