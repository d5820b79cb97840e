"""What all GFlowNet solvers share: roll out, score the objects, train, and measure the sampler now and then."""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, cast

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, ParetoError, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.nn import Adam, AdamState, clipped
from paretokit.problems.design._design import CompositionalDesign
from paretokit.solvers.gflownet._criteria import criterion_of, described
from paretokit.solvers.gflownet._criterion import Criterion, Flows
from paretokit.solvers.gflownet._engine import Engine, engine_of
from paretokit.solvers.gflownet._mlp_policy import MLPPolicy
from paretokit.solvers.gflownet._partition import Partition
from paretokit.solvers.gflownet._policies import policy_of
from paretokit.solvers.gflownet._policy import PolicyNetwork
from paretokit.solvers.gflownet._replay import Memory, Replay
from paretokit.solvers.gflownet._sampler import retrace
from paretokit.solvers.gflownet._start import check_start
from paretokit.solvers.gflownet._trajectories import Trajectories

CHUNK = 2048  # most objects rolled out at once when a sampler is measured; more would only need more memory


@dataclass
class Request:
    """What the trajectories of a batch are asked for.

    Attributes:
        weights: Preferences or goals, float64 `[n, m]`.
        beta: Exponents of the reward, float64 `[n]`.
        condition: Both as the policy reads them, float32 `[n, c]`; None where it reads nothing.
    """

    weights: Tensor
    beta: Tensor
    condition: Tensor | None = None

    def __len__(self) -> int:
        return len(self.beta)

    def select(self, rows: Tensor) -> Request:
        """Return some of the requests."""
        return Request(self.weights[rows], self.beta[rows], None if self.condition is None else self.condition[rows])


@dataclass
class Draft:
    """Trajectories on the way to being scored.

    Attributes:
        request: What they were asked for.
        trajectories: How the objects were built.
    """

    request: Request
    trajectories: Trajectories


@dataclass
class GFlowNetState:
    """Where a run stands.

    Attributes:
        rng: The run's key.
        row: Parameters of the flow model `[1, D]`.
        adam: Its optimizer's moments.
        average: Exponential moving average of `row`, which samples where `ema` is not 0.
        log_z: Parameters of the partition function `[1, D_z]`.
        log_z_adam: Its optimizer's moments.
        memory: Objects to train on again.
        draft: The next batch where rewards are computed beside the next rollout.
        extra: What a solver keeps beyond (tables of goals).
        x, values, weights: The sampler as last measured: decisions `[s, d]`, objectives `[s, m]`, requests `[s, m]`.
        steps: Updates made.
        evaluations: Objects scored.
        loss: Of the last update.
    """

    rng: Rng
    row: Tensor
    adam: AdamState
    average: Tensor
    log_z: Tensor
    log_z_adam: AdamState
    memory: Memory
    draft: Draft | None
    extra: dict[str, Tensor]
    x: Tensor
    values: Tensor
    weights: Tensor
    steps: int = 0
    evaluations: int = 0
    loss: float = 0.0


