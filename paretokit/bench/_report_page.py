"""The report's page: style and the small pieces of markup."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paretokit.bench._report_cells import Cell
from paretokit.bench._statistics_table import ScoreTable
from paretokit.core._text import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { --ink: #222; --soft: #6b6b6b; --line: #e3e3e3; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2.2rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .4rem; }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .4rem; }
section { border-top: 1px solid var(--line); margin-top: 2.4rem; padding-top: 1.8rem; }
p { margin: .4rem 0 .8rem; max-width: 52rem; }
.soft, figcaption, .note { color: var(--soft); font-size: .9rem; }
.lead { font-size: 1.08rem; }
nav a { color: var(--accent); text-decoration: none; margin-right: 1.1rem; white-space: nowrap; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
th { text-align: left; font-weight: 600; border-bottom: 1.5px solid var(--ink); padding: .3rem 1rem .3rem 0; }
td { border-bottom: 1px solid var(--line); padding: .3rem 1rem .3rem 0; vertical-align: top; white-space: nowrap; }
th.n, td.n { text-align: right; padding-left: .6rem; }
td small { color: var(--soft); display: block; font-size: .78rem; line-height: 1.2; }
td.best b { font-weight: 700; } td.tied u { text-decoration-thickness: 1.5px; text-underline-offset: 3px; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
figure { margin: 1rem 0; flex: 1 1 30rem; max-width: 44rem; } figure.wide { flex-basis: 100%; max-width: 100%; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption { margin-top: .3rem; }
pre { background: #f6f7f8; padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.45; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.4rem; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
"""

LARGEST = 150_000
"""Bytes above which a drawing goes in as pixels."""


@dataclass(frozen=True)
class Picture:
    """A figure inside the page.

    Attributes:
        source: Its bytes as a ``data:`` address.
        caption: What it shows.
        wide: Whether it takes the page's width.
    """

    source: str
    caption: str
    wide: bool = False


def text(value: object) -> str:
    """Return text that HTML shows as it is."""
    return html.escape(str(value))


def picture(figure: Figure, caption: str, *, wide: bool = False) -> Picture:
    """Return a drawn figure as SVG, or as pixels where that is smaller, and close it."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    with mpl.rc_context({"svg.hashsalt": "paretokit"}), io.BytesIO() as room:
        figure.savefig(room, format="svg", metadata={"Date": None}, bbox_inches="tight")
        data, kind = room.getvalue(), "svg+xml"
    if len(data) > LARGEST:
        with io.BytesIO() as room:
            figure.savefig(room, format="png", dpi=170, bbox_inches="tight")
            data, kind = room.getvalue(), "png"
    plt.close(figure)
    return Picture(f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}", caption, wide)


def figures(pictures: Sequence[Picture]) -> str:
    """Return figures side by side where there is room."""
    shown = [
        f'<figure{" class=wide" if p.wide else ""}><img alt="{text(p.caption)}" src="{p.source}">'
        f"<figcaption>{text(p.caption)}</figcaption></figure>"
        for p in pictures
    ]
    return f'<div class="figures">{"".join(shown)}</div>' if shown else ""


def score_rows(table: ScoreTable, cells: Sequence[Sequence[Cell]]) -> str:
    """Return the table of results: problems by solvers, the best bold, the tied underlined."""
    head = "".join(f'<th class="n">{text(s)}</th>' for s in table.solvers)
    lines = []
    for problem, row in zip(table.problems, cells, strict=True):
        shown = [f"<td>{text(problem)}</td>"]
        for cell in row:
            tag = {"best": "b", "tied": "u"}.get(cell.mark, "span")
            lost = f", {cell.failed} failed" if cell.failed else ""
            shown.append(
                f'<td class="n {cell.mark}"><{tag}>{number(cell.median)}</{tag}>'
                f"<small>{number(cell.low)} … {number(cell.high)}{lost}</small></td>"
            )
        lines.append(f"<tr>{''.join(shown)}</tr>")
    return (
        f'<div class="scroll"><table class="scores"><thead><tr><th>problem</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def grid(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; numbers are right-aligned and rounded."""
    top = "".join(f"<th{'' if k == 0 else ' class=n'}>{text(h)}</th>" for k, h in enumerate(head))
    body = []
    for row in rows:
        cells = [
            f'<td class="n">{number(v) if v == v else "–"}</td>'
            if isinstance(v, float)
            else f"<td{' class=n' if k else ''}>{text(v)}</td>"
            for k, v in enumerate(row)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def facts(pairs: Mapping[str, object]) -> str:
    """Return a list of names and values; texts of several lines keep them."""
    lines = []
    for name, value in pairs.items():
        words = str(value)
        shown = f"<pre>{text(words)}</pre>" if "\n" in words else text(words)
        lines.append(f"<dt>{text(name)}</dt><dd>{shown}</dd>")
    return f"<dl>{''.join(lines)}</dl>"
