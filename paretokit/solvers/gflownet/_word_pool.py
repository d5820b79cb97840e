"""Words that were scored, and which of them active learning goes on from."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import torch
from torch import Tensor

from paretokit.core import Rng, Sequences, non_dominated
from paretokit.problems.design._design import CompositionalDesign
from paretokit.problems.design._sequences import AppendEnvironment

Word = tuple[int, ...]


def keys(x: Tensor) -> list[Word]:
    """Return padded tokens `[n, L]` as what sets hold."""
    return [tuple(row) for row in x.to(torch.int64).tolist()]


def novel(x: Tensor, seen: AbstractSet[Word], n: int) -> Tensor:
    """Return the numbers of the first n rows of `x [k, L]` that are different and not among `seen`, in order."""
    found: dict[Word, int] = {}
    for i, key in enumerate(keys(x)):
        if len(found) == n:
            break
        if key not in seen:
            found.setdefault(key, i)
    return torch.tensor(list(found.values()), dtype=torch.int64)


def legal(problem: CompositionalDesign, x: Tensor) -> Tensor:
    """Tell which words `[n, L]` the design's own environment can write, bool `[n]`."""
    env = problem.environment
    fine = torch.ones(len(x), dtype=torch.bool, device=x.device)
    if not isinstance(env, AppendEnvironment):
        return fine
    tokens = x.to(torch.int64)
    if env.first is not None:
        fine &= torch.tensor(env.first, device=x.device)[tokens[:, 0]]
    if env.allowed is not None:
        follows = torch.ones(env.pad + 1, env.pad + 1, dtype=torch.bool, device=x.device)
        follows[: env.pad, : env.pad] = torch.tensor(env.allowed, device=x.device)
        fine &= follows[tokens[:, :-1], tokens[:, 1:]].all(1)
    return fine


def random_words(problem: CompositionalDesign, n: int, rng: Rng) -> Tensor:
    """Return n words `[n, L]` of uniform length, each next letter uniform among those that may follow.

    Where no letter may follow, a word ends early.
    """
    space, env = problem.space, problem.environment
    assert isinstance(space, Sequences)
    plain = not isinstance(env, AppendEnvironment) or (env.allowed is None and env.first is None)
    if plain:
        return space.sample(n, rng).to(problem.device, problem.dtype)
    assert isinstance(env, AppendEnvironment)
    u = rng.uniform(n, env.max_length + 1, device=problem.device)
    lengths = env.min_length + torch.floor(u[:, 0] * (env.max_length - env.min_length + 1))
    states = env.start(n, problem.device)
    for step in range(env.max_length):
        letters = env.mask(states)[:, : env.pad]
        letters = letters & (step < lengths).unsqueeze(1)
        rank = letters.to(torch.int64).cumsum(-1)
        wanted = torch.floor(u[:, 1 + step] * rank[:, -1]).to(torch.int64) + 1
        letter = (rank < wanted.unsqueeze(1)).sum(-1)
        states = env.step(states, torch.where(rank[:, -1] > 0, letter, -1))
    return env.decisions(states).to(problem.dtype)


def worst_rank(values: Tensor) -> Tensor:
    """Return each row's worst place among the different values of an objective to be maximized, from 1, `[n]`."""
    places = [torch.unique(-column, return_inverse=True)[1] for column in values.T]
    return torch.stack(places, 1).amax(1) + 1


def distinct_front(values: Tensor) -> Tensor:
    """Return the numbers of the non-dominated rows of `values [n, m]`, to be maximized; of equal ones the first."""
    best: Tensor = non_dominated(values, maximize=True, keep_duplicates=False)
    return best.nonzero().flatten()


def active(values: Tensor, n: int, *, spread: float, rng: Rng) -> Tensor:
    r"""Return the numbers `[n]` of words to edit: the non-dominated ones, topped up with others.

    .. math:: P(x) \propto r(x)^{-1/k}

    without replacement, r the worst rank over objectives. Of more than n non-dominated ones, n are drawn uniformly.

    Args:
        values: Finite, to be maximized `[N, m]`.
        n: How many; all where there are fewer.
        spread: k.
        rng: Of the draws.

    Source: Stanton et al. (2022), ICML.
    """
    front = distinct_front(values)
    noise = -torch.log(-torch.log(rng.uniform(len(values), device=values.device) + 2.0**-54))
    if len(front) >= n:
        return front[noise[front].argsort(descending=True, stable=True)[:n]]
    score = noise - worst_rank(values).to(torch.float64).log() / spread
    score[front] = torch.inf
    return score.argsort(descending=True, stable=True)[: min(n, len(values))]
