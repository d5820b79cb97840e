"""The lab: a cell is run once, a killed one goes on bit for bit, a failed one is recorded, on every backend."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

import paretokit as pk
from paretokit.bench import _runner as runner
from paretokit.bench._experiment import load_experiment, resume_suite, run_suite
from paretokit.bench._runner import Where, run_cell
from paretokit.bench._store import Store
from paretokit.bench._suite import load_suite, parse_suite
from paretokit.cli import main
from paretokit.core import CheckpointError, InputError

SUITES = Path(__file__).parents[2] / "benchmarks" / "suites"
HERE = Where(jobs=1)
TEXT = """\
name: trial
seeds: 2
budget: {evaluations: 200}
problems: [zdt1-v1, {name: three, problem: dtlz2-v1, options: {n_objectives: 3}}]
solvers: [{solver: NSGA2, options: {pop_size: 20}}, {solver: pymoo.NSGA2, options: {pop_size: 20}}]
"""
COARSE = [
    "problem",
    "solver",
    "seed",
    "indicator",
    "value",
    "points",
    "evaluations",
    "work",
    "status",
    "cell",
    "protocol",
]

CRASHING = """\
from dataclasses import dataclass

import torch
import paretokit as pk


class Breaks(pk.problems.ZDT1):
    id = ""

    def _evaluate(self, x, rng):
        if x.shape[0] and getattr(type(self), "calls", 0) > 2:
            raise ZeroDivisionError("no more")
        type(self).calls = getattr(type(self), "calls", 0) + 1
        return super()._evaluate(x, rng)
