"""Aptamers: ViennaRNA's own numbers, and its global parameters as they were."""

import sys

import pytest
import torch

from paretokit.core import InputError, MissingPackageError, Rng, UnknownNameError
from paretokit.problems import Aptamers
from paretokit.problems.design._aptamers import Fold, folds

RNA = pytest.importorskip("RNA")
ALL = ("energy", "pairs", "stems", "inverse_length")
HAIRPINS = "GGGAAATCCCATTTGGGCCCAAATTTGCGCGATATACGCGCTTGGCCAATTGGCCAACCG"


@pytest.fixture
def dna():
    """ViennaRNA with DNA parameters."""
    RNA.params_load_DNA_Mathews2004()
    yield RNA
    RNA.params_load_RNA_Turner2004()


@pytest.mark.parametrize("kind", ["dna", "rna"])
def test_energies_and_structures_are_viennarna_s(kind, request):
    problem = Aptamers(kind=kind, objectives=ALL, min_length=20, max_length=40)
    x = problem.space.sample(40, Rng.from_seed(0))
    values = problem.evaluate(x).values
    if kind == "dna":
        request.getfixturevalue("dna")
    for word, row in zip(problem.space.words(x), values.tolist(), strict=True):
        structure, energy = RNA.fold(word)
        assert row[0] == pytest.approx(min(max(-energy / 60, 0), 1), abs=1e-12)
        assert row[1] == structure.count("(") / 20
        assert row[3] == 20 / len(word)


def test_dna_folds_otherwise_than_rna():
    (as_dna,), (as_rna,) = folds([HAIRPINS], "dna"), folds([HAIRPINS.replace("T", "U")], "rna")
    assert as_dna.energy == pytest.approx(-14.9, abs=1e-5)
    assert as_rna.energy == pytest.approx(-24.5, abs=1e-5)
    assert (as_dna.pairs, as_dna.stems) == (19, 4)


@pytest.mark.parametrize(
    ("structure", "pairs", "stems"),
    [
        ("....", 0, 0),
        ("((..))", 2, 1),
        ("(.)(.)", 2, 2),
        ("((.)(.)).(.)", 4, 2),
        ("(((...)))..((..((...))..((...))))", 9, 2),
    ],
)
def test_stems_are_counted_where_the_brackets_close(structure, pairs, stems):
    fold = Fold(structure, -1.0)
    assert (fold.pairs, fold.stems) == (pairs, stems)


@pytest.mark.parametrize("kind", ["dna", "rna"])
def test_parameters_that_were_loaded_are_restored(kind):
    default = RNA.fold(HAIRPINS)
    try:
        RNA.params_load_RNA_Andronescu2007()
        before = RNA.fold(HAIRPINS)
        ours = folds([HAIRPINS], kind)
        assert RNA.fold(HAIRPINS) == before != default
    finally:
        RNA.params_load_RNA_Turner2004()
    assert folds([HAIRPINS], kind) == ours
    assert RNA.fold(HAIRPINS) == default


def test_parameters_are_restored_after_an_error():
    default = RNA.fold(HAIRPINS)
    with pytest.raises(TypeError):
        folds([HAIRPINS, None], "dna")
    assert RNA.fold(HAIRPINS) == default


def test_scales_divide_and_values_are_clipped():
    x = Aptamers(max_length=60).encode([HAIRPINS])
    plain, scaled = (
        Aptamers(objectives=ALL, scales=scales).evaluate(x).values[0].tolist()
        for scales in (None, {"energy": 10, "stems": 16})
    )
    assert plain == pytest.approx([14.9 / 60, 19 / 30, 4 / 8, 0.5], abs=1e-6)
    assert scaled == pytest.approx([1, 19 / 30, 4 / 16, 0.5], abs=1e-6)


@pytest.mark.slow
def test_workers_give_the_same_values():
    plain, crew = Aptamers(), Aptamers(workers=2)
    x = plain.space.sample(30, Rng.from_seed(0))
    assert torch.equal(crew.evaluate(x).values, plain.evaluate(x).values)


def test_missing_package_names_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "RNA", None)
    with pytest.raises(MissingPackageError, match=r'pip install "paretokit\[aptamers\]"'):
        Aptamers()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kind": "xna"}, InputError, r"`kind` must be one of \['dna', 'rna'\]; got 'xna'"),
        ({"objectives": ()}, InputError, "`objectives` must be at least 1; got 0"),
        ({"objectives": ("energy", "pair")}, UnknownNameError, "`objectives` must be a known name; got 'pair' .*pairs"),
        ({"objectives": ("pairs", "pairs")}, InputError, "`objectives` must be different"),
        ({"scales": {"pears": 1}}, UnknownNameError, "scales has no option 'pears'; did you mean 'pairs'?"),
        ({"scales": {"pairs": 0}}, InputError, "`scales_pairs` must be positive; got 0"),
        ({"workers": 0}, InputError, "`workers` must be at least 1; got 0"),
        ({"min_length": 61}, InputError, "`max_length` must be at least min_length = 61; got 60"),
    ],
)
def test_bad_options_get_one_line(options, error, message):
    with pytest.raises(error, match=message):
        Aptamers(**options)
