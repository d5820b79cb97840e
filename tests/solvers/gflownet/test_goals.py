"""Goals: cones of objectives, the table of what can be met, hindsight, and samplers that follow the goal."""

import itertools
import math

import pytest
import torch

import paretokit as pk
from paretokit.core import InputError, Rng, UnknownNameError
from paretokit.problems import HyperGrid
from paretokit.solvers import GCGFN
from paretokit.solvers.gflownet import Goals, Replay
from paretokit.solvers.gflownet._gflownet import Request
from paretokit.solvers.gflownet._goals import cosine, focus_log_reward, goal_table, nearest_row, unit
from paretokit.solvers.gflownet._policy import masked_log_softmax

CPU = torch.device("cpu")


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)


def at_angle(cos):
    return rows([cos, math.sqrt(1 - cos * cos)])


class TestFocus:
    def test_the_coefficient_is_one_at_the_center_and_the_border_share_at_the_border(self):
        goal, beta = rows([1.0, 0.0]), rows(1.0)
        for cos, share in ((1.0, 1.0), (0.98 + 1e-12, 0.2)):
            r = 0.7 * at_angle(cos)
            out = focus_log_reward(r, goal, beta, cone=0.98, border=0.2)
            assert float(out) == pytest.approx(math.log(share * float(r.sum())), rel=1e-6)

    def test_outside_and_for_nothing_it_is_the_lowest(self):
        r = torch.cat([0.7 * at_angle(0.9799), rows([0.0, 0.0])])
        out = focus_log_reward(r, rows([1.0, 0.0]).expand(2, 2), rows(60.0, 1.0), lowest=-75.0)
        assert out.tolist() == [-75.0, -75.0]

    def test_it_equals_its_plain_twin_with_one_logarithm(self):
        rng = Rng.from_seed(0)
        r, g = rng.child("r").uniform(300, 3) * 1.3, unit(rng.child("g").uniform(300, 3))
        beta = 1 + 20 * rng.child("b").uniform(300)
        expected = []
        for a, b, power in zip(r.tolist(), g.tolist(), beta.tolist(), strict=True):
            cos = sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
            reward = cos ** (math.log(0.3) / math.log(0.9)) * sum(a) if cos >= 0.9 else 0.0
            expected.append(max(power * math.log(reward), -75.0) if reward else -75.0)
        out = focus_log_reward(r, g, beta, cone=0.9, border=0.3)
        assert torch.allclose(out, rows(*expected))
        assert out.unique().numel() > 50  # rewards below 1 differ, too
        assert (out > 0).any()

    def test_lengths_of_goals_do_not_matter(self):
        r, g = Rng.from_seed(1).uniform(20, 2), Rng.from_seed(2).uniform(20, 2)
        beta = torch.ones(20, dtype=torch.float64)
        assert torch.allclose(focus_log_reward(r, g, beta), focus_log_reward(r, 7 * g, beta))


class TestTable:
    @pytest.mark.parametrize(("m", "size"), [(1, 1), (2, 59), (3, 2611), (4, 102_719)])
    def test_sizes(self, m, size):
        table = goal_table(m, 30)
        assert table.shape == (size, m)
        assert torch.allclose(table.norm(dim=1), torch.ones(size, dtype=torch.float64))

    @pytest.mark.parametrize("m", [2, 3, 4])
    def test_rows_are_the_grid_points_with_a_coordinate_one(self, m):
        points = [p for p in itertools.product(range(5), repeat=m) if 4 in p]
        expected = {tuple(round(c / math.hypot(*p), 12) for c in p) for p in points}
        found = [tuple(round(c, 12) for c in row) for row in goal_table(m, 5).tolist()]
        assert len(found) == len(points)
        assert set(found) == expected

    def test_a_table_that_is_too_large_is_refused(self):
        with pytest.raises(
            InputError, match="`resolution` must give at most 2000000 goals; got 134176679 for 6 objectives"
        ):
            goal_table(6, 30)

    def test_nearest_rows_are_those_at_the_least_angle(self):
        table, r = goal_table(3, 6), Rng.from_seed(0).uniform(40, 3)
        angle = torch.stack([cosine(r, row.expand_as(r)).acos() for row in table], 1)
        assert torch.equal(nearest_row(table, r), angle.argmin(1))
        assert torch.equal(nearest_row(table, table), torch.arange(len(table)))

    def test_goals_that_were_asked_for_and_never_met_are_drawn_rarely(self):
        asked, met = torch.tensor([5, 0, 2, 0]), torch.tensor([0, 0, 1, 3])
        drawn = Goals(doubt=0.1).tabular(asked, met, 31_000, Rng.from_seed(0))
        shares = torch.bincount(drawn, minlength=4) / 31_000
        assert torch.allclose(shares, torch.tensor([0.1, 1.0, 1.0, 1.0]) / 3.1, atol=0.01)

    def test_uniform_goals_fill_the_positive_part_of_the_sphere(self):
        g = Goals().uniform(3, 20_000, Rng.from_seed(0))
        assert (g >= 0).all()
        assert torch.allclose(g.norm(dim=1), torch.ones(20_000, dtype=torch.float64))
        assert torch.allclose((g**2).mean(0), torch.full((3,), 1 / 3, dtype=torch.float64), atol=0.01)
        assert torch.allclose(g.mean(0), torch.full((3,), 0.5, dtype=torch.float64), atol=0.01)  # Archimedes


