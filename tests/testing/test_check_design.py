"""`check_design` over every registered design, and over broken ones that it must find."""

from dataclasses import dataclass

import pytest
import torch

import paretokit as pk
from paretokit.problems import ArchitectureTable, CompositionalDesign, HyperGrid, NGrams
from paretokit.problems.design import DESIGN, AppendEnvironment, DesignEnvironment, SlotEnvironment
from paretokit.testing import check_design
from paretokit.testing._design import HostReads


@pytest.mark.parametrize("name", sorted(DESIGN))
def test_design(name):
    check_design(pk.problems.make(name))


def test_all_states_of_the_cell():
    check_design(ArchitectureTable(), limit=1 << 16)


@pytest.mark.parametrize("edge_stops", [True, False])
@pytest.mark.parametrize(("dim", "side"), [(2, 8), (3, 6)])
def test_grids(dim, side, edge_stops):
    check_design(HyperGrid(dim=dim, side=side, edge_stops=edge_stops))


def test_small_words_whose_states_are_all_listed():
    check_design(NGrams(ngrams=("AB", "BA"), alphabet="ABC", min_length=2, max_length=5))


@pytest.mark.parametrize("name", sorted(DESIGN))
def test_evolution_runs_on_every_encoding(name):
    problem = pk.problems.make(name)
    result = pk.solve(problem, pk.solvers.NSGA2(pop_size=12), budget=pk.Budget(evaluations=48))
    assert len(result.front) > 0
    assert problem.space.contains(result.front.x).all()
    assert torch.isfinite(result.front.values).all()


# Broken designs. Each overrides one method of words of two letters, or of three slots.


@dataclass(frozen=True, kw_only=True)
class Broken(DesignEnvironment):
    """Another environment, to be broken in one method."""

    base: DesignEnvironment

    n_actions = property(lambda self: self.base.n_actions)
    n_backward = property(lambda self: self.base.n_backward)
    max_steps = property(lambda self: self.base.max_steps)
    n_features = property(lambda self: self.base.n_features)

    def start(self, n, device="cpu"):
        return self.base.start(n, device)

    def mask(self, states):
        return self.base.mask(states)

    def step(self, states, actions):
        return self.base.step(states, actions)

    def backward_mask(self, states):
        return self.base.backward_mask(states)

    def back(self, states, backward):
        return self.base.back(states, backward)

    def undoing(self, states, actions):
        return self.base.undoing(states, actions)

    def redoing(self, states, backward):
        return self.base.redoing(states, backward)

    def observe(self, states):
        return self.base.observe(states)

    def decisions(self, states):
        return self.base.decisions(states)

    def finished(self, x):
        return self.base.finished(x)


class Reading(Broken):
    def mask(self, states):
        if bool((states[:, -1] == 1).all()):
            return torch.zeros(len(states), self.n_actions, dtype=torch.bool)
        return self.base.mask(states)


class Masking(Broken):
    def observe(self, states):
        seen = self.base.observe(states)
        seen[states[:, -1] == 1] = 0
        return seen


class Listing(Broken):
    def observe(self, states):
        seen = [float(row[0]) for row in self.base.observe(states).tolist()]
        return self.base.observe(states) + 0 * sum(seen)


class Endless(Broken):
    max_steps = property(lambda self: self.base.max_steps - 1)


class Padded(Broken):
    max_steps = property(lambda self: self.base.max_steps + 1)


class Generous(Broken):
    def backward_mask(self, states):
        return self.base.backward_mask(states) | (states[:, -1:] == 0) & (states[:, :1] >= 0)


class Forgetful(Broken):
    def backward_mask(self, states):
        mask = self.base.backward_mask(states)
        return torch.cat([mask[:, :1] & False, mask[:, 1:]], 1)


class Mistaken(Broken):
    def undoing(self, states, actions):
        return torch.where(actions >= 0, 1, actions)


class Misled(Broken):
    def redoing(self, states, backward):
        return torch.where(backward >= 0, 0, backward)


class Careless(Broken):
    def step(self, states, actions):
        new = self.base.step(states, actions)
        states[:, -1] = new[:, -1]
        return new


class Together(Broken):
    def observe(self, states):
        return self.base.observe(states) - states.to(torch.float32).mean()


class Double(Broken):
    def observe(self, states):
        return self.base.observe(states).double()


class Shifted(Broken):
    def decisions(self, states):
        return self.base.decisions(states) + 1


class Unfinished(Broken):
    def finished(self, x):
        states = self.base.finished(x)
        return torch.cat([states[:, :-1], states[:, -1:] * 0], 1)


class Longer(Broken):
    """Writing letter 1 first takes the finished flag's place only later: two ways of different lengths to a state."""

    def step(self, states, actions):
        new = self.base.step(states, actions)
        both = (states[:, :3] == -1).all(1) & (actions == 1)
        return torch.where(both.unsqueeze(1), self.base.step(new, torch.full_like(actions, 3)), new)

    def back(self, states, backward):
        return self.base.back(states, backward)


SLOTS = SlotEnvironment(n_slots=3, n_choices=2)
WORDS = AppendEnvironment(n_letters=2, min_length=1, max_length=3)


@dataclass(frozen=True)
class Design(CompositionalDesign):
    environment: DesignEnvironment
    objectives = pk.core.objectives_of(2, ["max", "max"])
    space = pk.core.Categorical(2, 3)

    def _score(self, x):
        return torch.stack([x.sum(-1), 3 - x.sum(-1)], -1)


def test_the_designs_that_get_broken_are_whole():
    check_design(Design(SLOTS))
    check_design(Design(Broken(base=SLOTS)))


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (Reading, r"nothing is read back in the sampling loop; got \['_local_scalar_dense'|is_nonzero"),
        (Masking, "nothing is read back in the sampling loop; got .*by a mask"),
        (Listing, "every method runs on the states' device and reads nothing .tried on device 'meta'"),
        (Endless, "every trajectory ends within max_steps = 3 actions"),
        (Padded, "max_steps is the longest trajectory, 4; got 5"),
        (Generous, "the backward mask tells no state from which"),
        (Forgetful, "the backward mask tells the parent that a step came from"),
        (Mistaken, "the backward mask tells the parent that a step came from|back inverts step"),
        (Misled, "redoing inverts undoing"),
        (Careless, "methods leave their inputs unchanged"),
        (Together, "observe of a state does not depend on others"),
        (Double, r"observe returns float32 \[n, n_features\]; got torch.float64"),
        (Shifted, "decisions lie in the space"),
        (Unfinished, "`finished` returns finished states"),
        (Longer, "back inverts step|equally many"),
    ],
)
def test_the_kit_finds_broken_environments(broken, rule):
    with pytest.raises(AssertionError, match=rule):
        check_design(Design(broken(base=SLOTS)))


def test_the_kit_finds_values_that_are_not_finite():
    class Bad(Design):
        def _score(self, x):
            return torch.full((len(x), 2), torch.nan, dtype=x.dtype)

    with pytest.raises(AssertionError, match="values of finished objects are finite"):
        check_design(Bad(SLOTS))


def test_reads_are_seen_by_the_operator():
    x = torch.arange(4)
    with HostReads() as reads:
        x[x.gather(0, x)]  # an index of numbers reads nothing
        assert not reads.seen
        x[x > 1]
        x.nonzero()
        x.sum().item()
        torch.unique(x)
    assert reads.seen[:3] == ["index by a mask", "nonzero", "_local_scalar_dense"]
    assert len(reads.seen) >= 4
