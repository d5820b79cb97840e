"""The demo's panels: what a panel shows, and the list of them. A new world adds one class and one entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Row:
    """One solver's line in the table; None where a score is not defined.

    Attributes:
        solver: Its name.
        points: Number of points in its front.
        scores: Scores by indicator name.
        seconds: Wall time.
        status: Why the run ended.
    """

    solver: str
    points: int
    scores: Mapping[str, float | None]
    seconds: float
    status: str


@dataclass(frozen=True)
class Picture:
    """A written PNG.

    Attributes:
        file: Where it lies.
        caption: One sentence that makes it readable alone.
    """

    file: Path
    caption: str


@dataclass(frozen=True)
class Picked:
    """The solution that decision making took from the best front.

    Attributes:
        asked: What was asked for, in words.
        why: The sentence on what was given up for what.
        values: Objective labels and values.
        design: Labels and values of what it is made of.
    """

    asked: str
    why: str
    values: Mapping[str, str]
    design: Mapping[str, str]


@dataclass(frozen=True)
class PanelReport:
    """What a panel found out.

    Attributes:
        title: Its headline.
        story: What is traded off, in a sentence or two.
        rows: One a solver.
        protocol: How it was measured, name and value.
        pictures: The written pictures.
        picked: A chosen solution, or None where there is none.
        code: Python that reproduces its best run.
        larger: Indicators whose larger values are better.
        more: Pictures that come after the chosen solution.
        paired: Whether rows are compared two by two, else all with each other.
    """

    title: str
    story: str
    rows: tuple[Row, ...]
    protocol: Mapping[str, str]
    pictures: tuple[Picture, ...]
    picked: Picked | None
    code: str
    larger: frozenset[str] = field(default=frozenset({"hypervolume"}))
    more: tuple[Picture, ...] = ()
    paired: bool = False


AS_PLANNED = frozenset({"budget", "finished"})
"""Ends of a run that the table need not mention."""

Tick = Callable[[str], float]
"""Called before each run with its name; answers how many seconds that run may take."""


class DemoPanel(Protocol):
    """One problem with its solvers, from run to pictures."""

    @property
    def name(self) -> str:
        """Stem of its files, and what `--only` takes."""
        ...

    @property
    def n_runs(self) -> int:
        """How often `run` calls `tick`."""
        ...

    def run(self, folder: Path, tick: Tick) -> PanelReport:
        """Solve, write pictures to a folder, and report."""
        ...


def panels() -> tuple[DemoPanel, ...]:
    """Return the demo's panels in their order."""
    from paretokit.cli._demo_adaptation import ADAPTATIONS
    from paretokit.cli._demo_continual import CONTINUALS
    from paretokit.cli._demo_designs import DESIGNS
    from paretokit.cli._demo_merging import MERGINGS
    from paretokit.cli._demo_policies import POLICIES
    from paretokit.cli._demo_search import SEARCHES
    from paretokit.cli._demo_worlds import WORLDS

    return (*SEARCHES, *POLICIES, *DESIGNS, *MERGINGS, *ADAPTATIONS, *CONTINUALS, *WORLDS)