def small(**options):
    net = {"kind": "mlp", "hidden": (16,)}
    return GCGFN(**{"policy": net, "batch_size": 16, "n_samples": 4, "iterations": 8, "replay": None, **options})


class TestSolver:
    def test_the_table_counts_between_its_shares_of_the_iterations(self):
        grid, solver = HyperGrid(side=5), small(goals=Goals(resolution=5))
        state = solver.init(grid, Rng.from_seed(0))
        asked = []
        for _ in range(8):
            state = solver.step(grid, state)
            asked.append(int(state.extra["asked"].sum()))
        assert asked == [0, 0, 16, 32, 48, 64, 64, 64]
        assert int(state.extra["met"].sum()) == 64  # every cell has a gain

    def test_goals_come_from_the_table_after_its_begin(self):
        grid, solver = HyperGrid(side=5), small(goals=Goals(resolution=5))
        state = solver.init(grid, Rng.from_seed(0))
        table = {tuple(row) for row in state.extra["goals"].tolist()}
        for steps in (0, 2, 7):
            state.steps = steps
            found = {tuple(row) for row in solver.requests(grid, state, 16).weights.tolist()}
            assert (found <= table) == (steps >= 2)

    def test_worthless_and_failed_objects_meet_no_goal(self):
        grid, solver = HyperGrid(side=5), small(goals=Goals(resolution=3))
        state = solver.init(grid, Rng.from_seed(0))
        state.steps = 3
        request = solver.request(unit(rows([1.0, 0.0], [1.0, 1.0], [1.0, 1.0])), CPU)
        solver.learned(grid, state, request, rows([0.0, 0.0], [torch.nan, 1.0], [0.4, 0.4]))
        table = state.extra["goals"].tolist()
        met = {tuple(round(c, 3) for c in table[k]): int(n) for k, n in enumerate(state.extra["met"]) if n}
        assert met == {(0.707, 0.707): 1}
        assert sorted(state.extra["asked"].tolist()) == [0, 0, 0, 1, 2]
        assert float(state.extra["focus"]) == pytest.approx(1 / 3)

    def test_hindsight_puts_every_relabelled_object_inside_its_cone(self):
        solver = small(hindsight=1.0)
        grid = HyperGrid(side=5)
        state = solver.init(grid, Rng.from_seed(0))
        gains = Rng.from_seed(1).uniform(64, 2)
        gains[5] = 0
        before = solver.requests(grid, state, 64)
        copy = before.weights.clone()
        missed = cosine(gains, before.weights) < solver.cone
        after = solver.relabel(state, before, gains)
        assert missed[5]
        assert int(missed.sum()) > 20
        assert torch.equal(before.weights, copy)  # the requests as they were asked stay
        inside = cosine(gains, after.weights) >= solver.cone
        assert inside.sum() == 63  # all but the worthless one
        assert torch.equal(after.weights[~missed], before.weights[~missed])
        assert torch.equal(after.weights[5], before.weights[5])
        assert torch.allclose(after.condition, solver.drawn.encode(after.weights).float())

    @pytest.mark.parametrize("share", [0.0, 0.25, 0.75])
    def test_hindsight_touches_at_most_its_share_of_the_batch(self, share):
        solver, grid = small(hindsight=share), HyperGrid(side=5)
        state = solver.init(grid, Rng.from_seed(0))
        gains = rows([0.0, 1.0]).expand(64, 2)
        asked = solver.request(rows([1.0, 0.0]).expand(64, 2), CPU)
        changed = (solver.relabel(state, asked, gains).weights != asked.weights).any(1)
        assert int(changed.sum()) == 64 * share

    def test_a_preference_asks_for_its_direction(self):
        request = small().asked(rows([0.8, 0.2], [0.0, 1.0]), CPU)
        assert torch.allclose(request.weights, rows([4.0, 1.0], [0.0, 1.0]) / rows([17.0**0.5], [1.0]))
        assert isinstance(request, Request)
        assert (request.beta == 60).all()

    def test_a_front_shows_preferences_that_sum_to_one(self):
        result = pk.solve(HyperGrid(side=5), small(), seed=0, progress=False)
        w = result.front.info["preference"]
        assert torch.allclose(w.sum(1), torch.ones(len(w), dtype=torch.float64))
        assert set(result.history.columns) >= {"loss", "focus"}

    def test_the_learned_distribution_is_that_of_each_goal(self):
        grid = HyperGrid(objectives=("currin", "shubert"), side=5)
        solver = small(
            policy={"hidden": (64, 64)},
            temperature=4.0,
            cone=0.8,
            lowest=-8.0,
            batch_size=128,
            iterations=300,
            learning_rate=1e-2,
            log_z_rate=5e-2,
            goals={"sampler": "uniform", "encoding": "raw"},
            replay=Replay(warmup=64, share=0.25, pareto=0.0),
            evaluate_every=300,
        )
        state = pk.solve(grid, solver, seed=0, progress=False).state
        states = grid.states()
        ends = states.terminal
        gains = grid.gains(grid._score(grid.environment.decisions(states.rows[ends])))
        model, mask = solver.engine(grid).model, grid.environment.mask(states.rows)
        found = []
        for w in rows([0.4, 0.6], [0.5, 0.5], [0.6, 0.4]):
            goal = solver.asked(w.unsqueeze(0), CPU)
            with torch.no_grad():
                logits = model.outputs(state.row[0], states.rows, goal.condition.expand(len(states), -1)).forward
            p = states.terminal_distribution(masked_log_softmax(logits, mask).double())[ends]
            beta = goal.beta.expand(len(ends))
            wanted = focus_log_reward(gains, goal.weights.expand_as(gains), beta, cone=0.8, lowest=-8.0).softmax(0)
            assert float((p - wanted).abs().sum()) < 0.3  # a uniform sampler is off by 0.9 to 1.05
            found.append(p)
        assert float((found[0] - found[2]).abs().sum()) > 0.5


