"""The demo: its panels are solved at equal evaluations, its report holds everything, its text escapes."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser

import pytest

import paretokit as pk
from paretokit.cli import _demo, main
from paretokit.cli._demo_adaptation import AdaptationPanel
from paretokit.cli._demo_continual import ContinualPanel
from paretokit.cli._demo_designs import DesignPanel
from paretokit.cli._demo_merging import MergingPanel
from paretokit.cli._demo_panels import PanelReport, Picked, Picture, Row, panels
from paretokit.cli._demo_policies import PolicyPanel
from paretokit.cli._demo_search import SearchPanel
from paretokit.cli._pictures import colored
from paretokit.cli._report import write_report

VOID = {"meta", "img", "br"}


class Balanced(HTMLParser):
    """Fails on tags that do not match."""

    def __init__(self):
        super().__init__()
        self.open, self.sources = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def small(monkeypatch):
    """The truss panel with a small budget, in place of all panels."""
    panel = dataclasses.replace(
        next(p for p in panels() if p.name == "re21"), evaluations=400, solvers=("NSGA2", "SMSEMOA", "pygmo.nsga2")
    )
    monkeypatch.setattr(_demo, "panels", lambda: (panel,))
    return panel


def test_demo_writes_table_pictures_and_a_page_that_stands_alone(small, capsys, tmp_path):
    assert main(["demo", "--out", str(tmp_path), "--only", "re21"]) == 0
    out, err = capsys.readouterr()
    assert err == ""  # no bar where nobody looks
    lines = [line.split() for line in out.splitlines()]
    assert [line[1] for line in lines if line[:1] == ["re21"]] == ["NSGA2", "SMSEMOA", "pygmo.nsga2"]
    assert "improving the former" in out
    page = (tmp_path / "report.html").read_text("utf-8")
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    embedded = [s for s in parser.sources if s.startswith("data:image/png;base64,")]
    pictures = sorted(tmp_path.glob("*.png"))
    assert [p.name for p in pictures] == ["re21-choice.png", "re21-convergence.png", "re21-fronts.png"]
    assert {base64.b64decode(s.partition(",")[2]) for s in embedded} == {p.read_bytes() for p in pictures}
    assert all(s.startswith(("data:", "#")) for s in parser.sources)
    for text in (
        "joint displacement [cm]",
        "bar 1 section [cm²]",
        "Reference point",
        "400 evaluations",
        pk.__version__,
    ):
        assert text in page


def test_code_in_the_report_reproduces_the_best_run(small, tmp_path):
    report = small.run(tmp_path, lambda name: 60.0)
    space = {}
    exec(report.code.replace("print(", "choice = ("), space)
    best = max(report.rows, key=lambda row: row.scores["hypervolume"])
    assert space["result"].scores["hypervolume"] == best.scores["hypervolume"]
    assert space["choice"].why == report.picked.why


KINDS = (PolicyPanel, DesignPanel, MergingPanel, AdaptationPanel, ContinualPanel)


def test_every_panel_is_well_formed(monkeypatch, tmp_path):
    found = panels()
    assert [panel.name for panel in found] == [
        "dtlz2",
        "re21",
        "re37",
        "cre23",
        "treasure",
        "minecart",
        "design",
        "merging",
        "adaptation",
        "continual",
        "worlds",
    ]
    searches = [panel for panel in found if isinstance(panel, SearchPanel)]
    for panel in searches:
        problem = pk.problems.make(panel.problem_id, **panel.problem_options)
        assert len(panel.preference) == problem.n_objectives
        for name in panel.solvers:
            pk.solvers.make(name).check(problem)
        libraries = {name.partition(".")[0] for name in panel.solvers if "." in name}
        assert "pymoo" in libraries
        assert "pygmo" in libraries or problem.n_constraints
    assert any(pk.problems.make(panel.problem_id).n_constraints for panel in searches)
    others = [panel for panel in found if isinstance(panel, KINDS)]
    assert len(searches) + len(others) + 1 == len(found)  # and the picture of five worlds
    monkeypatch.setenv("PARETOKIT_CACHE", str(tmp_path))
    tiny = {"width": 8, "depth": 1, "train": 20, "test": 20, "pretraining_steps": 1, "finetuning_steps": 1}
    for panel in others:
        small = dataclasses.replace(panel, size=tiny) if isinstance(panel, MergingPanel) else panel
        problem = small.problem()
        assert len(panel.preference) == problem.n_objectives
        assert (problem.front_kind == "unknown") == isinstance(panel, (MergingPanel, AdaptationPanel, ContinualPanel))
        for entrant in panel.entrants:
            pk.solvers.make(entrant.name, **entrant.options).check(problem)


def test_a_run_out_of_time_says_so(small, tmp_path):
    panel = dataclasses.replace(small, evaluations=10**9, solvers=("NSGA2",))
    report = panel.run(tmp_path, lambda name: 0.05)
    assert [row.status for row in report.rows] == ["out of time"]
    assert _demo.rows_of("re21", report)[0][-1].endswith("s (out of time)")


def test_time_is_shared_and_the_bar_counts_what_has_ended():
    told = []

    class Bar:
        def update(self, n):
            told.append(n)

        def set_description_str(self, text):
            told.append(text)

    clock = _demo._Clock(100.0, 3, Bar())
    shares = [clock(name) for name in "abc"]
    assert told == [0, "a", 1, "b", 1, "c"]
    assert shares == pytest.approx([40.0, 40.0, 100.0], abs=1.0)  # the last may take what is left
    assert _demo._Clock(1e-6, 3, Bar())("a") == _demo.LEAST


def test_interrupting_the_demo_is_one_line(small, capsys, tmp_path, monkeypatch):
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("paretokit.cli._demo_runs.solve", stop)
    assert main(["demo", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "paretokit: interrupted\n"


def test_the_page_escapes_and_marks_the_best(tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"png")
    rows = tuple(
        Row(name, 3, {"hypervolume": h, "r2": r, "sparsity": 0.1, "igd_plus": None}, 0.5, "budget")
        for name, h, r in [("<a>", 1.0, 0.2), ("b", 2.0, 0.3)]
    )
    report = PanelReport(
        title="x < y: z",
        story="<script>",
        rows=rows,
        protocol={"k": "v"},
        pictures=(Picture(picture, "one & two"),) * 2,
        picked=Picked("w", "a is the price of b", {"f": "1"}, {"x": "2"}),
        code="a < b",
    )
    page = write_report(tmp_path, [report], 1.0).read_text("utf-8")
    assert "<script>" not in page
    assert "&lt;a&gt;" in page
    assert "one &amp; two" in page
    best = re.findall(r'class="n best">([^<]+)<', page)
    assert best == ["0.2", "2"]


def test_colors_follow_the_solver_and_not_the_place(small):
    front = pk.Front.from_values([[0.0, 1.0], [1.0, 0.0]])
    layers = colored("c", front, ("a", "b", "c", "d"))
    assert [len(f) for f in layers.values()] == [0, 0, 2]
    assert list(colored("z", front, ("a",))) == ["z"]
