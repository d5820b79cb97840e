"""One round of active learning: the words that are edited, and what their edits would be worth."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import Rng, to_min
from paretokit.problems._thin import thin
from paretokit.problems.design._design import CompositionalDesign
from paretokit.problems.design._edits import EditEnvironment
from paretokit.solvers.gflownet._acquisition import Acquisition
from paretokit.solvers.gflownet._engine import StateByState
from paretokit.solvers.gflownet._partition import Partition
from paretokit.solvers.gflownet._sampler import sample
from paretokit.solvers.gflownet._surrogate import Surrogate, WordFeatures
from paretokit.solvers.gflownet._trajectories import Trajectories
from paretokit.solvers.gflownet._word_pool import Word, active, distinct_front, keys, legal, worst_rank

BASELINE = 64  # most words over which an improvement is measured


@final
@dataclass
class Round:
    """What one round works with.

    Attributes:
        problem: The design.
        engine: The flow model, bound to the edits.
        words: Those that are edited `[k, L]`.
        acquisition: Log acquisition of words.
        beta: Exponent of the reward.
        rng: The round's key.
        best: Highest log acquisition met so far, a*.
        calls: Words that the surrogate was asked for.
    """

    problem: CompositionalDesign
    engine: StateByState
    words: Tensor
    acquisition: Acquisition
    beta: float
    rng: Rng
    best: float = -torch.inf
    calls: int = 0

    @property
    def environment(self) -> EditEnvironment:
        """The edits."""
        env = self.engine.model.environment
        assert isinstance(env, EditEnvironment)
        return env

    def worth(self, x: Tensor) -> Tensor:
        """Return log acquisitions of words `[n]`, minus infinity for those that the design cannot write."""
        fine = legal(self.problem, x)
        scores = torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device)
        if bool(fine.any()):
            scores[fine] = self.acquisition(x[fine])
        self.calls += int(fine.sum())
        return torch.nan_to_num(scores, nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)

    def rolled(self, row: Tensor, begin: Tensor, *, rng: Rng, epsilon: float = 0.0) -> Trajectories:
        """Return one trajectory from each word `begin [n, L]`, by the parameters `row [D]`."""
        start = self.environment.beginning(begin)
        return sample(self.engine.model, row, None, n=len(begin), rng=rng, epsilon=epsilon, start=start)

    def ranked(self, row: Tensor, n: int, seen: AbstractSet[Word]) -> Tensor:
        """Return new words `[k, L]`, best first of n trajectories from each edited word, and then the others' best.

        Each edited word's most promising one that is neither among `seen` nor another's comes first.
        """
        begin = self.words.repeat_interleave(n, 0)
        paths = self.rolled(row, begin, rng=self.rng.child("proposals"))
        x = self.environment.decisions(paths.last)
        worth = self.worth(x)
        names, order = keys(x), worth.argsort(descending=True, stable=True).tolist()
        taken, edited = set(seen), set[int]()
        first, rest = [], []
        for i in order:
            if names[i] in taken or worth[i] == -torch.inf:
                continue
            if i // n in edited:
                rest.append(i)
            else:
                taken.add(names[i])
                edited.add(i // n)
                first.append(i)
        return x[torch.tensor(first + rest, dtype=torch.int64, device=x.device)].to(self.words.dtype)


def begun(
    problem: CompositionalDesign,
    engine: StateByState,
    pool: tuple[Tensor, Tensor],
    *,
    n_active: int,
    spread: float,
    pieces: int,
    max_fitted: int,
    fit_iterations: int,
    samples: int,
    beta: float,
    rng: Rng,
) -> Round:
    """Return the round that a pool of words `[N, L]` with finite values `[N, m]` leads to; see `MOGFNAL`."""
    x, values = pool
    better = -to_min(values, problem.objectives).to(torch.float64)
    rows = fitted(better, max_fitted, rng.child("fitted"))
    env = engine.model.environment
    assert isinstance(env, EditEnvironment)
    features = WordFeatures(env.n_letters, env.max_length, min(pieces, env.max_length))
    surrogate = Surrogate.fit(features, x[rows], better[rows], rng=rng.child("fit"), iterations=fit_iterations)
    front = distinct_front(better)
    few = thin(better[front], BASELINE)
    front = front[(better[front].unsqueeze(1) == few).all(-1).any(1)]
    point = reference(problem, better)
    acquisition = Acquisition.of(surrogate, x[front], point, samples=samples, rng=rng.child("acquisition"))
    words = x[active(better, n_active, spread=spread, rng=rng.child("active"))]
    return Round(problem, engine, words, acquisition, beta, rng)


def fitted(better: Tensor, most: int, rng: Rng) -> Tensor:
    """Return the numbers of at most so many rows `[N, m]`: half of them the best by rank, half drawn from the rest."""
    if len(better) <= most:
        return torch.arange(len(better), device=better.device)
    order = worst_rank(better).argsort(stable=True)
    best, others = order[: most // 2], order[most // 2 :]
    drawn = others[rng.permutation(len(others), better.device)[: most - len(best)]]
    return torch.cat([best, drawn]).sort().values


def reference(problem: CompositionalDesign, better: Tensor) -> Tensor:
    """Return the hypervolume's reference point `[m]` for values to be maximized `[N, m]`; see `MOGFNAL`."""
    spread = better.amax(0) - better.amin(0)
    margin = 0.1 * torch.where(spread > 0, spread, torch.ones_like(spread))
    given = problem.protocol.scoring.reference_point
    if given is None:
        return better[distinct_front(better)].amin(0) - margin
    point = torch.tensor(given, dtype=better.dtype, device=better.device)
    return -to_min(point, problem.objectives) - margin


def partition_of(env: EditEnvironment) -> Partition:
    """Return the log partition function of words, read one-hot."""
    return Partition(env.stop)


def one_hot(env: EditEnvironment, x: Tensor) -> Tensor:
    """Return which letter stands where in words `[n, L]`, float32 `[n, L v]`."""
    letters = torch.arange(env.n_letters, device=x.device)
    return (x.unsqueeze(-1) == letters).flatten(1).to(torch.float32)
