"""A process killed at any moment (SIGKILL) resumes from its checkpoint and ends with the bits of a run left alone."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

import paretokit as pk
from paretokit.core import Lanes, Rng
from paretokit.core import _serial as serial

ROOT = Path(__file__).parents[3]
PPO = {"n_steps": 16, "n_envs": 4, "epochs": 2, "minibatches": 2, "learning_rate": 3e-3, "hidden": (8,)}
CMORL = {"ppo": PPO, "init_updates": 3, "rounds": 2, "n_selected": 2, "extension_updates": 5}
MORLD = {"improver": {"kind": "PPO", **PPO}, "pop_size": 3, "cooperation": "transfer", "adaptation": "psa"}
EUPG = {"improver": {"kind": "EUPG", "hidden": (8,)}, "pop_size": 3, "selection": "round_robin", "iterations": 16}
LATE = {
    "cmorl": "state.round == 1 and 2 <= state.updates < 5",  # the middle of the first round of the extension
    "morld": "state.turn >= 1 and 4 <= state.step < 12",  # networks and preferences have been exchanged
}
RUNS = {
    "C-MORL's extension by barriers": ("CMORL", CMORL, LATE["cmorl"]),
    "C-MORL's extension by trust regions": ("CMORL", CMORL | {"constraint": "cpo"}, LATE["cmorl"]),
    "MORL/D side by side": ("MORLD", MORLD | {"exchange_every": 400, "iterations": 16}, LATE["morld"]),
    "MORL/D in turns": ("MORLD", EUPG | {"exchange_every": 12, "cooperation": "transfer"}, LATE["morld"]),
}  # fmt: skip


def run(name, options, checkpoint=None):
    small = pk.problems.morl.Network(hidden=(8,))
    tree = pk.problems.MORL(
        "fruit-tree-v0", env_options={"depth": 5}, policy=small
    )  # all leaves differ and are optimal
    return pk.solve(tree, pk.solvers.make(name, **options), seed=3, checkpoint=checkpoint, progress=False)


def bits(result):
    tensors = {}
    text = serial.encode(result.state, tensors)
    return text, {n: t.contiguous().numpy().tobytes() for n, t in tensors.items()}


@pytest.mark.parametrize("case", RUNS)
def test_kill_nine_in_the_second_stage_resumes_bit_for_bit(case, tmp_path):
    name, options, late = RUNS[case]
    folder = tmp_path / "run"
    code = f"""
        import sys, time
        import torch
        torch.set_num_threads({torch.get_num_threads()})
        import paretokit as pk
        from tests.solvers.morl.test_killed_runs import run

        def tell(moment):
            state = moment.state
            if {late}:
                print("late", flush=True)
            time.sleep(0.05)

        solve = pk.solve
        pk.solve = lambda *a, **k: solve(*a, **k, callbacks=[tell])
        run({name!r}, {options!r}, pk.Checkpoint({str(folder)!r}, seconds=0.0))
        print("ended", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=os.environ, text=True) as child:
        assert child.stdout.readline() == "late\n"
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert "ended" not in child.stdout.read()

    solver = pk.solvers.make(name, **options)
    newest = max(folder.glob("step-*"))
    state = serial.load_tree(newest, "state", solver.state_type, Rng, Lanes)
    assert eval(late, {"state": state}), newest
    resumed, alone = run(name, options, folder), run(name, options)
    assert resumed.status == alone.status == "finished"
    assert len(alone.front) > 1
    assert torch.equal(resumed.front.values, alone.front.values)
    assert torch.equal(resumed.front.x, alone.front.x)
    assert resumed.cost == alone.cost
    assert bits(resumed) == bits(alone)
