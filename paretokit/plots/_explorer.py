"""A page to look around in a front: scatter and parallel coordinates joined, decisions at hand."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from paretokit.core import Front
from paretokit.core import _check as check
from paretokit.core._text import number
from paretokit.plots import _style as style
from paretokit.plots._explorer_page import BODY, SCRIPT, STYLE
from paretokit.plots._view import Fronts, array, named

SHORT = 60
"""Most characters of a decision in lists and tips."""


def explorer_data(front: Fronts) -> dict[str, Any]:
    """Return what the page shows, as plain lists: values, owners, decisions as text, axes with the better end upwards.

    Raises:
        InputError: If there is no point or only one objective.
    """
    layers = named(front)
    objectives = next(iter(layers.values())).objectives
    check.that(len(objectives) >= 2, "front", "have at least two objectives", len(objectives))
    check.that(any(len(own) for own in layers.values()), "front", "hold a point", "none")
    values, owner, row, decision = [], [], [], []
    for k, own in enumerate(layers.values()):
        values += array(own.values).tolist()
        owner += [k] * len(own)
        row += list(range(len(own)))
        decision += _decisions(own)
    short = [text if len(text) <= SHORT else f"{text[: SHORT - 1]}…" for text in decision]
    axes = []
    for j, objective in enumerate(objectives):
        column = [point[j] for point in values]
        low, high = min(column), max(column)
        pad = 0.0 if high > low else 0.5
        ends = [low - pad, high + pad]
        axes.append(
            {
                "label": objective.label,
                "axis": style.label(objective),
                "range": ends if objective.maximize else ends[::-1],
            }
        )
    return {
        "objectives": axes,
        "fronts": list(layers),
        "safe": [html.escape(name) for name in layers],
        "colors": [style.color(k) for k in range(len(layers))],
        "values": values,
        "owner": owner,
        "row": row,
        "decision": decision,
        "short": short,
        "tip": [html.escape(text) for text in short],
    }


def explorer(front: Fronts, path: str | Path, *, title: str = "") -> Path:
    """Write one HTML file to look around in fronts of any number of objectives, and return its path.

    Scatter and parallel coordinates are joined: brushing an axis or selecting in the scatter selects in both, and what
    is left is listed. Pointing at a solution shows its decision. Nothing outside the file is needed to read it (plotly
    is inside, 5 MB); no server, no network.

    Args:
        front: A front, or several by name, of the same objectives.
        path: The file; its folder must exist.
        title: Heading; the problem's name by default.

    Raises:
        MissingPackageError: If plotly is not installed (the extra "interactive").
        InputError: If there is no point, only one objective, or no such folder.
    """
    file = Path(path)
    check.that(file.parent.is_dir(), "path", "lie in an existing folder", str(file.parent))
    data = explorer_data(front)
    library = check.package("plotly.offline", extra="interactive").get_plotlyjs()
    first = next(iter(named(front).values()))
    heading = title or ("Front" if first.problem is None else first.problem.name)
    count = f"{len(data['values'])} solutions, {len(data['objectives'])} objectives"
    payload = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    file.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(heading)}</title><style>{STYLE}</style><script>{library}</script></head><body>"
        f'<h1>{html.escape(heading)}</h1><p class="soft">{count}</p>{BODY}'
        f'<script id="data" type="application/json">{payload}</script><script>{SCRIPT}</script></body></html>',
        encoding="utf-8",
    )
    return file


def _decisions(front: Front) -> list[str]:
    """Return every decision as text: the problem's own words where it has some, else its numbers."""
    if front.x is None:
        return ["no decision is kept"] * len(front)
    shown = None if front.problem is None else front.problem.describe_decisions(front.x)
    if shown is not None:
        return [str(text) for text in shown]
    return [f"x = ({', '.join(number(v) for v in x)})" for x in front.x.detach().cpu().tolist()]
