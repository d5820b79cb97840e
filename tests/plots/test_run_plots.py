import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import paretokit as pk
from paretokit import plots
from paretokit.core import InputError, UnknownNameError
from paretokit.plots._convergence import held


@pytest.fixture(autouse=True)
def clean_figures():
    mpl.use("Agg")
    rc = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == rc


def texts(ax):
    return [t.get_text() for t in ax.texts]


def drawn(ax):
    """Draw the figure, which is where a broken artist would raise."""
    ax.figure.canvas.draw()
    return ax


def frame(solver, seed, evaluations, values):
    return pd.DataFrame({"solver": solver, "seed": seed, "evaluations": evaluations, "value": values})


def test_convergence_carries_values_forward_and_takes_quartiles_over_seeds():
    data = pd.concat(
        [
            frame("a", 0, [10, 30], [1.0, 2.0]),
            frame("a", 1, [20, 40], [3.0, 5.0]),
            frame("a", 2, [10, 20], [0.0, 8.0]),
            frame("b", 0, [5], [7.0]),
        ]
    )
    a, b = plots.convergence_data(data)
    assert (a.name, a.seeds, b.name, b.seeds) == ("a", 3, "b", 1)
    assert a.cost.tolist() == [20.0, 30.0, 40.0]
    assert a.median.tolist() == [3.0, 3.0, 5.0]
    assert a.low.tolist() == [2.0, 2.5, 3.5]
    assert a.high.tolist() == [5.5, 5.5, 6.5]
    assert b.median.tolist() == [7.0]


def test_held_values_are_those_of_a_step_function():
    cost, values = np.array([1.0, 2.0, 4.0]), np.array([5.0, 6.0, 7.0])
    assert held(cost, values, np.array([1.0, 1.5, 2.0, 3.9, 4.0, 9.0])).tolist() == [5, 5, 6, 6, 7, 7]


def test_convergence_draws_a_band_only_where_there_are_several_seeds():
    data = pd.concat([frame("a", s, [1, 2, 3], [s, s + 1, s + 2]) for s in range(5)])
    ax = drawn(plots.convergence(data, larger_is_better=True, title="dtlz2-v1"))
    assert len(ax.collections) == 1
    assert ax.get_ylabel() == "hypervolume →"
    assert "median and interquartile range, 5 seeds" in texts(ax)
    assert ax.lines[0].get_ydata().tolist() == [2.0, 3.0, 4.0]
    single = frame("a", 0, [1, 2], [0.1, 0.01]).rename(columns={"value": "igd_plus"})
    ax = drawn(plots.convergence(single, indicator="igd_plus", larger_is_better=False, log=True))
    assert len(ax.collections) == 0
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "← igd plus"
    assert "one run" in texts(ax)


def test_work_is_labeled_with_the_problems_unit():
    tree = pk.problems.MORL("fruit-tree-v0")
    search = pk.solvers.RandomSearch(pop_size=4)
    result = pk.solve(tree, search, budget=pk.Budget(iterations=2), progress=False)
    assert plots.convergence(result, against="work").get_xlabel() == "work [environment steps]"
    assert plots.convergence({"a": [result, result]}, against="work").get_xlabel() == "work [environment steps]"
    table = pk.compare(tree, [search], seeds=1, budget=pk.Budget(iterations=2), progress=False)
    frame = table.convergence(against="work")
    assert plots.convergence(frame, against="work").get_xlabel() == "work [environment steps]"
    other = pk.solve(pk.problems.ZDT1(), search, budget=pk.Budget(iterations=2), progress=False)
    assert plots.convergence({"a": result, "b": other}, against="work").get_xlabel() == "work"


def test_long_convergence_is_thinned_on_a_grid():
    many = np.arange(1, 2001)
    (curve,) = plots.convergence_data(frame("a", 0, many, many / 2.0))
    assert len(curve.cost) == 500
    assert np.allclose(curve.median, np.floor(curve.cost) / 2)


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (
            lambda: plots.convergence(frame("a", 0, [1], [1.0]), against="evalutions"),
            UnknownNameError,
            "`column` must be a known name; got 'evalutions' .did you mean 'evaluations'",
        ),
        (lambda: plots.convergence(frame("a", 0, [1], [np.nan])), InputError, "`hypervolume` must have finite values"),
        (lambda: plots.convergence([3]), InputError, "`data` must be a frame or hold results; got int"),
        (lambda: plots.convergence([]), InputError, "`data` must hold at least one result"),
        (lambda: plots.comparison({}, indicator="hv"), InputError, "`values` must hold at least one solver"),
        (lambda: plots.comparison({"a": [np.nan]}, indicator="hv"), InputError, "`values` must hold finite scores"),
        (
            lambda: plots.comparison({"a": [1.0]}, indicator="hv", kind="violin"),
            InputError,
            "`kind` must be one of .*; got 'violin'",
        ),
    ],
)
def test_bad_runs_get_one_line(call, error, line):
    with pytest.raises(error, match=line):
        call()


def test_a_comparison_shows_every_score_its_quartiles_and_what_is_missing():
    values = {"NSGA2": [1.0, 2.0, 3.0, 4.0, 5.0], "other": [2.0, np.nan, np.inf], "none": [np.nan]}
    data = plots.comparison_data(values)
    assert data.quartiles[0].tolist() == [2.0, 3.0, 4.0]
    assert data.dropped == 3
    assert all((abs(o) < 0.5).all() for o in data.offsets)
    assert len(set(data.offsets[0].tolist())) == 5
    ax = drawn(plots.comparison(values, indicator="hypervolume", larger_is_better=True, title="t"))
    assert sorted(ax.collections[0].get_offsets()[:, 0].tolist()) == values["NSGA2"]
    box = ax.patches[0]
    assert (box.get_x(), box.get_x() + box.get_width()) == (2.0, 4.0)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(values)
    assert "no finite score" in texts(ax)
    assert "median and interquartile range, 1 to 5 seeds; 3 not finite" in texts(ax)


@pytest.mark.parametrize(("kind", "boxes", "dots"), [("both", 1, 1), ("box", 1, 0), ("strip", 0, 1)])
def test_a_comparison_is_a_box_a_strip_or_both(kind, boxes, dots):
    ax = drawn(plots.comparison({"a": [1.0, 2.0]}, indicator="hv", kind=kind))
    assert (len(ax.patches), len(ax.collections)) == (boxes, dots)