@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({"cone": 1.0}, InputError, "`cone` must lie strictly between 0 and 1; got 1.0"),
        ({"border": 0.0}, InputError, "`border` must lie strictly between 0 and 1; got 0.0"),
        ({"temperature": 0.0}, InputError, "`temperature` must be positive; got 0.0"),
        ({"hindsight": 1.5}, InputError, r"`hindsight` must lie in \[0, 1\]; got 1.5"),
        ({"iterations": None}, InputError, "`iterations` must be given where a table learns the goals; got None"),
        ({"partitions": 0}, InputError, "`partitions` must be at least 1; got 0"),
        ({"goals": {"resolutions": 3}}, UnknownNameError, "Goals has no option 'resolutions'; did you mean"),
        ({"goals": {"sampler": "tabular"}}, InputError, "`sampler` must be one of .*did you mean 'table'"),
        ({"goals": {"resolution": 1}}, InputError, "`resolution` must be at least 2; got 1"),
        ({"goals": {"doubt": 0.0}}, InputError, "`doubt` must be positive; got 0.0"),
        ({"goals": {"begin": 0.8, "end": 0.3}}, InputError, "`begin` must be at most `end`; got 0.8"),
    ],
)
def test_bad_options_are_refused(options, error, line):
    with pytest.raises(error, match=line):
        GCGFN(**options)


def test_without_a_table_the_budget_may_end_the_run():
    solver = GCGFN(iterations=None, goals={"sampler": "uniform"})
    assert not solver.finishes
    assert pk.solvers.make("GCGFN", **solver.config()) == solver
