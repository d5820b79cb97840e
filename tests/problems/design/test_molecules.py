"""Molecules: valid by construction, assembled as RDKit assembles them, scored as RDKit scores them, each once."""

import copy
import pickle
import sys
from xml.etree import ElementTree

import pytest
import torch

import paretokit as pk
from paretokit.core import InputError, MissingPackageError, Rng, ShapeError, UnknownNameError
from paretokit.problems import Molecules
from paretokit.problems.design._fragments import Fragment
from paretokit.problems.design._molecule import Molecule, canonical_smiles, drawn, written
from paretokit.problems.design._molecule_scores import GAINS, Oracle, properties, scored, window
from paretokit.problems.design._tree_forms import NONE, Trees
from paretokit.testing import check_design, check_problem
from tests.problems.design.test_trees import grown

Chem = pytest.importorskip("rdkit.Chem")
ALL = tuple(GAINS)
FEW = ("C([*:1])([*:1])[*:2]", "O=C([*:1])N[*:2]", "F[*:1]", "n1([*:1])ccc([*:2])c1")
SPREAD = Molecules(objectives=ALL)
DRUGS = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
}


class Watcher:
    """Counts what is evaluated."""

    def __init__(self):
        self.rows = 0

    def evaluated(self, x, evaluation):
        self.rows += len(x)


def test_the_contracts_are_kept():
    problem = Molecules(objectives=("qed", "logp"), max_fragments=4)
    check_problem(problem, n=12)
    check_design(problem, n=12, limit=1000)
    check_design(Molecules(fragments=FEW, max_fragments=3), n=24)


def test_every_tree_is_a_molecule_with_the_atoms_and_rings_of_its_fragments():
    env = SPREAD.trees
    walked = torch.cat([grown(env, 1500, seed=0), grown(env, 500, seed=1, stops=True)])
    states = torch.cat([env.decisions(walked), SPREAD.space.sample(1000, Rng.from_seed(0))])
    trees = env.planted(states)
    bare = [Chem.AddHs(Chem.MolFromSmiles("".join(_closed(f)))) for f in env.vocabulary.fragments]
    atoms = torch.tensor([mol.GetNumAtoms() for mol in bare])
    rings = torch.tensor([mol.GetRingInfo().NumRings() for mol in bare])
    used, there = trees.fragment.clamp_min(0), trees.there
    bonds = (trees.parent != NONE).sum(1)
    n_atoms, n_rings = ((t[used] * there).sum(1) for t in (atoms, rings))
    for row, smiles in enumerate(SPREAD.smiles(states)):
        mol = Chem.MolFromSmiles(smiles)  # sanitized, or None
        assert mol is not None
        assert Chem.AddHs(mol).GetNumAtoms() == n_atoms[row] - 2 * bonds[row]
        assert mol.GetRingInfo().NumRings() == n_rings[row]
        assert len(Chem.GetMolFrags(mol)) == 1
        assert "*" not in smiles


def _closed(fragment: Fragment):
    """The SMILES of a fragment on its own."""
    yield fragment.text[0]
    for own, text in zip(fragment.classes, fragment.text[1:], strict=True):
        yield fragment.bare[own] + text


def test_every_pair_of_joints_that_fit_is_a_molecule():
    vocabulary = SPREAD.trees.vocabulary
    pairs = []
    for first, (f, own) in enumerate(vocabulary.joints):
        fits = vocabulary.tables.fits[vocabulary.fragments[f].kinds[own]]
        pairs += [(first, second) for second in range(first, len(fits)) if fits[second]]
    assert len(pairs) > 5000
    joints = torch.tensor(vocabulary.joints)
    a, b = joints[torch.tensor(pairs)].unbind(1)
    nothing = torch.full_like(a[:, 0], NONE)
    columns = (
        torch.stack([a[:, 0], b[:, 0]], 1),
        torch.stack([nothing, nothing + 1], 1),
        torch.stack([nothing, a[:, 1]], 1),
        torch.stack([nothing, b[:, 1]], 1),
    )
    found = canonical_smiles(written(vocabulary, Trees(*columns)))
    assert len(set(found)) > 7500  # the others are molecules that several pairs make, such as fluoropyridine


