"""`check_design`: what every compositional design keeps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from paretokit.core import Rng
from paretokit.problems.design import CompositionalDesign, DesignEnvironment, States
from paretokit.problems.design._environment import NOTHING
from paretokit.testing._require import require, require_equal

READS = ("_local_scalar_dense", "is_nonzero", "item", "masked_select", "nonzero", "nonzero_numpy", "unique")
PAIRS = 4096  # most pairs of state and action looked at, drawn from those that were visited


class HostReads(TorchDispatchMode):
    """Counts operations whose result, or size of the result, the host must wait for.

    Attributes:
        seen: Their names, in order.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.seen: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Spare the import of torch's compiler, which nothing here calls."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func.overloadpacket.__name__)
        if name in READS or name.startswith(("_unique", "unique")):
            self.seen.append(name)
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            by_mask = any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1])
            self.seen += [f"{name} by a mask"] * by_mask
        return func(*args, **(kwargs or {}))


def check_design(problem: CompositionalDesign, *, n: int = 64, seed: int = 0, limit: int = 1 << 13) -> None:
    """Raise unless a design keeps the contract of states, actions and decisions.

    Checked over random trajectories: they end within `max_steps`; a state has legal actions exactly while it is not
    done; `undoing`, `back`, `redoing` and `step` invert each other, for all legal actions and all backward actions of
    visited states; random ways back reach the start after as many steps; `NOTHING` moves nothing; shapes and dtypes;
    methods change none of their inputs; a state's answers do not depend on its batch; no operation of the sampling loop
    makes the host wait, and all of it runs on a device without any data ("meta"). Finished states give decisions inside
    the space, and `finished` gives back a state of the same decision; values are finite and gains not negative.

    Checked over all states, where there are at most `limit`: the backward mask tells exactly the parents; the longest
    trajectory has `max_steps` actions; every state leads to a finished one.

    Args:
        problem: The design.
        n: Number of trajectories.
        seed: Of the random choices.
        limit: Most states to list.

    Raises:
        AssertionError: Naming the broken rule.
    """
    env, name = problem.environment, problem.name
    rng = Rng.from_seed(seed).child("check-design")
    path, actions = _walked(env, n, rng.child("walk"), name)
    _check_ends(env, path, actions, name)
    visited = torch.unique(path.flatten(0, 1), dim=0)
    visited = visited[rng.child("visited").permutation(len(visited))]
    _check_forward(env, visited, name)
    _check_backward(env, visited, name)
    _check_return(env, path, actions, rng.child("return"), name)
    _check_batches(env, visited[: 4 * n], name)
    _check_meta(env, name)
    _check_decisions(problem, path[-1], name)
    states = problem.states(limit)
    if states is not None:
        _check_states(env, states, name)


def _chosen(mask: Tensor, u: Tensor) -> Tensor:
    """Return a uniform legal entry of each row, `NOTHING` where there is none; without reading anything."""
    rank = mask.to(torch.int64).cumsum(-1)
    wanted = (u * rank[:, -1]).floor().to(torch.int64) + 1
    return torch.where(rank[:, -1] > 0, (rank < wanted.unsqueeze(1)).sum(-1), NOTHING)


def _walked(env: DesignEnvironment, n: int, rng: Rng, name: str) -> tuple[Tensor, Tensor]:
    """Return states `[T + 1, n, k]` and actions `[T, n]` of uniform trajectories; raise where the host must wait."""
    u = rng.uniform(env.max_steps, n)
    states = env.start(n)
    shape = states.dtype == torch.int64 and states.ndim == 2 and len(states) == n
    require(shape, f"{name}: start returns int64 [n, k]; got {states.dtype} {tuple(states.shape)}")
    given, path, actions = [states], [states.clone()], []
    with HostReads() as reads:
        for step in range(env.max_steps):
            mask = env.mask(states)
            action = _chosen(mask, u[step])
            env.undoing(states, action)
            env.observe(states)
            states = env.step(states, action)
            given.append(states)
            path.append(states.clone())
            actions.append(action)
        env.done(states)
    require(not reads.seen, f"{name}: nothing is read back in the sampling loop; got {sorted(set(reads.seen))}")
    require_equal(torch.stack(given), torch.stack(path), f"{name}: methods leave their inputs unchanged")
    return torch.stack(path), torch.stack(actions)


