import dataclasses
import subprocess
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

import paretokit as pk
from paretokit import plots
from paretokit.core import (
    Box,
    Evaluation,
    EvaluationProtocol,
    Front,
    InputError,
    Objective,
    Problem,
    Scoring,
    ShapeError,
    UnknownNameError,
)
from paretokit.plots import _style as style
from paretokit.plots._scatter import limits
from paretokit.plots._view import representatives


@pytest.fixture(autouse=True)
def clean_figures():
    mpl.use("Agg")
    before, rc = plt.get_fignums(), dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == rc
    assert before == []


class Arc(Problem):
    """A quarter circle, one objective to be maximized."""

    id, front_kind = "arc-v1", "exact"
    objectives = (Objective("mass", "min", "kg"), Objective("power", "max", "kW"))
    space = Box(0.0, 1.0, dim=1)
    protocol = EvaluationProtocol(scoring=Scoring(reference_point=(1.1, -0.1)))

    def _evaluate(self, x, rng):
        return Evaluation(torch.cat([x, (2 * x - x * x).sqrt()], -1))

    def pareto_front(self, n=None):
        return self.evaluate(torch.linspace(0, 1, n or 50, dtype=torch.float64)[:, None]).values


def arc(n=9):
    problem = Arc()
    x = torch.linspace(0.1, 0.9, n, dtype=torch.float64)[:, None]
    return Front.of(problem, x, problem.evaluate(x))


def sphere(m, n=40, *, maximize=(), seed=0):
    v = torch.randn(n, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).abs()
    v = v / v.norm(dim=-1, keepdim=True)
    senses = ["max" if i in maximize else "min" for i in range(m)]
    v = v * torch.tensor([-1.0 if i in maximize else 1.0 for i in range(m)])
    return Front.from_values(v, senses=senses, scoring=Scoring(reference_point=(1.1,) * m))


def empty(m):
    return Front.from_values(torch.zeros(0, m))


def texts(ax):
    return [t.get_text() for t in ax.texts]


def drawn(ax):
    """Draw the figure, which is where a broken artist would raise."""
    figure = (ax.flat[0] if isinstance(ax, np.ndarray) else ax).figure
    figure.canvas.draw()
    return ax


KINDS = ["scatter", "parallel", "radar", "heatmap", "matrix"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("front", [sphere(3), empty(3), sphere(3, n=1), sphere(3, maximize=(1,))])
def test_every_kind_draws_every_size_of_front(kind, front):
    ax = drawn(plots.plot(front, kind=kind))
    if kind == "matrix":
        assert ax.shape == (3, 3)
    else:
        assert isinstance(ax, Axes)
        assert ("no feasible point" in texts(ax)) == (len(front) == 0)
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize(("m", "name"), [(2, "rectilinear"), (3, "3d"), (4, "rectilinear"), (7, "rectilinear")])
def test_auto_shows_points_up_to_three_objectives_and_lines_beyond(m, name):
    ax = plots.plot(sphere(m))
    assert ax.name == name
    is_parallel = [t.get_text() for t in ax.get_yticklabels()] == ["worst", "best"]
    assert is_parallel == (m > 3)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "matrix"])
def test_given_axes_are_used_and_returned_and_no_figure_is_registered(kind):
    projection = {"scatter": "3d", "radar": "polar"}.get(kind)
    ax = Figure().add_subplot(projection=projection)
    assert plots.plot(sphere(3), kind=kind, ax=ax) is ax
    assert plt.get_fignums() == []


def test_a_matrix_takes_and_returns_an_array_of_axes():
    grid = Figure().subplots(3, 3)
    assert (plots.scatter_matrix(sphere(3), ax=grid) == grid).all()
    assert plt.get_fignums() == []
    with pytest.raises(ShapeError, match="`ax` must be an array of 3 x 3 axes"):
        plots.scatter_matrix(sphere(3), ax=Figure().subplots(2, 2))


