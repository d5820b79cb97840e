"""Pictures of statistics: what is drawn is what was computed."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from paretokit import bench, plots
from paretokit.core import Front, InputError, ShapeError, UnknownNameError
from paretokit.plots._attainment import staircase


@pytest.fixture(autouse=True)
def clean_figures():
    mpl.use("Agg")
    rc = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == rc


def table(problems=6, seeds=8):
    draw = np.random.default_rng(0)
    rows = [
        {"problem": f"p{p}", "solver": s, "seed": k, "indicator": "hypervolume", "value": draw.normal(mean)}
        for p in range(problems)
        for s, mean in {"a": 0.0, "b": 0.2, "c": 5.0}.items()
        for k in range(seeds)
    ]
    return bench.score_table(pd.DataFrame(rows), "hypervolume")


def texts(ax):
    return [t.get_text() for t in ax.texts]


def drawn(ax):
    ax.figure.canvas.draw()
    return ax


def fronts(seeds, shift=0.0, senses=("min", "min")):
    angle = np.linspace(0, np.pi / 2, 9)
    flip = np.where([s == "max" for s in senses], -1.0, 1.0)
    arc = 1 - np.column_stack([np.cos(angle), np.sin(angle)])
    return [Front.from_values((arc + shift + 0.02 * k) * flip, senses=senses) for k in range(seeds)]


def test_critical_differences_place_solvers_at_their_ranks():
    found = bench.critical_difference(table())
    ax = drawn(plots.critical_difference(found, title="six problems"))
    assert [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 3] == list(found.ranks)
    words = texts(ax)
    assert f"{found.solvers[0]}  {found.ranks[0]:.2f}" in words
    assert f"critical difference {found.difference:.2f}" in words
    thick = [line for line in ax.lines if line.get_linewidth() == 4.0]
    assert len(thick) == len(found.groups)
    few = bench.critical_difference(table(problems=2))
    ax = drawn(plots.critical_difference(few))
    assert any("too few blocks to tell any two apart" in t.get_text() for t in ax.figure.texts)


def test_intervals_are_drawn_where_they_are():
    frame = bench.aggregate(table())
    ax = drawn(plots.intervals(frame, label="score", larger_is_better=True, order=["a", "b", "c"]))
    bars = [line for line in ax.lines if line.get_linewidth() == 7]
    assert [tuple(bar.get_xdata()) for bar in bars] == list(zip(frame["low"], frame["high"], strict=True))
    assert bars[0].get_color() == "#009E73"
    assert [t.get_text() for t in ax.get_yticklabels()] == list(frame["solver"])
    assert ax.get_xlabel() == "score →"
    with pytest.raises(UnknownNameError, match="`solver` must be a known name; got 'c'"):
        plots.intervals(frame, label="score", order=["a", "b"])


def test_profiles_have_a_line_and_a_band_a_solver():
    frame = bench.performance_profile(table(), resamples=200)
    ax = drawn(plots.performance_profile(frame, label="score"))
    assert len(ax.lines) == len(ax.collections) == 3
    assert ax.lines[0].get_ydata().tolist() == frame[frame["solver"] == "a"]["share"].tolist()


def test_curves_against_cost_have_a_band():
    rows = [
        {"problem": "p", "solver": s, "seed": k, "evaluations": e, "value": e * (k + 1.0)}
        for s in "ab"
        for k in range(4)
        for e in (1, 2, 3)
    ]
    frame = bench.anytime(pd.DataFrame(rows), resamples=200)
    ax = drawn(plots.anytime(frame, indicator="hypervolume", larger_is_better=True, log=True))
    assert ax.lines[0].get_ydata().tolist() == [2.5, 5.0, 7.5]
    assert (ax.get_yscale(), ax.get_title(loc="left"), ax.get_xlabel()) == ("log", "p", "evaluations")
    assert "bands: bootstrap intervals over 4 seeds" in texts(ax)
    with pytest.raises(UnknownNameError, match="`column` must be a known name; got 'work'"):
        plots.anytime(frame, indicator="hypervolume", against="work")
    both = pd.concat([frame, frame.assign(problem="q")])
    with pytest.raises(InputError, match="`frame` must hold one problem"):
        plots.anytime(both, indicator="hypervolume")
    with pytest.raises(InputError, match="`frame` must hold at least one solver; got none"):
        plots.intervals(frame[:0], label="x")


def test_improvement_is_bold_where_the_interval_leaves_one_half_out():
    frame = bench.probability_of_improvement(table())
    ax = drawn(plots.improvement(frame))
    assert ax.get_yticklabels()[0].get_text() == "c"
    bold = {t.get_text() for t in ax.texts if t.get_fontweight() == "bold"}
    sure = frame[(frame["low"] > 0.5) | (frame["high"] < 0.5)]["estimate"]
    assert bold == {f"{v:.2f}" for v in sure}
    with pytest.raises(InputError, match="`frame` must hold at least one pair; got none"):
        plots.improvement(frame[:0])
    with pytest.raises(UnknownNameError, match="got 'low'"):
        plots.improvement(frame.drop(columns="low"))


def test_a_staircase_turns_at_the_points_in_the_users_senses():
    points = np.array([[0.0, 2.0], [1.0, 1.0]])
    corners = staircase(points, [False, False], np.array([3.0, 3.0]))
    assert corners.tolist() == [[0, 3], [0, 2], [1, 2], [1, 1], [3, 1]]
    turned = staircase(-points, [True, True], np.array([-3.0, -3.0]))
    assert (turned == -corners).all()


@pytest.mark.parametrize("senses", [("min", "min"), ("max", "min")])
def test_surfaces_and_differences_are_drawn(senses):
    a, b = fronts(4, senses=senses), fronts(4, 0.05, senses)
    surfaces = {"a": bench.attainment_surfaces(a), "b": bench.attainment_surfaces(b)}
    ax = drawn(plots.attainment(surfaces, title="p"))
    assert len(ax.lines) == 6
    assert [line.get_linewidth() for line in ax.lines[:3]] == [0.8, 1.9, 0.8]
    assert "attained by 25%, 50%, 75% of the runs" in texts(ax)
    ax = drawn(plots.attainment_difference(bench.attainment_difference(a, b), names=("a", "b")))
    assert [t.get_text()[:12] for t in ax.get_legend().get_texts()] == ["a more often", "b more often"]
    assert len(ax.collections) == 1
    with pytest.raises(ShapeError, match="`names` must have two entries; got 1"):
        plots.attainment_difference(bench.attainment_difference(a, b), names=("a",))


def test_surfaces_of_three_objectives_are_not_drawn():
    three = [Front.from_values(np.eye(3))]
    with pytest.raises(InputError, match="`surfaces` must have two objectives to be drawn; got 3"):
        plots.attainment({"a": bench.attainment_surfaces(three)})
    with pytest.raises(InputError, match="`surfaces` must hold a point; got none"):
        plots.attainment({"a": []})


def test_a_difference_without_a_box_is_not_drawn():
    same = bench.attainment_difference(fronts(1) * 3, fronts(1) * 3)
    with pytest.raises(InputError, match="`difference` must hold a box; got none"):
        plots.attainment_difference(same, names=("a", "b"))
