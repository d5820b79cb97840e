"""The demo's designs: samplers beside a search at equal oracle calls, what they draw, and molecules."""

from __future__ import annotations

import dataclasses
import sys

import pytest
import torch

import paretokit as pk
from paretokit.cli import _demo, main
from paretokit.cli._demo_designs import MoleculeStrip, sampled
from paretokit.cli._demo_panels import panels
from paretokit.cli._demo_runs import Entrant


@pytest.fixture(scope="module")
def panel():
    """The design panel on a grid of side 8, shortly trained, without molecules."""
    found = next(p for p in panels() if p.name == "design")
    op, mo, nsga2 = found.entrants
    short = {"iterations": 12, "evaluate_every": 6, "batch_size": 64}
    entrants = (
        dataclasses.replace(op, options={**op.options, **short, "n_samples": 132}),
        dataclasses.replace(mo, options={**mo.options, **short, "n_samples": 12}),
        dataclasses.replace(nsga2, options={"pop_size": 60}),
    )
    options = {**found.problem_options, "side": 8}
    small = {"problem_options": options, "work": 12 * 64 + 3 * 132, "n_drawn": 220, "molecules": None}
    return dataclasses.replace(found, entrants=entrants, **small)


@pytest.fixture(scope="module")
def report(panel, tmp_path_factory):
    return panel.run(tmp_path_factory.mktemp("panel"), lambda name: 60.0)


def test_entrants_spend_equal_oracle_calls():
    found = next(p for p in panels() if p.name == "design")
    assert [entrant.name for entrant in found.entrants] == ["OPGFN", "MOGFN", "NSGA2"]
    for entrant in found.entrants[:2]:
        solver = entrant.made()
        measured = len(solver.measured(found.problem())) * solver.n_samples
        times = (
            1 + (solver.iterations - 1) // solver.evaluate_every + ((solver.iterations - 1) % solver.evaluate_every > 0)
        )
        spent = solver.iterations * solver.batch_size + times * measured
        assert 0.98 * found.work <= spent <= found.work


def test_the_panel_reports_rows_pictures_and_what_the_samplers_draw(panel, report):
    assert [row.solver for row in report.rows] == ["OPGFN", "MOGFN", "NSGA2"]
    assert [row.status for row in report.rows] == ["finished", "finished", "budget"]
    assert all(row.scores["igd_plus"] is not None for row in report.rows)
    assert [p.file.name for p in report.pictures] == [f"design-{x}.png" for x in ("fronts", "training", "choice")]
    (clouds,) = report.more
    assert clouds.file.name == "design-samples.png"
    assert clouds.file.stat().st_size > 10_000
    assert "220 objects" in clouds.caption
    assert "exact front" in clouds.caption
    assert report.protocol["Budget"].startswith(f"{panel.work:,} oracle calls")


def test_code_in_the_report_reproduces_the_best_run(report):
    space = {}
    exec(report.code.replace("print(", "choice = ("), space)
    best = max(report.rows, key=lambda row: row.scores["hypervolume"])
    assert space["result"].scores["hypervolume"] == best.scores["hypervolume"]
    assert space["choice"].why == report.picked.why


def test_samplers_are_asked_for_all_preferences_alike_and_searches_for_nothing():
    grid = pk.problems.HyperGrid(side=6)
    mogfn = pk.solvers.MOGFN(iterations=2, batch_size=8, n_samples=2)
    asked = sampled(pk.solve(grid, mogfn, seed=0, progress=False), 30)
    assert asked.shape == (33, 2)  # three for each of eleven preferences
    opgfn = pk.solvers.OPGFN(iterations=2, batch_size=8, n_samples=8)
    assert sampled(pk.solve(grid, opgfn, seed=0, progress=False), 30).shape == (30, 2)
    searched = pk.solve(grid, pk.solvers.NSGA2(pop_size=8), budget=pk.Budget(evaluations=16), seed=0, progress=False)
    assert sampled(searched, 30) is None


def test_molecules_lie_along_the_front(tmp_path):
    pytest.importorskip("rdkit")
    entrant = Entrant(name="RandomSearch")
    told = []
    strip = MoleculeStrip(entrant=entrant, evaluations=30, max_fragments=3, n=3)
    (picture,) = strip.drawn(tmp_path / "m.png", lambda name: told.append(name) or 60.0, seed=0)
    assert picture.file.stat().st_size > 5_000
    assert "30 oracle calls" in picture.caption
    assert told == ["RandomSearch on molecules-v1"]


def test_without_rdkit_there_are_no_molecules_and_the_clock_goes_on(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    told = []
    strip = MoleculeStrip(entrant=Entrant(name="NSGA2"))
    assert strip.drawn(tmp_path / "m.png", lambda name: told.append(name) or 60.0, seed=0) == ()
    assert len(told) == 1


def test_the_demo_prints_and_embeds_the_panel(panel, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(_demo, "panels", lambda: (panel,))
    assert main(["demo", "--out", str(tmp_path), "--only", "design"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert [line.split()[1] for line in out.splitlines() if line.startswith("design ")] == ["OPGFN", "MOGFN", "NSGA2"]
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") == 4


def test_the_picture_of_samples_shows_every_value_once(tmp_path):
    from paretokit.cli import _pictures as draw

    front = pk.Front.from_values([[0.0, 1.0], [1.0, 0.0]], senses=["max", "max"])
    values = torch.tensor([[0.5, 0.5]] * 9 + [[0.0, 1.0]])
    draw.clouds(front, {"a": values}, {"a": "ten"}, file=tmp_path / "c.png", order=("a",))
    assert (tmp_path / "c.png").stat().st_size > 5_000
