"""Gradient-based training against loops over TorchJD and over exact Pareto search with linear programs.

``python -m benchmarks.gradient`` (with the peers' interpreter, see `make peers`). Two tables, one thread:

Steps: one update of all rays, the same networks, minibatch and rate on both sides; before any timing, both sides'
first updates are asserted equal to a cosine of 0.9999. Aggregators: one call on a [64, 8, 8] stack of Gramians against
a loop over TorchJD's, whose directions are asserted equal to a cosine of 0.9999 (MGDA: ours is nowhere longer, for
theirs stops after 100 steps of Frank and Wolfe; Nash-MTL: where theirs descends all). ``--quick`` takes fewer turns;
names choose rows.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
import torchjd.aggregation as peer
from torch import Tensor, nn

from benchmarks._common import calibration, duration, interleaved, table
from benchmarks._gradient_peers import ExactPareto, Losses, Ray, exact_pareto_steps, torchjd_steps
from paretokit.core import Rng
from paretokit.problems import MultiTask
from paretokit.solvers import GradientDescent
from paretokit.solvers.gradient import IMTLG, MGDA, AlignedMTL, CAGrad, NashMTL, PCGrad, UPGrad
from paretokit.solvers.gradient._preferences import rows_of

RATE = 1e-2


class LeNet(nn.Module):
    """Two convolutions, one hidden layer, and a head for each of two digits."""

    def __init__(self) -> None:
        super().__init__()
        first, second = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        pooled = [nn.MaxPool2d(2), nn.ReLU()]
        self.body = nn.Sequential(first, *pooled, second, *pooled, nn.Flatten(), nn.Linear(320, 50), nn.ReLU())
        self.left, self.right = nn.Linear(50, 10), nn.Linear(50, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return both heads' logits."""
        hidden = self.body(x)
        return self.left(hidden), self.right(hidden)


def squares(m: int) -> Losses:
    return [lambda o, t, k=k: (o[:, k] - t[:, k]).square().mean() for k in range(m)]


def digits() -> Losses:
    return [lambda o, t, k=k: nn.functional.cross_entropy(o[k], t[k]) for k in range(2)]


def perceptron(m: int) -> tuple[nn.Module, Losses, Any]:
    rng = Rng.from_seed(m)
    x = rng.child("x").normal(128, 32, dtype=torch.float32)
    y = torch.tanh(x @ rng.child("w").normal(32, m, dtype=torch.float32) / 3)
    return nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, m)), squares(m), (x, y)


def images() -> tuple[nn.Module, Losses, Any]:
    rng = Rng.from_seed(0)
    x = rng.child("x").normal(256, 1, 28, 28, dtype=torch.float32)
    y = tuple(rng.child("y", k).integers(10, 256) for k in range(2))
    return LeNet(), digits(), (x, y)


class Ours:
    """All rays of a problem, one solver."""

    def __init__(self, made: tuple[nn.Module, Losses, Any], rule: str, n: int, batch_size: int) -> None:
        module, losses, data = made
        self.problem = MultiTask(module, [(f"loss{k}", f) for k, f in enumerate(losses)], data, batch_size=batch_size)
        self.preferences = rows_of(n, len(losses))
        options = {"optimizer": "sgd", "decay": "none", "learning_rate": RATE}
        self.solver = GradientDescent(
            aggregator=rule, preferences=self.preferences, steps=10**9, evaluate_every=10**9, **options
        )
        self.state = self.solver.init(self.problem, Rng.from_seed(0))
        self.start = self.state.x.clone()
        rows = self.state.rng.child("step", 0).child("losses").child("batch")
        rows = rows.integers(len(data[0]), min(batch_size, len(data[0])))
        targets = data[1]
        held = tuple(t[rows] for t in targets) if isinstance(targets, tuple) else targets[rows]
        self.batch = (data[0][rows], held)

    def step(self) -> None:
        """Make one update."""
        self.state = self.solver.step(self.problem, self.state)

    def rays(self) -> list[Ray]:
        """Return the same networks one by one, as they begin."""
        modules = [self.problem.space.module(row).train() for row in self.start]
        return [Ray(copy.deepcopy(m), p, RATE) for m, p in zip(modules, self.preferences.float(), strict=True)]


