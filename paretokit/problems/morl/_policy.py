"""What a user takes home from a MORL front: a policy that acts, saves and loads without the problem."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paretokit.core import CheckpointError, InputError, Rng
from paretokit.core import _check as check
from paretokit.problems.morl._architecture import Architecture, Surface, Wiring
from paretokit.problems.morl._environment import Continuous, Discrete
from paretokit.problems.morl._network import Network
from paretokit.problems.morl._tabular import Table

FORMAT = 1


def architecture_of(options: Mapping[str, Any]) -> Architecture:
    """Return the architecture that `describe` described."""
    given = dict(options)
    kind = given.pop("kind", Network.kind)
    check.one_of((Network.kind, Table.kind), kind=kind)
    if kind == Table.kind:
        check.options(given, (), owner="Table")
        return Table()
    check.options(given, list(Network.__dataclass_fields__), owner="Network")
    return Network(**given)


@dataclass(eq=False)
class Policy:
    """A policy for a plain MO-Gymnasium loop: ``action = policy.act(observation)``.

    Attributes:
        row: The decision `[d]`: weights, observation statistics, preference.
        architecture: What it is made of.
        surface: What it sees of its environment.
        environment: Id of that environment.
        discount: Of the reward that is accrued, for policies conditioned on it.
        options: Options of the environment.

    >>> env = mo_gymnasium.make("minecart-v0")  # doctest: +SKIP
    >>> policy = result.front.pick([0.4, 0.4, 0.2]).decode()  # doctest: +SKIP
    >>> observation, _ = env.reset(seed=0)  # doctest: +SKIP
    >>> observation, reward, terminated, truncated, _ = env.step(policy.act(observation))  # doctest: +SKIP
    """

    row: Tensor
    architecture: Architecture
    surface: Surface
    environment: str = ""
    discount: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    wiring: Wiring = field(repr=False, kw_only=True)
    _accrued: Tensor = field(init=False, repr=False)
    _gain: float = field(init=False, default=1.0, repr=False)
    _draws: int = field(init=False, default=0, repr=False)

    def __post_init__(self) -> None:
        shape, dim = tuple(self.row.shape), self.wiring.space.dim
        hint = "one row of `front.x`, such as `x[0]`"
        check.shape(shape == (dim,), "row", f"be one decision of {dim} numbers", f"shape {shape}", hint)
        self.reset()

    def reset(self) -> None:
        """Begin a new episode (matters to policies that are conditioned on the accrued reward)."""
        self._accrued = torch.zeros(1, 1, self.surface.n_objectives, dtype=torch.float64)
        self._gain = 1.0

    def receive(self, reward: Any) -> None:
        """Take note of a reward vector `[m]` (matters to policies that are conditioned on the accrued reward)."""
        paid = torch.as_tensor(np.asarray(reward, dtype=np.float64)).reshape(1, 1, -1)
        m = self.surface.n_objectives
        check.shape(paid.shape[-1] == m, "reward", f"have {m} entries, one per objective", paid.shape[-1])
        self._accrued = self._accrued + self._gain * paid
        self._gain *= self.discount

    def act(self, observation: Any, *, rng: Rng | None = None) -> Any:
        """Return the action for one observation: an int, or an array `[k]`, as Gymnasium's `step` takes it.

        Args:
            observation: As the environment gave it; arrays and (by sorted key) mappings of arrays.
            rng: Samples the action where given; the policy's mode otherwise. Later calls draw new numbers.

        Raises:
            ShapeError: If the observation is another environment's.
            InputError: If it is not finite.
        """
        seen = torch.from_numpy(_flat(observation)).reshape(1, 1, -1)
        o = self.surface.observation_dim
        check.shape(
            seen.shape[-1] == o,
            "observation",
            f"have {o} entries, as in {self.environment or 'training'}",
            seen.shape[-1],
            "this policy was trained on another environment",
        )
        if not bool(torch.isfinite(seen).all()):
            raise InputError(check.message("observation", "be finite", seen.flatten().tolist()))
        noise = None
        if rng is not None and self.wiring.noise:
            noise = rng.child("act", self._draws).uniform(1, 1, self.wiring.noise)
            self._draws += 1
        with torch.no_grad():
            action = self.wiring.act(self.row.unsqueeze(0), seen, self._accrued, noise)
        return int(action) if isinstance(self.surface.actions, Discrete) else action[0, 0].numpy()

    def save(self, path: str | Path) -> None:
        """Write the policy to one safetensors file; its description is the file's metadata."""
        from safetensors.torch import save_file

        actions = self.surface.actions
        box = [actions.n] if isinstance(actions, Discrete) else [list(actions.low), list(actions.high)]
        about = {
            "format": FORMAT,
            "architecture": self.architecture.describe(),
            "observation_dim": self.surface.observation_dim,
            "actions": box,
            "n_objectives": self.surface.n_objectives,
            "n_states": self.surface.n_states,
            "environment": self.environment,
            "discount": self.discount,
            "options": dict(self.options),
        }
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save_file({"row": self.row.contiguous()}, str(path), metadata={"policy": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Return a saved policy.

        Raises:
            CheckpointError: If the file is missing, damaged, or holds something else.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), "pt") as file:
                about = json.loads((file.metadata() or {})["policy"])
                row: Tensor = file.get_tensor("row")
            box = about["actions"]
            discrete = len(box) == 1
            surface = Surface(
                observation_dim=about["observation_dim"],
                actions=Discrete(box[0]) if discrete else Continuous(tuple(box[0]), tuple(box[1])),
                n_objectives=about["n_objectives"],
                n_states=about["n_states"],
            )
            architecture = architecture_of(about["architecture"])
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise CheckpointError(f"{path} is no readable policy: {error}") from error
        environment = None
        if surface.n_states:
            from paretokit.problems.morl._make_environment import make_environment

            environment = make_environment(about["environment"], about["options"])
        wiring = architecture.wire(surface, environment)
        name, discount, options = about["environment"], about["discount"], about["options"]
        return cls(row, architecture, surface, name, discount, options, wiring=wiring)


def _flat(observation: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    if isinstance(observation, Mapping):
        return np.concatenate([_flat(observation[key]) for key in sorted(observation)])
    return np.asarray(observation, dtype=np.float32).reshape(-1)
