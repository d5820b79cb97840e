"""From what a user names to an environment: on tensors where there is one, in MuJoCo threads, or Gymnasium's own."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from paretokit.core import _check as check
from paretokit.problems.morl._environment import Environment
from paretokit.problems.morl._gymnasium import GymnasiumEnvironment
from paretokit.problems.morl._gymnasium_make import options_of
from paretokit.problems.morl._mujoco import MUJOCO, mujoco_class
from paretokit.problems.morl._table import _ROOM, TENSOR, tensor_environment


def make_environment(
    environment: str | Callable[[], Any] | Environment, options: Mapping[str, Any], *, tensor: bool = True
) -> Environment:
    """Return the fastest environment that an id, a function or an `Environment` stands for.

    Ids in `TENSOR` run on tensors; ids in `MUJOCO` in MuJoCo threads, unless an option asks for what only Gymnasium
    has (another model, a camera); all others, and functions, as Python objects. The same id means the same
    environment throughout: rewards, ends and time limits agree.

    Args:
        environment: An id, a function that makes Gymnasium environments, or an environment, which is returned.
        options: Of the environment, by name.
        tensor: Whether tensors and threads may be used; if not, ids run as Python objects, for comparison.

    Raises:
        UnknownNameError: If no environment or option has that name; the nearest are offered.
        MissingPackageError: If the environment needs a package that is not installed.
        InputError: If the environment has no vector reward.
    """
    if isinstance(environment, Environment):
        check.options(options, (), owner="an environment that was made already")
        return environment
    if not isinstance(environment, str):
        rule = "be an id, a function that makes a Gymnasium environment, or an Environment"
        check.that(callable(environment), "environment", rule, _named(environment), _instead(environment))
        return GymnasiumEnvironment(source=environment, options=options)
    if tensor and environment in TENSOR:
        check.options(options, _tensor_options(environment), owner=environment)
        return tensor_environment(environment, options)
    if tensor and environment in MUJOCO:
        made, preset = mujoco_class(environment)
        own = {f.name for f in dataclasses.fields(made)} - {"id"}
        if own.issuperset(options):
            return made(id=environment, **{**preset, **options})
        allowed = options_of(environment)
        check.options(options, own if allowed is None else own | allowed, owner=environment)
        options = {name: value for name, value in options.items() if name != "threads"}
    return _with_customs(GymnasiumEnvironment(source=environment, options=options))


def _named(given: Any) -> str:
    """Return what was given, on one line, where `repr` may be anything."""
    return " ".join(repr(given).split())[:120]


def _instead(given: Any) -> str:
    """Return what to pass instead of a Gymnasium environment that was made already."""
    if not (callable(getattr(given, "reset", None)) and callable(getattr(given, "step", None))):
        return ""
    spec = getattr(given, "spec", None)
    known = f'its id, MORL("{spec.id}"), or ' if spec is not None else ""
    return (
        f"an environment that was made already cannot run many episodes side by side; pass {known}a function that "
        "makes a new one, MORL(lambda: ...)"
    )


def _tensor_options(name: str) -> set[str]:
    module, _, kind = TENSOR[name][0].partition(":")
    made = getattr(importlib.import_module(_ROOM + module), kind)
    return {f.name for f in dataclasses.fields(made) if f.init}


def _with_customs(plain: GymnasiumEnvironment) -> GymnasiumEnvironment:
    """Return the environment with the objectives, discount and reference point of its faster twin, where it has one."""
    if plain.id in TENSOR:
        twin = tensor_environment(plain.id, {})
    elif plain.id in MUJOCO:
        made, preset = mujoco_class(plain.id)
        twin = made(id=plain.id, **preset)
    else:
        return plain
    if twin.n_objectives == plain.n_objectives:
        for name in ("objectives", "discount", "reference_point"):
            object.__setattr__(plain, name, getattr(twin, name))
    return plain