def steps_row(label: str, made: tuple[nn.Module, Losses, Any], n: int, size: int, repeats: int) -> list[list[str]]:
    """Return rows of the table, one a peer."""
    losses, rows = made[1], []
    programs = ExactPareto(len(losses))
    peers: dict[str, tuple[str, Callable[[list[Ray], Any], None]]] = {
        "TorchJD, UPGrad": ("UPGrad", lambda rays, batch: torchjd_steps(rays, losses, batch)),
        "linear programs, EPO": ("EPO", lambda rays, batch: exact_pareto_steps(rays, losses, batch, programs)),
    }
    for name, (rule, theirs) in peers.items():
        ours = Ours(made, rule, n, size)
        rays = ours.rays()
        ours.step()
        theirs(rays, ours.batch)
        moved = ours.state.x - ours.start
        other = torch.stack([ray.flat() for ray in rays]) - ours.start
        cosine = torch.cosine_similarity(moved.double(), other.double(), dim=1)
        assert (cosine >= 0.9999).all(), (label, name, cosine)
        seconds, _ = interleaved(
            {"ours": ours.step, "theirs": lambda rays=rays, ours=ours, t=theirs: t(rays, ours.batch)}, repeats=repeats
        )
        speed = seconds["theirs"] / seconds["ours"]
        rows.append([label, name, duration(seconds["theirs"]), duration(seconds["ours"]), f"{speed:.1f}x"])
    return rows


RULES: dict[str, tuple[Any, Callable[[], Any]]] = {
    "MGDA": (MGDA(), peer.MGDAWeighting),
    "UPGrad": (UPGrad(), peer.UPGradWeighting),
    "CAGrad": (CAGrad(c=0.5), lambda: peer.CAGradWeighting(c=0.5)),
    "PCGrad": (PCGrad(), peer.PCGradWeighting),
    "NashMTL": (NashMTL(), lambda: peer.NashMTL(n_tasks=8, max_norm=0.0)),
    "IMTLG": (IMTLG(), peer.IMTLGWeighting),
    "AlignedMTL": (AlignedMTL(), peer.AlignedMTLWeighting),
}


def rule_row(name: str, repeats: int) -> list[str]:
    """Return one row: a call on a stack of 64 Gramians of 8 losses against a loop."""
    ours, make = RULES[name]
    j = Rng.from_seed(1).normal(64, 8, 50) + 0.3
    c = j @ j.mT

    def loop() -> Tensor:
        if name == "NashMTL":  # it keeps a state; each matrix begins anew
            return torch.stack([make()(one) for one in j])
        rule = make()
        return torch.stack([rule(one) for one in c])

    drawn = torch.randperm
    torch.randperm = lambda size, **_: torch.arange(size)  # PCGrad's order: the losses' own
    try:
        found = loop()
        seconds, _ = interleaved({"ours": lambda: ours.weights(c), "theirs": loop}, repeats=repeats)
    finally:
        torch.randperm = drawn
    w = ours.weights(c)
    mine = (w.unsqueeze(1) @ j).squeeze(1)
    theirs = found if name == "NashMTL" else (found.unsqueeze(1) @ j).squeeze(1)
    cosine = torch.cosine_similarity(mine, theirs, dim=1)
    if name == "MGDA":
        assert (mine.norm(dim=1) <= theirs.norm(dim=1) * (1 + 1e-12)).all()
    elif name == "NashMTL":
        cosine = cosine[((j @ theirs.unsqueeze(-1)).squeeze(-1) > 0).all(1)]
    if name != "MGDA":
        assert (cosine >= 0.9999).all(), (name, cosine.min())
    speed = seconds["theirs"] / seconds["ours"]
    equal = f"{int((cosine >= 0.9999).sum())} of 64"
    return [name, duration(seconds["theirs"]), duration(seconds["ours"]), f"{speed:.1f}x", equal]


def main(arguments: list[str]) -> None:
    """Print both tables."""
    quick = "--quick" in arguments
    chosen = [a for a in arguments if not a.startswith("--")]
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(calibration(("torch", "torchjd", "cvxpy", "highspy", "quadprog")), flush=True)
    repeats = 3 if quick else 7
    rows = [["one step of all rays", "peer", "peer", "paretokit", "ratio"]]
    for label, make, n, size in (
        ("mlp, 25 rays, 2 losses", lambda: perceptron(2), 25, 64),
        ("mlp, 25 rays, 3 losses", lambda: perceptron(3), 25, 64),
        ("lenet, 5 rays, 2 losses", images, 5, 256),
    ):
        if not chosen or any(c in label for c in chosen):
            torch.manual_seed(0)
            rows += steps_row(label, make(), n, size, repeats)
    if len(rows) > 1:
        print("\n" + table(rows), flush=True)
    rows = [["weights of [64, 8, 8]", "TorchJD's loop", "paretokit", "ratio", "equal directions"]]
    rows += [
        rule_row(name, min(repeats, 3) if name == "NashMTL" else repeats)
        for name in RULES
        if not chosen or name in chosen
    ]
    if len(rows) > 1:
        print("\n" + table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
