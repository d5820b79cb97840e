"""The loop that all methods of adaptation share: members train at once; a rule weighs what shared features descend."""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from paretokit.core import Cost, Evaluation, Front, Lanes, Problem, Rng, Solver
from paretokit.core import _check as check
from paretokit.problems.adaptation import DomainAdaptation
from paretokit.problems.adaptation._measures import mutual_information
from paretokit.solvers.adaptation._alignments import ALIGNMENTS, AlignmentName, Batch
from paretokit.solvers.adaptation._cooperation import ENOUGH
from paretokit.solvers.adaptation._refinement import ClassDiscriminators, refined


@dataclass
class TrainingState:
    """Networks and their adversaries on their way.

    Attributes:
        rng: The run's key.
        rows: Parameters of the networks `[P, D]`, features before classifiers.
        buffers: Their running statistics `[P, b]`.
        adversaries: Parameters of discriminators `[P, A]`.
        momentum: Of all parameters `[P, D + A]`.
        preferences: What each member was asked for `[P, 3]`.
        losses: Source cross-entropy, distance of the domains as the adversary sees it, and log K minus the mutual
            information of refined target predictions, of the last minibatch `[P, 3]`.
        weights: Of the last step `[P, 3]`, of sum one.
        moving: Which members still train: all whose gradients were finite `[P]`.
        x: Decisions as last measured `[P, d]`.
        values: Their values `[P, 3]`.
        steps: Updates made.
        evaluations: Decisions measured.
        work: Examples that went through networks, a backward pass as two.
    """

    rng: Rng
    rows: Tensor
    buffers: Tensor
    adversaries: Tensor
    momentum: Tensor
    preferences: Tensor
    losses: Tensor
    weights: Tensor
    moving: Tensor
    x: Tensor
    values: Tensor
    steps: int = 0
    evaluations: int = 0
    work: float = 0.0


@dataclass(frozen=True)
class Gradients:
    """What a rule of weights reads, float64.

    Attributes:
        gramian: Inner products of the objectives' gradients with respect to the shared features `[P, 3, 3]`.
        guide: Their inner products with the held-out gradient `[P, 3]`, where it was asked for.
        guided: Which members have a held-out loss left to be guided by `[P]`.
        losses: Positive values of the objectives `[P, 3]`.
        preferences: What each member was asked for `[P, 3]`.
    """

    gramian: Tensor
    guide: Tensor | None
    guided: Tensor | None
    losses: Tensor
    preferences: Tensor


