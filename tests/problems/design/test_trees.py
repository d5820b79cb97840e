"""Trees of fragments: one row a tree, checked against plain enumeration, an exact flow and strings of subtrees."""

import itertools

import pytest
import torch

from paretokit.core import InputError, Rng
from paretokit.problems.design._fragments import FRAGMENTS, Vocabulary
from paretokit.problems.design._states import States
from paretokit.problems.design._tree import TreeEnvironment
from paretokit.problems.design._tree_forms import KERNELS, NONE, Trees, canonical, node_marks, plain
from paretokit.problems.design._tree_rows import TreeRows

SMALL = ("C([*:1])([*:1])[*:2]", "O=C([*:1])N[*:2]", "F[*:1]", "N([*:1])([*:1])[*:1]")
FEW = TreeEnvironment(Vocabulary.of(SMALL), 4)
WHOLE = TreeEnvironment(Vocabulary.of(), 9)


def grown(environment, n, seed=0, stops=False):
    """Finished states of uniform random actions; trees stop early, or only when they are full."""
    states, u = environment.start(n), Rng.from_seed(seed).uniform(environment.max_steps, n)
    for step in range(environment.max_steps):
        weight = environment.mask(states).to(torch.float64)
        if not stops:
            weight[:, -1] *= 1e-9
        total = weight.cumsum(1)
        action = (total <= u[step].unsqueeze(1) * total[:, -1:]).sum(1)
        states = environment.step(states, torch.where(weight.sum(1) > 0, action, NONE))
    assert environment.done(states).all()
    return states


def parts(trees):
    return trees.fragment, trees.parent, trees.outer, trees.inner


def renumbered(trees, seed):
    """The same trees with their nodes in random slots."""
    order = Rng.from_seed(seed).uniform(*trees.fragment.shape).argsort(1)
    to = order.argsort(1)
    moved = [part.gather(1, order) for part in parts(trees)]
    moved[1] = torch.where(moved[1] == NONE, NONE, to.gather(1, moved[1].clamp_min(0)))
    return Trees(*moved)


def rerooted(trees, slot):
    """The same trees seen from another root: bonds on the way to it turn round."""
    out = []
    for columns in zip(*(part.tolist() for part in parts(trees)), strict=True):
        label, parent, outer, inner = (list(c) for c in columns)
        node, above, own, other = slot, NONE, NONE, NONE
        while node != NONE and label[slot] != NONE:
            following = (parent[node], node, outer[node], inner[node])
            parent[node], outer[node], inner[node] = above, other, own
            node, above, own, other = following
        out.append([label, parent, outer, inner])
    return Trees(*torch.tensor(out).unbind(1))


def views(columns):
    """Each node's view of its tree, as a string of sorted subtrees: what `node_marks` hashes."""
    label, parent, outer, inner = columns
    nodes = [i for i, f in enumerate(label) if f != NONE]
    near = {i: [] for i in nodes}
    for i in nodes:
        if parent[i] != NONE:
            near[i].append((parent[i], inner[i], outer[i]))
            near[parent[i]].append((i, outer[i], inner[i]))

    def text(node, come):
        return (
            f"{label[node]}(" + ",".join(sorted(f"{a}{b}{text(j, node)}" for j, a, b in near[node] if j != come)) + ")"
        )

    return {i: text(i, None) for i in nodes}


def as_lists(trees):
    return [tuple(map(tuple, c)) for c in zip(*(part.tolist() for part in parts(trees)), strict=True)]


@pytest.mark.parametrize("environment", [FEW, WHOLE])
def test_a_tree_has_one_row_whatever_its_slots_and_root(environment):
    trees = environment.trees(grown(environment, 200, stops=True))
    expected, _, twins = canonical(trees)
    for seed in range(3):
        moved = renumbered(trees, seed)
        found, old, again = canonical(moved)
        assert all(torch.equal(a, b) for a, b in zip(parts(expected), parts(found), strict=True))
        assert torch.equal(twins, again)
        assert torch.equal(old.sort(1).values, torch.arange(old.shape[1]).expand_as(old))
    for slot in range(environment.max_fragments):
        found = canonical(rerooted(trees, slot))[0]
        assert all(torch.equal(a, b) for a, b in zip(parts(expected), parts(found), strict=True))


