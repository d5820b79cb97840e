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
# # Fronts of policies
#
# In multi-objective reinforcement learning an environment pays a vector reward, and the answer is not one policy but a
# front of them. We look for a front that is known exactly, then for two that are not, take a policy home, and watch it.
#
# Runs in a minute. The schedules are short on purpose: they show how things work, not how well they can.

# %%
import importlib.util
import os
import tempfile
import warnings
from pathlib import Path

import gymnasium
import mo_gymnasium
import numpy as np
import torch

import paretokit as pk

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # pygame draws into memory, MuJoCo through EGL: no screen is needed
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
os.environ.setdefault("MUJOCO_GL", "egl")
warnings.filterwarnings("ignore", module="gymnasium")  # its notes on precision
work = Path(tempfile.mkdtemp(prefix="paretokit-"))

# %% [markdown]
# ## 1. An environment is a problem
#
# `MORL` takes an id of MO-Gymnasium, a function that makes a Gymnasium environment, or an environment on tensors. A
# decision is a row of policy weights, its values are the mean discounted returns.
#
# A submarine dives for treasure: the deeper, the richer, the longer. Of the ten best trade-offs most lie where the
# front is concave, out of reach of weighted sums.

# %%
small = pk.problems.morl.Network(hidden=(16,))
treasure = pk.problems.MORL("deep-sea-treasure-concave-v0", policy=small)
print(treasure.describe())
print(treasure.front_kind, "front of", len(treasure.pareto_front()), "points")

# %% [markdown]
# ## 2. What a value means
#
# The protocol says how returns are measured: discount, time limit, episodes and their seeds, and whether actions are
# the policy's mode or sampled. It travels with every front, and fronts measured differently are not compared.

# %%
print(treasure.protocol.measurement)

# %% [markdown]
# ## 3. Three ways to a front
#
# - `MultiPolicyQ` learns sets of returns in tables, wherever states are numbered.
# - `MORLD` trains one policy a preference, each on a scalarizing function of its own. The one of Tchebycheff reaches
#   concave parts.
# - `NSGA2` knows nothing of rewards in time: it varies the weights of the network and measures.
#
# `Budget(work=…)` is the same for all: environment steps, of training and of measuring.

# %%
ppo = pk.solvers.morl.PPO(n_steps=64, n_envs=16, minibatches=8, learning_rate=1e-3, discount=0.99)
solvers = {
    "MultiPolicyQ": pk.solvers.MultiPolicyQ(interval=1),
    "MORL/D": pk.solvers.MORLD(improver=ppo, scalarization="tchebycheff", utopian=(110.0, 0.0), scale=(100.0, 20.0)),
    "NSGA-II": pk.solvers.NSGA2(pop_size=40),
}
results = {}
for name, solver in solvers.items():
    results[name] = pk.solve(treasure, solver, budget=pk.Budget(work=60_000), seed=0)
    scores = results[name].scores
    print(f"{name:13} {len(results[name].front):2} points, distance {scores['igd_plus']:.2g} from the true front")
    print(f"{'':13} {results[name].cost}")

# %%
pk.plots.scatter({name: result.front for name, result in results.items()})
pk.plots.convergence(results, against="work", larger_is_better=True)

# %% [markdown]
# MultiPolicyQ's answer is a set of tables, on a view of the problem with other policies; it is comparable with the
# networks because both were measured alike.

# %%
print(type(results["MultiPolicyQ"].front.problem.policy).__name__, results["MultiPolicyQ"].front.x.shape)
assert torch.allclose(
    results["MultiPolicyQ"].front.values.sort(0).values.double(), treasure.pareto_front().sort(0).values, atol=1e-4
)

# %% [markdown]
# ## 4. Minecart, by C-MORL
#
# A cart digs two ores and burns fuel. C-MORL first trains a few preferences, then extends the front: from its emptiest
# places it improves one objective while constraints keep the others. All policies of a stage train in one stack.

# %%
minecart = pk.problems.MORL("minecart-deterministic-v0", policy=pk.problems.morl.Network(hidden=(32, 32)))
cmorl = pk.solvers.CMORL(
    ppo=pk.solvers.morl.PPO(
        n_steps=128, n_envs=16, epochs=8, minibatches=8, learning_rate=2e-3, entropy_coef=0.01, discount=0.99
    ),
    partitions=1,  # three preferences, one an objective
    init_updates=48,
    rounds=1,
    n_selected=4,
    extension_updates=5,
    init_interval=4,  # measure at every fourth rollout
    extension_interval=5,
)
print(f"{cmorl.training_steps(minecart):,} environment steps of training")
mined = pk.solve(minecart, cmorl, seed=2)
print(mined)

# %% [markdown]
# The schedule ended the run: its status is "finished". The known front behind tells what is missing; a serious run
# trains twenty times as long.

# %%
ax = mined.front.plot()

# %% [markdown]
# ## 5. Take a policy home
#
# Pick by preference, as from any front. `decode` gives a `Policy`, which acts in a plain loop of MO-Gymnasium and
# needs no more of us. The returns there are those that we measured.

# %%
choice = mined.front.pick([0.4, 0.4, 0.2])
print(choice.why)
policy = choice.decode()


