import re

import numpy as np
import pandas as pd
import pytest
from made import Made, curve

from paretokit import bench
from paretokit.bench._latex import escaped
from paretokit.bench._report_cells import marked_cells
from paretokit.core import InputError, ProtocolError


def made(seeds=8, solvers=3, problems=2, **options):
    draw = np.random.default_rng(0)
    base = {"NSGA_2": 0.1, "other & co": 0.11, "random <b>": 0.4}
    gaps = {
        f"p{k}-v1": {s: (base[s] + 0.02 * draw.random(seeds)).tolist() for s in list(base)[:solvers]}
        for k in range(problems)
    }
    return Made(gaps, **options)


def test_cells_carry_medians_quartiles_and_marks():
    table = bench.score_table(made().frame, "hypervolume")
    rows = marked_cells(table)
    assert rows[0][2].mark == ""
    for row, matrix in zip(rows, table.values, strict=True):
        assert [c.median for c in row] == np.median(matrix, axis=0).tolist()
        assert max(row, key=lambda c: c.median).mark == "best"
        assert sum(c.mark == "best" for c in row) == 1
    few = marked_cells(bench.score_table(made(seeds=3).frame, "igd_plus"))
    assert {c.mark for row in few for c in row} == {"best", ""}


def test_latex_marks_the_best_and_the_tied_and_says_how():
    text = bench.latex_table(bench.score_table(made().frame, "hypervolume"), label="tab:hv")
    assert text.startswith("\\begin{table}\n\\centering\n\\begin{tabular}{lrrr}\n\\toprule\n")
    assert r" & NSGA\_2 & other \& co & random \textless{}b\textgreater{} \\" in text
    assert text.count(r"\textbf{") == 2
    assert r"bold: best median; underlined: not told from the best (Mann-Whitney, Holm over the table" in text
    assert r"\label{tab:hv}" in text
    assert text.count("{") == text.count("}")
    assert "underlined" not in bench.latex_table(bench.score_table(made(seeds=3).frame, "hypervolume"))
    own = bench.latex_table(bench.score_table(made().frame, "igd_plus"), caption="All of it.")
    assert r"\caption{All of it. Median" in own
    assert escaped("a_b%{}\\") == r"a\_b\%\{\}\textbackslash{}"


def test_failed_runs_are_named_in_the_caption():
    gaps = {"p": {"a": [0.1] * 7 + [np.nan], "b": [0.2, 0.3] * 4}}
    table = bench.score_table(Made(gaps).frame, "hypervolume", missing="worst")
    assert "1 failed runs count as the worst of their problem" in bench.latex_table(table)
    assert marked_cells(table)[0][0].failed == 1


def test_a_report_is_one_page_with_its_tables_beside(tmp_path):
    experiment = made(problems=1, name="three <solvers>")
    file = bench.write_report(experiment, tmp_path / "new" / "report")
    names = sorted(f.name for f in file.parent.iterdir())
    assert names == ["hypervolume.tex", "igd_plus.tex", "report.html", "table.csv", "table.parquet"]
    page = file.read_text(encoding="utf-8")
    assert "<h1>three &lt;solvers&gt;</h1>" in page
    assert "<b>" in page
    assert "random <b>" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert page.count("<img ") == 4 + 4
    assert "paretokit bench run made.yaml" in page
    assert "split selection; deterministic True; reference point (1.2, 1.2)" in page
    assert "Vorob&#x27;ev" in page
    assert "share of the union" in page
    back = pd.read_parquet(file.parent / "table.parquet")
    pd.testing.assert_frame_equal(back, experiment.frame, check_dtype=False)
    assert len(pd.read_csv(file.parent / "table.csv")) == len(experiment.frame)


@pytest.mark.slow
def test_equal_experiments_give_equal_reports(tmp_path):
    pages = [bench.write_report(made(problems=1), tmp_path / name).read_bytes() for name in ("a", "b")]
    assert pages[0] == pages[1]


