"""Rows of figures: one a run, kept in a table on disk so that a killed benchmark goes on where it was."""

from __future__ import annotations

import csv
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results" / "design"


class Table:
    """A CSV file whose first columns are the key of a row.

    Args:
        name: Of the file.
        key: Names of the key's columns.
        folder: Below `benchmarks/results`.
    """

    def __init__(self, name: str, key: Sequence[str], *, folder: str = "design") -> None:
        self.path, self.key = RESULTS.parent / folder / f"{name}.csv", tuple(key)
        self.rows = self._read()

    def find(self, **key: Any) -> dict[str, str] | None:
        """Return the row of a key, or None."""
        wanted = {k: str(v) for k, v in key.items()}
        return next((row for row in self.rows if all(row[k] == v for k, v in wanted.items())), None)

    def once(self, run: Callable[[], dict[str, Any]], **key: Any) -> dict[str, str]:
        """Return the row of a key, running what makes it and writing it where it is not there yet."""
        found = self.find(**key)
        if found is None:
            self.rows = self._read()  # where another process writes too
            found = self.find(**key)
        if found is None:
            begun, cpu = time.perf_counter(), time.process_time()
            made = run()
            seconds = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
            where = {
                "torch": torch.__version__,
                "machine": f"{platform.machine()} CPU, {torch.get_num_threads()} thread",
            }
            found = {k: _text(v) for k, v in {**key, **made, **seconds, **where}.items()}
            self.rows = [*self._read(), found]
            self._write()
        return found

    def _read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))

    def _write(self) -> None:
        columns = list(dict.fromkeys(k for row in self.rows for k in row))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(f".{os.getpid()}.tmp")
        with beside.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        beside.replace(self.path)


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def numbers(rows: Sequence[dict[str, str]], name: str) -> list[float]:
    """Return a column of rows as numbers, those that have it."""
    return [float(row[name]) for row in rows if row.get(name, "") != ""]


def middle(rows: Sequence[dict[str, str]], name: str) -> float:
    """Return the median of a column."""
    return statistics.median(numbers(rows, name))


def interval(rows: Sequence[dict[str, str]], name: str, digits: int) -> str:
    """Return mean and half of the 95 % interval (Student's t) of a column, as text."""
    from scipy.stats import t

    values = numbers(rows, name)
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return f"{statistics.fmean(values):.{digits}f} ± {half:.{digits}f}"
