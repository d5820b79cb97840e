"""Merging on the eight-task suite: ``python -m benchmarks.merging_suite TASK ENCODER [--seeds N] [--report]``.

Mean test accuracy over the eight tasks, in %, of the fine-tunings, the pretrained encoder and ten ways to merge.

`accuracy`: unlabeled images are the test images ("transductive", as in AdaMerging's paper).
`split`: one half of the test images is unlabeled, the other half is the test.
`corruptions`: unlabeled and test images are noisy, blurred, or of low contrast.
`shares`: 0.1 %, 1 % and 10 % of the unlabeled images: 1, 10 and 100 a task.
`imbalance`: unlabeled images whose commonest class is 10 and 10,000 times as frequent as the rarest, and of one class.

"best" is the scale that is best on the test images, which nobody can know: an upper end of what tuning could give.

Every run is a row of ``benchmarks/results/merging/suite-ENCODER.csv``; what is there is not run again, and `--report`
runs nothing. For `accuracy` of "mlp", status 1 says that a mark was missed: fine-tunings reach 95 %; layer-wise
AdaMerging lies 3 points above averaging, 2 above the best task arithmetic, 1 above the best TIES; task-wise AdaMerging
lies within 2 points of the better of averaging and task arithmetic.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from benchmarks._common import calibration, table
from benchmarks._design_rows import Table, interval, numbers
from benchmarks._merging_suite import METHODS, Condition, accuracies

KEY = ("protocol", "corruption", "unlabeled", "imbalance", "method", "seed")
ONE_CLASS = 1e20  # an imbalance beyond it leaves one class
LAYERWISE, TASKWISE = "AdaMerging layer-wise", "AdaMerging task-wise"
SHORT = ("individual", "averaging", "task arithmetic best", "TIES 0.3", "RegMean", LAYERWISE)

TASKS: Mapping[str, tuple[tuple[Condition, ...], tuple[str, ...]]] = {
    "accuracy": ((Condition(),), METHODS),
    "split": ((Condition(protocol="split"),), METHODS),
    "corruptions": (tuple(Condition(corruption=c) for c in ("noise", "blur", "contrast")), SHORT),
    "shares": (tuple(Condition(unlabeled=u) for u in (0.001, 0.01, 0.1, 1.0)), (LAYERWISE,)),
    "imbalance": (tuple(Condition(imbalance=i) for i in (10.0, 1e4, 1e30)), (TASKWISE, LAYERWISE)),
}
"""Conditions and methods of each table."""


def key_of(condition: Condition, method: str, seed: int) -> dict[str, Any]:
    """Return the key of a row."""
    return {
        "protocol": condition.protocol,
        "corruption": condition.corruption,
        "unlabeled": f"{condition.unlabeled:g}",
        "imbalance": f"{condition.imbalance:g}",
        "method": method,
        "seed": seed,
    }


def gather(task: str, options: argparse.Namespace) -> list[tuple[Condition, str, list[dict[str, str]]]]:
    """Return the rows of each condition and method, seed after seed, running what is missing unless only reporting."""
    rows = Table(f"suite-{options.encoder}", KEY, folder="merging")
    conditions, methods = TASKS[task]
    if not options.report:
        for seed in options.run or range(options.seeds):
            for condition in conditions:
                for method in methods:
                    if options.only in (None, method):
                        rows.once(
                            lambda m=method, c=condition, s=seed: accuracies(options.encoder, s, m, c),
                            **key_of(condition, method, seed),
                        )
    found = []
    for condition in conditions:
        for method in methods:
            own = [rows.find(**key_of(condition, method, seed)) for seed in range(options.seeds)]
            found.append((condition, method, [row for row in own if row is not None]))
    return found


def label(condition: Condition) -> str:
    """Return what is special about a condition."""
    plain, parts = Condition(), []
    if condition.protocol != plain.protocol:
        parts.append(condition.protocol)
    if condition.corruption != plain.corruption:
        parts.append(condition.corruption)
    if condition.unlabeled != plain.unlabeled:
        parts.append(f"{condition.unlabeled:.1%} unlabeled")
    if condition.imbalance != plain.imbalance:
        parts.append("one class" if condition.imbalance > ONE_CLASS else f"imbalance {condition.imbalance:g}")
    return ", ".join(parts) or plain.protocol


def shown(found: Sequence[tuple[Condition, str, list[dict[str, str]]]]) -> str:
    """Return the table: means and half widths of 95 % intervals over seeds."""
    known = [row for _, _, rows in found for row in rows]
    if not known:
        return "no rows yet"
    columns = list(known[0])
    names = columns[columns.index("accuracy") + 1 : columns.index("scale")]
    lines = [["condition", "method", "seeds", "accuracy", *names, "scale", "CPU s"]]
    for condition, method, rows in found:
        if not rows:
            continue
        each = [f"{statistics.fmean(numbers(rows, name)):.1f}" for name in names]
        scale = interval(rows, "scale", 2) if numbers(rows, "scale") else ""
        seconds = f"{statistics.median(numbers(rows, 'cpu_seconds')):.0f}"
        lines.append([label(condition), method, str(len(rows)), interval(rows, "accuracy", 1), *each, scale, seconds])
    return table(lines)


def marks(found: Sequence[tuple[Condition, str, list[dict[str, str]]]]) -> list[str]:
    """Return the marks that the means miss."""
    mean = {m: statistics.fmean(numbers(rows, "accuracy")) for _, m, rows in found if rows}
    if set(mean) != set(METHODS):
        return ["not all methods were run"]
    layer, task = mean[LAYERWISE], mean[TASKWISE]
    rival = max(mean["averaging"], mean["task arithmetic 0.3"], mean["task arithmetic best"])
    due = {
        "fine-tunings above 95": mean["individual"] - 95,
        "layer-wise 3 above averaging": layer - mean["averaging"] - 3,
        "layer-wise 2 above the best task arithmetic": layer - mean["task arithmetic best"] - 2,
        "layer-wise 1 above the best TIES": layer - mean["TIES best"] - 1,
        "task-wise within 2 of averaging and task arithmetic": 2 - abs(task - rival),
    }
    return [f"missed by {-margin:.2f} points: {name}" for name, margin in due.items() if margin < 0]


def main(arguments: list[str] | None = None) -> int:
    """Run a task, print its table, and return 0 where every mark was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=[*TASKS, "all"])
    parser.add_argument("encoder", choices=["mlp", "cnn", "vit"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--run", type=int, nargs="*", help="run these seeds only: processes may share the work")
    parser.add_argument("--only", choices=METHODS, help="one method")
    parser.add_argument("--report", action="store_true", help="show what is there, run nothing")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    missed = []
    if not options.report:
        print(calibration(("paretokit", "torch", "matplotlib", "scikit-learn")), flush=True)
    for task in list(TASKS) if options.task == "all" else [options.task]:
        found = gather(task, options)
        print(f"{options.encoder}, {task}\n{shown(found)}\n", flush=True)
        if task == "accuracy" and options.encoder == "mlp" and options.only is None:
            missed += marks(found)
    for text in missed:
        print(text)
    return 1 if missed else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
