"""A self-contained HTML page: tables, pictures inside, protocol, versions, how to reproduce."""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from paretokit.cli._demo_panels import AS_PLANNED, PanelReport, Picked, Picture, Row
from paretokit.cli._text import number

_COLUMNS = {"hypervolume": "hypervolume", "r2": "R2", "sparsity": "sparsity", "igd_plus": "IGD+"}

_STYLE = """
:root { --ink: #222; --soft: #6b6b6b; --line: #e3e3e3; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 .4rem; }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .4rem; }
section { border-top: 1px solid var(--line); margin-top: 2.6rem; padding-top: 2rem; }
p { margin: .4rem 0 .8rem; max-width: 46rem; }
.soft, figcaption, .note { color: var(--soft); font-size: .9rem; }
nav a { color: var(--accent); text-decoration: none; margin-right: 1.1rem; white-space: nowrap; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
th { text-align: left; font-weight: 600; border-bottom: 1.5px solid var(--ink); padding: .3rem .9rem .3rem 0; }
td { border-bottom: 1px solid var(--line); padding: .3rem .9rem .3rem 0; vertical-align: top; }
th.n, td.n { text-align: right; padding-left: .9rem; }
td.best { font-weight: 700; }
figure { margin: 1.4rem 0; }
figure img { max-width: 100%; height: auto; display: block; margin: 0 auto; }
figcaption { text-align: center; margin-top: .3rem; }
blockquote { margin: .6rem 0; padding: .3rem 0 .3rem 1rem; border-left: 3px solid var(--accent); max-width: 46rem; }
.pair { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 1rem 3rem; }
details { margin-top: 1rem; }
summary { cursor: pointer; color: var(--accent); }
pre { background: #f6f7f8; padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.45; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.4rem; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
"""


def _text(value: object) -> str:
    return html.escape(str(value))


def _best(rows: Sequence[Row], larger: frozenset[str]) -> dict[str, float]:
    best: dict[str, float] = {}
    for name in _COLUMNS:
        found = [value for row in rows if (value := row.scores.get(name)) is not None and value == value]
        if found and name != "sparsity":
            best[name] = max(found) if name in larger else min(found)
    return best


def _scores(report: PanelReport) -> str:
    pairs = [report.rows[i : i + 2] for i in range(0, len(report.rows), 2)] if report.paired else [report.rows]
    group = "the world" if report.paired else "the column"
    bests = [_best(rows, report.larger) for rows in pairs for _ in rows]
    head = "".join(f'<th class="n">{_text(title)}</th>' for title in ("points", *_COLUMNS.values(), "time"))
    lines = []
    for row, best in zip(report.rows, bests, strict=True):
        cells = [f"<td>{_text(row.solver)}</td>", f'<td class="n">{row.points}</td>']
        for name in _COLUMNS:
            value = row.scores.get(name)
            mark = " best" if value is not None and value == best.get(name) else ""
            cells.append(f'<td class="n{mark}">{number(value)}</td>')
        status = "" if row.status in AS_PLANNED else f" ({_text(row.status)})"
        cells.append(f'<td class="n">{row.seconds:.2f} s{status}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table><thead><tr><th>solver</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
        f'<p class="note">Bold: best of {group}. Hypervolume: larger is better; R2 and IGD+: smaller is better; '
        "sparsity describes the gaps between neighbors and is comparable only between fronts that are equally good. "
        "One run each: differences of this size are not evidence; "
        "<code>paretokit.compare</code> repeats over seeds.</p>"
    )


def _pairs(title: str, values: Mapping[str, str]) -> str:
    lines = "".join(f'<tr><td>{_text(k)}</td><td class="n">{_text(v)}</td></tr>' for k, v in values.items())
    return f"<table><thead><tr><th>{_text(title)}</th><th></th></tr></thead><tbody>{lines}</tbody></table>"


def _picked(picked: Picked) -> str:
    return (
        f"<h3>One solution picked</h3><p>Asked: {_text(picked.asked)}.</p><blockquote>{_text(picked.why)}."
        f'</blockquote><div class="pair">{_pairs("objective", picked.values)}{_pairs("design", picked.design)}</div>'
    )


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.file.read_bytes()).decode("ascii")
    caption = _text(picture.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
    )


def _panel(report: PanelReport, anchor: str) -> str:
    first, *course = [_figure(picture) for picture in report.pictures]
    picked = course.pop() if report.picked else ""
    more = "".join(_figure(picture) for picture in report.more)
    protocol = "".join(f"<dt>{_text(k)}</dt><dd>{_text(v)}</dd>" for k, v in report.protocol.items())
    return (
        f'<section id="{anchor}"><h2>{_text(report.title)}</h2><p>{_text(report.story)}</p>{_scores(report)}'
        f"{first}{''.join(course)}{_picked(report.picked) if report.picked else ''}{picked}{more}"
        f"<details open><summary>Protocol</summary><dl>{protocol}</dl></details>"
        f"<details open><summary>Reproduce the best run</summary><pre>{_text(report.code)}</pre></details></section>"
    )


def write_report(folder: Path, reports: Sequence[PanelReport], seconds: float) -> Path:
    """Write ``report.html`` into a folder and return its path; nothing outside the file is needed to read it."""
    from paretokit.cli._doctor import versions

    links = "".join(f'<a href="#p{i}">{_text(r.title.partition(":")[0])}</a>' for i, r in enumerate(reports))
    made_by = "".join(f"<dt>{_text(k)}</dt><dd>{_text(v)}</dd>" for k, v in versions().items())
    panels = "".join(_panel(report, f"p{i}") for i, report in enumerate(reports))
    n_runs = sum(len(report.rows) for report in reports)
    day = time.strftime("%Y-%m-%d %H:%M")
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>paretokit demo</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>What is traded off, and what is worth it</h1>"
        f'<p class="soft">paretokit demo, {day}: {len(reports)} problems, {n_runs} runs, {seconds:.0f} seconds.</p>'
        f"<nav>{links}</nav>{panels}"
        f"<section><h2>Made with</h2><dl>{made_by}</dl><p>Everything above again: <code>paretokit demo</code>. Equal "
        "seeds, threads and versions give equal bits.</p></section></main></body></html>"
    )
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    return file
