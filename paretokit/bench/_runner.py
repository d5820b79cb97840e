"""Running the cells of an experiment: through joblib on one machine, on Dask or on Ray; each once, none lost."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretokit.bench._cells import Cell
from paretokit.bench._store import CellRecord, CellRun, Store, unwritable
from paretokit.core import CheckpointError, Problem
from paretokit.core import _check as check
from paretokit.run import Checkpoint, Result, solve_many
from paretokit.run._checkpoint import environment
from paretokit.run._progress import Progress

BACKENDS = ("loky", "dask", "ray")
SNAPSHOTS = 25  # fronts of a run that are kept for anytime curves
ROUNDS = 5  # times in a row that workers may die without a cell being finished
DONE = ("done", "failed")


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where cells run.

    Attributes:
        backend: "loky" (processes on this machine), "dask" or "ray".
        jobs: Workers; -1 for a worker for every `threads` cores. Of no meaning where an address is given.
        address: Of a cluster that runs already; "" starts one here for the time of the run.
    """

    backend: str = "loky"
    jobs: int = -1
    address: str = ""

    def __post_init__(self) -> None:
        check.one_of(BACKENDS, backend=self.backend)
        check.that(self.jobs == -1 or self.jobs >= 1, "jobs", "be at least 1, or -1 for all cores", self.jobs)
        clash = bool(self.address) and self.backend == "loky"
        check.that(not clash, "address", "come with dask or ray", repr(self.address), "loky runs on this machine")

    def workers(self, threads: int) -> int:
        """Return how many cells run at once, so that no more threads than cores are busy."""
        import joblib

        return self.jobs if self.jobs > 0 else max(1, joblib.cpu_count() // threads)


def run_cells(
    cells: Sequence[Cell], store: Store, *, where: Where, checkpoint: float = 30.0, progress: bool | None = None
) -> None:
    """Run every cell that is neither done nor failed; workers that die cost nothing but the time since a checkpoint.

    Args:
        cells: What is to be run.
        store: Where finished cells go; all workers must see it under the same path.
        where: Backend.
        checkpoint: Seconds between two checkpoints inside a cell.
        progress: Whether to show a bar; None shows it on a terminal only.

    Raises:
        InputError: If a cluster cannot be reached.
        CheckpointError: If the store is full, or workers die again and again without finishing anything.
    """
    lost = 0
    open_cells = _open(cells, store)
    with Progress("cells", shown=progress) as bar:
        while open_cells:
            before = len(open_cells)
            error = _round(open_cells, store, where, checkpoint, bar=bar, total=len(cells))
            open_cells = _open(cells, store)
            lost = lost + 1 if len(open_cells) == before else 0
            if open_cells and error is not None and lost >= ROUNDS:
                raise CheckpointError(
                    f"workers ended {ROUNDS} times in a row before any of {len(open_cells)} cells had finished; "
                    f"the last one by {type(error).__name__}: {' '.join(str(error).split())[:200]} (finished cells "
                    "are safe; fewer jobs need less memory)"
                ) from error


def _open(cells: Sequence[Cell], store: Store) -> list[Cell]:
    return [cell for cell in cells if store.state(cell) not in DONE]


def _round(
    cells: Sequence[Cell], store: Store, where: Where, checkpoint: float, *, bar: Progress, total: int
) -> Exception | None:
    """Run cells until all have finished or the backend loses a worker; return what it said then."""
    import joblib

    path = str(store.path.resolve())
    jobs = [joblib.delayed(run_cell)(cell, path, checkpoint) for cell in cells]
    done = total - len(cells)
    bar.show(done / max(1, total), f" {done} of {total}")
    with _backend(where, max(cell.threads for cell in cells)) as settings:
        try:
            for _ in joblib.Parallel(**settings, batch_size=1, pre_dispatch="2*n_jobs")(jobs):
                done += 1
                bar.show(done / max(1, total), f" {done} of {total}")
        except (CheckpointError, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - every backend has its own error for a worker that died
            return error
    return None


@contextlib.contextmanager
def _backend(where: Where, threads: int) -> Iterator[dict[str, Any]]:
    """Make a backend ready and give the settings of `joblib.Parallel` for it."""
    import joblib

    workers = where.workers(threads)
    if where.backend == "dask":
        # Named by `parallel_config`, joblib finds the backends that other packages bring.
        with _dask(where, workers), joblib.parallel_config(backend="dask"):
            yield {"n_jobs": -1, "return_as": "generator_unordered"}
    elif where.backend == "ray":
        with _ray(where, workers), joblib.parallel_config(backend="ray"):
            yield {"n_jobs": -1 if where.address else workers}
    else:
        yield {"backend": "loky", "n_jobs": workers, "return_as": "generator_unordered"}


@contextlib.contextmanager
def _dask(where: Where, workers: int) -> Iterator[None]:
    distributed: Any = check.package("distributed", extra="dask")
    cluster = None
    try:
        if where.address:
            client = distributed.Client(where.address, timeout=10, set_as_default=True)
        else:
            cluster = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
            )
            client = distributed.Client(cluster, set_as_default=True)
    except (OSError, ValueError, TimeoutError) as error:
        check.fail("address", "be a Dask scheduler that answers", repr(where.address), " ".join(str(error).split()))
    try:
        yield
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def _knock(address: str) -> None:
    """Raise `OSError` or `ValueError` unless something listens at host:port; Ray itself waits for minutes."""
    if address != "auto" and not address.startswith("ray://"):
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()


@contextlib.contextmanager
def _ray(where: Where, workers: int) -> Iterator[None]:
    ray: Any = check.package("ray", extra="ray")
    begun = not ray.is_initialized()
    if begun:
        try:
            if where.address:
                _knock(where.address)
                ray.init(address=where.address, log_to_driver=False, logging_level="ERROR")
            else:
                ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        except (OSError, ValueError, RuntimeError) as error:
            check.fail("address", "be a Ray cluster that answers", repr(where.address), " ".join(str(error).split()))
    check.package("ray.util.joblib", extra="ray").register_ray()
    try:
        yield
    finally:
        if begun:
            ray.shutdown()


def run_cell(cell: Cell, path: str, checkpoint: float) -> str:
    """Run one cell in this process unless it has finished meanwhile, and return its state.

    What user code raises is recorded with its traceback; a store that cannot be written to raises.
    """
    store = Store(Path(path))
    try:
        lock = store.lock(cell)
        lock.acquire()
    except OSError as error:
        raise unwritable(store.path, error) from error
    try:
        if store.state(cell) in DONE:
            return store.state(cell)
        began = time.perf_counter()
        with _threads(cell.threads):
            try:
                record = _solved(cell, store, checkpoint)
            except Exception as error:  # noqa: BLE001 - one cell's failure is recorded, the others go on
                record = CellRecord(digest=cell.digest, error="".join(traceback.format_exception(error)))
            if record is None:
                return "interrupted"
            spent = time.perf_counter() - began
            store.write(dataclasses.replace(record, seconds=spent, environment=environment()))
        return store.state(cell)
    finally:
        lock.release()


def _solved(cell: Cell, store: Store, checkpoint: float) -> CellRecord | None:
    """Return a solved cell, or None where Ctrl-C ended it; its checkpoint stays then."""
    problem: Problem = cell.problem.make(cell.folder)
    solver = cell.solver.make(cell.folder)
    exact = solver.resume_note == "exact"
    kept = Checkpoint(store.work(cell), seconds=checkpoint, final=False) if exact else None
    results = solve_many(
        problem, solver, seeds=cell.seeds, budget=cell.limits(), checkpoint=kept, n_jobs=1, progress=False
    )
    if any(result.status == "interrupted" for result in results):
        return None
    first = results[0].front
    return CellRecord(
        digest=cell.digest,
        objectives=first.objectives,
        measured=first.protocol,
        front_kind=problem.front_kind,
        unit=problem.unit,
        runs=tuple(_run(result) for result in results),
    )


def _run(result: Result) -> CellRun:
    """Return what is kept of a result: its front, its cost, and at most `SNAPSHOTS` fronts on the way."""
    trace, members = result.trace, result.provenance.get("members", 1)
    count = len(trace.fronts)
    kept = sorted({round(i * (count - 1) / (SNAPSHOTS - 1)) for i in range(SNAPSHOTS)}) if count else []
    steps = torch.tensor([trace.steps[trace.taken[k] - 1] for k in kept], dtype=torch.float64).reshape(-1, 5)
    steps[:, 4] /= members
    front = result.front
    fronts = [trace.fronts[k][result.member] for k in kept]
    everything = torch.cat(fronts) if fronts else front.values[:0]
    solutions = ~torch.isnan(everything).any(-1)
    sizes = tuple(int(part.sum()) for part in solutions.split([len(values) for values in fronts])) if fronts else ()
    return CellRun(
        values=_plain(front.values),
        x=None if front.x is None else _plain(front.x),
        stderr=None if front.stderr is None else _plain(front.stderr),
        status=result.status,
        seed=result.seed,
        cost=result.cost,
        seconds=result.seconds / members,
        steps=steps,
        snapshots=_plain(everything[solutions]),
        sizes=sizes,
    )


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu()


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    """Keep torch and the libraries below NumPy to so many threads inside the block."""
    threadpoolctl: Any = check.package("threadpoolctl", extra="bench")
    before = torch.get_num_threads()
    with threadpoolctl.threadpool_limits(limits=count):
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)
