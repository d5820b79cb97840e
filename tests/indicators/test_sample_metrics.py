"""Figures of samplers: published exact values, bounds, closed forms, and plain twins."""

import itertools
import math

import pytest
import torch

from paretokit import indicators as pi
from paretokit.core import InputError, Rng, ShapeError, UnknownNameError
from paretokit.problems.design import HyperGrid

# objectives, points of the front, hypervolume, R2, and of uniform samples: hypervolume, IGD+, GD+, entropy
TABLE = [
    ("branin currin", 36, 0.98214, 0.2634, 0.9804, 0.0020, 0.174, 1.50),
    ("branin shubert", 14, 0.88385, 0.6796, 0.8564, 0.0086, 0.163, 1.32),
    ("branin beale", 44, 0.80667, 0.7938, 0.8017, 0.0035, 0.240, 1.66),
    ("currin shubert", 32, 0.73493, 1.0579, 0.7174, 0.0047, 0.154, 2.11),
    ("currin beale", 8, 0.89794, 0.5618, 0.8807, 0.0111, 0.479, 1.39),
    ("shubert beale", 22, 0.68592, 1.1480, 0.6591, 0.0061, 0.168, 1.66),
    ("branin currin shubert", 104, 0.68208, 4.7584, 0.6685, 0.0033, 0.146, 3.02),
    ("branin currin beale", 229, 0.76321, 3.7191, 0.7572, 0.0038, 0.167, 3.52),
    ("branin shubert beale", 147, 0.54753, 5.8136, 0.5366, 0.0044, 0.104, 3.64),
    ("currin shubert beale", 127, 0.53258, 6.1073, 0.5187, 0.0044, 0.102, 3.81),
    ("branin currin shubert beale", 372, 0.44926, 6.1694, 0.4493, 0.00002, 0.091, 4.91),
]