def test_molecules_are_those_that_rdkit_zips_together():
    env = SPREAD.trees
    x = SPREAD.space.sample(150, Rng.from_seed(1))
    trees = env.planted(x)
    for row, smiles in enumerate(SPREAD.smiles(x)):
        taken: dict[tuple[int, int], list[int]] = {}
        for slot in range(env.max_fragments):
            if trees.parent[row, slot] != NONE:
                up = (int(trees.parent[row, slot]), int(trees.outer[row, slot]))
                for end in (up, (slot, int(trees.inner[row, slot]))):
                    taken.setdefault(end, []).append(slot + 100)
        whole = Chem.Mol()
        for slot, label in enumerate(trees.fragment[row].tolist()):
            if label == NONE:
                continue
            mol = Chem.RWMol(Chem.MolFromSmiles(env.vocabulary.fragments[label].smiles))
            for atom in mol.GetAtoms():
                if atom.GetAtomicNum() == 0:
                    waiting = taken.get((slot, atom.GetAtomMapNum() - 1))
                    if waiting:
                        atom.SetAtomMapNum(waiting.pop())
                    else:
                        atom.SetAtomMapNum(0)
                        atom.SetAtomicNum(1)
            whole = Chem.CombineMols(whole, mol)
        joined = Chem.molzip(whole) if any(a.GetAtomMapNum() for a in whole.GetAtoms()) else whole
        assert smiles == Chem.CanonSmiles(Chem.MolToSmiles(joined))


def test_equal_trees_are_equal_molecules_and_interchangeable_points_are():
    x = SPREAD.space.sample(200, Rng.from_seed(2))
    again = SPREAD.trees.decisions(SPREAD.trees.finished(x))
    assert not torch.equal(x, again)
    assert SPREAD.smiles(x) == SPREAD.smiles(again)


def test_scores_are_rdkit_s():
    from rdkit.Chem import QED, Crippen, Descriptors

    for smiles in DRUGS.values():
        mol, found = Chem.MolFromSmiles(smiles), properties(smiles)
        assert found["qed"] == QED.qed(mol)
        assert found["mw"] == Descriptors.MolWt(mol)
        assert found["logp"] == Crippen.MolLogP(mol)
        assert found["tpsa"] == Descriptors.TPSA(mol)
        for name in ("mw", "logp", "tpsa"):
            assert properties(smiles, [name]) == {name: pytest.approx(found[name], abs=1e-12)}


def test_scores_are_published_ones():
    assert properties(DRUGS["aspirin"])["tpsa"] == pytest.approx(63.6, abs=0.05)  # PubChem
    assert properties(DRUGS["aspirin"])["mw"] == pytest.approx(180.16, abs=0.01)
    # Reference values of QED's authors, as RDKit's documentation quotes them.
    assert properties("N=C(CCSCc1csc(N=C(N)N)n1)NS(N)(=O)=O")["qed"] == pytest.approx(0.253, abs=1e-3)
    assert properties("CNC(=NCCSCc1nc[nH]c1C)NC#N")["qed"] == pytest.approx(0.234, abs=1e-3)
    assert properties(DRUGS["aspirin"])["sa"] < 2 < properties("C1CC2CCC1C2C1(C#N)OC1(F)C=O")["sa"]


