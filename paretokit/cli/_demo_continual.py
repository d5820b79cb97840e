"""A panel that learns tasks one after the other: a front for two, and what is left of five."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from paretokit.cli import _demo_runs as runs
from paretokit.cli._demo_panels import DemoPanel, PanelReport, Picked, Picture, Tick
from paretokit.cli._demo_runs import Entrant
from paretokit.core import Front
from paretokit.problems.continual import ContinualLearning
from paretokit.run import Budget, Result

CENTER = 0.5  # accuracy in the middle of the radar: guessing


@final
@dataclass(frozen=True, kw_only=True)
class ContinualPanel:
    """Two tasks learned one after the other by several solvers, then a longer stream, one seed.

    Attributes:
        name: Stem of its files.
        title: Headline of the report.
        story: What is traded off.
        stream: Id of the problem.
        options: Of both streams.
        n_tasks: Of the longer stream.
        entrants: The solvers of the front; their order fixes their colors.
        learners: The solvers of the longer stream; the first one answers preferences.
        preference: Larger entries matter more; one network is picked by it.
        wish: The preference in words.
        seed: Of each run.
    """

    name: str
    title: str
    story: str
    stream: str
    options: Mapping[str, Any] = field(default_factory=dict)
    n_tasks: int
    entrants: tuple[Entrant, ...]
    learners: tuple[Entrant, ...]
    preference: tuple[float, ...]
    wish: str
    seed: int = 1

    @property
    def n_runs(self) -> int:
        """Number of solvers, on both streams."""
        return len(self.entrants) + len(self.learners)

    def problem(self, n_tasks: int = 2) -> ContinualLearning:
        """Return a stream of some tasks."""
        from paretokit.problems import make

        made = make(self.stream, n_tasks=n_tasks, **self.options)
        assert isinstance(made, ContinualLearning)
        return made

    def run(self, folder: Path, tick: Tick) -> PanelReport:
        """Learn with each solver, then score, draw, pick, and look at a longer stream."""
        problem, budget = self.problem(), Budget(seconds=1)  # ends are the solvers' own; `tick` says how long
        results = runs.race(problem, self.entrants, tick, budget=budget, seed=self.seed, place=self.name)
        rows = tuple(
            dataclasses.replace(entrant.row(results[entrant.name], 0), scores=_fresh_scores(results[entrant.name]))
            for entrant in self.entrants
        )
        best = runs.best_of(rows)
        choice = runs.chosen(results[best], self.preference)
        return PanelReport(
            title=self.title,
            story=self.story,
            rows=rows,
            protocol=self._protocol(problem, results),
            pictures=self._pictures(folder, results, best, choice),
            picked=None if choice is None else self._picked(problem, choice, best),
            code=self._code(best),
            more=(self._fresh(folder, results), self._long(folder, tick)),
        )

    def _picked(self, problem: ContinualLearning, choice: Any, best: str) -> Picked:
        fresh = problem.assess(choice.x.unsqueeze(0))[0][0].tolist()
        pairs = zip(problem.objectives, choice.values.tolist(), strict=True)
        return Picked(
            asked=f"{self.wish}, from the front of {best}",
            why=choice.why,
            values={o.label: f"{value:.1%}" for o, value in pairs},
            design={
                **{f"test images of {name}": f"{v:.1%}" for name, v in zip(problem.names, fresh, strict=True)},
                "weights": f"{problem.space.dim:,}",
            },
        )

    def _fresh(self, folder: Path, results: Mapping[str, Result]) -> Picture:
        from paretokit.cli import _pictures as draw

        file = folder / f"{self.name}-test.png"
        draw.held_out(results, file, names=("validation images", "test images"))
        return Picture(file, "The same networks on the images that fronts are made of, and on test images.")

    def _long(self, folder: Path, tick: Tick) -> Picture:
        """Return the picture of accuracies after a longer stream."""
        from paretokit.cli import _pictures as draw

        whole = self.problem(self.n_tasks)
        place = f"{self.n_tasks} tasks"
        found = runs.race(whole, self.learners, tick, budget=Budget(seconds=1), seed=self.seed, place=place)
        first = self.learners[0].name
        alike = torch.full((1, self.n_tasks), 1 / self.n_tasks, dtype=torch.float64)
        shown = {}
        for name, result in found.items():
            if name == first:
                solver: Any = result.solver
                if result.state.base.n_tasks < self.n_tasks:  # out of time
                    continue
                only = torch.eye(self.n_tasks, dtype=torch.float64)[:1]
                shown[f"{name}, all alike"] = solver.answers(whole, result.state, alike)
                shown[f"{name}, the first only"] = solver.answers(whole, result.state, only)
            else:
                shown[name] = result.state.x
        file = folder / f"{self.name}-tasks.png"
        values = {name: whole.assess(x)[0][0] for name, x in shown.items()}
        draw.radar({name: _point(whole, v) for name, v in values.items()}, file, ends=(CENTER, 1.0))
        means = ", ".join(f"{name} {float(v.mean()):.1%}" for name, v in values.items())
        text = (
            f"Test accuracy after {self.n_tasks} tasks in the order {', '.join(whole.names)}. IBCL was trained once, "
            f"and asked twice. Means: {means}."
        )
        return Picture(file, text)

    def _protocol(self, problem: ContinualLearning, results: Mapping[str, Result]) -> dict[str, str]:
        scoring = problem.protocol.scoring
        first = problem.tasks[0]
        assert first.test is not None
        trained = "; ".join(f"{name} {r.cost.work:,.0f}" for name, r in results.items())
        return {
            "Problem": f"{problem.name}: {' then '.join(problem.names)}; {len(first.train[1])} training images each, "
            f"{problem.space.dim} weights on frozen random features",
            "Objectives": "; ".join(f"{o.sense} {o.label}" for o in problem.objectives)
            + f", on {len(first.validation[1])} validation images each",
            "Scores of the table": f"of the same networks on {len(first.test[1])} test images a task",
            "Images through networks, a backward pass as two": f"{trained}; all solvers see the tasks in order, for "
            f"equally many epochs; seed {self.seed}",
            "Reference point of the hypervolume": runs.numbers(scoring.reference_point or ()),
            "Solvers": "; ".join(e.call for e in (*self.entrants, *self.learners)) + "; all else by default",
        }

    def _pictures(self, folder: Path, results: Mapping[str, Result], best: str, choice: Any) -> tuple[Picture, ...]:
        wanted = ", ".join(f"{w:g}" for w in self.preference)
        captions = (
            "Fronts after both tasks, on validation images. Solvers that heed no preference give one network.",
            "Hypervolume against images through networks; networks are measured after each task.",
            f"The network picked with preference ({wanted}) from the front of {best}.",
        )
        return runs.pictures(
            folder,
            results,
            choice,
            stem=self.name,
            order=tuple(results),
            best=best,
            course="learning",
            against="work",
            captions=captions,
        )

    def _code(self, best: str) -> str:
        options = "".join(f", {k}={v!r}" for k, v in self.options.items())
        made = [f'problem = pk.problems.make("{self.stream}", n_tasks=2{options})']
        entrant = next(e for e in self.entrants if e.name == best)
        return runs.code(entrant, made, budget="seconds=60", seed=self.seed, preference=self.preference)


def _fresh_scores(result: Result) -> dict[str, float | None]:
    return {score: result.held_out_scores.get(score) for score in runs.SCORES}


def _point(problem: ContinualLearning, values: Tensor) -> Front:
    """Return one network's accuracies as a front."""
    return Front(values.unsqueeze(0), None, problem.objectives)


