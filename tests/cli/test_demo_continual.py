"""The demo's continual panel: scores on test images, a longer stream, and code that reproduces."""

from __future__ import annotations

import dataclasses

import pytest

from paretokit.cli._demo_panels import panels


def short(entrant):
    return dataclasses.replace(entrant, options={**entrant.options, "epochs": 2})


@pytest.fixture(scope="module")
def panel():
    found = next(p for p in panels() if p.name == "continual")
    return dataclasses.replace(
        found,
        options={"train": 16, "validation": 30, "test": 30, "n_features": 16, "seed": 1},
        n_tasks=3,
        entrants=tuple(short(e) for e in found.entrants),
        learners=tuple(short(e) for e in found.learners),
    )


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def report(panel, told, tmp_path_factory):
    def tick(name):
        told.append(name)
        return 60.0

    return panel.run(tmp_path_factory.mktemp("continual"), tick)


def test_the_panel_scores_test_images_and_looks_at_a_longer_stream(panel, report, told):
    assert [row.solver for row in report.rows] == ["IBCL", "PreferenceRehearsal", "GEM", "VCL"]
    assert [row.status for row in report.rows] == ["finished"] * 4
    assert [p.file.name for p in report.pictures] == [f"continual-{x}.png" for x in ("fronts", "learning", "choice")]
    assert [p.file.name for p in report.more] == ["continual-test.png", "continual-tasks.png"]
    assert all(p.file.stat().st_size > 5_000 for p in (*report.pictures, *report.more))
    for name in ("IBCL, all alike", "IBCL, the first only", "GEM", "ExperienceReplay", "VCL"):
        assert f"{name} " in report.more[1].caption
    assert len(told) == panel.n_runs
    assert "60 test images a task" in report.protocol["Scores of the table"]


def test_code_in_the_report_reproduces_the_best_run(report):
    space = {}
    exec(report.code.replace("print(", "choice = ("), space)
    best = max(report.rows, key=lambda row: row.scores["hypervolume"])
    assert space["result"].held_out_scores["hypervolume"] == best.scores["hypervolume"]
    assert space["choice"].why == report.picked.why


def test_runs_out_of_time_leave_a_report(panel, tmp_path):
    report = panel.run(tmp_path, lambda name: 1e-9)
    assert [row.status for row in report.rows] == ["budget"] * 4 or "out of time" in {r.status for r in report.rows}
    assert "IBCL, all alike" not in report.more[1].caption
