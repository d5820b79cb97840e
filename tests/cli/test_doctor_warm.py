"""`doctor` finds faults and says so; `warm` knows every module of kernels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import paretokit
from paretokit.cli import _doctor, _warm, main


def test_doctor_tells_versions_and_that_runs_reproduce(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in ("paretokit", "torch", "moocore", "devices", "cpu", "cache", "kernels"):
        assert f"\n{word}" in f"\n{out}" or word in out
    assert out.count("ok: ") == 3
    assert "FAULT" not in out


def test_doctor_answers_1_where_a_trial_fails(capsys, monkeypatch):
    monkeypatch.setattr(_doctor, "trials", lambda: iter([("same seed", False, "two runs differ")]))
    assert main(["doctor"]) == 1
    assert "FAULT: two runs differ" in capsys.readouterr().out


def test_doctor_names_a_cache_that_cannot_be_written(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PARETOKIT_CACHE", str(tmp_path / "file"))
    assert main(["doctor", "--quick"]) == 1
    assert "set PARETOKIT_CACHE to a folder that can be written" in capsys.readouterr().out


def test_a_missing_package_is_told_with_its_command(monkeypatch):
    monkeypatch.setattr(_doctor, "PACKAGES", ("no-such-package",))
    assert _doctor.versions()["no-such-package"] == "not installed (pip install no-such-package)"


def test_warm_finds_every_file_of_kernels_and_loads_only_what_is_missing(capsys, monkeypatch):
    root = Path(paretokit.__file__).parent
    found = _warm.kernels([6])
    assert {kernel.name.rpartition(".")[2] for kernel in found} == {f.stem for f in root.rglob("_*_kernels.py")}
    assert [str(k) for k in found if k.objectives] == [
        f"{k.name.removeprefix('paretokit.')} ({k.prepare}, 6 objectives)" for k in found if k.objectives
    ]
    assert all(k.objectives == 0 for k in _warm.kernels())

    @dataclasses.dataclass(frozen=True)
    class Ready:
        name: str = "ready"

        def module(self):
            return self

        def ready(self):
            return True

    monkeypatch.setattr(_warm, "kernels", lambda objectives=(): [Ready(), Ready()])
    assert main(["warm"]) == 0
    assert "2 kernels ready" in (err := capsys.readouterr().err)
    assert "0 compiled" in err


def test_warm_loads_plain_and_sized_kernels():
    plain = next(k for k in _warm.kernels() if k.name.endswith("_sorting_kernels"))
    assert _warm.load(plain) is plain
    assert plain.module().ready()
    sized = next(k for k in _warm.kernels([4]) if k.objectives)
    assert sized.module().name == sized.name
