"""Directions of TorchJD on small Jacobians, as a table for the tests.

``python -m benchmarks._torchjd_table > tests/solvers/gradient/torchjd_directions.json`` (with the peers' interpreter,
see `make peers`; TorchJD 0.18.0). Jacobians are numbers of `Rng`; PCGrad's order is the losses' own.
"""

from __future__ import annotations

import json
import warnings

import torch
import torchjd.aggregation as peer
from torch import Tensor

from paretokit.core import Rng

CASES = ((2, 3), (3, 5), (5, 8), (8, 12))  # losses, parameters
SCALES = ("min", "median", "rmse")


def jacobian(m: int, n: int) -> Tensor:
    """Return a Jacobian `[m, n]` with conflicts, well-conditioned."""
    return Rng.from_seed(10 * m + n).child("jacobian").normal(m, n) + 0.3


def directions(m: int, n: int) -> dict[str, list[float]]:
    """Return every rule's direction."""
    j = jacobian(m, n)
    rules = {
        "MGDA": peer.MGDA(epsilon=1e-12, max_iters=200_000),
        "UPGrad": peer.UPGrad(),
        "CAGrad": peer.CAGrad(c=0.5),
        "NashMTL": peer.NashMTL(n_tasks=m, max_norm=0.0, optim_niter=200),
        "IMTLG": peer.IMTLG(),
        **{f"AlignedMTL {scale}": peer.AlignedMTL(scale_mode=scale) for scale in SCALES},
    }
    found = {name: rule(j) for name, rule in rules.items()}
    drawn = torch.randperm
    torch.randperm = lambda size, **_: torch.arange(size)
    try:
        found["PCGrad"] = peer.PCGrad()(j)
    finally:
        torch.randperm = drawn
    return {name: [float(v) for v in d] for name, d in found.items()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps([{"shape": case, "directions": directions(*case)} for case in CASES], indent=1))
