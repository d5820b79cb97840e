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
from paretokit.problems.morl._live import Lane, Live, Stepper, guarded

_DRAWS_GLOBALLY = ("minecart-rgb-v0", "minecart-v0", "mo-supermario-v0")  # of MO-Gymnasium's


def _rebuild(source: str | Callable[[], Any], options: Mapping[str, Any]) -> GymnasiumEnvironment:
    return GymnasiumEnvironment(source=source, options=options)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class GymnasiumEnvironment(Environment):
    """Python environments stepped one after the other: slower than tensors or MuJoCo threads, but any will do.

    A state (`Live`) is a handle on live objects together with the record that rebuilds them; it changes when it is
    stepped. A lane whose episode has ended stays until it is reset, with reward 0. Handles that nobody holds leave
    their environments to the next ones, which reset them.

    Time limits belong to who runs episodes, so `TimeLimit` wrappers are taken out and their limit is `horizon`. What
    an environment truncates by itself beyond that counts as terminated. Actions are clipped to their box and given in
    its dtype. Observations: boxes are flattened in C order, dictionaries and finite sets as Gymnasium flattens them
    (one-hot, in the order of keys; a `ParetoWarning` says the order).

    An episode replays from its reset seed and its actions, also where the environment draws from the global generators
    of Python or NumPy: those are seeded for each step of environments that are not MO-Gymnasium's own (and of those of
    its own that draw so), and put back afterwards.

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

    def _open(self, n: int) -> list[Lane]:
        envs: list[Any] = []
        seen: set[int] = set()
        with guarded(self._stepper.seeds_globals):
            for _ in range(n):
                env = self._idle.pop() if self._idle else build(self.source, self.options)[0]
                if id(env) in seen:
                    hint = "return a fresh one, not one that was made outside"
                    raise InputError(check.message("environment", "be new at each call", "the same object twice", hint))
                envs.append(env)
                seen.add(id(env))
        return [Lane(env) for env in envs]

    def _lend(self, live: Live, lanes: list[Lane]) -> Live:
        live.lanes = lanes
        weakref.finalize(live, self._idle.extend, [lane.env for lane in lanes]).atexit = False
        return live

    def initial(self, noise: Tensor) -> Live:
        """Return fresh lanes `[P, N]`, reset with the seeds floor(2^31 u) of `noise [P, N, 1]`."""
        lanes = self._open(noise.shape[0] * noise.shape[1])
        fresh = Live.fresh(lanes, noise.shape[0], self.observation_dim, device=str(noise.device))
        live = self._lend(fresh, lanes)
        return self.reset(live, torch.ones(noise.shape[:2], dtype=torch.bool), noise)

    def reset(self, state: Live, mask: Tensor, noise: Tensor) -> Live:
        """Return `state`, in which the lanes of `mask [P, N]` have begun new episodes."""
        chosen = mask.cpu()
        seeds = (noise[..., 0].to("cpu", torch.float64) * 2**31).to(torch.int64)
        each = zip(self._awake(state), chosen.reshape(-1).tolist(), seeds.reshape(-1).tolist(), strict=True)
        with guarded(self._stepper.seeds_globals):
            for lane, begins, seed in each:
                if begins:
                    self._stepper.reset(lane, seed)
        state.seeds = torch.where(chosen, seeds, state.seeds)
        state.begun = state.begun.masked_fill(chosen, len(state.history))
        state.forget()
        state.show()
        return state

    def step(self, state: Live, action: Tensor, noise: Tensor) -> Move:
        """Return what actions do; the handle in the answer is the one that was given, and has changed."""
        lanes = self._awake(state)
        given = action.detach().to(
            "cpu", torch.int64 if isinstance(self.actions, Discrete) else torch.float64, copy=True
        )
        with guarded(self._stepper.seeds_globals):
            rewards = [self._stepper.step(lane, one) for lane, one in zip(lanes, self._each(given), strict=True)]
        state.history.append(given)
        state.show()
        paid = torch.from_numpy(np.stack(rewards)).reshape(*state.over.shape, -1)
        return Move(state, paid.to(action.device), state.over.to(action.device))

    def observe(self, state: Live) -> Tensor:
        """Return what the lanes show `[P, N, o]`, float32."""
        return state.observations.to(state.device)

    def state_index(self, observation: Tensor) -> Tensor:
        """Return the number of one-hot observations, where the environment's are numbers."""
        return observation.argmax(-1) if self.n_states else super().state_index(observation)

    def restore(self, state: Live) -> Live:
        """Return `state` with its lanes rebuilt where they are missing: reset, replayed, and compared.

        Every use of a state does this by itself.

        Raises:
            CheckpointError: If a lane does not come to show what was recorded.

        Cost: one step for each step since the last resets.
        """
        if state.lanes is not None:
            return state
        members, n = state.over.shape
        lanes = self._open(members * n)
        given = [self._each(action) for action in state.history]
        with guarded(self._stepper.seeds_globals):
            for i, lane in enumerate(lanes):
                p, q = divmod(i, n)
                self._stepper.reset(lane, int(state.seeds[p, q]))
                for step in given[int(state.begun[p, q]) :]:
                    self._stepper.step(lane, step[i])
                seen, over = state.observations[p, q].numpy(), bool(state.over[p, q])
                if lane.over != over or not np.array_equal(lane.observation, seen):
                    raise CheckpointError(
                        f"{self.id} does not replay: reset with seed {lane.seed} and stepped {lane.t} times, lane {p}, "
                        f"{q} shows another observation than before; it must depend on its seed and its actions alone"
                    )
        return self._lend(state, lanes)

    def _awake(self, state: Live) -> list[Lane]:
        lanes = self.restore(state).lanes
        assert lanes is not None
        return lanes

    def _each(self, given: Tensor) -> Any:
        """Return what each lane is given: numbers, or rows `[k]` float64."""
        flat = given.reshape(given.shape[0] * given.shape[1], *given.shape[2:])
        return flat.tolist() if isinstance(self.actions, Discrete) else flat.numpy()


def _name_of(env: Any, source: Any) -> str:
    if env.spec is not None:
        return str(env.spec.id)
    return type(env.unwrapped).__name__ or str(getattr(source, "__name__", "environment"))
