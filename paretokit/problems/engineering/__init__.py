"""Engineering design problems with real units: the RE and CRE suites of Tanabe and Ishibuchi (2020).

RE problems sum violated constraints into a last objective, as published; CRE problems keep them as constraints.
Nothing is imported until a problem is made.
"""

from __future__ import annotations

_MODULES = {
    "_four_bar_truss": ("RE21",),
    "_concrete_beam": ("RE22",),
    "_pressure_vessel": ("RE23",),
    "_hatch_cover": ("RE24",),
    "_coil_spring": ("RE25",),
    "_two_bar_truss": ("RE31", "CRE21"),
    "_welded_beam": ("RE32", "CRE22"),
    "_disc_brake": ("RE33", "CRE23"),
    "_crashworthiness": ("RE34",),
    "_speed_reducer": ("RE35", "CRE24"),
    "_gear_train": ("RE36", "CRE25"),
    "_rocket_injector": ("RE37",),
    "_side_impact": ("RE41", "CRE31"),
    "_marine_design": ("RE42", "CRE32"),
    "_water_planning": ("RE61", "CRE51"),
    "_cab_design": ("RE91",),
}

ENGINEERING: dict[str, str] = {
    f"{name.lower()}-v1": f"{__name__}.{module}:{name}" for module, names in _MODULES.items() for name in names
}

__all__ = ["ENGINEERING"]
