"""``paretokit plot``: a picture of fronts that lie in files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from paretokit.cli._fronts import ReadFront, read_fronts
from paretokit.core import Front
from paretokit.core import _check as check


def _layers(read: list[ReadFront]) -> Front | dict[str, Front]:
    """Return one front, or several by the shortest of their names that tell them apart."""
    if len(read) == 1:
        return read[0].front
    for depth in (1, 2, 3):
        names = ["/".join(Path(one.name).with_suffix("").parts[-depth:]) for one in read]
        if len(set(names)) == len(names):
            return {name: one.front for name, one in zip(names, read, strict=True)}
    names = [one.name for one in read]
    check.that(len(set(names)) == len(names), "front", "be given once each", ", ".join(names))
    return {one.name: one.front for one in read}


def draw(read: list[ReadFront], kind: str, title: str) -> Any:
    """Return a figure, which no window system knows of, of fronts.

    Raises:
        InputError: If the kind does not suit the number of objectives or fronts.
    """
    from paretokit import plots
    from paretokit.cli._pictures import figure
    from paretokit.plots import _style as style

    m = len(read[0].front.objectives)
    kind = ("scatter" if m in (2, 3) else "parallel") if kind == "auto" else kind
    check.that(kind != "scatter" or m in (2, 3), "kind", "suit the number of objectives", f"'scatter' for {m} of them")
    made = figure(*((2.1 * m, 2.1 * m) if kind == "matrix" else (max(5.6, 1.5 * m), 4.4)))
    if kind == "matrix":
        plots.scatter_matrix(_layers(read), ax=made.subplots(m, m, squeeze=False))
        made.suptitle(title)
    else:
        projection = "polar" if kind == "radar" else "3d" if kind == "scatter" and m == 3 else None
        ax = made.add_subplot(projection=projection)
        plots.plot(_layers(read), kind=kind, ax=ax)
        style.titled(ax, title)
    return made


def run(args: argparse.Namespace) -> int:
    """Write the picture and say where it is."""
    read = read_fronts(args)
    made = draw(read, args.kind, args.title)
    known = sorted(made.canvas.get_supported_filetypes())
    form = args.out.suffix.removeprefix(".").lower()
    hint = check.nearest(form, known) or f"one of {', '.join(f'.{name}' for name in known)}"
    check.that(form in known, "out", "end in a format of pictures", repr(str(args.out)), hint)
    made.savefig(args.out, dpi=150, bbox_inches="tight", pad_inches=0.12, facecolor="white")
    print(f"wrote {args.out}")
    return 0