def test_front_plot_is_the_same_door():
    ax = arc().plot()
    assert ax.get_xlabel() == "← mass [kg]"
    assert isinstance(sphere(3).plot(kind="scatter"), Axes3D)


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: plots.plot(arc(), kind="scater"), UnknownNameError, "`kind` must be a known name; .*mean 'scatter'"),
        (lambda: plots.radar(arc()), InputError, "have at least three objectives for a radar; got 2"),
        (lambda: plots.radar(sphere(3), limit=0), InputError, "`limit` must be at least 1; got 0"),
        (lambda: plots.radar(sphere(3), ends=(1, 1)), InputError, "`ends` must be two different finite numbers.* got"),
        (lambda: plots.heat_map({"a": sphere(3)}), InputError, "`front` must be one front for a heat map; got dict"),
        (lambda: plots.scatter(sphere(4)), InputError, "have two or three objectives for a scatter plot; got 4"),
        (lambda: plots.scatter_matrix(sphere(1)), InputError, "have at least two objectives for a scatter matrix"),
        (lambda: plots.parallel_coordinates(sphere(1)), InputError, "have at least two objectives for parallel"),
        (lambda: plots.scatter({}), InputError, "`front` must be a front or hold at least one; got nothing"),
        (lambda: plots.plot({}), InputError, "`front` must be a front or hold at least one; got nothing"),
        (lambda: plots.scatter({"a": 3}), InputError, "`front` must be a Front, or Fronts by name; got int"),
        (lambda: plots.scatter({"a": arc(), "b": sphere(2)}), InputError, "`b` must have the objectives .'mass', 'po"),
        (lambda: plots.scatter(arc(), dominated=torch.zeros(4, 3)), ShapeError, "`dominated` must have shape .k, 2."),
        (lambda: plots.scatter(arc(), highlight=sphere(3)[0]), ShapeError, "`highlight` must have 2 values"),
        (
            lambda: plots.scatter(sphere(3), ax=Figure().add_subplot()),
            InputError,
            "`ax` must be 3d axes .* rectilinear",
        ),
        (
            lambda: plots.scatter(arc(), ax=Figure().add_subplot(projection="3d")),
            InputError,
            "must be rectilinear axes",
        ),
        (lambda: plots.radar(sphere(3), ax=Figure().add_subplot()), InputError, "`ax` must be polar axes .* makes one"),
    ],
)
def test_bad_input_gets_one_line(call, error, line):
    with pytest.raises(error, match=line):
        call()


def test_labels_carry_units_and_arrows_and_the_caption_the_reference_point():
    ax = plots.scatter(arc())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("← mass [kg]", "power [kW] →")
    assert ax.get_title(loc="left") == "arc-v1"
    assert "9 points, reference point (1.1, -0.1); arrows lead to better" in texts(ax)
    single = plots.scatter(Front.from_values([[1.0, 2.0]]))
    assert "1 point; arrows lead to better" in texts(single)
    solid = plots.scatter(sphere(3, maximize=(2,)))
    assert [solid.get_xlabel(), solid.get_zlabel()] == ["f1 (min)", "f3 (max)"]


def test_a_scatter_shows_the_points_the_true_front_and_the_chosen_one():
    front = arc()
    outliers = torch.tensor([[50.0, -50.0], [0.5, 0.2], [float("nan"), 0.0]])
    ax = drawn(plots.scatter(front, dominated=outliers, highlight=front[2]))
    clouds = {c.get_label(): np.asarray(c.get_offsets()) for c in ax.collections}
    assert np.allclose(clouds["front"], front.values)
    assert np.allclose(clouds["chosen"], front[2].values)
    assert clouds["dominated"].shape == (2, 2)
    assert ax.get_xlim()[1] < 1.2
    words = [t.get_text() for t in ax.get_legend().get_texts()]
    assert words == ["exact front", "dominated", "front", "chosen"]
    assert plots.scatter(front, truth=False).get_legend() is None


@pytest.mark.parametrize(
    ("environment", "label"),
    [
        ("deep-sea-treasure-v0", "exact front"),
        ("fishwood-v0", "convex coverage set"),
        ("minecart-v0", "approximate front"),
    ],
)
def test_a_known_front_is_labeled_by_its_kind(environment, label):
    problem = pk.problems.MORL(environment)
    known = problem.pareto_front()
    ax = plots.plot(Front(known[:3], None, problem.objectives, problem.protocol, problem=problem))
    assert label in [text.get_text() for text in ax.get_legend().get_texts()]


def test_several_fronts_have_a_color_a_marker_and_a_name_each():
    ax = drawn(plots.scatter({"one": arc(5), "two": arc(7)}, truth=False))
    one, two = ax.collections
    assert one.get_facecolor()[0].tolist() != two.get_facecolor()[0].tolist()
    assert one.get_paths()[0].vertices.shape != two.get_paths()[0].vertices.shape
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["one", "two"]
    assert any(t.startswith("12 points") for t in texts(ax))


