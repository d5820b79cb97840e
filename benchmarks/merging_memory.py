"""Peak memory of merging eight checkpoints of 88 million weights (shapes of ViT-B/32, random weights, no download).

python -m benchmarks.merging_memory [--folder FOLDER]

Each part runs in a process of its own, whose peak resident memory is printed: `file` merges from file to file by task
arithmetic, `buffers` builds AdaMerging's buffers in bfloat16 (pretrained weights, task vectors, merged weights,
gradient), `step` takes a gradient of the coefficients with them. Needs 3.2 GB of disk.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from paretokit.core import Rng
from paretokit.problems.merging import ModelMerging, Task, merge_checkpoints

TASKS = 8
GOALS = {"file": 1.5, "buffers": 3.0, "step": None}


class Encoder(nn.Module):
    """A vision transformer of the size of CLIP's ViT-B/32 image tower."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 768, 32, 32, bias=False)
        self.first, self.places = nn.Parameter(torch.zeros(768)), nn.Parameter(torch.zeros(50, 768))
        self.before, self.after = nn.LayerNorm(768), nn.LayerNorm(768)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(768, 12, 3072, 0.0, "gelu", batch_first=True, norm_first=True) for _ in range(12)
        )
        self.projection = nn.Parameter(torch.zeros(768, 512))

    def forward(self, x: Tensor) -> Tensor:
        """Return features `[n, 512]` of images `[n, 3, 224, 224]`."""
        x = self.patches(x).flatten(2).mT
        x = self.before(torch.cat([self.first.expand(len(x), 1, -1), x], 1) + self.places)
        for layer in self.layers:
            x = layer(x)
        return self.after(x[:, 0]) @ self.projection


def empty() -> Encoder:
    """Return the architecture without weights."""
    with torch.device("meta"):
        return Encoder()


def write(folder: Path) -> None:
    """Write the origin and the fine-tunings."""
    rng = Rng.from_seed(0)
    shapes = {name: tensor.shape for name, tensor in empty().state_dict().items()}

    def drawn(scale: float, *path: str | int) -> dict[str, Tensor]:
        return {n: scale * rng.child(*path, n).normal(*s, dtype=torch.float32) for n, s in shapes.items()}

    base = drawn(0.02, "base")
    save_file(base, str(folder / "base.safetensors"))
    for k in range(TASKS):
        tau = drawn(0.002, "task", k)
        save_file({n: t + tau[n] for n, t in base.items()}, str(folder / f"{k}.safetensors"))


def part(name: str, folder: Path) -> None:
    """Run one part and print its peak."""
    if name == "write":
        write(folder)
        return
    base, tuned = folder / "base.safetensors", [folder / f"{k}.safetensors" for k in range(TASKS)]
    begin = time.perf_counter()
    if name == "file":
        merge_checkpoints(base, tuned, folder / "merged.safetensors", coefficients=0.3)
    else:
        rng = Rng.from_seed(1)
        tasks = [
            Task(
                name=str(k),
                unlabeled=rng.child(k).uniform(2, 3, 224, 224, dtype=torch.float32),
                head=nn.Linear(512, 10),
            )
            for k in range(TASKS)
        ]
        problem = ModelMerging(
            pretrained=base, finetuned=tuned, tasks=tasks, architecture=empty(), storage="bfloat16", batch_size=2
        )
        coefficients = torch.full((1, *problem.n_coefficients), 0.3)
        problem.vectors.merged(coefficients, out=problem.runner.row.unsqueeze(0))
        if name == "step":
            problem.runner.weighted(coefficients, problem.batches(rng), torch.ones(1, TASKS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    goal = "" if GOALS[name] is None else f" (goal: below {GOALS[name]} GB)"
    print(f"{name:8} {peak:.2f} GB{goal}, {time.perf_counter() - begin:.1f} s")


def main() -> None:
    """Write the checkpoints where there are none, and run every part in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--part", choices=["write", *GOALS])
    given = parser.parse_args()
    if given.part:
        part(given.part, given.folder)
        return
    with tempfile.TemporaryDirectory() as aside:
        folder = given.folder or Path(aside)
        folder.mkdir(parents=True, exist_ok=True)
        written = (folder / f"{TASKS - 1}.safetensors").exists()
        for name in [*([] if written else ["write"]), *GOALS]:  # a child's peak begins at its parent's size
            command = [sys.executable, "-m", "benchmarks.merging_memory", "--part", name, "--folder", str(folder)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
