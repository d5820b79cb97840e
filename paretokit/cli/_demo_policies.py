"""Panels that train policies of one environment with several solvers, and show one policy at work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from paretokit.cli._demo_panels import DemoPanel, PanelReport, Picked, Picture, Row, Tick
from paretokit.problems import MORL
from paretokit.problems.morl import Network
from paretokit.run import Budget, Result, solve

SCORES = ("hypervolume", "r2", "sparsity", "igd_plus")


@final
@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A solver by name.

    Attributes:
        name: As `solvers.make` takes it.
        options: Of the solver.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def call(self) -> str:
        """Name and options as Python."""
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.options.items())})"

    def row(self, result: Result, work: int) -> Row:
        """Return its line in the table, given the work that it was allowed."""
        scores = {score: result.scores.get(score) for score in SCORES}
        short = result.status == "budget" and result.cost.work < work
        return Row(self.name, len(result.front), scores, result.seconds, "out of time" if short else result.status)


@final
@dataclass(frozen=True, kw_only=True)
class PolicyPanel:
    """One environment, several solvers, one seed.

    Attributes:
        name: Stem of its files.
        title: Headline of the report.
        story: What is traded off.
        environment: The environment's id.
        hidden: Widths of the policies.
        entrants: The solvers; their order fixes their colors.
        work: Environment steps of each run, training and measuring.
        preference: Larger entries matter more; one policy is picked by it and filmed.
        wish: The preference in words.
        seed: Of each run.
    """

    name: str
    title: str
    story: str
    environment: str
    hidden: tuple[int, ...]
    entrants: tuple[Entrant, ...]
    work: int
    preference: tuple[float, ...]
    wish: str
    seed: int = 1

    @property
    def n_runs(self) -> int:
        """Number of solvers."""
        return len(self.entrants)

    def problem(self) -> MORL:
        """Return what is solved."""
        return MORL(self.environment, policy=Network(hidden=self.hidden))

    def run(self, folder: Path, tick: Tick) -> PanelReport:
        """Train with each solver, then score, draw, pick and film."""
        from paretokit import solvers

        problem = self.problem()
        results: dict[str, Result] = {}
        for entrant in self.entrants:
            seconds = tick(f"{entrant.name} on {self.name}")
            solver = solvers.make(entrant.name, **entrant.options)
            budget = Budget(work=self.work, seconds=seconds)
            results[entrant.name] = solve(problem, solver, budget=budget, seed=self.seed, progress=False)
            if results[entrant.name].status == "interrupted":
                raise KeyboardInterrupt
        rows = tuple(entrant.row(results[entrant.name], self.work) for entrant in self.entrants)
        best = max(rows, key=lambda row: row.scores["hypervolume"] or 0.0).solver
        choice = results[best].front.pick(self.preference) if len(results[best].front) else None
        facts, more = ({}, ()) if choice is None else self._filmed(folder, problem, choice)
        return PanelReport(
            title=self.title,
            story=self.story,
            rows=rows,
            protocol=self._protocol(problem),
            pictures=self._pictures(folder, results, best, choice),
            picked=None if choice is None else self._picked(problem, choice, best, facts),
            code=self._code(best),
            more=more,
        )

    def _picked(self, problem: MORL, choice: Any, best: str, facts: Mapping[str, str]) -> Picked:
        pairs = zip(problem.objectives, choice.values.tolist(), strict=True)
        return Picked(
            asked=f"{self.wish}, from the front of {best}",
            why=choice.why,
            values={f"return in {o.label}": f"{value:.5g}" for o, value in pairs},
            design={**facts, "decision": f"{choice.x.numel():,} numbers"},
        )

    def _filmed(self, folder: Path, problem: MORL, choice: Any) -> tuple[dict[str, str], tuple[Picture, ...]]:
        """Return what an episode in MO-Gymnasium gave, and its strip; neither where nothing can be rendered."""
        from paretokit.cli import _pictures as draw
        from paretokit.cli._episode import film

        try:
            episode = film(choice.decode(), horizon=problem.protocol.measurement.horizon or 1)
        except (ImportError, RuntimeError) as error:
            return {"no pictures": str(error)}, ()
        file = folder / f"{self.name}-episode.png"
        draw.strip(episode.frames, file)
        total = ", ".join(f"{v:.4g}" for v in episode.returns)
        steps = len(episode.rewards)
        facts = {"episode in MO-Gymnasium": f"{steps} steps", "discounted returns there": f"({total})"}
        text = f"The picked policy at work in MO-Gymnasium: {steps} steps, discounted returns ({total})."
        return facts, (Picture(file, text),)

    def _protocol(self, problem: MORL) -> dict[str, str]:
        measured, scoring = problem.protocol.measurement, problem.protocol.scoring
        kinds = {"exact": "known exactly", "approximate": "known approximately"}
        kinds["exact convex coverage set"] = "known as an exact convex coverage set"
        point = "(" + ", ".join(f"{v:.6g}" for v in scoring.reference_point or ()) + ")"
        seeds = f"seeds {measured.seeds[0]} to {measured.seeds[-1]}" if problem.held_out else "nothing in it is random"
        episodes = f"{measured.episodes} episode{'s' if measured.episodes != 1 else ''}"
        return {
            "Problem": f"{problem.name}, policies are networks with hidden layers {list(self.hidden)}",
            "Objectives": "; ".join(f"{o.sense} return in {o.label}" for o in problem.objectives),
            "Measurement": f"discount {measured.discount:g}, at most {measured.horizon} steps, {episodes} of the "
            f"policy's most probable actions; {seeds}",
            "Budget": f"{self.work:,} environment steps for each solver, training and measuring; seed {self.seed}",
            "Reference point of the hypervolume": point,
            "Sparsity, IGD+": "in the objectives' own units; front of deterministic policies "
            + kinds.get(problem.front_kind, "unknown"),
            "Solvers": "; ".join(entrant.call for entrant in self.entrants) + "; all else by default",
        }

    def _pictures(self, folder: Path, results: Mapping[str, Result], best: str, choice: Any) -> tuple[Picture, ...]:
        from paretokit.cli import _pictures as draw

        order = tuple(results)
        fronts, course, picked = (folder / f"{self.name}-{part}.png" for part in ("fronts", "training", "choice"))
        draw.fronts(results, fronts, order=order)
        kind = self.problem().front_kind
        behind = {
            "exact": " The exact front lies behind in gray.",
            "exact convex coverage set": " The exact convex coverage set lies behind in gray.",
            "approximate": " The best known front lies behind in gray.",
        }
        made = [Picture(fronts, f"Final fronts, one picture a solver.{behind.get(kind, '')}")]
        if any(len(result.front) for result in results.values()):
            draw.convergence(results, course, order=order, against="work")
            made.append(
                Picture(course, "Hypervolume against environment steps, training and measuring; higher is better.")
            )
        if choice is not None:
            draw.choice(results[best], choice, picked, order=order, name=best)
            wanted = ", ".join(f"{w:g}" for w in self.preference)
            made.append(Picture(picked, f"The policy picked with preference ({wanted}) from the front of {best}."))
        return tuple(made)

    def _code(self, best: str) -> str:
        entrant = next(e for e in self.entrants if e.name == best)
        settings = "".join(f", {k}={v!r}" for k, v in entrant.options.items())
        return "\n".join(
            [
                "import paretokit as pk",
                "",
                f"policy = pk.problems.morl.Network(hidden={self.hidden!r})",
                f'problem = pk.problems.MORL("{self.environment}", policy=policy)',
                f'solver = pk.solvers.make("{best}"{settings})',
                f"result = pk.solve(problem, solver, budget=pk.Budget(work={self.work}), seed={self.seed})",
                f"print(result.front.pick({list(self.preference)}))",
            ]
        )


_PPO = {"n_steps": 64, "n_envs": 16, "minibatches": 8, "learning_rate": 1e-3, "discount": 0.99}
_MINE = {**_PPO, "n_steps": 128, "epochs": 8, "learning_rate": 2e-3, "entropy_coef": 0.01, "hidden": (32, 32)}

POLICIES: tuple[DemoPanel, ...] = (
    PolicyPanel(
        name="treasure",
        title="Deep-sea treasure: how far to dive",
        story="A submarine looks for treasure; the deeper it lies, the more it is worth and the longer it takes. The "
        "ten best trade-offs are known, and most lie where the front is concave: no weighted sum of treasure and time "
        "prefers them.",
        environment="deep-sea-treasure-concave-v0",
        hidden=(16,),
        entrants=(
            Entrant(name="MultiPolicyQ", options={"interval": 4}),
            Entrant(
                name="MORLD",
                options={
                    "improver": {"kind": "PPO", **_PPO},
                    "scalarization": "tchebycheff",
                    "utopian": (110.0, 0.0),
                    "scale": (100.0, 20.0),
                },
            ),
            Entrant(
                name="CMORL",
                options={"ppo": _PPO, "init_updates": 10, "extension_updates": 5, "n_selected": 3},
            ),
            Entrant(name="NSGA2", options={"pop_size": 40}),
        ),
        work=120_000,
        preference=(0.5, 0.5),
        wish="treasure and time matter equally",
    ),
    PolicyPanel(
        name="minecart",
        title="Minecart: two ores against fuel",
        story="A cart leaves its base, digs two kinds of ore at five mines and sells them when it returns; every "
        "move burns fuel. Rewards come late, and 400,000 steps are a short training: compare with the known front.",
        environment="minecart-deterministic-v0",
        hidden=(32, 32),
        entrants=(
            Entrant(name="MORLD", options={"improver": {"kind": "PPO", **_MINE}, "evaluate_every": 4}),
            Entrant(
                name="CMORL",
                options={
                    "ppo": _MINE,
                    "partitions": 1,
                    "init_updates": 48,
                    "rounds": 1,
                    "n_selected": 4,
                    "extension_updates": 5,
                    "init_interval": 4,
                    "extension_interval": 5,
                },
            ),
        ),
        work=400_000,
        preference=(0.4, 0.4, 0.2),
        wish="both ores matter, fuel half as much",
    ),
)
