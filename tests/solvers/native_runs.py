"""Runs of the native solvers without `solve`, and a problem that has everything they must bear."""

import torch

from paretokit.core import Box, Categorical, Evaluation, Integers, Lanes, Mixed, Problem, Rng, objectives_of
from paretokit.core import _serial as serial


class Mixture(Problem):
    """A cost and a loss over a real, a whole and a category column, with one constraint and rows that fail."""

    objectives = objectives_of(["cost", "gain"], ["min", "max"])
    space = Mixed({"x": Box(-1.0, 2.0, dim=2), "k": Integers(0, 9), "c": Categorical(3)})
    n_constraints = 1

    def _evaluate(self, x, rng):
        cost = x[:, :2].square().sum(1) + x[:, 2] / 9
        gain = x[:, 0] + x[:, 2] - (x[:, 3] - 1).abs()
        values = torch.stack([cost, gain], 1)
        failed = (x[:, 3] == 2) & (x[:, 2] > 6)
        return Evaluation(torch.where(failed.unsqueeze(1), torch.nan, values), (0.5 - x[:, :1]))


def lanes(*seeds):
    return Lanes(tuple(Rng.from_seed(s) for s in seeds))


def run(problem, solver, steps, *seeds, state=None):
    state = solver.init_stack(problem, lanes(*seeds)) if state is None else state
    for _ in range(steps):
        state = solver.step(problem, state)
    solver.ask(problem, state)  # NSGA-II's compiled generation has asked already
    return state


def run_to(problem, solver, evaluations, *seeds):
    state = solver.init_stack(problem, lanes(*seeds))
    while state.evaluations < evaluations:
        state = solver.step(problem, state)
    return state


def same(a, b):
    trees = []
    for state in (a, b):
        tensors = {}
        trees.append((serial.encode(state, tensors), tensors))
    assert trees[0][0] == trees[1][0]
    assert trees[0][1].keys() == trees[1][1].keys()
    for name, tensor in trees[0][1].items():
        assert torch.equal(tensor, trees[1][1][name]), name
