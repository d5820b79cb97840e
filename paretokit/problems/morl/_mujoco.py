"""MO-Gymnasium's MuJoCo environments as pure functions of stacked states, stepped by a few threads."""

from __future__ import annotations

import importlib
import importlib.util
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from paretokit.core import MissingPackageError, Objective
from paretokit.core import _check as check
from paretokit.problems.morl._environment import Actions, Continuous, Environment, Move
from paretokit.problems.morl._mujoco_engine import Engine, Field, Matrix

_ROOM = "paretokit.problems.morl."
_TWO: Mapping[str, Any] = {"cost_objective": False}

MUJOCO: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "mo-ant-2d-v4": ("_mujoco_spatial:Ant", _TWO),
    "mo-ant-2obj-v5": ("_mujoco_spatial:Ant", _TWO),
    "mo-ant-v4": ("_mujoco_spatial:Ant", {}),
    "mo-ant-v5": ("_mujoco_spatial:Ant", {}),
    "mo-halfcheetah-v4": ("_mujoco_planar:HalfCheetah", {}),
    "mo-halfcheetah-v5": ("_mujoco_planar:HalfCheetah", {}),
    "mo-hopper-2d-v4": ("_mujoco_planar:Hopper", _TWO),
    "mo-hopper-2obj-v5": ("_mujoco_planar:Hopper", _TWO),
    "mo-hopper-v4": ("_mujoco_planar:Hopper", {}),
    "mo-hopper-v5": ("_mujoco_planar:Hopper", {}),
    "mo-humanoid-v4": ("_mujoco_spatial:Humanoid", {}),
    "mo-humanoid-v5": ("_mujoco_spatial:Humanoid", {}),
    "mo-reacher-v4": ("_mujoco_spatial:Reacher", {}),
    "mo-reacher-v5": ("_mujoco_spatial:Reacher", {}),
    "mo-swimmer-v4": ("_mujoco_planar:Swimmer", {}),
    "mo-swimmer-v5": ("_mujoco_planar:Swimmer", {}),
    "mo-walker2d-v4": ("_mujoco_planar:Walker2d", {}),
    "mo-walker2d-v5": ("_mujoco_planar:Walker2d", {}),
}


def mujoco_class(id: str) -> tuple[type[MujocoEnvironment], Mapping[str, Any]]:  # noqa: A002 - the contract's word
    """Return the class and the preset options of an id in `MUJOCO`."""
    path, preset = MUJOCO[id]
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(_ROOM + module), name), preset


def asset(package: str, file: str) -> Path:
    """Return where a package keeps a MuJoCo model, without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingPackageError(f'package {package!r} is needed here; install it with: pip install "paretokit"')
    return Path(spec.origin).parent / "envs" / "mujoco" / "assets" / file


def vector(columns: Sequence[Matrix], *common: Matrix | float) -> Matrix:
    """Return rewards `[L, m]` as MO-Gymnasium rounds them: to float32, and again after each common term is added.

    Args:
        columns: One a component, `[L]`, float64.
        common: What is added to all components, one after the other, `[L]` or a number.
    """
    rounded = np.stack(columns, -1).astype(np.float32)
    for term in common:
        rounded = (rounded + np.asarray(term, dtype=np.float64)[..., None]).astype(np.float32)
    return rounded.astype(np.float64)


def energy(action: Matrix) -> Matrix:
    """Return squared norms `[L]` of actions `[L, k]`, summed in numpy's order as Gymnasium does."""
    return np.asarray(np.square(action).sum(-1))


