"""The demo's merging panel: equal work, scores on test images, eight accuracies by method."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import paretokit as pk
from paretokit.cli import _demo, main
from paretokit.cli import _pictures as draw
from paretokit.cli._demo_panels import panels
from paretokit.core import MissingPackageError

TINY = {"width": 16, "depth": 1, "train": 60, "styled": 40, "validation": 40, "test": 60}
TINY |= {"pretraining_steps": 4, "finetuning_steps": 10, "finetuning_rate": 1e-2}


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    """The panel on networks of a second's training, shortly searched."""
    found = next(p for p in panels() if p.name == "merging")
    first, second, nsga2, _ = found.entrants
    *forms, adamerging = found.methods
    entrants = (
        dataclasses.replace(first, options={**first.options, "steps": 6, "evaluate_every": 3}),
        dataclasses.replace(second, options={"evaluations": 12}),
        dataclasses.replace(nsga2, options={"pop_size": 8}),
    )
    learned = dataclasses.replace(adamerging, options={**adamerging.options, "steps": 4})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield dataclasses.replace(found, size=TINY, entrants=entrants, methods=(*forms, learned), work=10_000)


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def report(panel, told, tmp_path_factory):
    return panel.run(tmp_path_factory.mktemp("panel"), lambda name: told.append(name) or 60.0)


def test_entrants_spend_about_equal_work():
    found = next(p for p in panels() if p.name == "merging")
    m, images = len(found.tasks), 200 * len(found.tasks)
    preference, surrogate, *searches = found.entrants
    solver = preference.made()
    measured = 1 + solver.steps // solver.evaluate_every
    spent = 11 * (solver.steps * 3 * solver.batch_size * m + measured * images)
    assert 0.95 * found.work <= spent <= found.work
    assert 0.95 * found.work <= (surrogate.made().evaluations + 11) * images <= found.work
    assert all(found.work % (entrant.made().pop_size * images) == 0 for entrant in searches)


def test_the_panel_scores_test_images_and_compares_methods_on_eight_tasks(panel, report, told):
    assert [row.solver for row in report.rows] == ["PreferenceMerging", "SurrogateMerging", "NSGA2"]
    assert [row.status for row in report.rows] == ["finished", "finished", "budget"]
    assert [p.file.name for p in report.pictures] == [f"merging-{x}.png" for x in ("fronts", "search", "choice")]
    assert [p.file.name for p in report.more] == ["merging-test.png", "merging-methods.png"]
    assert all(p.file.stat().st_size > 5_000 for p in (*report.pictures, *report.more))
    for name in ("WeightAveraging", "TaskArithmetic", "TIES", "RegMean", "AdaMerging", "separate"):
        assert f"{name} " in report.more[1].caption
    assert len(told) == panel.n_runs
    assert "60 test images a task" in report.protocol["Scores of the table"]


def test_code_in_the_report_reproduces_the_best_run(report):
    space = {}
    exec(report.code.replace("print(", "choice = ("), space)
    best = max(report.rows, key=lambda row: row.scores["hypervolume"])
    assert space["result"].held_out_scores["hypervolume"] == best.scores["hypervolume"]
    assert space["choice"].why == report.picked.why
    fresh = space["problem"].assess(space["choice"].x.unsqueeze(0))[0][0].tolist()
    assert [report.picked.design[f"test images of {t}"] for t in ("digits", "latin-upper")] == [
        f"{v:.1%}" for v in fresh
    ]


def test_a_panel_whose_package_is_missing_is_left_out_with_a_line(panel, report, monkeypatch, capsys, tmp_path):
    other = dataclasses.replace(panel, name="other")

    def run(self, folder, tick):
        if self.name == "other":
            raise MissingPackageError("scikit-learn is missing; pip install 'paretokit[merging]'")
        return report

    monkeypatch.setattr(type(panel), "run", run)
    monkeypatch.setattr(_demo, "panels", lambda: (other, panel))
    assert main(["demo", "--out", str(tmp_path), "--only", "other"]) == 2
    assert "pip install" in capsys.readouterr().err
    assert main(["demo", "--out", str(tmp_path)]) == 0
    assert "other is left out: scikit-learn is missing; pip install" in capsys.readouterr().out


def test_a_picture_of_held_out_fronts_takes_results_without_any(tmp_path):
    result = pk.solve(pk.problems.ZDT1(), pk.solvers.NSGA2(pop_size=8), budget=pk.Budget(evaluations=16), seed=0)
    assert result.held_out is None
    draw.held_out({"a": result}, tmp_path / "h.png", names=("one", "two"))
    assert (tmp_path / "h.png").stat().st_size > 5_000
    front = pk.Front.from_values(torch.tensor([[1.0, 0.0, 0.5]]), senses=["max"] * 3)
    draw.radar({"a": front}, tmp_path / "r.png", ends=(0, 1))
    assert (tmp_path / "r.png").stat().st_size > 5_000
