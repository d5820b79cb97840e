"""Checkpoints: bit for bit, whatever happens to the process or to the disk."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from toys import Bowls, Forgetful, HeldOut, Walk

import paretokit as pk
from paretokit.core import _serial as serial
from paretokit.run import _checkpoint


def same(a, b):
    return (
        torch.equal(a.front.values, b.front.values)
        and torch.equal(a.front.x, b.front.x)
        and torch.equal(a.archive.values, b.archive.values)
        and list(a.history["best"]) == list(b.history["best"])
    )


def run(iterations, folder=None, **options):
    checkpoint = None if folder is None else pk.Checkpoint(folder, seconds=0.0)
    return pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=iterations), checkpoint=checkpoint, **options)


@pytest.mark.parametrize("cut", [1, 5, 9])
def test_resumed_run_equals_the_straight_one(tmp_path, cut):
    run(cut, tmp_path)
    assert same(run(10, tmp_path), run(10))


def test_resuming_again_and_again_equals_the_straight_run(tmp_path):
    for iterations in range(1, 11):
        result = run(iterations, tmp_path)
    assert same(result, run(10))
    assert len(result.history) == 10


def test_a_finished_run_is_not_run_again(tmp_path):
    run(6, tmp_path)
    steps = []
    result = run(6, tmp_path, callbacks=[lambda moment: steps.append(moment)])
    assert steps == []
    assert same(result, run(6))


def test_stacked_members_resume(tmp_path):
    budget = [pk.Budget(iterations=n) for n in (3, 8)]
    for b in budget:
        many = pk.solve_many(Bowls(), Walk(), seeds=3, budget=b, checkpoint=tmp_path)
    for a, b in zip(many, pk.solve_many(Bowls(), Walk(), seeds=3, budget=budget[1]), strict=True):
        assert same(a, b)


def test_two_are_kept_and_nothing_half_written_remains(tmp_path):
    run(7, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000000006", "step-000000007"]
    names = {p.suffix for p in tmp_path.rglob("*") if p.is_file()}
    assert names == {".safetensors", ".json"}


@pytest.mark.parametrize("file", ["state.safetensors", "state.json", "run.json", "run.safetensors", "identity.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_damaged_checkpoint_is_named_and_the_previous_one_is_used(tmp_path, file, damage):
    run(7, tmp_path)
    target = tmp_path / "step-000000007" / file
    data = bytearray(target.read_bytes())
    if damage == "gone":
        target.unlink()
    elif damage == "cut":
        target.write_bytes(data[: len(data) // 2])
    else:
        data[-3 if file != "identity.json" else 0] ^= 0xFF
        target.write_bytes(data)
    with pytest.warns(pk.ParetoWarning, match=r"step-000000007.*resuming from step-000000006"):
        result = run(10, tmp_path)
    assert same(result, run(10))


def test_only_damaged_checkpoints_are_an_error(tmp_path):
    run(7, tmp_path)
    for file in tmp_path.rglob("state.safetensors"):
        file.write_bytes(b"")
    with pytest.raises(pk.CheckpointError, match="no checkpoint in .* is readable"):
        run(10, tmp_path)


@pytest.mark.parametrize(
    ("other", "key"),
    [
        ({"problem": HeldOut()}, "problem"),
        ({"solver": Walk(n=7)}, "solver"),
        ({"seed": 1}, "seeds"),
    ],
    ids=["problem", "solver", "seed"],
)
def test_checkpoint_of_another_run_is_refused(tmp_path, other, key):
    run(3, tmp_path)
    call = {"problem": Bowls(), "solver": Walk(), "seed": 0} | other
    with pytest.raises(pk.CheckpointError, match=rf"belongs to another run: its {key} is .* \(choose another folder"):
        pk.solve(**call, budget=pk.Budget(iterations=5), checkpoint=tmp_path)


def test_checkpoint_of_another_formula_is_refused(tmp_path):
    def problem(f):
        return pk.problems.from_function(f, objectives=2, space=pk.Box(0.0, 1.0, dim=2))

    budget, solver = pk.Budget(iterations=2), pk.solvers.RandomSearch(pop_size=4)
    pk.solve(problem(lambda x: x), solver, budget=budget, checkpoint=tmp_path)
    pk.solve(problem(lambda x: x), solver, budget=budget, checkpoint=tmp_path)
    with pytest.raises(pk.CheckpointError, match="belongs to another run: its problem is"):
        pk.solve(problem(lambda x: 2 * x), solver, budget=budget, checkpoint=tmp_path)

    class Other(Bowls):
        def _evaluate(self, x, rng):
            return pk.Evaluation(super()._evaluate(x, rng).values * 2)

    assert Other().fingerprint() != type("Other", (Bowls,), {})().fingerprint()


def test_checkpoint_of_another_format_is_refused(tmp_path, monkeypatch):
    run(3, tmp_path)
    monkeypatch.setattr(_checkpoint, "FORMAT", 2)
    with pytest.raises(pk.CheckpointError, match="its format is 1, not 2"):
        run(5, tmp_path)


def test_resuming_under_other_threads_says_so(tmp_path):
    run(3, tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.warns(pk.ParetoWarning, match=rf"threads {threads} -> {threads + 1}"):
            run(5, tmp_path)
    finally:
        torch.set_num_threads(threads)


def test_solver_that_cannot_resume_refuses_a_checkpoint(tmp_path):
    with pytest.raises(pk.CheckpointError, match="Forgetful cannot resume exactly: its library keeps hidden state"):
        pk.solve(Bowls(), Forgetful(), budget=pk.Budget(iterations=2), checkpoint=tmp_path)


def test_full_disk_costs_a_warning_and_not_the_run(tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    run(3, tmp_path)
    monkeypatch.setattr(serial, "write_synced", full)
    with pytest.warns(pk.ParetoWarning, match=r"could not be written: .*No space left on device; the run goes on"):
        result = run(6, tmp_path)
    assert same(result, run(6))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000000002", "step-000000003"]
    with pytest.raises(pk.CheckpointError, match="nothing that was there is lost"):
        result.save(tmp_path / "result")
    assert not (tmp_path / "result").exists()


def test_kill_nine_in_the_middle_resumes_bit_for_bit(tmp_path):
    code = textwrap.dedent(
        f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from toys import Bowls, Walk
        import paretokit as pk

        checkpoint = pk.Checkpoint({str(tmp_path)!r}, seconds=0.0)
        wait = lambda moment: time.sleep(0.01)
        pk.solve(Bowls(), Walk(), budget=pk.Budget(iterations=100_000), checkpoint=checkpoint, callbacks=[wait])
        """
    )
    child = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONWARNINGS": "ignore"})
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("step-00000001*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    reached = max(int(p.name.removeprefix("step-")) for p in tmp_path.glob("step-*"))
    assert reached >= 10
    assert same(run(reached + 5, tmp_path), run(reached + 5))


def test_no_pickle_is_written_or_read(tmp_path):
    result = run(3, tmp_path / "run")
    result.save(tmp_path / "result")
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"\x80\x04" not in file.read_bytes()[:64] or file.suffix == ".safetensors"


def test_loading_builds_only_what_the_state_type_mentions(tmp_path):
    with pytest.raises(pk.CheckpointError, match="must be one of"):
        serial.decode({"$": "Popen", "items": {}}, {}, serial.known_types(Walk.state_type))
    with pytest.raises(pk.CheckpointError, match=r"`/live` must be data .*mark the field transient"):
        serial.encode({"live": object()}, {})


def test_result_round_trip(tmp_path):
    result = run(5)
    result.save(tmp_path / "saved")
    loaded = pk.Result.load(tmp_path / "saved", problem=Bowls(), solver=Walk())
    assert same(loaded, result)
    assert repr(loaded) == repr(result)
    assert loaded.provenance == result.provenance
    assert torch.equal(loaded.front[0].decode(), result.front[0].x)
    without = pk.Result.load(tmp_path / "saved")
    with pytest.raises(pk.ParetoError, match="pass `problem=`"):
        without.front[0].decode()

    class Other(Bowls):
        pass

    with pytest.raises(pk.CheckpointError, match="was solved on another problem"):
        pk.Result.load(tmp_path / "saved", problem=Other())
    shutil.rmtree(tmp_path / "saved")
    with pytest.raises(pk.CheckpointError, match="there is no folder"):
        pk.Result.load(tmp_path / "saved")


def test_member_of_a_stack_saves_its_own_history(tmp_path):
    many = pk.solve_many(Bowls(), Walk(), seeds=2, budget=pk.Budget(iterations=4))
    many[1].save(tmp_path / "one")
    loaded = pk.Result.load(tmp_path / "one", problem=Bowls(), solver=Walk())
    assert torch.equal(loaded.trace.member_fronts(0)[-1], many[1].trace.member_fronts(1)[-1])
    assert list(loaded.convergence("hypervolume")["hypervolume"]) == list(
        many[1].convergence("hypervolume")["hypervolume"]
    )


def test_front_round_trip(tmp_path):
    front = run(5).front
    front.save(tmp_path / "front")
    loaded = pk.Front.load(tmp_path / "front", problem=Bowls())
    assert torch.equal(loaded.values, front.values)
    assert loaded.objectives == front.objectives
    assert loaded.protocol == front.protocol


def test_the_option_that_differs_is_named(tmp_path):
    run(2, tmp_path)
    with pytest.raises(pk.CheckpointError, match=r"its solver is Walk .*: n was 6 and is 7 \(choose another folder"):
        pk.solve(Bowls(), Walk(n=7), budget=pk.Budget(iterations=3), checkpoint=tmp_path)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("nowhere", "there is no folder .*nowhere"),
        ("", "holds no saved result; it is in .*sampler"),
        ("empty", "empty holds no saved result"),
    ],
)
def test_loading_what_is_not_there_is_one_line(tmp_path, place, line):
    (tmp_path / "empty").mkdir()
    result = run(2)
    result.save(tmp_path / "sampler")
    with pytest.raises(pk.CheckpointError, match=f"^[^\n]*{line}$"):
        pk.Result.load(tmp_path / place)
    with pytest.raises(pk.CheckpointError, match="holds no saved front"):
        pk.Front.load(tmp_path / "sampler")
