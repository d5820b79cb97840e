"""Speed of continual learning: ``python -m benchmarks.learning [--quick]``.

IBCL's variational training of three priors as one stack, against one after another by the same code, and against plain
torch (one module of `torch.nn` parameters, `torch.optim.Adam` a prior): one epoch of the first task of a stream. The
stack's gradients are asserted equal to the single ones' (float64, 1e-9), and so is plain torch's first one (1e-5).

Then: how long 100 random preferences take after a run.

Status 1 says that a stack is less than 1.8 times as fast as one after another on the stream's own network, or that
answering takes a second or longer.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import paretokit as pk
from benchmarks._common import calibration, duration, interleaved, table
from benchmarks._continual import STREAMS, preferences, stream
from paretokit.core import Lanes, Rng
from paretokit.nn import Adam, AdamState
from paretokit.problems.continual import ContinualLearning
from paretokit.solvers import IBCL
from paretokit.solvers.continual._variational import bound_gradient, guide, normal

PRIORS = (0.2, 0.25, 0.3)
BATCH, RATE = 32, 5e-3
STACK, ANSWER = 1.8, 1.0
NETWORKS: dict[str, dict[str, Any]] = {
    "case": {"n_tasks": 2},
    "dig": {"n_tasks": 2},
    "split digits": {"n_tasks": 2},
    "tabular": {"n_tasks": 2},
    "rotated digits": {"angles": (0.0, 40.0)},
    "text": {"n_tasks": 2},
}


def batches(problem: ContinualLearning) -> list[tuple[Tensor, Tensor]]:
    """Return one epoch of the first task."""
    inputs, labels = problem.task(0)
    order = Rng.from_seed(0).child("order").permutation(len(labels))
    return [(inputs[rows], labels[rows]) for rows in order.split(BATCH)]


def lanes(step: int, members: list[int]) -> Lanes:
    """Return where some members draw their noise from in a step."""
    return Lanes(tuple(Rng.from_seed(0).child("step", step, p) for p in members))


def trained(problem: ContinualLearning, data: list[tuple[Tensor, Tensor]], members: list[int]) -> Tensor:
    """Return posteriors `[P, 2 D]` of some priors after one epoch, all members in one program."""
    free = problem.space.n_parameters
    std = torch.tensor([PRIORS[p] for p in members], dtype=problem.dtype).unsqueeze(1).expand(-1, free).clone()
    mean = torch.zeros_like(std)
    rows, n = guide(mean, std), sum(len(labels) for _, labels in data)
    adam = AdamState.zeros(rows)
    for step, batch in enumerate(data):
        noise = normal(lanes(step, members), free, like=rows)
        _, slope = bound_gradient(problem, rows, noise, batch=batch, task=0, prior=(mean, std), n=n)
        Adam().step(rows, slope, adam, RATE)
    return rows


def one_by_one(problem: ContinualLearning, data: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return the same, one prior after another."""
    return torch.cat([trained(problem, data, [p]) for p in range(len(PRIORS))])


def plain_torch(problem: ContinualLearning, data: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return the same by modules and optimizers of torch, one prior after another."""
    free, found = problem.space.n_parameters, []
    n = sum(len(labels) for _, labels in data)
    for p, std in enumerate(PRIORS):
        mean = torch.nn.Parameter(torch.zeros(free, dtype=problem.dtype))
        log_std = torch.nn.Parameter(torch.full((free,), math.log(std), dtype=problem.dtype))
        prior = torch.distributions.Normal(torch.zeros(free, dtype=problem.dtype), std)
        adam = torch.optim.Adam([mean, log_std], lr=RATE)
        network = problem.decode(problem.space.project(torch.zeros(1, problem.space.dim))[0])
        network = network[1] if problem.backbone is not None else network
        slices = [(s.name, s.begin, s.end, s.shape) for s in problem.space.slices]
        for step, (inputs, labels) in enumerate(data):
            noise = normal(lanes(step, [p]), free, like=mean.detach())[0]
            adam.zero_grad()
            theta = mean + log_std.exp() * noise
            own = {name: theta[begin:end].reshape(shape) for name, begin, end, shape in slices}
            logits = torch.func.functional_call(network, own, inputs)
            posterior = torch.distributions.Normal(mean, log_std.exp())
            divergence = torch.distributions.kl_divergence(posterior, prior).sum() / n
            (torch.nn.functional.cross_entropy(logits, labels) + divergence).backward()
            adam.step()
        found.append(torch.cat([mean, log_std]).detach())
    return torch.stack(found)


def asserted_equal(problem: ContinualLearning) -> None:
    """Assert that the three ways give one answer, in float64."""
    exact = problem.to(dtype=torch.float64)
    data = batches(exact)[:5]
    stack = trained(exact, data, [0, 1, 2])
    torch.testing.assert_close(stack, one_by_one(exact, data), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(stack, plain_torch(exact, data), rtol=1e-5, atol=1e-5)


def answering(name: str, **options: Any) -> float:
    """Return the seconds that networks for 100 preferences take after a run on a whole stream, one by one."""
    problem = stream(name, 0, **options)
    result = pk.solve(problem, IBCL(epochs=1), seed=0, progress=False)
    wanted = preferences(0, problem.n_objectives, 100)
    solver, state, rng = result.solver, result.state, Rng.from_seed(0)
    begun = time.perf_counter()
    for w in wanted:
        solver.answer(problem, state, w, n=1, rng=rng)  # type: ignore[union-attr]
    return time.perf_counter() - begun


def main(arguments: list[str] | None = None) -> int:
    """Time, print, and return 0 where both marks were reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the first stream only")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(calibration(("paretokit", "torch")), flush=True)
    lines = [["stream", "hidden", "D", "stack", "one by one", "plain torch", "stack over one by one", "over plain"]]
    answers = [["stream", "hidden", "100 preferences"]]
    missed = []
    for name in list(STREAMS)[:1] if options.quick else STREAMS:
        for hidden in ((), (64,)):
            problem = stream(name, 0, hidden=hidden, **NETWORKS[name])
            asserted_equal(problem)
            data = batches(problem)
            calls: dict[str, Callable[[], Tensor]] = {
                "stack": lambda p=problem, d=data: trained(p, d, [0, 1, 2]),
                "one": lambda p=problem, d=data: one_by_one(p, d),
                "torch": lambda p=problem, d=data: plain_torch(p, d),
            }
            seconds, _ = interleaved(calls, repeats=9)
            ratio, plain = seconds["one"] / seconds["stack"], seconds["torch"] / seconds["stack"]
            times = [duration(seconds[key]) for key in calls]
            shown = "–".join(map(str, hidden)) or "none"
            lines.append([name, shown, str(problem.space.dim), *times, f"{ratio:.2f}", f"{plain:.2f}"])
            if ratio < STACK and not hidden:
                missed.append(f"{name}: the stack is {ratio:.2f} times as fast, due is {STACK}")
            taken = answering(name, hidden=hidden)
            answers.append([name, shown, duration(taken)])
            if taken >= ANSWER:
                missed.append(f"{name}: 100 preferences take {duration(taken)}")
    print(f"An epoch of variational training, three priors\n{table(lines)}\n\nAnswers after a run\n{table(answers)}")
    for line in missed:
        print(line)
    return 1 if missed else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
