"""Panels that train policies of one environment with several solvers, and show one policy at work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from paretokit.cli import _demo_runs as runs
from paretokit.cli._demo_panels import DemoPanel, PanelReport, Picked, Picture, Tick
from paretokit.cli._demo_runs import Entrant
from paretokit.problems import MORL
from paretokit.problems.morl import Network
from paretokit.run import Budget, Result


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
        problem = self.problem()
        budget = Budget(work=self.work)
        results = runs.race(problem, self.entrants, tick, budget=budget, seed=self.seed, place=self.name)
        rows = tuple(entrant.row(results[entrant.name], self.work) for entrant in self.entrants)
        best = runs.best_of(rows)
        choice = runs.chosen(results[best], self.preference)
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
        seeds = f"seeds {measured.seeds[0]} to {measured.seeds[-1]}" if problem.held_out else "nothing in it is random"
        episodes = f"{measured.episodes} episode{'s' if measured.episodes != 1 else ''}"
        return {
            "Problem": f"{problem.name}, policies are networks with hidden layers {list(self.hidden)}",
            "Objectives": "; ".join(f"{o.sense} return in {o.label}" for o in problem.objectives),
            "Measurement": f"discount {measured.discount:g}, at most {measured.horizon} steps, {episodes} of the "
            f"policy's most probable actions; {seeds}",
            "Budget": f"{self.work:,} environment steps for each solver, training and measuring; seed {self.seed}",
            "Reference point of the hypervolume": runs.numbers(scoring.reference_point or ()),
            "Sparsity, IGD+": "in the objectives' own units; front of deterministic policies "
            + runs.known(problem.front_kind),
            "Solvers": "; ".join(entrant.call for entrant in self.entrants) + "; all else by default",
        }

    def _pictures(self, folder: Path, results: Mapping[str, Result], best: str, choice: Any) -> tuple[Picture, ...]:
        wanted = ", ".join(f"{w:g}" for w in self.preference)
        captions = (
            f"Final fronts, one picture a solver.{runs.behind(self.problem().front_kind)}",
            "Hypervolume against environment steps, training and measuring; higher is better.",
            f"The policy picked with preference ({wanted}) from the front of {best}.",
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
        made = [
            f"policy = pk.problems.morl.Network(hidden={self.hidden!r})",
            f'problem = pk.problems.MORL("{self.environment}", policy=policy)',
        ]
        entrant = next(e for e in self.entrants if e.name == best)
        return runs.code(entrant, made, budget=f"work={self.work}", seed=self.seed, preference=self.preference)


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
