"""Checkpoints: written aside and renamed, checksummed, two kept, never a pickle.

Layout of a checkpoint folder: ``step-000000120/`` holds ``state`` (the solver's state), ``run`` (history, log,
counters) and ``identity.json``. A folder that is being written has another name, so a process killed at any moment
leaves only complete folders behind; a folder damaged later fails its checksum, is named, and the one before is used.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch

from paretokit._version import __version__
from paretokit.core import CheckpointError, Lanes, ParetoWarning, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.core import _serial as serial
from paretokit.run._archive import EvaluationLog
from paretokit.run._history import History

FORMAT = 1
OPTIONS = "options"  # of an identity: shown, never compared
SHOWN = 60  # most characters of an option in a message
State = TypeVar("State")


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run saves itself: `solve(..., checkpoint="runs/a")` or `checkpoint=Checkpoint(...)`.

    Attributes:
        path: Folder of the run's checkpoints.
        seconds: Least time between two of them; the last one is always written.
        keep: How many are kept.
        final: Whether one is also written when the run has come to its end. Without it nothing is left to continue with
            a larger budget; a run that is interrupted or fails is written all the same.
    """

    path: str | Path
    seconds: float = 60.0
    keep: int = 2
    final: bool = True

    def __post_init__(self) -> None:
        check.at_least(0, seconds=self.seconds)
        check.at_least(1, keep=self.keep)


@dataclass
class RunRecord:
    """What a run carries beside the solver's state; saved and resumed with it.

    Attributes:
        history: Cost, time and snapshots.
        log: Evaluations seen.
        iterations: Steps made.
        seconds: Wall time of all sessions so far.
        stall: Best score so far and the iteration in which it was reached.
        stall_reference: Reference point (min sense) of the stall test, fixed at the first front.
    """

    history: History
    log: EvaluationLog
    iterations: int = 0
    seconds: float = 0.0
    stall: tuple[float, int] = (float("-inf"), 0)
    stall_reference: list[float] = field(default_factory=list)


def identity(problem: Problem, solver: Solver[Any], seeds: tuple[int, ...]) -> dict[str, Any]:
    """Return what makes two runs the same one: not the budget, not the callbacks."""
    tensors: dict[str, torch.Tensor] = {}
    config = serial.encode({"name": solver.name, "options": solver.config()}, tensors)
    digest = hashlib.blake2b(json.dumps(config, sort_keys=True).encode(), digest_size=8)
    for name in sorted(tensors):
        digest.update(tensors[name].numpy().tobytes())
    return {
        "format": FORMAT,
        "problem": f"{problem.name} ({problem.fingerprint()})",
        "solver": f"{solver.name} ({digest.hexdigest()})",
        "seeds": list(seeds),
        "measurement": json.loads(json.dumps(dataclasses.asdict(problem.protocol.measurement))),
        OPTIONS: {"problem": _shown(problem.options() or {}), "solver": _shown(solver.config())},
    }


def _shown(options: Mapping[str, Any]) -> dict[str, str]:
    """Return options as messages show them; they say in words what the hashes tell apart."""
    texts = {name: " ".join(repr(value).split()) for name, value in options.items()}
    return {name: text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…" for name, text in texts.items()}


def _differing(found: Mapping[str, Any], now: Mapping[str, Any], key: str) -> str:
    """Return by which options a checkpoint's problem or solver differs, as part of a message."""
    old, new = (side.get(OPTIONS, {}).get(key, {}) for side in (found, now))
    named = [f"{n} was {old[n]} and is {new[n]}" for n in new if n in old and old[n] != new[n]]
    return f": {', '.join(named)}" if named else ""


def environment() -> dict[str, Any]:
    """Return what bit equality depends on beside the call: versions, threads, machine."""
    import numpy as np

    return {
        "paretokit": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }


class CheckpointFolder:
    """Reads and writes one run's checkpoints."""

    def __init__(self, settings: Checkpoint, who: dict[str, Any], solver: Solver[Any]) -> None:
        if solver.resume_note != "exact":
            raise CheckpointError(
                f"{solver.name} cannot resume exactly: {solver.resume_note} (run it without `checkpoint=`)"
            )
        self.settings, self.who, self.solver = settings, who, solver
        self.path = Path(settings.path)

    def write(self, state: Any, record: RunRecord) -> None:
        """Save a step; a disk that is full costs a warning, never the run."""
        final = self.path / f"step-{record.iterations:09d}"
        aside = self.path / f".writing-{record.iterations:09d}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            record.log.join()
            serial.save_tree(aside, "state", state)
            serial.save_tree(aside, "run", record)
            body = {"identity": self.who, "environment": environment()}
            serial.write_synced(aside / "identity.json", json.dumps(body, indent=1).encode())
            shutil.rmtree(final, ignore_errors=True)
            aside.rename(final)
            for old in self._steps()[self.settings.keep :]:
                shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            shutil.rmtree(aside, ignore_errors=True)
            warnings.warn(
                f"the checkpoint {final} could not be written: {error}; the run goes on, earlier checkpoints stand",
                ParetoWarning,
                stacklevel=4,
            )

    def close(self, state: Any, record: RunRecord, status: str) -> None:
        """Save the last step, unless the run has come to its end and its settings want no checkpoint of that."""
        if self.settings.final or status not in ("budget", "target", "stall", "finished"):
            self.write(state, record)

    def read(self) -> tuple[Any, RunRecord] | None:
        """Return state and record of the newest good checkpoint, or None where there is none.

        Raises:
            CheckpointError: If the folder belongs to another run, or holds only damaged checkpoints.
        """
        steps = self._steps()
        problems = []
        for step in steps:
            try:
                self._check_identity(step)
                state = serial.load_tree(step, "state", self.solver.state_type, Rng, Lanes)
                record = serial.load_tree(step, "run", RunRecord)
            except _DamagedError as error:
                problems.append(str(error))
            except CheckpointError as error:
                if "belongs to another run" in str(error):
                    raise
                problems.append(str(error))
            else:
                for line in problems:
                    warnings.warn(f"{line}; resuming from {step.name}", ParetoWarning, stacklevel=4)
                return state, record
        if steps:
            raise CheckpointError(f"no checkpoint in {self.path} is readable: {'; '.join(problems)}")
        return None

    def _steps(self) -> list[Path]:
        return sorted(self.path.glob("step-*"), reverse=True) if self.path.is_dir() else []

    def _check_identity(self, step: Path) -> None:
        try:
            body = json.loads((step / "identity.json").read_text())
            found, made_by = body["identity"], body["environment"]
        except (OSError, ValueError, KeyError) as error:
            raise _DamagedError(f"checkpoint {step} is damaged: {error}") from error
        for key, value in self.who.items():
            if key != OPTIONS and found.get(key) != value:
                raise CheckpointError(
                    f"{self.path} belongs to another run: its {key} is {found.get(key)}, not {value}"
                    f"{_differing(found, self.who, key)} (choose another folder, or remove this one)"
                )
        now = environment()
        changed = [f"{k} {made_by.get(k)} -> {v}" for k, v in now.items() if made_by.get(k) != v]
        if changed:
            warnings.warn(
                f"resuming {step} under other conditions ({', '.join(changed)}): bits may differ from one straight run",
                ParetoWarning,
                stacklevel=4,
            )


class _DamagedError(CheckpointError):
    """One checkpoint cannot be read; an earlier one may."""
