"""`score` and `plot` read files of others: scores agree with moocore, and each mistake in a file is named."""

from __future__ import annotations

import json

import moocore
import numpy as np
import pytest

import paretokit as pk
from paretokit.cli import main
from paretokit.cli._commands import KINDS
from paretokit.cli._score import NEEDS
from paretokit.plots._plot import _kinds


def run(capsys, *argv):
    code = main([str(part) for part in argv])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def front(tmp_path):
    file = tmp_path / "front.csv"
    file.write_text("tin,content\n1,3\n2,1\n2,1\n3,3\n")
    return file


def scores(capsys, *argv):
    code, out, err = run(capsys, "score", *argv, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_scores_are_those_of_the_non_dominated_rows(capsys, front):
    told = scores(capsys, front, "--reference", "4,4")
    (found,) = told["fronts"]
    assert (found["rows"], found["points"]) == (4, 2)
    assert found["scores"]["hypervolume"] == 7.0  # 3 x 1 + 2 x 2
    assert found["scores"]["cardinality"] == 2
    assert told["objectives"][0] == {"name": "tin", "sense": "min", "unit": ""}
    assert told["larger_is_better"]["hypervolume"]
    code, out, _ = run(capsys, "score", front, "--reference", "4,4")
    assert code == 0
    assert "hypervolume ↑" in out
    assert "non-dominated and distinct" in out


def test_senses_turn_the_front(capsys, front):
    told = scores(capsys, front, "--reference", "4,0", "--senses", "min,max", "--indicator", "hypervolume")
    assert told["fronts"][0]["scores"] == {"hypervolume": 9.0}  # (1, 3) alone, 3 x 3
    assert [o["sense"] for o in told["objectives"]] == ["min", "max"]


def test_scores_agree_with_moocore(capsys, tmp_path):
    generator = np.random.default_rng(5)
    points, reference = generator.random((40, 3)), generator.random((25, 3)) * 0.3
    np.savetxt(tmp_path / "a.csv", points, delimiter=",")  # without a line of names
    np.savetxt(tmp_path / "b.csv", reference, delimiter=",")
    names = ("hypervolume", "igd", "igd_plus", "averaged_hausdorff", "epsilon_additive")
    asked = [word for name in names for word in ("--indicator", name)]
    argv = [tmp_path / "a.csv", "--reference", "1.1,1.2,1.3", "--reference-set", tmp_path / "b.csv", *asked]
    found = scores(capsys, *argv)["fronts"][0]["scores"]
    kept = points[moocore.is_nondominated(points)]
    assert found["hypervolume"] == pytest.approx(moocore.hypervolume(kept, ref=[1.1, 1.2, 1.3]), rel=1e-12)
    assert found["igd"] == pytest.approx(moocore.igd(kept, ref=reference), rel=1e-12)
    assert found["igd_plus"] == pytest.approx(moocore.igd_plus(kept, ref=reference), rel=1e-12)
    assert found["averaged_hausdorff"] == pytest.approx(moocore.avg_hausdorff_dist(kept, ref=reference), rel=1e-12)
    assert found["epsilon_additive"] == pytest.approx(moocore.epsilon_additive(kept, ref=reference), rel=1e-12)


def test_a_problem_gives_senses_points_and_the_known_front(capsys, tmp_path):
    problem = pk.problems.make("zdt1-v1")
    known = problem.pareto_front(50)
    np.savetxt(tmp_path / "known.csv", np.asarray(known), delimiter=",", header="f1,f2", comments="")
    found = scores(capsys, tmp_path / "known.csv", "--problem", "zdt1-v1")["fronts"][0]["scores"]
    whole = pk.Front.from_values(known, objectives=problem.objectives)
    assert found["hypervolume"] == pytest.approx(whole.scores(problem.protocol.scoring)["hypervolume"], rel=1e-9)
    assert found["igd_plus"] < 0.02


def test_a_saved_result_and_its_csv_score_alike(capsys, tmp_path):
    argv = ("solve", "re21-v1", "NSGA2", "--evaluations", 200, "--option", "pop_size=20", "--out", tmp_path / "run")
    assert run(capsys, *argv)[0] == 0
    told = scores(capsys, tmp_path / "run", tmp_path / "run" / "front.csv", "--problem", "re21-v1")
    saved, written = (front["scores"] for front in told["fronts"])
    assert saved == pytest.approx(written, rel=1e-9)
    kept = pk.Result.load(tmp_path / "run" / "result")
    kept.front.save(tmp_path / "front")
    told = scores(capsys, tmp_path / "front")
    assert told["fronts"][0]["scores"] == pytest.approx(kept.scores, rel=1e-12)


def test_points_beyond_the_reference_are_told_on_stderr(capsys, front):
    code, _, err = run(capsys, "score", front, "--reference", "1.5,4")
    assert code == 0
    assert err.startswith(f"paretokit: warning: {front}: `reference_point` must be worse than every point")
    assert "1 of 2 points" in err
    assert err.count("\n") == 1


TABLES = {
    "nan.csv": "f1,f2\n1,2\n3,nan\n",
    "gap.csv": "f1,f2\n1,2\n,4\n",
    "inf.csv": "f1,f2\ninf,2\n1,4\n",
    "text.csv": "design,f1,f2\nCC,1,2\nCO,2,1\n",
    "short.csv": "f1,f2\n1,2\n3\n",
    "long.csv": "f1,f2\n1,2,3\n",
    "twice.csv": "f1,f1\n1,2\n",
    "empty.csv": "",
    "head.csv": "f1,f2\n",
    "three.csv": "a,b,c\n1,2,3\n",
    "good.csv": "f1,f2\n1,2\n2,1\n",
    "ab.csv": "a,b\n1,2\n2,1\n",
}
MISTAKES = [
    (["score", "nan.csv"], ["`front` must hold finite numbers; got 'nan' in row 2, column 'f2'", "failed candidate"]),
    (["score", "gap.csv"], ["an empty cell in row 2, column 'f1'"]),
    (["score", "inf.csv"], ["'inf' in row 1, column 'f1'"]),
    (["score", "text.csv"], ["'CC' in row 1, column 'design'", "--objectives a,b"]),
    (["score", "short.csv"], ["`front` must have 2 cells a row; got 1 in row 2"]),
    (["score", "long.csv"], ["`front` must have 2 cells a row; got 3 in row 1"]),
    (["score", "twice.csv"], ["columns of distinct names; got 'f1'"]),
    (["score", "empty.csv"], ["`front` must hold a table", "which is empty"]),
    (["score", "binary.csv"], ["`front` must be a CSV file of text"]),
    (["score", "missing.csv"], ["`front` must be a file or folder that is there; got 'missing.csv'"]),
    (["score", "."], ["the folder of a saved result or front; got '.'"]),
    (["score", "good.csv", "--reference", "1,2,3"], ["`reference` must have 2 entries, one for each of f1, f2; got 3"]),
    (["score", "three.csv", "--reference", "4,4"], ["`reference` must have 3 entries", "got 2", "--objectives a,b"]),
    (["score", "good.csv", "--reference", "4,x"], ["`reference` must be numbers separated by commas"]),
    (["score", "good.csv", "--reference", "4,nan"], ["`reference` must not contain NaN"]),
    (["score", "good.csv", "--reference-set", "three.csv"], ["`reference-set` must have 2 columns"]),
    (["score", "good.csv", "--reference-set", "nan.csv"], ["'nan' in row 2, column 'f2'"]),
    (["score", "good.csv", "--senses", "min"], ["`senses` must have 2 entries", "got 1"]),
    (["score", "good.csv", "--senses", "min,mix"], ["`senses` must be one of ['min', 'max']; got 'mix'"]),
    (["score", "good.csv", "--objectives", "f1,f3"], ["`column` must be a known name; got 'f3'", "'f1'"]),
    (["score", "good.csv", "--indicator", "hypervolum"], ["`indicator` must be a known name", "'hypervolume'"]),
    (["score", "good.csv", "--indicator", "hypervolume"], ["`reference` must be given for the indicator"]),
    (["score", "good.csv", "--indicator", "igd"], ["`reference-set` must be given for the indicator 'igd'"]),
    (["score", "good.csv", "--ideal", "0,0", "--indicator", "r2"], ["`nadir` must be given for the indicator 'r2'"]),
    (["score", "good.csv", "--problem", "zdt11-v1"], ["`problem` must be a known name", "zdt1-v1"]),
    (["score", "three.csv", "--problem", "zdt1-v1"], ["the columns f1, f2, or 2 columns; got a, b, c"]),
    (["score", "good.csv", "--problem", "zdt1-v1", "--objectives", "f1"], ["name 2 columns", "zdt1-v1"]),
    (["score", "good.csv", "--problem", "zdt1-v1", "--senses", "min,min"], ["`senses` must be left out with"]),
    (["score", "good.csv", "ab.csv"], ["`ab.csv` must have the objectives of good.csv, ['f1', 'f2']"]),
    (["score"], ["the following arguments are required: FRONT"]),
    (["plot", "good.csv"], ["required: --out"]),
    (["plot", "good.csv", "--out", "x.pmg"], ["`out` must end in a format of pictures", "'png'"]),
    (["plot", "good.csv", "--out", "none/x.png"], ["none/x.png"]),
    (["plot", "good.csv", "--out", "x.png", "--kind", "skatter"], ["unknown KIND 'skatter'", "'scatter'"]),
    (["plot", "good.csv", "good.csv", "--out", "x.png"], ["`front` must be given once each"]),
    (["plot", "nan.csv", "--out", "x.png"], ["'nan' in row 2, column 'f2'"]),
    (["plot", "good.csv", "ab.csv", "--out", "x.png"], ["must have the objectives of good.csv"]),
]


@pytest.mark.parametrize(("argv", "words"), MISTAKES, ids=lambda part: " ".join(part)[:60])
def test_a_mistake_is_one_line_and_code_2(capsys, tmp_path, monkeypatch, argv, words):
    monkeypatch.chdir(tmp_path)
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "binary.csv").write_bytes(bytes([0xFF, 0xFE, 0x81, 0x82] * 9))
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert not (tmp_path / "x.png").exists()


