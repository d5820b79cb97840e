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
# # One model of many
#
# Fine-tune one network on several tasks, and you own several networks. Merging makes one of them: what each fine-tuning
# changed is a *task vector*, and the merged weights are the origin plus a combination of task vectors. Which
# combination is a trade-off between the tasks, so it has a front. We look at one for two tasks and one for three, take
# a model home, and merge checkpoints of our own.
#
# Runs in half a minute, of which training the networks takes a third the first time. They are small and shortly
# trained, to show how things work, not how well they can.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from safetensors.torch import load_model, save_model
from torch import nn

import paretokit as pk
from paretokit.problems import merging

work = Path(tempfile.mkdtemp(prefix="paretokit-"))

# %% [markdown]
# ## 1. Eight fine-tunings
#
# The suite is made on your machine: handwritten digits, and letters of seven alphabets drawn from fonts, each in a
# style of its own (turned, inverted, blurred, noisy). One encoder is trained a little on all, heads are frozen, and a
# copy of the encoder is fine-tuned on each task. It stays in the user's cache. Without `size="small"` networks are
# larger and training takes a minute.
#
# A decision is one coefficient for each tensor and task vector; objectives are the accuracies on the tasks' validation
# images. `held_out` measures the same models on test images.

# %%
problem = merging.suite("mlp", tasks=8, size="small")
layers, vectors = problem.n_coefficients
print(f"{problem.name}: {layers} tensors x {vectors} task vectors = {problem.space.dim} coefficients")

alone = torch.eye(vectors).repeat(1, layers)  # row k: all of task vector k, nothing of the others
origin = torch.zeros(1, problem.space.dim)
own = problem.assess(alone)[0]
print(f"each fine-tuning on its own task: {own.diagonal().mean():.1%}, on the others: ", end="")
print(f"{(own.sum() - own.trace()) / 56:.1%}; the origin on all: {problem.assess(origin)[0].mean():.1%}")

# %% [markdown]
# ## 2. One model for all
#
# Closed forms end after one evaluation, or one for each scale. `RegMean` looks at features of unlabeled images.
# `AdaMerging` learns the coefficients by making predictions on unlabeled images certain: it minimizes their entropy,
# and never sees a label. Here the unlabeled images are those of the test, as in the method's paper; with
# `protocol="split"` they are other ones.

# %%
solvers = {
    "averaging": pk.solvers.WeightAveraging(),
    "task arithmetic": pk.solvers.TaskArithmetic(scale=[0.05, 0.1, 0.15, 0.2, 0.3]),
    "TIES": pk.solvers.TIES(scale=[0.3, 0.6, 1.0]),
    "RegMean": pk.solvers.RegMean(),
    "AdaMerging": pk.solvers.AdaMerging(steps=300, learning_rate=1e-2, start=0.15),
}
merges = {name: pk.solve(problem, solver, seed=0) for name, solver in solvers.items()}
for name, merged in merges.items():
    best = merged.front.values.mean(1).argmax()  # of several scales, by validation images
    print(f"{name:16} {merged.held_out[best].mean():.1%}   {merged.cost.work:8,.0f} images through networks")

# %% [markdown]
# Eight accuracies each, from 40 % in the center to 100 % at the rim, and the fine-tunings that nobody had to merge.

# %%
separate = pk.Front.from_values(own.diagonal()[None], objectives=problem.objectives)
ax = pk.plots.radar({**{name: merged.front for name, merged in merges.items()}, "separate": separate}, ends=(0.4, 1.0))

# %% [markdown]
# What was learned: early matrices take a tenth or two of each task vector, late ones up to a half, not of all alike.
# Biases and norms hardly conflict, and are taken nearly whole.

# %%
learned = problem.coefficients(merges["AdaMerging"].front.x)[0]  # [layers, task vectors]
for name, row in zip(problem.vectors.layers, learned, strict=True):
    print(f"{name:22}", *(f"{c:.2f}" for c in row.tolist()))

