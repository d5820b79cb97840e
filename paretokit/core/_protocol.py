"""How values were measured and how they are scored, kept with every number.

*Measurement* is stamped on a front and cannot be changed: fronts measured differently are never compared.
*Scoring* is free to change, because a front keeps its values.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from paretokit.core._errors import ProtocolError

Point = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was measured, and on which data.

    Attributes:
        split: "selection" (what solvers see) or "held-out".
        discount: Factor a time step, where returns are measured.
        horizon: Time limit in steps.
        episodes: Episodes averaged in one evaluation.
        seeds: Evaluation seeds; disjoint from those that training uses.
        deterministic: Whether policies act by their mode instead of sampling.
    """

    split: str = "selection"
    discount: float | None = None
    horizon: int | None = None
    episodes: int | None = None
    seeds: tuple[int, ...] = ()
    deterministic: bool = True


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What indicators need beside the values, in the user's own senses.

    Attributes:
        reference_point: Worst point that still counts for the hypervolume; None shows no hypervolume.
        ideal: Best value of each objective, for normalization and the R2 utopian point.
        nadir: Worst value of each objective on the true front, for normalization.
        partitions: Simplex lattice partitions of the weight set of R2 and expected utility.
    """

    reference_point: Point | None = None
    ideal: Point | None = None
    nadir: Point | None = None
    partitions: int | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationProtocol:
    """Measurement and scoring together, as a problem holds them."""

    measurement: Measurement = Measurement()
    scoring: Scoring = Scoring()

    def scored(self, scoring: Scoring) -> EvaluationProtocol:
        """Return the protocol with another scoring; the measurement stays."""
        return replace(self, scoring=scoring)


def same_measurement(a: EvaluationProtocol, b: EvaluationProtocol) -> None:
    """Raise `ProtocolError` naming every difference unless both fronts were measured alike."""
    differences = [
        f"{f.name}: {getattr(a.measurement, f.name)!r} against {getattr(b.measurement, f.name)!r}"
        for f in fields(Measurement)
        if getattr(a.measurement, f.name) != getattr(b.measurement, f.name)
    ]
    if differences:
        raise ProtocolError(f"fronts must be measured alike to be compared; they differ in {'; '.join(differences)}")
