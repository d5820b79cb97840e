"""A training step on N-grams beside reading every prefix again: ``python -m benchmarks.gflownets_sequences``.

Three bigrams, words of 32 to 36 letters, batch 128, the published transformer (3 layers, 8 heads, width 64, two layers
of 256 behind it), a preference for each word. A step is: sample, score, trajectory balance, gradient, clipping, Adam.
Ours samples with a key-value cache and takes the gradient of one causal pass; the peer, made of torch's own modules,
reads the whole prefix at every letter and keeps all of these passes for the gradient, as the published code does. Both
begin with the same weights and uniform numbers; equal letters, loss and gradient are asserted.

Then the final evaluation of the literature: 1275 preferences with 128 words each (a twentieth of them with `--quick`).
The processor's seconds hold also on a machine that others use; run with OMP_NUM_THREADS=1 there.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks._common import calibration, duration, table
from paretokit.core import Rng
from paretokit.nn import Adam, AdamState, clipped
from paretokit.problems.design import NGrams
from paretokit.solvers.gflownet._conditions import thermometer
from paretokit.solvers.gflownet._sampler import sample
from paretokit.solvers.gflownet._scores import scores
from paretokit.solvers.gflownet._transformer_policy import TransformerPolicy
from tests.solvers.gflownet.prefix_transformer import PrefixTransformer

BATCH, BINS, EPSILON, RATE, CLIP, BETA, FLOOR = 128, 50, 0.01, 1e-4, 10.0, 32.0, 1e-2


def preferences(bins: int) -> Tensor:
    """Return the preferences with entries of ``linspace(0, 1, bins)``, `[bins (bins + 1) / 2, 3]`."""
    steps = torch.arange(bins)
    pairs = torch.cartesian_prod(steps, steps)
    counts = torch.cat([pairs, bins - 1 - pairs.sum(1, keepdim=True)], 1)
    return counts[counts[:, 2] >= 0].to(torch.float64) / (bins - 1)


def log_reward(problem: NGrams, states: Tensor, weights: Tensor) -> Tensor:
    """Return the logarithm of the powered weighted sum `[n]`, float32."""
    values = problem._score(problem.environment.decisions(states))
    return (BETA * (values * weights).sum(1).clamp_min(FLOOR).log()).float()


class Ours:
    """The library's step."""

    def __init__(self, problem: NGrams, row: Tensor) -> None:
        self.problem, self.row = problem, row.clone().unsqueeze(0)
        self.flow = TransformerPolicy().bind(problem.environment, condition_dim=3 * BINS, backward=False)
        self.log_z, self.states = torch.zeros(1, 1), [AdamState.zeros(self.row), AdamState.zeros(torch.zeros(1, 1))]

    def step(self, weights: Tensor, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """Train once; return actions, loss and gradient."""
        condition = thermometer(weights, bins=BINS).float()
        paths = sample(self.flow, self.row[0], condition, n=BATCH, rng=rng, epsilon=EPSILON)
        target = log_reward(self.problem, paths.last, weights)
        row, log_z = self.row.requires_grad_(), self.log_z.requires_grad_()
        loss = (log_z[0] + scores(self.flow, row[0], paths).balance - target).square().mean()
        gradients = torch.autograd.grad(loss, (row, log_z))
        self.row, self.log_z = row.detach(), log_z.detach()
        for rows, gradient, state in zip((self.row, self.log_z), gradients, self.states, strict=True):
            Adam().step(rows, clipped(gradient, CLIP), state, RATE)
        return paths.actions, loss.detach(), gradients[0][0]


class Peer:
    """The step that reads every prefix again, with gradients."""

    def __init__(self, problem: NGrams, row: Tensor) -> None:
        self.problem, self.log_z = problem, torch.nn.Parameter(torch.zeros(1))
        self.module = PrefixTransformer(TransformerPolicy(), problem.environment, 3 * BINS).load(row)
        self.optimizer = torch.optim.Adam([*self.module.parameters(), self.log_z], lr=RATE)

    def step(self, weights: Tensor, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """Train once; return actions, loss and gradient."""
        env = self.problem.environment
        condition = thermometer(weights, bins=BINS).float()
        actions, total = self.module.rollout(condition, rng.uniform(env.max_steps, BATCH).float(), EPSILON)
        states = env.start(BATCH)
        for action in actions:
            states = env.step(states, action)
        loss = (self.log_z + total - log_reward(self.problem, states, weights)).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in self.module.parameters() if p.grad is not None])
        torch.nn.utils.clip_grad_norm_(list(self.module.parameters()), CLIP)
        self.optimizer.step()
        return actions, loss.detach(), gradient


