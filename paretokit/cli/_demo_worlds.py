"""The last panel: five worlds, each world's own solver beside a generic one at equal work, in one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from paretokit.cli import _demo_runs as runs
from paretokit.cli._demo_panels import DemoPanel, PanelReport, Picture, Row, Tick
from paretokit.cli._demo_runs import Entrant
from paretokit.core import Front, Problem, Scoring, to_min
from paretokit.run import Budget, Result

MARGIN = 1.1  # of the reference point, once both fronts together fill the unit box


@final
@dataclass(frozen=True, kw_only=True)
class World:
    """A problem, the solver that was made for it, and the generic solver that comes next.

    Attributes:
        name: Of the world.
        problem: Makes the problem.
        making: Python that makes it.
        special: The world's own solver.
        generic: One that knows nothing of the world.
        work: What the special solver may spend, in the problem's unit; None where it ends by itself.
        shown: The two objectives of the picture.
        aside: What the legend says of a result besides, from the problem and the result.
        caveat: What the picture says of the generic solver.
    """

    name: str
    problem: Callable[[], Problem]
    making: str
    special: Entrant
    generic: Entrant
    work: float | None = None
    shown: tuple[int, int] = (0, 1)
    aside: Callable[[Any, Result], str] | None = None
    caveat: str = ""


def measured(result: Result) -> Tensor:
    """Return the front's values, on held-out data where there are any `[n, m]`."""
    return result.front.values if result.held_out is None else result.held_out


def alike(fronts: Sequence[Front]) -> list[dict[str, float]]:
    """Return indicators of fronts after all were brought to one scale.

    Of the points of all fronts together, the best value of each objective becomes zero and the worst one. Hypervolume
    is the share of the box up to 1.1, R2 averages Tchebycheff distances from the best values, sparsity the squared gaps
    between neighbors.
    """
    points = [to_min(front.values.double(), front.objectives) for front in fronts]
    every = torch.cat(points)
    low = every.amin(0)
    width = (every.amax(0) - low).clamp_min(1e-12)
    m = every.shape[1]
    scoring = Scoring(reference_point=(MARGIN,) * m, ideal=(0.0,) * m, nadir=(1.0,) * m)
    scores = [Front.from_values((p - low) / width, senses=["min"] * m).scores(scoring) for p in points]
    return [{**s, "hypervolume": s["hypervolume"] / MARGIN**m} for s in scores]


@final
@dataclass(frozen=True, kw_only=True)
class WorldsPanel:
    """All worlds, two solvers each, one seed.

    Attributes:
        name: Stem of its files.
        title: Headline of the report.
        story: What is compared.
        worlds: In the order of the picture.
        seed: Of each run.
    """

    name: str
    title: str
    story: str
    worlds: tuple[World, ...]
    seed: int = 1

    @property
    def n_runs(self) -> int:
        """Two solvers a world."""
        return 2 * len(self.worlds)

    def run(self, folder: Path, tick: Tick) -> PanelReport:
        """Run both solvers of each world, the generic one with the work of the other; score and draw."""
        rows: list[Row] = []
        drawn: list[Drawn] = []
        spent: dict[str, str] = {}
        for world in self.worlds:
            problem = world.problem()
            budget = Budget(seconds=1) if world.work is None else Budget(work=world.work)  # `tick` says how long
            own = self._raced(problem, world.special, tick, budget, world)
            equal = Budget(work=own.cost.work)
            other = self._raced(problem, world.generic, tick, equal, world)
            fronts = [Front.from_values(measured(r), objectives=problem.objectives) for r in (own, other)]
            scores = alike(fronts)
            asides = ["" if world.aside is None else world.aside(problem, r) for r in (own, other)]
            drawn.append(Drawn(world, fronts, asides, [score["hypervolume"] for score in scores]))
            spent[world.name] = f"{own.cost.work:,.0f} and {other.cost.work:,.0f} {problem.unit}"
            for entrant, result, score in zip((world.special, world.generic), (own, other), scores, strict=True):
                line = entrant.row(result, own.cost.work)
                label = f"{world.name.lower()}: {entrant.name}"
                rows.append(Row(label, len(result.front), {k: score.get(k) for k in SCORES}, line.seconds, line.status))
        file = folder / f"{self.name}.png"
        draw(drawn, file)
        text = (
            "Five worlds: the world's own solver beside a generic one at equal work, on held-out data where there are "
            "any. Two of three objectives are shown of domain adaptation, and the target accuracy of the networks that "
            "the preference (0.2, 0.3, 0.5) picks. Bars: the share of the box that both fronts "
            "span together which each dominates."
        )
        return PanelReport(
            title=self.title,
            story=self.story,
            rows=tuple(rows),
            protocol=self._protocol(spent),
            pictures=(Picture(file, text),),
            picked=None,
            code=self._code(),
            paired=True,
        )

    def _raced(self, problem: Problem, entrant: Entrant, tick: Tick, budget: Budget, world: World) -> Result:
        place = world.name.lower()
        return runs.race(problem, [entrant], tick, budget=budget, seed=self.seed, place=place)[entrant.name]

    def _protocol(self, spent: Mapping[str, str]) -> dict[str, str]:
        return {
            "Scores": "after the points of both fronts together were brought to the unit box, objective by objective; "
            "reference point 1.1, as a share of the box",
            **{f"Work, {name.lower()}": text for name, text in spent.items()},
            "Solvers": "; ".join(f"{w.special.call} and {w.generic.call}" for w in self.worlds)
            + f"; all else by default; seed {self.seed}",
        }

    def _code(self) -> str:
        lines = ["import paretokit as pk", ""]
        for world in self.worlds:
            budget = "seconds=60" if world.work is None else f"work={world.work:g}"
            lines += [
                f"problem = {world.making}",
                f"own = pk.solve(problem, {world.special.making}, budget=pk.Budget({budget}), seed={self.seed})",
                f"budget = pk.Budget(work=own.cost.work)  # {world.name.lower()}",
                f"other = pk.solve(problem, {world.generic.making}, budget=budget, seed={self.seed})",
                "",
            ]
        return "\n".join(lines[:-1])


