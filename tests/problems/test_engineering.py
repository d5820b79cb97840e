"""Engineering problems: values of the published suite, identities between its members, gradients, decoding."""

import pytest
import torch

from paretokit.core import InputError, Lanes, Rng, ShapeError, UnknownNameError, to_min
from paretokit.problems import make
from paretokit.problems.engineering import ENGINEERING

IDS = sorted(ENGINEERING)

# Values of the published suite (all objectives minimized) at decisions given in our columns. Origin: the RE classes of
# jMetalPy 1.9.0, run apart from this package, with five departures from the authors' reference code undone: RE23 counts
# thicknesses in steps, RE33 divides by 3.14, RE41 does not round, RE41/42/61 sum shortfalls instead of surpluses.
PUBLISHED = [
    ("re21-v1", [1.61, 2.9, 1.45, 2.27], [2159.07575775224, 0.0114797359537885]),
    ("re21-v1", [1.27, 2.55, 2.15, 1.56], [1834.50648278258, 0.0265049403951924]),
    ("re22-v1", [65.0, 13.0, 25.8], [456.726, 0.730079499999988]),
    ("re22-v1", [0.0, 15.1, 23.1], [215.166, 175.400490066225]),
    ("re23-v1", [84.0, 78.0, 48.1, 164.0], [86445.624327375, 0.0]),
    ("re23-v1", [5.0, 30.0, 192.0, 106.0], [127265.510082031, 3.3931]),
    ("re24-v1", [3.03, 47.4], [5691.03, 0.0]),
    ("re24-v1", [3.74, 47.5], [5703.74, 0.0]),
    ("re25-v1", [10.0, 0.847, 12.0], [2.00852518381915, 0.00706713780918689]),
    ("re25-v1", [31.0, 1.95, 5.0], [4.16695043250147, 1118454.02938888]),
    ("re31-v1", [17.1, 13.7, 1.27], [93.9101310081687, 3.86496529860218, 93.8101310081688]),
    ("re31-v1", [91.3, 15.9, 2.16], [452.890626592533, 0.461030307741686, 452.790626592533]),
    ("re32-v1", [2.82, 6.26, 9.45, 2.86], [81.33814906524, 0.000909520799781431, 0.0]),
    ("re32-v1", [0.129, 1.72, 6.6, 2.77], [13.8580987384692, 0.00275652869858795, 37282.9516876551]),
    ("re33-v1", [59.8, 85.6, 2900.0, 18.5], [3.2167569, 1.66104673147581, 0.0]),
    ("re33-v1", [71.5, 87.3, 1150.0, 15.1], [1.733495736, 4.73253896984579, 4.2]),
    ("re34-v1", [1.15, 2.5, 1.07, 2.83, 2.45], [1686.45547132, 11.19018633, 0.08041627]),
    ("re34-v1", [1.24, 2.52, 2.18, 1.53, 2.79], [1683.262775049, 8.39171616, 0.13648069]),
    (
        "re35-v1",
        [3.56, 0.722, 20.0, 7.64, 7.71, 3.17, 5.44],
        [3784.43368844677, 1296.44105518136, 0.243252077562327],
    ),
    ("re35-v1", [2.64, 0.789, 22.0, 7.51, 7.53, 3.12, 5.18], [3787.7268616737, 1357.72064046741, 59.4426328628441]),
    ("re36-v1", [15.0, 29.0, 54.0, 49.0], [0.848241379310345, 54.0, 0.0]),
    ("re36-v1", [40.0, 47.0, 54.0, 18.0], [6.41397872340426, 54.0, 0.425404519319616]),
    ("re37-v1", [0.845, 0.0565, 0.906, 0.144], [0.87125319703, 0.257693897125, 0.169969101084]),
    ("re37-v1", [0.191, 0.604, 0.6, 0.569], [0.32113264406, 0.6659098068, 0.794236725712]),
    ("re41-v1", [0.735, 1.25, 1.21, 1.48, 1.72, 0.708, 0.447], [32.58151708, 3.692625, 12.139383945, 0.0]),
    ("re41-v1", [1.16, 0.6, 1.36, 1.04, 2.12, 1.16, 0.421], [30.2521416, 4.04496, 11.90207928, 3.465182228]),
    (
        "re42-v1",
        [205.0, 26.9, 16.5, 11.7, 17.8, 0.645],
        [-408.95637188063, 8995.43023332583, 14145.0331230268, 0.504295136301974],
    ),
    (
        "re42-v1",
        [189.0, 20.6, 22.6, 10.7, 17.8, 0.638],
        [-419.491372764272, 7374.9079302741, 11245.3273681656, 6.30144231014765],
    ),
    (
        "re61-v1",
        [0.0949, 0.0312, 0.0555],
        [70962.528079, 284.7, 890282.317061835, 4441848.77192277, 16590.6256720975, 0.0],
    ),
    (
        "re61-v1",
        [0.402, 0.0603, 0.0985],
        [78661.392756, 1206.0, 1720641.78585989, 2138373.89886593, 11598.2953742894, 0.0],
    ),
]


