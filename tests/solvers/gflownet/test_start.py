"""What is said of a design before, and with, the first batch."""

import dataclasses

import pytest
import torch

import paretokit as pk
from paretokit.core import InputError
from paretokit.problems.design import CompositionalDesign, GridEnvironment, HyperGrid

GRID = HyperGrid(side=4)
SMALL = {"policy": {"kind": "mlp", "hidden": (8,)}, "batch_size": 16, "n_samples": 2}


class Scaled(CompositionalDesign):
    """A grid whose objectives are multiplied."""

    objectives, space = GRID.objectives, GRID.space

    def __init__(self, factors=(1.0, 1.0), environment=GRID.environment):
        self.factors, self.environment = torch.tensor(factors, dtype=torch.float64), environment

    def _score(self, x):
        return GRID._score(x) * self.factors


class Hasty(GridEnvironment):
    """Says that walks end sooner than they do."""

    max_steps = 2


def run(name, problem):
    own = {"n_chains": 2} if name == "MetropolisHastings" else {**SMALL, "iterations": 2}
    return pk.solve(problem, pk.solvers.make(name, **own), budget=pk.Budget(iterations=2), progress=False)


@pytest.mark.parametrize("name", ["MOGFN", "GCGFN"])
def test_objectives_of_very_different_scales_are_named(name):
    line = r"in the first batch 'branin' is up to 5\d\d, 'currin' to 0.00\d*: rewards hardly see the latter"
    with pytest.warns(pk.ParetoWarning, match=line):
        run(name, Scaled((600.0, 0.006)))
    run(name, Scaled((10.0, 1.0)))


@pytest.mark.parametrize("name", ["MOGFN", "OPGFN", "MOReinforce", "MetropolisHastings"])
def test_a_max_steps_that_is_too_short_is_said_before_the_run(name):
    hasty = Hasty(**{f.name: getattr(GRID.environment, f.name) for f in dataclasses.fields(GRID.environment)})
    line = r"`environment` must finish objects within max_steps = 2 actions; got one that goes on \(`pk.testing.check_"
    with pytest.raises(InputError, match=line):
        run(name, Scaled(environment=hasty))