def _check_ends(env: DesignEnvironment, path: Tensor, actions: Tensor, name: str) -> None:
    last = path[-1]
    require(env.done(last).all(), f"{name}: every trajectory ends within max_steps = {env.max_steps} actions")
    require(not env.done(path[0]).any(), f"{name}: the start has a legal action")
    require(not env.backward_mask(path[0]).any(), f"{name}: the start has no backward action")
    require((path[0] == path[0][:1]).all(), f"{name}: the start is one state")
    for mask, columns, what in (
        (env.mask(last), env.n_actions, "mask returns bool [n, n_actions]"),
        (env.backward_mask(last), env.n_backward, "backward_mask returns bool [n, n_backward]"),
    ):
        require(mask.dtype == torch.bool and tuple(mask.shape) == (len(last), columns), f"{name}: {what}")
    seen = env.observe(last)
    fine = seen.dtype == torch.float32 and tuple(seen.shape) == (len(last), env.n_features)
    require(fine, f"{name}: observe returns float32 [n, n_features]; got {seen.dtype} {tuple(seen.shape)}")
    require(torch.isfinite(seen).all(), f"{name}: what is observed is finite")
    idle = actions == NOTHING
    require((idle == env.done(path[:-1].flatten(0, 1)).view_as(idle)).all(), f"{name}: done states have no actions")
    nothing = torch.full_like(actions[0], NOTHING)
    require_equal(env.step(last, nothing), last, f"{name}: NOTHING leaves a state as it is")
    require_equal(env.back(last, nothing), last, f"{name}: NOTHING leads back nowhere")
    require_equal(env.undoing(last, nothing), nothing, f"{name}: NOTHING is undone by NOTHING")
    require_equal(env.redoing(last, nothing), nothing, f"{name}: NOTHING is redone by NOTHING")