@pytest.mark.parametrize(("name", "x", "values"), PUBLISHED)
def test_values_are_the_published_ones(name, x, values):
    problem = make(name)
    found = to_min(problem.evaluate(torch.tensor([x], dtype=torch.float64)).values, problem.objectives)[0]
    torch.testing.assert_close(found, torch.tensor(values, dtype=torch.float64), rtol=1e-12, atol=1e-9)


def test_every_problem_but_the_uncertain_one_is_pinned():
    assert {name for name, *_ in PUBLISHED} == {n for n in IDS if n.startswith("re")} - {"re91-v1"}


@pytest.mark.parametrize("name", IDS)
def test_made_by_id_with_names_units_and_bounds_for_every_column(name):
    problem = make(name)
    assert problem.id == name
    assert type(problem).__name__.lower() == name.partition("-")[0]
    assert len(problem.variables) == problem.space.dim
    names = [v.name for v in problem.variables]
    assert len(set(names)) == len(names)
    for low, high, variable in zip(
        problem.space.lower.tolist(), problem.space.upper.tolist(), problem.variables, strict=True
    ):
        assert (low, high) == ((0, len(variable.values) - 1) if variable.values else (variable.lower, variable.upper))
    assert len({o.name for o in problem.objectives}) == problem.n_objectives
    # The suite's digits count objectives: RE42 has four, CRE32 three.
    assert problem.n_objectives == int(name.partition("-")[0].removeprefix("c").removeprefix("re")[0])


@pytest.mark.parametrize("name", IDS)
def test_batches_agree_with_rows_and_inputs_stay(name):
    problem = make(name) if name != "re91-v1" else make(name, uncertain=False)
    x = problem.space.sample(12, Rng.from_seed(1).child(name))
    before = x.clone()
    together = problem.evaluate(x.reshape(3, 4, -1))
    assert torch.equal(x, before)
    alone = [problem.evaluate(row) for row in x]
    torch.testing.assert_close(together.values.reshape(12, -1), torch.stack([e.values for e in alone]))
    if problem.n_constraints:
        torch.testing.assert_close(together.violations.reshape(12, -1), torch.stack([e.violations for e in alone]))


PAIRS = {
    "cre21-v1": "re31-v1",
    "cre22-v1": "re32-v1",
    "cre23-v1": "re33-v1",
    "cre24-v1": "re35-v1",
    "cre25-v1": "re36-v1",
    "cre31-v1": "re41-v1",
    "cre32-v1": "re42-v1",
    "cre51-v1": "re61-v1",
}


