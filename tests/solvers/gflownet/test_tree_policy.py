"""The tree policy: blind to numbering, one layer as torch's, and exact where all molecules can be listed."""

import pytest
import torch

import paretokit as pk
from paretokit.core import InputError, Rng
from paretokit.problems.design._fragments import Vocabulary
from paretokit.problems.design._hypergrid import GridEnvironment
from paretokit.problems.design._states import States
from paretokit.problems.design._tree import TreeEnvironment
from paretokit.problems.design._tree_forms import NONE
from paretokit.solvers.gflownet._policies import policy_of
from paretokit.solvers.gflownet._policy import masked_log_softmax
from paretokit.solvers.gflownet._sampler import retrace, sample
from paretokit.solvers.gflownet._scores import scores
from paretokit.solvers.gflownet._tree_policy import TreePolicy
from paretokit.testing._design import HostReads

SMALL = ("C([*:1])([*:1])[*:2]", "O=C([*:1])N[*:2]", "F[*:1]", "N([*:1])([*:1])[*:1]")
TREES = TreeEnvironment(Vocabulary.of(SMALL), 5)
N = 30


def bound(environment=TREES, dim=3, backward=True):
    """A flow far from its initialization, its row and n conditions."""
    policy = TreePolicy(layers=2, heads=2, width=8, feedforward=12)
    flow = policy.bind(environment, condition_dim=dim, backward=backward)
    row = flow.initial(Rng.from_seed(0), dtype=torch.float64)
    row = row + 0.3 * Rng.from_seed(1).normal(flow.n_parameters)
    return flow, row, Rng.from_seed(2).uniform(N, dim) if dim else None


def visited(flow, row, condition):
    """States of all kinds, and the condition of each."""
    paths = sample(flow, row, condition, n=N, rng=Rng.from_seed(3), epsilon=0.7)
    steps = len(paths.states)
    return paths.states.flatten(0, 1), None if condition is None else condition.repeat(steps, 1)


def renumbered(states, order, to):
    """The same trees with node i in slot ``to[i]``."""
    env, size = TREES, TREES.max_fragments
    trees, place = env.trees(states), env.place(states)
    fragment, parent, outer, inner = (p[:, order] for p in (trees.fragment, trees.parent, trees.outer, trees.inner))
    parent = torch.where(parent == NONE, NONE, to[parent.clamp_min(0)])
    node, own = env.divided(place)
    place = torch.where(place == NONE, NONE, to[node.clamp(0, size - 1)] * env.vocabulary.n_classes + own)
    twins = env.twins(states)[:, order]
    return env.joined(type(trees)(fragment, parent, outer, inner), twins, place, env.done(states))


def test_renumbering_a_tree_renumbers_its_logits_and_changes_nothing_else():
    flow, row, condition = bound()
    states, conditions = visited(flow, row, condition)
    order = torch.tensor([3, 0, 4, 2, 1])
    here, there = (flow.outputs(row, s, conditions) for s in (states, renumbered(states, order, order.argsort())))
    joints, size = TREES.n_joints, TREES.max_fragments
    close = {"rtol": 0, "atol": 1e-10}
    assert torch.allclose(here.forward[:, :joints], there.forward[:, :joints], **close)
    assert torch.allclose(here.forward[:, -1], there.forward[:, -1], **close)
    assert torch.allclose(here.log_flow, there.log_flow, **close)
    moved, own = (o.forward[:, joints:-1].unflatten(1, (size, -1)) for o in (there, here))
    full = TREES.trees(states).there
    assert torch.allclose(moved[full[:, order]], own[:, order][full[:, order]], **close)
    moved, own = there.backward[:, :size], here.backward[:, :size]
    assert torch.allclose(moved[full[:, order]], own[:, order][full[:, order]], **close)


def test_more_room_changes_nothing():
    flow, row, condition = bound()
    states, conditions = visited(flow, row, condition)
    roomy = TreeEnvironment(TREES.vocabulary, 8)
    larger, _, _ = bound(roomy)
    assert larger.n_parameters == flow.n_parameters
    fill = torch.full((len(states), 3), NONE)
    parts = [torch.cat([part, fill], 1) for part in states[:, :-2].split(5, 1)]
    here, there = (
        flow.outputs(row, states, conditions),
        larger.outputs(row, torch.cat([*parts, states[:, -2:]], 1), conditions),
    )
    assert torch.allclose(here.log_flow, there.log_flow, rtol=0, atol=1e-10)
    joints = TREES.n_joints
    assert torch.allclose(here.forward[:, :joints], there.forward[:, :joints], rtol=0, atol=1e-10)


@pytest.mark.parametrize("part", ["fragment", "parent", "outer", "inner", "place", "condition"])
def test_everything_that_tells_states_apart_is_read(part):
    flow, row, condition = bound()
    states, conditions = visited(flow, row, condition)
    size = TREES.max_fragments
    chosen = states[(TREES.trees(states).there.sum(1) == 4) & (TREES.place(states) != NONE)][:1]
    changed, given = chosen.clone(), conditions[:1]
    if part == "fragment":
        changed[0, 3] = (changed[0, 3] + 1) % len(SMALL)
    elif part == "parent":
        changed[0, size + 3] = (changed[0, size + 3] + 1) % 3
    elif part in ("outer", "inner"):
        column = {"outer": 2, "inner": 3}[part] * size + 3
        changed[0, column] = 1 - changed[0, column]
    elif part == "place":
        changed[0, -2] += 1
    else:
        given = given + 0.5
    before, after = flow.outputs(row, chosen, conditions[:1]), flow.outputs(row, changed, given)
    assert (before.forward - after.forward).abs().max() > 1e-4
    assert (before.log_flow - after.log_flow).abs().max() > 1e-6


