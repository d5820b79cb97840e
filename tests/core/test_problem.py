"""The contract of problems, and that the kit finds those who break it."""

import dataclasses

import pytest
import torch

import paretokit as pk
from paretokit.core import Lanes, Problem, Rng
from paretokit.testing import check_problem


class Bowls(Problem):
    objectives = (pk.Objective("left"), pk.Objective("right"))
    space = pk.Box(-2.0, 2.0, dim=2)

    def _evaluate(self, x, rng):
        return pk.Evaluation(torch.stack([((x - 1) ** 2).sum(-1), ((x + 1) ** 2).sum(-1)], -1))


class Noisy(Bowls):
    deterministic = False

    def _evaluate(self, x, rng):
        return pk.Evaluation(super()._evaluate(x, rng).values + rng.normal(len(x), 2, dtype=x.dtype))


def test_a_problem_in_six_lines_keeps_the_contract():
    check_problem(Bowls())
    check_problem(Noisy())


def broken(name, **changes):
    return type(name, (Bowls,), changes)()


@pytest.mark.parametrize(
    ("problem", "rule"),
    [
        (broken("Order", _evaluate=lambda s, x, rng: pk.Evaluation(x - x.mean(0))), "not depend on its batch"),
        (broken("Writes", _evaluate=lambda s, x, rng: pk.Evaluation(x.mul_(0.5).clone())), "input unchanged"),
        (broken("Same", objectives=(pk.Objective("a"), pk.Objective("a"))), "distinct names"),
        (broken("Cast", _evaluate=lambda s, x, rng: pk.Evaluation(x.float())), "dtype"),
        (broken("Draws", _evaluate=lambda s, x, rng: pk.Evaluation(x + torch.rand(len(x), 2))), "equal draws"),
        (broken("Front", pareto_front=lambda s, n=None: torch.tensor([[0.0, 1.0], [1.0, 2.0]])), "front_kind"),
        (
            broken("Worse", front_kind="exact", pareto_front=lambda s, n=None: torch.tensor([[8.0, 9.0], [9.0, 8.0]])),
            "no sample beats the exact front",
        ),
        (
            broken("Beaten", front_kind="exact", pareto_front=lambda s, n=None: torch.tensor([[0.0, 1.0], [1.0, 2.0]])),
            "non-dominated",
        ),
        (
            broken(
                "Inside",
                protocol=pk.EvaluationProtocol(scoring=pk.Scoring(reference_point=(1.0, 9.0), nadir=(8.0, 8.0))),
            ),
            "reference point is no better",
        ),
    ],
)  # fmt: skip
def test_kit_names_the_broken_rule(problem, rule):
    with pytest.raises(AssertionError, match=rule):
        check_problem(problem)


def test_rows_keep_their_leading_axes():
    x = torch.zeros(2, 3, 2, dtype=torch.float64)
    assert Bowls().evaluate(x).values.shape == (2, 3, 2)
    assert Bowls().evaluate(x[0, 0]).values.tolist() == [2.0, 2.0]


def test_members_of_a_noisy_stack_draw_from_their_own_lanes():
    x = torch.zeros(2, 3, 2, dtype=torch.float64)
    lanes = Lanes((Rng.from_seed(0), Rng.from_seed(1)))
    stacked = Noisy().evaluate(x, lanes).values
    for p in range(2):
        assert torch.equal(stacked[p], Noisy().evaluate(x[p], lanes.rngs[p]).values)
    assert torch.equal(Bowls().evaluate(x, lanes).values, Bowls().evaluate(x).values)


@pytest.mark.parametrize(
    ("x", "line"),
    [
        (torch.zeros(3, 4), r"`x` must have 2 columns, one per variable; got shape \(3, 4\)"),
        (
            torch.tensor([[0.0, 0.0], [0.0, 3.0]]),
            r"`x` must lie in the space; got row 1 = \[0.0, 3.0\] \(`problem.space.project",
        ),
        (torch.tensor([[float("nan"), 0.0]]), "`x` must lie in the space; got row 0"),
    ],
)
def test_bad_rows_get_one_line(x, line):
    with pytest.raises(pk.InputError, match=line):
        Bowls().evaluate(x)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (lambda x: x[:, 0], "`Wrong._evaluate` must return an Evaluation; got Tensor"),
        (lambda x: pk.Evaluation(x[:, :1]), r"must return values of shape \(4, 2\); got \(4, 1\)"),
        (lambda x: pk.Evaluation(x, x), r"must return no violations \(n_constraints is 0\); got \(4, 2\)"),
    ],
)
def test_bad_answers_get_one_line(answer, line):
    wrong = type("Wrong", (Bowls,), {"_evaluate": lambda self, x, rng: answer(x)})()
    with pytest.raises(pk.InputError, match=line):
        wrong.evaluate(torch.zeros(4, 2))


def test_fingerprint_tells_problems_apart_and_handles_are_the_same_problem():
    a, b = Bowls(), broken("Bowls", space=pk.Box(-2.0, 3.0, dim=2))
    assert a.fingerprint() == Bowls().fingerprint() == a.observed(None).fingerprint()
    assert len({a.fingerprint(), b.fingerprint(), a.to(dtype=torch.float32).fingerprint()}) == 3


def test_to_refuses_whole_numbers():
    with pytest.raises(pk.InputError, match="`dtype` must be a floating-point type"):
        Bowls().to(dtype=torch.int64)


def test_losses_carry_gradients():
    x = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(Bowls().losses(x, Rng(0))[:, 0].sum(), x)
    assert grad.tolist() == [[-2.0, -2.0]] * 3


@dataclasses.dataclass(frozen=True, eq=False)
class Spring(Problem):
    limit: float = 600.0
    loads: torch.Tensor = dataclasses.field(default_factory=lambda: torch.ones(2))
    objectives = (pk.Objective("mass"), pk.Objective("deflection"))
    space = pk.Box(0.0, 1.0, dim=2)

    def _evaluate(self, x, rng):
        return pk.Evaluation(x)


def test_fingerprint_holds_the_fields_of_a_users_own_problem():
    marks = [Spring(), Spring(limit=500.0), Spring(loads=torch.zeros(2)), Spring(loads=torch.tensor(1.0))]
    assert len({problem.fingerprint() for problem in marks}) == 4
    assert Spring().fingerprint() == marks[0].fingerprint()