@pytest.mark.parametrize(("constrained", "penalized"), PAIRS.items())
def test_constrained_twin_has_the_objectives_and_its_violations_sum_to_the_last_one(constrained, penalized):
    a, b = make(constrained), make(penalized)
    x = a.space.sample(200, Rng.from_seed(2))
    first, second = a.evaluate(x), b.evaluate(x)
    assert torch.equal(first.values, second.values[:, :-1])
    torch.testing.assert_close(first.total_violation, second.values[:, -1])
    assert bool((first.total_violation > 0).any())


def test_all_constrained_problems_have_a_twin():
    assert set(PAIRS) == {name for name in IDS if name.startswith("cre")}


REAL = [name for name in IDS if name != "re91-v1" and make(name).space.is_real]


@pytest.mark.parametrize("name", REAL)
def test_gradients_agree_with_differences(name):
    problem = make(name)
    unit = 0.2 + 0.6 * Rng.from_seed(3).child(name).uniform(3, problem.space.dim)

    def values(u):
        return problem._evaluate(problem.space.from_unit(u), Rng.from_seed(0)).values / scale

    scale = torch.ones(())
    scale = values(unit).abs().amax(0).clamp_min(1e-9).detach()
    assert torch.autograd.gradcheck(values, (unit.requires_grad_(),), eps=1e-7, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["re22-v1", "re23-v1", "re25-v1", "re35-v1"])
def test_real_columns_of_mixed_problems_have_gradients(name):
    problem = make(name)
    x = problem.space.from_unit(torch.full((1, problem.space.dim), 0.6, dtype=torch.float64)).requires_grad_()
    (slope,) = torch.autograd.grad(problem.losses(x, Rng.from_seed(0))[:, 0].sum(), x)
    real = problem.space.kinds == 0
    assert bool((slope[0, real].abs() > 0).all())


def test_tables_and_steps_are_decoded_to_physical_quantities():
    assert make("re22-v1").decode(torch.tensor([57.0, 8.5, 34.0], dtype=torch.float64)) == {
        "reinforcement area": 6.32,
        "beam width": 8.5,
        "beam depth": 34.0,
    }
    vessel = make("re23-v1").decode(torch.tensor([13.0, 7.0, 42.0, 176.0], dtype=torch.float64))
    assert (vessel["shell thickness"], vessel["head thickness"]) == (0.8125, 0.4375)
    assert make("re25-v1").decode(torch.tensor([9.0, 1.223, 12.0]).double())["wire diameter"] == 0.283
    assert make("re21-v1").variables[0].label == "bar 1 section [cm²]"
    assert make("re36-v1").variables[0].label == "gear 1 teeth"


def test_decisions_outside_are_refused_with_one_line():
    with pytest.raises(InputError, match="`x` must lie in the space"):
        make("re22-v1").evaluate(torch.tensor([[0.5, 10.0, 20.0]]))
    with pytest.raises(InputError, match="`x` must lie in the space"):
        make("re21-v1").decode(torch.tensor([0.5, 2.0, 2.0, 2.0]))
    with pytest.raises(ShapeError, match="`x` must have 4 columns"):
        make("re21-v1").evaluate(torch.ones(1, 3))
    with pytest.raises(UnknownNameError, match="re37-v1"):
        make("re37")
    with pytest.raises(UnknownNameError, match="did you mean 'uncertain'"):
        make("re91-v1", uncertian=True)


def test_undefined_designs_fail_instead_of_winning():
    beam = make("re22-v1").evaluate(torch.tensor([[5.0, 0.0, 20.0], [5.0, 10.0, 20.0]]))
    assert beam.failed.tolist() == [True, False]
    brake = make("re33-v1").evaluate(torch.tensor([[77.0, 77.0, 2000.0, 15.0]]))
    assert brake.failed.tolist() == [True]


