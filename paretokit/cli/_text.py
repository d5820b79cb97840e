"""Plain tables for terminals."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool] = ()) -> str:
    """Return rows of text under a head, columns padded to equal width.

    Args:
        head: Column titles.
        rows: As many cells as titles each.
        right: Whether a column is aligned to the right; left by default.
    """
    aligned = [*right, *[False] * (len(head) - len(right))]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, aligned, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    lines.insert(1, "  ".join("─" * w for w in widths))
    return "\n".join(lines)


def number(value: float | None, *, digits: int = 4) -> str:
    """Return a short number, or a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}g}"