def test_objectives_are_the_documented_maps():
    x = SPREAD.space.sample(40, Rng.from_seed(3))
    values = SPREAD.evaluate(x).values
    raw = [properties(s) for s in SPREAD.smiles(x)]
    plain = [
        [
            r["qed"],
            (10 - r["sa"]) / 9,
            min(max((300 - r["mw"]) / 700 + 1, 0), 1),
            min(max(min((r["logp"] + 2) / 3, (6 - r["logp"]) / 3), 0), 1),
            min(max(min(r["tpsa"] / 40, (140 - r["tpsa"]) / 50), 0), 1),
        ]
        for r in raw
    ]
    assert torch.allclose(values, torch.tensor(plain, dtype=torch.float64), rtol=0, atol=1e-12)
    assert ((values >= 0) & (values <= 1)).all()
    assert torch.equal(SPREAD.gains(values), values)


@pytest.mark.parametrize(("value", "expected"), [(-1, 0), (0, 0), (1, 0.5), (2, 1), (4, 1), (6, 0.5), (8, 0), (9, 0)])
def test_windows_have_straight_sides(value, expected):
    assert window(value, (0, 2, 4, 8)) == expected


def test_decode_gives_a_molecule_that_can_be_looked_at():
    x = SPREAD.space.sample(8, Rng.from_seed(4))
    molecules = [SPREAD.decode(row) for row in x]
    for row, molecule in zip(x, molecules, strict=True):
        assert Chem.MolToSmiles(molecule.mol) == molecule.smiles == str(molecule) == SPREAD.describe_object(row)
        assert len(molecule.fragments) == int(SPREAD.trees.planted(row.unsqueeze(0)).there.sum())
    picture = ElementTree.fromstring(molecules[0]._repr_svg_())
    assert picture.attrib["width"] == "260px"
    grid = ElementTree.fromstring(drawn(molecules[:3], ["a", "b", "c"], columns=2, width=100, height=80).svg)
    assert (grid.attrib["width"], grid.attrib["height"]) == ("200px", "160px")
    rows = ElementTree.fromstring(SPREAD.drawn(x, columns=5)._repr_svg_())
    assert (rows.attrib["width"], rows.attrib["height"]) == ("1300px", "400px")
    with pytest.raises(ShapeError, match=r"`labels` must be 2, one a molecule; got 1"):
        drawn(molecules[:2], ["a"])
    with pytest.raises(InputError, match=r"`molecules` must be at least 1; got 0"):
        drawn([])
    with pytest.raises(ShapeError, match=r"`x` must be one row of 17 entries; got \(8, 17\)"):
        SPREAD.decode(x)


def test_fingerprints_are_rdkit_s():
    from rdkit.Chem import rdFingerprintGenerator

    x = SPREAD.space.sample(6, Rng.from_seed(5))
    bits = SPREAD.fingerprints(x)
    made = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    for row, smiles in zip(bits, SPREAD.smiles(x), strict=True):
        assert row.nonzero().flatten().tolist() == list(made.GetFingerprint(Chem.MolFromSmiles(smiles)).GetOnBits())
    assert SPREAD.fingerprints(x[:0], bits=64).shape == (0, 64)
    assert SPREAD.fingerprints(x, radius=0, bits=64).shape == (6, 64)
    with pytest.raises(InputError, match="`bits` must be at least 1; got 0"):
        SPREAD.fingerprints(x, bits=0)


def test_a_molecule_is_computed_once_and_forgotten_when_there_are_too_many():
    oracle = Oracle(("mw",), workers=0, remembered=2)
    a, b, c = (canonical_smiles([s])[0] for s in DRUGS.values())
    assert oracle.begin([a, b, a])() == scored([a, b, a], ("mw",))
    assert oracle.computed == 2
    oracle.begin([a])()
    oracle.begin([c])()  # b was asked for longest ago
    assert oracle.computed == 3
    oracle.begin([a, c])()
    assert oracle.computed == 3
    oracle.begin([b])()
    assert oracle.computed == 4
    nothing = Oracle(("mw",), workers=0, remembered=0)
    assert nothing.begin([a])() == nothing.begin([a])()
    assert nothing.computed == 2