def test_known_optima_of_the_literature_are_reproduced():
    # Pressure vessel, length up to 240 in: 5850.383 (Gandomi, Yang and Alavi, 2013, Engineering with Computers).
    vessel = make("re23-v1").evaluate(torch.tensor([[12.0, 6.0, 38.8601, 221.36547]], dtype=torch.float64)).values[0]
    assert vessel[0].item() == pytest.approx(5850.383, abs=0.5)
    # Coil spring: 2.65856 (Lampinen and Zelinka, 1999).
    spring = make("re25-v1").evaluate(torch.tensor([[9.0, 1.2230410, 12.0]], dtype=torch.float64)).values[0]
    assert spring[0].item() == pytest.approx(2.65856, abs=1e-4)
    # Welded beam: 1.724852, all four limits active (Coello Coello and Mezura Montes, 2002).
    beam = make("cre22-v1").evaluate(torch.tensor([[0.20573, 3.470489, 9.036624, 0.20573]], dtype=torch.float64))
    assert beam.values[0, 0].item() == pytest.approx(1.724852, abs=1e-4)
    assert beam.violations[0].abs().max() < 0.1


class TestCabDesign:
    """RE91, the only uncertain one."""

    x = make("re91-v1").space.sample(50, Rng.from_seed(4))

    def test_at_the_means_it_shares_its_responses_with_side_impact(self):
        exact = make("re91-v1", uncertain=False)
        assert exact.deterministic
        cab = exact.evaluate(self.x).values
        impact = make("cre31-v1").evaluate(self.x)
        torch.testing.assert_close(cab[:, 6], impact.values[:, 1] / 4.0)
        slack = -impact.violations
        for column, row, limit in ((2, 1, 0.32), (3, 2, 0.32), (7, 8, 9.9), (8, 9, 15.7)):
            torch.testing.assert_close(cab[:, column], (1 - slack[:, row] / limit).clamp_min(0))
        torch.testing.assert_close(cab[:, 5], (1 - slack[:, 4:7] / 32.0).mean(-1))
        x2, x3, x4, x7 = (self.x[:, i] for i in (1, 2, 3, 6))
        torch.testing.assert_close(cab[:, 1], 1.16 - 0.3717 * x2 * x4 - 0.484 * 0.192 * x3)
        viscous = 0.74 - 0.61 * x2 - 0.163 * 0.345 * x3 - 0.166 * 0.192 * x7 + 0.227 * x2**2
        torch.testing.assert_close(cab[:, 4], viscous / 0.32)

    def test_noise_comes_from_the_key_and_its_effect_has_the_stated_size(self):
        problem = make("re91-v1")
        assert not problem.deterministic
        one, two = Rng.from_seed(1), Rng.from_seed(2)
        assert torch.equal(problem.evaluate(self.x, one).values, problem.evaluate(self.x, one).values)
        assert not torch.equal(problem.evaluate(self.x, one).values, problem.evaluate(self.x, two).values)
        row = self.x[:1].expand(20000, -1)
        values = problem.evaluate(row, one).values
        assert bool((values[:, 0] == values[0, 0]).all())
        assert bool((values >= 0).all())
        # B-pillar velocity is never cut off: standard deviation by the linear terms in x8 and x10.
        x2, x3, x4, x6 = (float(self.x[0, i]) for i in (1, 2, 3, 5))
        expected = ((0.006 * 1.95 * x2) ** 2 + (10 * (0.02054 * x3 - 0.0198 * x4 + 0.028 * x6)) ** 2) ** 0.5 / 9.9
        assert values[:, 7].std().item() == pytest.approx(expected, rel=0.03)

    def test_members_draw_the_same_alone_or_stacked(self):
        problem = make("re91-v1")
        rngs = (Rng.from_seed(5), Rng.from_seed(6))
        stacked = problem.evaluate(self.x.reshape(2, 25, 7), Lanes(rngs)).values
        for member, rng in enumerate(rngs):
            alone = problem.evaluate(self.x[25 * member : 25 * (member + 1)], rng).values
            assert torch.equal(stacked[member], alone)

    def test_no_front_is_known(self):
        assert make("re91-v1").pareto_front() is None
        assert make("re91-v1").pareto_set(3) is None
