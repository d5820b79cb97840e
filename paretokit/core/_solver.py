"""The contract of a solver: a frozen record of hyper-parameters that moves an explicit state."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from torch import Tensor

from paretokit.core import _check as check
from paretokit.core._errors import UnsupportedProblemError
from paretokit.core._evaluation import Evaluation
from paretokit.core._front import Front
from paretokit.core._problem import Problem
from paretokit.core._rng import Lanes, Rng
from paretokit.core._search import SearchSpace


@dataclass(frozen=True)
class Cost:
    """What a run has spent.

    Attributes:
        evaluations: Decisions evaluated.
        env_steps: Environment steps.
        gradient_steps: Optimizer steps.
        work: Everything in the problem's unit, so that "the same budget" means equal work.
    """

    evaluations: int = 0
    env_steps: int = 0
    gradient_steps: int = 0
    work: float = 0.0


State = TypeVar("State")


class Solver(ABC, Generic[State]):
    """Hyper-parameters and four verbs: `init`, `step`, `front`, `cost`.

    Subclasses are `@final @dataclass(frozen=True, kw_only=True)`; every field is a hyper-parameter with a default.
    The state is a dataclass of tensors, numbers, strings and containers of them; live things are fields made by
    `transient()` and rebuilt by `restore`. No solver reads the budget: `step` is one generation, or one rollout and
    update, and schedule lengths are hyper-parameters that end the run through `done`.

    Class attributes:
        solves: The problem type that it needs.
        state_type: The state's dataclass, for loading checkpoints.
        resumes: "exact" where run(2T) == run(T) + save + load + run(T) bit for bit, else the reason why not.
        search_space: Hyper-parameters that are worth tuning, with what each may be (see `paretokit.tune`).
    """

    solves: ClassVar[type[Problem]] = Problem  # type: ignore[type-abstract]
    state_type: ClassVar[type]
    resumes: ClassVar[str] = "exact"
    search_space: ClassVar[SearchSpace] = {}

    def __post_init__(self) -> None:
        """Refuse hyper-parameters of another kind than their annotation says; subclasses with rules begin with it."""
        check.fields(self)

    @property
    def name(self) -> str:
        """What tables call the solver."""
        return type(self).__name__

    @property
    def resume_note(self) -> str:
        """`resumes`, which adapters answer for each algorithm."""
        return self.resumes

    @property
    def finishes(self) -> bool:
        """Whether `done` ever ends a run by itself, so that a budget may be omitted."""
        return False

    def unsupported(self, problem: Problem) -> str | None:
        """Return why this solver cannot solve the problem (e.g. "it handles no constraints"), or None."""
        return None

    def check(self, problem: Problem) -> None:
        """Raise `UnsupportedProblemError` naming what is missing and who can, unless the problem can be solved."""
        if not isinstance(problem, self.solves):
            line = f"{self.name} solves {self.solves.__name__} problems; got {type(problem).__name__}"
            raise UnsupportedProblemError(line + _fitting(problem, but=self.name))
        reason = self.unsupported(problem)
        if reason:
            raise UnsupportedProblemError(
                f"{self.name} cannot solve {problem.name}: {reason}{_fitting(problem, but=self.name)}"
            )

    @abstractmethod
    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> State:
        """Return the state before the first evaluation; `initial [n, d]` seeds the search."""

    @abstractmethod
    def step(self, problem: Problem, state: State) -> State:
        """Return the state one generation (or rollout and update) later; may update `state` in place."""

    @abstractmethod
    def front(self, problem: Problem, state: State) -> Front:
        """Return the solver's answer so far: its final population, or its archive where the method keeps one."""

    @abstractmethod
    def cost(self, state: State) -> Cost:
        """Return what was spent so far."""

    def closed(self, problem: Problem, state: State) -> State:
        """Return the state whose front a run answers with: itself, or a copy that was measured once more.

        Solvers that measure themselves every so many steps measure here where the last step was not measured. The run
        counts it in the result's cost and goes on, where it is resumed, from the state without it.
        """
        return state

    def done(self, state: State) -> bool:
        """Tell whether the method has finished by itself."""
        return False

    def report(self, problem: Problem, state: State) -> dict[str, float]:
        """Return extra history columns for this step."""
        return {}

    def restore(self, problem: Problem, state: State) -> State:
        """Return the state with its transient fields rebuilt after loading."""
        return state

    def config(self) -> dict[str, Any]:
        """Return the hyper-parameters by name, JSON-able."""
        record: Any = self
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(record)}


class StackedSolver(Solver[State]):
    """A solver whose state carries a leading member axis P: all seeds of `solve_many` in one tensor program.

    Member p draws from its own lane, so it computes the same numbers alone or stacked. P = 1 is the single run.
    """

    @abstractmethod
    def init_stack(self, problem: Problem, lanes: Lanes, *, initial: Tensor | None = None) -> State:
        """Return the state of P runs before the first evaluation; `initial [n, d]` seeds each of them."""

    @abstractmethod
    def fronts(self, problem: Problem, state: State) -> tuple[Front, ...]:
        """Return each member's answer so far."""

    @abstractmethod
    def population(self, state: State) -> Tensor:
        """Return the members' current objective values `[P, n, m]` in the user's senses (for history, unfiltered).

        Infeasible and failed rows are NaN.
        """

    def init(self, problem: Problem, rng: Rng, *, initial: Tensor | None = None) -> State:
        """Return the state of one run."""
        return self.init_stack(problem, Lanes((rng,)), initial=initial)

    def front(self, problem: Problem, state: State) -> Front:
        """Return the first member's answer."""
        return self.fronts(problem, state)[0]


def _fitting(problem: Problem, *, but: str) -> str:
    """Return which native solvers other than one can solve the problem, as the end of a message."""
    from paretokit.solvers import fitting

    names = [name for name in fitting(problem) if name != but]
    return f"; {', '.join(names)} can" if names else ""


@runtime_checkable
class AskTell(Protocol):
    """A solver whose evaluations can happen outside Python: `step` is ask, evaluate, tell, once or several times."""

    def ask(self, problem: Problem, state: Any) -> Tensor:
        """Return the decisions `[..., n, d]` to evaluate next; asking again returns the same ones."""
        ...

    def tell(self, problem: Problem, state: Any, evaluation: Evaluation) -> Any:
        """Return the state after the asked decisions were evaluated."""
        ...


def askable(problem: Problem) -> list[str]:
    """Return the native solvers that can be asked for decisions of a problem."""
    from paretokit.solvers import fitting, make

    return [name for name in fitting(problem) if isinstance(make(name), AskTell)]


@runtime_checkable
class Conditioned(Protocol):
    """A solver that answers any preference with new solutions after one run."""

    def answer(self, problem: Problem, state: Any, preference: Tensor, *, n: int, rng: Rng) -> Tensor:
        """Return n decisions `[n, d]` for a preference `[m]` on the simplex (a larger entry matters more)."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """A solver that trains an unconditional sampler, from which more decisions can be drawn after the run."""

    def draw(self, problem: Problem, state: Any, *, n: int, rng: Rng) -> Tensor:
        """Return n new decisions `[n, d]` of the trained sampler."""
        ...
