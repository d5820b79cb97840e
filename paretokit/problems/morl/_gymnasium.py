"""Any Gymnasium environment with a vector reward: one live Python object a lane."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from paretokit.core import CheckpointError, InputError, Objective, ParetoWarning
from paretokit.core import _check as check
from paretokit.problems.morl._customs import CUSTOMS
from paretokit.problems.morl._environment import Discrete, Environment, Move
from paretokit.problems.morl._gymnasium_make import build, known_ids, reward_length
from paretokit.problems.morl._gymnasium_spaces import acting, actions_of, reader
from paretokit.problems.morl._live import Lane, Live, Record, Stepper, guarded

_DRAWS_GLOBALLY = ("minecart-rgb-v0", "minecart-v0", "mo-supermario-v0")  # of MO-Gymnasium's


def _rebuild(source: str | Callable[[], Any], options: Mapping[str, Any]) -> GymnasiumEnvironment:
    return GymnasiumEnvironment(source=source, options=options)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class GymnasiumEnvironment(Environment):
    """Python environments stepped one after the other: slower than tensors or MuJoCo threads, but any will do.

    A state is a handle on live objects, and changes when it is stepped. A lane whose episode has ended stays until it
    is reset, with reward 0. Handles that nobody holds leave their environments to the next ones, which reset them.

    Time limits belong to who runs episodes, so `TimeLimit` wrappers are taken out and their limit is `horizon`. What
    an environment truncates by itself beyond that counts as terminated. Actions are clipped to their box and given in
    its dtype. Observations: boxes are flattened in C order, dictionaries and finite sets as Gymnasium flattens them
    (one-hot, in the order of keys; a `ParetoWarning` says the order).

    An episode replays from its reset seed and its actions (`record`, `restore`), also where the environment draws
    from the global generators of Python or NumPy: those are seeded for each step of environments that are not
    MO-Gymnasium's own (and of those of its own that draw so), and put back afterwards.

    Attributes:
        source: An id of MO-Gymnasium or of any registered environment, or a function without arguments that makes a
            new environment at each call. The environment says how many components its reward has in `reward_space`, a
            Box of shape (m,), or `reward_dim`.
        options: Options of the environment, by name; for ids only.

    Raises:
        UnknownNameError: If no environment or option has that name; the nearest are offered.
        MissingPackageError: If the environment needs a package that is not installed; the message says how to.
        InputError: If the environment has no vector reward, or spaces that do not become rows of numbers.

    Cost: one Python step a lane; with seeded global generators 20 µs more a lane, and 0.3 ms a call.

    Source: Towers et al. (2024), Gymnasium; Felten et al. (2023), A toolkit for reliable benchmarking and research in
    multi-objective reinforcement learning, NeurIPS.
    """

    source: str | Callable[[], Any]
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    functional = False
    reset_noise = 1

    def __post_init__(self) -> None:
        named = isinstance(self.source, str)
        if not named:
            check.options(self.options, (), owner="an environment that a function makes")
        mine = named and self.source in known_ids() and self.source not in _DRAWS_GLOBALLY
        put = object.__setattr__
        with guarded(not mine):
            env, horizon = build(self.source, self.options)
        name = str(self.source) if named else _name_of(env, self.source)
        m = reward_length(env, name)
        seen = reader(env.observation_space, name)
        custom = CUSTOMS.get(name)
        fits = custom is not None and len(custom.names) == m
        names = custom.names if custom is not None and fits else tuple(f"objective {i + 1}" for i in range(m))
        put(self, "id", name)
        put(self, "objectives", tuple(Objective(n, "max") for n in names))
        put(self, "observation_dim", seen.dim)
        put(self, "n_states", seen.n_states)
        put(self, "actions", actions_of(env.action_space))
        put(self, "horizon", horizon)
        if custom is not None and fits:
            put(self, "discount", custom.discount)
            put(self, "reference_point", custom.reference_point)
        put(self, "_stepper", Stepper(name, m, seen.dim, seen.read, acting(env.action_space), not mine))
        put(self, "_idle", [env])
        if seen.note:
            warnings.warn(seen.note, ParetoWarning, stacklevel=4)

    _stepper: Any = field(init=False, repr=False)
    _idle: Any = field(init=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.source, dict(self.options))

    def _open(self, shape: tuple[int, int], device: torch.device) -> Live:
        envs: list[Any] = []
        seen: set[int] = set()
        with guarded(self._stepper.seeds_globals):
            for _ in range(shape[0] * shape[1]):
                env = self._idle.pop() if self._idle else build(self.source, self.options)[0]
                if id(env) in seen:
                    hint = "return a fresh one, not one that was made outside"
                    raise InputError(check.message("environment", "be new at each call", "the same object twice", hint))
                envs.append(env)
                seen.add(id(env))
        live = Live([Lane(env) for env in envs], shape, device)
        weakref.finalize(live, self._idle.extend, envs).atexit = False
        return live

    def initial(self, noise: Tensor) -> Live:
        """Return fresh lanes `[P, N]`, reset with the seeds floor(2^31 u) of `noise [P, N, 1]`."""
        live = self._open((noise.shape[0], noise.shape[1]), noise.device)
        return self.reset(live, torch.ones(noise.shape[:2], dtype=torch.bool), noise)

    def reset(self, state: Live, mask: Tensor, noise: Tensor) -> Live:
        """Return `state`, in which the lanes of `mask [P, N]` have begun new episodes."""
        seeds = (noise[..., 0].to(torch.float64) * 2**31).to(torch.int64).reshape(-1).tolist()
        with guarded(self._stepper.seeds_globals):
            for lane, chosen, seed in zip(state.lanes, mask.reshape(-1).tolist(), seeds, strict=True):
                if chosen:
                    self._stepper.reset(lane, seed)
        return state

    def step(self, state: Live, action: Tensor, noise: Tensor) -> Move:
        """Return what actions do; the handle in the answer is the one that was given, and has changed."""
        given = action.reshape(len(state.lanes), *action.shape[2:]).cpu()
        each: Any = given.tolist() if isinstance(self.actions, Discrete) else given.to(torch.float64).numpy()
        with guarded(self._stepper.seeds_globals):
            rewards = [self._stepper.step(lane, one) for lane, one in zip(state.lanes, each, strict=True)]
        paid = torch.from_numpy(np.stack(rewards)).reshape(*state.shape, -1).to(state.device)
        over = torch.tensor([lane.over for lane in state.lanes], device=state.device).reshape(state.shape)
        return Move(state, paid, over)

    def observe(self, state: Live) -> Tensor:
        """Return what the lanes see `[P, N, o]`, float32."""
        rows = torch.from_numpy(np.stack([lane.observation for lane in state.lanes]))
        return rows.reshape(*state.shape, -1).to(state.device)

    def state_index(self, observation: Tensor) -> Tensor:
        """Return the number of one-hot observations, where the environment's are numbers."""
        return observation.argmax(-1) if self.n_states else super().state_index(observation)

    def record(self, state: Live) -> Record:
        """Return what `restore` rebuilds the lanes from; the handle stays as it is."""
        lanes, shape = state.lanes, state.shape
        actions = [action for lane in lanes for action in lane.actions]
        if isinstance(self.actions, Discrete):
            flat = torch.tensor(actions, dtype=torch.int64)
        else:
            flat = torch.from_numpy(np.array(actions, dtype=np.float64).reshape(-1, self.actions.dim))
        return Record(
            seeds=torch.tensor([lane.seed for lane in lanes], dtype=torch.int64).reshape(shape),
            lengths=torch.tensor([len(lane.actions) for lane in lanes], dtype=torch.int64).reshape(shape),
            actions=flat,
            observations=self.observe(state).cpu(),
        )

    def restore(self, record: Record, device: torch.device | str = "cpu") -> Live:
        """Return live lanes that stand where the recorded ones stood, by resetting and replaying them.

        Raises:
            CheckpointError: If a lane does not come to see what was recorded.

        Cost: one step for each step since the last resets.
        """
        live = self._open((record.seeds.shape[0], record.seeds.shape[1]), torch.device(device))
        discrete = isinstance(self.actions, Discrete)
        each: Any = record.actions.tolist() if discrete else record.actions.numpy()
        at = 0
        with guarded(self._stepper.seeds_globals):
            for i, lane in enumerate(live.lanes):
                p, n = divmod(i, live.shape[1])
                length, seed = int(record.lengths[p, n]), int(record.seeds[p, n])
                self._stepper.reset(lane, seed)
                for given in each[at : at + length]:
                    self._stepper.step(lane, given)
                at += length
                same = np.array_equal(lane.observation, record.observations[p, n].numpy())
                if len(lane.actions) != length or not same:
                    raise CheckpointError(
                        f"{self.id} does not replay: reset with seed {seed} and stepped {length} times, lane {p}, {n} "
                        "shows another observation than before; it must depend on its seed and its actions alone"
                    )
        return live

    def clone(self, state: Live) -> Live:
        """Return other live lanes that stand where these stand, by replaying them."""
        return self.restore(self.record(state), state.device)


def _name_of(env: Any, source: Any) -> str:
    if env.spec is not None:
        return str(env.spec.id)
    return type(env.unwrapped).__name__ or str(getattr(source, "__name__", "environment"))