SCORES = ("hypervolume", "r2", "sparsity")


@dataclass(frozen=True)
class Drawn:
    """What the picture shows of a world: both fronts, what the legend says besides, both hypervolumes."""

    world: World
    fronts: Sequence[Front]
    asides: Sequence[str]
    shares: Sequence[float]


def draw(drawn: Sequence[Drawn], file: Path) -> None:
    """Draw a small picture a world, and bars of all hypervolumes."""
    from paretokit.cli._pictures import figure, write
    from paretokit.plots import _style as style

    made = figure(12.0, 7.0)
    for place, one in enumerate(drawn):
        ax = made.add_subplot(2, 3, place + 1)
        style.plain(ax)
        for k, (entrant, front) in enumerate(zip((one.world.special, one.world.generic), one.fronts, strict=True)):
            x, y = (front.values[:, i].tolist() for i in one.world.shown)
            form = {"color": style.color(0)} if k == 0 else {"facecolors": "none", "edgecolors": style.color(1)}
            label = entrant.name + one.asides[k] + (one.world.caveat if k else "")
            ax.scatter(x, y, s=24 + 40 * k, marker=style.MARKERS[k], linewidths=1.1, label=label, **form)
        for letter, i in zip("xy", one.world.shown, strict=True):
            getattr(ax, f"set_{letter}label")(style.label(one.fronts[0].objectives[i]), fontsize=style.TICK)
        ax.set_title(one.world.name, fontsize=style.LABEL, loc="left")
        ax.legend(fontsize=style.SMALL, frameon=False)
    ax = made.add_subplot(2, 3, 6)
    style.plain(ax, grid=False)
    for k in (0, 1):
        shares = [one.shares[k] for one in drawn]
        at = [i - 0.2 + 0.4 * k for i in range(len(shares))]
        bars = ax.barh(at, shares, 0.38, color=style.color(k), label=("the world's own", "generic")[k])
        ax.bar_label(bars, fmt="%.2f", fontsize=style.SMALL, padding=2)
    ax.set_yticks(range(len(drawn)), [one.world.name for one in drawn])
    ax.set_xlim(0, 1.25)
    ax.invert_yaxis()
    ax.set_xlabel("hypervolume, a share of the box →", fontsize=style.TICK)
    ax.set_title("All five", fontsize=style.LABEL, loc="left")
    ax.legend(fontsize=style.SMALL, frameon=False, loc="lower right")
    write(made, file)