def test_standard_errors_are_drawn_as_bars():
    values = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    front = Front(values, None, arc().objectives, stderr=torch.full((2, 2), 0.25, dtype=torch.float64))
    ax = plots.scatter(front)
    bars = [segment for c in ax.collections if hasattr(c, "get_segments") for segment in c.get_segments()]
    assert len(bars) == 4
    assert np.allclose(sorted(np.ptp(b, axis=0).max() for b in bars), 0.5)


def test_limits_hold_all_fronts_with_a_margin_and_survive_one_point():
    low, high = limits(plots.view(sphere(2, n=1)))
    assert (low < high).all()
    low, high = limits(plots.view(arc(), truth=True))
    assert low[0] == pytest.approx(-0.05)
    assert high[1] == pytest.approx(1.05)
    assert limits(plots.view(empty(2)))[1].tolist() == [1.0, 1.0]


def test_view_gives_goodness_from_the_worst_to_the_best_in_every_sense():
    data = plots.view(Front.from_values([[1.0, 5.0], [2.0, 9.0]], senses=["min", "max"]))
    best, worst = data.ends()
    assert (best.tolist(), worst.tolist()) == ([1.0, 9.0], [2.0, 5.0])
    assert data.goodness(data.values[0]).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    flat = plots.view(Front.from_values([[1.0, 5.0]]))
    assert flat.goodness(flat.values[0]).tolist() == [[0.5, 0.5]]


def test_parallel_lines_run_upwards_to_better():
    front = Front.from_values([[1.0, 5.0, 3.0], [2.0, 9.0, 2.0]], senses=["min", "max", "min"])
    data = plots.parallel_data(front, highlight=front[0])
    assert data.lines[0].tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    assert data.chosen.tolist() == [1.0, 0.0, 0.0]
    assert (data.top.tolist(), data.bottom.tolist()) == ([1.0, 9.0, 2.0], [2.0, 5.0, 3.0])
    ax = drawn(plots.parallel_coordinates(front, highlight=front[0]))
    segments = next(c for c in ax.collections if hasattr(c, "get_segments") and len(c.get_segments()[0]) == 3)
    assert sorted(s[:, 1].tolist() for s in segments.get_segments()) == sorted(data.lines[0].tolist())
    assert {"1", "9", "2", "5", "3"} <= set(texts(ax))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["f1\nmin", "f2\nmax", "f3\nmin"]


def test_parallel_fronts_share_one_scale():
    data = plots.parallel_data({"a": Front.from_values([[0.0, 4.0]]), "b": Front.from_values([[2.0, 0.0]])})
    assert [lines.tolist() for lines in data.lines] == [[[1.0, 0.0]], [[0.0, 1.0]]]


def test_a_radar_draws_the_best_of_each_objective_and_far_apart_others():
    front = sphere(4, n=200, maximize=(1,))
    data = plots.radar_data(front, limit=6, highlight=front[0])
    assert len(data.rows) == 6
    assert len(set(data.rows.tolist())) == 6
    assert set(front.min_values.argmin(0).tolist()) <= set(data.rows.tolist())
    assert data.radii.max(0).tolist() == [1.0] * 4
    assert data.radii.min() >= 0
    assert data.chosen.tolist() == plots.view(front).goodness(front.values.numpy())[0].tolist()
    ax = drawn(plots.radar(front, highlight=front[0]))
    assert len(ax.lines) == 7
    closed = ax.lines[0].get_ydata()
    assert closed[0] == closed[-1]


