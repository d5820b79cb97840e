"""``paretokit new problem``: a file that can be solved at once, and changed line by line."""

from __future__ import annotations

import argparse
import keyword
import re
from pathlib import Path

from paretokit.core import _check as check

PROBLEM = '''"""@CLASS@: what is traded off, over which decisions.

Check it after every change:   paretokit check @MODULE@:@CLASS@
Solve it:                      paretokit solve @MODULE@:@CLASS@ NSGA2 --evaluations 2000
"""

from dataclasses import dataclass

import torch

import paretokit as pk


@dataclass(frozen=True, kw_only=True)
class @CLASS@(pk.Problem):
    """A can: as little tin as possible around as much as possible. Replace it by your own problem."""

    least: float = 0.2  # an option, here in liters: `--problem-option least=0.3`

    objectives = (pk.Objective("tin", "min", "cm²"), pk.Objective("content", "max", "l"))
    space = pk.Box([2.0, 2.0], [8.0, 20.0])  # lower and upper bounds: radius and height in cm
    n_constraints = 1  # 0 where there are none
    protocol = pk.EvaluationProtocol(
        # In the objectives' own senses: the worst point that still counts, the best and the worst values of good
        # solutions. Hypervolume and R2 need them; leave the line out while you do not know them.
        scoring=pk.Scoring(reference_point=(1500.0, 0.0), ideal=(0.0, 4.1), nadir=(1410.0, 0.2))
    )

    def _evaluate(self, x, rng):
        # x holds a decision a row, [n, 2]; values are [n, 2], violations [n, 1], at most 0 where feasible.
        # Rows of NaN are failed candidates. Noise is drawn from `rng`; set `deterministic = False` then.
        radius, height = x.unbind(-1)
        tin = 2 * torch.pi * radius * (radius + height)
        content = torch.pi * radius**2 * height / 1000
        violation = self.least - content
        return pk.Evaluation(torch.stack([tin, content], -1), violation.unsqueeze(-1))

    def decode(self, x):
        # What a chosen solution is to its user.
        return {"radius [cm]": float(x[0]), "height [cm]": float(x[1])}


if __name__ == "__main__":
    result = pk.solve(@CLASS@(), pk.solvers.NSGA2(), budget=pk.Budget(evaluations=2000), seed=0)
    print(result)
    print(result.front.pick([0.5, 0.5]).decode())
'''


def names_of(name: str) -> tuple[str, str]:
    """Return class and module for ``Bridge``, ``steel_bridge`` or ``steel-bridge``.

    Raises:
        InputError: If Python takes no such name.
    """
    words = [word for word in re.split(r"[-_\s]+", name) if word]
    text = "".join(word[:1].upper() + word[1:] for word in words)
    rule = "be a name of letters, digits and underscores that does not begin with a digit"
    check.that(text.isidentifier() and not keyword.iskeyword(text), "name", rule, repr(name), "for example Bridge")
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()
    return text, f"{module}_problem" if keyword.iskeyword(module) else module


def run(args: argparse.Namespace) -> int:
    """Write the file, unless there is one, and say what comes next."""
    name, module = names_of(args.name)
    file: Path = args.out or Path(f"{module}.py")
    check.that(file.suffix == ".py" and file.stem.isidentifier(), "out", "be a Python module", repr(str(file)))
    target = f"{file.stem if file.parent == Path() else file}:{name}"
    text = PROBLEM.replace("@CLASS@:", f"{name}:").replace("@MODULE@", file.stem).replace("@CLASS@", name)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        check.fail("out", "not be there yet", repr(str(file)), "nothing is overwritten; `--out` names another file")
    print(f"wrote {file}\n\nnext:\n  paretokit check {target}\n  paretokit solve {target} NSGA2 --evaluations 2000")
    return 0