"""


@pytest.fixture
def suite():
    return parse_suite(TEXT)


def test_scores_are_those_of_plain_solves(suite, tmp_path):
    experiment = run_suite(suite, tmp_path / "store", where=HERE, progress=False)
    frame = experiment.frame
    assert list(frame.columns) == [*COARSE[:8], "seconds", *COARSE[8:]]
    assert len(frame) == 2 * 2 * 2 * 3
    solver = pk.solvers.NSGA2(pop_size=20)
    for seed, front in enumerate(experiment.fronts("zdt1-v1", "NSGA2")):
        alone = pk.solve(pk.problems.ZDT1(), solver, budget=pk.Budget(evaluations=200), seed=seed, progress=False)
        assert torch.equal(front.values, alone.front.values)
        assert torch.equal(front.x, alone.front.x)
        own = frame[(frame["solver"] == "NSGA2") & (frame["problem"] == "zdt1-v1") & (frame["seed"] == seed)]
        assert own.set_index("indicator")["value"].to_dict() == {
            name: pk.indicators.score(alone.front, name) for name in ("hypervolume", "igd_plus", "r2")
        }


def test_curves_end_with_the_score_of_the_final_population(suite, tmp_path):
    experiment = run_suite(suite, tmp_path / "store", where=HERE, progress=False)
    curve = experiment.curves("igd_plus")
    last = curve.groupby(["problem", "solver", "seed"], sort=False).tail(1).reset_index(drop=True)
    assert set(last["evaluations"]) == {200}
    frame = experiment.frame
    own = frame[frame["indicator"] == "igd_plus"].reset_index(drop=True)
    assert last["value"].to_numpy() == pytest.approx(own["value"].to_numpy(), rel=1e-6)


def test_a_finished_cell_is_never_run_again(suite, tmp_path, monkeypatch):
    first = run_suite(suite, tmp_path / "store", where=HERE, progress=False)

    def never(cell, store, checkpoint):
        raise AssertionError(cell.name)

    monkeypatch.setattr(runner, "_solved", never)
    again = run_suite(suite, tmp_path / "store", where=HERE, progress=False)
    pd.testing.assert_frame_equal(first.frame, again.frame)
    assert run_cell(again.cells[0], str(tmp_path / "store"), 30.0) == "done"


def test_more_seeds_run_only_what_is_new(tmp_path):
    text = f"{TEXT}group: 1\n"
    run_suite(parse_suite(text), tmp_path / "store", where=HERE, progress=False)
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "store" / "cells").iterdir()}
    experiment = run_suite(
        parse_suite(text.replace("seeds: 2", "seeds: 3")), tmp_path / "store", where=HERE, progress=False
    )
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "store" / "cells").iterdir()}
    assert len(before) == 8
    assert len(after) == 12
    assert {name: after[name] for name in before} == before
    assert experiment.frame["seed"].nunique() == 3


def test_a_cell_goes_on_from_its_checkpoint(suite, tmp_path):
    cell = suite.cells()[0]
    store = Store(tmp_path / "store").open()
    half = pk.Budget(evaluations=100)
    kept = pk.Checkpoint(store.work(cell), seconds=0.0)
    pk.solve_many(pk.problems.ZDT1(), pk.solvers.NSGA2(pop_size=20), seeds=2, budget=half, checkpoint=kept)
    assert store.state(cell) == "begun"
    assert run_cell(cell, str(store.path), 30.0) == "done"
    assert not store.work(cell).exists()
    straight = pk.solve_many(
        pk.problems.ZDT1(), pk.solvers.NSGA2(pop_size=20), seeds=2, budget=pk.Budget(evaluations=200)
    )
    for run, result in zip(store.read(cell).runs, straight, strict=True):
        assert torch.equal(run.values, result.front.values)


def test_a_failed_cell_is_recorded_and_the_rest_goes_on(tmp_path, capsys):
    (tmp_path / "lab_crashing.py").write_text(CRASHING)
    text = TEXT.replace("[zdt1-v1,", "['lab_crashing:Breaks',").replace("pymoo.NSGA2", "RandomSearch")
    (tmp_path / "suite.yaml").write_text(text)
    store = tmp_path / "store"
    assert main(["bench", "run", str(tmp_path / "suite.yaml"), "--store", str(store), "--jobs", "1"]) == 1
    told = capsys.readouterr()
    assert (
        "failed: NSGA2 on lab_crashing:Breaks, seeds 0…1: paretokit.core._errors.EvaluationError: ZeroDiv" in told.err
    )
    experiment = load_experiment(store)
    assert "no more" in next(iter(experiment.failures.values()))
    frame = experiment.frame
    assert set(frame[frame["problem"] == "three"]["status"]) == {"budget"}
    assert frame[frame["status"] == "failed"]["value"].isna().all()
    assert main(["bench", "status", str(store)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert main(["bench", "clean", str(store)]) == 0
    assert f"removed {len(experiment.failures)} cells" in capsys.readouterr().out


def test_the_command_line_runs_reports_and_cleans(tmp_path, capsys):
    (tmp_path / "suite.yaml").write_text(TEXT)
    store = str(tmp_path / "store")
    assert main(["bench", "run", str(tmp_path / "suite.yaml"), "--store", store, "--jobs", "1"]) == 0
    assert "zdt1-v1" in capsys.readouterr().out
    assert main(["bench", "status", store, "--json"]) == 0
    assert {entry["state"] for entry in json.loads(capsys.readouterr().out)} == {"done"}
    assert main(["bench", "resume", store, "--jobs", "1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 24
    assert main(["bench", "clean", store, "--all"]) == 0
    assert "removed 6 cells" in capsys.readouterr().out
    assert main(["bench", "status", store, "--json"]) == 0
    assert {entry["state"] for entry in json.loads(capsys.readouterr().out)} == {"waiting"}


def test_a_store_of_a_newer_version_is_refused(suite, tmp_path, capsys):
    Store(tmp_path).open()
    (tmp_path / "store.json").write_text('{"format": 99}')
    with pytest.raises(CheckpointError, match="was written by a newer version: its format is 99, this version reads 2"):
        run_suite(suite, tmp_path, where=HERE)
    (tmp_path / "store.json").write_text('{"format": 1}')
    with pytest.raises(CheckpointError, match="was written by an older version: its format is 1"):
        run_suite(suite, tmp_path, where=HERE)
    assert main(["bench", "status", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_that_is_no_store_is_named(tmp_path):
    Store(tmp_path / "inner").open()
    with pytest.raises(InputError, match="`store` must be the folder of an experiment; got .*did you mean .*inner"):
        load_experiment(tmp_path)


def test_a_store_that_cannot_be_written_to_is_named(suite, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="`store` must be a folder that can be written to; got .*file"):
        run_suite(suite, tmp_path / "file" / "store", where=HERE)


def test_a_full_disk_loses_nothing(suite, tmp_path, monkeypatch):
    store = tmp_path / "store"
    save = runner.Store.write
    from paretokit.core import _serial as serial

    written = []

    def full(folder, name, value):
        if name == "cell" and len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(name)
        keep(folder, name, value)

    keep = serial.save_tree
    monkeypatch.setattr(serial, "save_tree", full)
    with pytest.raises(CheckpointError, match="No space left on device .finished cells are safe"):
        run_suite(suite, store, where=HERE, progress=False)
    monkeypatch.undo()
    assert save is runner.Store.write
    place = Store(store)
    assert [place.state(c) for c in place.cells()].count("done") == 2
    assert len(resume_suite(store, where=HERE, progress=False).records) == 6


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: Where(backend="dusk"), "`backend` must be one of .* got 'dusk' .did you mean 'dask'"),
        (lambda: Where(jobs=0), "`jobs` must be at least 1, or -1 for all cores; got 0"),
        (lambda: Where(address="tcp://a:1"), "`address` must come with dask or ray; got 'tcp://a:1'"),
    ],
)
def test_places_check_themselves(call, line):
    with pytest.raises(InputError, match=line):
        call()


def straight(suite, folder: Path) -> pd.DataFrame:
    return run_suite(suite, folder, where=HERE, progress=False).frame[COARSE]


def steps(store: Path) -> set[str]:
    """Return the checkpoints inside unfinished cells."""
    return {str(path) for path in store.glob("work/*/**/step-*")}


@pytest.mark.slow
def test_three_kills_at_random_change_nothing_but_times(tmp_path):
    text = TEXT.replace("evaluations: 200", "evaluations: 40000").replace("pymoo.NSGA2", "SMSEMOA")
    text += "checkpoint: 0.2\ngroup: 1\n"
    (tmp_path / "suite.yaml").write_text(text)
    expected = straight(parse_suite(text), tmp_path / "straight")
    store = tmp_path / "store"
    command = [sys.executable, "-m", "paretokit", "bench", "run", str(tmp_path / "suite.yaml")]
    command += ["--store", str(store), "--jobs", "2", "--json"]
    draw = random.Random(7)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for _ in range(3):
        before = steps(store)
        child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, env=environment)
        while child.poll() is None and not steps(store) - before:  # inside a cell, with a checkpoint of this session
            time.sleep(0.02)
        time.sleep(draw.uniform(0.0, 0.5))
        os.killpg(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL  # it had not finished
    last = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    assert json.loads(last.stdout)["failed"] == []
    pd.testing.assert_frame_equal(load_experiment(store).frame[COARSE], expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_clusters_find_the_same_bits(backend, tmp_path):
    pytest.importorskip({"dask": "distributed", "ray": "ray"}[backend])
    suite = load_suite(SUITES / "evolutionary.yaml").shrunk()
    expected = straight(suite, tmp_path / "straight")
    found = run_suite(suite, tmp_path / "store", where=Where(backend=backend, jobs=2), progress=False)
    pd.testing.assert_frame_equal(found.frame[COARSE], expected)


KILLING = """\
import os
import signal
from pathlib import Path

