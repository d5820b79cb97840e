"""Multi-objective reinforcement learning as a problem: decisions are policies, objectives their returns."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import (
    Evaluation,
    EvaluationProtocol,
    InputError,
    Lanes,
    Measurement,
    Objective,
    Problem,
    Rng,
    Scoring,
    Space,
)
from paretokit.core import _check as check
from paretokit.core._threads import one_torch_thread
from paretokit.problems.morl._architecture import Architecture, Surface, Wiring
from paretokit.problems.morl._environment import Environment
from paretokit.problems.morl._network import Network
from paretokit.problems.morl._policy import Policy, architecture_of
from paretokit.problems.morl._rollout import returns

HELD_OUT = 1_000_000  # first held-out evaluation seed
LANES = 4096  # episodes that are stepped together in one evaluation
LIGHT_STEP = 2**22  # products a step below which torch's threads wait longer for each other than they compute
NEGLIGIBLE = 1e-6  # share of a discounted return beyond the default horizon of environments without a time limit


@final
@dataclass(frozen=True, eq=False)
class MORL(Problem):
    r"""Find policies that trade off the expected discounted returns of an environment with a vector reward.

    .. math:: \max_\pi\; \Bigl(\mathbb E_\pi \sum_{t<T} \gamma^t r_{j,t}\Bigr)_{j=1 \dots m}

    A decision is a row of policy weights (`policy` says of what); its values are the mean returns of one episode a
    selection seed, the same seeds for every policy. `assess` uses held-out seeds. Training draws from the solver's
    own numbers, never from these seeds, and evaluation shares no environment with it.

    Args:
        environment: An id of MO-Gymnasium (run on tensors or in MuJoCo threads where paretokit has it so), a function
            that makes a Gymnasium environment with a vector reward, or an `Environment`.
        env_options: Options of the environment, by name.
        policy: Architecture of the policies.
        discount: Factor a time step; the environment's customary one unless given.
        horizon: Time limit in steps; the environment's registered one unless given.
        episodes: Episodes an evaluation; 1 where nothing is random, else 10.
        seed: First of the `episodes` consecutive selection seeds.
        sample_actions: Whether policies act at random as in training; they act by their mode otherwise.
        reference_point: For the hypervolume; the customary one unless given.

    Raises:
        InputError: If an undiscounted return has no time limit, or options are unknown.

    Cost: an evaluation of n policies steps n x `episodes` lanes together.
    """

    light = True  # small stacks of small networks: torch's threads would wait for each other

    environment: str | Callable[[], Any] | Environment = "deep-sea-treasure-v0"
    _: KW_ONLY
    env_options: Mapping[str, Any] = field(default_factory=dict)
    policy: Architecture = field(default_factory=Network)
    discount: float | None = None
    horizon: int | None = None
    episodes: int | None = None
    seed: int = 0
    sample_actions: bool = False
    reference_point: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.policy, Mapping):
            object.__setattr__(self, "policy", architecture_of(self.policy))
        if not isinstance(self.environment, str):
            _ = self.env  # says what to pass in place of a made one
        check.fields(self)
        if self.reference_point is not None:
            m = self.env.n_objectives
            point = check.point("reference_point", self.reference_point, m)
            object.__setattr__(self, "reference_point", tuple(point.tolist()))
        if self.discount is not None:
            check.that(0 < self.discount <= 1, "discount", "lie in (0, 1]", self.discount)
        if self.horizon is not None:
            check.at_least(1, horizon=self.horizon)
        if self.episodes is not None:
            check.at_least(1, episodes=self.episodes)
        check.that(0 <= self.seed < HELD_OUT, "seed", f"lie in 0 … {HELD_OUT - 1}", self.seed)
        object.__setattr__(self, "dtype", torch.float32)
        _ = self.measurement, self.wiring  # a policy that does not fit is refused now

    @cached_property
    def env(self) -> Environment:
        """The environment; it holds no episode, so that training and evaluation cannot touch each other."""
        from paretokit.problems.morl._make_environment import make_environment

        made: Environment = make_environment(self.environment, self.env_options)
        return made

    @cached_property
    def wiring(self) -> Wiring:
        """How decision rows act."""
        return self.policy.wire(Surface.of(self.env), self.env)

    @cached_property
    def measurement(self) -> Measurement:
        """How policies are measured, `protocol.measurement`, which can be had without the known front."""
        return Measurement(
            discount=self._discount,
            horizon=self._horizon,
            episodes=self._episodes,
            seeds=tuple(range(self.seed, self.seed + self._episodes)),
            deterministic=not self.sample_actions,
        )

    @cached_property
    def protocol(self) -> EvaluationProtocol:  # type: ignore[override]
        """Measurement and scoring; ideal and nadir are those of the known front, where its range is nowhere 0."""
        point = self.env.reference_point if self.reference_point is None else self.reference_point
        known = self.pareto_front()
        if known is None or not len(known) or bool((known.amax(0) == known.amin(0)).any()):
            scoring = Scoring(reference_point=point)
        else:
            best, worst = tuple(known.amax(0).tolist()), tuple(known.amin(0).tolist())
            scoring = Scoring(reference_point=point, ideal=best, nadir=worst)
        return EvaluationProtocol(measurement=self.measurement, scoring=scoring)

    @property
    def objectives(self) -> tuple[Objective, ...]:  # type: ignore[override]
        """The environment's reward components, to be maximized."""
        return self.env.objectives

    @property
    def space(self) -> Space:  # type: ignore[override]
        """Rows of policies."""
        return self.wiring.space

    @property
    def id(self) -> str:  # type: ignore[override]
        """The environment's id, versioned, where a string named it."""
        return self.environment if isinstance(self.environment, str) else ""

    @property
    def name(self) -> str:
        """What tables and titles call the problem."""
        return self.env.id

    @property
    def unit(self) -> str:  # type: ignore[override]
        """Unit of work."""
        return "environment steps"

    @property
    def held_out(self) -> bool:  # type: ignore[override]
        """Whether `assess` measures anything else than `evaluate`."""
        return self._random

    @property
    def front_kind(self) -> str:  # type: ignore[override]
        """What `pareto_front` returns."""
        return self.env.front_kind if self._customary else "unknown"

    def pareto_front(self, n: int | None = None) -> Tensor | None:
        """Return the known front of deterministic policies `[n, m]` at this discount, or None."""
        known = self.env.pareto_front(self._discount) if self._customary else None
        if known is None or n is None or len(known) <= n:
            return known
        order = torch.argsort(known[:, 0])
        return known[order[torch.linspace(0, len(known) - 1, n).round().to(torch.int64)]]

    def with_policy(self, policy: Architecture) -> MORL:
        """Return the same problem with policies of another make; fronts stay comparable.

        Environment, device, and whoever watches the evaluations are the same.
        """
        if policy == self.policy:
            return self
        twin = copy.copy(self)
        object.__setattr__(twin, "policy", policy)
        twin.__dict__.pop("wiring", None)
        _ = twin.wiring  # a policy that does not fit is refused now
        return twin

    def variant(self) -> dict[str, Any]:
        """Return what the policies are made of."""
        return self.policy.describe()

    def as_variant(self, variant: Mapping[str, Any] | None) -> MORL:
        """Return the same problem with the policies that a variant describes."""
        return self if variant is None else self.with_policy(architecture_of(variant))

    def options(self) -> Mapping[str, Any] | None:
        """Return constructor options as data; None for environments that were handed over."""
        if not self.id:
            return None
        return {
            "env_options": dict(self.env_options),
            "policy": self.policy.describe(),
            "discount": self.discount,
            "horizon": self.horizon,
            "episodes": self.episodes,
            "seed": self.seed,
            "sample_actions": self.sample_actions,
            "reference_point": None if self.reference_point is None else list(self.reference_point),
        }

    def _code(self) -> tuple[Any, ...]:
        given: Any = self.environment
        return (given if callable(given) else type(given).step,)

    def decode(self, x: Tensor) -> Policy:
        """Return the policy of one row."""
        return Policy(
            x.detach().to("cpu", self.dtype),
            self.policy,
            Surface.of(self.env),
            self.env.id,
            self._discount,
            dict(self.env_options),
            wiring=self.wiring,
        )

    def rollouts(self, x: Tensor, lanes: Lanes, *, sample: bool = False) -> tuple[Tensor, Tensor]:
        """Return discounted returns `[n, E, m]` and lengths `[n, E]` of rows `x [n, d]`, one episode a lane.

        Args:
            x: Policies.
            lanes: One source an episode.
            sample: Whether actions are sampled, with numbers of the lanes; the policies' modes unless set.
        """
        step = max(1, LANES // len(lanes))
        parts = [self._rollouts(rows, lanes, sample) for rows in x.split(step)]
        return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])

    def _rollouts(self, rows: Tensor, lanes: Lanes, sample: bool) -> tuple[Tensor, Tensor]:
        wiring, n, k = self.wiring, len(lanes), self.wiring.noise
        light = self.device.type == "cpu" and rows.numel() * n < LIGHT_STEP

        def act(observation: Tensor, accrued: Tensor, t: int) -> Tensor:
            noise = None
            if sample and k:
                noise = lanes.child("actions", t).uniform(k, device=rows.device).expand(len(rows), n, k)
            return wiring.act(rows, observation, accrued, noise)

        with torch.no_grad(), one_torch_thread(when=light):
            return returns(
                self.env.to(self.device),
                act,
                members=len(rows),
                lanes=lanes,
                horizon=self._horizon,
                discount=self._discount,
                device=self.device,
            )

    def measure(self, x: Tensor) -> tuple[Evaluation, Tensor]:
        """Return what `evaluate` answers for rows `x [n, d]`, and the lengths of the episodes, int64 `[n, episodes]`.

        Their sum is what the evaluation costs in environment steps.
        """
        rows = self._checked(x)
        out, lengths = self._measured(rows, self.measurement.seeds)
        if self._observer is not None and len(rows):
            self._observer.evaluated(rows, out)
        return out, lengths

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        return self._measured(x, self.measurement.seeds)[0]

    def _assess(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        first = HELD_OUT + self.seed
        out, lengths = self._measured(x, tuple(range(first, first + self._episodes)))
        assert out.stderr is not None
        return out.values, {"stderr": out.stderr, "length": lengths.to(torch.float64).mean(1)}

    def _measured(self, x: Tensor, seeds: tuple[int, ...]) -> tuple[Evaluation, Tensor]:
        lanes = Lanes(tuple(Rng.from_seed(s).child("evaluation") for s in seeds))
        total, lengths = self.rollouts(x, lanes, sample=self.sample_actions)
        spread = total.std(1, correction=1) / math.sqrt(len(seeds)) if len(seeds) > 1 else torch.zeros_like(total[:, 0])
        values, stderr = total.mean(1).to(self.dtype), spread.to(self.dtype)
        return Evaluation(values, None, stderr, lengths.sum(1).to(torch.float64)), lengths

    @property
    def _random(self) -> bool:
        env = self.env
        return self.sample_actions or env.reset_noise > 0 or env.step_noise > 0 or not env.functional

    @property
    def _customary(self) -> bool:
        return self.horizon is None or self.horizon == self.env.horizon

    @property
    def _discount(self) -> float:
        return self.env.discount if self.discount is None else self.discount

    @property
    def _episodes(self) -> int:
        return (10 if self._random else 1) if self.episodes is None else self.episodes

    @property
    def _horizon(self) -> int:
        if self.horizon is not None or self.env.horizon is not None:
            return self.horizon or self.env.horizon or 0
        if self._discount == 1:
            hint = "an undiscounted return needs a time limit"
            raise InputError(check.message("horizon", f"be given for {self.env.id}, which has none", None, hint))
        return math.ceil(math.log(NEGLIGIBLE) / math.log(self._discount))