def test_rows_and_twins_tell_exactly_what_strings_of_subtrees_tell():
    trees = FEW.trees(grown(FEW, 3000, seed=1, stops=True))
    rows, _, twins = canonical(trees)
    known: dict[str, tuple] = {}
    for row, columns, twin in zip(as_lists(rows), as_lists(trees), twins.tolist(), strict=True):
        assert known.setdefault(min(views(columns).values()), row) == row
        mine = views(row)
        first = {text: min(i for i in mine if mine[i] == text) for text in mine.values()}
        assert {i: first[text] for i, text in mine.items()} == {i: t for i, t in enumerate(twin) if t != NONE}
    assert len(set(known.values())) == len(known) > 100


def test_the_compiled_twin_gives_the_same_in_every_entry():
    for environment in (FEW, WHOLE, TreeEnvironment(WHOLE.vocabulary, 1)):
        trees = renumbered(environment.trees(grown(environment, 300, seed=2, stops=True)), 5)
        out = torch.empty((6, *trees.fragment.shape), dtype=torch.int64)
        KERNELS.load().canonical(*(part.contiguous().numpy() for part in parts(trees)), out.numpy())
        assert torch.equal(out, plain(*parts(trees)))


def test_marks_depend_on_fragments_classes_and_ends():
    pair = torch.tensor([[0, 1]])
    marks = [node_marks(pair, torch.tensor([[[0, a], [b, 0]]])) for a, b in itertools.product((1, 2), (1, 2))]
    assert len({tuple(m.flatten().tolist()) for m in marks}) == 4
    assert not torch.equal(
        node_marks(pair, torch.zeros(1, 2, 2).long()), node_marks(pair + 1, torch.zeros(1, 2, 2).long())
    )


def plain_trees(environment):
    """All trees by plain enumeration: every joint at every open attachment point of every smaller tree."""
    fragments, size = environment.vocabulary.fragments, environment.max_fragments
    fits = environment.vocabulary.tables.fits
    level = {min(views(t).values()): t for f in range(len(fragments)) for t in [((f,), (NONE,), (NONE,), (NONE,))]}
    found = dict(level)
    for _ in range(size - 1):
        larger = {}
        for label, parent, outer, inner in level.values():
            for node, f in enumerate(label):
                for own, capacity in enumerate(fragments[f].capacity):
                    taken = sum(p == node and o == own for p, o in zip(parent, outer, strict=True))
                    taken += inner[node] == own
                    for joint, (g, c) in enumerate(environment.vocabulary.joints):
                        if taken < capacity and fits[fragments[f].kinds[own], joint]:
                            tree = ((*label, g), (*parent, node), (*outer, own), (*inner, c))
                            larger[min(views(tree).values())] = tree
        level = larger
        found |= larger
    return found


def test_all_trees_are_reached_and_each_is_one_state():
    states = States.of(FEW, 1 << 17)
    trees = FEW.trees(states.rows[states.terminal])
    strings = [min(views(columns).values()) for columns in as_lists(trees)]
    assert sorted(strings) == sorted(plain_trees(FEW))
    edges = states.children[states.children != NONE]
    assert len(edges) == (states.parents != NONE).sum()
    chosen = torch.tensor([len(set(row[row != NONE].tolist())) == (row != NONE).sum() for row in states.children])
    assert chosen.all()  # no two actions lead to the same state


