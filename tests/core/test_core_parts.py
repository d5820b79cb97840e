"""Checks, registry, serialization, kernels' rental."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

import paretokit as pk
from paretokit.core import Registry, transient
from paretokit.core import _check as check
from paretokit.core import _serial as serial
from paretokit.core._kernel import KernelModule, cache_folder


def test_unknown_names_and_options_offer_the_nearest():
    table = Registry("problem", {"zdt1-v1": "builtins:int", "dtlz2-v1": "paretokit.run:Budget"})
    with pytest.raises(pk.UnknownNameError, match="`problem` must be a known name; got 'zdt1' .did you mean 'zdt1-v1'"):
        table.make("zdt1", {})
    with pytest.raises(pk.UnknownNameError, match="dtlz2-v1 has no option 'evaluation'; did you mean 'evaluations'"):
        table.make("dtlz2-v1", {"evaluation": 3})
    with pytest.raises(pk.UnknownNameError, match="known: dtlz2-v1, zdt1-v1"):
        table.get("quite another thing")
    assert table.make("dtlz2-v1", {"evaluations": 3}) == pk.Budget(evaluations=3)
    assert table.names() == ["dtlz2-v1", "zdt1-v1"]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: check.at_least(2, n=1), "`n` must be at least 2; got 1"),
        (lambda: check.at_least(2, n=float("nan")), "`n` must be at least 2; got nan"),
        (lambda: check.positive(eta=0.0), "`eta` must be positive; got 0.0"),
        (lambda: check.probability(p=1.5), r"`p` must lie in \[0, 1\]; got 1.5"),
        (
            lambda: check.one_of(["linear", "knee"], rule="kne"),
            "`rule` must be one of .*; got 'kne' .did you mean 'knee'",
        ),
        (
            lambda: check.same_last_dim(a=torch.zeros(2, 3), b=torch.zeros(2, 2)),
            "`a` and `b` must have equally many objectives; `a` has 3, `b` has 2",
        ),
        (
            lambda: check.point("reference_point", [1.0, 2.0], 3, hint="pass one"),
            r"`reference_point` must have 3 entries, one per objective; got 2 \(pass one\)",
        ),
        (lambda: check.point("p", [[1.0]], 1), r"`p` must have 1 entries, one per objective; got shape \(1, 1\)"),
        (lambda: check.point("p", [float("nan")], 1), "`p` must not contain NaN"),
    ],
)
def test_check_lines(call, line):
    with pytest.raises(pk.InputError, match=line):
        call()


def test_missing_package_names_the_install_command():
    with pytest.raises(pk.MissingPackageError, match=r'install it with: pip install "paretokit\[bo\]"'):
        check.package("no_such_package_anywhere", extra="bo")


@dataclass
class Inner:
    w: torch.Tensor


@dataclass
class Outer:
    parts: list[Inner]
    pair: tuple[Inner, int]
    names: dict[str, torch.Tensor | None]
    array: np.ndarray
    note: str = "x"
    level: float = float("inf")
    live: object = transient()
    more: list[Inner] = field(default_factory=list)


def test_trees_survive_the_disk(tmp_path):
    t = torch.arange(6).reshape(2, 3)
    value = Outer([Inner(t), Inner(t.T)], (Inner(t.bool()), 3), {"a": t.double(), "b": None}, np.ones(2), live=object())
    serial.save_tree(tmp_path, "v", value)
    back = serial.load_tree(tmp_path, "v", Outer)
    assert torch.equal(back.parts[1].w, t.T)
    assert torch.equal(back.pair[0].w, t.bool())
    assert (back.pair[1], back.names["b"], back.level, back.live) == (3, None, float("inf"), None)
    assert back.array.tolist() == [1.0, 1.0]


def test_kernels_are_rented_until_buying_is_cheaper(tmp_path, monkeypatch):
    monkeypatch.setenv("PARETOKIT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    module = KernelModule("paretokit.core._check", compile_seconds=0.02)
    calls = []

    def plain(text):
        calls.append(text)
        end = __import__("time").perf_counter() + 0.011
        while __import__("time").perf_counter() < end:
            pass
        return ""

    out = [module.run("nearest", lambda name, known: plain(name), "ab", ["abc"]) for _ in range(4)]
    assert calls == ["ab", "ab"]
    assert out == ["", "", "did you mean 'abc'?", "did you mean 'abc'?"]
    assert KernelModule("paretokit.core._check", compile_seconds=9.0).ready()
