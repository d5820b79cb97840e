"""Small problems with known fronts for the adapters' tests."""

import torch

from paretokit.core import Box, Categorical, Evaluation, Integers, Mixed, Objective, Problem, Rng
from paretokit.core._serial import load_tree, save_tree
from paretokit.solvers.evolutionary._pymoo import pymoo
from paretokit.solvers.evolutionary._pymoo_table import ALGORITHMS


class Curve(Problem):
    """ZDT1 with six variables: the front is f2 = 1 - sqrt(f1), reached where g = 1."""

    objectives = (Objective("f1"), Objective("f2"))
    space = Box(0.0, 1.0, dim=6)

    def __init__(self):
        self.calls = self.rows = 0

    def _evaluate(self, x, rng):
        self.calls += 1
        self.rows += len(x)
        return Evaluation(curve(x))


def curve(x):
    g = 1 + 9 * x[:, 1:].mean(-1)
    return torch.stack([x[:, 0], g * (1 - torch.sqrt(x[:, 0] / g))], -1)


def curve_gap(values):
    """Mean excess of f2 over the true front."""
    return float((values[:, 1] - (1 - values[:, 0].sqrt())).mean())


class Sphere(Problem):
    """DTLZ2 with three objectives and seven variables: the front has norm one."""

    objectives = (Objective("f1"), Objective("f2"), Objective("f3"))
    space = Box(0.0, 1.0, dim=7)

    def _evaluate(self, x, rng):
        radius = 1 + ((x[:, 2:] - 0.5) ** 2).sum(-1)
        a, b = (x[:, :2] * torch.pi / 2).unbind(-1)
        return Evaluation(radius[:, None] * torch.stack([a.cos() * b.cos(), a.cos() * b.sin(), a.sin()], -1))


class Mirrored(Curve):
    """The curve with its second objective to be maximized."""

    objectives = (Objective("f1"), Objective("f2", "max"))

    def _evaluate(self, x, rng):
        return Evaluation(curve(x) * torch.tensor([1.0, -1.0], dtype=x.dtype))


class Halved(Curve):
    """The curve restricted to f1 >= 0.5."""

    n_constraints = 1

    def _evaluate(self, x, rng):
        return Evaluation(curve(x), 0.5 - x[:, :1])


class Patchy(Curve):
    """The curve with failures wherever x1 lies in the middle third, and in the whole of objective one beyond."""

    def _evaluate(self, x, rng):
        values = curve(x)
        values[(x[:, 1] > 1 / 3) & (x[:, 1] < 2 / 3)] = torch.nan
        values[x[:, 1] > 0.9, 0] = -torch.inf
        return Evaluation(values)


class Noisy(Curve):
    """The curve with noise from the given generator."""

    deterministic = False

    def _evaluate(self, x, rng):
        return Evaluation(curve(x) + 0.01 * rng.normal(len(x), 2))


class Catalog(Problem):
    """Reals, whole numbers (not last) and an unordered choice; best with whole numbers 2 and choice 3 of 0 … 4."""

    objectives = (Objective("f1"), Objective("f2"))
    space = Mixed(
        {"count": Integers(0, 9, dim=2), "real": Box(0.0, 1.0, dim=2), "flag": Categorical(2), "kind": Categorical(5)}
    )

    def _evaluate(self, x, rng):
        part = self.space.split(x)
        real = part["real"]
        cost = ((part["count"] - 2) ** 2).sum(-1) / 10 + (part["kind"][:, 0] != 3) + (part["flag"][:, 0] != 1)
        return Evaluation(torch.stack([real[:, 0] + cost, 1 - real[:, 0] + real[:, 1] + cost], -1))


class Counted(Problem):
    """The same with whole numbers and reals only."""

    objectives = (Objective("f1"), Objective("f2"))
    space = Mixed({"count": Integers(0, 9, dim=2), "real": Box(0.0, 1.0, dim=2), "flag": Categorical(2)})

    def _evaluate(self, x, rng):
        part = self.space.split(x)
        real = part["real"]
        cost = ((part["count"] - 2) ** 2).sum(-1) / 10 + (part["flag"][:, 0] != 1)
        return Evaluation(torch.stack([real[:, 0] + cost, 1 - real[:, 0] + real[:, 1] + cost], -1))


class Breaking(Curve):
    """The curve, whose n-th call raises once."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def _evaluate(self, x, rng):
        if self.calls + 1 == self.at:
            self.at = 0
            raise ZeroDivisionError("user code")
        return super()._evaluate(x, rng)


def run(solver, problem, steps, *, seed=3, initial=None):
    state = solver.init(problem, Rng.from_seed(seed), initial=initial)
    for _ in range(steps):
        state = solver.step(problem, state)
    return state


def reloaded(solver, problem, state, folder):
    """The state after a round trip through the disk."""
    save_tree(folder, "state", state)
    return solver.restore(problem, load_tree(folder, "state", solver.state_type))


def random_front(problem, n, seed=3):
    from paretokit.core import Front

    x = problem.space.sample(n, Rng.from_seed(seed))
    return Front.of(problem, x, problem.evaluate(x))


def logged(state):
    return state.log.x[: state.log.rows], state.log.out[: state.log.rows]


POINTS = [[0.25, 0.5], [0.7, 0.2]]
REQUIRED = {
    "RVEA": {"n_max_gen": 12},
    "RNSGA2": {"ref_points": POINTS},
    "RNSGA3": {"ref_points": POINTS, "pop_per_ref_point": 20},
}


def small(name, **more):
    """The algorithm with about forty rows a generation."""
    entry, options = ALGORITHMS[name], dict(REQUIRED.get(name, {}))
    if "partitions" in entry.options:
        options["partitions"] = 39
    elif "pop_size" in entry.options:
        options["pop_size"] = 40
    return pymoo(name, **(options | more))
