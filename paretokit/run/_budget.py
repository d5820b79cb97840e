"""When a run ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from paretokit.core import Cost
from paretokit.core import _check as check


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits of a run; whichever is met first ends it. They are checked between steps; overshoot is reported.

    Attributes:
        evaluations: Decisions evaluated.
        work: Work in the problem's unit.
        env_steps: Environment steps.
        iterations: Steps of the solver (generations, updates).
        seconds: Wall time, resumed runs counting from their first start.
        target: Score to reach, e.g. ``{"hypervolume": 0.7}`` or ``{"igd_plus": 0.01}``; all entries must be met.
        stall: End after this many steps in which the hypervolume did not grow by `stall_tolerance`, relatively.
        stall_tolerance: See `stall`.

    Raises:
        InputError: If no limit is given, or one is not positive.

    >>> Budget(evaluations=2e4, seconds=60.0)
    Budget(evaluations=20000, seconds=60.0)
    """

    evaluations: int | None = None
    work: float | None = None
    env_steps: int | None = None
    iterations: int | None = None
    seconds: float | None = None
    target: Mapping[str, float] | None = None
    stall: int | None = None
    stall_tolerance: float = 1e-4

    def __post_init__(self) -> None:
        for name in ("evaluations", "env_steps", "iterations", "stall"):
            given = getattr(self, name)
            if isinstance(given, float) and given.is_integer():
                object.__setattr__(self, name, int(given))  # 1e5
        check.fields(self)
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "stall_tolerance"}
        limits = {name: value for name, value in given.items() if value is not None}
        check.that(
            bool(limits),
            "budget",
            "name at least one limit",
            "none",
            f"for example Budget({fields(self)[0].name}=20_000)",
        )
        check.positive(**{name: value for name, value in limits.items() if name != "target"})
        check.that(self.target is None or len(self.target) > 0, "target", "name at least one indicator", self.target)
        check.at_least(0.0, stall_tolerance=self.stall_tolerance)

    def __repr__(self) -> str:
        shown = {f.name: getattr(self, f.name) for f in fields(self)}
        kept = [f"{k}={v!r}" for k, v in shown.items() if v is not None and k != "stall_tolerance"]
        return f"Budget({', '.join(kept)})"

    def spent(self, cost: Cost, iterations: int, seconds: float) -> float:
        """Return the largest share of a counted limit that is used up; 1 or more ends the run."""
        used = {
            "evaluations": cost.evaluations,
            "work": cost.work,
            "env_steps": cost.env_steps,
            "iterations": iterations,
            "seconds": seconds,
        }
        return max((amount / limit for name, amount in used.items() if (limit := getattr(self, name))), default=0.0)
