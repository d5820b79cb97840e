"""Panels that train samplers of designs beside a search of the same problem, and show what the samplers draw."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretokit.cli import _demo_runs as runs
from paretokit.cli._demo_panels import DemoPanel, PanelReport, Picked, Picture, Tick
from paretokit.cli._demo_runs import Entrant
from paretokit.core import Conditioned, MissingPackageError, Sampler
from paretokit.indicators import pc_entropy, share_on_front, simplex_lattice
from paretokit.problems.design import CompositionalDesign
from paretokit.run import Budget, Result

PARTITIONS = 10  # of the lattice of preferences that conditioned samplers are asked


@final
@dataclass(frozen=True, kw_only=True)
class MoleculeStrip:
    """Molecules along a front that a generic solver finds within seconds.

    Attributes:
        entrant: The solver.
        evaluations: Molecules that it may score.
        max_fragments: Fragments of a molecule.
        n: How many are drawn.
    """

    entrant: Entrant
    evaluations: int = 400
    max_fragments: int = 6
    n: int = 6

    def drawn(self, file: Path, tick: Tick, *, seed: int) -> tuple[Picture, ...]:
        """Return the picture; none without RDKit."""
        from paretokit.cli import _pictures as draw
        from paretokit.problems.design import Molecules

        try:
            problem = Molecules(max_fragments=self.max_fragments)
        except MissingPackageError:
            tick("no molecules without RDKit")
            return ()
        budget = Budget(evaluations=self.evaluations)
        found = runs.race(problem, [self.entrant], tick, budget=budget, seed=seed, place=problem.name)
        front = found[self.entrant.name].front
        along = sorted(front, key=lambda solution: float(solution.values[0]))
        if not along:
            return ()
        places = np.linspace(0, len(along) - 1, min(self.n, len(along))).round().astype(int)
        shown = [along[i] for i in places]
        labels = ["\n".join(f"{o.name} {solution[o.name]:.3f}" for o in problem.objectives) for solution in shown]
        draw.strip([_image(solution.decode().mol) for solution in shown], file, labels=labels)
        text = (
            f"Drug-like and easy to make: molecules of up to {self.max_fragments} fragments along the front that "
            f"{self.entrant.name} found with {self.evaluations} oracle calls. Larger is better in both; every tree of "
            "fragments is a valid molecule."
        )
        return (Picture(file, text),)


@final
@dataclass(frozen=True, kw_only=True)
class DesignPanel:
    """One design with a known front, several solvers, equal oracle calls, one seed.

    Attributes:
        name: Stem of its files.
        title: Headline of the report.
        story: What is traded off.
        problem_id: The problem.
        problem_options: Its options.
        entrants: The solvers; their order fixes their colors.
        work: Oracle calls of each run, training and measuring.
        n_drawn: Objects drawn from each sampler after its run, for the picture.
        preference: Larger entries matter more; one design is picked by it.
        wish: The preference in words.
        molecules: Drawn after the rest, where RDKit is there.
        seed: Of each run.
    """

    name: str
    title: str
    story: str
    problem_id: str
    problem_options: Mapping[str, Any] = field(default_factory=dict)
    entrants: tuple[Entrant, ...]
    work: int
    n_drawn: int = 1100
    preference: tuple[float, ...]
    wish: str
    molecules: MoleculeStrip | None = None
    seed: int = 1

    @property
    def n_runs(self) -> int:
        """Number of solvers, and one for the molecules."""
        return len(self.entrants) + (self.molecules is not None)

    def problem(self) -> CompositionalDesign:
        """Return what is designed."""
        from paretokit import problems

        made = problems.make(self.problem_id, **self.problem_options)
        assert isinstance(made, CompositionalDesign)
        return made

    def run(self, folder: Path, tick: Tick) -> PanelReport:
        """Train or search with each solver, then score, draw, pick and sample."""
        problem = self.problem()
        budget = Budget(work=self.work)
        results = runs.race(problem, self.entrants, tick, budget=budget, seed=self.seed, place=self.name)
        rows = tuple(entrant.row(results[entrant.name], self.work) for entrant in self.entrants)
        best = runs.best_of(rows)
        choice = runs.chosen(results[best], self.preference)
        more = self._sampled(folder, problem, results)
        if self.molecules is not None:
            more += self.molecules.drawn(folder / f"{self.name}-molecules.png", tick, seed=self.seed)
        return PanelReport(
            title=self.title,
            story=self.story,
            rows=rows,
            protocol=self._protocol(problem),
            pictures=self._pictures(folder, results, best, choice),
            picked=None if choice is None else self._picked(problem, choice, best),
            code=self._code(best),
            more=more,
        )

    def _picked(self, problem: CompositionalDesign, choice: Any, best: str) -> Picked:
        pairs = zip(problem.objectives, choice.values.tolist(), strict=True)
        return Picked(
            asked=f"{self.wish}, from the front of {best}",
            why=choice.why,
            values={o.label: f"{value:.5g}" for o, value in pairs},
            design={"design": problem.describe_object(choice.x)},
        )

    def _sampled(
        self, folder: Path, problem: CompositionalDesign, results: Mapping[str, Result]
    ) -> tuple[Picture, ...]:
        """Return the picture of what the samplers draw."""
        from paretokit.cli import _pictures as draw

        drawn = {name: sampled(result, self.n_drawn) for name, result in results.items()}
        clouds = {name: values for name, values in drawn.items() if values is not None}
        known = problem.pareto_front()
        if not clouds or known is None:
            return ()
        notes = {}
        for name, values in clouds.items():
            share = float(share_on_front(values, known))
            entropy = float(pc_entropy(values, known, maximize=True))
            notes[name] = f"{share:.0%} on the front; entropy {entropy:.2f}, at most {math.log(len(known)):.2f}"
        file = folder / f"{self.name}-samples.png"
        draw.clouds(next(iter(results.values())).front, clouds, notes, file=file, order=tuple(results))
        text = (
            f"What the trained samplers draw, {self.n_drawn:,} objects each, dominated ones included; the larger a "
            f"point, the more often it came out. Conditioned samplers are asked for {PARTITIONS + 1} preferences in "
            f"equal shares.{runs.behind(problem.front_kind)}"
        )
        return (Picture(file, text),)

    def _protocol(self, problem: CompositionalDesign) -> dict[str, str]:
        scoring = problem.protocol.scoring
        options = ", ".join(f"{k}={v!r}" for k, v in self.problem_options.items())
        return {
            "Problem": f"{problem.name}({options})",
            "Objectives": "; ".join(f"{o.sense} {o.label}" for o in problem.objectives),
            "Budget": f"{self.work:,} oracle calls for each solver, training and measuring; seed {self.seed}",
            "Reference point of the hypervolume": runs.numbers(scoring.reference_point or ()),
            "Front": "of a search its last population; of a sampler what it drew when last measured, not all that it "
            "met in training",
            "Sparsity, IGD+": "in the objectives' own units; true front " + runs.known(problem.front_kind),
            "Solvers": "; ".join(entrant.call for entrant in self.entrants) + "; all else by default",
        }

    def _pictures(self, folder: Path, results: Mapping[str, Result], best: str, choice: Any) -> tuple[Picture, ...]:
        wanted = ", ".join(f"{w:g}" for w in self.preference)
        captions = (
            f"Final fronts after {self.work:,} oracle calls.{runs.behind(self.problem().front_kind)}",
            "Hypervolume against oracle calls; samplers are measured a few times only.",
            f"The design picked with preference ({wanted}) from the front of {best}.",
        )
        return runs.pictures(
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

    def _code(self, best: str) -> str:
        options = "".join(f", {k}={v!r}" for k, v in self.problem_options.items())
        made = [f'problem = pk.problems.make("{self.problem_id}"{options})']
        entrant = next(e for e in self.entrants if e.name == best)
        return runs.code(entrant, made, budget=f"work={self.work}", seed=self.seed, preference=self.preference)


def sampled(result: Result, n: int) -> Tensor | None:
    """Return values of about n objects of a result's sampler, over all preferences alike; None without a sampler."""
    solver: Any = result.solver
    if isinstance(solver, Sampler):
        return result.sample(n).values
    if not isinstance(solver, Conditioned):
        return None
    asked = simplex_lattice(len(result.front.objectives), PARTITIONS)
    return torch.cat([result.at(w, n=-(-n // len(asked)), seed=i).values for i, w in enumerate(asked)])


def _image(mol: Any, width: int = 300, height: int = 230) -> NDArray[np.uint8]:
    """Return a drawing of a molecule of RDKit, `[height, width, 3]`."""
    from matplotlib.image import imread
    from rdkit.Chem.Draw import rdMolDraw2D

    pen = rdMolDraw2D.MolDraw2DCairo(width, height)
    pen.DrawMolecule(mol)
    pen.FinishDrawing()
    pixels: NDArray[np.float32] = imread(io.BytesIO(pen.GetDrawingText()))
    return (255 * pixels[..., :3]).round().astype(np.uint8)


_TRAINED = {
    "batch_size": 256,
    "learning_rate": 1e-2,
    "replay": {"share": 0.0, "pareto": 0.25, "warmup": 128},
    "iterations": 90,
    "evaluate_every": 45,
}

DESIGNS: tuple[DemoPanel, ...] = (
    DesignPanel(
        name="design",
        title="HyperGrid: many good designs, not one",
        story="Designs are built step by step: here a walk from the corner of a grid, which ends wherever it stops. "
        "Samplers learn to end at good cells, and draw more of them afterwards. Between its two ends the front of "
        "currin and shubert is concave, so that no weighted sum prefers its points: MOGFN, which follows a weighted "
        "sum to the power 128, crowds at the ends (after so short a training, at one), OPGFN spreads over the front. "
        "On so small a grid a search has the whole front at once; it draws nothing afterwards.",
        problem_id="hypergrid-v1",
        problem_options={"objectives": ("currin", "shubert"), "side": 32},
        entrants=(
            Entrant(name="OPGFN", options={**_TRAINED, "n_samples": 638}),
            Entrant(
                name="MOGFN",
                options={**_TRAINED, "n_samples": 58, "temperature": 128.0, "lowest": -200.0, "log_z_rate": 1e-1},
            ),
            Entrant(name="NSGA2", options={"pop_size": 200}),
        ),
        work=25_000,
        preference=(0.5, 0.5),
        wish="both matter equally",
        molecules=MoleculeStrip(entrant=Entrant(name="NSGA2", options={"pop_size": 40})),
    ),
)