def _pairs(states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return states and one legal entry each, at most `PAIRS` of them, spread over all."""
    who, what = mask.nonzero().unbind(1)
    take = torch.arange(0, len(who), max(1, len(who) // PAIRS))
    return states[who[take]], what[take]


def _check_forward(env: DesignEnvironment, states: Tensor, name: str) -> None:
    """Raise unless every legal action of the states can be undone and redone."""
    here, action = _pairs(states, env.mask(states))
    kept = here.clone()
    there = env.step(here, action)
    require_equal(here, kept, f"{name}: step leaves its input unchanged")
    require((there != here).any(-1).all(), f"{name}: every action changes the state")
    undo = env.undoing(here, action)
    inside = bool(((undo >= 0) & (undo < env.n_backward)).all())
    require(inside, f"{name}: undoing returns numbers of backward actions")
    legal = env.backward_mask(there).gather(1, undo.unsqueeze(1))
    require(legal.all(), f"{name}: the backward mask tells the parent that a step came from")
    require_equal(env.back(there, undo), here, f"{name}: back inverts step")
    require_equal(env.redoing(there, undo), action, f"{name}: redoing inverts undoing")


def _check_backward(env: DesignEnvironment, states: Tensor, name: str) -> None:
    """Raise unless every backward action of the states leads to a state from which a legal action returns."""
    there, move = _pairs(states, env.backward_mask(states))
    kept = there.clone()
    parent = env.back(there, move)
    require_equal(there, kept, f"{name}: back leaves its input unchanged")
    action = env.redoing(there, move)
    inside = bool(((action >= 0) & (action < env.n_actions)).all())
    require(inside, f"{name}: redoing returns numbers of actions")
    legal = env.mask(parent).gather(1, action.unsqueeze(1))
    require(legal.all(), f"{name}: the backward mask tells no state from which a legal action does not lead here")
    require_equal(env.step(parent, action), there, f"{name}: step inverts back")
    require_equal(env.undoing(parent, action), move, f"{name}: undoing inverts redoing")


def _check_return(env: DesignEnvironment, path: Tensor, actions: Tensor, rng: Rng, name: str) -> None:
    """Raise unless random ways back from finished states have as many steps as the ways there."""
    states, steps = path[-1], (actions != NOTHING).sum(0)
    u = rng.uniform(env.max_steps, len(states))
    for step in range(env.max_steps):
        move = _chosen(env.backward_mask(states), u[step])
        require_equal(move != NOTHING, steps > step, f"{name}: all ways to a state have equally many actions")
        states = env.back(states, move)
    require_equal(states, path[0], f"{name}: all ways back end at the start")


def _check_batches(env: DesignEnvironment, states: Tensor, name: str) -> None:
    mask, parents = env.mask(states), env.backward_mask(states)
    u = Rng.from_seed(0).uniform(len(states))
    action, move = _chosen(mask, u), _chosen(parents, u)

    def answers(rows: slice) -> dict[str, Tensor]:
        own, forth, by = states[rows], action[rows], move[rows]
        return {
            "mask": env.mask(own),
            "backward_mask": env.backward_mask(own),
            "step": env.step(own, forth),
            "back": env.back(own, by),
            "undoing": env.undoing(own, forth),
            "redoing": env.redoing(own, by),
            "observe": env.observe(own),
            "done": env.done(own),
        }

    together = answers(slice(None))
    for i in range(0, len(states), max(1, len(states) // 16)):
        for method, alone in answers(slice(i, i + 1)).items():
            require_equal(alone, together[method][i : i + 1], f"{name}: {method} of a state does not depend on others")
    for method, none in answers(slice(0, 0)).items():
        shape = tuple(together[method][:0].shape)
        require(tuple(none.shape) == shape, f"{name}: {method} of no states is {shape}; got {tuple(none.shape)}")


def _check_meta(env: DesignEnvironment, name: str) -> None:
    """Raise unless all methods run where tensors have no data, so that nothing can be read."""
    rule = f"{name}: every method runs on the states' device and reads nothing (tried on device 'meta')"
    try:
        states = env.start(3, "meta")
        none = torch.full((3,), NOTHING, device="meta")
        for method in (env.mask, env.backward_mask, env.observe, env.done):
            method(states)
        for move in (env.undoing, env.redoing):
            move(states, none)
        states = env.back(env.step(states, none), none)
        x = env.decisions(states)
        device = str(env.finished(x).device)
    except (RuntimeError, NotImplementedError) as error:
        raise AssertionError(f"{rule}: {str(error).splitlines()[0]}") from error
    require(device == "meta", f"{rule}; got an answer on {device}")


def _check_decisions(problem: CompositionalDesign, finished: Tensor, name: str) -> None:
    env, d = problem.environment, problem.space.dim
    x = env.decisions(finished)
    fine = x.dtype == torch.float64 and tuple(x.shape) == (len(finished), d)
    require(fine, f"{name}: decisions are float64 [n, {d}]; got {x.dtype} {tuple(x.shape)}")
    require(problem.space.contains(x).all(), f"{name}: decisions lie in the space")
    again = env.finished(x)
    require(env.done(again).all(), f"{name}: `finished` returns finished states")
    require_equal(env.decisions(again), x, f"{name}: `finished` returns states of the same decisions")
    values = problem.evaluate(x.to(problem.dtype)).values
    require(torch.isfinite(values).all(), f"{name}: values of finished objects are finite")
    gains = problem.gains(values)
    require(gains.shape == values.shape and (gains >= 0).all(), f"{name}: gains are [n, m] and not negative")
    shown = problem.describe_object(x[0].to(problem.dtype))
    require(isinstance(shown, str) and "\n" not in shown, f"{name}: describe_object returns one line")


def _check_states(env: DesignEnvironment, states: States, name: str) -> None:
    """Raise unless masks, moves and levels of all states agree with the edges found by stepping."""
    rows = states.rows
    different = len(torch.unique(rows, dim=0)) == len(rows)
    require(different, f"{name}: all ways to a state have equally many actions")
    edges, known = (states.children != NOTHING).sum(), (states.parents != NOTHING).sum()
    require(edges == known, f"{name}: two actions that lead to a state are undone by different backward actions")
    parents = env.backward_mask(rows)
    require_equal(parents, states.parents != NOTHING, f"{name}: the backward mask tells exactly the parents")
    for begin in range(0, len(rows), PAIRS):
        who, move = parents[begin : begin + PAIRS].nonzero().unbind(1)
        who = who + begin
        require_equal(env.back(rows[who], move), rows[states.parents[who, move]], f"{name}: back leads to the parents")
        require_equal(env.redoing(rows[who], move), states.redone[who, move], f"{name}: redoing tells their actions")
    longest = len(states.levels) - 2
    require(longest == env.max_steps, f"{name}: max_steps is the longest trajectory, {longest}; got {env.max_steps}")
    done = env.done(rows)
    require_equal(done, (states.children == NOTHING).all(-1), f"{name}: done states are those without actions")