def test_workers_answer_the_same_beside_the_caller():
    problem = Molecules(workers=2, max_fragments=4)
    x = problem.space.sample(30, Rng.from_seed(6))
    expected = Molecules(max_fragments=4).evaluate(x).values
    watcher = Watcher()
    handle = problem.observed(watcher)
    pending = [handle.submit(x), handle.submit(x.flip(0))]  # the second asks for what is on its way
    assert watcher.rows == 0
    assert torch.equal(pending[0].result().values, expected)
    assert torch.equal(pending[1].result().values, expected.flip(0))
    assert pending[0].result() is pending[0].result()
    assert watcher.rows == 60
    assert problem.oracle.computed == len(set(problem.smiles(x)))
    problem.close()
    assert problem.oracle._crew._workers == []
    problem.close()


@pytest.mark.slow
def test_a_worker_s_error_reaches_the_caller_and_the_next_call_works():
    oracle = Oracle(("mw",), workers=1, remembered=10)
    finish = oracle.begin(["C", "not a molecule"])
    with pytest.raises(InputError, match="`smiles` must be a molecule; got 'not a molecule'"):
        finish()
    assert oracle.begin(["C"])() == scored(["C"], ("mw",))
    oracle.close()
    assert oracle.begin(["C", "CC"])() == scored(["C", "CC"], ("mw",))  # by new processes
    oracle.close()


def test_problems_without_workers_answer_submissions_at_once():
    problem = pk.problems.HyperGrid(side=8)
    x = problem.space.sample(5, Rng.from_seed(0))
    watcher = Watcher()
    pending = problem.observed(watcher).submit(x)
    assert torch.equal(pending.result().values, problem.evaluate(x).values)
    assert pending.result() is pending.result()
    assert watcher.rows == 5
    assert problem.submit(x[:0]).result().values.shape == (0, 2)
    with pytest.raises(InputError, match="`x` must lie in the space"):
        problem.submit(x + 0.5)


def test_problems_are_copied_sent_and_rebuilt():
    problem = Molecules(objectives=("sa", "tpsa"), fragments=FEW, max_fragments=3)
    x = problem.space.sample(5, Rng.from_seed(8))
    for twin in (
        copy.deepcopy(problem),
        pickle.loads(pickle.dumps(problem)),
        pk.problems.make("molecules-v1", **problem.options()),
    ):
        assert twin.fingerprint() == problem.fingerprint()
        assert torch.equal(twin.evaluate(x).values, problem.evaluate(x).values)
    busy = pickle.loads(pickle.dumps(Molecules(fragments=FEW, workers=3, remembered=5))).oracle
    assert (busy.workers, busy.remembered, busy._crew.size) == (3, 5, 3)
    assert problem.states() is problem.states() is not None
    assert Molecules().states(4096) is None


def test_evolution_finds_better_molecules():
    problem = Molecules(max_fragments=5)
    first = problem.evaluate(problem.space.sample(24, Rng.from_seed(0))).values
    result = pk.solve(problem, pk.solvers.NSGA2(pop_size=24), budget=pk.Budget(evaluations=240), seed=0)
    assert len(result.front) > 0
    assert result.front.values.sum(1).max() > first.sum(1).max()
    assert isinstance(result.front.pick(preference=[0.5, 0.5]).decode(), Molecule)


@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({"objectives": ("qed", "seh")}, UnknownNameError, r"`objectives` must be a known name; got 'seh'"),
        ({"objectives": "qde"}, UnknownNameError, r"got 'qde' \(did you mean 'qed'\?\)"),
        ({"objectives": ("qed", "qed")}, InputError, r"`objectives` must be different; got \['qed', 'qed'\]"),
        ({"objectives": ()}, InputError, "`objectives` must be at least 1; got 0"),
        ({"max_fragments": 0}, InputError, "`max_fragments` must be at least 1; got 0"),
        ({"workers": -1}, InputError, "`workers` must be at least 0; got -1"),
        ({"remembered": -1}, InputError, "`remembered` must be at least 0; got -1"),
        ({"fragments": ("C[*:1]", "CC")}, InputError, "`fragments` must have 1 to 6 attachment points; got 'CC'"),
    ],
)
def test_options_that_break_a_rule_get_a_line(options, error, line):
    with pytest.raises(error, match=line):
        Molecules(**options)


