"""What is seen of a design before anything trains on it."""

from __future__ import annotations

import torch

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.design._design import CompositionalDesign
from paretokit.problems.design._environment import NOTHING

WALKS = 32  # objects that are built at random


def check_start(problem: CompositionalDesign) -> None:
    """Raise `InputError` unless the empty object has a legal action, and random walks finish within `max_steps`."""
    env, rng = problem.environment, Rng.from_seed(0)
    states = env.start(WALKS, problem.device)
    legal = bool(env.mask(states).any())
    check.that(legal, "environment", "allow an action at the start", "a mask without any", problem.name)
    for step in range(env.max_steps):
        mask = env.mask(states)
        drawn = (rng.child("walk", step).uniform(*mask.shape, device=mask.device) * mask).argmax(-1)
        states = env.step(states, torch.where(mask.any(-1), drawn, NOTHING))
    rule, hint = f"finish objects within max_steps = {env.max_steps} actions", "`pk.testing.check_design` finds more"
    check.that(bool(env.done(states).all()), "environment", rule, "one that goes on", hint)
