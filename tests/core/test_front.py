"""Fronts: the user's senses, no dominated or failed rows, from anywhere."""

import pandas as pd
import pytest
import torch

import paretokit as pk
from paretokit.core import Objective, Problem, maximize_of, objectives_of, to_min, to_min_or_inf

VALUES = [[1.0, 5.0], [2.0, 6.0], [2.0, 6.0], [3.0, 4.0], [0.5, float("nan")], [float("-inf"), 9.0]]


def test_from_values_keeps_the_non_dominated_in_the_users_senses():
    front = pk.Front.from_values(VALUES, senses=["min", "max"], objectives=["cost", "gain"])
    assert front.values.tolist() == [[1.0, 5.0], [2.0, 6.0]]
    assert front.maximize == (False, True)
    assert front[1]["gain"] == 6.0
    assert [s.values.tolist() for s in front] == front.values.tolist()
    assert list(front.to_frame().columns) == ["cost", "gain", "row"]
    assert front.info["row"].tolist() == [0, 1]


def test_from_csv(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("cost,gain,knob\n1,5,0.1\n2,6,0.2\n3,4,0.3\n")
    front = pk.Front.from_csv(path, senses=["min", "max"], decisions=["knob"])
    assert front.x.tolist() == [[0.1], [0.2]]
    with pytest.raises(pk.UnknownNameError, match="did you mean 'gain'"):
        pk.Front.from_csv(path, objectives=["cost", "gian"])
    named = [pk.Objective("gain", "max"), pk.Objective("cost")]
    assert pk.Front.from_csv(path, objectives=named).values.tolist() == [[5.0, 1.0], [6.0, 2.0]]
    frame = pd.read_csv(path)
    assert pk.Front.from_values(frame, objectives=named).values.tolist() == [[5.0, 1.0], [6.0, 2.0]]
    assert [o.name for o in pk.Front.from_values(frame[["gain", "cost"]]).objectives] == ["gain", "cost"]
    path.write_text("cost,gain\n1,5\n2,many\n")
    with pytest.raises(pk.InputError, match="`gain` must hold numbers only; got 'many' in line 3"):
        pk.Front.from_csv(path)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: pk.Front.from_values([1.0, 2.0]), r"`values` must have shape \[n, m\]; got \(2,\)"),
        (
            lambda: pk.Front.from_values(VALUES, senses=["min"]),
            "`senses` must have 2 entries, one per objective; got 1",
        ),
        (lambda: pk.Front.from_values(VALUES, senses=["min", "up"]), "`sense` must be one of"),
        (lambda: pk.Front.from_values(VALUES, objectives=["a"]), "`objectives` must have 2 entries"),
        (lambda: pk.Front.from_values(VALUES, x=[[1.0]]), "`x` must have 6 rows"),
        (lambda: objectives_of(0), "`objectives` must hold at least one"),
    ],
)
def test_mistakes_get_one_line(call, line):
    with pytest.raises(pk.InputError, match=line):
        call()


def test_index_out_of_range_says_the_size():
    front = pk.Front.from_values(VALUES)
    assert torch.equal(front[-1].values, front.values[-1])
    with pytest.raises(IndexError, match="`index` must be below 2, the size of the front; got 3"):
        front[3]


def test_merge_is_the_front_of_the_union_and_refuses_other_measurements():
    a = pk.Front.from_values([[0.0, 2.0], [1.0, 1.0]])
    b = pk.Front.from_values([[0.0, 2.0], [0.5, 1.0]])
    assert a.merge(b).values.tolist() == [[0.0, 2.0], [0.5, 1.0]]
    other = pk.EvaluationProtocol(measurement=pk.Measurement(discount=0.9))
    c = pk.Front(b.values, None, b.objectives, other)
    with pytest.raises(pk.ProtocolError, match=r"they differ in discount: None against 0.9"):
        a.merge(c)
    with pytest.raises(pk.InputError, match="`others` must have the objectives"):
        a.merge(pk.Front.from_values([[0.0, 2.0]], objectives=["x", "y"]))