def play(env, policy, *, seed, limit=1000):
    """One episode: frames, discounted returns, actions."""
    observation, _ = env.reset(seed=seed)
    policy.reset()
    frames, total, gain, actions = [env.render()], 0.0, 1.0, []
    for _ in range(limit):
        actions.append(policy.act(observation))
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        policy.receive(reward)
        total, gain = total + gain * np.asarray(reward, dtype=np.float64), gain * policy.discount
        frames.append(env.render())
        if terminated or truncated:
            break
    env.close()
    return frames, total, actions


frames, total, actions = play(mo_gymnasium.make(policy.environment, render_mode="rgb_array"), policy, seed=0)
print(f"{len(actions)} steps, returns {np.round(total, 3)}, measured {choice.values.numpy().round(3)}")
assert np.allclose(total, choice.values, atol=1e-3)
pk.plots.frames(frames)

# %% [markdown]
# A policy is one safetensors file and loads without the problem, here and on the robot.

# %%
policy.save(work / "cart.safetensors")
loaded = pk.problems.morl.Policy.load(work / "cart.safetensors")
again = play(mo_gymnasium.make(loaded.environment, render_mode="rgb_array"), loaded, seed=0)[2]
assert again == actions

# %% [markdown]
# ## 6. A robot
#
# A hopper should be fast and jump high. Nothing changes but the id. Episodes start at random, so values are means
# over evaluation seeds, with standard errors; the time limit is cut to keep this short, and is part of the protocol.

# %%
if importlib.util.find_spec("mujoco") is None:
    print('the hopper is left out: pip install "paretokit[mujoco]"')
else:
    hopper = pk.problems.MORL(
        "mo-hopper-2obj-v5", policy=pk.problems.morl.Network(hidden=(32, 32)), horizon=250, episodes=4
    )
    schedule = pk.solvers.CMORL(
        ppo=pk.solvers.morl.PPO(n_steps=256, n_envs=4, epochs=8, minibatches=8, learning_rate=1e-3),
        partitions=2,
        init_updates=20,
        rounds=1,
        n_selected=3,
        extension_updates=5,
        init_interval=5,
        extension_interval=5,
    )
    hopped = pk.solve(hopper, schedule, seed=0)
    print(hopped)
    hopped.front.plot()

# %% [markdown]
# A front is chosen by its values on the selection seeds, so these flatter it. `held_out` measures the same policies
# once more, on seeds that nothing was chosen by: report these.

# %%
if importlib.util.find_spec("mujoco") is not None:
    print("selected", hopped.front.values.numpy().round(1).tolist())
    print("held out", hopped.held_out.numpy().round(1).tolist())
    print("hypervolume", hopped.scores["hypervolume"], "held out", hopped.held_out_scores["hypervolume"])

# %% [markdown]
# Where MuJoCo cannot render, the episode is played all the same.

# %%
if importlib.util.find_spec("mujoco") is not None:
    jumper = hopped.front.pick([0.2, 0.8]).decode()
    try:
        frames, total, actions = play(
            mo_gymnasium.make(jumper.environment, render_mode="rgb_array"), jumper, seed=0, limit=250
        )
        print(len(actions), "steps, returns", total.round(1))
        pk.plots.frames(frames)
    except Exception as error:  # noqa: BLE001 - what a missing graphics driver raises is up to the driver
        print("no picture here:", error)

# %% [markdown]
# ## 7. Stop and go on
#
# Networks, optimizers, running episodes and random keys are all in the checkpoint: a killed training resumes by the
# same call, bit for bit.

# %%
morld = pk.solvers.MORLD(improver=ppo, pop_size=4)
kept = {"seed": 1, "checkpoint": work / "run"}
pk.solve(treasure, morld, budget=pk.Budget(env_steps=8192), **kept)
resumed = pk.solve(treasure, morld, budget=pk.Budget(env_steps=16384), **kept)
straight = pk.solve(treasure, morld, budget=pk.Budget(env_steps=16384), seed=1)
assert torch.equal(resumed.front.values, straight.front.values)

# %% [markdown]
# ## 8. Your own environment
#
# Anything that is a Gymnasium environment with a vector reward will do: hand over a function that makes it. Names,
# discount and reference point may be given. More in [train policies](../docs/train-policies.md).


# %%
class Crossing(gymnasium.Env):
    """Walk a line of nine places: tips grow with the square of the distance, shoes wear with every step."""

    def __init__(self):
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2)
        self.reward_space = gymnasium.spaces.Box(-1.0, 64.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 0
        return self._seen(), {}

    def step(self, action):
        self.place += int(action)
        over = action == 0 or self.place == 8
        tip = float(self.place**2) if over else 0.0
        return self._seen(), np.array([tip, -1.0], np.float32), over, False, {}

    def _seen(self):
        return np.array([self.place / 8], np.float32)


line = pk.problems.MORL(Crossing, policy=small, discount=1.0, horizon=20, episodes=1, reference_point=(0.0, -10.0))
walked = pk.solve(line, pk.solvers.NSGA2(pop_size=20), budget=pk.Budget(evaluations=400), seed=0)
print(walked)
