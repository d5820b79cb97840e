"""What MuJoCo's bodies share: they are paid for speed and for sparing energy, and most of them for standing."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from paretokit.problems.morl._mujoco import MujocoEnvironment, energy
from paretokit.problems.morl._mujoco_engine import Matrix

Range = tuple[float, float]
SPEED, ENERGY = ("velocity", "m/s"), ("energy", "")


def within(value: Matrix, bounds: Range) -> Any:
    """Tell where values lie strictly between bounds."""
    return (bounds[0] < value) & (value < bounds[1])


@dataclass(frozen=True, kw_only=True)
class Body(MujocoEnvironment):
    """A body that is paid for its speed along x and for sparing energy.

    Attributes:
        ctrl_cost_weight: Weight of the energy where it is no objective of its own.
    """

    ctrl_cost_weight: float = 1e-3

    def _components(self) -> tuple[tuple[str, str], ...]:
        return (SPEED, ENERGY)

    def _speed(self, before: Matrix, after: Matrix) -> Matrix:
        """Return the mean speed along x over the step `[L]`."""
        x = self.engine.qpos.start
        return np.asarray((after[:, x] - before[:, x]) / self.engine.dt)

    def _cost(self, control: Matrix) -> Matrix:
        """Return minus the weighted squared norm of actions `[L]`."""
        return -(self.ctrl_cost_weight * energy(control))

    def _effort(self, control: Matrix) -> Matrix:
        """Return minus the squared norm of actions `[L]`, weighed and unweighed as there (0 / 0 at weight 0 there)."""
        return self._cost(control) / self.ctrl_cost_weight if self.ctrl_cost_weight else -energy(control)


@dataclass(frozen=True, kw_only=True)
class Standing(Body):
    """A body that is paid for being healthy, and whose episode ends when it is not.

    Attributes:
        healthy_reward: Added to all objectives.
        terminate_when_unhealthy: Whether the episode ends.
    """

    healthy_reward: float = 1.0
    terminate_when_unhealthy: bool = True

    @abstractmethod
    def _healthy(self, states: Matrix) -> Any:
        """Tell for each state `[L]` whether the body is healthy."""

    def _ended(self, states: Matrix) -> Any:
        return ~self._healthy(states) if self.terminate_when_unhealthy else np.zeros(len(states), dtype=bool)

    def _alive(self, after: Matrix) -> Matrix:
        """Return the healthy reward `[L]`; version 4 pays it for the step that ends the episode, too."""
        paid = self._healthy(after) | (self.terminate_when_unhealthy and self.version == 4)
        return np.asarray(paid * self.healthy_reward)
