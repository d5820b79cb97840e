"""A panel that adapts a classifier to a domain without labels: a front of networks, and what each predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import torch

from paretokit.cli import _demo_runs as runs
from paretokit.cli._demo_panels import DemoPanel, PanelReport, Picked, Picture, Tick
from paretokit.cli._demo_runs import Entrant
from paretokit.problems import DomainAdaptation
from paretokit.run import Budget, Result

SIDE = 90  # cells of the map of predictions


@final
@dataclass(frozen=True, kw_only=True)
class AdaptationPanel:
    """Points in the plane with labels, others turned without; several solvers at equal minibatches.

    Attributes:
        name: Stem of its files.
        title: Headline of the report.
        story: What is traded off.
        id: Of the problem, whose inputs have two columns.
        options: Of the problem.
        entrants: The solvers; their order fixes their colors.
        preference: Larger entries matter more; one network is picked by it.
        wish: The preference in words.
        steps: Updates of each run at most.
        seed: Of each run.
    """

    name: str
    title: str
    story: str
    id: str
    options: Mapping[str, Any] = field(default_factory=dict)
    entrants: tuple[Entrant, ...]
    preference: tuple[float, ...]
    wish: str
    steps: int = 120
    seed: int = 0

    @property
    def n_runs(self) -> int:
        """Number of solvers."""
        return len(self.entrants)

    def problem(self) -> DomainAdaptation:
        """Return the domains and the network."""
        from paretokit import problems

        made = problems.make(self.id, **self.options)
        assert isinstance(made, DomainAdaptation)
        return made

    def run(self, folder: Path, tick: Tick) -> PanelReport:
        """Train by each solver, then score, draw and pick."""
        problem = self.problem()
        results = runs.race(
            problem, self.entrants, tick, budget=Budget(iterations=self.steps), seed=self.seed, place=self.name
        )
        rows = tuple(entrant.row(results[entrant.name], 0.0) for entrant in self.entrants)
        best = runs.best_of(rows)
        choice = runs.chosen(results[best], self.preference)
        wanted = ", ".join(f"{w:g}" for w in self.preference)
        captions = (
            "Final fronts: each point is a network.",
            "Hypervolume against examples through networks, a backward pass counting two.",
            f"The network picked with preference ({wanted}) from the front of {best}.",
        )
        drawn = runs.pictures(
            folder,
            results,
            choice,
            stem=self.name,
            order=tuple(results),
            best=best,
            course="training",
            against="work",
            captions=captions,
        )
        return PanelReport(
            title=self.title,
            story=self.story,
            rows=rows,
            protocol=self._protocol(problem),
            pictures=drawn,
            picked=None if choice is None else self._picked(problem, choice, best),
            code=self._code(best),
            more=(self._predictions(folder, problem, results),),
        )

    def _picked(self, problem: DomainAdaptation, choice: Any, best: str) -> Picked:
        values = zip(problem.objectives, choice.values.tolist(), strict=True)
        return Picked(
            asked=f"{self.wish}, from the front of {best}",
            why=choice.why,
            values={o.label: f"{value:.3f}" for o, value in values},
            design={
                "target accuracy, which nobody could see": f"{_accuracy(problem, choice.x):.1%}",
                "weights": f"{problem.space.n_parameters:,}",
            },
        )

    def _predictions(self, folder: Path, problem: DomainAdaptation, results: Mapping[str, Result]) -> Picture:
        """Return the picture of what each solver's picked network predicts over the plane."""
        from paretokit.cli import _pictures as draw
        from paretokit.plots import _style as style

        picked = {name: runs.chosen(result, self.preference) for name, result in results.items()}
        shown = {name: choice for name, choice in picked.items() if choice is not None}
        most = 1.1 * float(torch.cat([problem.source[0], problem.target]).abs().max())
        ticks = torch.linspace(-most, most, SIDE)
        plane = torch.cartesian_prod(ticks, ticks)
        made = draw.figure(3.4 * len(shown), 3.5)
        found = {}
        for place, (name, choice) in enumerate(shown.items()):
            ax = made.add_subplot(1, len(shown), place + 1)
            with torch.no_grad():
                chance = choice.decode()(plane).softmax(1)[:, 1].reshape(SIDE, SIDE).T
            ax.contourf(ticks, ticks, chance, levels=10, cmap="coolwarm", alpha=0.55)
            ax.scatter(*problem.target.T, s=3, color=style.INK)
            ax.set_aspect("equal")
            ax.set_xticks([])
            ax.set_yticks([])
            found[name] = _accuracy(problem, choice.x)
            style.titled(ax, f"{name}  {found[name]:.1%}")
        file = folder / f"{self.name}-predictions.png"
        made.savefig(file, dpi=draw.DPI)
        text = (
            "What the picked networks predict over the plane, with the target's points, and their accuracy on labels "
            "that only this picture saw."
        )
        return Picture(file, text)

    def _protocol(self, problem: DomainAdaptation) -> dict[str, str]:
        given = ", ".join(f"{k} {v}" for k, v in self.options.items())
        return {
            "Problem": f"{problem.name}{f' with {given}' if given else ''}; {len(problem.source[0])} labeled examples, "
            f"{len(problem.target)} unlabeled ones and {len(problem.held_target)} held out",
            "Objectives": "; ".join(f"{o.sense} {o.label}" for o in problem.objectives),
            "Reference point of the hypervolume": runs.numbers(problem.protocol.scoring.reference_point or ()),
            "Solvers": "; ".join(entrant.call for entrant in self.entrants)
            + f"; seed {self.seed}, all else by default",
        }

    def _code(self, best: str) -> str:
        given = "".join(f", {k}={v!r}" for k, v in self.options.items())
        entrant = next(e for e in self.entrants if e.name == best)
        made = [f'problem = pk.problems.make("{self.id}"{given})']
        return runs.code(entrant, made, budget=f"iterations={self.steps}", seed=self.seed, preference=self.preference)


def _accuracy(problem: DomainAdaptation, x: torch.Tensor) -> float:
    return float(problem.target_accuracy(x.unsqueeze(0))[0])


COMMON = {"steps": 120, "learning_rate": 0.1, "evaluate_every": 30}

ADAPTATIONS: tuple[DemoPanel, ...] = (
    AdaptationPanel(
        name="adaptation",
        title="Domain adaptation: labels here, none there",
        story="Two half circles have labels; the same, turned by 25 degrees, have none. A network to serve both "
        "trades off the labeled loss, how far apart the domains lie in its features, and how sure and varied its "
        "predictions for the unlabeled domain are. WeightedDA trains ten networks with fixed weights at once; ParetoDA "
        "weighs anew each step so that no loss rises, for four starts; GradientDescent knows nothing of domains and "
        "searches exact Pareto points of the same objectives.",
        id="adaptation-moons-v1",
        options={"angle": 25.0},
        entrants=(
            Entrant(name="WeightedDA", options={"preferences": 10, **COMMON}),
            Entrant(name="ParetoDA", options={"n_members": 4, **COMMON}),
            Entrant(name="GradientDescent", options={"preferences": 10, "steps": 120, "evaluate_every": 30}),
        ),
        preference=(0.2, 0.3, 0.5),
        wish="target predictions first, then features that agree",
    ),
)
