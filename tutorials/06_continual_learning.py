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
# # Between old and new
#
# A network learns a task, then another one, when the data of the first is gone. How much should it still know of the
# first? That is a trade-off, so it has a front, and *imprecise Bayesian continual learning* (IBCL) answers any point of
# it without training again: it keeps what it learned as distributions over weights, and combines them.
#
# Runs in less than half a minute.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

import paretokit as pk
from paretokit.problems import continual

SMALL = {"n_tasks": 4, "train": 120, "seed": 1}

# %% [markdown]
# ## 1. A stream
#
# Upper or lower case? One letter at a time: A or a, then B or b, and so on. Glyphs are drawn from fonts, turned, scaled
# and noisy; frozen random features stand in for a trained encoder, and the network behind them is logistic regression.
# Objective k is the accuracy on task k.

# %%
problem = pk.problems.make("continual-case-v1", **SMALL)
print(problem.describe())
print([f"{name}: {len(task.train[1])} images" for name, task in zip(problem.names, problem.tasks, strict=True)])

# %% [markdown]
# A solver gets training data through `problem.task(i)` only, in order and never twice: the handle that it holds refuses
# anything else.

# %%
handle = problem.observed(None)
handle.task(0)
try:
    handle.task(0)
except pk.ParetoError as error:
    print(error)

# %% [markdown]
# ## 2. Train once, ask later

# %%
result = pk.solve(problem, pk.solvers.IBCL(epochs=15), seed=0)
print(f"{result.cost.gradient_steps} updates of three networks, {result.seconds:.1f} s")
for wish in ([1, 0, 0, 0], [0, 0, 0, 1], [0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1]):
    print(wish, *(f"{v:.2f}" for v in problem.assess(result.at(wish).x)[0][0].tolist()))

# %% [markdown]
# One network a preference; the first wish is good at the first letter, the second at the last one, and equal wishes lie
# between. None of them was trained for.
#
# The first answer is the mean network. Further ones are drawn from the highest-density region of the preference's
# distribution: their spread is what the learner does not know.

