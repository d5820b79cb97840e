"""MuJoCo's bodies in space: ant and humanoid; and the reacher, an arm on a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from torch import Tensor

from paretokit.problems.morl._environment import Actions, Discrete
from paretokit.problems.morl._mujoco import MujocoEnvironment, energy, vector
from paretokit.problems.morl._mujoco_bodies import ENERGY, Range, Standing, within
from paretokit.problems.morl._mujoco_engine import Field, Matrix

BODIES = 14  # of ant and humanoid, the world included
FORCES = Field("cfrc_ext", 0, 6 * BODIES)


@final
@dataclass(frozen=True, kw_only=True)
class Ant(Standing):
    r"""A four-legged body that is paid for speed along x, speed along y, and for sparing energy.

    .. math:: r = (v_x,\; v_y,\; -\|a\|^2) + h - f \quad\text{or}\quad (v_x,\; v_y) - c \|a\|^2 + h - f

    :math:`v` is the mean velocity of the torso over the step (as MuJoCo's kinematics saw it, which lag behind the
    positions by one step of the physics), :math:`a` the action, :math:`c` the control cost weight, :math:`h` the
    healthy reward, and in version 5 :math:`f` the weighted square of the contact forces, clipped to their range.
    Observation: positions less x and y, velocities (27 numbers), in version 5 also the clipped forces (105). The
    episode ends when the torso's height leaves its range.

    Attributes:
        cost_objective: Whether energy is an objective of its own (3 objectives) or part of the others (2).
        ctrl_cost_weight: c.
        contact_cost_weight, contact_force_range: Of f.
        healthy_reward: h.
        terminate_when_unhealthy: Whether falling ends the episode.
        healthy_z_range: Closed range of a healthy height.

    Source: Schulman et al. (2016), High-dimensional continuous control using generalized advantage estimation, ICLR.
    """

    ctrl_cost_weight: float = 0.5
    reset_noise_scale: float = 0.1
    cost_objective: bool = True
    contact_cost_weight: float = 5e-4
    contact_force_range: Range = (-1.0, 1.0)
    healthy_z_range: Range = (0.2, 1.0)

    frame_skip: ClassVar[int] = 5
    plane: ClassVar[int] = 2
    normal_velocities: ClassVar[bool] = True

    def _file(self) -> str:
        return "ant.xml"

    def _components(self) -> tuple[tuple[str, str], ...]:
        return (("x velocity", "m/s"), ("y velocity", "m/s"), *((ENERGY,) if self.cost_objective else ()))

    def _fields(self) -> tuple[Field, ...]:
        return (Field("xpos", 3, 2), *((FORCES,) if self.version > 4 else ()))

    def _forces(self, states: Matrix) -> Matrix:
        return np.asarray(np.clip(states[:, self.engine.slices()["cfrc_ext"]], *self.contact_force_range))

    def _watch(self, states: Matrix) -> Matrix:
        forces = [self._forces(states)[:, 6:]] if self.version > 4 else []
        return np.concatenate([super()._watch(states), *forces], -1)

    def _healthy(self, states: Matrix) -> Any:
        whole = states[:, self.engine.qpos.start : self.engine.qvel.stop]
        low, high = self.healthy_z_range
        return np.isfinite(whole).all(-1) & (low <= whole[:, 2]) & (whole[:, 2] <= high)

    def _reward(self, before: Matrix, control: Matrix, after: Matrix) -> Matrix:
        torso = self.engine.slices()["xpos"]
        velocity = (after[:, torso] - before[:, torso]) / self.engine.dt
        alive = self._alive(after)
        contact = [-(self.contact_cost_weight * energy(self._forces(after)))] if self.version > 4 else []
        if not self.cost_objective:
            return vector((velocity[:, 0], velocity[:, 1]), self._cost(control), alive, *contact)
        return vector((velocity[:, 0], velocity[:, 1], self._effort(control)), alive, *contact)


@final
@dataclass(frozen=True, kw_only=True)
class Humanoid(Standing):
    r"""A two-legged body in space that is paid for speed and for sparing energy.

    .. math:: r = (v_x,\; -\|a\|^2) + h - f \;\text{(v5)} \quad\text{or}\quad (v_x,\; -10 c \|a\|^2) + h \;\text{(v4)}

    :math:`v_x` is the mean speed of the center of mass over the step (as MuJoCo's kinematics saw it, which lag behind
    the positions by one step of the physics), :math:`f` the weighted square of the contact forces, clipped to its
    range; other symbols as for `Ant`. Observation: positions less x and y, velocities, inertias and velocities of the
    bodies, forces of the actuators, contact forces: 376 numbers, 348 in version 5, which leaves out what is constant.

    Attributes:
        ctrl_cost_weight: c.
        contact_cost_weight, contact_cost_range: Of f.
        healthy_reward: h.
        terminate_when_unhealthy: Whether falling ends the episode.
        healthy_z_range: Open range of a healthy height.

    Source: Tassa, Erez, Todorov (2012), Synthesis and stabilization of complex behaviors through online trajectory
    optimization, IROS.
    """

    ctrl_cost_weight: float = 0.1
    reset_noise_scale: float = 1e-2
    healthy_reward: float = 5.0
    contact_cost_weight: float = 5e-7
    contact_cost_range: Range = (float("-inf"), 10.0)
    healthy_z_range: Range = (1.0, 2.0)

    frame_skip: ClassVar[int] = 5
    plane: ClassVar[int] = 2

    def _file(self) -> str:
        return "humanoid.xml"

    def _fields(self) -> tuple[Field, ...]:
        n = BODIES
        bodies = (Field("cinert", 0, 10 * n), Field("cvel", 0, 6 * n), Field("qfrc_actuator", 0, 23), FORCES)
        return (Field("xipos", 0, 3 * n), *bodies)

    def _watch(self, states: Matrix) -> Matrix:
        places = self.engine.slices()
        less = {"cinert": 10, "cvel": 6, "qfrc_actuator": 6, "cfrc_ext": 6} if self.version > 4 else {}
        bodies = [states[:, places[n]][:, less.get(n, 0) :] for n in ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")]
        return np.concatenate([super()._watch(states), *bodies], -1)

    def _healthy(self, states: Matrix) -> Any:
        return within(states[:, self.engine.qpos.start + 2], self.healthy_z_range)

    def _center(self, states: Matrix) -> Matrix:
        """Return the center of mass along x `[L]`, summed body after body as Gymnasium does."""
        mass = self.engine.model.body_mass
        x = states[:, self.engine.slices()["xipos"]][:, ::3]
        total = np.zeros(len(states))
        for body in range(BODIES):
            total = total + mass[body] * x[:, body]
        return np.asarray(total / mass.sum())

    def _reward(self, before: Matrix, control: Matrix, after: Matrix) -> Matrix:
        speed = (self._center(after) - self._center(before)) / self.engine.dt
        if self.version == 4:
            return vector((speed, 10 * self._cost(control)), self._alive(after))
        forces = energy(after[:, self.engine.slices()["cfrc_ext"]])
        contact = -np.clip(self.contact_cost_weight * forces, *self.contact_cost_range)
        return vector((speed, self._effort(control)), self._alive(after), contact)


@final
@dataclass(frozen=True, kw_only=True)
class Reacher(MujocoEnvironment):
    r"""An arm of two joints that is paid for being near each of four targets.

    .. math:: r_i = 1 - 4 \|p - g_i\|_2

    :math:`p` is the fingertip before the step (as MuJoCo's kinematics saw it), :math:`g` the targets (±0.14, 0) and
    (0, ±0.14). MO-Gymnasium's documentation says the squared distance, its code takes the distance; so does this.
    Nine actions: torques of -1, 0 or 1 on each joint. Observation: cosines and sines of the angles, a tenth of their
    velocities: 6 numbers. Episodes do not end before the time limit of 50 steps.

    The reference point is the lower end of MO-Gymnasium's reward space over those 50 steps.
    """

    package: ClassVar[str] = "mo_gymnasium"
    frame_skip: ClassVar[int] = 2
    steps: ClassVar[int] = 50
    reference: ClassVar[float] = -50.0
    goal: ClassVar[tuple[float, ...]] = (0.14, 0.0, -0.14, 0.0, 0.0, 0.14, 0.0, -0.14)

    def _file(self) -> str:
        return "mo_reacher.xml"

    def _components(self) -> tuple[tuple[str, str], ...]:
        return (("right", ""), ("left", ""), ("top", ""), ("bottom", ""))

    def _fields(self) -> tuple[Field, ...]:
        return (Field("xpos", 3 * 3, 3 * 5),)  # bodies 3 … 7: the fingertip and the targets

    def _actions(self) -> Actions:
        return Discrete(9)

    def _control(self, action: Tensor) -> Matrix:
        index = np.asarray(action.reshape(-1).cpu())
        return np.stack([index // 3 - 1, index % 3 - 1], -1).astype(np.float64)

    def _start(self, noise: Matrix) -> tuple[Matrix, Matrix]:
        qpos, qvel = self.engine.first
        nq, targets = self.engine.model.nq, len(self.goal)
        positions = np.broadcast_to(qpos, (len(noise), nq)).copy()
        positions[:, :2] = (0.0, 3.1415 / 2)
        positions[:, -targets:] = self.goal
        half = self.reset_noise_scale
        velocities = qvel + (-half + 2 * half * noise[:, nq:])
        velocities[:, -2 if self.version == 4 else -targets :] = 0.0
        return positions, velocities

    def _watch(self, states: Matrix) -> Matrix:
        angles = states[:, self.engine.qpos][:, :2]
        return np.concatenate([np.cos(angles), np.sin(angles), states[:, self.engine.qvel][:, :2] * 0.1], -1)

    def _reward(self, before: Matrix, control: Matrix, after: Matrix) -> Matrix:
        places = before[:, self.engine.slices()["xpos"]].reshape(-1, 5, 3)[..., :2]
        distances = np.sqrt(np.square(places[:, :1] - places[:, 1:]).sum(-1))
        return vector(tuple((1 - 4 * distances).T))
