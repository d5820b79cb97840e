"""Cells: formulas told again on paths, the front of all cells, and every order of setting edges."""

import math

import moocore
import numpy as np
import pytest
import torch

from paretokit.core import InputError, Rng, UnknownNameError
from paretokit.problems import ArchitectureTable
from paretokit.problems.design import SlotEnvironment, States
from paretokit.problems.design._environment import NOTHING

NAMES = ("accuracy", "lightness", "speed")
PATHS = {(0, 3): [3], (0, 1, 3): [0, 4], (0, 2, 3): [1, 5], (0, 1, 2, 3): [0, 2, 5]}  # edges by number


def plain(cell, power):
    """The three values of a cell, told again on its paths."""
    open_paths = [edges for edges in PATHS.values() if all(cell[e] != 0 for e in edges)]
    live = {e for edges in open_paths for e in edges}
    capacity = sum(power[e][cell[e]] for e in live) / 6
    accuracy = capacity**5 / (capacity**5 + 0.45**5) * (1 + 0.45**5)
    lightness = 1 - sum((0, 0, 0.2, 1, 0.05)[o] for o in cell) / 6
    delays = [sum((0, 0.05, 0.4, 1, 0.5)[cell[e]] for e in edges) for edges in open_paths]
    return [accuracy, lightness, 1 - max(delays, default=0) / 3]


def test_values_are_those_told_again_on_paths():
    problem = ArchitectureTable(objectives=NAMES, seed=4)
    xi = 2 * Rng.from_seed(4).child("cell").uniform(6, 5) - 1
    power = [[p * (1 + 0.3 * x) / 1.3 for p, x in zip((0, 0.1, 0.5, 1, 0.3), row, strict=True)] for row in xi.tolist()]
    x = problem.space.sample(500, Rng.from_seed(0))
    expected = torch.tensor([plain(cell, power) for cell in x.to(torch.int64).tolist()], dtype=torch.float64)
    torch.testing.assert_close(problem.evaluate(x).values, expected, rtol=0, atol=1e-12)


def test_all_values_lie_between_zero_and_one():
    for seed in range(5):
        problem = ArchitectureTable(objectives=NAMES, seed=seed)
        values = problem.evaluate(problem.cells()).values
        assert len(values) == 5**6
        assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("objectives", [NAMES[:2], ("accuracy", "speed"), NAMES])
def test_the_front_is_that_of_all_cells(objectives):
    problem = ArchitectureTable(objectives=objectives)
    values = problem.evaluate(problem.cells()).values
    best = torch.unique(values[torch.from_numpy(moocore.is_nondominated(-values.numpy()))], dim=0)
    assert torch.equal(torch.unique(problem.pareto_front(), dim=0), best)
    assert problem.front_kind == "exact"


@pytest.mark.parametrize("seed", range(3))
def test_the_front_has_a_part_that_no_weighted_sum_finds(seed):
    front = ArchitectureTable(seed=seed).pareto_front()
    front = front[front[:, 0].argsort()]
    w = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    supported = front[torch.unique((torch.stack([w, 1 - w], -1) @ front.T).argmax(-1))]
    assert len(supported) < len(front) / 2
    hull = np.interp(front[:, 0].numpy(), supported[:, 0].numpy(), supported[:, 1].numpy())
    assert (torch.from_numpy(hull) - front[:, 1]).max() > 0.02


def test_every_cell_can_be_set_in_every_order():
    problem = ArchitectureTable()
    states = problem.states()
    assert len(states) == 6**6 + 5**6
    assert len(states.terminal) == 5**6
    assert len(states.levels) - 2 == 7
    legal = (states.children != NOTHING).to(torch.float64)
    counted = states.terminal_distribution(torch.zeros_like(legal))  # every legal action counts once
    assert (counted[states.terminal] == math.factorial(6)).all()


def test_slots_keep_what_they_hold():
    env = SlotEnvironment(n_slots=2, n_choices=3)
    state = env.step(env.start(1), torch.tensor([4]))
    assert state.tolist() == [[-1, 1, 0]]
    assert env.mask(state).tolist() == [[True, True, True, False, False, False, False]]
    state = env.step(state, torch.tensor([2]))
    assert env.mask(state).tolist() == [[False] * 6 + [True]]
    assert env.backward_mask(state).tolist() == [[True, True, False]]
    state = env.step(state, torch.tensor([6]))
    assert env.backward_mask(state).tolist() == [[False, False, True]]
    assert env.decisions(state).tolist() == [[2, 1]]
    assert len(States.of(env, 1000)) == 4**2 + 3**2


def test_cells_are_written_as_the_benchmarks_write_them():
    problem = ArchitectureTable()
    text = problem.decode(torch.tensor([3.0, 0, 1, 2, 4, 3]))
    assert text == "|conv3x3~0|+|none~0|skip~1|+|conv1x1~0|pool3x3~1|conv3x3~2|"
    assert len({problem.decode(x) for x in problem.cells()[::37]}) == len(problem.cells()[::37])


def test_seeds_change_accuracy_only():
    one, two = (ArchitectureTable(objectives=NAMES, seed=seed) for seed in (0, 1))
    x = one.cells()[-100:]
    a, b = one.evaluate(x).values, two.evaluate(x).values
    assert not torch.equal(a[:, 0], b[:, 0])
    assert torch.equal(a[:, 1:], b[:, 1:])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"objectives": ()}, InputError, "`objectives` must be at least 1; got 0"),
        (
            {"objectives": ("accuracy", "sped")},
            UnknownNameError,
            "`objectives` must be a known name; got 'sped' .*speed",
        ),
        ({"objectives": ("speed", "speed")}, InputError, "`objectives` must be different"),
    ],
)
def test_bad_options_get_one_line(options, error, message):
    with pytest.raises(error, match=message):
        ArchitectureTable(**options)


def test_bad_sizes_get_one_line():
    with pytest.raises(InputError, match="`n_slots` must be at least 1; got 0"):
        SlotEnvironment(n_slots=0, n_choices=2)
    with pytest.raises(InputError, match="`n_choices` must be at least 2; got 1"):
        SlotEnvironment(n_slots=1, n_choices=1)