@dataclass(frozen=True, kw_only=True)
class AdaptationTraining(Solver[TrainingState]):
    r"""Stochastic descent of source loss, alignment and target information; subclasses say how features weigh them.

    Each step draws a minibatch of the source, one of the target, and, where a rule asks for it, one of held-out target
    inputs. Objectives are the source cross-entropy, the alignment's loss after the reversal of gradients, and minus the
    mutual information of target inputs and (refined) predictions. With their gradients :math:`g_i` with respect to the
    shared features only, features descend :math:`3 \sum_i w_i g_i`; the classifier descends the first two, unweighted
    (the second where its weight is above zero); discriminators descend their own losses, on detached features where
    they serve the refinement. Normalizations over batches see both domains together.
    """

    solves: ClassVar[type[Problem]] = DomainAdaptation
    state_type: ClassVar[type] = TrainingState

    alignment: AlignmentName = "dann"
    refine: bool = True
    steps: int = 600
    batch_size: int = 32
    learning_rate: float = 0.02
    decay: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 5e-4
    ramp: float = 100.0
    hidden: tuple[int, ...] = (64,)
    class_hidden: tuple[int, ...] = (32,)
    evaluate_every: int = 200

    def __post_init__(self) -> None:
        check.fields(self)
        check.one_of(sorted(ALIGNMENTS), alignment=self.alignment)
        check.at_least(1, steps=self.steps, evaluate_every=self.evaluate_every)
        check.at_least(2, batch_size=self.batch_size)
        check.positive(learning_rate=self.learning_rate, ramp=self.ramp)
        check.at_least(0, decay=self.decay, weight_decay=self.weight_decay)
        check.that(0 <= self.momentum < 1, "momentum", "lie in [0, 1)", self.momentum)
        for name in ("hidden", "class_hidden"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            check.whole(1, **{name: min(getattr(self, name), default=1)})

    @property
    def finishes(self) -> bool:
        """Whether `steps` ends the run."""
        return True

    @abstractmethod
    def members(self, problem: DomainAdaptation) -> Tensor:
        """Return what each member is asked for `[P, 3]`."""

    @abstractmethod
    def weigh(self, given: Gradients, rng: Rng) -> Tensor:
        """Return the weights `[P, 3]` of the objectives' gradients, of sum one."""

    @property
    def fixed(self) -> bool:
        """Whether weights are the preferences themselves, so that one backward pass does."""
        return False

    @property
    def guides(self) -> bool:
        """Whether the rule reads the held-out gradient."""
        return False

    @property
    def starts(self) -> str:
        """Whether members begin alike ("shared") or each in its own place ("random")."""
        return "shared"

    def unsupported(self, problem: Problem) -> str | None:
        """Tell that it adapts classifiers."""
        return None if isinstance(problem, DomainAdaptation) else "it adapts classifiers"

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> TrainingState:
        """Return the state before the first minibatch; rows of `initial [n, d]` are taken in turn."""
        own = _adaptation(problem)
        own.network().norms()
        preferences = self.members(own).to(own.device, own.dtype)
        n = len(preferences)
        if initial is None:
            shared = self.starts == "shared"
            initial = own.space.sample(1 if shared else n, rng.child("start"), dtype=own.dtype)
        x = initial[torch.arange(n, device=initial.device) % len(initial)].to(own.device, own.dtype)
        d = own.space.n_parameters
        lanes = Lanes(tuple(rng.child("adversary", 0 if self.starts == "shared" else p) for p in range(n)))
        kind, net = ALIGNMENTS[self.alignment], self._adversary(own)
        parts = [kind.init(lanes.child("alignment"), net, dtype=own.dtype)]
        if self.refine:
            parts.append(self._class_discriminators(own).init(lanes.child("classes"), dtype=own.dtype))
        adversaries = torch.cat(parts, 1).to(own.device)
        zeros = x.new_zeros(n, 3)
        return TrainingState(
            rng=rng,
            rows=x[:, :d].clone(),
            buffers=x[:, d:].clone(),
            adversaries=adversaries,
            momentum=x.new_zeros(n, d + adversaries.shape[1]),
            preferences=preferences,
            losses=zeros,
            weights=preferences.clone(),
            moving=torch.ones(n, dtype=torch.bool, device=x.device),
            x=x[:0],
            values=zeros[:0],
        )

    def _adversary(self, problem: DomainAdaptation) -> Any:
        return ALIGNMENTS[self.alignment].network(problem.n_features, problem.n_classes, self.hidden)

    def _class_discriminators(self, problem: DomainAdaptation) -> ClassDiscriminators:
        return ClassDiscriminators(problem.n_features, problem.n_classes, self.class_hidden)

    def step(self, problem: Problem, state: TrainingState) -> TrainingState:
        """Return the state after one minibatch of each domain, one update, and a measurement when due."""
        own = _adaptation(problem)
        rng = state.rng.child("step", state.steps)
        before = state.buffers.clone()
        gradient = self._gradient(own, state, rng)
        finite = torch.isfinite(gradient).all(1) & torch.isfinite(state.losses).all(1)
        state.moving &= finite
        if not bool(state.moving.any()):
            check.fail("losses", "be finite", state.losses[0].tolist(), "a smaller learning_rate may help")
        state.buffers = torch.where(state.moving.unsqueeze(1), state.buffers, before)
        self._move(state, gradient)
        state.steps += 1
        if self._due(state):
            self._measure(own, state)
        return state

    def _gradient(self, problem: DomainAdaptation, state: TrainingState, rng: Rng) -> Tensor:
        """Return the gradient `[P, D + A]` of one minibatch; keep its losses and weights in the state."""
        net = problem.network(training=True)
        cut = net.n_features
        features = state.rows[:, :cut].detach().requires_grad_()
        heads = state.rows[:, cut:].detach().requires_grad_()
        adversaries = state.adversaries.detach().requires_grad_()
        at, to = problem.batch(rng, self.batch_size)
        labels, n = problem.placed(problem.source[1][at]), len(at)
        inputs = torch.cat([problem.placed(problem.source[0][at]), problem.placed(problem.target[to])])
        with torch.enable_grad():
            rows = torch.cat([features, heads], 1)
            z, logits = net(rows, state.buffers, inputs)
            losses, values, classwise = self._losses(
                problem, adversaries, (z[:, :n], logits[:, :n], labels), (z[:, n:], logits[:, n:]), steps=state.steps
            )
            guide = self._held_out(problem, rows, state, rng) if self.guides else None
        most = math.log(problem.n_classes)
        state.losses = torch.stack([values[:, 0], values[:, 1], values[:, 2] + most], 1)
        passes = 1 if self.fixed else 3 + (guide is not None)
        examples = len(inputs) + (0 if guide is None else self.batch_size)
        state.work += len(state.rows) * (examples + 2 * passes * len(inputs))
        first, second, third = (loss.sum() for loss in losses)
        both = [*torch.autograd.grad(first, heads, retain_graph=True)]
        aligned = torch.autograd.grad(
            second + classwise.sum(), (heads, adversaries), retain_graph=True, allow_unused=True
        )
        if self.fixed:
            weights = state.preferences
            total = sum((3 * weights[:, k] * loss).sum() for k, loss in enumerate(losses))
            assert isinstance(total, Tensor)
            (shared,) = torch.autograd.grad(total, features)
        else:
            targets = [first, second, third, *([] if guide is None else [guide.sum()])]
            rows_of = [_slope(t, features, last=k + 1 == len(targets)) for k, t in enumerate(targets)]
            jacobian = torch.stack(rows_of, 1)
            exact = jacobian.double()
            own, held = exact[:, :3], exact[:, 3:]
            guided = None if guide is None else (guide.detach() + most > ENOUGH)
            against = None if guide is None else (own @ held.mT).squeeze(-1)
            rule = Gradients(own @ own.mT, against, guided, state.losses.double(), state.preferences.double())
            weights = self.weigh(rule, rng.child("rule")).to(jacobian)
            shared = (3 * weights.unsqueeze(1) @ jacobian[:, :3]).squeeze(1)
        state.weights = weights.detach()
        follows = (weights[:, 1:2] > 0).to(both[0])
        head = both[0] if aligned[0] is None else both[0] + follows * aligned[0]
        rivals = torch.zeros_like(adversaries) if aligned[1] is None else aligned[1]
        return torch.cat([shared, head, rivals], 1)

    def _losses(
        self,
        problem: DomainAdaptation,
        adversaries: Tensor,
        source: tuple[Tensor, Tensor, Tensor],
        target: tuple[Tensor, Tensor],
        *,
        steps: int,
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """Return losses `[P]` to go back through, the objectives' values `[P, 3]`, and the class-wise loss `[P]`."""
        (z, logits, labels), (others, guesses) = source, target
        reversal = 2 / (1 + math.exp(-min(steps / self.ramp, 50))) - 1
        kind, net = ALIGNMENTS[self.alignment], self._adversary(problem)
        used = 0 if net is None else net.n_parameters
        entropy = -_chosen(logits.log_softmax(-1), labels).mean(-1)
        align, distance = kind.loss(Batch(z, others, logits, guesses, reversal), net, adversaries[:, :used])
        rho, classwise = guesses.softmax(-1), torch.zeros_like(entropy)
        if self.refine:
            classes, own = self._class_discriminators(problem), adversaries[:, used:]
            toward = classes.logits(own, others.detach())
            rho = refined(rho, toward.detach().sigmoid())
            classwise = classes.loss(classes.logits(own, z.detach()), labels, (toward, rho))
        mimicking = -mutual_information(rho)
        values = torch.stack([entropy.detach(), distance, mimicking.detach()], 1)
        return [entropy, align, mimicking], values, classwise

    def _held_out(self, problem: DomainAdaptation, rows: Tensor, state: TrainingState, rng: Rng) -> Tensor:
        """Return minus the mutual information of a minibatch of held-out target inputs `[P]`."""
        held = problem.held_target
        at = rng.child("held").integers(len(held), self.batch_size)
        net = problem.network(training=True)
        z, logits = net(rows, state.buffers.clone(), problem.placed(held[at]))  # leaves the running statistics alone
        rho = logits.softmax(-1)
        if self.refine:
            classes = self._class_discriminators(problem)
            own = state.adversaries[:, -classes.n_parameters :]
            rho = refined(rho, classes.logits(own, z.detach()).sigmoid())
        return -mutual_information(rho)

    def _move(self, state: TrainingState, gradient: Tensor) -> None:
        """Make a step of stochastic descent with Nesterov's momentum, of the members that move."""
        rate = self.learning_rate * (1 + self.decay * state.steps) ** -0.75
        now = torch.cat([state.rows, state.adversaries], 1)
        gradient = gradient + self.weight_decay * now
        state.momentum.mul_(self.momentum).add_(gradient)
        moved = now - rate * (gradient + self.momentum * state.momentum)
        moved = torch.where(state.moving.unsqueeze(1), moved, now)
        state.rows, state.adversaries = (
            part.clone() for part in moved.split([state.rows.shape[1], state.adversaries.shape[1]], 1)
        )

    def decisions(self, problem: Problem, state: TrainingState) -> Tensor:
        """Return the members as decisions `[P, d]`; running statistics go into scales and shifts."""
        own = _adaptation(problem)
        template = own.template
        rows = own.network().folded(state.rows, state.buffers, template)
        return own.space.project(torch.cat([rows, template.expand(len(rows), -1)], 1))

    def closed(self, problem: Problem, state: TrainingState) -> TrainingState:
        """Return the state with the members measured as they are now."""
        if self._due(state):
            return state
        state = dataclasses.replace(state)
        self._measure(_adaptation(problem), state)
        return state

    def _due(self, state: TrainingState) -> bool:
        return state.steps == 1 or state.steps % self.evaluate_every == 0 or state.steps == self.steps

    def _measure(self, problem: DomainAdaptation, state: TrainingState) -> None:
        state.x = self.decisions(problem, state)
        found = problem.evaluate(state.x)
        state.values = found.values
        state.evaluations += len(state.x)
        state.work += found.total_work

    def front(self, problem: Problem, state: TrainingState) -> Front:
        """Return the members as last measured, without the dominated ones, and what they were asked for."""
        info = {"preference": state.preferences.double()} if len(state.x) else {}
        return Front.of(problem, state.x, Evaluation(state.values), info=info)

    def cost(self, state: TrainingState) -> Cost:
        """Return measurements, updates, and all examples that went through networks."""
        return Cost(evaluations=state.evaluations, gradient_steps=state.steps, work=state.work)

    def done(self, state: TrainingState) -> bool:
        """Tell whether all updates were made."""
        return state.steps >= self.steps

    def report(self, problem: Problem, state: TrainingState) -> dict[str, float]:
        """Return the members' mean losses and weights, and how many have stopped."""
        names = ("source", "alignment", "target")
        losses, weights = state.losses.mean(0).tolist(), state.weights.mean(0).tolist()
        out = {f"{name} loss": v for name, v in zip(names, losses, strict=True)}
        out |= {f"{name} weight": v for name, v in zip(names, weights, strict=True)}
        return {**out, "stuck": float((~state.moving).sum())}


def _adaptation(problem: Problem) -> DomainAdaptation:
    assert isinstance(problem, DomainAdaptation)
    return problem


def _chosen(logs: Tensor, labels: Tensor) -> Tensor:
    """Return the entries `[P, n]` of classes `[n]`."""
    return logs.gather(-1, labels.expand(len(logs), -1).unsqueeze(-1)).squeeze(-1)


def _slope(loss: Tensor, features: Tensor, *, last: bool) -> Tensor:
    (found,) = torch.autograd.grad(loss, features, retain_graph=not last, allow_unused=True)
    return torch.zeros_like(features) if found is None else found