def plain_edits(a, b):
    """The recursion of the edit distance, word by word: the slow twin."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, before = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    return row[-1]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0].replace(" ", "-"))
def test_exact_fronts_of_the_hypergrid_have_the_known_figures(row):
    names, size, volume, r2, *_ = row
    problem = HyperGrid(objectives=names.split(), side=32)
    front = problem.gains(problem.pareto_front())
    assert len(front) == size
    for convention, scale in (("paper", 1.0), ("plain", None)):
        found = pi.sample_metrics(front, front=front, convention=convention)
        assert found["hypervolume"] == pytest.approx(volume, abs=1e-5)
        lattice = pi.simplex_lattice(len(names.split()), 19 if size == 372 else 49)
        scale = scale or float(lattice.norm()) / len(lattice)
        assert found["r2"] == pytest.approx(scale * r2, abs=5e-5 * scale)
        assert found["gd_plus"] == found["igd_plus"] == found["averaged_hausdorff"] == 0
        assert found["share_on_front"] == found["front_found"] == 1
        assert found["pc_entropy"] == pytest.approx(math.log(size), abs=1e-5)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0].replace(" ", "-"))
def test_uniform_samples_have_the_known_figures_but_for_chance(row):
    names, _, _, _, volume, igd, gd, entropy = row
    problem = HyperGrid(objectives=names.split(), side=32)
    values = problem.gains(problem.evaluate(problem.cells()).values)
    front = problem.gains(problem.pareto_front())
    n = 6400 if values.shape[1] == 4 else 1280
    draws = [
        pi.sample_metrics(values[Rng.from_seed(s).integers(len(values), n)], front=front, convention="plain")
        for s in range(3)
    ]
    mean = {name: sum(d[name] for d in draws) / 3 for name in draws[0]}
    assert mean["hypervolume"] == pytest.approx(volume, abs=0.02)
    assert mean["igd_plus"] == pytest.approx(igd, abs=0.006)
    assert mean["gd_plus"] == pytest.approx(gd, abs=0.012)
    assert mean["averaged_hausdorff"] == mean["gd_plus"]
    assert mean["pc_entropy"] == pytest.approx(entropy, abs=0.12)


@pytest.mark.parametrize(
    ("m", "partitions", "count", "norm"),
    [(2, 9, 10, 2.6527), (2, 49, 50, 5.8029), (3, 9, 55, 5.5277), (3, 49, 1275, 25.5051), (4, 19, 1540, 25.7804)],
)
def test_weight_grids_have_the_published_sizes_and_norms(m, partitions, count, norm):
    lattice = pi.simplex_lattice(m, partitions)
    assert len(lattice) == count
    assert float(lattice.norm()) == pytest.approx(norm, abs=5e-5)


@pytest.mark.parametrize(("m", "size"), [(2, 19), (3, 271), (4, 3439)])
def test_entropy_over_the_faces_of_the_cube_is_bounded_by_their_number(m, size):
    faces = pi.unit_cube_faces(m)
    assert len(faces) == size
    assert bool((faces.amax(-1) == 1).all())
    found = pi.sample_metrics(faces)
    assert found["pc_entropy_most"] == pytest.approx(math.log(size))
    assert found["pc_entropy"] == pytest.approx(math.log(size), abs=1e-4)
    samples = Rng.from_seed(m).uniform(500, m)
    assert pi.sample_metrics(samples)["pc_entropy"] < math.log(size)
    assert "pc_entropy" not in pi.sample_metrics(samples, convention="plain")


def test_papers_look_at_the_best_sample_of_each_preference_only():
    gains = torch.tensor([[1.0, 0.0], [0.9, 0.5], [0.0, 0.2], [0.5, 0.4], [0.0, 0.3], [0.1, 0.1]])
    weights = torch.eye(2).repeat_interleave(3, 0)
    paper = pi.sample_metrics(gains, weights=weights, k=2)
    plain = pi.sample_metrics(gains, weights=weights, k=2, convention="plain")
    assert paper["hypervolume"] == pytest.approx(0.5 * 0.4)  # (1, 0) and (0.5, 0.4)
    assert plain["hypervolume"] == pytest.approx(0.9 * 0.5)
    for found in (paper, plain):
        assert found["top_k_reward"] == pytest.approx((1.0 + 0.9 + 0.4 + 0.3) / 4)


def test_share_on_front_counts_samples_and_front_found_points():
    front = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    samples = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.5, 0.4], [1.0, 0.0]])
    assert float(pi.share_on_front(samples, front)) == 0.75
    assert float(pi.share_on_front(front, samples)) == pytest.approx(2 / 3)
    assert float(pi.share_on_front(samples, front, tolerance=0.1)) == 1
    assert pi.share_on_front(torch.stack([samples, front[[0, 0, 0, 0]]]), front).tolist() == [0.75, 1.0]
    assert float(pi.share_on_front(samples[:0], front)) == 0


def test_edit_distance_is_the_plain_recursion():
    rng = Rng.from_seed(0)
    lengths = rng.child("lengths").integers(9, 40).tolist()
    words = ["".join("ABC"[i] for i in rng.child("word", k).integers(3, n).tolist()) for k, n in enumerate(lengths)]
    tokens = pi.tokens_of(words)
    found = pi.levenshtein(tokens[:, None], tokens[None])
    assert found.tolist() == [[plain_edits(a, b) for b in words] for a in words]


def test_edit_distance_by_hand_and_with_another_pad():
    tokens = pi.tokens_of(["kitten", "sitting", "", "flaw", "lawn"])
    assert pi.levenshtein(tokens[0], tokens[1]).item() == 3
    assert pi.levenshtein(tokens[3], tokens[4]).item() == 2
    assert pi.levenshtein(tokens[2], tokens[:2]).tolist() == [6, 7]
    padded = torch.where(tokens < 0, 200, tokens)
    assert pi.levenshtein(padded[:, None], padded, pad=200).equal(pi.levenshtein(tokens[:, None], tokens))
    assert pi.tokens_of([]).shape == (0, 0)


def test_edit_distance_is_a_metric():
    tokens = Rng.from_seed(3).integers(4, 12, 7)
    d = pi.levenshtein(tokens[:, None], tokens)
    assert d.equal(d.T)
    assert d.diagonal().eq(0).all()
    assert (d[:, :, None] <= d[:, None, :] + d.T[None]).all()


def test_tanimoto_agrees_with_rdkit():
    rdkit = pytest.importorskip("rdkit")
    from rdkit.DataStructs import CreateFromBitString, TanimotoSimilarity

    assert rdkit
    bits = Rng.from_seed(1).uniform(6, 64) < 0.3
    prints = [CreateFromBitString("".join(str(int(b)) for b in row)) for row in bits]
    theirs = [[1 - TanimotoSimilarity(a, b) for b in prints] for a in prints]
    torch.testing.assert_close(pi.tanimoto(bits[:, None], bits), torch.tensor(theirs, dtype=torch.float64))
    empty = torch.zeros(2, 8)
    assert pi.tanimoto(empty[0], empty[1]).item() == 0
    assert pi.tanimoto(empty[0], torch.ones(8)).item() == 1


def test_top_k_are_means_over_the_best_few_and_their_pairs():
    words = ["AAAA", "AAAB", "ABBB", "BBBB", "CCCC"]
    rewards = torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0])
    tokens = pi.tokens_of(words)
    assert float(pi.top_k_reward(rewards, k=3)) == 4
    pairs = [plain_edits(a, b) for a, b in itertools.combinations(words[:3], 2)]
    assert float(pi.top_k_diversity(rewards, tokens, k=3)) == pytest.approx(sum(pairs) / 3)
    both = pi.top_k_diversity(torch.stack([rewards, -rewards]), tokens.expand(2, -1, -1), k=2)
    assert both.tolist() == [1.0, 4.0]
    same = pi.top_k_diversity(rewards, tokens, k=2, distance=lambda a, b: (a - b).abs().sum(-1))
    assert float(same) == 1
    bits = torch.eye(5)
    assert float(pi.top_k_diversity(rewards, bits, k=4, distance="tanimoto")) == 1


def test_diversity_of_samples_is_the_mean_over_preferences():
    weights = torch.eye(2).repeat_interleave(3, 0)
    gains = torch.tensor([[3.0, 0], [2, 0], [1, 0], [0, 1], [0, 2], [0, 3]]) / 3
    items = pi.tokens_of(["AA", "AB", "CC", "AA", "BB", "BB"])
    found = pi.sample_metrics(gains, weights=weights, items=items, k=2)
    assert found["top_k_diversity"] == pytest.approx((1 + 0) / 2)
    assert found["top_k_reward"] == pytest.approx(2.5 / 3)


def test_l1_distance_of_distributions_by_hand():
    p = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    assert pi.l1_distance(p, torch.tensor([1.0, 1.0, 2.0])).tolist() == [1.0, 1.5]
    assert pi.l1_distance(p[1], torch.tensor([0.0, 3.0, 0.0])).item() == 2
    assert pi.l1_distance(p, p * 7).tolist() == [0.0, 0.0]


def test_histogram_of_samples_over_their_support():
    support = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    rows = torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    assert pi.histogram(rows, support).tolist() == [0.25, 0.0, 0.5]
    assert pi.histogram(rows[:0], support).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: pi.top_k_reward(torch.ones(3), k=4),
            ShapeError,
            "`rewards` must hold at least k = 4 samples; got (3,)",
        ),
        (lambda: pi.top_k_reward(torch.ones(3), k=0), InputError, "`k` must be at least 1; got 0"),
        (
            lambda: pi.top_k_diversity(torch.ones(3), torch.ones(2, 5), k=2),
            ShapeError,
            "`items` must have shape (3,) and one axis more; got (2, 5)",
        ),
        (
            lambda: pi.top_k_diversity(torch.ones(3), torch.ones(3, 5), k=2, distance="levenstein"),
            UnknownNameError,
            "did you mean 'levenshtein'?",
        ),
        (
            lambda: pi.levenshtein(torch.ones(3, 2), torch.ones(2, 2)),
            ShapeError,
            "`others` must broadcast with (3,); got (2,)",
        ),
        (
            lambda: pi.tanimoto(torch.ones(3), torch.ones(2)),
            ShapeError,
            "`others` must have 3 bits as `fingerprints`; got 2",
        ),
        (
            lambda: pi.l1_distance(torch.ones(3), torch.ones(2)),
            ShapeError,
            "`q` must have 3 entries as `p`; got 2",
        ),
        (
            lambda: pi.l1_distance(torch.zeros(3), torch.ones(3)),
            InputError,
            "`p` must be finite, not negative, and of positive sum; got a least sum of 0",
        ),
        (
            lambda: pi.histogram(torch.ones(2, 3), torch.ones(2, 2)),
            ShapeError,
            "`support` must have 3 columns as `rows`; got 2",
        ),
        (lambda: pi.unit_cube_faces(2, per_axis=1), InputError, "`per_axis` must be at least 2; got 1"),
        (
            lambda: pi.share_on_front(torch.ones(2, 2), torch.ones(2, 2), tolerance=-1),
            InputError,
            "`tolerance` must be at least 0; got -1",
        ),
        (
            lambda: pi.sample_metrics(torch.ones(2, 2), convention="papers"),
            UnknownNameError,
            "did you mean 'paper'?",
        ),
        (
            lambda: pi.sample_metrics(torch.ones(0, 2)),
            ShapeError,
            "`gains` must have shape [n, m] with n >= 1; got (0, 2)",
        ),
        (
            lambda: pi.sample_metrics(torch.ones(3, 2), weights=torch.tensor([[1.0, 0], [1, 0], [0, 1]])),
            InputError,
            "`weights` must hold each preference equally often, in a row; got [2, 1] times",
        ),
        (
            lambda: pi.sample_metrics(torch.ones(3, 2), weights=torch.ones(2, 2)),
            ShapeError,
            "`weights` must have shape (3, 2); got (2, 2)",
        ),
        (
            lambda: pi.sample_metrics(torch.ones(3, 2), weights=torch.ones(3, 2), items=torch.ones(2, 2), k=2),
            ShapeError,
            "`items` must have 3 rows, one a sample; got (2, 2)",
        ),
    ],
)
def test_mistakes_are_one_line(call, error, text):
    with pytest.raises(error) as raised:
        call()
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)