# %%
several = result.at([0.25, 0.25, 0.25, 0.25], n=16)
images, labels = pk.problems.make("continual-case-v1", n_features=0, **SMALL).tasks[0].test
chances = problem.predict(several.x, images.view(-1, 1, 16, 16))[..., 1]  # [networks, images]
doubt = chances.std(0)
guess = (chances.mean(0) > 0.5).long()
sure = doubt.argsort()[: len(doubt) // 2]
print(f"right on all: {(guess == labels).float().mean():.2f}, ", end="")
print(f"on the half with less doubt: {(guess == labels)[sure].float().mean():.2f}")

# %% [markdown]
# ## 3. The front of two tasks
#
# With two tasks the front can be drawn. `PreferenceRehearsal` trains a network for each of eleven preferences, on the
# task at hand and twenty remembered images of each earlier one. GEM and VCL heed no preference.

# %%
two = pk.problems.make("continual-case-v1", **{**SMALL, "n_tasks": 2})
solvers = {
    "IBCL": pk.solvers.IBCL(epochs=15),
    "rehearsal": pk.solvers.PreferenceRehearsal(preferences=11, epochs=15, learning_rate=1e-3),
    "GEM": pk.solvers.GEM(epochs=15, learning_rate=1e-3),
    "VCL": pk.solvers.VCL(epochs=15),
}
runs = {name: pk.solve(two, solver, seed=0) for name, solver in solvers.items()}
figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
for name, run in runs.items():
    points = run.held_out[run.held_out[:, 0].argsort()]
    ax.plot(*points.T, "o-", linewidth=0.8, label=f"{name}, {run.cost.work:,.0f} examples")
ax.set(xlabel=f"test {two.objectives[0].label}", ylabel=f"test {two.objectives[1].label}")
_ = ax.legend()

# %% [markdown]
# ## 4. Forgetting, measured
#
# `A[i, j]` is the accuracy on task j after learning tasks 0 … i. Learners keep their networks after each task in
# `result.state.stages`; IBCL has them in its knowledge base, for any preference. Backward transfer is what later tasks
# did to earlier ones.


# %%
def matrix(run):
    if isinstance(run.solver, pk.solvers.IBCL):  # asked for each task in turn
        corners = torch.eye(4, dtype=torch.float64)
        after = [run.solver.answers(problem, run.state, corners[: i + 1], n_tasks=i + 1) for i in range(4)]
        rows = [problem.assess(x)[0] for x in after]
        own = [torch.cat([a.diagonal()[: i + 1], a[-1, i + 1 :]]) for i, a in enumerate(rows)]
        return torch.stack(own)
    return torch.stack([problem.assess(x)[0].mean(0) for x in run.state.stages])


rivals = {
    "IBCL": result,
    "replay": pk.solve(problem, pk.solvers.ExperienceReplay(epochs=15, learning_rate=1e-3), seed=0),
    "VCL": pk.solve(problem, pk.solvers.VCL(epochs=15), seed=0),
}
for name, run in rivals.items():
    a = matrix(run)
    backward = continual.backward_transfer(a)
    print(f"{name:7} average {continual.average_accuracy(a):.3f}   backward transfer {backward:+.3f}")

# %% [markdown]
# IBCL asked for one task has forgotten nothing by construction: its posterior is still there. What it pays is memory,
# two numbers a weight and posterior. Within a 2-Wasserstein distance, a posterior is not kept, and a kept one stands
# for it:

# %%
nearest = result.state.base.nearest.flatten()
print("distances to what was kept:", [round(v, 2) for v in sorted(nearest.tolist())[:6]], "…")
for threshold in (0.0, 1.25, 1.5, 2.0):
    run = pk.solve(problem, pk.solvers.IBCL(epochs=15, threshold=threshold), seed=0)
    value = problem.assess(run.at([0.25] * 4).x)[0].mean()
    print(f"threshold {threshold:g}: {run.state.base.n_kept:2} of 12 posteriors, equal wishes have {value:.3f}")

# %% [markdown]
# ## 5. Where it fails
#
# Averages of networks are good where tasks share a concept. Even or odd, for a pair of handwritten digits at a time,
# has none that pixels show: there a network trained for the preference is better.

# %%
digits = pk.problems.make("continual-split-digits-v1", n_tasks=3)
wish = [1 / 3] * 3
zero_shot = pk.solve(digits, pk.solvers.IBCL(epochs=15), seed=0).at(wish)
trained = pk.solve(digits, pk.solvers.PreferenceRehearsal(preferences=[wish], epochs=15), seed=0)
print(f"IBCL {digits.assess(zero_shot.x)[0].mean():.3f}, trained for it {trained.held_out.mean():.3f}")

# %% [markdown]
# ## 6. Your own stream
#
# Tasks are training, validation and test examples, or functions that make them when they are needed. Any network does.


# %%
def ring(radius):
    def make():
        drawn = []
        for seed in (0, 1, 2):
            points = pk.core.Rng.from_seed(seed).child(str(radius)).normal(200, 2, dtype=torch.float32)
            drawn.append((points, (points.norm(dim=1) > radius).long()))
        return tuple(drawn)

    return make


torch.manual_seed(0)
mine = pk.problems.ContinualLearning(
    [ring(0.8), ring(1.2), ring(1.6)],
    nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2)),
    names=["narrow", "middle", "wide"],
)
rings = pk.solve(mine, pk.solvers.IBCL(epochs=20, priors=(1.0, 1.5), learning_rate=1e-2), seed=0)
network = rings.at([0.2, 0.3, 0.5]).pick([1 / 3] * 3).decode()
print(network)

# %% [markdown]
# Answers are refused where they would be guesses, and streams where they teach nothing.

# %%
half = pk.solve(mine, pk.solvers.IBCL(epochs=2), budget=pk.Budget(iterations=14), seed=0)
one = (torch.ones(4, 2), torch.ones(4, dtype=torch.int64))
attempts = {
    "a task to come": lambda: half.at([0.5, 0.0, 0.5]),
    "off the simplex": lambda: rings.at([0.5, 0.5, 0.5]),
    "one class": lambda: pk.problems.ContinualLearning([ring(1.0)(), (one, one, one)], nn.Linear(2, 2)),
    "below zero": lambda: pk.solvers.IBCL(threshold=-1.0),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except pk.ParetoError as error:
        print(f"{name}: {error}")

# %% [markdown]
# Which learner for what, settings, costs, and how they compare on six streams:
# [learn continually](../docs/learn-continually.md).
