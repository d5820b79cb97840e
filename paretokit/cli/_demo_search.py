"""Panels that search one problem with several evolutionary solvers at equal evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from paretokit.cli._demo_panels import DemoPanel, PanelReport, Picked, Picture, Row, Tick
from paretokit.core import Problem
from paretokit.run import Budget, Result, solve

# The order fixes each solver's color in all pictures.
COLORS = ("NSGA2", "NSGA3", "SMSEMOA", "pymoo.AGEMOEA", "MOEAD", "pygmo.nsga2")
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "NSGA2": {"pop_size": 100},
    "SMSEMOA": {"pop_size": 100},
    "pymoo.AGEMOEA": {"pop_size": 100},
    "pygmo.nsga2": {"pop_size": 100},
}
SCORES = ("hypervolume", "r2", "sparsity", "igd_plus")


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

    def run(self, folder: Path, tick: Tick) -> PanelReport:
        """Solve with each solver, then score, draw and pick."""
        from paretokit import problems, solvers

        problem = problems.make(self.problem_id, **self.problem_options)
        results: dict[str, Result] = {}
        for name in self.solvers:
            seconds = tick(f"{name} on {problem.name}")
            solver = solvers.make(name, **OPTIONS.get(name, {}))
            budget = Budget(evaluations=self.evaluations, seconds=seconds)
            results[name] = solve(problem, solver, budget=budget, seed=self.seed, progress=False)
            if results[name].status == "interrupted":
                raise KeyboardInterrupt
        rows = tuple(_row(name, result, self.evaluations) for name, result in results.items())
        best = max(rows, key=lambda row: row.scores["hypervolume"] or 0.0).solver
        choice = results[best].front.pick(self.preference)
        return PanelReport(
            title=self.title,
            story=self.story,
            rows=rows,
            protocol=self._protocol(problem, results),
            pictures=self._pictures(folder, results, best, choice),
            picked=_picked(problem, choice, f"{self.wish}, from the front of {best}"),
            code=self._code(best),
        )

    def _protocol(self, problem: Problem, results: Mapping[str, Result]) -> dict[str, str]:
        scoring = problem.protocol.scoring
        kinds = {"exact": "known exactly", "approximate": "known approximately"}
        points = {
            "Reference point of the hypervolume": scoring.reference_point,
            "Ideal point": scoring.ideal,
            "Nadir point": scoring.nadir,
        }
        shown = {name: "(" + ", ".join(f"{v:.6g}" for v in point) + ")" for name, point in points.items() if point}
        sizes = f"{problem.space.dim} variables, {problem.n_constraints or 'no'} constraints"
        return {
            "Problem": f"{problem.name}: {sizes}",
            "Objectives": "; ".join(f"{o.sense} {o.label}" for o in problem.objectives),
            "Budget": f"{self.evaluations:,} evaluations for each solver, seed {self.seed}",
            **shown,
            "R2": "values scaled by ideal and nadir, Tchebycheff utility, ideal as utopian point, lattice of about "
            "500 weights",
            "Sparsity, IGD+": "in the objectives' own units; true front " + kinds.get(problem.front_kind, "unknown"),
            "Solvers": "; ".join(_call(name) for name in results) + "; all else by default",
        }

    def _pictures(self, folder: Path, results: Mapping[str, Result], best: str, choice: Any) -> tuple[Picture, ...]:
        from paretokit.cli import _pictures as draw

        fronts, course, picked = (folder / f"{self.name}-{part}.png" for part in ("fronts", "convergence", "choice"))
        draw.fronts(results, fronts, order=COLORS)
        draw.convergence(results, course, order=COLORS)
        draw.choice(results[best], choice, picked, order=COLORS, name=best)
        problem = results[best].problem
        kind = "unknown" if problem is None else problem.front_kind
        behind = {
            "exact": " The exact front lies behind in gray.",
            "approximate": " The best known front lies behind in gray.",
        }.get(kind, "")
        point = results[best].front.protocol.scoring.reference_point or ()
        at = f"({', '.join(f'{v:.4g}' for v in point)})"
        wanted = ", ".join(f"{w:g}" for w in self.preference)
        return (
            Picture(fronts, f"Final fronts after {self.evaluations:,} evaluations; hypervolume at {at}.{behind}"),
            Picture(course, "Hypervolume of the population against evaluations; higher is better."),
            Picture(picked, f"The solution picked with preference ({wanted}) from the front of {best}."),
        )

    def _code(self, best: str) -> str:
        options = "".join(f", {k}={v!r}" for k, v in self.problem_options.items())
        settings = "".join(f", {k}={v!r}" for k, v in OPTIONS.get(best, {}).items())
        return "\n".join(
            [
                "import paretokit as pk",
                "",
                f'problem = pk.problems.make("{self.problem_id}"{options})',
                f'solver = pk.solvers.make("{best}"{settings})',
                f"budget = pk.Budget(evaluations={self.evaluations})",
                f"result = pk.solve(problem, solver, budget=budget, seed={self.seed})",
                f"print(result.front.pick({list(self.preference)}))",
            ]
        )


def _call(name: str) -> str:
    return f"{name}({', '.join(f'{k}={v!r}' for k, v in OPTIONS.get(name, {}).items())})"


def _row(name: str, result: Result, evaluations: int) -> Row:
    scores = {score: result.scores.get(score) for score in SCORES}
    done = result.status == "budget" and result.cost.evaluations < evaluations
    return Row(name, len(result.front), scores, result.seconds, "out of time" if done else result.status)


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
