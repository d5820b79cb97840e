"""Engineering design problems with real units."""

from __future__ import annotations

ENGINEERING: dict[str, str] = {}