def test_a_table_without_rows_is_an_empty_front(capsys, tmp_path):
    (tmp_path / "head.csv").write_text("f1,f2\n")
    assert scores(capsys, tmp_path / "head.csv", "--reference", "1,1")["fronts"][0]["scores"]["hypervolume"] == 0.0


def test_needs_and_kinds_are_those_of_the_library():
    assert set(NEEDS) <= set(pk.indicators.score_names())
    assert set(KINDS) == {"auto", *_kinds()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn(capsys, tmp_path, kind):
    generator = np.random.default_rng(2)
    values = generator.random((12, 3))
    np.savetxt(tmp_path / "a.csv", values / values.sum(1, keepdims=True), delimiter=",")
    code, out, _ = run(capsys, "plot", tmp_path / "a.csv", "--kind", kind, "--out", tmp_path / "a.png", "--title", "T")
    assert (code, out) == (0, f"wrote {tmp_path / 'a.png'}\n")
    assert (tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (tmp_path / "a.png").stat().st_size > 5_000


def test_several_fronts_are_named_by_what_tells_them_apart(capsys, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "front.csv").write_text("a,b\n1,2\n2,1\n")
    files = [tmp_path / name / "front.csv" for name in ("one", "two")]
    code, _, _ = run(capsys, "plot", *files, "--out", tmp_path / "x.svg")
    assert code == 0
    text = (tmp_path / "x.svg").read_text()
    assert "one/front" in text or text.count("<path") > 10
