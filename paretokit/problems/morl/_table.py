"""Which environments run on tensors: MO-Gymnasium's ids, and the class and options behind each."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from paretokit.problems.morl._environment import Environment

_ROOM = "paretokit.problems.morl."

TENSOR: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "breakable-bottles-v0": ("_breakable_bottles:BreakableBottles", {}),
    "deep-sea-treasure-concave-v0": ("_deep_sea_treasure:DeepSeaTreasure", {"treasure": "concave"}),
    "deep-sea-treasure-mirrored-v0": ("_deep_sea_treasure:DeepSeaTreasure", {"treasure": "mirrored"}),
    "deep-sea-treasure-v0": ("_deep_sea_treasure:DeepSeaTreasure", {"treasure": "convex"}),
    "fishwood-v0": ("_fishwood:Fishwood", {}),
    "four-room-v0": ("_four_room:FourRoom", {}),
    "fruit-tree-v0": ("_fruit_tree:FruitTree", {}),
    "minecart-deterministic-v0": ("_minecart:Minecart", {"deterministic": True}),
    "minecart-v0": ("_minecart:Minecart", {}),
    "mo-mountaincar-3d-v0": ("_mountain_car:MountainCar", {"variant": "3d"}),
    "mo-mountaincar-timemove-v0": ("_mountain_car:MountainCar", {"variant": "timemove"}),
    "mo-mountaincar-timespeed-v0": ("_mountain_car:MountainCar", {"variant": "timespeed"}),
    "mo-mountaincar-v0": ("_mountain_car:MountainCar", {}),
    "mo-mountaincarcontinuous-v0": ("_mountain_car_continuous:MountainCarContinuous", {}),
    "resource-gathering-v0": ("_resource_gathering:ResourceGathering", {}),
    "water-reservoir-v0": ("_water_reservoir:WaterReservoir", {}),
}

# MO-Gymnasium's ids whose environments need a further package: made as well, but not listed.
OTHERS: tuple[str, ...] = (
    *(f"mo-{robot}-v{v}" for robot in ("ant", "halfcheetah", "hopper", "humanoid", "reacher", "swimmer", "walker2d")
      for v in (4, 5)),
    *("mo-ant-2d-v4", "mo-ant-2obj-v5", "mo-hopper-2d-v4", "mo-hopper-2obj-v5"),
    *("mo-lunar-lander-v3", "mo-lunar-lander-continuous-v3"),
    *("mo-highway-v0", "mo-highway-fast-v0", "mo-supermario-v0", "minecart-rgb-v0"),
)  # fmt: skip


def tensor_environment(id: str, options: Mapping[str, Any]) -> Environment:  # noqa: A002 - the contract's word
    """Return the environment on tensors of an id in `TENSOR`; options are those of its class (`depth=7`, …)."""
    path, preset = TENSOR[id]
    module, _, name = path.partition(":")
    made: Environment = getattr(importlib.import_module(_ROOM + module), name)(**{**preset, **options})
    return made
