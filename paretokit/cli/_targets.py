"""Problems and solvers by id, or a user's own by ``module:Name`` and ``file.py:Name``."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from paretokit.cli._options import parse_options
from paretokit.core import InputError, ParetoError, Problem, Solver, option_names
from paretokit.core import _check as check

HINT = "for example bridge:Bridge, for the class Bridge in bridge.py"


def is_own(text: str) -> bool:
    """Tell whether a name means something outside the package."""
    return ":" in text


def where(error: BaseException) -> str:
    """Return an error and the line that raised it, as one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    if isinstance(error, SyntaxError):
        place = f" ({Path(error.filename or '?').name}, line {error.lineno})"
        return f"SyntaxError: {error.msg}{place}"
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


def _module(name: str) -> ModuleType:
    """Import a module by its dotted name or its file, the working folder first."""
    file = Path(name)
    folder, stem = (file.parent, file.stem) if file.suffix == ".py" else (Path(), name)
    if file.suffix == ".py":
        check.that(file.is_file(), "target", "name a file that is there", repr(name))
    home = str(folder.resolve())
    if home not in sys.path:
        sys.path.insert(0, home)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(stem)
    except ModuleNotFoundError as error:
        if error.name not in (stem, stem.partition(".")[0]):
            raise InputError(f"{name} could not be imported: {where(error)}") from error
        here = [found.stem for found in folder.glob("*.py")]
        check.fail("target", "name a module that can be imported", repr(name), check.nearest(stem, here) or HINT)
    except Exception as error:  # a user's module may raise anything
        raise InputError(f"{name} could not be imported: {where(error)}") from error


def load(text: str) -> Any:
    """Return what ``module:Name`` names.

    Raises:
        InputError: If the module cannot be imported; the message says why, and where.
        UnknownNameError: If it holds no such name; the nearest are offered.
    """
    module_name, colon, name = text.rpartition(":")
    check.that(bool(colon and module_name and name), "target", "look like module:Name", repr(text), HINT)
    module = _module(module_name)
    if not hasattr(module, name):
        own = [key for key in vars(module) if not key.startswith("_")]
        check.known(name, getattr(module, "__all__", own), kind="name")
    return getattr(module, name)


def made(found: Any, text: str, options: dict[str, Any]) -> Any:
    """Return an instance: the class called with options, or what is one already.

    Raises:
        InputError: If the class is abstract, or does not take the options.
    """
    if not inspect.isclass(found):
        check.that(not options, "option", "be left out for what is no class", ", ".join(options))
        return found
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    check.that(not missing, text, f"define {', '.join(missing)}", "a class without")
    check.options(options, option_names(found), owner=text)
    try:
        return found(**options)
    except ParetoError:
        raise
    except Exception as error:  # a user's constructor may raise anything
        raise InputError(f"{text} could not be made: {where(error)} (`--option name=value` gives options)") from error


def problem_of(text: str, pairs: Sequence[str], name: str = "problem-option") -> Problem:
    """Return the problem of an id, or a user's own, with options written as ``name=value``."""
    from paretokit import problems

    options = parse_options(pairs, name)
    if not is_own(text):
        return problems.make(text, **options)
    problem = made(load(text), text, options)
    check.that(isinstance(problem, Problem), "problem", "be a Problem", type(problem).__name__)
    assert isinstance(problem, Problem)
    return problem


def solver_of(text: str, pairs: Sequence[str]) -> Solver[Any]:
    """Return the solver of a name, or a user's own, with options written as ``name=value``."""
    from paretokit import solvers

    options = parse_options(pairs)
    if not is_own(text):
        return solvers.make(text, **options)
    solver = made(load(text), text, options)
    check.that(isinstance(solver, Solver), "solver", "be a Solver", type(solver).__name__)
    assert isinstance(solver, Solver)
    return solver