# %% [markdown]
# ## 3. Two tasks, a front
#
# `PreferenceMerging` learns coefficients for eleven preferences at once, here from labeled validation images; with
# `objective="entropy"`, the default, from unlabeled ones. `SurrogateMerging` measures some merges, fits a quadratic for
# each task, and measures what that promises. `NSGA2` knows nothing of networks.

# %%
two = merging.suite("mlp", tasks=["digits", "latin-upper"], size="small")
rivals = {
    "PreferenceMerging": pk.solvers.PreferenceMerging(objective="validation", steps=100, learning_rate=2e-2),
    "SurrogateMerging": pk.solvers.SurrogateMerging(),
    "NSGA-II": pk.solvers.NSGA2(pop_size=20),
}
fronts = {}
for name, solver in rivals.items():
    budget = pk.Budget(evaluations=280) if name == "NSGA-II" else None  # the others end by themselves
    fronts[name] = pk.solve(two, solver, budget=budget, seed=0)
    seen, fresh = fronts[name].scores["hypervolume"], fronts[name].held_out_scores["hypervolume"]
    print(f"{name:17} hypervolume {seen:.3f}, on test images {fresh:.3f}; {fronts[name].cost.work:,.0f} images")

# %% [markdown]
# A front is chosen by its validation images, which flatters it: most so where a search tried many on the same few
# hundred. Compare on the test images. Work counts images through networks, a backward pass as two.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True, sharey=True, layout="constrained")
for ax, title in zip(axes, ("validation images", "test images"), strict=True):
    for name, result in fronts.items():
        points = result.front.values if ax is axes[0] else result.held_out
        ax.plot(*points[points[:, 0].argsort()].T, "o-", linewidth=0.8, label=name)
    ax.set(title=title, xlabel=two.objectives[0].label, ylabel=two.objectives[1].label)
_ = axes[0].legend()

# %% [markdown]
# Three tasks are as easy. After the run, the surrogate answers any preference at once.

# %%
three = merging.suite("mlp", tasks=3, size="small")
amortized = pk.solve(three, pk.solvers.SurrogateMerging(evaluations=60), seed=0)
print(amortized)
asked = amortized.at([0.6, 0.2, 0.2])
print("asked for digits:", asked.values.numpy().round(3))
ax = amortized.front.plot()

# %% [markdown]
# ## 4. Take one home
#
# `pick` chooses by a preference and says what was given up. `decode` gives the merged module, ready to use; heads stay
# yours.

# %%
choice = fronts["PreferenceMerging"].front.pick([0.5, 0.5])
print(choice.why)
encoder = choice.decode()
images, labels = two.tasks[0].test
with torch.no_grad():
    guesses = two.tasks[0].head(encoder(images)).argmax(1)
print(f"digits: {(guesses == labels).float().mean():.1%} of {len(labels)} test images")

# %% [markdown]
# `save` writes a folder as `save_pretrained` does, or one file where the path ends in `.safetensors`.

# %%
two.save(choice, work / "merged")
two.save(choice, work / "merged.safetensors")
print([file.name for file in (work / "merged").iterdir()])

# %% [markdown]
# ## 5. Little data, other data
#
# How much unlabeled data does the entropy need, and what if it is noisy, or of few classes? Each is an option of the
# suite. Coefficients are few, so little data goes far; a sample in which some classes hardly occur can cost points.

# %%
scarce = {
    "all images": {},
    "5 % of them": {"unlabeled": 0.05},
    "noisy ones": {"corruption": "noise"},
    "skewed 50 : 1": {"imbalance": 50.0},
}
for name, options in scarce.items():
    view = merging.suite("mlp", tasks=3, size="small", **options)
    result = pk.solve(view, pk.solvers.AdaMerging(steps=100, learning_rate=2e-2, evaluate_every=100), seed=0)
    start = view.assess(torch.full((1, view.space.dim), 0.3))[0].mean()
    print(f"{name:14} test accuracy {result.held_out.mean():.1%}, from {start:.1%}")

