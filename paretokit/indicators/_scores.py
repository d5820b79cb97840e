"""Scores of a front under its own protocol: what tables, histories and comparisons show."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from paretokit.core import Front, InputError, ParetoWarning, Scoring
from paretokit.core import _check as check
from paretokit.core._objective import to_min
from paretokit.indicators import _distances as distances
from paretokit.indicators import _epsilon as epsilon
from paretokit.indicators._coverage import cardinality
from paretokit.indicators._hypervolume import hypervolume
from paretokit.indicators._r2 import r2
from paretokit.indicators._r2_exact import r2_exact
from paretokit.indicators._spacing import spacing
from paretokit.indicators._sparsity import sparsity
from paretokit.indicators._weights import lattice_size, simplex_lattice

STANDARD = ("hypervolume", "r2", "sparsity", "igd_plus", "cardinality")
_MAX_TRUE_POINTS = 5000


@dataclass(frozen=True)
class _Measured:
    """A front in min sense with what its indicators need.

    Attributes:
        front: The front.
        scoring: Reference point, ideal, nadir, partitions.
    """

    front: Front
    scoring: Scoring

    @property
    def values(self) -> Tensor:
        return self.front.min_values

    def point(self, name: str) -> Tensor:
        """Return a point of the scoring in min sense, or raise what is missing."""
        given = getattr(self.scoring, name)
        if given is None:
            raise InputError(
                check.message(name, "be known for this indicator", None, f"pass scoring=Scoring({name}=…)")
            )
        point = check.point(name, given, len(self.front.objectives), like=self.front.values)
        return to_min(point, self.front.objectives)

    @cached_property
    def true_front(self) -> Tensor:
        """The problem's known front in min sense."""
        problem = self.front.problem
        known = None if problem is None else problem.pareto_front()
        if known is None:
            raise InputError("this indicator needs the true front, which is not known for this problem")
        return to_min(known.to(self.front.values), self.front.objectives)

    @cached_property
    def normalized(self) -> Tensor:
        """Values with the ideal at 0 and the nadir at 1."""
        low, high = self.point("ideal"), self.point("nadir")
        return (self.values - low) / (high - low).clamp_min(torch.finfo(self.values.dtype).tiny)

    @cached_property
    def weights(self) -> Tensor:
        """A simplex lattice of about 500 weights, or of the scoring's own partitions."""
        m = len(self.front.objectives)
        partitions = self.scoring.partitions
        if partitions is None:
            partitions = next(h for h in range(1, 1001) if h == 499 or lattice_size(m, h) >= 495)
        return simplex_lattice(m, partitions).to(self.values)


def _r2(front: _Measured) -> float:
    zero = torch.zeros(len(front.front.objectives), dtype=front.values.dtype)
    return float(r2(front.normalized, front.weights, utopian_point=zero))


@dataclass(frozen=True)
class _Score:
    compute: Callable[[_Measured], object]
    larger: bool


_TABLE: dict[str, _Score] = {
    "hypervolume": _Score(lambda f: hypervolume(f.values, f.point("reference_point")), larger=True),
    "r2": _Score(_r2, larger=False),
    "r2_exact": _Score(lambda f: r2_exact(f.normalized, torch.zeros_like(f.point("ideal"))), larger=False),
    "sparsity": _Score(lambda f: sparsity(f.values), larger=False),
    "spacing": _Score(lambda f: spacing(f.values), larger=False),
    "cardinality": _Score(lambda f: cardinality(f.values), larger=True),
    "igd": _Score(lambda f: distances.igd(f.values, f.true_front), larger=False),
    "igd_plus": _Score(lambda f: distances.igd_plus(f.values, f.true_front), larger=False),
    "gd": _Score(lambda f: distances.gd(f.values, f.true_front), larger=False),
    "gd_plus": _Score(lambda f: distances.gd_plus(f.values, f.true_front), larger=False),
    "averaged_hausdorff": _Score(lambda f: distances.averaged_hausdorff(f.values, f.true_front), larger=False),
    "epsilon_additive": _Score(lambda f: epsilon.epsilon_additive(f.values, f.true_front), larger=False),
}


def score_many(fronts: Iterable[Front], name: str, *, scoring: Scoring | None = None) -> list[float]:
    """Return one indicator of several fronts of the same problem (the true front is made once)."""
    check.known(name, _TABLE, kind="indicator")
    out: list[float] = []
    true_front: Tensor | None = None
    for front in fronts:
        measured = _Measured(front, scoring or front.protocol.scoring)
        if true_front is not None:
            measured.__dict__["true_front"] = true_front
        out.append(float(_TABLE[name].compute(measured)))  # type: ignore[arg-type]
        true_front = measured.__dict__.get("true_front")
    return out


def score(front: Front, name: str, *, scoring: Scoring | None = None) -> float:
    """Return one indicator of a front under its protocol.

    Args:
        front: The front.
        name: One of `score_names()`. "r2" is the discrete R2 of values normalized by ideal and nadir, with the ideal as
            utopian point, Tchebycheff utility and a simplex lattice of about 500 weights (the scoring's `partitions`
            replaces it).
        scoring: Replaces the protocol's reference point, ideal and nadir.

    Raises:
        UnknownNameError: For an unknown indicator; the nearest are offered.
        InputError: If the scoring or the problem lacks what the indicator needs.
    """
    if name == "hypervolume" and scoring is not None:
        _note_inside(front, scoring)
    return score_many([front], name, scoring=scoring)[0]


def _note_inside(front: Front, scoring: Scoring) -> None:
    """Warn where a reference point that the caller chose cuts points of the front off."""
    if scoring.reference_point is None or not len(front):
        return
    measured = _Measured(front, scoring)
    beyond = int((measured.values >= measured.point("reference_point")).any(-1).sum())
    if beyond:
        line = check.message(
            "reference_point",
            "be worse than every point of the front",
            tuple(scoring.reference_point),
            f"{beyond} of {len(front)} points do not lie strictly within it and count nothing",
        )
        warnings.warn(line, ParetoWarning, stacklevel=4)


def scores(front: Front, scoring: Scoring | None = None) -> dict[str, float]:
    """Return the standard indicators (hypervolume, R2, sparsity, IGD+, cardinality) that are defined for a front."""
    used = scoring or front.protocol.scoring
    known = front.problem is not None and front.problem.front_kind != "unknown"
    defined = {
        "hypervolume": used.reference_point is not None,
        "r2": used.ideal is not None and used.nadir is not None,
        "igd_plus": known,
    }
    if scoring is not None:
        _note_inside(front, scoring)
    return {name: score_many([front], name, scoring=used)[0] for name in STANDARD if defined.get(name, True)}


def score_names() -> list[str]:
    """Return the names that `score` knows, sorted."""
    return sorted(_TABLE)


def better(name: str, a: float, b: float) -> bool:
    """Tell whether score `a` of an indicator is strictly better than `b` (NaN is better than nothing)."""
    check.known(name, _TABLE, kind="indicator")
    return a > b if _TABLE[name].larger else a < b


def larger_is_better(name: str) -> bool:
    """Tell whether larger values of an indicator are better."""
    check.known(name, _TABLE, kind="indicator")
    return _TABLE[name].larger
