"""The demo's policies: trained, filmed in MO-Gymnasium with the returns that we measured, reported with their code."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

import paretokit as pk
from paretokit.cli import _demo, _episode, main
from paretokit.cli._demo_panels import panels
from paretokit.cli._demo_runs import Entrant
from paretokit.cli._pictures import strip


@pytest.fixture(scope="module")
def treasure():
    """The treasure panel with two solvers and small budgets."""
    panel = next(p for p in panels() if p.name == "treasure")
    q, _, _, nsga2 = panel.entrants
    searcher = dataclasses.replace(nsga2, options={"pop_size": 10})
    return dataclasses.replace(panel, entrants=(q, searcher), work=8000)


@pytest.fixture(scope="module")
def report(treasure, tmp_path_factory):
    return treasure.run(tmp_path_factory.mktemp("panel"), lambda name: 60.0)


def test_the_film_of_the_chosen_policy_has_the_returns_that_were_measured(report):
    values = ", ".join(report.picked.values.values())
    there = report.picked.design["discounted returns there"].strip("()")
    assert [float(v) for v in there.split(", ")] == pytest.approx([float(v) for v in values.split(", ")], rel=1e-3)
    (film,) = report.more
    assert film.file.name == "treasure-episode.png"
    assert film.file.stat().st_size > 10_000
    assert there in film.caption


def test_multi_policy_q_finds_the_known_front_and_nothing_is_marked_as_late(treasure, report):
    best = report.rows[0]
    assert best.scores["igd_plus"] == pytest.approx(0.0, abs=1e-5)
    assert best.points == len(treasure.problem().pareto_front())
    assert [row.status for row in report.rows] == ["budget", "budget"]
    assert [p.file.name for p in report.pictures] == [f"treasure-{x}.png" for x in ("fronts", "training", "choice")]
    assert "8,000 environment steps" in report.protocol["Budget"]


def test_code_in_the_report_reproduces_the_best_run(report):
    space = {}
    exec(report.code.replace("print(", "choice = ("), space)
    assert space["result"].scores["hypervolume"] == report.rows[0].scores["hypervolume"]
    assert space["choice"].why == report.picked.why


def test_the_demo_prints_policies_and_embeds_their_film(treasure, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(_demo, "panels", lambda: (treasure,))
    assert main(["demo", "--out", str(tmp_path), "--only", "treasure"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert [line.split()[1] for line in out.splitlines() if line.startswith("treasure ")] == ["MultiPolicyQ", "NSGA2"]
    assert "4 pictures beside it" in out
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") == 4
    assert page.index("One solution picked") < page.index("The picked policy at work")


def test_without_a_renderer_there_is_a_note_in_place_of_the_film(treasure, monkeypatch, tmp_path):
    def missing(policy, *, horizon):
        raise ImportError("no pygame here")

    monkeypatch.setattr(_episode, "film", missing)
    found = dataclasses.replace(treasure, entrants=treasure.entrants[:1]).run(tmp_path, lambda name: 60.0)
    assert found.more == ()
    assert found.picked.design["no pictures"] == "no pygame here"
    assert not (tmp_path / "treasure-episode.png").exists()


def test_a_run_without_time_says_so(treasure):
    spent = pk.Budget(env_steps=400)
    result = pk.solve(treasure.problem(), pk.solvers.MultiPolicyQ(), budget=spent, seed=0, progress=False)
    done = int(result.cost.work)
    assert Entrant(name="MultiPolicyQ").row(result, done).status == "budget"
    assert Entrant(name="MultiPolicyQ").row(result, done + 1).status == "out of time"


def test_filming_leaves_no_trace_in_the_environment_variables():
    problem = pk.problems.MORL("deep-sea-treasure-v0", policy=pk.problems.morl.Network(hidden=(4,)))
    row = problem.space.sample(1, pk.Rng.from_seed(0))
    before = dict(os.environ)
    found = _episode.film(problem.decode(row[0]), horizon=5)
    assert dict(os.environ) == before
    assert len(found.frames) == len(found.rewards) + 1
    assert len(found.rewards) <= 5
    gains = problem.protocol.measurement.discount ** np.arange(len(found.rewards))
    assert found.returns == pytest.approx((gains[:, None] * found.rewards).sum(0))


def test_a_short_episode_has_a_short_strip(tmp_path):
    strip([np.zeros((4, 4, 3), np.uint8)] * 2, tmp_path / "two.png")
    assert (tmp_path / "two.png").exists()