import paretokit as pk

MARK = Path(__file__).with_name("killed")


class Kills(pk.problems.ZDT1):
    id = ""

    def _evaluate(self, x, rng):
        try:
            MARK.touch(exist_ok=False)
        except FileExistsError:
            return super()._evaluate(x, rng)
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["loky", "dask", "ray"])
def test_a_worker_that_is_killed_loses_and_doubles_nothing(backend, tmp_path):
    pytest.importorskip({"dask": "distributed", "ray": "ray", "loky": "joblib"}[backend])
    (tmp_path / "lab_killing.py").write_text(KILLING)
    text = TEXT.replace("[zdt1-v1,", "['lab_killing:Kills',") + "group: 1\n"
    (tmp_path / "suite.yaml").write_text(text)
    suite = load_suite(tmp_path / "suite.yaml")
    experiment = run_suite(suite, tmp_path / "store", where=Where(backend=backend, jobs=2), progress=False)
    assert (tmp_path / "killed").exists()
    cells = sorted(p.name for p in (tmp_path / "store" / "cells").iterdir())
    assert cells == sorted(c.digest for c in experiment.cells)
    assert not experiment.failures
    assert not experiment.frame.duplicated(["problem", "solver", "seed", "indicator"]).any()
    pd.testing.assert_frame_equal(experiment.frame[COARSE], straight(suite, tmp_path / "straight"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("backend", "address"), [("dask", "tcp://127.0.0.1:9"), ("ray", "127.0.0.1:9")])
def test_a_cluster_that_does_not_answer_is_named(backend, address, suite, tmp_path):
    pytest.importorskip({"dask": "distributed", "ray": "ray"}[backend])
    with pytest.raises(InputError, match="`address` must be a (Dask scheduler|Ray cluster) that answers; got"):
        run_suite(suite, tmp_path, where=Where(backend=backend, address=address), progress=False)
