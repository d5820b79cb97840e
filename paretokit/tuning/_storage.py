"""Where trials are kept: an Optuna storage, a study in it for each question, and which of its trials count."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paretokit.core import InputError, Problem, Rng, SearchSpace, Solver
from paretokit.core import _check as check
from paretokit.run._checkpoint import identity
from paretokit.tuning._trial import RUNGS

PRUNING = ("median", "hyperband", "none")
SAMPLERS = ("tpe", "random")
OWNER, DEFAULT, SCORES, ERROR = "owner", "default", "scores", "error"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's log of trials off the terminal meanwhile."""
    optuna = check.package("optuna", extra="tuning")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def url_of(storage: str | Path | None) -> str | None:
    """Return the address of a storage: a URL as it is, a path as that of an SQLite file, None for memory."""
    if storage is None:
        return None
    check.that(isinstance(storage, str | Path) and str(storage) != "", "storage", "be a file or a URL", repr(storage))
    text = str(storage)
    return text if "://" in text else f"sqlite:///{Path(text).expanduser()}"


def shown(url: str | None) -> str:
    """Return an address without its password."""
    return "memory" if url is None else re.sub(r"//([^:/@]*):[^@]*@", r"//\1:***@", url)


def open_study(url: str | None, name: str, *, direction: str, pruner: Any = None, storage: Any = None) -> Any:
    """Return the study of a name, new or as it was left.

    Raises:
        InputError: If the storage cannot be reached, in one line.
    """
    optuna = check.package("optuna", extra="tuning")
    if url is not None and url.startswith("sqlite:///"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        check.that(folder.is_dir(), "storage", "lie in a folder that exists", str(folder))
    try:
        return optuna.create_study(
            storage=storage if storage is not None else url,
            study_name=name,
            direction=direction,
            pruner=pruner,
            load_if_exists=True,
        )
    except Exception as error:
        reason = " ".join(str(error).split("\n")[0].split()) or type(error).__name__
        line = check.message("storage", "be one that Optuna can open", repr(shown(url)), shown(reason))
        raise InputError(line) from error


def study_name(
    solver: Solver[Any], problem: Problem, *, seeds: tuple[int, ...], space: SearchSpace, settings: Mapping[str, str]
) -> str:
    """Return a name that is equal exactly where trials may be taken over: the question's hash is part of it."""
    who = identity(problem, solver, seeds)
    content = {n: who[n] for n in ("problem", "solver", "seeds", "measurement")} | dict(settings)
    content["space"] = {name: repr(entry) for name, entry in space.items()}
    digest = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=6).hexdigest()
    return f"{solver.name} on {problem.name} ({digest})"


def pruner_of(pruning: str, length: int) -> Any:
    """Return Optuna's pruner; none acts in the first half of the first run, before there is anything to see."""
    pruners = check.package("optuna", extra="tuning").pruners
    if pruning == "median":
        return pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=RUNGS // 2)
    if pruning == "hyperband":
        return pruners.HyperbandPruner(min_resource=RUNGS // 2, max_resource=length, reduction_factor=3)
    return pruners.NopPruner()


def sampler_of(sampler: str, rng: Rng) -> Any:
    """Return Optuna's sampler for one trial."""
    samplers = check.package("optuna", extra="tuning").samplers
    return samplers.TPESampler(seed=rng.seed32) if sampler == "tpe" else samplers.RandomSampler(seed=rng.seed32)


def owner() -> str:
    """Return who runs a trial."""
    return f"{platform.node()}:{os.getpid()}"


def counted(study: Any) -> list[Any]:
    """Return the trials that count, in order: complete, pruned, or failed by themselves, which says why."""
    states = check.package("optuna", extra="tuning").trial.TrialState
    done = study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED, states.FAIL))
    return [t for t in done if t.state != states.FAIL or ERROR in t.user_attrs]


def searched(study: Any) -> list[Any]:
    """Return the counted trials but for the defaults."""
    return [trial for trial in counted(study) if not trial.user_attrs.get(DEFAULT)]


def release_lost(study: Any) -> None:
    """Let go of trials whose process on this machine is gone: they are drawn again, with the same numbers."""
    states = check.package("optuna", extra="tuning").trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        node, _, process = str(trial.user_attrs.get(OWNER, "")).rpartition(":")
        if node == platform.node() and process.isdigit() and not _alive(int(process)):
            study.tell(trial.number, state=states.FAIL)


def _alive(process: int) -> bool:
    if process == os.getpid():
        return False  # an earlier call of this very process, or an earlier process of the same number
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
