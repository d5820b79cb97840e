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
# # Labels here, none there
#
# A classifier is trained where labels are plenty, and used where inputs look different and nobody has labeled any.
# *Domain adaptation* looks at the unlabeled inputs too. It then serves three masters: the labeled source, features in
# which the domains look alike, and target predictions that are sure and varied. They pull in different directions, so
# there is a front. We look at one in the plane, take a network home, and bring data of our own.
#
# Runs in half a minute.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import paretokit as pk

# %% [markdown]
# ## 1. Two moons, turned
#
# The source is two half circles with labels; the target is the same turned by 35 degrees, without. `make` builds the
# problem from an id; `pk.problems.adaptation` has digits, letters and tables too. Objectives are the cross-entropy on
# source validation data, the discrepancy between the domains' features (the squared maximum mean discrepancy), and
# minus the mutual information between held-out target inputs and their predictions.

# %%
problem = pk.problems.make("adaptation-moons-v1")
for objective in problem.objectives:
    print(objective.sense, objective.label)
print(len(problem.source[0]), "labeled,", len(problem.target), "unlabeled,", len(problem.held_target), "held out")

# %% [markdown]
# ## 2. Three ways to train
#
# All through the same loop. `WeightedDA` weighs the three losses by fixed weights: (1, 0, 0) is training on the source
# alone, (1/2, 1/2, 0) is DANN. `ParetoDA` weighs them anew each step, by a linear program over their gradients: no loss
# may rise, nor the target information of held-out inputs fall where that can be had.
#
# Target labels are for scoring: a solver's handle of the problem does not hold them, `target_accuracy` does.

# %%
common = {"steps": 200, "learning_rate": 0.1, "evaluate_every": 50}
solvers = {
    "source only": pk.solvers.WeightedDA(preferences=[[1.0, 0.0, 0.0]], **common),
    "DANN": pk.solvers.WeightedDA(preferences=[[0.5, 0.5, 0.0]], **common),
    "ParetoDA": pk.solvers.ParetoDA(**common),
}
results = {name: pk.solve(problem, solver, seed=0) for name, solver in solvers.items()}
for name, result in results.items():
    values = " ".join(f"{v:6.3f}" for v in result.front.values[0].tolist())
    print(f"{name:12} objectives {values}   target accuracy {problem.target_accuracy(result.front.x)[0]:.1%}")

# %% [markdown]
# What they have learned: the color is the predicted class, the points are the target's, whose labels nobody saw.

# %%
side = torch.linspace(-2.2, 2.2, 80)
grid = torch.cartesian_prod(side, side)
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", sharex=True, sharey=True)
for ax, (name, result) in zip(axes, results.items(), strict=True):
    with torch.no_grad():
        chance = result.front.pick([0.3, 0.3, 0.4]).decode()(grid).softmax(1)[:, 1]
    ax.contourf(side, side, chance.reshape(80, 80).T, levels=10, cmap="coolwarm", alpha=0.6)
    ax.scatter(*problem.target.T, s=4, color="black")
    ax.set_title(name)

# %% [markdown]
# ## 3. A front
#
# A grid of fixed weights trains all its members in one program, from one start and on the same minibatches. Which of
# them to take? Without target labels the accuracy is not known: pick by the objectives.

# %%
front = pk.solve(problem, pk.solvers.WeightedDA(preferences=15, **common), seed=0)
choice = front.front.pick([0.2, 0.3, 0.5])
print(front)
print(choice.why)
accuracies = problem.target_accuracy(front.front.x)
print(f"target accuracies along the front: {accuracies.min():.1%} to {accuracies.max():.1%}")
ax = pk.plots.parallel_coordinates(front.front)

# %% [markdown]
# Generic solvers run too, since a problem is a problem: here MGDA and preferences with exact Pareto search on all
# weights, with the discrepancy itself as the second loss in place of an adversary.

# %%
for rule in ("MGDA", "EPO"):
    descent = pk.solvers.GradientDescent(aggregator=rule, preferences=6, steps=150, learning_rate=0.01)
    result = pk.solve(problem, descent, seed=0)
    best = problem.target_accuracy(result.front.x).max()
    print(f"{rule}: {len(result.front)} networks, the best with target accuracy {best:.1%}")

# %% [markdown]
# ## 4. Switches
#
# Each part of ParetoDA can be turned off: the direction, Bayes refinement of the target predictions through one domain
# discriminator a class, and the held-out guide. Alignments are `dann`, `cdan`, `mcc` and `mdd`.

# %%
for options in ({}, {"direction": "guidance"}, {"refine": False}, {"dynamic": False}, {"alignment": "mcc"}):
    result = pk.solve(problem, pk.solvers.ParetoDA(**common, **options), seed=0)
    weights = result.state.weights[0].tolist()
    print(f"{options}: {problem.target_accuracy(result.front.x)[0]:.1%}, last weights", [round(w, 2) for w in weights])

# %% [markdown]
# One seed of a small problem says little. Five seeds on four shifts, what won and what lost:
# [adapt domains](../docs/adapt-domains.md).
#
# ## 5. Your own domains
#
# Tensors or data loaders, and a network in two parts. The target may come without labels; then there is nothing to
# score by, and everything else is the same. What comes back is a plain module.


# %%
def points(n, shift, seed):
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 3, (n,), generator=generator)
    centers = torch.tensor([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
    return centers[y] + shift + 0.5 * torch.randn(n, 2, generator=generator), y


source = DataLoader(TensorDataset(*points(300, torch.zeros(2), 0)), batch_size=50)
target, answers = points(300, torch.tensor([1.0, 1.0]), 1)
features = nn.Sequential(nn.Linear(2, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
mine = pk.problems.DomainAdaptation(source, target, (features, nn.Linear(16, 3)))
adapted = pk.solve(mine, pk.solvers.ParetoDA(alignment="cdan", n_members=2, **common), seed=0)
model = adapted.front.pick([0.2, 0.2, 0.6]).decode()
with torch.no_grad():
    right = (model(target).argmax(1) == answers).double().mean()
print(f"{type(model).__name__}: {right:.1%} of answers that nobody told")

# %% [markdown]
# ## 6. When something does not fit

# %%
attempts = {
    "no labels": (target, target, (features, nn.Linear(16, 3))),
    "other inputs": (points(20, 0, 0), torch.randn(20, 3), (features, nn.Linear(16, 3))),
    "one class": ((target, torch.zeros(300).long()), target, (features, nn.Linear(16, 3))),
    "no parts": (source, target, nn.Linear(2, 3)),
}
for name, arguments in attempts.items():
    try:
        pk.problems.DomainAdaptation(*arguments)
    except pk.ParetoError as error:
        print(f"{name}: {error}")