def _target_accuracy(problem: Any, result: Result) -> str:
    """Return the target accuracy of the network that a preference for the target picks."""
    if not len(result.front):
        return ""
    x: Any = result.front.pick([0.2, 0.3, 0.5]).x
    return f", {float(problem.target_accuracy(x.unsqueeze(0))[0]):.0%} of the target right"


def _made(name: str, /, **options: Any) -> Problem:
    from paretokit import problems

    made: Problem = problems.make(name, **options)
    return made


def _treasure() -> Problem:
    from paretokit.problems import MORL
    from paretokit.problems.morl import Network

    made: Problem = MORL("deep-sea-treasure-concave-v0", policy=Network(hidden=(16,)))
    return made


def _merging() -> Problem:
    from paretokit.problems.merging import suite

    return suite("mlp", tasks=("digits", "latin-upper"), size="small")


_PPO = {"n_steps": 64, "n_envs": 16, "minibatches": 8, "learning_rate": 1e-3, "discount": 0.99}
_TRAINED = {
    "batch_size": 256,
    "learning_rate": 1e-2,
    "replay": {"share": 0.0, "pareto": 0.25, "warmup": 128},
    "iterations": 90,
    "evaluate_every": 45,
    "n_samples": 638,
}

WORLDS: tuple[DemoPanel, ...] = (
    WorldsPanel(
        name="worlds",
        title="Five worlds in one picture",
        story="Policies, merged networks, adapted classifiers, classifiers that go on learning, and designs: in each "
        "world the solver that was made for it meets a generic one, which searches the same decisions and may spend as "
        "much: environment steps, images or inputs through networks (a backward pass as two), oracle calls. NSGA-II "
        "evolves weights of policies, coefficients of merges, and designs; gradient descent follows a grid of weighted "
        "sums. In continual learning it sees both tasks at once, which the stream forbids its rival. One run each: "
        "differences of this size are not evidence.",
        worlds=(
            World(
                name="Policies",
                problem=_treasure,
                making='pk.problems.MORL("deep-sea-treasure-concave-v0", '
                "policy=pk.problems.morl.Network(hidden=(16,)))",
                special=Entrant(
                    name="MORLD",
                    options={
                        "improver": {"kind": "PPO", **_PPO},
                        "scalarization": "tchebycheff",
                        "utopian": (110.0, 0.0),
                        "scale": (100.0, 20.0),
                    },
                ),
                generic=Entrant(name="NSGA2", options={"pop_size": 40}),
                work=120_000,
            ),
            World(
                name="Model merging",
                problem=_merging,
                making='pk.problems.merging.suite("mlp", tasks=["digits", "latin-upper"], size="small")',
                special=Entrant(
                    name="PreferenceMerging",
                    options={"objective": "validation", "steps": 100, "learning_rate": 2e-2, "evaluate_every": 25},
                ),
                generic=Entrant(name="NSGA2", options={"pop_size": 20}),
                work=128_000,
            ),
            World(
                name="Domain adaptation",
                problem=lambda: _made("adaptation-moons-v1"),
                making='pk.problems.make("adaptation-moons-v1")',
                special=Entrant(
                    name="ParetoDA",
                    options={"n_members": 6, "steps": 120, "learning_rate": 0.1, "evaluate_every": 120},
                ),
                generic=Entrant(
                    name="GradientDescent",
                    options={"aggregator": "Linear", "preferences": 10, "evaluate_every": 1000, "decay": "none"},
                ),
                shown=(0, 2),
                aside=_target_accuracy,
            ),
            World(
                name="Continual learning",
                problem=lambda: _made("continual-case-v1", n_tasks=2, train=120, seed=1),
                making='pk.problems.make("continual-case-v1", n_tasks=2, train=120, seed=1)',
                caveat=", of both tasks at once",
                special=Entrant(name="IBCL", options={"preferences": 11}),
                generic=Entrant(
                    name="GradientDescent",
                    options={"aggregator": "Linear", "preferences": 11, "evaluate_every": 1000, "decay": "none"},
                ),
            ),
            World(
                name="Compositional design",
                problem=lambda: _made("hypergrid-v1", objectives=("currin", "shubert"), side=32),
                making='pk.problems.make("hypergrid-v1", objectives=("currin", "shubert"), side=32)',
                special=Entrant(name="OPGFN", options=_TRAINED),
                generic=Entrant(name="NSGA2", options={"pop_size": 200}),
                work=25_000,
            ),
        ),
    ),
)
