"""Results and fronts on disk: safetensors and JSON, whole or not at all."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretokit.core import (
    CheckpointError,
    Cost,
    EvaluationProtocol,
    Front,
    Lanes,
    Objective,
    ParetoError,
    Problem,
    Rng,
    Solver,
)
from paretokit.core import _serial as serial
from paretokit.run._archive import Archive
from paretokit.run._history import History
from paretokit.run._result import Result

FORMAT = 1


@dataclass(frozen=True)
class _StoredFront:
    """A front as it lies on disk, with the recipe and fingerprint of its problem."""

    values: Tensor
    x: Tensor | None
    objectives: tuple[Objective, ...]
    protocol: EvaluationProtocol
    stderr: Tensor | None
    info: dict[str, Tensor]
    recipe: dict[str, Any] | None
    fingerprint: str | None
    variant: dict[str, Any] | None = None


@dataclass(frozen=True)
class _StoredResult:
    """A result as it lies on disk."""

    front: _StoredFront
    solver: dict[str, Any]
    status: str
    seed: int
    cost: Cost
    seconds: float
    trace: History
    archive: Archive
    held_out: Tensor | None
    infeasible: tuple[Tensor, Tensor] | None
    provenance: dict[str, Any]
    format: int = field(default=FORMAT)


def save_front(front: Front, path: str | Path) -> None:
    """Write a front to a folder.

    Raises:
        CheckpointError: If the disk cannot take it; an earlier version at the same place stays whole.
    """
    _write_whole(Path(path), lambda folder: serial.save_tree(folder, "front", _stored(front)))


def load_front(path: str | Path, problem: Problem | None = None) -> Front:
    """Return a saved front; its problem is rebuilt from its recipe unless given."""
    _check_there(Path(path), "front")
    return _restored(serial.load_tree(Path(path), "front", _StoredFront), problem, Path(path))


def save_result(result: Result, path: str | Path) -> None:
    """Write a result to a folder; see `save_front`. The state is kept where it can answer preferences."""
    kept = result.archive
    stored = _StoredResult(
        front=_stored(result.front),
        solver={} if result.solver is None else {"name": result.solver.name, "options": result.solver.config()},
        status=result.status,
        seed=result.seed,
        cost=result.cost,
        seconds=result.seconds,
        trace=dataclasses.replace(
            result.trace, fronts=[s[result.member : result.member + 1] for s in result.trace.fronts]
        ),
        archive=Archive(
            kept.objectives, values=kept.values, x=kept.x if kept.x is not None else torch.empty(len(kept), 0)
        ),
        held_out=result.held_out,
        infeasible=result.infeasible,
        provenance=dict(result.provenance),
    )

    def write(folder: Path) -> None:
        serial.save_tree(folder, "result", stored)
        if result.state is not None and result.provenance.get("members", 1) == 1:
            serial.save_tree(folder, "state", result.state)

    _write_whole(Path(path), write)


def load_result(path: str | Path, problem: Problem | None, solver: Solver[Any] | None) -> Result:
    """Return a saved result; see `Result.load`."""
    folder = Path(path)
    _check_there(folder, "result")
    stored: _StoredResult = serial.load_tree(folder, "result", _StoredResult)
    if stored.format != FORMAT:
        raise CheckpointError(f"{folder} has format {stored.format}; this version reads format {FORMAT}")
    front = _restored(stored.front, problem, folder)
    solver = solver or _solver(stored.solver)
    state = None
    if solver is not None and front.problem is not None and (folder / "state.json").exists():
        state = serial.load_tree(folder, "state", solver.state_type, Rng, Lanes)
        if solver.resume_note == "exact":
            state = solver.restore(front.problem, state)
    return Result(
        front=front,
        problem=problem or front.problem,
        solver=solver,
        status=stored.status,
        seed=stored.seed,
        cost=stored.cost,
        seconds=stored.seconds,
        trace=stored.trace,
        source=stored.archive,
        held_out=stored.held_out,
        infeasible=stored.infeasible,
        provenance=stored.provenance,
        state=state,
    )


def _check_there(folder: Path, what: str) -> None:
    """Raise one line unless a folder holds what is to be loaded."""
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {folder}")
    if not (folder / f"{what}.json").exists():
        inside = sorted(p.parent.name for p in folder.glob(f"*/{what}.json"))
        hint = f"; it is in {folder / inside[0]}" if inside else ""
        raise CheckpointError(f"{folder} holds no saved {what}{hint}")


def _stored(front: Front) -> _StoredFront:
    problem = front.problem
    return _StoredFront(
        values=front.values,
        x=front.x,
        objectives=front.objectives,
        protocol=front.protocol,
        stderr=front.stderr,
        info=dict(front.info),
        recipe=None if problem is None else problem.recipe(),
        fingerprint=None if problem is None else problem.fingerprint(),
        variant=None if problem is None else problem.variant(),
    )


def _restored(stored: _StoredFront, problem: Problem | None, folder: Path) -> Front:
    if problem is None and stored.recipe is not None:
        from paretokit.problems import make

        made: Problem = make(stored.recipe["id"], **stored.recipe["options"])
        problem = made.to(dtype=getattr(torch, stored.recipe["dtype"]))
    problem = None if problem is None else problem.as_variant(stored.variant)
    if problem is not None and stored.fingerprint is not None and problem.fingerprint() != stored.fingerprint:
        raise CheckpointError(
            f"{folder} was solved on another problem than {problem.name}: "
            f"its fingerprint is {stored.fingerprint}, not {problem.fingerprint()}"
        )
    return Front(stored.values, stored.x, stored.objectives, stored.protocol, stored.stderr, stored.info, problem)


def _solver(config: dict[str, Any]) -> Solver[Any] | None:
    if not config:
        return None
    from paretokit.solvers import make

    try:
        made: Solver[Any] = make(config["name"], **config["options"])
    except ParetoError:  # a user's own solver: pass it to load, or do without
        return None
    return made


def _write_whole(path: Path, write: Any) -> None:
    aside = path.with_name(f".writing-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        write(aside)
        shutil.rmtree(path, ignore_errors=True)
        aside.rename(path)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise CheckpointError(f"{path} could not be written: {error} (nothing that was there is lost)") from error
