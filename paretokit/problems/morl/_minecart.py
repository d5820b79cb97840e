"""Minecart on tensors: dig two ores in five mines, bring them home, spend little fuel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
import torch
from torch import Tensor

from paretokit.core import Objective
from paretokit.core import _check as check
from paretokit.core._kernel import KernelModule
from paretokit.problems.morl._environment import Discrete, Environment, Move
from paretokit.problems.morl._normal_noise import normals

KERNELS = KernelModule("paretokit.problems.morl._minecart_kernels", compile_seconds=4.0)

MINE, LEFT, RIGHT, ACCELERATE, BRAKE, NONE = range(6)

# x, y, then mean and deviation of one dig of each ore (MO-Gymnasium's mine_config.json).
MINES = (
    (0.16, 0.84, 0.2, 0.05, 0.0, 0.05),
    (0.5, 0.84, 0.15, 0.05, 0.1, 0.05),
    (0.84, 0.84, 0.2, 0.05, 0.2, 0.05),
    (0.84, 0.5, 0.1, 0.05, 0.15, 0.05),
    (0.84, 0.16, 0.0, 0.05, 0.2, 0.05),
)

HEADINGS = 36  # of 5, 15, ... 355 degrees
FIRST_HEADING = 4
STILL = 0.001  # a slower cart rests
ACCELERATION = 0.0075
MINE_RADIUS = 0.14
BASE_RADIUS = 0.15
FUEL_IDLE, FUEL_ACCELERATE, FUEL_MINE = -0.005, -0.025, -0.05


@final
@dataclass(frozen=True, kw_only=True)
class Minecart(Environment):
    r"""A cart leaves the base, digs ores in mines while it rests there, and is paid when it returns.

    The unit square holds the base (radius 0.15 around the origin) and the mines (radius 0.14). An action is repeated
    `frame_skip` ticks. A tick turns by 10 degrees, adds 0.0075 to the speed, stops, or, at rest inside the nearest
    mine, digs :math:`\max(0, \mu_i + \sigma_i z_i)` of each ore i, scaled down to what the capacity leaves; then the
    cart moves by its speed. At a wall it slides: the heading turns by 10 degrees a tick away from the wall and the
    speed is what was really driven. Within the base after having been outside, the ores are sold and the episode ends.

    Rewards: ores sold, and fuel, per tick 0.005 always, 0.025 more to accelerate, 0.05 more to dig; a step pays all
    `frame_skip` ticks even if the episode ends in the first of them.

    Observation: x, y, speed, sine and cosine of the heading, ores over capacity. State: the same with ores as they are,
    then the heading n of 5 + 10 n degrees (0 … 35; sliding alone may leave these), and whether the cart has left the
    base.

    Cost: on CPU a compiled kernel steps a lane in about 0.1 µs; elsewhere some 250 tensor operations step all lanes.

    Abels, Roijers, Lenaerts, Nowé and Steckelmacher (2019), Dynamic weights in multi-objective deep reinforcement
    learning, ICML; constants of MO-Gymnasium's `minecart-v0`.

    Deviations from MO-Gymnasium: ore noise comes from `noise` (there from NumPy's global generator, which seeding the
    environment does not reach); the room left in the cart is never below zero, where rounding there can give a NaN.
    Equal to the last bit otherwise, as long as NumPy's dot product there does not fuse its sum (BLAS does on many
    machines): a cart that comes back to a wall exactly or misses it by 1e-17 slides differently.

    Attributes:
        deterministic: Whether every dig yields its mean (`minecart-deterministic-v0`).
        frame_skip: Ticks a step.
        incremental_frame_skip: Whether each tick turns or accelerates a little (true), or the first tick does all of it
            and the base is looked for only after the last.
        capacity: Of the cart, all ores together.
        mines: Rows (x, y, mean and deviation of ore 1, mean and deviation of ore 2, …).
        device: Where the tables lie; `to` sets it.
    """

    deterministic: bool = False
    frame_skip: int = 4
    incremental_frame_skip: bool = True
    capacity: float = 1.5
    mines: Sequence[Sequence[float]] = MINES
    device: str = "cpu"

    def __post_init__(self) -> None:
        check.at_least(1, frame_skip=self.frame_skip)
        check.positive(capacity=self.capacity)
        check.that(len(self.mines) >= 1, "mines", "hold at least one mine", len(self.mines))
        for row in self.mines:
            check.that(
                len(row) == len(self.mines[0]) and len(row) >= 4 and len(row) % 2 == 0,
                "mines",
                "have equally long rows (x, y, mean and deviation of each ore)",
                tuple(row),
            )
            check.that(all(d >= 0 for d in row[3::2]), "mines", "have deviations of at least 0", tuple(row))
        object.__setattr__(self, "mines", tuple(tuple(float(v) for v in row) for row in self.mines))
        ores = self.n_ores
        names = (*(f"ore {i + 1}" for i in range(ores)), "fuel")
        for name, value in {
            "id": "minecart-deterministic-v0" if self.deterministic else "minecart-v0",
            "objectives": tuple(Objective(n, "max") for n in names),
            "observation_dim": 5 + ores,
            "actions": Discrete(6),
            "horizon": 1000,
            "step_noise": 0 if self._quiet else self.frame_skip * ores,
            "discount": 0.98,
            "reference_point": (-1.0,) * ores + (-200.0,),
            "front_kind": "approximate",
        }.items():
            object.__setattr__(self, name, value)

    @property
    def n_ores(self) -> int:
        """Number of ores."""
        return len(self.mines[0]) // 2 - 1

    @property
    def _quiet(self) -> bool:
        return self.deterministic or all(d == 0 for row in self.mines for d in row[3::2])

    @property
    def _loops(self) -> tuple[int, int]:
        """Rounds of act, move and look for the base in a step; moves (and digs) in a round."""
        return (self.frame_skip, 1) if self.incremental_frame_skip else (1, self.frame_skip)

    @cached_property
    def _mines(self) -> Tensor:
        """Rows x, y, means, deviations: `[M, 2 + 2 k]`."""
        rows = torch.tensor(self.mines, dtype=torch.float64)
        deviations = torch.zeros_like(rows[:, 3::2]) if self.deterministic else rows[:, 3::2]
        return torch.cat((rows[:, :2], rows[:, 2::2], deviations), dim=1).contiguous().to(self.device)

    @cached_property
    def _compass(self) -> Tensor:
        """Sine and cosine of the headings -36 … 71, `[2, 108]`."""
        angles = [(5 + 10 * n) * math.pi / 180 for n in range(-HEADINGS, 2 * HEADINGS)]
        table = [[math.sin(a) for a in angles], [math.cos(a) for a in angles]]
        return torch.tensor(table, dtype=torch.float64, device=self.device)

    @cached_property
    def _fuel(self) -> Tensor:
        """Fuel of each action, `[6]`."""
        extra = [FUEL_MINE, 0.0, 0.0, FUEL_ACCELERATE, 0.0, 0.0]
        fuel = [FUEL_IDLE * self.frame_skip + e * self.frame_skip for e in extra]
        return torch.tensor(fuel, dtype=torch.float64, device=self.device)

    @cached_property
    def _first(self) -> Tensor:
        """The state at rest in the base, `[s]`."""
        state = torch.zeros(self.n_ores + 7, dtype=torch.float64, device=self.device)
        state[3:5] = self._compass[:, HEADINGS + FIRST_HEADING]
        state[5 + self.n_ores] = FIRST_HEADING
        return state

    @cached_property
    def _scale(self) -> Tensor:
        """What observations are divided by, `[o]`."""
        scale = torch.ones(self.observation_dim, dtype=torch.float64, device=self.device)
        scale[5:] = self.capacity
        return scale

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The tables as the kernels take them."""
        return self._mines.numpy(), self._compass.numpy(), self._fuel.numpy()

    def to(self, device: torch.device | str) -> Minecart:
        """Return the environment with its tables on a device."""
        return replace(self, device=str(device))

    def initial(self, noise: Tensor) -> Tensor:
        """Return carts at rest in the base."""
        return self._first.repeat(*noise.shape[:2], 1)

    def reset(self, state: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
        """Return `state` with carts at rest in the base in the lanes of `mask [P, N]`."""
        if state.device.type == "cpu":  # few lanes end at a time
            fresh = state.numpy().copy()
            fresh[mask.numpy()] = self._first.numpy()
            return torch.from_numpy(fresh)
        return torch.where(mask.unsqueeze(-1), self._first, state)

    def observe(self, state: Tensor) -> Tensor:
        """Return x, y, speed, sine and cosine of the heading, and ores over capacity."""
        return (state[..., : self.observation_dim] / self._scale).to(torch.float32)

    def step(self, state: Tensor, action: Tensor, noise: Tensor) -> Move:
        """Return what `frame_skip` ticks of actions (dig, left, right, accelerate, brake, none) do in `state`.

        Args:
            state: `[P, N, 7 + k]`.
            action: int64 `[P, N]`.
            noise: Uniform numbers `[P, N, frame_skip * k]`, ores of one dig beside each other; none if deterministic.
        """
        if state.device.type == "cpu":
            if KERNELS.worth():
                return self._step_compiled(state, action, noise)
            made: Move = KERNELS.plain(self._step_plain, state, action, noise)
            return made
        return self._step_plain(state, action, noise)

    def _step_compiled(self, state: Tensor, action: Tensor, noise: Tensor) -> Move:
        kernels = KERNELS.load()
        mines, compass, fuel = self._arrays
        shape, lanes = action.shape, action.numel()
        rounds, moves = self._loops
        before = state.contiguous().numpy().reshape(lanes, -1)
        acts = action.contiguous().numpy().reshape(lanes)
        rows = np.empty(lanes, np.int64)
        drawn = np.empty((0, self.step_noise))
        if self.step_noise:
            diggers = kernels.digging_lanes(before, acts, mines, self.frame_skip, rows)
            if diggers.size:
                member, lane = np.divmod(diggers, shape[1])
                drawn = normals(torch.from_numpy(noise.numpy()[member, lane])).numpy()
        after = np.empty(before.shape)
        reward = np.empty((lanes, self.n_ores + 1))
        ended = np.empty(lanes, np.bool_)
        kernels.step_lanes(
            before, acts, rows, drawn, mines, compass, fuel, self.capacity, rounds, moves, after, reward, ended
        )
        return Move(
            torch.from_numpy(after.reshape(*shape, -1)),
            torch.from_numpy(reward.reshape(*shape, -1)),
            torch.from_numpy(ended.reshape(shape)),
        )

    def _step_plain(self, state: Tensor, action: Tensor, noise: Tensor) -> Move:
        rounds, moves = self._loops
        k = self.n_ores
        z = normals(noise).unflatten(-1, (self.frame_skip, k)) if self.step_noise else None
        x, y, speed = state[..., 0], state[..., 1], state[..., 2]
        content, heading, departed = state[..., 5 : 5 + k], state[..., 5 + k], state[..., 6 + k] > 0
        turn = ((action == RIGHT).to(torch.float64) - (action == LEFT).to(torch.float64)) * moves
        gain = (action == ACCELERATE).to(torch.float64) * (ACCELERATION * moves)
        digging, braking = action == MINE, action == BRAKE
        ended = torch.zeros_like(departed)
        over = ended  # the ticks after the one that ended the episode act once more, then break off
        sold = torch.zeros_like(content)
        for tick in range(rounds):
            heading = torch.where(over | (turn == 0), heading, torch.remainder(heading + turn, HEADINGS))
            speed = torch.where(over, speed, (speed + gain).clamp(max=1.0).masked_fill(braking, 0.0))
            resting = digging & ~over & (speed < STILL)
            for i in range(moves):
                content = self._dig(x, y, content, resting, None if z is None else z[..., tick * moves + i, :])
            over = ended
            for _ in range(moves):
                x, y, speed, heading = self._drive(x, y, speed, heading, ~over & (speed >= STILL))
            home = root(x * x + y * y) < BASE_RADIUS
            arrived = home & departed & ~over
            departed = departed | (~home & ~over)
            sold = torch.where(arrived.unsqueeze(-1), content, sold)
            content = content.masked_fill(arrived.unsqueeze(-1), 0.0)
            ended = ended | arrived
        way = self._compass[:, heading.to(torch.int64) + HEADINGS]
        columns = (x, y, speed, way[0], way[1], *content.unbind(-1), heading, departed.to(torch.float64))
        reward = torch.cat((sold, self._fuel[action].unsqueeze(-1)), dim=-1)
        return Move(torch.stack(columns, dim=-1), reward, ended)

    def _dig(self, x: Tensor, y: Tensor, content: Tensor, resting: Tensor, z: Tensor | None) -> Tensor:
        """Return the content after one dig of the carts at rest."""
        k, mines = self.n_ores, self._mines
        dx, dy = x.unsqueeze(-1) - mines[:, 0], y.unsqueeze(-1) - mines[:, 1]
        distance, nearest = root(dx * dx + dy * dy).min(dim=-1)
        mined = mines[nearest, 2 : 2 + k]
        if z is not None:
            mined = mined + mines[nearest, 2 + k :] * z
        mined = mined.clamp(min=0.0)
        free = (self.capacity - total(content)).clamp(min=0.0)
        dug = total(mined)
        fits = torch.where(dug > free, free / dug, 1.0)
        inside = resting & (distance <= MINE_RADIUS)
        return torch.where(inside.unsqueeze(-1), content + mined * fits.unsqueeze(-1), content)

    def _drive(
        self, x: Tensor, y: Tensor, speed: Tensor, heading: Tensor, moving: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return positions, speeds and headings after one move of the carts that move."""
        way = self._compass[:, heading.to(torch.int64) + HEADINGS]
        vx, vy = speed * way[1], speed * way[0]
        low_x, high_x, low_y, high_y = x == 0, x == 1, y == 0, y == 1
        into_x = (high_x & (vx > 0)).to(torch.float64) - (low_x & (vx < 0)).to(torch.float64)
        into_y = (high_y & (vy > 0)).to(torch.float64) - (low_y & (vy < 0)).to(torch.float64)
        along_y = torch.where((vy.abs() > STILL) & ~(low_y | high_y), vy.sign(), 0.0)
        along_x = torch.where((vx.abs() > STILL) & ~(low_x | high_x), vx.sign(), 0.0)
        slid = heading + (into_x * along_y - into_y * along_x)
        slid = torch.where((slid < -HEADINGS) | (slid >= 2 * HEADINGS), torch.remainder(slid, HEADINGS), slid)
        to_x, to_y = (x + vx).clamp(0.0, 1.0), (y + vy).clamp(0.0, 1.0)
        driven = root((to_x - x) * (to_x - x) + (to_y - y) * (to_y - y))
        where = torch.where
        return (
            where(moving, to_x, x),
            where(moving, to_y, y),
            where(moving, driven, speed),
            where(moving, slid, heading),
        )

    def pareto_front(self, discount: float) -> Tensor | None:
        """Return MO-Gymnasium's approximate front: the non-dominated policies that drive straight to one mine and back.

        See `straight_line_front`. About 10 ms.
        """
        from paretokit.problems.morl._minecart_front import straight_line_front

        return straight_line_front(self, discount)


def root(square: Tensor) -> Tensor:
    """Return square roots rounded as IEEE 754 says (on CPU torch asks MKL, which may be off by one last bit)."""
    return torch.from_numpy(np.sqrt(square.numpy())) if square.device.type == "cpu" else square.sqrt()


def total(ores: Tensor) -> Tensor:
    """Return the sum over the last dimension, added from left to right as the kernel adds."""
    first, *rest = ores.unbind(-1)
    for column in rest:
        first = first + column
    return first