# %% [markdown]
# ## 6. Your own checkpoints
#
# First something to merge: points in the plane and two questions about them. A network is trained a little on both,
# copies of it on one each. Checkpoints may be modules, state dicts, safetensors files, or Hugging Face style folders
# with shards or without.


# %%
def net():
    return nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())


def train(model, questions, steps):
    adam = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        adam.zero_grad()
        sum(nn.functional.cross_entropy(heads[q](model(points)), answers[q]) for q in questions).backward()
        adam.step()


torch.manual_seed(0)
points = torch.randn(3000, 2)
answers = {"ring": (points.norm(dim=1) > 1.2).long(), "saddle": (points.prod(1) > 0).long()}
heads = {question: nn.Linear(64, 2) for question in answers}

base = net()
train(base, answers, 5)
for head in heads.values():
    head.requires_grad_(requires_grad=False)
save_model(base, work / "base.safetensors")
for question in answers:
    tuned = net()
    load_model(tuned, work / "base.safetensors")
    train(tuned, [question], 100)
    save_model(tuned, work / f"{question}.safetensors")

# %% [markdown]
# Then ten lines. `architecture` is the module that the weights are for; it may lie on torch's meta device.

# %%
tasks = []
for question, y in answers.items():
    seen, fresh = (points[:500], y[:500]), (points[500:1500], y[500:1500])
    data = {"unlabeled": points[1500:], "validation": seen, "test": fresh}
    tasks.append(merging.Task(name=question, head=heads[question], **data))
files = [work / f"{question}.safetensors" for question in answers]
mine = pk.problems.ModelMerging(pretrained=work / "base.safetensors", finetuned=files, tasks=tasks, architecture=net())
result = pk.solve(mine, pk.solvers.SurrogateMerging(), seed=0)
choice = result.front.pick([0.5, 0.5])
print(result.front, choice, sep="\n")
mine.save(choice, work / "both")

# %% [markdown]
# What was saved is a checkpoint like any other.

# %%
both = net()
load_model(both, work / "both" / "model.safetensors")
with torch.no_grad():
    for question, y in answers.items():
        right = heads[question](both(points[500:1500])).argmax(1) == y[500:1500]
        print(f"{question}: {right.float().mean():.1%}")

# %% [markdown]
# ## 7. From file to file
#
# Where coefficients are known, nothing needs to run, and no checkpoint to fit into memory: `merge_checkpoints` reads a
# tensor at a time. A third each is task arithmetic; one number a task, or one a layer and task, are taken as well.

# %%
file = merging.merge_checkpoints(work / "base.safetensors", files, work / "sum.safetensors", coefficients=0.33)
print(file.name, file.stat().st_size, "bytes")

# %% [markdown]
# ## 8. When something does not fit
#
# Before anything runs, and with the name of the tensor.

# %%
wider = nn.Sequential(nn.Linear(2, 96), nn.ReLU(), nn.Linear(96, 64), nn.ReLU())
broken = {name: tensor.clone() for name, tensor in tuned.state_dict().items()}
broken["2.weight"][3, 5] = float("nan")
(work / "short.safetensors").write_bytes((work / "ring.safetensors").read_bytes()[:4000])
attempts = {
    "another architecture": {"finetuned": [*files, wider]},
    "a NaN": {"finetuned": [*files, broken]},
    "whole numbers": {"finetuned": [*files, {name: tensor.int() for name, tensor in tuned.state_dict().items()}]},
    "half a file": {"finetuned": [*files, work / "short.safetensors"]},
    "a pickle": {"finetuned": ["model.pt"]},
    "a head that does not fit": {"tasks": [merging.Task(name="ring", unlabeled=points, head=nn.Linear(32, 2))]},
}
whole = {"pretrained": base, "finetuned": files, "tasks": tasks}
for name, changed in attempts.items():
    try:
        pk.problems.ModelMerging(**{**whole, **changed})
    except pk.ParetoError as error:
        print(f"{name}: {str(error).replace(str(work), '…')}")

# %% [markdown]
# Which solver for what, settings, costs, BatchNorm, tied and frozen tensors: [merge models](../docs/merge-models.md).
