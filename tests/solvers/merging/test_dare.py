"""DARE: what is dropped, what stays, and what the mean is."""

import pytest
import torch
from small_merging import small

import paretokit as pk
from paretokit.core import InputError
from paretokit.testing import check_solver


def made(problem, key, **options):
    variant = {"method": "dare", "drop": 0.75, "rescale": True, **options, "key": key}
    return problem.as_variant(variant).vectors.dense()


def test_entries_are_dropped_or_scaled_up():
    problem = small()
    tau, thin = problem.vectors.dense(), made(problem, 5)
    kept = thin != 0
    assert torch.equal(thin[kept], (tau * 4)[kept])
    share = kept.double().mean(1) / (tau != 0).double().mean(1)
    # Five standard errors of a share of a quarter.
    assert (share - 0.25).abs().max() < 5 * (0.25 * 0.75 / problem.vectors.size) ** 0.5 * 1.1
    assert not torch.equal(kept[0], kept[1])


def test_without_rescaling_what_stays_is_as_it_was():
    problem = small()
    thin = made(problem, 5, rescale=False)
    assert torch.equal(thin[thin != 0], problem.vectors.dense()[thin != 0])


def test_the_mean_over_masks_is_the_task_vector():
    problem = small()
    tau = problem.vectors.dense()
    mean = torch.stack([made(problem, key) for key in range(200)]).mean(0)
    # A mean of 200 draws has the standard error |tau| sqrt(3 / 200).
    error = ((mean - tau) / (tau * (3 / 200) ** 0.5))[tau != 0]
    assert float(error.square().mean()) == pytest.approx(1, abs=0.1)


def test_dropping_nothing_is_task_arithmetic():
    problem = small()
    a = pk.solve(problem, pk.solvers.DARE(drop=0.0, scale=0.2), seed=0, progress=False)
    b = pk.solve(problem, pk.solvers.TaskArithmetic(scale=0.2), seed=0, progress=False)
    assert torch.equal(a.front.values, b.front.values)


def test_masks_follow_from_the_seed_and_reload(tmp_path):
    problem = small()
    runs = [pk.solve(problem, pk.solvers.DARE(), seed=s, progress=False) for s in (0, 1)]
    rows = [torch.cat([t.flatten() for t in r.front[0].decode().state_dict().values()]) for r in runs]
    assert not torch.equal(*rows)
    runs[1].save(tmp_path / "run")
    again = pk.Result.load(tmp_path / "run", problem=problem).front[0].decode().state_dict()
    assert torch.equal(torch.cat([t.flatten() for t in again.values()]), rows[1])


def test_as_a_solver():
    check_solver(pk.solvers.DARE(drop=0.5, scale=[0.1, 0.2, 0.3, 0.4]), small(), iterations=2)


@pytest.mark.parametrize("drop", [-0.1, 1.0])
def test_bad_options_are_named(drop):
    with pytest.raises(InputError, match=rf"`drop` must lie in \[0, 1\); got {drop}"):
        pk.solvers.DARE(drop=drop)
