"""MuJoCo's bodies in a plane: hopper, half-cheetah, walker and swimmer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from paretokit.problems.morl._mujoco import MujocoEnvironment, energy, vector
from paretokit.problems.morl._mujoco_engine import Matrix

Range = tuple[float, float]
SPEED, ENERGY = ("velocity", "m/s"), ("energy", "")


def within(value: Matrix, bounds: Range) -> Any:
    """Tell where values lie strictly between bounds."""
    return (bounds[0] < value) & (value < bounds[1])


@dataclass(frozen=True, kw_only=True)
class _Planar(MujocoEnvironment):
    """What the four share: they are paid for their speed along the plane."""

    ctrl_cost_weight: float = 1e-3

    def _components(self) -> tuple[tuple[str, str], ...]:
        return (SPEED, ENERGY)

    def _watch(self, states: Matrix) -> Matrix:
        return np.concatenate(self._plain(states), -1)

    def _speed(self, before: Matrix, after: Matrix) -> Matrix:
        x = self.engine.qpos.start
        return np.asarray((after[:, x] - before[:, x]) / self.engine.dt)

    def _effort(self, control: Matrix) -> Matrix:
        """Return minus the squared norm of actions; v5 weighs it and takes the weight out again (0 / 0 there)."""
        squares = energy(control)
        if self.version == 4 or self.ctrl_cost_weight == 0:
            return -squares
        return -(self.ctrl_cost_weight * squares) / self.ctrl_cost_weight


@dataclass(frozen=True, kw_only=True)
class _Upright(_Planar):
    """What hopper and walker share: they are paid for standing, and end when they do not."""

    healthy_reward: float = 1.0
    terminate_when_unhealthy: bool = True

    def _watch(self, states: Matrix) -> Matrix:
        return np.concatenate(self._plain(states, 10.0), -1)

    def _survival(self, healthy: Any) -> tuple[Matrix, Any]:
        """Return the reward for standing and whether the episode ends; v4 pays for the step that falls, too."""
        counted = healthy | (self.terminate_when_unhealthy and self.version == 4)
        ends = ~healthy if self.terminate_when_unhealthy else np.zeros_like(healthy)
        return counted * self.healthy_reward, ends


@final
@dataclass(frozen=True, kw_only=True)
class Hopper(_Upright):
    r"""A one-legged body that is paid for speed, for height and for sparing energy.

    .. math:: r = (v_x,\; 10 (z - z_0),\; -\|a\|^2) + h \quad\text{or}\quad (v_x,\; 10 (z - z_0)) - c \|a\|^2 + h

    :math:`v_x` is the mean speed over the step, :math:`z` the height of the torso, :math:`a` the action, :math:`h` the
    healthy reward, :math:`c` the control cost weight. Observation: positions less x, velocities clipped to ±10: 11
    numbers. The episode ends when z, the torso's angle or another coordinate leaves its range.

    Attributes:
        cost_objective: Whether energy is an objective of its own (3 objectives) or part of the others (2).
        ctrl_cost_weight: c.
        healthy_reward: h.
        terminate_when_unhealthy: Whether falling ends the episode.
        healthy_state_range, healthy_z_range, healthy_angle_range: Open ranges of a healthy state.

    Source: Erez, Tassa, Todorov (2012), Infinite-horizon model predictive control for periodic tasks with contacts,
    RSS; two objectives as in Xu et al. (2020), Prediction-guided multi-objective reinforcement learning, ICML.
    """

    cost_objective: bool = True
    healthy_state_range: Range = (-100.0, 100.0)
    healthy_z_range: Range = (0.7, float("inf"))
    healthy_angle_range: Range = (-0.2, 0.2)

    def _file(self) -> str:
        return "hopper.xml"

    def _components(self) -> tuple[tuple[str, str], ...]:
        return (SPEED, ("height", "dm"), *((ENERGY,) if self.cost_objective else ()))

    def _judge(self, before: Matrix, control: Matrix, after: Matrix) -> tuple[Matrix, Any]:
        q = self.engine.qpos.start
        z, angle = after[:, q + 1], after[:, q + 2]
        rest = within(after[:, q + 2 : self.engine.qvel.stop], self.healthy_state_range).all(-1)
        healthy = rest & within(z, self.healthy_z_range) & within(angle, self.healthy_angle_range)
        alive, ends = self._survival(healthy)
        speed, height = self._speed(before, after), 10 * (z - self.engine.first[0][1])
        if self.cost_objective:
            return vector((speed, height, self._effort(control)), alive), ends
        return vector((speed, height), -(self.ctrl_cost_weight * energy(control)), alive), ends


@final
@dataclass(frozen=True, kw_only=True)
class Walker2d(_Upright):
    r"""A two-legged body that is paid for speed and for sparing energy.

    .. math:: r = (v_x,\; -\|a\|^2) + h

    Symbols as for `Hopper`. Observation: positions less x, velocities clipped to ±10: 17 numbers. Versions 4 and 5
    differ in the friction of a foot.

    Attributes:
        ctrl_cost_weight: Of no effect beyond rounding.
        healthy_reward: h.
        terminate_when_unhealthy: Whether falling ends the episode.
        healthy_z_range, healthy_angle_range: Open ranges of a healthy state.
    """

    healthy_z_range: Range = (0.8, 2.0)
    healthy_angle_range: Range = (-1.0, 1.0)

    def _file(self) -> str:
        return "walker2d.xml" if self.version == 4 else "walker2d_v5.xml"

    def _judge(self, before: Matrix, control: Matrix, after: Matrix) -> tuple[Matrix, Any]:
        q = self.engine.qpos.start
        healthy = within(after[:, q + 1], self.healthy_z_range) & within(after[:, q + 2], self.healthy_angle_range)
        alive, ends = self._survival(healthy)
        return vector((self._speed(before, after), self._effort(control)), alive), ends


@final
@dataclass(frozen=True, kw_only=True)
class HalfCheetah(_Planar):
    r"""A two-legged body that cannot fall and is paid for speed and for sparing energy.

    .. math:: r = (v_x,\; -\|a\|^2) \;\text{(v5)} \quad\text{or}\quad (v_x,\; -c \|a\|^2) \;\text{(v4)}

    Symbols as for `Hopper`. Observation: positions less x, velocities: 17 numbers. Episodes do not end.

    Attributes:
        ctrl_cost_weight: c.

    Source: Wawrzyński (2009), Real-time reinforcement learning by sequential actor-critics and experience replay,
    Neural Networks.
    """

    ctrl_cost_weight: float = 0.1
    reset_noise_scale: float = 0.1

    frame_skip: ClassVar[int] = 5
    normal_velocities: ClassVar[bool] = True

    def _file(self) -> str:
        return "half_cheetah.xml"

    def _judge(self, before: Matrix, control: Matrix, after: Matrix) -> tuple[Matrix, Any]:
        effort = -(self.ctrl_cost_weight * energy(control)) if self.version == 4 else self._effort(control)
        return vector((self._speed(before, after), effort)), np.zeros(len(after), dtype=bool)


@final
@dataclass(frozen=True, kw_only=True)
class Swimmer(_Planar):
    r"""A chain of three links in a viscous plane that is paid for speed and for sparing energy.

    .. math:: r = (v_x,\; -\|a\|^2)

    Symbols as for `Hopper`. Observation: angles, velocities: 8 numbers. Episodes do not end.

    Attributes:
        ctrl_cost_weight: Of no effect beyond rounding.

    Source: Coulom (2002), Reinforcement learning using neural networks, PhD thesis.
    """

    ctrl_cost_weight: float = 1e-4
    reset_noise_scale: float = 0.1

    plane: ClassVar[int] = 2

    def _file(self) -> str:
        return "swimmer.xml"

    def _judge(self, before: Matrix, control: Matrix, after: Matrix) -> tuple[Matrix, Any]:
        return vector((self._speed(before, after), self._effort(control))), np.zeros(len(after), dtype=bool)
