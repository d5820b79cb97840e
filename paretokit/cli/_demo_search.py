"""Panels that search one problem with several evolutionary solvers at equal evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from paretokit.cli import _demo_runs as runs
from paretokit.cli._demo_panels import DemoPanel, PanelReport, Picked, Picture, Tick
from paretokit.cli._demo_runs import Entrant
from paretokit.core import Problem
from paretokit.run import Budget, Result

# The order fixes each solver's color in all pictures.
COLORS = ("NSGA2", "NSGA3", "SMSEMOA", "pymoo.AGEMOEA", "MOEAD", "pygmo.nsga2")
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "NSGA2": {"pop_size": 100},
    "SMSEMOA": {"pop_size": 100},
    "pymoo.AGEMOEA": {"pop_size": 100},
    "pygmo.nsga2": {"pop_size": 100},
}


@final
@dataclass(frozen=True, kw_only=True)
class SearchPanel:
    """One problem, several solvers, equal evaluations, one seed.

    Attributes:
        name: Stem of its files.
        title: Headline of the report.
        story: What is traded off.
        problem_id: The problem.
        problem_options: Its options.
        solvers: Names as `solvers.make` takes them.
        evaluations: Budget of each run.
        preference: Larger entries matter more; one solution is picked by it.
        wish: The preference in words.
        seed: Of each run.
    """

    name: str
    title: str
    story: str
    problem_id: str
    problem_options: Mapping[str, Any] = field(default_factory=dict)
    solvers: tuple[str, ...] = COLORS
    evaluations: int = 8000
    preference: tuple[float, ...]
    wish: str
    seed: int = 1

    @property
    def n_runs(self) -> int:
        """Number of solvers."""
        return len(self.solvers)

    @property
    def entrants(self) -> tuple[Entrant, ...]:
        """The solvers with their options."""
        return tuple(Entrant(name=name, options=OPTIONS.get(name, {})) for name in self.solvers)

    def run(self, folder: Path, tick: Tick) -> PanelReport:
        """Solve with each solver, then score, draw and pick."""
        from paretokit import problems

        problem = problems.make(self.problem_id, **self.problem_options)
        budget = Budget(evaluations=self.evaluations)
        results = runs.race(problem, self.entrants, tick, budget=budget, seed=self.seed, place=problem.name)
        rows = tuple(entrant.row(results[entrant.name], self.evaluations) for entrant in self.entrants)
        best = runs.best_of(rows)
        choice = runs.chosen(results[best], self.preference)
        asked = f"{self.wish}, from the front of {best}"
        return PanelReport(
            title=self.title,
            story=self.story,
            rows=rows,
            protocol=self._protocol(problem),
            pictures=self._pictures(folder, results, best, choice),
            picked=None if choice is None else _picked(problem, choice, asked),
            code=self._code(best),
        )

    def _protocol(self, problem: Problem) -> dict[str, str]:
        scoring = problem.protocol.scoring
        points = {
            "Reference point of the hypervolume": scoring.reference_point,
            "Ideal point": scoring.ideal,
            "Nadir point": scoring.nadir,
        }
        shown = {name: runs.numbers(point) for name, point in points.items() if point}
        sizes = f"{problem.space.dim} variables, {problem.n_constraints or 'no'} constraints"
        return {
            "Problem": f"{problem.name}: {sizes}",
            "Objectives": "; ".join(f"{o.sense} {o.label}" for o in problem.objectives),
            "Budget": f"{self.evaluations:,} evaluations for each solver, seed {self.seed}",
            **shown,
            "R2": "values scaled by ideal and nadir, Tchebycheff utility, ideal as utopian point, lattice of about "
            "500 weights",
            "Sparsity, IGD+": "in the objectives' own units; true front " + runs.known(problem.front_kind),
            "Solvers": "; ".join(entrant.call for entrant in self.entrants) + "; all else by default",
        }

    def _pictures(self, folder: Path, results: Mapping[str, Result], best: str, choice: Any) -> tuple[Picture, ...]:
        problem = results[best].problem
        scoring = results[best].front.protocol.scoring
        wanted = ", ".join(f"{w:g}" for w in self.preference)
        captions = (
            f"Final fronts after {self.evaluations:,} evaluations; hypervolume at "
            f"{runs.numbers(scoring.reference_point or ())}.{runs.behind(problem.front_kind if problem else '')}",
            "Hypervolume of the population against evaluations; higher is better.",
            f"The solution picked with preference ({wanted}) from the front of {best}.",
        )
        return runs.pictures(
            folder,
            results,
            choice,
            stem=self.name,
            order=COLORS,
            best=best,
            course="convergence",
            against="evaluations",
            captions=captions,
        )

    def _code(self, best: str) -> str:
        options = "".join(f", {k}={v!r}" for k, v in self.problem_options.items())
        made = [f'problem = pk.problems.make("{self.problem_id}"{options})']
        entrant = next(e for e in self.entrants if e.name == best)
        budget = f"evaluations={self.evaluations}"
        return runs.code(entrant, made, budget=budget, seed=self.seed, preference=self.preference)


def _picked(problem: Problem, choice: Any, asked: str) -> Picked:
    pairs = zip(problem.objectives, choice.values.tolist(), strict=True)
    return Picked(
        asked=asked,
        why=choice.why,
        values={o.label: f"{value:.5g}" for o, value in pairs},
        design=_design(problem, choice.decode()),
    )


def _design(problem: Problem, decoded: Any) -> dict[str, str]:
    """Name the parts of a decoded decision, with units where the problem's variables have them."""
    if isinstance(decoded, Mapping):
        variables = getattr(problem, "variables", ())
        labels = {str(v.name): str(v.label) for v in variables}
        return {labels.get(str(name), str(name)): f"{value:.5g}" for name, value in decoded.items()}
    values = decoded.tolist()
    shown = {f"x{i + 1}": f"{value:.4g}" for i, value in enumerate(values[:12])}
    return shown if len(values) <= 12 else {**shown, "…": f"{len(values)} variables"}


