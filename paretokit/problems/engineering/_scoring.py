"""Ideal and nadir point of every engineering problem's front, written by `benchmarks/re_fronts.py`."""

from __future__ import annotations

from collections.abc import Mapping

Point = tuple[float, ...]

EXTREMES: Mapping[str, tuple[Point, Point]] = {}