def test_a_layer_is_torch_s_encoder_layer():
    flow, row, _ = bound()
    _, layers = flow.parts(row)
    layer, heads, n, tokens = layers[0], flow.policy.heads, 7, 6
    twin = torch.nn.TransformerEncoderLayer(8, heads, 12, dropout=0.0, batch_first=True, norm_first=True).double()
    names = {
        "self_attn.in_proj_weight": layer.into_weight,
        "self_attn.in_proj_bias": layer.into_bias,
        "self_attn.out_proj.weight": layer.out_weight,
        "self_attn.out_proj.bias": layer.out_bias,
        "linear1.weight": layer.up_weight,
        "linear1.bias": layer.up_bias,
        "linear2.weight": layer.down_weight,
        "linear2.bias": layer.down_bias,
        "norm1.weight": layer.attention_scale,
        "norm1.bias": layer.attention_shift,
        "norm2.weight": layer.feedforward_scale,
        "norm2.bias": layer.feedforward_shift,
    }
    twin.load_state_dict(names)
    x = Rng.from_seed(4).normal(n, tokens, 8)
    bias = Rng.from_seed(5).normal(heads, n, tokens, tokens)
    found = flow.passed(x, layer, bias.flatten(0, 1))
    expected = twin(x, src_mask=bias.transpose(0, 1).flatten(0, 1))
    assert torch.allclose(found, expected, rtol=0, atol=1e-10)


def test_scores_reach_every_parameter_and_ways_back_are_scored_alike():
    flow, row, condition = bound()
    row.requires_grad_()
    paths = sample(flow, row, condition, n=N, rng=Rng.from_seed(3))
    again = retrace(flow, row, condition, finished=paths.last, rng=Rng.from_seed(4))
    assert torch.equal(again.last, paths.last)
    found = scores(flow, row, paths)
    assert torch.isfinite(found.balance).all()
    (found.balance.square().sum() + found.log_flow.sin().sum()).backward()
    parts = dict(zip([*range(len(flow.shapes))], row.grad.split(flow.sizes), strict=True))
    still = [i for i, part in parts.items() if not bool((part != 0).any())]
    assert not still, [flow.shapes[i] for i in still]


def test_a_policy_that_does_not_learn_backwards_gives_no_such_logits():
    flow, row, condition = bound(dim=0, backward=False)
    states, conditions = visited(flow, row, condition)
    assert conditions is None
    assert flow.outputs(row, states, None).backward is None


def test_nothing_is_read_back():
    flow, row, condition = bound()
    states, conditions = visited(flow, row, condition)
    with HostReads() as reads:
        flow.outputs(row, states, conditions)
    assert not reads.seen


@pytest.mark.slow
def test_it_learns_to_sample_in_proportion_to_a_reward_on_all_molecules():
    env = TreeEnvironment(TREES.vocabulary, 3)
    states = States.of(env, 1 << 12)
    flow = TreePolicy(layers=1, heads=2, width=16, feedforward=32).bind(env, condition_dim=0, backward=False)
    log_reward = 2 * Rng.from_seed(6).uniform(len(states)).float()
    target = torch.zeros(len(states))
    target[states.terminal] = log_reward[states.terminal].softmax(0)

    def distance(row):
        with torch.no_grad():
            policy = masked_log_softmax(flow.outputs(row, states.rows, None).forward, env.mask(states.rows))
            return float((states.terminal_distribution(policy) - target).abs().sum())

    row = flow.initial(Rng.from_seed(7)).requires_grad_()
    log_z = torch.tensor(5.0, requires_grad=True)
    optimizer = torch.optim.Adam([{"params": row, "lr": 1e-2}, {"params": log_z, "lr": 5e-2}])
    number = {tuple(state): i for i, state in enumerate(states.rows.tolist())}
    before = distance(row)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=250)
    for step in range(250):
        paths = sample(flow, row, None, n=64, rng=Rng.from_seed(8).child(step), epsilon=0.1)
        reward = log_reward[torch.tensor([number[tuple(state)] for state in paths.last.tolist()])]
        loss = (log_z + scores(flow, row, paths).balance - reward).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    assert before > 0.8
    assert distance(row) < 0.1
    assert abs(float(log_z.detach()) - float(log_reward[states.terminal].logsumexp(0))) < 0.2


def test_solvers_take_it_and_every_sample_is_a_molecule():
    from rdkit import Chem

    problem = pk.problems.Molecules(fragments=SMALL, max_fragments=4)
    policy = {"kind": "tree", "layers": 1, "heads": 2, "width": 8, "feedforward": 8}
    solver = pk.solvers.MOGFN(policy=policy, batch_size=16, n_samples=4, backward="learned", iterations=3)
    result = pk.solve(problem, solver, budget=pk.Budget(iterations=3), seed=0)
    answers = result.at([0.2, 0.8], n=12)
    assert all(Chem.MolFromSmiles(s) is not None for s in problem.smiles(answers.x))
    assert len(result.front) > 0


def test_it_is_made_by_kind_and_described():
    policy = policy_of({"kind": "tree", "width": 16, "heads": 2})
    assert policy == TreePolicy(width=16, heads=2)
    assert policy_of(policy.describe()) == policy


def test_what_does_not_fit_gets_a_line():
    with pytest.raises(
        InputError, match=r"`TreePolicy` must meet trees of fragments .*; got GridEnvironment \(use MLP"
    ):
        TreePolicy().bind(GridEnvironment(2, 4), condition_dim=0, backward=False)
    with pytest.raises(InputError, match="`width` must be a multiple of heads = 4; got 30"):
        TreePolicy(width=30)
    with pytest.raises(InputError, match="`layers` must be at least 1; got 0"):
        TreePolicy(layers=0)
