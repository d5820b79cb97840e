"""Tables of results for a paper."""

from __future__ import annotations

from paretokit.bench._report_cells import marked_cells, tested
from paretokit.bench._statistics_table import ScoreTable
from paretokit.core._text import number

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def latex_table(
    table: ScoreTable, *, method: str = "mann-whitney", alpha: float = 0.05, caption: str = "", label: str = ""
) -> str:
    r"""Return a ``table`` environment: medians and quartiles, the best bold, the tied underlined.

    Needs ``\usepackage{booktabs}``. What bold and underlined mean, the test and its error rate are in the caption.

    Args:
        table: Scores; problems become rows, solvers columns.
        method: Test of `pairwise_tests`.
        alpha: Familywise error rate over the whole table.
        caption: First sentence of the caption; the indicator by default.
        label: For ``\ref``; none by default.
    """
    rows = marked_cells(table, method=method, alpha=alpha)
    lines = [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{l{'r' * len(table.solvers)}}}", r"\toprule"]
    lines.append(" & ".join(["", *(escaped(s) for s in table.solvers)]) + r" \\")
    lines.append(r"\midrule")
    for problem, row in zip(table.problems, rows, strict=True):
        shown = []
        for cell in row:
            middle = number(cell.median)
            text = {"best": rf"\textbf{{{middle}}}", "tied": rf"\underline{{{middle}}}"}.get(cell.mark, middle)
            shown.append(rf"{text} {{\scriptsize[{number(cell.low)}, {number(cell.high)}]}}")
        lines.append(" & ".join([escaped(problem), *shown]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines.append(
        rf"\caption{{{escaped(caption) if caption else _claim(table)} {escaped(_reading(table, method, alpha))}}}"
    )
    lines += [rf"\label{{{label}}}"] if label else []
    return "\n".join([*lines, r"\end{table}", ""])


def escaped(text: str) -> str:
    """Return text that LaTeX prints as it is."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _claim(table: ScoreTable) -> str:
    words = table.indicator.replace("_", " ")
    return escaped(f"{words[:1].upper()}{words[1:]}, {'larger' if table.larger else 'smaller'} is better.")


def _reading(table: ScoreTable, method: str, alpha: float) -> str:
    """Return how the table is read."""
    fewest, most = min(map(len, table.seeds)), max(map(len, table.seeds))
    seeds = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    text = f"Median and quartiles over {seeds} seeds; bold: best median"
    if tested(table):
        name = {"mann-whitney": "Mann-Whitney", "wilcoxon": "Wilcoxon signed ranks"}[method]
        text += f"; underlined: not told from the best ({name}, Holm over the table, alpha = {alpha:g})"
    if table.filled:
        text += f"; {len(table.filled)} failed runs count as the worst of their problem"
    return f"{text}."
