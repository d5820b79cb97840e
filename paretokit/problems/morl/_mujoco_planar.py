"""MuJoCo's bodies in a plane: hopper, half-cheetah, walker and swimmer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

from paretokit.problems.morl._mujoco import energy, vector
from paretokit.problems.morl._mujoco_bodies import ENERGY, SPEED, Body, Range, Standing, within
from paretokit.problems.morl._mujoco_engine import Matrix


@final
@dataclass(frozen=True, kw_only=True)
class Hopper(Standing):
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

    fastest: ClassVar[float] = 10.0

    def _file(self) -> str:
        return "hopper.xml"

    def _components(self) -> tuple[tuple[str, str], ...]:
        return (SPEED, ("height", "dm"), *((ENERGY,) if self.cost_objective else ()))

    def _healthy(self, states: Matrix) -> Any:
        q = self.engine.qpos.start
        z, angle, others = states[:, q + 1], states[:, q + 2], states[:, q + 2 : self.engine.qvel.stop]
        rest = within(others, self.healthy_state_range).all(-1)
        return rest & within(z, self.healthy_z_range) & within(angle, self.healthy_angle_range)

    def _reward(self, before: Matrix, control: Matrix, after: Matrix) -> Matrix:
        z = after[:, self.engine.qpos.start + 1]
        speed, height = self._speed(before, after), 10 * (z - self.engine.first[0][1])
        if not self.cost_objective:
            return vector((speed, height), self._cost(control), self._alive(after))
        effort = -energy(control) if self.version == 4 else self._effort(control)
        return vector((speed, height, effort), self._alive(after))


@final
@dataclass(frozen=True, kw_only=True)
class Walker2d(Standing):
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

    fastest: ClassVar[float] = 10.0

    def _file(self) -> str:
        return "walker2d.xml" if self.version == 4 else "walker2d_v5.xml"

    def _healthy(self, states: Matrix) -> Any:
        z, angle = states[:, self.engine.qpos.start + 1], states[:, self.engine.qpos.start + 2]
        return within(z, self.healthy_z_range) & within(angle, self.healthy_angle_range)

    def _reward(self, before: Matrix, control: Matrix, after: Matrix) -> Matrix:
        effort = -energy(control) if self.version == 4 else self._effort(control)
        return vector((self._speed(before, after), effort), self._alive(after))


@final
@dataclass(frozen=True, kw_only=True)
class HalfCheetah(Body):
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

    def _reward(self, before: Matrix, control: Matrix, after: Matrix) -> Matrix:
        effort = self._cost(control) if self.version == 4 else self._effort(control)
        return vector((self._speed(before, after), effort))


@final
@dataclass(frozen=True, kw_only=True)
class Swimmer(Body):
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

    def _reward(self, before: Matrix, control: Matrix, after: Matrix) -> Matrix:
        effort = -energy(control) if self.version == 4 else self._effort(control)
        return vector((self._speed(before, after), effort))