def test_properties_know_their_names_and_molecules():
    with pytest.raises(UnknownNameError, match="`objective` must be a known name; got 'weight'"):
        properties("C", ["weight"])
    with pytest.raises(InputError, match="`smiles` must be a molecule; got 'C1'"):
        properties("C1")


def test_without_rdkit_the_line_is_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(MissingPackageError, match=r'install it with: pip install "paretokit\[molecules\]"'):
        Molecules()


def test_without_the_contribution_that_scores_synthesis_the_line_says_so(monkeypatch, tmp_path):
    from rdkit.Chem import RDConfig

    from paretokit.problems.design import _molecule_scores

    monkeypatch.setattr(RDConfig, "RDContribDir", str(tmp_path))
    with pytest.raises(InputError, match="`rdkit` must bring its contribution SA_Score; got no .*leave out"):
        _molecule_scores._sa.__wrapped__()


def test_rdkit_is_silent(capfd):
    Molecules(max_fragments=3).evaluate(SPREAD.space.sample(5, Rng.from_seed(9))[:, :5])
    with pytest.raises(InputError):
        properties("C1CC")
    assert capfd.readouterr() == ("", "")


def rings(mol):
    return mol.GetRingInfo().NumRings() / 10


def test_properties_of_one_s_own_stand_beside_the_others():
    problem = Molecules(objectives=("qed", rings, ("atoms", lambda mol: mol.GetNumAtoms() / 100)), max_fragments=3)
    assert [o.name for o in problem.objectives] == ["qed", "rings", "atoms"]
    x = problem.space.sample(8, Rng.from_seed(0))
    mols = [Chem.MolFromSmiles(s) for s in problem.smiles(x)]
    expected = torch.tensor([[rings(mol), mol.GetNumAtoms() / 100] for mol in mols], dtype=torch.float64)
    assert torch.equal(problem.evaluate(x).values[:, 1:], expected)
    assert torch.equal(problem.evaluate(x).values[:, 0], Molecules(max_fragments=3).evaluate(x).values[:, 0])
    assert problem.protocol.scoring.reference_point == (0, 0, 0)
    assert problem.recipe() is None
    other = Molecules(objectives=("qed", rings, ("atoms", lambda mol: mol.GetNumAtoms() / 50)), max_fragments=3)
    assert problem.fingerprint() != other.fingerprint()
    assert Molecules(objectives=rings, max_fragments=2).evaluate(x[:, : x.shape[1] * 2 // 3]).values.shape == (8, 1)


@pytest.mark.parametrize(
    ("own", "error", "line"),
    [
        (lambda mol: float("nan"), InputError, "`own` must return a finite number that is not negative; got nan for '"),
        (lambda mol: -1, InputError, "`own` must return a finite number that is not negative; got -1 for '"),
        (lambda mol: "x", InputError, "`own` must return a number; got str for '"),
        (lambda mol: 1 / 0, pk.core.EvaluationError, "the objective 'own' raised ZeroDivisionError for '.*': division"),
    ],
)
def test_mistakes_of_one_s_own_properties_show_the_molecule(own, error, line):
    problem = Molecules(objectives=[("own", own)], max_fragments=2)
    with pytest.raises(error, match=line):
        problem.evaluate(problem.space.sample(1, Rng.from_seed(0)))


def test_objectives_are_names_functions_or_pairs():
    with pytest.raises(InputError, match="`objectives` must be names, functions, or pairs of both; got 3"):
        Molecules(objectives=("qed", 3))
    with pytest.raises(
        UnknownNameError, match=r"`objectives` must be .* got 'qed,sa' \(several are a list: \[\"qed\", \"sa\"\]"
    ):
        Molecules(objectives="qed,sa")