def test_scoring_is_free_to_change():
    front = pk.Front.from_values([[0.0, 1.0], [1.0, 0.0]])
    assert "hypervolume" not in front.scores()
    scored = front.with_scoring(pk.Scoring(reference_point=(2.0, 2.0)))
    assert scored.scores()["hypervolume"] == 3.0
    assert scored.values is front.values
    with pytest.raises(pk.InputError, match="`reference_point` must have 2 entries, one per objective; got 3"):
        front.scores(pk.Scoring(reference_point=(2.0, 2.0, 2.0)))


def test_signs_flip_in_one_place():
    both = (Objective("a"), Objective("b", "max", "kg"))
    values = torch.tensor([[1.0, 2.0], [float("nan"), 0.0], [1.0, float("inf")]])
    assert to_min(values, both)[0].tolist() == [1.0, -2.0]
    assert torch.equal(to_min(to_min(values[:1], both), both), values[:1])
    assert to_min_or_inf(values, both)[1:].isinf().all()
    assert to_min(values, both[:1] * 2) is values
    assert (both[1].label, maximize_of(both)) == ("b [kg]", (False, True))


class Wide(Problem):
    objectives = (Objective("a"), Objective("b"))
    space = pk.Box(0.0, 1.0, dim=2)
    n_constraints = 1

    def _evaluate(self, x, rng):
        return pk.Evaluation(torch.stack([x[:, 0], 1 - x[:, 0]], -1), x[:, 1:] - 0.5)


def test_front_of_a_problem_is_feasible_and_decodes():
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    front = pk.Front.of(Wide(), x, Wide().evaluate(x), info={"row": torch.arange(50)})
    assert (front.x[:, 1] <= 0.5).all()
    assert torch.equal(x[front.info["row"]], front.x)
    assert torch.equal(front[0].decode(), front.x[0])
    with pytest.raises(pk.ParetoError, match="no decision to decode"):
        pk.Front.from_values([[1.0, 2.0]])[0].decode()


class TestObjects:
    """Designs are shown as what they are, not as columns of numbers."""

    words = pk.problems.CompositionalDesign.sequences(
        "ABC", ["a", "b"], lambda w: (w.count("A"), w.count("B")), max_length=3
    )

    def front(self, problem=None, rows=("AAB", "ABB")):
        x = self.words.encode(rows)
        return pk.Front(self.words.evaluate(x).values, x, self.words.objectives, problem=problem or self.words)

    def test_frames_begin_with_the_design(self):
        frame = self.front().to_frame()
        assert list(frame.columns) == ["design", "a", "b", "x1", "x2", "x3"]
        assert list(frame["design"]) == ["AAB", "ABB"]

    def test_numbers_stay_numbers(self):
        grid = pk.problems.HyperGrid(side=4)
        x = grid.cells()[:1]
        front = pk.Front(grid.evaluate(x).values, x, grid.objectives, problem=grid)
        assert list(front.to_frame().columns) == ["branin", "currin", "x1", "x2"]
        assert repr(front[0]).startswith("Solution(x=[0, 0], branin=")

    def test_a_view_shows_what_its_base_does(self):
        view = self.words.view(pk.Integers(0, 1, dim=2), lambda u: torch.cat([u, u[:, :1]], 1))
        front = pk.Front(torch.zeros(1, 2), torch.zeros(1, 2), self.words.objectives, problem=view)
        assert list(front.to_frame()["design"]) == ["AAA"]

    def test_a_solution_prints_its_design(self):
        assert repr(self.front()[0]) == "Solution(design='AAB', a=2, b=1, index=0)"
        bare = pk.Front.from_values([[1.0, 2.0]], x=[[0.0] * 9])
        assert repr(bare[0]) == "Solution(x=[0, 0, 0, 0, 0, 0, 0, 0, …], f1=1, f2=2, index=0)"

    def test_rows_that_are_no_front_say_so(self):
        front = self.front(rows=("AAB", "AAB", "ABB", "CCC"))
        assert "4 points, 2 of them dominated by others or equal to them" in repr(front)
        assert "dominated" not in repr(self.front())