SEARCHES: tuple[DemoPanel, ...] = (
    SearchPanel(
        name="dtlz2",
        title="DTLZ2: an eighth of a sphere",
        story="The classic test with three objectives: every point of the unit sphere's positive part is optimal, so a "
        "solver must come close and spread evenly.",
        problem_id="dtlz2-v1",
        problem_options={"n_objectives": 3},
        preference=(0.2, 0.3, 0.5),
        wish="f3 matters most, then f2, then f1",
    ),
    SearchPanel(
        name="re21",
        title="Four-bar truss: light or stiff",
        story="Four bars carry a load of 10 kN. Thicker bars bend less and cost more steel; the cross sections are to "
        "be chosen. The objectives differ in scale by a factor of 40,000.",
        problem_id="re21-v1",
        solvers=("NSGA2", "NSGA3", "SMSEMOA", "pymoo.AGEMOEA", "pygmo.nsga2"),
        evaluations=6000,
        preference=(0.5, 0.5),
        wish="steel and stiffness matter equally",
    ),
    SearchPanel(
        name="re37",
        title="Rocket injector: heat against length",
        story="A hydrogen-oxygen injector element should keep its face and its post tip cool and finish combustion in "
        "a short chamber. Response surfaces of flow simulations, scaled by the range of the simulations.",
        problem_id="re37-v1",
        evaluations=6000,
        preference=(0.4, 0.2, 0.4),
        wish="cool walls matter twice as much as a short chamber",
    ),
    SearchPanel(
        name="cre23",
        title="Disc brake: mass against stopping time, under constraints",
        story="A brake should be light and stop quickly; length, pressure, temperature and torque are constrained. "
        "Only feasible designs count.",
        problem_id="cre23-v1",
        solvers=("NSGA2", "NSGA3", "SMSEMOA", "pymoo.AGEMOEA", "MOEAD"),
        evaluations=6000,
        preference=(0.5, 0.5),
        wish="mass and stopping time matter equally",
    ),
)