@dataclass(frozen=True, kw_only=True)
class MujocoEnvironment(Environment):
    """A MuJoCo environment on states `[P, N, s]`, float64: what `Engine` says a row holds.

    Observations, rewards and ends equal MO-Gymnasium's bit for bit from the same state under the same float64 actions
    (rewards are rounded to float32 where MO-Gymnasium rounds them), whatever the number of threads. Resets draw from
    the same distributions by inverse transform, with numbers of the caller's lanes. A lane whose episode has ended
    costs nothing: it stays where it is, with reward 0, until it is reset. An action that is not a number ends the
    episode with a reward that is none either, so that the policy counts as failed.

    Deviations from MO-Gymnasium: actions are clipped to their box before anything else. There, MuJoCo clips what
    drives the motors while the control cost is paid on the unclipped action (humanoid's on the unclipped control).
    Costs are computed from actions in float64; there, in the dtype of the action.

    Attributes:
        id: MO-Gymnasium's.
        reset_noise_scale: Half width of the uniform noise on the first pose (of velocities: uniform or normal).
        exclude_current_positions_from_observation: Whether the position on the plane is left out.
        threads: At most so many step; None takes torch's number.

    Cost: `frame_skip` steps of the physics a lane and step.

    Source: Todorov, Erez, Tassa (2012), MuJoCo, IROS; Felten et al. (2023), A toolkit for reliable benchmarking and
    research in multi-objective reinforcement learning, NeurIPS; Towers et al. (2024), Gymnasium.
    """

    id: str
    reset_noise_scale: float = 5e-3
    exclude_current_positions_from_observation: bool = True
    threads: int | None = None

    engine: ClassVar[Engine]  # one an instance; no field, so that equal options compare equal
    package: ClassVar[str] = "gymnasium"
    frame_skip: ClassVar[int] = 4
    plane: ClassVar[int] = 1  # leading positions that say where on the plane the body is
    fastest: ClassVar[float] = math.inf  # observed velocities are clipped to this
    normal_velocities: ClassVar[bool] = False
    reference: ClassVar[float] = -100.0
    steps: ClassVar[int] = 1000

    def __post_init__(self) -> None:
        if self.threads is not None:
            check.at_least(1, threads=self.threads)
        check.at_least(0, reset_noise_scale=self.reset_noise_scale)
        engine = Engine(
            asset(self.package, self._file()), frame_skip=self.frame_skip, fields=self._fields(), threads=self.threads
        )
        names = self._components()
        put = object.__setattr__
        put(self, "engine", engine)
        put(self, "horizon", self.steps)
        put(self, "objectives", tuple(Objective(name, "max", unit) for name, unit in names))
        put(self, "reference_point", tuple(self.reference for _ in names))
        put(self, "actions", self._actions())
        put(self, "reset_noise", int(engine.model.nq + engine.model.nv))
        qpos, qvel = engine.first
        put(self, "observation_dim", self._watch(engine.begin(qpos[None], qvel[None])).shape[-1])

    @property
    def version(self) -> int:
        """MO-Gymnasium's version of the environment, 4 or 5."""
        return int(self.id[-1])

    @abstractmethod
    def _file(self) -> str:
        """Return the name of the model's file."""

    @abstractmethod
    def _components(self) -> tuple[tuple[str, str], ...]:
        """Return name and unit of each reward component."""

    def _fields(self) -> tuple[Field, ...]:
        """Return the arrays that states carry beside the physics."""
        return ()

    def _actions(self) -> Actions:
        bounds = self.engine.model.actuator_ctrlrange.astype(np.float32)  # Gymnasium's box is float32
        return Continuous(tuple(map(float, bounds[:, 0])), tuple(map(float, bounds[:, 1])))

    def _control(self, action: Tensor) -> Matrix:
        """Return what drives the motors `[L, k]`, float64."""
        assert isinstance(self.actions, Continuous)
        given: Matrix = action.reshape(-1, self.actions.dim).to("cpu", torch.float64).numpy()
        return np.asarray(np.clip(given, self.actions.low, self.actions.high))

    @abstractmethod
    def _reward(self, before: Matrix, control: Matrix, after: Matrix) -> Matrix:
        """Return rewards `[L, m]` of a step."""

    def _ended(self, states: Matrix) -> Any:
        """Tell for each state `[L]` whether it ends an episode."""
        return np.zeros(len(states), dtype=bool)

    def _start(self, noise: Matrix) -> tuple[Matrix, Matrix]:
        """Return first positions and velocities of uniform numbers `[L, nq + nv]`."""
        qpos, qvel = self.engine.first
        nq, scale = self.engine.model.nq, self.reset_noise_scale
        positions = qpos + (-scale + 2 * scale * noise[:, :nq])
        if self.normal_velocities:
            normal = torch.special.ndtri(torch.from_numpy(noise[:, nq:]) + 2.0**-54).numpy()
            return positions, qvel + scale * normal
        return positions, qvel + (-scale + 2 * scale * noise[:, nq:])

    def _rows(self, state: Tensor) -> Matrix:
        return np.asarray(state.reshape(-1, self.engine.width).cpu())

    def initial(self, noise: Tensor) -> Tensor:
        """Return first states `[P, N, s]` of episodes for `noise [P, N, nq + nv]`."""
        drawn = noise.reshape(-1, noise.shape[-1]).to("cpu", torch.float64).numpy()
        states = torch.from_numpy(self.engine.begin(*self._start(drawn)))
        return states.reshape(*noise.shape[:-1], -1).to(noise.device)

    def reset(self, state: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
        """Return `state` with a fresh episode in the lanes of `mask [P, N]`; only those are computed."""
        after = state.clone()
        after[mask] = self.initial(noise[mask])
        return after

    def observe(self, state: Tensor) -> Tensor:
        """Return observations `[P, N, o]`, float32."""
        seen = torch.from_numpy(self._watch(self._rows(state)).astype(np.float32))
        return seen.reshape(*state.shape[:-1], -1).to(state.device)

    def step(self, state: Tensor, action: Tensor, noise: Tensor) -> Move:
        """Return what actions `[P, N, k]` (or `[P, N]`) do in states `[P, N, s]`; lanes that have ended stay."""
        before, control = self._rows(state), self._control(action)
        over = self._ended(before) & (before[:, 0] > 0)  # a first state is stepped once, whatever it is, as there
        lost = np.isnan(control).any(-1)
        go = ~(over | lost)
        if go.all():
            after = self.engine.advance(before, control)
        else:
            after = before.copy()
            after[go] = self.engine.advance(before[go], control[go])
        reward = self._reward(before, control, after)
        reward[over], reward[lost & ~over] = 0.0, np.nan
        shape, device = state.shape[:-1], state.device
        return Move(
            torch.from_numpy(after).reshape(state.shape).to(device),
            torch.from_numpy(reward).reshape(*shape, -1).to(device),
            torch.from_numpy(self._ended(after) | lost).reshape(shape).to(device),
        )

    def _watch(self, states: Matrix) -> Matrix:
        """Return observations `[L, o]`, float64: positions, less those on the plane, and velocities."""
        positions = states[:, self.engine.qpos]
        if self.exclude_current_positions_from_observation:
            positions = positions[:, self.plane :]
        return np.concatenate([positions, np.clip(states[:, self.engine.qvel], -self.fastest, self.fastest)], -1)
