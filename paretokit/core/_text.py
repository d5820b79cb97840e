"""Numbers as people read them."""

from __future__ import annotations

import math


def number(value: float, digits: int = 4) -> str:
    """Return a value with so many significant digits, without an exponent where it is short that way.

    >>> number(22000.0), number(0.012345), number(1e-9)
    ('22000', '0.01235', '1e-09')
    """
    if not math.isfinite(value) or (value != 0 and not 1e-4 <= abs(value) < 1e6):
        return f"{value:.{digits}g}"
    places = digits - 1 - math.floor(math.log10(abs(value))) if value else 0
    text = f"{round(value, places):.{max(0, places)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
