"""The update of six policies with C-MORL's sizes: ``python -m benchmarks.morl_ppo [--quick] [--compile]``.

Rows a second of one whole update (10 epochs of 32 minibatches; a row counts once): compiled kernels on one and on all
threads, stacked torch with automatic differentiation, and torch member by member with a module, an optimizer and a
clipping each, as the reference code trains. All start from the same weights and rows and end with the same weights up
to rounding, which is asserted. The last column counts the processor's seconds of this process instead of the clock's,
so that it also holds on a machine that others use. `--compile` prints what a fresh installation waits for the compiler.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import torch

from benchmarks._common import calibration, duration, interleaved, table
from paretokit.core import Lanes, Rng
from paretokit.nn import MLP
from paretokit.solvers.morl import _ppo_plain as plain
from paretokit.solvers.morl._ppo_update import Batch, Networks, PPOSettings, member_rates, update_compiled

RATE = 3e-4
SHAPES = {"minecart": ("categorical", 7, 6, 3), "hopper-2obj": ("gaussian", 11, 3, 2)}


def task(name: str, members: int, rows: int, epochs: int) -> tuple[Batch, Networks]:
    """Return rows of an old policy and the networks that learn from them."""
    head, o, k, m = SHAPES[name]
    own = Lanes(tuple(Rng.from_seed(p) for p in range(members)))

    def normal(label: str, *shape: int) -> torch.Tensor:
        return torch.special.ndtri(own.child(label).uniform(*shape) + 2.0**-54).float()

    actor, critic = MLP((o, 64, 64, k)), MLP((o, 64, 64, m))
    actor_rows = actor.init(own.child("actor"), last_gain=0.1)
    if head == "gaussian":
        actor_rows = torch.cat([actor_rows, torch.zeros(members, k)], -1)
    critic_rows = critic.init(own.child("critic"))
    networks = Networks.start(actor, critic, head=head, actor_rows=actor_rows, critic_rows=critic_rows)  # type: ignore[arg-type]
    seen = normal("seen", rows, o)
    actions = normal("act", rows, k) if head == "gaussian" else (own.child("act").uniform(rows) * k).long()
    values = critic(critic_rows, seen)
    batch = Batch(
        observations=seen,
        actions=actions,
        log_probs=plain.distribution(networks, seen, actions)[0],
        advantage=normal("advantage", rows),
        targets=values + normal("target", rows, m),
        values=values,
        permutations=own.child("order").uniform(epochs, rows).argsort(-1),
    )
    return batch, networks


class Member:
    """One policy and its critic as modules with one optimizer."""

    def __init__(self, networks: Networks, p: int) -> None:
        self.head, self.p = networks.head, p
        pairs = ((networks.actor, networks.actor_rows[p]), (networks.critic, networks.critic_rows[p]))
        self.actor, self.critic = (self._module(shape, row) for shape, row in pairs)
        self.log_std = torch.nn.Parameter(networks.actor_rows[p, networks.actor.n_parameters :].clone())
        own = [self.log_std] if len(self.log_std) else []
        self.parameters = [*self.actor.parameters(), *own, *self.critic.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, lr=RATE, eps=1e-5)

    @staticmethod
    def _module(shape: MLP, row: torch.Tensor) -> torch.nn.Sequential:
        parts: list[torch.nn.Module] = []
        for weight, bias, fan_in, fan_out in shape.slices:
            layer = torch.nn.Linear(fan_in, fan_out)
            layer.weight.data = row[weight:bias].view(fan_out, fan_in).clone()
            layer.bias.data = row[bias : bias + fan_out].clone()
            parts += [layer, torch.nn.Tanh()]
        return torch.nn.Sequential(*parts[:-1])

    def train(self, batch: Batch, settings: PPOSettings) -> torch.Tensor:
        """Do one update and return the actor's first parameters."""
        p, c = self.p, settings.clip
        for order in batch.permutations[p]:
            for part in order.split(len(order) // settings.minibatches):
                outputs = self.actor(batch.observations[p, part])
                law: Any = (
                    torch.distributions.Categorical(logits=outputs)
                    if self.head == "categorical"
                    else torch.distributions.Independent(torch.distributions.Normal(outputs, self.log_std.exp()), 1)
                )
                ratio = (law.log_prob(batch.actions[p, part]) - batch.log_probs[p, part]).exp()
                a = batch.advantage[p, part]
                gain = torch.min(ratio * a, ratio.clamp(1 - c, 1 + c) * a).mean()
                value, old, target = (
                    self.critic(batch.observations[p, part]),
                    batch.values[p, part],
                    batch.targets[p, part],
                )
                near = old + (value - old).clamp(-settings.value_clip, settings.value_clip)
                error = 0.5 * torch.max((value - target) ** 2, (near - target) ** 2).mean()
                self.optimizer.zero_grad()
                (settings.value_coef * error - gain).backward()
                torch.nn.utils.clip_grad_norm_(self.parameters, settings.max_grad_norm)
                self.optimizer.step()
        return next(self.actor.parameters()).detach().reshape(-1)


def measure(name: str, members: int, quick: bool) -> list[list[str]]:
    """Return the table's rows for one shape."""
    rows, epochs, settings = 4096, 2 if quick else 10, PPOSettings()
    batch, start = task(name, members, rows, epochs)
    rates = (member_rates(start, RATE),) * 2
    everyone, threads = torch.arange(members), torch.get_num_threads()
    torch.set_num_threads(1)  # tensors of this size do not repay torch's own threads

    def kernels(count: int) -> torch.Tensor:
        networks = start.select(everyone)
        update_compiled(batch, networks, settings, rates=rates, threads=count)
        return networks.actor_rows

    def stacked() -> torch.Tensor:
        networks = start.select(everyone)
        plain.update_plain(batch, networks, settings, rates=rates)
        return networks.actor_rows

    def one_by_one() -> list[torch.Tensor]:
        return [Member(start, p).train(batch, settings) for p in range(members)]

    calls: dict[str, Any] = {
        f"compiled, {threads} threads": lambda: kernels(threads),
        "compiled, 1 thread": lambda: kernels(1),
        "stacked torch": stacked,
        "torch, one by one": one_by_one,
    }
    cores: dict[str, list[float]] = {label: [] for label in calls}

    def clocked(label: str) -> Any:
        begin = time.process_time()
        result = calls[label]()
        cores[label].append(time.process_time() - begin)
        return result

    turns = {label: functools.partial(clocked, label) for label in calls}
    seconds, results = interleaved(turns, repeats=3 if quick else 5)
    torch.set_num_threads(threads)
    ours, peer = results["stacked torch"], torch.stack(results["torch, one by one"])
    for other in (results["compiled, 1 thread"], results[f"compiled, {threads} threads"]):
        assert (other - ours).abs().median() < 1e-5
    assert (ours[:, : peer.shape[1]] - peer).abs().median() < 1e-5
    best = seconds[f"compiled, {threads} threads"]
    share = epochs / 10  # a quick run does fewer epochs
    return [
        [
            f"{name} x {members}",
            label,
            duration(s),
            f"{members * rows * share / s:,.0f}",
            f"{s / best:.1f}",
            f"{members * rows * share / statistics.median(cores[label]):,.0f}",
        ]
        for label, s in seconds.items()
    ]


def compile_seconds() -> float:
    """Return the processor's seconds of a first import of the kernels into an empty cache."""
    code = "import time, paretokit.solvers.morl._ppo_kernels; print(time.process_time())"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PARETOKIT_CACHE": folder}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs and repeats")
    parser.add_argument("--compile", action="store_true", help="also compile into an empty cache")
    parser.add_argument("--members", type=int, default=6)
    args = parser.parse_args()
    print(calibration(("torch", "numba", "numpy")))
    begin = time.perf_counter()
    rows = [["update", "path", "time", "rows/s", "x compiled", "rows/core s"]]
    for name in SHAPES:
        rows += measure(name, args.members, args.quick)
    print(table(rows))
    if args.compile:
        print(f"compiling into an empty cache: {compile_seconds():.1f} s of one core")
    print(f"{time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
