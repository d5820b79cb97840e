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
# # A first front
#
# A shelf of steel: a cantilever beam of rectangular section that carries a load at its end. A light beam bends, a
# stiff beam is heavy. We say what is traded off, search, read what came out, and decide for one beam.
#
# Runs in half a minute. Open it as a notebook with `jupytext --to notebook tutorials/01_first_front.py`.

# %%
import tempfile
from pathlib import Path

import torch

import paretokit as pk

work = Path(tempfile.mkdtemp(prefix="paretokit-"))

# %% [markdown]
# ## 1. Say what is traded off
#
# A problem is a class with `objectives`, `space` and `_evaluate`. It gets all decisions at once, as rows of a tensor
# `x [n, d]`, and answers with values `[n, m]`; a violation at most 0 is feasible.


# %%
class Shelf(pk.Problem):
    objectives = (pk.Objective("mass", "min", "kg"), pk.Objective("deflection", "min", "mm"))
    space = pk.Box([10.0, 5.0], [80.0, 60.0])  # width and height in mm
    n_constraints = 1

    def _evaluate(self, x, rng):
        width, height = x.unbind(-1)
        mass = 7.85e-6 * 800 * width * height
        deflection = 4 * 400 * 800**3 / (2.1e5 * width * height**3)
        stress = 6 * 400 * 800 / (width * height**2)
        return pk.Evaluation(torch.stack([mass, deflection], -1), (stress - 160).unsqueeze(-1))


shelf = Shelf()
print(shelf.describe())

# %% [markdown]
# `paretokit.testing.check_problem` tries what solvers rely on: shapes, bounds, equal values for equal decisions.

# %%
pk.testing.check_problem(shelf)

# %% [markdown]
# A hypervolume needs a reference point: the worst that we would still look at. It belongs to the *scoring*, which may
# be changed at any time, because a front keeps its values.

# %%
shelf.protocol = pk.EvaluationProtocol(
    scoring=pk.Scoring(reference_point=(20.0, 20.0), ideal=(0.0, 0.0), nadir=(20.0, 20.0))
)

# %% [markdown]
# ## 2. Solve
#
# One verb, whatever the solver. The same call with the same seed gives the same bits.

# %%
result = pk.solve(shelf, pk.solvers.NSGA2(pop_size=60), budget=pk.Budget(evaluations=6000), seed=0)
result

# %% [markdown]
# ## 3. Read the result
#
# `status` says why the run ended ("budget"), `front` is the solver's answer, `archive` everything non-dominated that
# was seen on the way. `history` is a pandas frame: one row a step.

# %%
print(result)
print(len(result.front), "points in the front,", len(result.archive), "in the archive")
result.history.tail(3)

# %% [markdown]
# ## 4. Score
#
# `scores` are the standard indicators under the problem's own scoring. All others are functions of plain arrays, in
# the user's own senses.

# %%
print(result.scores)
values = result.front.values
print("spacing", float(pk.indicators.spacing(values)))
print("hypervolume at another point", float(pk.indicators.hypervolume(values, [10.0, 10.0])))

# %% [markdown]
# Did the run converge? Indicators over the recorded fronts:

# %%
course = result.convergence("hypervolume")
print(course[["evaluations", "hypervolume"]].iloc[[0, len(course) // 2, -1]])

# %% [markdown]
# ## 5. Look
#
# Plots take axes and return axes. Arrows lead to the better end; the caption holds the reference point.

# %%
ax = result.front.plot()
pk.plots.convergence(result, larger_is_better=True)

# %% [markdown]
# ## 6. Decide
#
# A larger entry of the preference matters more. The answer says what was given up for what.

# %%
choice = result.front.pick([0.3, 0.7])
print(choice)
width, height = choice.decode().tolist()
print(f"a beam {width:.1f} mm wide and {height:.1f} mm high, {choice['mass']:.2f} kg")

# %% [markdown]
# Other ways to decide: a hope that need not be reachable, or the knee of the front.

# %%
print(result.front.pick(aspiration=[4.0, 2.0]).why)
print(result.front.pick(rule="knee").why)
pk.plots.scatter(result.front, highlight=choice)

# %% [markdown]
# ## 7. Keep
#
# Results are safetensors and JSON, never a pickle. A problem of one's own is handed back on loading, and checked; a
# problem with an id (`pk.problems.make("dtlz2-v1")`) is rebuilt by itself.

# %%
result.save(work / "shelf")
loaded = pk.Result.load(work / "shelf", problem=shelf)
assert torch.equal(loaded.front.values, result.front.values)

# %% [markdown]
# ## 8. Stop and go on
#
# With a checkpoint, a killed run resumes by the same call, bit for bit. A larger budget continues the same run.

# %%
kept = {"seed": 1, "checkpoint": work / "run"}
pk.solve(shelf, pk.solvers.NSGA2(pop_size=60), budget=pk.Budget(evaluations=1800), **kept)
resumed = pk.solve(shelf, pk.solvers.NSGA2(pop_size=60), budget=pk.Budget(evaluations=3600), **kept)
straight = pk.solve(shelf, pk.solvers.NSGA2(pop_size=60), budget=pk.Budget(evaluations=3600), seed=1)
assert torch.equal(resumed.front.values, straight.front.values)

# %% [markdown]
# ## 9. Compare
#
# One run proves nothing. `compare` repeats over seeds, scores all fronts alike and ranks.

# %%
table = pk.compare(
    shelf,
    [pk.solvers.NSGA2(pop_size=60), pk.solvers.SMSEMOA(pop_size=60)],
    seeds=5,
    budget=pk.Budget(evaluations=3000),
)
print(table.table[["indicator", "solver", "median", "iqr", "rank"]])

# %% [markdown]
# ## 10. Ask and tell
#
# Where evaluations happen elsewhere — a laboratory, a cluster, another language — ask for decisions and tell values.
# Told the same values, it is the same run.

# %%
session = pk.Session(shelf, pk.solvers.NSGA2(pop_size=60), seed=1)
for _ in range(60):
    x = session.ask()
    measured = shelf.evaluate(x)  # elsewhere
    session.tell(measured.values, measured.violations)
assert torch.equal(session.result().front.values, straight.front.values)

# %% [markdown]
# ## 11. A front from elsewhere
#
# Scores, plots and decisions need no solver of ours.

# %%
phones = pk.Front.from_values(
    [[320.0, 14.0], [540.0, 22.0], [480.0, 15.0], [900.0, 26.0]],
    objectives=[pk.Objective("price", "min", "€"), pk.Objective("battery", "max", "h")],
)
print(phones)
print(phones.pick([0.5, 0.5]).why)