def test_the_flow_of_any_reward_under_uniform_parents_ends_where_it_should():
    states = States.of(FEW, 1 << 17)
    reward = Rng.from_seed(3).uniform(len(states.terminal))
    flow = torch.zeros(len(states), dtype=torch.float64)
    flow[states.terminal] = reward
    edge = torch.zeros(states.children.shape, dtype=torch.float64)
    share = 1 / (states.parents != NONE).sum(1).clamp_min(1).to(torch.float64)
    for begin, end in reversed(list(zip(states.levels[:-1], states.levels[1:], strict=True))):
        to = states.children[begin:end]
        edge[begin:end] = torch.where(to != NONE, (flow * share)[to.clamp_min(0)], 0)
        flow[begin:end] += edge[begin:end].sum(1)
    assert flow[0] == pytest.approx(float(reward.sum()))
    ends = states.terminal_distribution((edge / flow.unsqueeze(1)).log())
    assert torch.allclose(ends[states.terminal], reward / reward.sum(), rtol=1e-10, atol=0)


def test_actions_and_their_undoing_invert_each_other_on_the_whole_vocabulary():
    states, u = WHOLE.start(100), Rng.from_seed(4).uniform(WHOLE.max_steps, 100)
    for step in range(WHOLE.max_steps):
        total = WHOLE.mask(states).cumsum(1)
        action = (total <= u[step].unsqueeze(1) * total[:, -1:]).sum(1)
        action = torch.where(total[:, -1] > 0, action, NONE)
        following, undone = WHOLE.advance(states, action)
        moved = action != NONE
        assert WHOLE.backward_mask(following)[moved].gather(1, undone[moved].unsqueeze(1)).all()
        assert torch.equal(WHOLE.back(following, undone), states)
        assert torch.equal(WHOLE.redoing(following, undone), action)
        states = following


def test_a_full_tree_can_only_stop():
    full = grown(WHOLE, 50)
    assert (WHOLE.trees(full).there.sum(1) == 9).double().mean() > 0.5  # the others have nothing open
    before = WHOLE.back(full, torch.full((50,), WHOLE.max_fragments + 1))
    assert torch.equal(WHOLE.mask(before).sum(1), torch.ones(50).long())
    assert WHOLE.mask(before)[:, -1].all()


def test_what_is_observed_tells_trees_apart():
    states = States.of(FEW, 1 << 17)
    seen = FEW.observe(states.rows[~FEW.done(states.rows)])
    assert seen.shape[1] == FEW.n_features
    assert len(seen.unique(dim=0)) == len(seen)


def test_any_row_becomes_a_tree_and_trees_stay_as_they_are():
    for environment in (FEW, WHOLE):
        space = TreeRows(environment)
        u = Rng.from_seed(6).uniform(300, space.dim)
        raw = space.from_unit(u)
        fixed = space.project(raw)
        assert space.contains(fixed).all()
        assert torch.equal(space.project(fixed), fixed)
        assert torch.equal(fixed[:, 0], raw[:, 0])
        x = environment.decisions(grown(environment, 300, seed=7, stops=True))
        assert space.contains(x).all()
        assert torch.equal(space.project(x + 0.3), x)
        assert torch.equal(environment.decisions(environment.finished(x)), x)


def test_rows_keep_their_entries_when_others_are_dropped():
    space = TreeRows(FEW)
    none = FEW.n_joints
    carbon, fluoride = FEW.vocabulary.joints.index((0, 0)), FEW.vocabulary.joints.index((2, 0))
    row = torch.tensor([[0.0, 0, carbon, 1, fluoride, 3, fluoride]])  # the last hangs on the second fragment
    assert space.contains(row).all()
    row[0, 4] = none
    row[0, 3] = 0
    assert space.contains(row).all()
    trees = FEW.planted(row)
    assert trees.fragment.tolist() == [[0, 0, NONE, 2]]
    assert FEW.trees(FEW.finished(row)).there.sum() == 3


@pytest.mark.parametrize(
    "row",
    [
        [3.0, 0, 4, 0, 6, 0, 6],  # a fluoride on a nitrogen
        [0.0, 7, 0, 0, 6, 0, 6],  # at a fragment that is not there yet
        [0.0, 1, 0, 1, 0, 0, 6],  # twice at one attachment point
        [2.0, 1, 0, 0, 6, 0, 6],  # at a class that fluoride has not
        [0.0, 3, 6, 0, 6, 0, 6],  # a place and nothing attached
        [0.0, 0, 0.5, 0, 6, 0, 6],
        [0.0, 0, 7, 0, 6, 0, 6],
        [torch.nan, 0, 6, 0, 6, 0, 6],
    ],
)
def test_rows_that_are_no_tree_are_told(row):
    space = TreeRows(FEW)
    x = torch.tensor([row])
    assert not space.contains(x).any()
    assert space.contains(space.project(x)).all()
    assert space.contains(torch.tensor([[0.0, 0, 0, 0, 6, 0, 6]])).all()


