"""Attainment, Vorob'ev's mean and spread, and the scale of the union."""

import moocore
import numpy as np
import pytest
import torch
from made import SCORING, Made, curve

from paretokit import bench
from paretokit.core import EvaluationProtocol, Front, InputError, Measurement, ProtocolError, Scoring


def noisy(seed, n=12, *, senses=("min", "max"), m=2, shift=0.0):
    draw = np.random.default_rng(seed)
    points = draw.random((n, m))
    points = points / np.linalg.norm(points, axis=1, keepdims=True) * (1 + 0.1 * draw.random()) + shift
    corner = tuple(2.0 if s == "min" else -2.0 for s in senses)
    flip = np.where([s == "max" for s in senses], -1.0, 1.0)
    return Front.from_values(points * flip, senses=senses, scoring=Scoring(reference_point=corner))


def empty(like):
    return like.select(torch.zeros(len(like), dtype=torch.bool))


def plain_attainment(fronts, z):
    reached = 0
    for front in fronts:
        reached += any((row <= z).all() for row in front.min_values.numpy())
    return reached / len(fronts)


@pytest.mark.parametrize("senses", [("min", "max"), ("min", "min", "max")])
def test_surfaces_are_attained_by_their_share_and_nothing_better_is(senses):
    fronts = [noisy(k, senses=senses, m=len(senses)) for k in range(7)]
    flip = np.where([s == "max" for s in senses], -1.0, 1.0)
    for surface in bench.attainment_surfaces(fronts, levels=(0.1, 0.5, 0.75, 1.0)):
        wanted = int(np.ceil(surface.level * 7)) / 7
        assert len(surface.points)
        assert bench.attainment(fronts, surface.points).min() >= wanted - 1e-12
        for z in surface.points:
            assert plain_attainment(fronts, z * flip) >= wanted - 1e-12
            for j in range(len(senses)):
                nearer = z * flip - 1e-9 * np.eye(len(senses))[j]
                assert plain_attainment(fronts, nearer) < wanted


def test_surfaces_agree_with_moocore():
    fronts = [noisy(k, senses=("min", "min")) for k in range(5)]
    owners = np.repeat(np.arange(5), [len(f) for f in fronts])
    found = moocore.eaf(np.concatenate([f.values.numpy() for f in fronts]), owners, percentiles=[60])[:, :2]
    (surface,) = bench.attainment_surfaces(fronts, levels=(0.6,))
    assert np.array_equal(surface.points, found)


def test_runs_without_a_front_attain_nothing():
    full = [noisy(k) for k in range(3)]
    fronts = [*full, empty(full[0])]
    low, high = bench.attainment_surfaces(fronts, levels=(0.75, 1.0))
    (same,) = bench.attainment_surfaces(full, levels=(1.0,))
    assert np.array_equal(low.points, same.points)
    assert len(high.points) == 0
    assert (bench.attainment(fronts, [[5.0, -5.0]]) == 0.75).all()
    assert len(bench.attainment_surfaces([empty(full[0])])[0].points) == 0


def test_differences_are_those_of_the_attainment_functions():
    a, b = [noisy(k) for k in range(4)], [noisy(k + 9, shift=0.05) for k in range(4)]
    found = bench.attainment_difference(a, b)
    assert found.runs == 4
    assert len(found.boxes) > 10
    best = found.boxes[:, [0, 3]]  # smaller is better first, larger second
    assert np.allclose(bench.attainment(a, best) - bench.attainment(b, best), found.difference)
    assert (found.difference > 0).any()
    turned = bench.attainment_difference(b, a)
    assert sorted(turned.difference) == sorted(-found.difference)


def test_equal_sides_do_not_differ():
    a = [noisy(k) for k in range(3)]
    assert (bench.attainment_difference(a, a).difference == 0).all()
    one = bench.attainment_difference([curve(0.1)] * 3, [curve(0.1)] * 3)
    assert (one.boxes.shape, one.difference.shape) == ((0, 4), (0,))


def test_vorobev_agrees_with_moocore_and_with_its_definition():
    fronts = [noisy(k) for k in range(6)]
    found = bench.vorobev(fronts)
    data = np.concatenate([f.min_values.numpy() for f in fronts])
    owners = np.repeat(np.arange(1, 7), [len(f) for f in fronts])
    assert found.deviation == pytest.approx(moocore.vorob_dev(data, owners, ref=(2, 2)))
    volumes = [moocore.hypervolume(f.min_values.numpy(), ref=(2, 2)) for f in fronts]
    assert found.hypervolume == pytest.approx(np.mean(volumes))
    mean = found.expectation * [1, -1]
    own = moocore.hypervolume(mean, ref=(2, 2))
    both = [moocore.hypervolume(np.concatenate([mean, f.min_values.numpy()]), ref=(2, 2)) for f in fronts]
    symmetric = [2 * u - own - v for u, v in zip(both, volumes, strict=True)]
    assert found.deviation == pytest.approx(np.mean(symmetric))
    assert found.relative_deviation == pytest.approx(found.deviation / np.mean(volumes))
    assert 0 < found.threshold < 1


def test_equal_fronts_have_no_spread():
    found = bench.vorobev([curve(0.1)] * 4)
    assert found.deviation == pytest.approx(0, abs=1e-12)
    assert np.allclose(np.sort(found.expectation, 0), np.sort(curve(0.1).values.numpy(), 0))


