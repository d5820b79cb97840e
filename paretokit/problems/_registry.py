"""The table from problem ids to classes; nothing is imported until an id is made."""

from __future__ import annotations

from typing import Any

from paretokit.core import Problem, Registry, option_names
from paretokit.core import _check as check
from paretokit.problems.adaptation import ADAPTATION
from paretokit.problems.continual import CONTINUAL
from paretokit.problems.design import DESIGN
from paretokit.problems.engineering import ENGINEERING
from paretokit.problems.merging import SUITES
from paretokit.problems.morl._table import OTHERS, TENSOR
from paretokit.problems.multitask import MULTITASK
from paretokit.problems.synthetic import SYNTHETIC

_SUITE = "paretokit.problems.merging._suite:suite"
_MORL = "paretokit.problems.morl._morl:MORL"

PROBLEMS = Registry(
    "problem",
    {**SYNTHETIC, **ENGINEERING, **DESIGN, **MULTITASK, **ADAPTATION, **CONTINUAL, **dict.fromkeys(TENSOR, _MORL)},
)


def make(id: str, **options: Any) -> Problem:  # noqa: A002 - the contract's word
    """Return the problem of a versioned id: ``make("dtlz2-v1", n_objectives=3)``.

    Args:
        id: One of `list()`, an id of MO-Gymnasium whose environment a further package brings, or a suite of merging:
            "merging-mlp-v1", "merging-cnn-v1" or "merging-vit-v1", whose networks are trained when it is first made.
        options: What the class's constructor takes.

    Raises:
        UnknownNameError: For an unknown id or option; the message offers the nearest names.
    """
    if id in TENSOR or id in OTHERS:  # one class, told by MO-Gymnasium's ids
        made: Problem = Registry("problem", {id: _MORL}).make(id, {"environment": id, **options})
    elif id in SUITES:
        trained = Registry("problem", {id: _SUITE})
        check.options(options, set(option_names(trained.get(id))) - {"encoder"}, owner=id)
        made = trained.make(id, {"encoder": SUITES[id], **options})
    else:
        check.known(id, [*PROBLEMS.paths, *OTHERS, *SUITES], kind="problem")
        made = PROBLEMS.make(id, options)
    return made


def ids() -> list[str]:
    """Return the ids of all problems of this package, sorted.

    Two need a further package when they are made, and say which: "aptamers-v1" ViennaRNA and "molecules-v1" RDKit.
    Environments that only another package brings are not among them, nor are suites of merging, which train networks
    when they are first made; `make` takes their ids.
    """
    return PROBLEMS.names()