def test_a_report_names_failures_and_needs_no_curves_fronts_or_second_solver(tmp_path):
    class Bare(Made):
        @property
        def frame(self):
            frame = super().frame
            return frame.assign(status=np.where(frame["value"].isna(), "failed", "budget"))

        def fronts(self, problem, solver):
            return []

        def curves(self, indicator):
            return super().curves(indicator)[:0]

    page = bench.write_report(Bare({"p": {"alone": [0.1, np.nan]}}), tmp_path).read_text(encoding="utf-8")
    assert "Runs that did not end as planned" in page
    assert "1 failed" in page
    assert "One solver, or one run each: nothing to compare." in page


def test_problems_of_other_solvers_and_runs_not_made_yet_stand_apart(tmp_path):
    class Open(Made):
        @property
        def frame(self):
            frame = super().frame
            return frame[~((frame["problem"] == "p") & (frame["solver"] == "a") & (frame["seed"] > 6))]

        def fronts(self, problem, solver):
            return [curve(gap) for gap in self.gaps[problem].get(solver, [])][
                : 7 if (problem, solver) == ("p", "a") else 99
            ]

    gaps = {"p": {"a": [0.1] * 8, "b": [0.2] * 8}, "q": {"c": [0.3] * 8, "d": [0.3] * 8}}
    file = bench.write_report(Open(gaps), tmp_path)
    page = file.read_text(encoding="utf-8")
    assert "Results on p" in page
    assert "Results on q" in page
    assert "1 runs are not there yet" in page
    assert "Median and quartiles over 7 seeds" in page
    assert "failed" not in page
    assert sorted(f.name for f in tmp_path.glob("*.tex"))[:2] == ["hypervolume-1.tex", "hypervolume-2.tex"]


def test_a_report_of_three_objectives_draws_no_surfaces(tmp_path):
    from paretokit.core import Front, Scoring

    class Three(Made):
        def fronts(self, problem, solver):
            scoring = Scoring(reference_point=(1.5,) * 3)
            grid = np.vstack([np.eye(3), np.full((1, 3), 0.3)])
            return [Front.from_values(grid + gap, scoring=scoring) for gap in self.gaps[problem][solver]]

    page = bench.write_report(Three(made(problems=1).gaps), tmp_path).read_text(encoding="utf-8")
    assert page.count("<img ") == 4 + 2
    assert "What a quarter, half" not in page


def test_the_verdict_claims_no_more_than_the_tests(tmp_path):
    page = bench.write_report(made(problems=1), tmp_path).read_text(encoding="utf-8")
    assert re.search(r"By hypervolume, NSGA_2 has the best mean rank, 1\.\d+ over 8 seeds", page)
    same = Made({f"p{k}": {"a": [0.1] * 6, "b": [0.1] * 6} for k in range(3)})
    page = bench.write_report(same, tmp_path).read_text(encoding="utf-8")
    assert "Friedman&#x27;s test finds no difference between the solvers at all (p = 1.000)" in page


def test_bad_experiments_get_one_line(tmp_path):
    class Empty(Made):
        @property
        def frame(self):
            return super().frame[:0]

    class Mixed(Made):
        @property
        def frame(self):
            frame = super().frame
            return frame.assign(protocol=frame["seed"].astype(str))

    class Odd(Made):
        @property
        def frame(self):
            return super().frame.assign(indicator="mine")

    with pytest.raises(InputError, match="`experiment` must hold at least one run; got none"):
        bench.write_report(Empty(made().gaps), tmp_path)
    with pytest.raises(ProtocolError, match="scores on 'p0-v1' must be measured alike"):
        bench.write_report(Mixed(made().gaps), tmp_path)
    with pytest.raises(InputError, match="`experiment` must hold an indicator with finite scores; got .'mine'"):
        bench.write_report(Odd({"p": {"a": [0.1]}}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_made_experiment_is_finished_runs():
    assert isinstance(made(), bench.FinishedRuns)
    assert len(curve(0.1)) == 15
