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
# # Many good designs
#
# A search returns a front. A designer often wants more: many different objects near the front, and more of them
# tomorrow. GFlowNets are samplers that build an object step by step and learn to end at good ones. We train two on a
# grid whose front is known exactly, ask them for designs, bring a design of our own, and end with molecules.
#
# Runs in a minute. The trainings are short on purpose: they show how things work, not how well they can.

# %%
import cmath
import importlib.util
import math
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import paretokit as pk

work = Path(tempfile.mkdtemp(prefix="paretokit-"))

# %% [markdown]
# ## 1. A design is a problem
#
# In `HyperGrid` an object is a cell. It is built by walking from the corner: a step along an axis, or stop. Objectives
# are classical test functions of the cell's place, to be maximized. All 1023 cells can be looked at, so the front is
# exact. Any solver runs here, because a finished object is a plain row of numbers.

# %%
grid = pk.problems.HyperGrid(objectives=("currin", "shubert"), side=32)
front = grid.pareto_front()
print(grid.describe())
print(grid.front_kind, "front of", len(front), "of", len(grid.cells()), "cells")
print("cell (3, 4):", grid.evaluate(torch.tensor([[3.0, 4.0]])).values)

# %% [markdown]
# ## 2. A sampler of the front
#
# `OPGFN` learns to draw the non-dominated objects of a batch equally often, so in the end it draws from the front
# alone, its concave parts included, without weights or temperature. A quarter of each batch are the best cells met so
# far (`Replay`): labels that are relative to a batch need them.
#
# `result.front` are the non-dominated among the objects that the trained sampler drew when last measured; all that was
# met on the way is in `result.archive`.

# %%
replay = pk.solvers.gflownet.Replay(share=0.0, pareto=0.25, warmup=128)
opgfn = pk.solvers.OPGFN(replay=replay, batch_size=256, learning_rate=1e-2, iterations=150, evaluate_every=50)
orderly = pk.solve(grid, opgfn, seed=1)
print(orderly)

# %% [markdown]
# A front says little about a sampler: one good draw in a thousand completes it. Measure what is *drawn*: the share on
# the front, and the entropy over the front's points, at most ln 32 where it is uniform.


# %%
def judged(name, values):
    """Print how much of what a sampler drew lies on the front, and how evenly."""
    gains = grid.gains(values)
    share = float(pk.indicators.share_on_front(gains, front))
    entropy = float(pk.indicators.pc_entropy(gains, front, maximize=True))
    print(f"{name}: {share:.0%} on the front, entropy {entropy:.2f} of {math.log(len(front)):.2f}")


drawn = orderly.sample(2000).values
judged("OP-GFN", drawn)

# %% [markdown]
# ## 3. A sampler that is told the preference
#
# `MOGFN` is asked for a preference w and draws x with probability proportional to its scalarized reward to the power β,
# the temperature. A high β asks for the best only. On this front, that is a trap: it is concave, and weighted sums
# prefer two of its 32 points to all others. The law that is aimed at needs no training to be seen.

# %%
values = grid.evaluate(grid.cells()).values
best = pk.indicators.non_dominated(values, maximize=True)
weights = pk.indicators.simplex_lattice(2, 10)  # eleven preferences
for beta in (1, 16, 128, 1024):
    law = torch.softmax(beta * (values @ weights.T).log(), 0).mean(1)
    two, all_32 = float(law.sort().values[-2:].sum()), float(law[best].sum())
    print(f"β = {beta:4}: {all_32:4.0%} of the draws lie on the front, {two:4.0%} are the two favorite cells")

# %%
mogfn = pk.solvers.MOGFN(
    temperature=128,
    lowest=-200,  # log-rewards are bounded below: at -75, the default, most of this law would be flat
    replay=replay,
    batch_size=256,
    learning_rate=1e-2,
    log_z_rate=1e-1,
    iterations=120,
    evaluate_every=60,
    n_samples=64,  # for each of eleven preferences
)
told = pk.solve(grid, mogfn, seed=1)
asked = torch.cat([told.at(w, n=180).values for w in weights])
judged("MOGFN", asked)

# %% [markdown]
# Larger points were drawn more often; rings are the exact front. The one sampler crowds at an end, the other has all of
# it. A lower temperature trades good objects for different ones; "weighted_log_sum" and "tchebycheff" scalarizations
# reach concave parts.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True, sharey=True, layout="constrained")
for ax, (name, sample) in zip(axes, {"OP-GFN": drawn, "MOGFN, β = 128": asked}.items(), strict=True):
    points, counts = sample.unique(dim=0, return_counts=True)
    ax.scatter(*front.T, s=60, facecolors="none", edgecolors="gray")
    ax.scatter(*points.T, s=4 + 2000 * counts / len(sample), alpha=0.6, linewidths=0)
    ax.set(title=name, xlabel="currin", ylabel="shubert")

# %% [markdown]
# ## 4. Ask again
#
# Conditioned samplers answer `result.at(preference, n=…)`, the others `result.sample(n)`. Both return objects with
# their values, dominated ones included. They are new oracle calls, so they are yours to count.

# %%
for preference in ([0.9, 0.1], [0.1, 0.9]):
    print(preference, "mean of 500 draws", told.at(preference, n=500).values.mean(0).numpy().round(3))
print(orderly.sample(4).x.tolist())

# %% [markdown]
# A trained sampler is a folder: safetensors and JSON. It goes on drawing wherever it is loaded.

# %%
orderly.save(work / "sampler")
loaded = pk.Result.load(work / "sampler")
assert torch.equal(loaded.sample(100, seed=3).x, orderly.sample(100, seed=3).x)

