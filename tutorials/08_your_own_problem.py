# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # A problem of your own
#
# Five ways to say what is traded off, from a function of one line to an experiment outside Python, and how to check
# that solvers may rely on it.
#
# Runs in half a minute. Open it as a notebook with `jupytext --to notebook tutorials/08_your_own_problem.py`.

# %%
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

import paretokit as pk

work = Path(tempfile.mkdtemp(prefix="paretokit-"))

# %% [markdown]
# ## 1. A function
#
# It takes decisions as rows `x [n, d]` and returns values `[n, m]`. A spring of steel wire: light, and soft.


# %%
def spring(x):
    wire, coil, turns = x.unbind(-1)  # mm, mm, number
    mass = 7.85e-3 * torch.pi**2 / 4 * wire**2 * coil * turns  # g
    rate = 7.9e4 * wire**4 / (8 * coil**3 * turns)  # N/mm
    return torch.stack([mass, rate], -1)


springs = pk.problems.from_function(
    spring,
    objectives=[pk.Objective("mass", "min", "g"), pk.Objective("rate", "min", "N/mm")],
    space=pk.Box([1.0, 8.0, 4.0], [3.0, 30.0, 20.0]),
)
budget = pk.Budget(evaluations=2000)
print(pk.solve(springs, pk.solvers.NSGA2(pop_size=40), budget=budget, seed=0))

# %% [markdown]
# Slow functions take one row at a time (`elementwise=True`), in processes of their own (`workers=4`), with a limit a
# row (`timeout=30.0`). A row that raises or takes too long is a failed candidate with `on_error="fail"`, not the end.


# %%
def moody(row):
    if row[0] > 1.9:
        raise RuntimeError("the wire broke")
    return spring(row.unsqueeze(0))[0]


careful = pk.problems.from_function(
    moody, objectives=["mass", "rate"], space=springs.space, elementwise=True, on_error="fail"
)
result = pk.solve(careful, pk.solvers.NSGA2(pop_size=20), budget=pk.Budget(evaluations=200), seed=0)
print(len(result.front), "springs, the thickest wire", float(result.front.x[:, 0].max()))

# %% [markdown]
# ## 2. A class
#
# A class has a name, options, constraints and a scoring, and says what a decision means. It is a frozen dataclass, so
# its options belong to its identity. We write it into a module of its own, as you would.

# %%
module = work / "wires.py"
module.write_text(
    '''
from dataclasses import dataclass

import torch

import paretokit as pk


@dataclass(frozen=True, kw_only=True)
class Spring(pk.Problem):
    """A coil spring: light and soft, its stress below a limit."""

    force: float = 50.0  # N
    limit: float = 600.0  # MPa

    objectives = (pk.Objective("mass", "min", "g"), pk.Objective("rate", "min", "N/mm"))
    space = pk.Box([1.0, 8.0, 4.0], [3.0, 30.0, 20.0])
    n_constraints = 2
    protocol = pk.EvaluationProtocol(
        scoring=pk.Scoring(reference_point=(100.0, 20.0), ideal=(0.0, 0.0), nadir=(100.0, 20.0))
    )

    def _evaluate(self, x, rng):
        wire, coil, turns = x.unbind(-1)
        mass = 7.85e-3 * torch.pi**2 / 4 * wire**2 * coil * turns
        rate = 7.9e4 * wire**4 / (8 * coil**3 * turns)
        stress = 8 * self.force * coil / (torch.pi * wire**3)
        slim = 4 * wire - coil  # a coil is at least four wires wide
        return pk.Evaluation(torch.stack([mass, rate], -1), torch.stack([stress - self.limit, slim], -1))

    def decode(self, x):
        return {"wire [mm]": round(float(x[0]), 2), "coil [mm]": round(float(x[1]), 1), "turns": round(float(x[2]), 1)}
''',
    encoding="utf-8",
)
sys.path.insert(0, str(work))
from wires import Spring

result = pk.solve(Spring(), pk.solvers.NSGA2(pop_size=40), budget=budget, seed=0)
choice = result.front.pick([0.5, 0.5])
print(result, choice.why, choice.decode(), sep="\n")

# %% [markdown]
# ## 3. The conformance kit
#
# `check_problem` tries what solvers rely on: shapes, bounds, values that do not depend on the batch, equal draws, other
# dtypes, a front that no sample beats. It stops at the first broken rule, with one line.

# %%
pk.testing.check_problem(Spring())
pk.testing.check_problem(springs)


class Leaning(Spring):
    """Wrong: the values of a row depend on the rows beside it."""

    def _evaluate(self, x, rng):
        found = super()._evaluate(x, rng)
        return pk.Evaluation(found.values - found.values.mean(-2, keepdim=True), found.violations)


try:
    pk.testing.check_problem(Leaning())
except AssertionError as broken:
    print(broken)

# %% [markdown]
# Bad input is met with one line as well.

# %%
for attempt in (
    lambda: Spring().evaluate(torch.zeros(2, 3)),
    lambda: Spring().evaluate(torch.zeros(2, 4)),
    lambda: pk.problems.from_function(spring, objectives=["mass", "mass"], space=springs.space),
    lambda: pk.problems.make("zdt1-v1", n_variable=3),
):
    try:
        attempt()
    except pk.ParetoError as error:
        print(error)

# %% [markdown]
# ## 4. A name on the command line, and an id
#
# Wherever an id is asked for, `module:Name` or `file.py:Name` is taken too: by `paretokit solve`, by `paretokit check`,
# by suites of benchmarks.