CONTINUALS: tuple[DemoPanel, ...] = (
    ContinualPanel(
        name="continual",
        title="Continual learning: a front between old and new tasks",
        story="One small network learns to tell A from a, and then B from b, when images of the former are gone. How "
        "much of each it should know is a trade-off. IBCL keeps what it learned as distributions over weights, and "
        "answers any preference without training again; PreferenceRehearsal trains a network for each of eleven "
        "preferences on a few remembered images; the others give one network to all.",
        stream="continual-case-v1",
        options={"train": 120, "seed": 1},
        n_tasks=5,
        entrants=(
            Entrant(name="IBCL", options={"preferences": 11}),
            Entrant(name="PreferenceRehearsal", options={"preferences": 11, "learning_rate": 5e-4}),
            Entrant(name="GEM", options={"learning_rate": 5e-4}),
            Entrant(name="VCL"),
        ),
        learners=(
            Entrant(name="IBCL", options={"epochs": 15}),
            Entrant(name="GEM", options={"epochs": 15, "learning_rate": 1e-3}),
            Entrant(name="ExperienceReplay", options={"epochs": 15, "learning_rate": 1e-3}),
            Entrant(name="VCL", options={"epochs": 15}),
        ),
        preference=(0.5, 0.5),
        wish="both tasks matter equally",
    ),
)
