"""Synthetic test problems with known fronts."""

from __future__ import annotations

_FAMILIES = {
    "_zdt": ("ZDT1", "ZDT2", "ZDT3", "ZDT4", "ZDT5", "ZDT6"),
}

SYNTHETIC: dict[str, str] = {
    f"{name.lower()}-v1": f"{__name__}.{module}:{name}" for module, names in _FAMILIES.items() for name in names
}
