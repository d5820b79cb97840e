"""Picking one solution of a front."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from paretokit.core import Front, to_min
from paretokit.core import _check as check
from paretokit.decision._choice import Choice
from paretokit.decision._knee import knee
from paretokit.decision._pseudo_weights import pseudo_weights
from paretokit.decision._scale import Preference, aspiration_of, extremes, non_empty, preference_of, scaled
from paretokit.decision._topsis import topsis
from paretokit.decision._why import why
from paretokit.scalarization import achievement, augmented_tchebycheff, weighted_sum

Rule = Callable[[Front, Tensor], Tensor]

RHO = 1e-3


def _tchebycheff(front: Front, w: Tensor) -> Tensor:
    return augmented_tchebycheff(scaled(front), weights=w, rho=RHO)


def _linear(front: Front, w: Tensor) -> Tensor:
    return weighted_sum(front.min_values.to(torch.float64), weights=w)


def _pseudo(front: Front, w: Tensor) -> Tensor:
    return (pseudo_weights(front) - w).abs().sum(-1)


# Scores by rule, the least of which is chosen; "asf" stands apart because it needs an aspiration point.
_RULES: Mapping[str, Rule] = {
    "knee": lambda front, _: -knee(front),
    "linear": _linear,
    "pseudo-weights": _pseudo,
    "tchebycheff": _tchebycheff,
    "topsis": lambda front, w: -topsis(front, w),
}


def _achievement(front: Front, w: Tensor, z: Tensor) -> Tensor:
    ideal, span = extremes(front)
    return achievement(scaled(front), weights=w, utopian=(z - ideal) / span, rho=RHO)


def rules() -> list[str]:
    """Return the names of all decision rules, sorted."""
    return sorted([*_RULES, "asf"])


def pick(
    front: Front,
    preference: Preference | None = None,
    *,
    rule: str = "tchebycheff",
    aspiration: Preference | None = None,
) -> Choice:
    """Return one solution of a front, with a sentence on what was given up for what.

    ================ ================================================================================================
    rule             what is chosen
    ================ ================================================================================================
    "tchebycheff"    least augmented Tchebycheff distance from the ideal, values scaled by the front's ideal and nadir
    "linear"         least raw weighted sum, in the objectives' own units
    "asf"            best achievement of an aspiration point, on scaled values; aspired values may be out of reach
                     or already exceeded
    "knee"           deepest bulge (see `knee`); takes no preference
    "pseudo-weights" pseudo-weights nearest to the preference, by the sum of absolute differences
    "topsis"         largest relative closeness to the ideal (see `topsis`)
    ================ ================================================================================================

    All but "linear" choose the same solution whatever the units and zeros of the objectives. Ties go to the solution
    that is better in the first objective, then the second, whatever the order of rows.

    Args:
        front: The front; not empty.
        preference: One non-negative entry an objective, larger matters more; scaled to sum to one (where
            `result.at` wants a point of the simplex); equal by default.
        rule: See the table.
        aspiration: Hoped-for values in the user's senses; with the default rule, the rule becomes "asf".

    Raises:
        InputError: If the front is empty, the preference negative or all zero, or an aspiration is missing or
            given to a rule that takes none, or a preference to "knee".
        ShapeError: If preference or aspiration do not have one entry an objective.
        UnknownNameError: For an unknown rule.

    Cost: O(nm).
    """
    check.known(rule, rules(), kind="rule")
    if aspiration is not None:
        hint = "use rule='asf', or leave it out"
        check.that(rule in ("tchebycheff", "asf"), "aspiration", f"be None for rule {rule!r}", aspiration, hint)
        rule = "asf"
    check.that(preference is None or rule != "knee", "preference", "be None for rule 'knee'", preference)
    non_empty(front)
    w = preference_of(front, preference)
    z = aspiration_of(front, aspiration) if rule == "asf" else None
    scores = _RULES[rule](front, w) if z is None else _achievement(front, w, z)
    index = _first_best(scores, front.min_values)
    return Choice(
        solution=front[index],
        rule=rule,
        preference=None if rule == "knee" else tuple(w.tolist()),
        aspiration=None if z is None else tuple(to_min(z, front.objectives).tolist()),
        why=why(front, index),
    )


def _first_best(scores: Tensor, values: Tensor) -> int:
    """Return the row of least score; among equals, the lexicographically least values."""
    rows: list[int] = (scores == scores.min()).nonzero().flatten().tolist()
    return min(rows, key=lambda row: values[row].tolist())
