"""From an id or a function to a Gymnasium environment with a vector reward and without a time limit."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from paretokit.core import InputError, MissingPackageError
from paretokit.core import _check as check

Source = str | Callable[[], Any]

_INSTALL: Mapping[str, str] = {
    "Box2D": 'pip install "paretokit[box2d]"',
    "gym_super_mario_bros": 'pip install "mo-gymnasium[mario]", in an environment of its own: it needs NumPy below 2',
    "highway_env": "pip install highway-env",
    "mujoco": 'pip install "paretokit[mujoco]"',
    "nes_py": 'pip install "mo-gymnasium[mario]", in an environment of its own: it needs NumPy below 2',
}


def known_ids() -> list[str]:
    """Return the ids that MO-Gymnasium registers."""
    registry = _gymnasium().registry
    return sorted(name for name, spec in registry.items() if str(spec.entry_point).startswith("mo_gymnasium"))


def _gymnasium() -> Any:
    importlib.import_module("mo_gymnasium")  # registers its ids
    return importlib.import_module("gymnasium")


@contextlib.contextmanager
def _quiet(category: type[Warning] = Warning) -> Iterator[None]:
    """Keep Gymnasium's notes from users, and Box2D's, which crash the interpreter where warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


def build(source: Source, options: Mapping[str, Any]) -> tuple[Any, int | None]:
    """Return a new environment without its time limit, and the time limit.

    Raises:
        UnknownNameError: If no environment or option has that name.
        MissingPackageError: If the environment needs a package that is not installed.
        InputError: If a function does not make a Gymnasium environment.
    """
    gymnasium = _gymnasium()
    if not isinstance(source, str):
        with _quiet(DeprecationWarning):
            env = source()
        if not isinstance(env, gymnasium.Env):
            raise InputError(check.message("environment", "make a gymnasium.Env", type(env).__name__))
        return _without_limit(env, gymnasium.wrappers.TimeLimit)
    name = source.rpartition(":")[2]
    if ":" not in source and name not in gymnasium.registry:
        check.known(name, known_ids(), kind="environment")
    try:
        allowed = options_of(source) if options else None
        if allowed is not None:
            check.options(options, allowed, owner=source)
        with _quiet():
            env = importlib.import_module("mo_gymnasium").make(source, max_episode_steps=-1, **options)
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        raise MissingPackageError(_missing(source, error)) from error
    return env, gymnasium.spec(source).max_episode_steps


def options_of(source: str) -> set[str] | None:
    """Return the names of the options of an id: its constructor's, and its bases' where it forwards the rest.

    None where that cannot be told.
    """
    gymnasium = _gymnasium()
    with _quiet():
        made: Any = gymnasium.envs.registration.load_env_creator(gymnasium.spec(source).entry_point)
    chain = [vars(c)["__init__"] for c in made.__mro__ if "__init__" in vars(c)] if inspect.isclass(made) else [made]
    names: set[str] = set()
    for function in chain:
        if function is object.__init__:
            break
        given = inspect.signature(function).parameters.values()
        names |= {p.name for p in given if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"}
        if not any(p.kind is p.VAR_KEYWORD for p in given):
            return names
    return names if inspect.isclass(made) else None


def _missing(source: str, error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        package = getattr(cause, "name", None)
        if package:
            root = str(package).partition(".")[0]
            command = _INSTALL.get(root, f"pip install {root}")
            return f"package {root!r} is needed for {source}; install it with: {command}"
        cause = cause.__cause__ or cause.__context__
    return f"a package is needed for {source}: {error}"


def _without_limit(env: Any, limit: Any) -> tuple[Any, int | None]:
    """Return an environment with all `TimeLimit` wrappers taken out, and the shortest limit."""
    horizon: int | None = None
    above, at = None, env
    while at is not at.unwrapped:
        if isinstance(at, limit):
            steps = int(at._max_episode_steps)
            horizon = steps if horizon is None else min(horizon, steps)
            if above is None:
                env = at.env
            else:
                above.env = at.env
        else:
            above = at
        at = at.env
    return env, horizon


def reward_length(env: Any, name: str) -> int:
    """Return how many components the reward of an environment has, as it declares them.

    Raises:
        InputError: If it declares none.
    """
    for attribute in ("reward_space", "reward_dim"):
        if env.has_wrapper_attr(attribute):
            declared = env.get_wrapper_attr(attribute)
            shape = getattr(declared, "shape", None)
            if shape is None and isinstance(declared, int):
                shape = (declared,)
            if shape is not None and len(shape) == 1 and shape[0] >= 1:
                return int(shape[0])
            raise InputError(
                check.message(
                    attribute, "say how many components the reward has", repr(declared), "a Box of shape (m,)"
                )
            )
    same = f"mo-{name.lower()}"
    twins = [twin for twin in known_ids() if twin.startswith(same.rpartition("-v")[0])]
    nearest = same if same in twins else min(twins, key=len, default="")
    hint = f"did you mean {nearest!r}?" if nearest else "declare `reward_space`, a Box of shape (m,)"
    raise InputError(check.message("environment", "have a vector reward", name, hint))
