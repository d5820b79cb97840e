"""A panel that merges fine-tuned networks: a front for two tasks, and eight accuracies by method."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import torch

from paretokit.cli import _demo_runs as runs
from paretokit.cli._demo_panels import DemoPanel, PanelReport, Picked, Picture, Tick
from paretokit.cli._demo_runs import Entrant
from paretokit.core import Front
from paretokit.problems import ModelMerging
from paretokit.run import Budget, Result

CENTER = 0.3  # accuracy in the middle of the radar; guessing has 0.1


@final
@dataclass(frozen=True, kw_only=True)
class MergingPanel:
    """Some tasks of the suite merged by several solvers at equal work, and all of them by several methods, one seed.

    Attributes:
        name: Stem of its files.
        title: Headline of the report.
        story: What is traded off.
        tasks: Whose front is looked for.
        size: Of the suite's networks and data, smaller than its own so that they are made within seconds.
        entrants: The solvers of the front; their order fixes their colors.
        work: Images through networks of each run, a backward pass as two.
        methods: The solvers that give one model for all tasks.
        preference: Larger entries matter more; one model is picked by it.
        wish: The preference in words.
        seed: Of each run.
    """

    name: str
    title: str
    story: str
    tasks: tuple[str, ...]
    size: Mapping[str, float] = field(default_factory=dict)
    entrants: tuple[Entrant, ...]
    work: int
    methods: tuple[Entrant, ...]
    preference: tuple[float, ...]
    wish: str
    seed: int = 1

    @property
    def n_runs(self) -> int:
        """Number of solvers, and one for making the networks."""
        return 1 + len(self.entrants) + len(self.methods)

    def problem(self) -> ModelMerging:
        """Return what is merged; networks are trained unless the user's cache has them."""
        from paretokit.problems.merging import suite

        return suite("mlp", tasks=self.tasks, size=self.size)

    def run(self, folder: Path, tick: Tick) -> PanelReport:
        """Merge with each solver, then score, draw, pick, and compare methods on all tasks."""
        tick("networks to merge, made once")
        problem = self.problem()
        budget = Budget(work=self.work)
        results = runs.race(problem, self.entrants, tick, budget=budget, seed=self.seed, place=self.name)
        rows = tuple(
            dataclasses.replace(
                entrant.row(results[entrant.name], self.work), scores=_fresh_scores(results[entrant.name])
            )
            for entrant in self.entrants
        )
        best = runs.best_of(rows)
        choice = runs.chosen(results[best], self.preference)
        return PanelReport(
            title=self.title,
            story=self.story,
            rows=rows,
            protocol=self._protocol(problem),
            pictures=self._pictures(folder, results, best, choice),
            picked=None if choice is None else self._picked(problem, choice, best),
            code=self._code(best),
            more=(self._fresh(folder, results), self._compared(folder, tick)),
        )

    def _picked(self, problem: ModelMerging, choice: Any, best: str) -> Picked:
        fresh = problem.assess(choice.x.unsqueeze(0))[0][0].tolist()
        mean = problem.coefficients(choice.x)[0].mean(0).tolist()
        return Picked(
            asked=f"{self.wish}, from the front of {best}",
            why=choice.why,
            values={
                o.label: f"{value:.1%}" for o, value in zip(problem.objectives, choice.values.tolist(), strict=True)
            },
            design={
                **{f"mean coefficient of {name}": f"{c:.2f}" for name, c in zip(self.tasks, mean, strict=True)},
                **{f"test images of {name}": f"{value:.1%}" for name, value in zip(self.tasks, fresh, strict=True)},
                "merged weights": f"{problem.vectors.size:,}",
            },
        )

    def _fresh(self, folder: Path, results: Mapping[str, Result]) -> Picture:
        """Return the picture of the fronts before and after measuring on test images."""
        from paretokit.cli import _pictures as draw

        file = folder / f"{self.name}-test.png"
        draw.held_out(results, file, names=("validation images", "test images"))
        text = (
            "The same models on the images that they were chosen by, and on test images. A search that tries many "
            "models on few images fits them; compare on the right."
        )
        return Picture(file, text)

    def _compared(self, folder: Path, tick: Tick) -> Picture:
        """Return the picture of accuracies on all tasks, one polygon a method."""
        from paretokit.cli import _pictures as draw
        from paretokit.problems.merging import suite

        whole = suite("mlp", size=self.size)
        layers, vectors = whole.n_coefficients
        separate = whole.assess(torch.eye(vectors, dtype=whole.dtype).repeat(1, layers))[0].diagonal()
        found = runs.race(whole, self.methods, tick, budget=Budget(seconds=1), seed=self.seed, place="eight tasks")
        best = {name: result.front.values.mean(1).argmax() for name, result in found.items() if len(result.front)}
        values = {name: result.held_out[best[name]] for name, result in found.items() if result.held_out is not None}
        shown = {name: _point(whole, v) for name, v in {**values, "separate": separate}.items()}
        file = folder / f"{self.name}-methods.png"
        draw.radar(shown, file, ends=(CENTER, 1.0))
        means = ", ".join(f"{name} {float(front.values.mean()):.1%}" for name, front in shown.items())
        text = (
            f"Test accuracy of one model on all eight tasks, by method; separate: eight fine-tunings, each on its own "
            f"task. Means: {means}. The scale of a closed form is the best on validation images; AdaMerging sees test "
            "images without labels."
        )
        return Picture(file, text)

    def _protocol(self, problem: ModelMerging) -> dict[str, str]:
        scoring = problem.protocol.scoring
        sizes = ", ".join(f"{k} {v:g}" for k, v in self.size.items())
        layers, vectors = problem.n_coefficients
        validation, test = problem.tasks[0].validation, problem.tasks[0].test
        assert validation is not None
        assert test is not None
        return {
            "Problem": f"{problem.name}, tasks {' and '.join(self.tasks)}; {layers} tensors x {vectors} coefficients; "
            f"networks are smaller than the suite's own ({sizes})",
            "Objectives": "; ".join(f"{o.sense} {o.label}" for o in problem.objectives)
            + f", on {len(validation[1])} labeled validation images each",
            "Scores of the table": f"of the same models on {len(test[1])} test images a task",
            "Budget": f"{self.work:,} images through networks for each solver, a backward pass as two; "
            f"seed {self.seed}",
            "Reference point of the hypervolume": runs.numbers(scoring.reference_point or ()),
            "Solvers": "; ".join(e.call for e in (*self.entrants, *self.methods)) + "; all else by default",
        }

    def _pictures(self, folder: Path, results: Mapping[str, Result], best: str, choice: Any) -> tuple[Picture, ...]:
        wanted = ", ".join(f"{w:g}" for w in self.preference)
        captions = (
            f"Final fronts after {self.work:,} images through networks, on validation images.",
            "Hypervolume against images through networks; methods that learn are measured a few times only.",
            f"The model picked with preference ({wanted}) from the front of {best}.",
        )
        return runs.pictures(
            folder,
            results,
            choice,
            stem=self.name,
            order=tuple(results),
            best=best,
            course="search",
            against="work",
            captions=captions,
        )

    def _code(self, best: str) -> str:
        made = [
            f"size = {dict(self.size)!r}",
            f'problem = pk.problems.merging.suite("mlp", tasks={list(self.tasks)!r}, size=size)',
        ]
        entrant = next(e for e in self.entrants if e.name == best)
        return runs.code(entrant, made, budget=f"work={self.work}", seed=self.seed, preference=self.preference)