def test_a_radar_of_several_fronts_has_one_polygon_each_under_its_name():
    sharp = Front.from_values([[0.9, 0.1, 0.1], [0.4, 0.5, 0.6]], senses=["max"] * 3)
    even = Front.from_values([[0.5, 0.5, 2.0]], senses=["max"] * 3)
    fronts = {"sharp": sharp, "none": dataclasses.replace(sharp, values=sharp.values[:0], info={}), "even": even}
    data = plots.radar_data(fronts, ends=(0, 1))
    assert data.names == ("sharp", "even")
    assert data.rows.tolist() == [1, 0]  # of the larger mean
    assert data.radii.tolist() == [[0.4, 0.5, 0.6], [0.5, 0.5, 1.0]]  # never beyond the rim
    ax = drawn(plots.radar(fronts, ends=(0, 1)))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["sharp", "even"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["f1", "f2", "f3"]
    assert any("rim: 1, center: 0" in text for text in texts(ax))
    assert plots.radar_data({"sharp": sharp, "even": even}).radii.max() == 1  # relative to what is shown


def test_representatives_of_a_line_are_its_ends_and_its_middle():
    line = torch.linspace(0, 1, 101, dtype=torch.float64)
    front = Front.from_values(torch.stack([line, 1 - line], -1))
    rows = representatives(plots.view(front), 3)
    assert sorted(front.values[rows, 0].tolist()) == [0.0, 0.5, 1.0]
    assert representatives(plots.view(arc(4)), 6).tolist() == [0, 1, 2, 3]


def test_a_heat_map_sorts_by_the_first_objective_and_frames_the_chosen_row():
    front = Front.from_values([[3.0, 1.0, 1.0], [1.0, 3.0, 2.0], [2.0, 2.0, 3.0]], senses=["min", "min", "max"])
    data = plots.heat_map_data(front, highlight=front[2])
    assert data.values[:, 0].tolist() == sorted(front.values[:, 0].tolist())
    assert data.cells[0].tolist() == [1.0, 0.0, 0.5]
    assert data.values[data.chosen].tolist() == front[2].values.tolist()
    assert front.values[data.rows].tolist() == data.values.tolist()
    ax = drawn(plots.heat_map(front, highlight=front[2]))
    assert ax.images[0].get_array().tolist() == data.cells.tolist()
    assert len(ax.patches) == 1
    assert "3" in texts(ax)
    assert len(texts(drawn(plots.heat_map(sphere(3, n=60))))) == 1  # the caption only: too many rows to write in
    elsewhere = plots.heat_map_data(front, highlight=sphere(3)[0])
    assert elsewhere.chosen is None


def test_a_matrix_shows_every_pair_once_and_each_distribution():
    front = sphere(3)
    grid = drawn(plots.scatter_matrix(front, highlight=front[0], dominated=torch.rand(9, 3)))
    for i, j in np.ndindex(3, 3):
        ax = grid[i, j]
        clouds = {c.get_label(): np.asarray(c.get_offsets()) for c in ax.collections}
        if j > i:
            assert not ax.axison
        elif i == j:
            assert sum(p.get_height() for p in ax.patches) == len(front)
        else:
            assert np.allclose(clouds["front"], front.values[:, [j, i]])
    assert grid[2, 0].get_xlabel() == "← f1"
    assert grid[1, 0].get_ylabel() == "← f2"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 4, "0"),
        (1.1, 4, "1.1"),
        (40000.0, 4, "40000"),
        (27468.3, 4, "27470"),
        (-0.012345, 3, "-0.0123"),
        (999.96, 4, "1000"),
        (1234567.0, 3, "1.23e+06"),
        (1e-7, 3, "1e-07"),
    ],
)
def test_numbers_are_short_and_carry_the_given_digits(value, digits, text):
    assert style.number(value, digits) == text


def test_colors_are_distinct_and_repeat():
    assert len(set(style.PALETTE)) == len(style.PALETTE) == 8
    assert style.color(9) == style.PALETTE[1]


def test_nothing_of_a_picture_lies_outside_its_figure():
    """Labels, captions and legends stay inside what the constrained layout leaves them."""
    long = [Objective("specific fuel consumption", "min", "g/kWh"), *(Objective(f"f{i}", "max") for i in range(5))]
    values = sphere(6, maximize=range(1, 6)).values
    front = Front.from_values(values, objectives=long, scoring=Scoring(reference_point=(12345.6,) * 6))
    for ax in (plots.scatter(arc()), plots.plot(front), plots.heat_map(front), plots.scatter(sphere(3))):
        drawn(ax)
        figure = ax.figure
        tight = figure.get_tightbbox(figure.canvas.get_renderer())
        width, height = figure.get_size_inches()
        assert tight.x0 >= -0.02
        assert tight.y0 >= -0.02
        assert tight.x1 <= width + 0.02
        assert tight.y1 <= height + 0.02


def test_importing_the_room_does_not_import_matplotlib():
    code = "import sys, paretokit.plots; print([m for m in ('matplotlib', 'pandas') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
