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
# # Designs, built step by step
#
# Words, molecules, circuits: objects that are put together piece by piece. A designer rarely wants one of them; she
# wants many good and different ones, along the whole front. Samplers called GFlowNets learn to build objects with
# probability proportional to a reward, or uniformly over the front.
#
# Runs in a minute. The schedules are short on purpose.

# %%
import importlib.util
import tempfile
from pathlib import Path

import torch

import paretokit as pk

work = Path(tempfile.mkdtemp(prefix="paretokit-"))

# %% [markdown]
# ## 1. A grid whose front is known
#
# A walk starts at the origin of a grid, goes one step along an axis at a time, and stops where it likes. Two functions
# score the cell. Of all 255 cells on which a walk can end, these are the best trade-offs:

# %%
grid = pk.problems.HyperGrid(objectives=("currin", "shubert"), side=16)
print(grid.describe())
print(grid.front_kind, "front of", len(grid.pareto_front()), "cells")

# %% [markdown]
# ## 2. A sampler for every preference
#
# `MOGFN` is told a preference w and samples with probability proportional to the scalarized reward to the power of a
# temperature. One network serves all preferences: `result.at` asks it.
#
# Between currin and shubert the front is concave: almost all of its cells maximize no weighted sum. The hotter the
# competition (large temperature), the more the sampler keeps to the two ends.

# %%
weighted = pk.solve(grid, pk.solvers.MOGFN(iterations=600, evaluate_every=600, temperature=64.0), seed=0)
print(weighted)
print(weighted.at([0.5, 0.5], n=4).values)

# %% [markdown]
# ## 3. A sampler of the front
#
# `OPGFN` has neither weights nor a temperature. It compares the objects of a batch, and makes the non-dominated ones
# equally likely. `result.sample` draws from it.
#
# `replay` mixes the non-dominated objects found so far into every batch, so that weak batches teach nothing wrong.

# %%
replay = {"share": 0.0, "pareto": 0.5, "warmup": 128}
ordered = pk.solve(
    grid, pk.solvers.OPGFN(iterations=400, evaluate_every=400, replay=replay, learning_rate=1e-2), seed=0
)
print(ordered)

# %% [markdown]
# On a grid this small the hypervolume tells little: throwing darts finds most of the front. What matters is where the
# *samples* of the trained sampler are. Share on the front, and the entropy over its cells (at most log 15):

# %%
front = grid.pareto_front()
for name, result in (("MOGFN", weighted), ("OP-GFN", ordered)):
    values = result.state.values
    share = pk.indicators.share_on_front(values, front)
    spread = pk.indicators.pc_entropy(values, front, maximize=True)
    print(f"{name:7} {float(share):4.0%} of {len(values)} samples on the front, entropy {float(spread):.2f}")

# %%
ax = ordered.front.plot()

# %% [markdown]
# The trained sampler is part of the result, and is saved with it.

# %%
ordered.save(work / "sampler")
again = pk.Result.load(work / "sampler")
assert torch.equal(again.sample(8, seed=1).values, ordered.sample(8, seed=1).values)

# %% [markdown]
# ## 4. Evolution on the same designs
#
# Every design has a plain encoding, so every generic solver runs on it, with the same count of oracle calls.

# %%
evolved = pk.solve(grid, pk.solvers.NSGA2(), budget=pk.Budget(evaluations=2_000), seed=0)
print(f"NSGA-II found {len(evolved.front)} of {len(front)} cells in {evolved.cost.evaluations:,} oracle calls")

# %% [markdown]
# ## 5. Your own words
#
# A function from a string to numbers is enough. Objectives are maximized and not negative, best in [0, 1].


# %%
def score(word: str) -> tuple[float, float]:
    """Many pairs AB, and many letters C: they are in each other's way."""
    return word.count("AB") / 5, word.count("C") / 10


words = pk.problems.CompositionalDesign.sequences("ABC", ("pairs", "letters"), score, min_length=8, max_length=10)
spelled = pk.solve(words, pk.solvers.OPGFN(iterations=150, evaluate_every=150, replay=replay), seed=0)
print(sorted({words.decode(x) for x in spelled.front.x})[:6])

# %% [markdown]
# An answer that is no number is named with its word: nothing trains silently on it.

# %%
broken = pk.problems.CompositionalDesign.sequences(
    "ABC", ("a", "b"), lambda word: (float("nan"), len(word) / 4), max_length=4
)
try:
    broken.evaluate(broken.space.sample(1, pk.core.Rng.from_seed(0)))
except pk.core.ParetoError as error:
    print(error)

# %% [markdown]
# ## 6. Molecules
#
# Fragments are joined into trees, with only legal joints on offer, so that every object is a valid molecule. Here
# drug-likeness (QED) is traded against how easy a molecule is to make (SA). `TreePolicy` sees bonds and no numbering.

# %%
if importlib.util.find_spec("rdkit") is None:
    print('molecules are left out: pip install "paretokit[molecules]"')
else:
    molecules = pk.problems.design.Molecules(objectives=("qed", "sa"), max_fragments=5)
    solver = pk.solvers.OPGFN(
        policy=pk.solvers.gflownet.TreePolicy(layers=1, width=32, feedforward=64),
        batch_size=32,
        iterations=40,
        evaluate_every=40,
        n_samples=64,
        replay=replay,
    )
    found = pk.solve(molecules, solver, seed=0)
    best = found.archive
    print(len(best), "non-dominated molecules seen; distinct samples:", len(set(molecules.smiles(found.state.x))))

# %% [markdown]
# A choice decodes to an RDKit molecule.

# %%
if importlib.util.find_spec("rdkit") is not None:
    choice = best.pick([0.5, 0.5])
    print(choice.why)
    print(choice.decode().smiles)
    along = best.values[:, 0].argsort()
    labels = [f"QED {q:.2f}, SA {s:.2f}" for q, s in best.values[along].tolist()]
    drawing = molecules.drawn(best.x[along], labels)  # a grid of pictures along the front, shown by a notebook
    (work / "molecules.svg").write_text(drawing.svg)