def test_the_common_scale_maps_the_union_to_the_unit_square():
    fronts = [curve(0.0), curve(0.2), curve(0.1)]
    scale = bench.common_scale(fronts)
    assert scale.reference.amin(0).tolist() == pytest.approx([0, 0], abs=1e-12)
    assert scale.reference.amax(0).tolist() == pytest.approx([1, 1])
    assert scale.score(fronts[0], "hypervolume") == pytest.approx(1)
    assert scale.score(fronts[0], "igd_plus") == pytest.approx(0, abs=1e-12)
    assert scale.score(fronts[0], "epsilon_additive") == pytest.approx(0, abs=1e-12)
    assert scale.score(fronts[1], "hypervolume") < scale.score(fronts[2], "hypervolume") < 1
    assert scale.score(fronts[1], "r2") > scale.score(fronts[2], "r2")
    assert scale.score(empty(fronts[0]), "hypervolume") == 0


def test_the_common_scale_does_not_move_with_units_and_senses():
    stretched = [
        Front.from_values(f.values.numpy() * [1000.0, -0.01] + [5.0, 3.0], senses=["min", "max"])
        for f in (curve(0.0), curve(0.2))
    ]
    one, other = bench.common_scale([curve(0.0), curve(0.2)]), bench.common_scale(stretched)
    for indicator in ("hypervolume", "igd_plus", "r2", "epsilon_additive"):
        assert one.score(curve(0.2), indicator) == pytest.approx(other.score(stretched[1], indicator))
    assert other.ideal.tolist() == pytest.approx([5.0, 3.0])


def test_a_flat_union_takes_the_range_of_all_points():
    fronts = [Front.from_values([[0.0, 0.0]]), Front.from_values([[2.0, 4.0]])]
    scale = bench.common_scale(fronts)
    assert scale.nadir.tolist() == [2.0, 4.0]
    assert bench.common_scale(fronts[:1]).nadir.tolist() == [1.0, 1.0]


def test_common_scores_keep_failed_runs_and_refuse_mixed_measurement():
    made = Made({"p": {"a": [0.0, 0.1], "b": [0.2, 0.3]}})
    frame, scales = bench.common_scores(made, indicators=["hypervolume"])
    assert frame["value"].tolist() == sorted(frame["value"], reverse=True)
    assert set(scales) == {"p"}
    assert list(frame["seed"]) == [0, 1, 0, 1]

    class Lacking(Made):
        def fronts(self, problem, solver):
            return [curve(g) for g in self.gaps[problem][solver] if g == g]

    lacking = Lacking({"p": {"a": [0.0, np.nan], "b": [0.2, 0.3]}})
    found = bench.common_scores(lacking, indicators=["igd_plus"])[0]
    assert found["value"].isna().tolist() == [False, True, False, False]

    class Mixed(Made):
        def fronts(self, problem, solver):
            horizon = {"a": 100, "b": 200}[solver]
            return [other_measurement(curve(g), horizon) for g in self.gaps[problem][solver]]

    with pytest.raises(ProtocolError, match="they differ in horizon: 100 against 200"):
        bench.common_scores(Mixed(made.gaps))


def other_measurement(front, horizon):
    protocol = EvaluationProtocol(measurement=Measurement(horizon=horizon), scoring=SCORING)
    return Front(front.values, None, front.objectives, protocol)


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: bench.attainment_surfaces([]), InputError, "`fronts` must hold at least one front; got none"),
        (lambda: bench.attainment_surfaces([curve(0)], levels=[0.0]), InputError, r"`levels` must lie in \(0, 1\]"),
        (lambda: bench.attainment_surfaces([3]), InputError, "`fronts` must hold Fronts; got int"),
        (lambda: bench.attainment([curve(0)], [[0.0] * 3]), InputError, r"`at` must be \[k, 2\]"),
        (lambda: bench.attainment_difference([curve(0)], [curve(0)] * 2), InputError, "`second` must hold 1 runs"),
        (
            lambda: bench.attainment_difference([noisy(0, senses=("min",) * 3, m=3)] * 2, [noisy(0)] * 2),
            InputError,
            "`fronts` must all have the objectives",
        ),
        (
            lambda: bench.attainment_difference(*[[noisy(0, senses=("min",) * 3, m=3)]] * 2),
            InputError,
            "`first` must have two objectives; got 3",
        ),
        (
            lambda: bench.attainment_difference([empty(curve(0))], [curve(0)]),
            InputError,
            "`fronts` must each hold a point; got an empty front at",
        ),
        (
            lambda: bench.attainment_surfaces([curve(0), other_measurement(curve(0), 9)]),
            ProtocolError,
            "fronts must be measured alike",
        ),
        (lambda: bench.vorobev([curve(0, scoring=None)]), InputError, "`reference_point` must be given"),
        (lambda: bench.vorobev([empty(curve(0))]), InputError, "`fronts` must each hold a point"),
        (lambda: bench.common_scale([empty(curve(0))]), InputError, "`fronts` must hold a point; got none"),
        (lambda: bench.common_scale([curve(0)], margin=0), InputError, "`margin` must be positive"),
        (lambda: bench.common_scale([curve(0)]).score(curve(0), "igd"), InputError, "`indicator` must be one of"),
        (
            lambda: bench.common_scale([curve(0), noisy(0)]),
            InputError,
            "`fronts` must share their objectives",
        ),
    ],
)
def test_bad_fronts_get_one_line(call, error, line):
    with pytest.raises(error, match=line):
        call()
