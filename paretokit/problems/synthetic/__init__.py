"""Synthetic test problems with known fronts."""

from __future__ import annotations

_FAMILIES = {
    "_zdt": ("ZDT1", "ZDT2", "ZDT3", "ZDT4", "ZDT5", "ZDT6"),
    "_dtlz": ("DTLZ1", "DTLZ2", "DTLZ3", "DTLZ4", "DTLZ5", "DTLZ6", "DTLZ7"),
    "_dtlz_forms": (
        *("SDTLZ1", "SDTLZ2", "SDTLZ3", "SDTLZ4"),
        *("IDTLZ1", "IDTLZ2", "IDTLZ3", "IDTLZ4"),
        *("MinusDTLZ1", "MinusDTLZ2", "MinusDTLZ3", "MinusDTLZ4"),
        *("ConvexDTLZ2", "ConvexDTLZ4"),
    ),
    "_cdtlz": ("C1DTLZ1", "C1DTLZ3", "C2DTLZ2", "C3DTLZ1", "C3DTLZ4"),
    "_dcdtlz": ("DC1DTLZ1", "DC1DTLZ3", "DC2DTLZ1", "DC2DTLZ3", "DC3DTLZ1", "DC3DTLZ3"),
    "_classics": ("BNH", "OSY", "SRN", "TNK"),
    "_ctp": ("CTP1", "CTP2", "CTP3", "CTP4", "CTP5", "CTP6", "CTP7", "CTP8"),
    "_wfg": ("WFG1", "WFG2", "WFG3", "WFG4", "WFG5", "WFG6", "WFG7", "WFG8", "WFG9"),
}

SYNTHETIC: dict[str, str] = {
    f"{name.lower()}-v1": f"{__name__}.{module}:{name}" for module, names in _FAMILIES.items() for name in names
}
