"""``paretokit score``: what indicators say of fronts that lie in files."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretokit.cli._fronts import COLUMNS, ReadFront, read_fronts, read_table
from paretokit.cli._options import as_json, parse_numbers
from paretokit.cli._text import number, table
from paretokit.core import Box, Evaluation, Front, Objective, ParetoWarning, Problem, Rng, Scoring
from paretokit.core import _check as check

POINTS = {"reference": "reference_point", "ideal": "ideal", "nadir": "nadir"}
NEEDS = {
    "hypervolume": ("reference",),
    "r2": ("ideal", "nadir"),
    "r2_exact": ("ideal", "nadir"),
    **dict.fromkeys(("igd", "igd_plus", "gd", "gd_plus", "averaged_hausdorff", "epsilon_additive"), ("reference-set",)),
}
"""What an indicator needs beside the front, by the option that gives it."""


class ReferenceSet(Problem):
    """A problem of which nothing is known but points of its front, from a file.

    Args:
        objectives: One each.
        points: The points `[k, m]`.
    """

    space = Box(0.0, 1.0, dim=1)
    front_kind = "approximate"

    def __init__(self, objectives: Sequence[Objective], points: Tensor) -> None:
        self.objectives, self.points = tuple(objectives), points

    def _evaluate(self, x: Tensor, rng: Rng) -> Evaluation:
        check.fail("x", "not be asked for", "decisions", "a reference set has values only")

    def pareto_front(self, n: int | None = None) -> Tensor:
        """Return the points."""
        return self.points


def scoring_of(args: argparse.Namespace, front: Front) -> Scoring:
    """Return the front's own scoring with the points that were given.

    Raises:
        ShapeError: For a point that has not one entry a column.
    """
    given: dict[str, Any] = {}
    for option, name in POINTS.items():
        if (text := getattr(args, option)) is not None:
            point = parse_numbers(text, option)
            m = len(front.objectives)
            rule = f"have {m} entries, one for each of {', '.join(o.name for o in front.objectives[:6])}"
            check.shape(len(point) == m, option, f"{rule}{', …' if m > 6 else ''}", len(point), COLUMNS)
            check.point(option, point, m)
            given[name] = tuple(point)
    return dataclasses.replace(front.protocol.scoring, **given)


def _with_reference_set(front: Front, file: Path | None) -> Front:
    if file is None:
        return front
    columns, values = read_table(file)
    m = len(front.objectives)
    labels = [o.name for o in front.objectives]
    if set(labels) <= set(columns):
        columns, values = read_table(file, labels)
    rule = f"have {m} columns, one for each objective of the front"
    check.shape(len(columns) == m and len(values) > 0, "reference-set", rule, f"{len(columns)} in {file}")
    return dataclasses.replace(front, problem=ReferenceSet(front.objectives, torch.as_tensor(values)))


def _needs(name: str, front: Front, scoring: Scoring) -> None:
    """Raise, by the option that gives it, what an indicator lacks."""
    for option in NEEDS.get(name, ()):
        if option == "reference-set":
            there = front.problem is not None and front.problem.front_kind != "unknown"
            hint = "`--problem ID` takes the known front of a problem"
        else:
            there = getattr(scoring, POINTS[option]) is not None
            hint = "`--problem ID` takes a problem's own"
        check.that(there, option, f"be given for the indicator {name!r}", "none", hint)


def score_front(args: argparse.Namespace, read: ReadFront) -> dict[str, float]:
    """Return a front's scores by indicator: those asked for, or all that are defined."""
    from paretokit import indicators

    front = _with_reference_set(read.front, args.reference_set)
    scoring = scoring_of(args, front)
    if args.indicator is None:
        return indicators.scores(front, scoring)
    for name in args.indicator:
        check.known(name, indicators.score_names(), kind="indicator")
        _needs(name, front, scoring)
    return {name: indicators.score(front, name, scoring=scoring) for name in args.indicator}


def run(args: argparse.Namespace) -> int:
    """Print a line a front, or JSON; warnings, such as points beyond the reference point, go to stderr."""
    from paretokit.indicators import larger_is_better

    read = read_fronts(args)
    scores = []
    for one in read:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ParetoWarning)
            scores.append(score_front(args, one))
        for warning in caught:
            print(f"paretokit: warning: {one.name}: {warning.message}", file=sys.stderr)
    names = list(dict.fromkeys(name for found in scores for name in found))
    objectives = read[0].front.objectives
    if args.json:
        fronts = [
            {"file": one.name, "rows": one.rows, "points": len(one.front), "scores": found}
            for one, found in zip(read, scores, strict=True)
        ]
        larger = {name: larger_is_better(name) for name in names}
        trades = [dataclasses.asdict(o) for o in objectives]
        print(as_json({"objectives": trades, "larger_is_better": larger, "fronts": fronts}))
        return 0
    print(", ".join(f"{o.sense} {o.label}" for o in objectives))
    head = ["front", "rows", "points", *(f"{name} {'↑' if larger_is_better(name) else '↓'}" for name in names)]
    rows = [
        [one.name, str(one.rows), str(len(one.front)), *(number(found.get(name), digits=6) for name in names)]
        for one, found in zip(read, scores, strict=True)
    ]
    print(table(head, rows, right=[False, *[True] * (len(head) - 1)]))
    if any(one.rows > len(one.front) for one in read):
        print("points: the rows that are non-dominated and distinct; others do not count")
    return 0
