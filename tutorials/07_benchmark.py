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
# # Which solver should I use, and is the difference real?
#
# Three solvers on two problems, eight seeds, one budget: first in a notebook, then from a file whose runs survive a
# kill.
#
# Runs in ten seconds. Open it as a notebook with `jupytext --to notebook tutorials/07_benchmark.py`.

# %%
import tempfile
from pathlib import Path

import paretokit as pk
from paretokit import bench

problems = [pk.problems.ZDT1(n_variables=10), pk.problems.DTLZ2(n_objectives=3)]
solvers = [pk.solvers.NSGA2(pop_size=40), pk.solvers.SMSEMOA(pop_size=40), pk.solvers.RandomSearch(pop_size=40)]
found = pk.compare(problems, solvers, seeds=8, budget=pk.Budget(evaluations=1200))
print(found.table[["problem", "indicator", "solver", "median", "rank"]])

# %% [markdown]
# A median is not a verdict. Runs of equal seeds are no pairs here, so ranks of all runs are compared (Mann-Whitney),
# and the p values of all pairs on all problems are corrected together (Holm).

# %%
scores = bench.score_table(found.runs, "hypervolume")
tests = bench.pairwise_tests(scores)
print(tests)
print(bench.aggregate(scores.relative()))  # interquartile means over problems, with bootstrap intervals

# %% [markdown]
# The same as a file. A cell that has finished is never run again: the second call finds all of them done.

# %%
folder = Path(tempfile.mkdtemp())
suite = folder / "suite.yaml"
suite.write_text(
    """\
name: small
seeds: 4
budget: {evaluations: 800}
indicators: [hypervolume, igd_plus]
problems: [zdt1-v1, {name: dtlz2, problem: dtlz2-v1, options: {n_objectives: 3}}]
solvers: [{solver: NSGA2, options: {pop_size: 40}}, {solver: RandomSearch, options: {pop_size: 40}}]
""",
    encoding="utf-8",
)
here = bench.Where(jobs=1)
experiment = bench.run_suite(bench.load_suite(suite), folder / "store", where=here, progress=False)
again = bench.run_suite(bench.load_suite(suite), folder / "store", where=here, progress=False)
assert experiment.frame.equals(again.frame)
print(experiment.frame.groupby(["problem", "solver", "indicator"])["value"].median())

# %% [markdown]
# One page with figures, tables, the protocol, and how to make it again; the tables beside it as CSV, parquet and LaTeX.
# From the shell: `paretokit bench run suite.yaml`, then `paretokit bench report STORE --open`.

# %%
page = bench.write_report(experiment, folder / "report")
print(page)