def _fresh_scores(result: Result) -> dict[str, float | None]:
    return {score: result.held_out_scores.get(score) for score in runs.SCORES}


def _point(problem: ModelMerging, values: torch.Tensor) -> Front:
    """Return one model's accuracies as a front."""
    return Front(values.unsqueeze(0), None, problem.objectives)


MERGINGS: tuple[DemoPanel, ...] = (
    MergingPanel(
        name="merging",
        title="Model merging: one network of several",
        story="One small network was fine-tuned on handwritten digits, and again on capital letters that are turned "
        "and inverted. Adding some of what each fine-tuning changed, tensor by tensor, gives one network for both: how "
        "much of each is the trade-off. PreferenceMerging descends through the merge, for eleven preferences at once; "
        "SurrogateMerging fits quadratics to what it measured; the others only measure. Fronts are chosen by labeled "
        "validation images, which flatters whoever tries many models on few images; the table scores test images.",
        tasks=("digits", "latin-upper"),
        size={"width": 256, "depth": 2, "train": 1500, "test": 500, "finetuning_rate": 5e-4},
        entrants=(
            Entrant(
                name="PreferenceMerging",
                options={"objective": "validation", "steps": 100, "learning_rate": 2e-2, "evaluate_every": 25},
            ),
            Entrant(name="SurrogateMerging", options={"evaluations": 300}),
            Entrant(name="NSGA2", options={"pop_size": 20}),
            Entrant(name="RandomSearch", options={"pop_size": 20}),
        ),
        work=128_000,
        methods=(
            Entrant(name="WeightAveraging"),
            Entrant(name="TaskArithmetic", options={"scale": (0.05, 0.1, 0.15, 0.2, 0.3)}),
            Entrant(name="TIES", options={"scale": (0.3, 0.6, 1.0)}),
            Entrant(name="RegMean"),
            Entrant(name="AdaMerging", options={"steps": 300, "learning_rate": 1e-2, "start": 0.15}),
        ),
        preference=(0.5, 0.5),
        wish="both tasks matter equally",
    ),
)
