"""What a run returns: the front, how it came about, and the way back to each decision."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from paretokit.core import Conditioned, Cost, Front, ParetoError, Problem, Rng, Sampler, Solver
from paretokit.core import _check as check
from paretokit.run._archive import Archive, EvaluationLog
from paretokit.run._history import History

if TYPE_CHECKING:
    import pandas as pd

SIMPLEX = 1e-4  # most by which the sum of a preference may miss one


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of one run.

    Attributes:
        front: The solver's answer (its final population, or its archive where the method keeps one).
        problem: What was solved.
        solver: The configuration that solved it.
        status: "budget", "target", "stall", "finished", "stopped" (by a callback), "interrupted", "failed" or
            "infeasible" (the front is empty; see `infeasible`).
        seed: Seed of the run.
        cost: What was spent.
        seconds: Wall time (of the whole stack, where seeds ran together).
        held_out: Values `[n, m]` of the front's decisions on held-out data, where the problem has any.
        infeasible: Decisions and total violations closest to feasibility, where the front is empty.
        provenance: Versions, machine, threads, time stamps, budget.
        trace: The recorded history; `history` shows it as a frame.
        source: Where `archive` comes from.
        state: The solver's final state (shared by the members of a stack).
        member: Position of this run in the stack.
    """

    front: Front
    problem: Problem | None
    solver: Solver[Any] | None
    status: str
    seed: int
    cost: Cost
    seconds: float
    trace: History = field(repr=False)
    source: Archive | EvaluationLog = field(repr=False)
    held_out: Tensor | None = None
    infeasible: tuple[Tensor, Tensor] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    state: Any = field(default=None, repr=False)
    member: int = 0

    @cached_property
    def archive(self) -> Front:
        """Everything non-dominated that was seen, in the order in which it was found."""
        kept = self.source if isinstance(self.source, Archive) else self.source.archive(self.member)
        if not len(kept):
            return dataclasses.replace(self.front, values=self.front.values[:0], x=None, stderr=None, info={})
        return Front(kept.values, kept.x, self.front.objectives, self.front.protocol, problem=self.front.problem)

    @cached_property
    def scores(self) -> dict[str, float]:
        """The front's standard indicators under its own protocol."""
        return self.front.scores()

    @cached_property
    def held_out_scores(self) -> dict[str, float]:
        """The same indicators of the front's decisions as `assess` measured them on held-out data; {} without any.

        Solvers choose by the selection split, so its scores flatter; these do not.
        """
        if self.held_out is None:
            return {}
        again = dataclasses.replace(self.front, values=self.held_out, stderr=None)
        return again.select(_front_rows(again)).scores()

    @property
    def history(self) -> pd.DataFrame:
        """Cost and time, one row a step."""
        return self.trace.frame()

    def convergence(self, *indicators: str, scoring: Any = None) -> pd.DataFrame:
        """Return indicators of the recorded fronts: one row a snapshot, with its step, evaluations, work, seconds.

        Args:
            indicators: Names, e.g. "hypervolume", "igd_plus"; hypervolume where it is defined, else "cardinality".
            scoring: Replaces the protocol's reference point, ideal and nadir.
        """
        from paretokit.indicators import score_many

        names = indicators or ("hypervolume" if self.front.protocol.scoring.reference_point else "cardinality",)
        frame = self.trace.frame()
        frame = frame.iloc[[step - 1 for step in self.trace.taken]].reset_index(drop=True)
        fronts = [
            dataclasses.replace(self.front, values=values, x=None, stderr=None, info={})
            for values in self.trace.member_fronts(self.member)
        ]
        fronts = [f.select(_front_rows(f)) for f in fronts]
        for name in names:
            frame[name] = score_many(fronts, name, scoring=scoring)
        return frame

    def at(self, preference: Sequence[float] | Tensor, *, n: int = 1, seed: int = 0) -> Front:
        """Return n new solutions of a conditioned solver for a preference on the simplex (larger entries matter more).

        The same `seed` gives the same ones, however often it is asked: other ones need another seed. Entries sum to
        one here, where `front.pick` takes ratios.

        Raises:
            InputError: If an entry is negative or not finite, or they do not sum to one.
            ParetoError: If the solver is not conditioned; `front.pick` chooses among what was found. Or if the result
                was loaded without its problem.
        """
        solver: Any = self.solver
        if not isinstance(solver, Conditioned):
            name = solver.name if solver else "this solver"
            more = "; `result.sample(n)` draws from its sampler" if isinstance(solver, Sampler) else ""
            raise ParetoError(f"{name} answers no preferences after the run; use `result.front.pick(preference)`{more}")
        problem = self._at_hand()
        w = _on_simplex(check.point("preference", preference, problem.n_objectives))
        check.whole(1, n=n)
        rng = Rng.from_seed(seed).child("at")
        x = solver.answer(problem, self.state, w, n=n, rng=rng)
        return self._evaluated(x, rng, {"preference": w.expand(len(x), -1)})

    def sample(self, n: int, *, seed: int = 0) -> Front:
        """Return n new solutions of the unconditional sampler that a solver trained (order-preserving GFlowNets).

        The same `seed` gives the same ones, however often it is asked: other ones need another seed.

        Raises:
            ParetoError: If the solver trained none; conditioned ones answer `result.at(preference, n=n)`. Or if the
                result was loaded without its problem.
        """
        solver: Any = self.solver
        if not isinstance(solver, Sampler):
            name = solver.name if solver else "this solver"
            other = "result.at(preference, n=n)" if isinstance(solver, Conditioned) else "result.front"
            raise ParetoError(f"{name} trains no sampler without conditions; use `{other}`")
        problem = self._at_hand()
        check.whole(1, n=n)
        rng = Rng.from_seed(seed).child("sample")
        return self._evaluated(solver.draw(problem, self.state, n=n, rng=rng), rng, {})

    def _at_hand(self) -> Problem:
        """Return the problem, or raise where a loaded result has none that can evaluate new decisions."""
        if self.problem is None:
            name = self.provenance.get("problem", "it")
            hint = f"`Result.load(path, problem=...)` takes {name}, which no recipe rebuilds"
            raise ParetoError(check.message("problem", "be at hand for new solutions", None, hint))
        return self.problem

    def _evaluated(self, x: Tensor, rng: Rng, info: dict[str, Tensor]) -> Front:
        """Return decisions with their values, where the front stands."""
        shown = self.front.problem or self.problem
        assert shown is not None
        values = shown.evaluate(x, rng.child("evaluate")).values
        return Front(values, x, self.front.objectives, self.front.protocol, info=info, problem=shown)

    def save(self, path: str | Path) -> None:
        """Write the result to a folder as safetensors and JSON; nothing is left half written."""
        from paretokit.run._storage import save_result

        save_result(self, path)

    @staticmethod
    def load(path: str | Path, problem: Problem | None = None, solver: Solver[Any] | None = None) -> Result:
        """Return a saved result; problem and solver are rebuilt from their recipes unless given.

        Raises:
            CheckpointError: If the folder is damaged, or `problem` is not the one that was solved.
        """
        from paretokit.run._storage import load_result

        return load_result(path, problem, solver)

    def __repr__(self) -> str:
        name = self.problem.name if self.problem else self.provenance.get("problem", "?")
        solver = self.solver.name if self.solver else self.provenance.get("solver", "?")
        shown = {k: f"{v:.6g}" for k, v in self.scores.items()}
        reference = self.front.protocol.scoring.reference_point
        at = "no reference point" if reference is None else f"at {', '.join(f'{r:g}' for r in reference)}"
        if len(self.front) and self.scores.get("hypervolume") == 0:
            at += ", within which no point lies"
        again = self.held_out_scores.get("hypervolume")
        measured_again = [] if again is None else [f"  held out     {again:.6g} (hypervolume of the same decisions)"]
        kind = self.front.problem.front_kind if self.front.problem else "known"
        distance = [f"  IGD+         {shown['igd_plus']} (to the {kind} front)"] if "igd_plus" in shown else []
        return "\n".join(
            [
                f"{solver} on {name}: {len(self.front)} points ({self.status}, seed {self.seed})",
                f"  hypervolume  {shown.get('hypervolume', '–')} ({at})",
                *measured_again,
                *distance,
                f"  R2           {shown.get('r2', '–')}",
                f"  sparsity     {shown.get('sparsity', '–')}",
                f"  cost         {_cost_line(self.cost, self.provenance.get('budget', ''))}",
                f"  time         {self.seconds:.2f} s",
            ]
        )

    def _repr_html_(self) -> str:
        """Show the summary and, for two or more objectives, the front."""
        import base64
        import html
        import io

        text = f"<pre>{html.escape(repr(self))}</pre>"
        if not len(self.front) or len(self.front.objectives) < 2:
            return text
        figure: Any = self.front.plot().figure
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=96, bbox_inches="tight")
        from matplotlib import pyplot

        pyplot.close(figure)
        return f'{text}<img src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"/>'


def _on_simplex(w: Tensor) -> Tensor:
    """Return a preference as it is, but for rounding, or raise with the one that was probably meant."""
    good = bool(((w >= 0) & torch.isfinite(w)).all())
    check.that(good, "preference", "be non-negative and finite (a larger entry matters more)", w.tolist())
    total = float(w.sum())
    check.that(total > 0, "preference", "have a positive sum", w.tolist())
    meant = f"normalized: {[round(v, 6) for v in (w / total).tolist()]}"
    check.that(abs(total - 1) < SIMPLEX, "preference", "sum to one", f"{w.tolist()}, sum {total:g}", meant)
    return w / total


def _front_rows(front: Front) -> Tensor:
    from paretokit.core import non_dominated

    return torch.as_tensor(non_dominated(front.values, maximize=front.maximize, keep_duplicates=False))


def _cost_line(cost: Cost, budget: str) -> str:
    parts = [f"{getattr(cost, f.name):,g} {f.name.replace('_', ' ')}" for f in dataclasses.fields(cost)]
    spent = [p for p in parts if not p.startswith("0 ") and not p.endswith(" work")] or parts[:1]
    return ", ".join(spent) + (f" (of {budget})" if budget else "")