def timed(calls: dict[str, Callable[[int], object]], repeats: int) -> dict[str, tuple[float, float]]:
    """Return the median seconds of the clock and of the processor of each call, run in turns after a warm-up."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            clock, processor = time.perf_counter(), time.process_time()
            call(turn)
            taken[name].append((time.perf_counter() - clock, time.process_time() - processor))
    medians = {}
    for name, pairs in taken.items():
        clocks, processors = zip(*pairs[1:], strict=True)
        medians[name] = (statistics.median(clocks), statistics.median(processors))
    return medians


def training(repeats: int) -> None:
    """Print one step of both, after asserting that they are the same."""
    problem, rng = NGrams(), Rng.from_seed(0)
    flow = TransformerPolicy().bind(problem.environment, condition_dim=3 * BINS, backward=False)
    row = flow.initial(rng.child("row"))
    row = row + 0.02 * rng.child("shake").normal(len(row)).float()  # away from the uniform policy
    grid = preferences(BINS)
    weights = grid[rng.child("weights").integers(len(grid), BATCH)]
    ours, peer = Ours(problem, row), Peer(problem, row)
    (a, loss, gradient), (b, expected, other) = (s.step(weights, rng.child("step")) for s in (ours, peer))
    assert torch.equal(a, b), "other letters"
    assert torch.allclose(loss, expected, rtol=1e-4), (loss, expected)
    assert (gradient - other).norm() <= 1e-3 * other.norm(), "another gradient"
    times = timed(
        {
            "ours": lambda turn: ours.step(weights, rng.child("step", turn)),
            "every prefix again": lambda turn: peer.step(weights, rng.child("step", turn)),
        },
        repeats,
    )
    rows = [["one step", "clock", "processor"]]
    rows += [[name, duration(clock), duration(processor)] for name, (clock, processor) in times.items()]
    (clock, processor), (slow_clock, slow_processor) = times.values()
    rows.append(["ratio", f"{slow_clock / clock:.1f}", f"{slow_processor / processor:.1f}"])
    print(table(rows))
    print(f"equal letters; loss {float(loss):.6g} and {float(expected):.6g}\n")


def evaluation(words: int, chunk: int, share: int) -> None:
    """Print how fast words are sampled for all preferences, or for each share-th of them."""
    problem, rng = NGrams(), Rng.from_seed(0)
    flow = TransformerPolicy().bind(problem.environment, condition_dim=3 * BINS, backward=False)
    row, grid = flow.initial(rng.child("row")), preferences(BINS)
    asked = grid[::share].repeat_interleave(words, 0)
    clock, processor = time.perf_counter(), time.process_time()
    for i, weights in enumerate(asked.split(chunk)):
        condition = thermometer(weights, bins=BINS).float()
        paths = sample(flow, row, condition, n=len(weights), rng=rng.child("chunk", i))
        problem._score(problem.environment.decisions(paths.last))
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    print(
        f"{len(grid[::share])} of {len(grid)} preferences x {words} words in chunks of {chunk}: "
        f"{len(asked) / clock:.0f} words/s by the clock, {len(asked) / processor:.0f} by the processor"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, a twentieth of the evaluation")
    parser.add_argument("--chunk", type=int, default=1024, help="words sampled at once in the evaluation")
    given = parser.parse_args()
    print(calibration(("torch",)), "\n")
    training(3 if given.quick else 7)
    evaluation(128, given.chunk, 20 if given.quick else 1)


if __name__ == "__main__":
    main()