# %%
command = [sys.executable, "-m", "paretokit", "check", f"{module}:Spring"]
print(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

# %% [markdown]
# A result is saved with its problem's fingerprint; a class of your own is handed back on loading, and another problem
# is refused.

# %%
result.save(work / "springs")
loaded = pk.Result.load(work / "springs", problem=Spring())
assert torch.equal(loaded.front.values, result.front.values)
try:
    pk.Result.load(work / "springs", problem=springs)
except pk.ParetoError as error:
    print(error)

# %% [markdown]
# An id (`"spring-v1"`) is for problems that others shall find. A table leads from ids to dotted paths; nothing is
# imported before it is asked for, and mistyped names and options are answered with the nearest. In this repository the
# table is the world's own (see CONTRIBUTING.md); in a package of yours it is one line. Values of a published id never
# change: a correction is `"spring-v2"`.

# %%
from paretokit.core import Registry

MINE = Registry("problem", {"spring-v1": "wires:Spring"})
print(MINE.make("spring-v1", {"limit": 700.0}))
try:
    MINE.make("spring-v1", {"limits": 700.0})
except pk.UnknownNameError as error:
    print(error)

# %% [markdown]
# ## 5. Outside Python
#
# A laboratory, a cluster, another language: `external` has no function at all. Ask for decisions, measure them
# anywhere, tell the values; what failed is told as NaN.

# %%
bench = pk.problems.external(
    objectives=[pk.Objective("yield", "max", "%"), pk.Objective("cost", "min", "€")], space=pk.Box(0.0, 1.0, dim=2)
)
session = pk.Session(bench, pk.solvers.NSGA2(pop_size=12), seed=0)
for _ in range(8):
    x = session.ask()
    measured = [[100 * a * (1 - 0.3 * b), 5 + 20 * a**2 + 3 * b] for a, b in x.tolist()]  # elsewhere
    measured[0] = [float("nan"), float("nan")]  # a vial fell
    session.tell(measured)
print(session.result().front)

# %% [markdown]
# ## 6. A problem with gradients
#
# `losses` gives what descent needs: surrogates to be minimized, with gradients to the decisions. Without it, the values
# themselves are differentiated, so a class in torch has gradients already. Where the surrogate is something else — a
# minibatch, a smooth stand-in for a count — write it.


# %%
@dataclass(frozen=True, kw_only=True)
class Sensors(pk.Problem):
    """Where to put sensors on a line: many places seen, little cable laid."""

    n: int = 6
    reach: float = 0.08

    objectives = (pk.Objective("seen", "max"), pk.Objective("cable", "min", "km"))

    @property
    def space(self):
        return pk.Box(0.0, 1.0, dim=self.n)

    def _distance(self, x):
        return (torch.linspace(0, 1, 101, dtype=x.dtype)[:, None] - x.unsqueeze(-2)).abs().amin(-1)

    def _evaluate(self, x, rng):
        seen = (self._distance(x) < self.reach).to(x.dtype).mean(-1)  # a count: its gradient is zero
        return pk.Evaluation(torch.stack([seen, x.amax(-1)], -1))

    def losses(self, x, rng):
        smooth = torch.sigmoid((self._distance(x) - self.reach) / 0.02).mean(-1)
        return torch.stack([smooth, x.amax(-1)], -1)


sensors = Sensors()
pk.testing.check_problem(sensors)
descent = pk.solvers.GradientDescent(aggregator="Tchebycheff", preferences=24, steps=200)
by_gradient = pk.solve(sensors, descent, seed=0).front
by_evolution = pk.solve(sensors, pk.solvers.NSGA2(pop_size=24), budget=budget, seed=0).front
for name, front in {"descent": by_gradient, "NSGA-II": by_evolution}.items():
    print(name, float(pk.indicators.hypervolume(front.values, [0.0, 1.0], maximize=[True, False])))

# %% [markdown]
# ## 7. A network with several losses
#
# `MultiTask` takes a torch module and losses; decisions are its parameters, and what is decoded is the module.

# %%
generator = torch.Generator().manual_seed(0)
inputs = torch.randn(256, 3, generator=generator)
targets = torch.stack([inputs[:, 0] + inputs[:, 1], inputs[:, 1] * inputs[:, 2]], -1)
network = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))  # one output for two targets: they compete
both = pk.problems.MultiTask(
    network,
    [
        ("sum", lambda outputs, answers: (outputs[:, 0] - answers[:, 0]).square().mean()),
        ("product", lambda outputs, answers: (outputs[:, 0] - answers[:, 1]).square().mean()),
    ],
    (inputs, targets),
)
descent = pk.solvers.GradientDescent(aggregator="EPO", preferences=5, steps=150, learning_rate=0.01)
front = pk.solve(both, descent, seed=0).front
print(front.to_frame()[["sum", "product"]])
print(front.pick([0.8, 0.2]).decode())

# %% [markdown]
# Environments with a vector reward ([train policies](../docs/train-policies.md)), objects built step by step
# ([design objects](../docs/design-objects.md)), checkpoints ([merge models](../docs/merge-models.md)), domains
# ([adapt domains](../docs/adapt-domains.md)) and streams of tasks ([learn
# continually](../docs/learn-continually.md)) have contracts of their own on top of this one; each page ends with yours.
# The same in short: [write your own problem](../docs/write-your-own-problem.md).