def test_samples_have_all_sizes():
    space = TreeRows(WHOLE)
    sizes = WHOLE.planted(space.sample(600, Rng.from_seed(8))).there.sum(1)
    assert sizes.min() == 1
    assert sizes.max() == 9
    assert abs(float((sizes == 1).double().mean()) - 1 / 9) < 0.06


def test_environments_refuse_no_room():
    with pytest.raises(InputError, match="`max_fragments` must be at least 1; got 0"):
        TreeEnvironment(WHOLE.vocabulary, 0)


def test_the_vocabulary_is_large_enough_and_its_classes_are_symmetries():
    from rdkit import Chem

    assert len(FRAGMENTS) == len(WHOLE.vocabulary) >= 60
    sites = {sum(f.capacity) for f in WHOLE.vocabulary.fragments}
    assert min(sites) == 1
    assert max(sites) == 6
    bare = set()
    for fragment in WHOLE.vocabulary.fragments:
        mol = Chem.MolFromSmiles(fragment.smiles)
        number = {a.GetIdx(): a.GetAtomMapNum() for a in mol.GetAtoms() if a.GetAtomicNum() == 0}
        for atom in mol.GetAtoms():
            atom.SetAtomMapNum(0)
        rank = list(Chem.CanonicalRankAtoms(mol, breakTies=False))
        for a, b in itertools.combinations(number, 2):
            assert (number[a] == number[b]) == (rank[a] == rank[b]), fragment.smiles
        bare.add(Chem.MolToSmiles(mol))
    assert len(bare) == len(FRAGMENTS)


@pytest.mark.parametrize(
    ("fragments", "line"),
    [
        (["C[*:1]"], "`fragments` must be at least 2; got 1"),
        (["C[*:1]", "C[*:1]"], "`fragments` must be different; got 1 twice"),
        (["C[*:1]", "C(("], "`fragments` must be SMILES that RDKit reads; got 'C(('"),
        (["C[*:1]", 7], "`fragments` must be SMILES that RDKit reads; got 7"),
        (["C[*:1]", "C[*:1].C"], "`fragments` must be of one piece; got 'C[*:1].C'"),
        (["C[*:1]", "CC"], "`fragments` must have 1 to 6 attachment points; got 'CC'"),
        (["C[*:1]", "C[*:2]"], "`fragments` must number their attachment points 1, 2, …; got 'C[*:2]'"),
        (["C[*:1]", "C*"], "`fragments` must number their attachment points 1, 2, …; got 'C*'"),
        (["C[*:1]", "C=[*:1]"], "`fragments` must bind each attachment point once, singly; got 'C=[*:1]'"),
        (["C[*:1]", "C[*:1]C"], "`fragments` must bind each attachment point once, singly; got 'C[*:1]C'"),
        (
            ["C[*:1]", "OC([*:1])C[*:1]"],
            "`fragments` must give one number only to attachment points that are interchangeable; "
            "got 'OC([*:1])C[*:1]' (give them different numbers)",
        ),
        (
            ["C[*:1]", "c1([*:1])c([*:1])c([*:1])ccc1([*:1])"],
            "`fragments` must give one number only to attachment points that are interchangeable",
        ),
    ],
)
def test_fragments_that_are_none_are_refused(fragments, line):
    with pytest.raises(InputError) as caught:
        Vocabulary.of(fragments)
    assert str(caught.value).startswith(line)


def test_rdkit_says_nothing_of_fragments_that_it_cannot_read(capfd):
    with pytest.raises(InputError):
        Vocabulary.of(["C[*:1]", "c1ccc"])
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