@dataclass(frozen=True, kw_only=True)
class GFlowNet(Solver[GFlowNetState]):
    """The shared body; subclasses say what is asked for and what is lost.

    Attributes:
        policy: The network; `MLPPolicy`, `TransformerPolicy`, `TreePolicy`, or its kind.
        criterion: "TB", "DB", "SubTB" or "FM", or one with its options.
        backward: The backward policy: "uniform" over parents, or "learned".
        batch_size: Trajectories an update.
        learning_rate: Of the flow model's Adam.
        log_z_rate: Of the partition function's Adam.
        clip: Most Euclidean norm of a gradient; global, not a tensor at a time.
        epsilon: Probability of a uniform legal action in training.
        ema: Share of the old average in the parameters that sample; 0 samples with the trained ones.
        replay: Objects that are trained on again; None for on-policy training.
        overlap: Whether objects are scored while the next batch is rolled out, whose policy is then one update old.
        iterations: Updates until the method ends; without it the budget ends the run.
        anneal: Whether the learning rates fall linearly to 0 over `iterations`.
        evaluate_every: Updates between two measurements of the sampler; there is one after the first update and one at
            the end of every run.
        n_samples: Objects a measurement draws for each measured request.
    """

    solves: ClassVar[type[Problem]] = CompositionalDesign  # type: ignore[type-abstract]
    state_type: ClassVar[type] = GFlowNetState

    policy: PolicyNetwork | Mapping[str, Any] | str = field(default_factory=MLPPolicy)
    criterion: Criterion | Mapping[str, Any] | str = "TB"
    backward: Literal["uniform", "learned"] = "uniform"
    batch_size: int = 128
    learning_rate: float = 1e-3
    log_z_rate: float = 1e-2
    clip: float = 10.0
    epsilon: float = 0.01
    ema: float = 0.0
    replay: Replay | Mapping[str, Any] | None = None
    overlap: bool = False
    iterations: int | None = None
    anneal: bool = True
    evaluate_every: int = 500
    n_samples: int = 128

    def __post_init__(self) -> None:
        check.fields(self)
        object.__setattr__(self, "policy", policy_of(self.policy))
        object.__setattr__(self, "criterion", criterion_of(self.criterion))
        if isinstance(self.replay, Mapping):
            check.options(self.replay, [f.name for f in dataclasses.fields(Replay)], owner="Replay")
            object.__setattr__(self, "replay", Replay(**self.replay))
        check.one_of(("uniform", "learned"), backward=self.backward)
        check.at_least(1, batch_size=self.batch_size, evaluate_every=self.evaluate_every, n_samples=self.n_samples)
        check.positive(learning_rate=self.learning_rate, log_z_rate=self.log_z_rate, clip=self.clip)
        check.probability(epsilon=self.epsilon)
        check.that(0 <= self.ema < 1, "ema", "lie in [0, 1)", self.ema, "at 1 the first network samples for ever")
        if self.iterations is not None:
            check.at_least(1, iterations=self.iterations)

    @abstractmethod
    def condition_dim(self, problem: CompositionalDesign) -> int:
        """Return the entries c of a condition."""

    @abstractmethod
    def requests(self, problem: CompositionalDesign, state: GFlowNetState, n: int) -> Request:
        """Return what the next n trajectories are asked for."""

    @abstractmethod
    def measured(self, problem: CompositionalDesign) -> Request:
        """Return the requests under which the sampler is measured, one row each."""

    @abstractmethod
    def loss(self, flows: Flows, request: Request, gains: Tensor) -> Tensor:
        """Return the loss of trajectories whose objects have gains `[n, m]`, a scalar."""

    def relabel(self, state: GFlowNetState, request: Request, gains: Tensor) -> Request:
        """Return the requests that the batch is trained for once its gains are known."""
        return request

    def learned(self, problem: CompositionalDesign, state: GFlowNetState, request: Request, gains: Tensor) -> None:
        """Take note of what new objects gained under what they were asked for."""

    def beginning(self, problem: CompositionalDesign) -> dict[str, Tensor]:
        """Return what the solver keeps beyond the shared state, at the begin."""
        return {}

    @property
    def finishes(self) -> bool:
        """Whether `iterations` ends the run."""
        return self.iterations is not None

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        own = {k: dataclasses.asdict(cast("Any", v)) if dataclasses.is_dataclass(v) else v for k, v in own.items()}
        return {
            **own,
            "policy": cast("PolicyNetwork", self.policy).describe(),
            "criterion": described(cast("Criterion", self.criterion)),
        }

    def engine(self, problem: Problem) -> Engine:
        """Return the sampler of a problem: network bound, fastest way to roll it out chosen."""
        design = design_of(problem)
        network = cast("PolicyNetwork", self.policy)
        dim = self.condition_dim(design)
        model = network.bind(design.environment, condition_dim=dim, backward=self.backward == "learned")
        return engine_of(model, design)

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> GFlowNetState:
        """Return the untrained sampler; `initial [n, d]` are objects that replay begins with.

        Raises:
            InputError: If `initial` is given without `replay`, or nothing can be built.
        """
        design = design_of(problem)
        check_start(design)
        check.that(initial is None or self.replay is not None, "initial", "be left out without `replay`", "rows")
        model, device, m = self.engine(design).model, design.device, design.n_objectives
        row = model.initial(rng.child("policy")).to(device).unsqueeze(0)
        log_z = Partition(self.condition_dim(design)).initial(rng.child("log_z")).to(device).unsqueeze(0)
        state = GFlowNetState(
            rng=rng,
            row=row,
            adam=AdamState.zeros(row),
            average=row.clone(),
            log_z=log_z,
            log_z_adam=AdamState.zeros(log_z),
            memory=Memory.empty(design.environment.start(1).shape[1], m, device),
            draft=None,
            extra=self.beginning(design),
            x=torch.zeros(0, design.space.dim, dtype=design.dtype, device=device),
            values=torch.zeros(0, m, dtype=design.dtype, device=device),
            weights=torch.zeros(0, m, dtype=torch.float64, device=device),
        )
        if initial is not None:
            state.extra["initial"] = initial.to(device, design.dtype)
        return state

    def step(self, problem: Problem, state: GFlowNetState) -> GFlowNetState:
        """Return the state after one batch of trajectories, its rewards, one update, and a measurement when due."""
        design = design_of(problem)
        engine = self.engine(design)
        self._remember_initial(design, state)
        draft = state.draft or self._draft(engine, design, state, ahead=0)
        state.evaluations += len(draft.request)
        x = design.environment.decisions(draft.trajectories.last)
        if self.overlap:
            pending = design.submit(x)
            state.draft = self._draft(engine, design, state, ahead=1)
            evaluation = pending.result()
        else:
            evaluation = design.evaluate(x)
        gains = design.gains(evaluation.values)
        self.learned(design, state, draft.request, gains)
        self._update(engine, state, draft, gains)
        state.steps += 1
        if self._due(state):
            self._measure(design, state)
        return state

    def closed(self, problem: Problem, state: GFlowNetState) -> GFlowNetState:
        """Return the state with the sampler measured as it is now."""
        if self._due(state):
            return state
        state = dataclasses.replace(state)
        self._measure(design_of(problem), state)
        return state

    def front(self, problem: Problem, state: GFlowNetState) -> Front:
        """Return the non-dominated objects of the sampler as last measured, with the requests they answered."""
        evaluation = Evaluation(state.values)
        return Front.of(problem, state.x, evaluation, info={"preference": state.weights})

    def sampled(self, problem: Problem, state: GFlowNetState, request: Request, rng: Rng) -> Tensor:
        """Return decisions `[n, d]` of the present sampler, one a request."""
        engine = self.engine(problem)
        env = engine.model.environment
        paths = engine.sample(self._sampler(state), request.condition, n=len(request), rng=rng)
        return env.decisions(paths.last).to(problem.dtype)

    def cost(self, state: GFlowNetState) -> Cost:
        """Return objects scored, in training and measuring, and updates."""
        return Cost(evaluations=state.evaluations, gradient_steps=state.steps, work=float(state.evaluations))

    def done(self, state: GFlowNetState) -> bool:
        """Tell whether `iterations` updates were made."""
        return self.iterations is not None and state.steps >= self.iterations

    def report(self, problem: Problem, state: GFlowNetState) -> dict[str, float]:
        """Return the loss of the update."""
        return {"loss": state.loss}

    def _due(self, state: GFlowNetState) -> bool:
        """Tell whether the sampler is measured after this update."""
        return (state.steps - 1) % self.evaluate_every == 0 or state.steps == self.iterations

    def _sampler(self, state: GFlowNetState) -> Tensor:
        return state.average[0] if self.ema else state.row[0]

    def _draft(self, engine: Engine, problem: CompositionalDesign, state: GFlowNetState, *, ahead: int) -> Draft:
        request = self.requests(problem, state, self.batch_size)
        rng = state.rng.child("rollout", state.steps + ahead)
        paths = engine.sample(self._sampler(state), request.condition, n=len(request), rng=rng, epsilon=self.epsilon)
        return Draft(request, paths)

    def _remember_initial(self, problem: CompositionalDesign, state: GFlowNetState) -> None:
        x = state.extra.pop("initial", None)
        if x is not None and isinstance(self.replay, Replay):
            gains = problem.gains(problem.evaluate(x).values)
            state.evaluations += len(x)
            state.memory.add(problem.environment.finished(x), gains, self.replay)

    def _update(self, engine: Engine, state: GFlowNetState, draft: Draft, gains: Tensor) -> None:
        request, paths = draft.request, draft.trajectories
        if not math.isfinite(float(gains.sum())):  # failed objects teach nothing
            rows = torch.isfinite(gains).all(-1).nonzero().flatten()
            request, paths, gains = request.select(rows), paths.select(rows), gains[rows]
        if not len(gains):
            return
        if isinstance(self.replay, Replay):
            fresh, scored = paths.last, gains
            paths, gains = self._mixed(engine, state, request, paths, gains)
            state.memory.add(fresh, scored, self.replay)
        request = self.relabel(state, request, gains)
        paths = dataclasses.replace(paths, condition=request.condition)
        row, log_z = (rows[0].detach().requires_grad_() for rows in (state.row, state.log_z))
        partition = Partition(0 if request.condition is None else request.condition.shape[1])
        flows = Flows(engine, row, paths, partition(log_z, request.condition, len(gains)))
        loss = self.loss(flows, request, gains)
        state.loss = float(loss.detach())
        check_finite("loss", state.loss, state.steps + 1)
        slopes = torch.autograd.grad(loss, (row, log_z), materialize_grads=True, allow_unused=True)
        gradient, log_z_gradient = (slope.unsqueeze(0) for slope in slopes)
        left = 1.0 if self.iterations is None or not self.anneal else 1 - state.steps / self.iterations
        adam = Adam()
        adam.step(state.row, clipped(gradient, self.clip), state.adam, self.learning_rate * left)
        adam.step(state.log_z, clipped(log_z_gradient, self.clip), state.log_z_adam, self.log_z_rate * left)
        if self.ema:
            state.average.lerp_(state.row, 1 - self.ema)

    def _mixed(
        self, engine: Engine, state: GFlowNetState, request: Request, paths: Trajectories, gains: Tensor
    ) -> tuple[Trajectories, Tensor]:
        """Return the batch with its last trajectories replaced by replayed objects, under the same requests."""
        assert isinstance(self.replay, Replay)
        rng = state.rng.child("replay", state.steps)
        finished, old = state.memory.draw(len(gains), self.replay, rng)
        if not len(finished):
            return paths, gains
        kept = torch.arange(len(gains) - len(finished), device=gains.device)
        condition = None if request.condition is None else request.condition[len(kept) :]
        row = state.row[0].detach()
        again = retrace(engine.model, row, condition, finished=finished, rng=rng.child("paths"))
        return Trajectories.cat([paths.select(kept), again]), torch.cat([gains[kept], old.to(gains)])

    def _measure(self, problem: CompositionalDesign, state: GFlowNetState) -> None:
        """Draw `n_samples` objects for each measured request from the present sampler, and score them."""
        asked = self.measured(problem)
        owner = torch.arange(len(asked), device=problem.device).repeat_interleave(self.n_samples)
        parts = []
        for k, rows in enumerate(owner.split(CHUNK)):
            rng = state.rng.child("measure", state.steps, k)
            parts.append(self.sampled(problem, state, asked.select(rows), rng))
        state.x = torch.cat(parts)
        state.values = problem.evaluate(state.x).values
        state.weights = asked.weights[owner]
        state.evaluations += len(state.x)


def design_of(problem: Problem) -> CompositionalDesign:
    """Return the problem as what `solves` has checked it to be."""
    assert isinstance(problem, CompositionalDesign)
    return problem


def check_finite(name: str, value: float, update: int) -> None:
    """Raise `ParetoError` unless a number on which training stands is finite, before the networks are spoilt."""
    if not math.isfinite(value):
        hint = "a smaller `learning_rate` or `temperature` helps, or objectives of about [0, 1]"
        raise ParetoError(f"the {name} of update {update} is {value}; {hint}")
