"""The demo's adaptation panel: its rows, its pictures, and code that gives the same network again."""

from __future__ import annotations

import dataclasses

import pytest

from paretokit.cli._demo_panels import panels


@pytest.fixture(scope="module")
def panel():
    """The panel with a few steps."""
    found = next(p for p in panels() if p.name == "adaptation")
    entrants = tuple(
        dataclasses.replace(e, options={**e.options, "steps": 4, "evaluate_every": 2}) for e in found.entrants
    )
    return dataclasses.replace(found, entrants=entrants, options={"n": 60})


@pytest.fixture(scope="module")
def report(panel, tmp_path_factory):
    told = []
    found = panel.run(tmp_path_factory.mktemp("panel"), lambda name: told.append(name) or 60.0)
    assert len(told) == panel.n_runs
    return found


def test_the_panel_trains_draws_and_picks(report):
    assert [row.solver for row in report.rows] == ["WeightedDA", "ParetoDA", "GradientDescent"]
    assert {row.status for row in report.rows} == {"finished"}
    assert [p.file.name for p in report.pictures] == [f"adaptation-{x}.png" for x in ("fronts", "training", "choice")]
    assert [p.file.name for p in report.more] == ["adaptation-predictions.png"]
    assert all(p.file.stat().st_size > 5_000 for p in (*report.pictures, *report.more))
    assert report.picked.design["target accuracy, which nobody could see"].endswith("%")
    assert "held out" in report.protocol["Problem"]


def test_code_in_the_report_reproduces_the_choice(report):
    space = {}
    exec(report.code.replace("print(", "choice = ("), space)
    assert space["choice"].why == report.picked.why
    accuracy = float(space["problem"].target_accuracy(space["choice"].x.unsqueeze(0))[0])
    assert f"{accuracy:.1%}" == report.picked.design["target accuracy, which nobody could see"]


def test_runs_end_with_the_panels_steps():
    found = next(p for p in panels() if p.name == "adaptation")
    assert {entrant.options["steps"] for entrant in found.entrants} == {found.steps}
