"""Synthetic test problems with known fronts."""

from __future__ import annotations

SYNTHETIC: dict[str, str] = {}
