"""Settings outside the problem's bounds of coefficients: the message names both, and how to widen the bounds."""

import pytest
from small_merging import small

import paretokit as pk
from paretokit import solvers
from paretokit.core import InputError

OUTSIDE = {
    "scale": (
        solvers.TaskArithmetic(scale=1.5),
        "`scale` must lie in the problem's bounds (0, 1); got 1.5 (or make the problem with bounds=(0, 1.5))",
    ),
    "scales": (
        solvers.TIES(scale=[0.5, -0.25, 3.0]),
        "`scale` must lie in the problem's bounds (0, 1); got -0.25 (or make the problem with bounds=(-0.25, 3))",
    ),
    "dare": (
        solvers.DARE(scale=2.0),
        "`scale` must lie in the problem's bounds (0, 1); got 2 (or make the problem with bounds=(0, 2))",
    ),
    "clamp": (
        solvers.AdaMerging(clamp=(-1.0, 1.0)),
        "`clamp` must lie in the problem's bounds (0, 1); got (-1, 1) (or make the problem with bounds=(-1, 1))",
    ),
    "preferences": (
        solvers.PreferenceMerging(clamp=(0.0, 1.5)),
        "`clamp` must lie in the problem's bounds (0, 1); got (0, 1.5) (or make the problem with bounds=(0, 1.5))",
    ),
    "region": (
        solvers.SurrogateMerging(region=(0.0, 2.0)),
        "`region` must lie in the problem's bounds (0, 1); got (0, 2) (or make the problem with bounds=(0, 2))",
    ),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_the_setting_the_bounds_and_wider_ones_are_named(case):
    solver, line = OUTSIDE[case]
    with pytest.raises(InputError) as caught:
        pk.solve(small(), solver, seed=0, progress=False)
    assert str(caught.value) == line
    assert type(solver).__name__ in solvers.fitting(small())  # with its own settings


@pytest.mark.parametrize("name", ["RegMean", "FisherMerging"])
def test_a_method_without_a_scale_names_the_bounds_that_it_needs(name):
    with pytest.raises(InputError) as caught:
        pk.solve(small(bounds=(0.0, 0.5)), solvers.make(name), seed=0, progress=False)
    due = f"`bounds` must hold 1, the coefficient with which {name} merges; got (0, 0.5)"
    assert str(caught.value) == f"{due} (make the problem with bounds=(0, 1))"
    assert name not in solvers.fitting(small(bounds=(0.0, 0.5)))


def test_averaging_needs_the_reciprocal_of_the_number_of_fine_tunings():
    with pytest.raises(InputError, match=r"`bounds` must hold 0.333333, the coefficient with which WeightAveraging"):
        pk.solve(small(bounds=(0.5, 1.0)), solvers.WeightAveraging(), seed=0, progress=False)


def test_wider_bounds_do_as_the_message_says():
    wide = small(bounds=(0.0, 1.5))
    result = pk.solve(wide, solvers.TaskArithmetic(scale=1.5), seed=0, progress=False)
    assert result.front.info["scale"].tolist() == [1.5]


def test_problems_that_merge_nothing_are_refused_as_before():
    with pytest.raises(pk.core.UnsupportedProblemError, match="TaskArithmetic solves ModelMerging problems; got ZDT1"):
        pk.solve(pk.problems.ZDT1(), solvers.TaskArithmetic(scale=7.0), seed=0, progress=False)
