"""What is worth tuning of every sampler; how sharp a reward is, is each method's own."""

from __future__ import annotations

from paretokit.core import Choice, LogRange, Range, SearchSpace

GFLOWNET_SPACE: SearchSpace = {
    "criterion": Choice(("TB", "DB", "SubTB")),
    "backward": Choice(("uniform", "learned")),
    "batch_size": LogRange(16, 512),
    "learning_rate": LogRange(1e-4, 2e-2),
    "log_z_rate": LogRange(1e-3, 0.3),
    "epsilon": Range(0.0, 0.2),
    "ema": Choice((0.0, 0.9, 0.99)),
}