# %% [markdown]
# ## 5. Your own design
#
# `CompositionalDesign.sequences` takes an alphabet and a function from words to numbers, larger is better. Here: short
# peptides that shall be charged, and, coiled to a helix, oily on one side only (the hydrophobic moment of Eisenberg,
# Weiss and Terwilliger, 1984).

# %%
OIL = {"A": 0.62, "E": -0.74, "K": -1.50, "L": 1.06}


def helix(word):
    turns = sum(OIL[letter] * cmath.exp(1j * math.radians(100 * place)) for place, letter in enumerate(word))
    charge = word.count("K") - word.count("E")
    return abs(turns) / len(word), max(0, charge) / len(word)


peptides = pk.problems.CompositionalDesign.sequences("AEKL", ["moment", "charge"], helix, min_length=8, max_length=10)
pk.testing.check_design(peptides)  # masks, moves, decisions, values

# %%
results = {
    "OP-GFN": pk.solve(
        peptides,
        pk.solvers.OPGFN(replay=replay, batch_size=256, learning_rate=1e-2, iterations=120),
        seed=0,
    )
}
calls = pk.Budget(work=results["OP-GFN"].cost.work)  # the same number of oracle calls
results["NSGA-II"] = pk.solve(peptides, pk.solvers.NSGA2(), budget=calls, seed=0)
for name, result in results.items():
    print(f"{name:8} {len(result.front)} points, hypervolume {result.scores['hypervolume']:.4f}, {result.cost}")
choice = results["OP-GFN"].front.pick([0.6, 0.4])
print(choice.decode(), "-", choice.why)

# %% [markdown]
# Both find the same front. The sampler goes on: 300 more words, behind the front, beside as many random ones.


# %%
def good(words):
    """Return the different words that are above 0.6 in both."""
    return sorted({solution.decode() for solution in words if solution.values.min() > 0.6})


more = results["OP-GFN"].sample(300)
random = peptides.space.sample(300, pk.Rng.from_seed(0))
print(len(good(more)), "good ones in 300 draws:", *good(more))
print(int((peptides.evaluate(random).values.amin(1) > 0.6).sum()), "good ones in 300 random words")
ax = pk.plots.scatter(results["OP-GFN"].front, dominated=more.values)

# %% [markdown]
# A wrong answer is named with its word before anything trains on it.

# %%
broken = pk.problems.CompositionalDesign.sequences("AEKL", 2, lambda word: (math.nan, len(word)), max_length=3)
try:
    broken.evaluate(broken.encode(["ALE"]))
except pk.ParetoError as error:
    print(error)

# %% [markdown]
# ## 6. Words with known optima
#
# `NGrams` counts short patterns, and its exact front comes from dynamic programming. `Ehrlich` functions hide motifs in
# words with forbidden pairs of letters, and come with a solution. On such problems "how good" has an answer.
#
# In words this long OP-GFN hardly finds its way. A sharp `MOGFN(scalarization="tchebycheff", temperature=512,
# lowest=-10_000)` with a transformer policy draws the whole front after a thousand updates, a few minutes.

# %%
ngrams = pk.problems.NGrams()
print(ngrams.describe(), "-", ngrams.front_kind, "front of", len(ngrams.pareto_front()), "points")
print("hypervolume at best", float(pk.indicators.hypervolume(ngrams.pareto_front(), [0.0] * 3, maximize=True)))
ehrlich = pk.problems.Ehrlich(length=24)
solution = ehrlich.solution()
print(ehrlich.decode(solution), ehrlich.evaluate(solution).values.tolist())

# %% [markdown]
# ## 7. Molecules
#
# A molecule is a tree of fragments, and every tree is valid. Objectives come from RDKit: drug-likeness (QED) and ease
# of synthesis (SA, here 1 is easiest). A few thousand are a glimpse; serious runs score hundreds of thousands, in
# `workers=` processes beside the next rollout (`overlap=True`).

# %%
if importlib.util.find_spec("rdkit") is None:
    print('molecules are left out: pip install "paretokit[molecules]"')
else:
    molecules = pk.problems.Molecules(objectives=("qed", "sa"), max_fragments=5)
    chemist = pk.solvers.OPGFN(
        policy="tree",  # attention over fragments and bonds
        replay=pk.solvers.gflownet.Replay(share=0.25, pareto=0.25, warmup=100),
        batch_size=64,
        learning_rate=3e-3,
        iterations=40,
        n_samples=256,
    )
    made = pk.solve(molecules, chemist, seed=0)
    print(made)

# %% [markdown]
# Along the front, from easy to make to drug-like. `decode` gives the molecule: its SMILES, and RDKit's own object.

# %%
if importlib.util.find_spec("rdkit") is not None:
    along = made.archive.values[:, 0].argsort()
    rows = along[torch.linspace(0, len(along) - 1, min(8, len(along))).round().long()]
    labels = [f"QED {qed:.2f}, SA {sa:.2f}" for qed, sa in made.archive.values[rows].tolist()]
    drawing = molecules.drawn(made.archive.x[rows], labels)
    (work / "molecules.svg").write_text(drawing.svg)
    for row in rows[:3].tolist():
        print(made.archive[row].decode().smiles)
    ax = made.archive.plot()

# %% [markdown]
# In a notebook, the grid of molecules.

# %%
drawing if importlib.util.find_spec("rdkit") is not None else None

# %% [markdown]
# Which sampler for what, settings and costs, and how to write an environment of your own:
# [design objects](../docs/design-objects.md).
