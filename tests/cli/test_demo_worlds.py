"""The demo's picture of five worlds: equal work, one scale for both fronts."""

import dataclasses

import pytest
import torch

from paretokit.cli._demo_panels import panels
from paretokit.cli._demo_worlds import MARGIN, WorldsPanel, alike
from paretokit.core import Front


def the_panel():
    found = next(p for p in panels() if p.name == "worlds")
    assert isinstance(found, WorldsPanel)
    return found


def test_equal_fronts_score_alike_whatever_their_units_and_senses():
    t = torch.linspace(0, 1, 5, dtype=torch.float64)
    small = Front.from_values(torch.stack([t, 1 - t], 1), senses=["min", "min"])
    large = Front.from_values(torch.stack([7 - 1000 * t, 1e-6 * (t - 1)], 1), senses=["max", "max"])
    assert alike([small, small])[0] == pytest.approx(alike([large, large])[1])


def test_a_front_that_holds_the_best_of_all_objectives_dominates_the_whole_box():
    best = Front.from_values(torch.zeros(1, 2, dtype=torch.float64))
    worst = Front.from_values(torch.ones(1, 2, dtype=torch.float64))
    good, bad = alike([best, worst])
    assert good["hypervolume"] == pytest.approx(1)
    assert good["r2"] == 0
    assert bad["hypervolume"] == pytest.approx((MARGIN - 1) ** 2 / MARGIN**2)


def test_generic_solvers_get_the_work_of_their_rivals(tmp_path):
    panel = the_panel()
    grid = dataclasses.replace(panel.worlds[-1], work=2_000)
    report = dataclasses.replace(panel, worlds=(grid,)).run(tmp_path, lambda name: 20.0)
    assert [row.solver for row in report.rows] == ["compositional design: OPGFN", "compositional design: NSGA2"]
    spent = report.protocol["Work, compositional design"].replace(",", "").split()
    assert abs(float(spent[0]) - float(spent[2])) <= 200  # a population more or less
    assert report.pictures[0].file.exists()
    for row in report.rows:
        assert 0 < row.scores["hypervolume"] <= 1


def test_each_world_names_solvers_that_take_its_problem():
    for world in the_panel().worlds:
        if world.name == "Model merging":  # whose networks would be trained
            continue
        problem = world.problem()
        world.special.made().check(problem)
        world.generic.made().check(problem)
