"""What molecules are worth: drug-likeness, ease of synthesis, weight, lipophilicity, polar surface."""

from __future__ import annotations

import functools
import importlib.util
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

from paretokit.core import EvaluationError
from paretokit.core import _check as check
from paretokit.problems._workers import Crew

Scores = tuple[float, ...]
Own = Callable[[Any], float]  # a user's property of an RDKit molecule


def clipped(value: float) -> float:
    """Return the nearest number in [0, 1]."""
    return min(max(value, 0.0), 1.0)


def window(value: float, corners: tuple[float, float, float, float]) -> float:
    """Return 1 between the two inner corners, 0 outside the two outer ones, and straight lines between them."""
    lowest, low, high, highest = corners
    return clipped(min((value - lowest) / (low - lowest), (highest - value) / (highest - high)))


# From a property to an objective in [0, 1], to be maximized.
GAINS: Mapping[str, Callable[[float], float]] = {
    "qed": clipped,
    "sa": lambda score: clipped((10 - score) / 9),
    "mw": lambda weight: clipped((300 - weight) / 700 + 1),
    "logp": lambda value: window(value, (-2.0, 1.0, 3.0, 6.0)),
    "tpsa": lambda area: window(area, (0.0, 40.0, 90.0, 140.0)),
}


@functools.cache
def _sa() -> Any:
    """Return the module of synthetic accessibility that RDKit brings among its contributions, its table loaded."""
    check.package("rdkit", extra="molecules")
    from rdkit.Chem import RDConfig

    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    hint = "pip's RDKit has it; leave out the objective 'sa' or install that one"
    check.that(path.exists(), "rdkit", "bring its contribution SA_Score", f"no {path}", hint)
    spec = importlib.util.spec_from_file_location("paretokit_sascorer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its table's file open
        module.readFragmentScores()
    return module


def properties(smiles: str, names: Sequence[str] = tuple(GAINS)) -> dict[str, float]:
    """Return plain properties of a molecule by name, before they become objectives.

    "qed" in [0, 1], "sa" (synthetic accessibility, 1 easy to 10 hard), "mw" (g/mol), "logp" (Crippen), "tpsa"
    (square angstrom).

    Source: Bickerton, Paolini, Besnard, Muresan and Hopkins (2012), Nature Chemistry (QED); Ertl and Schuffenhauer
    (2009), Journal of Cheminformatics (synthetic accessibility); Wildman and Crippen (1999) (log P); Ertl, Rohde and
    Selzer (2000) (polar surface area); all as in RDKit.
    """
    check.package("rdkit", extra="molecules")
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdMolDescriptors

    estimate = check.package("rdkit.Chem.QED", extra="molecules")

    for name in names:
        check.known(name, GAINS, kind="objective")
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
        check.that(mol is not None, "smiles", "be a molecule", repr(smiles))
        whole = estimate.properties(mol) if "qed" in names else None  # holds three of the others
        found: dict[str, float] = {}
        for name in names:
            if name == "qed":
                found[name] = estimate.qed(mol, qedProperties=whole)
            elif name == "sa":
                found[name] = _sa().calculateScore(mol)
            elif name == "mw":
                found[name] = rdMolDescriptors._CalcMolWt(mol) if whole is None else whole.MW
            elif name == "logp":
                found[name] = rdMolDescriptors.CalcCrippenDescriptors(mol)[0] if whole is None else whole.ALOGP
            else:
                found[name] = rdMolDescriptors.CalcTPSA(mol) if whole is None else whole.PSA
    return found


def scored(smiles: Sequence[str], names: Sequence[str], own: Mapping[str, Own] = MappingProxyType({})) -> list[Scores]:
    """Return the objectives of molecules: properties by name, and a user's own."""
    out = []
    for s in smiles:
        found = {k: float(GAINS[k](v)) for k, v in properties(s, [n for n in names if n not in own]).items()}
        out.append(tuple((found | owned(s, own))[name] for name in names))
    return out


def owned(smiles: str, own: Mapping[str, Own]) -> dict[str, float]:
    """Return a user's own properties of a molecule, or raise one line that shows it."""
    if not own:
        return {}
    from rdkit import Chem

    mol = Chem.MolFromSmiles(smiles)
    found: dict[str, float] = {}
    for name, function in own.items():
        try:
            answer = function(mol)
        except Exception as error:
            line = f"the objective {name!r} raised {type(error).__name__} for {smiles!r}: {error}"
            raise EvaluationError(line) from error
        try:
            found[name] = float(answer)
        except (TypeError, ValueError):
            check.fail(name, "return a number", f"{type(answer).__name__} for {smiles!r}")
        rule = "return a finite number that is not negative"
        check.that(0 <= found[name] < float("inf"), name, rule, f"{found[name]:g} for {smiles!r}")
    return found


class Oracle:
    """Objectives of molecules, each computed once: here, or by processes beside this one.

    Args:
        names: The objectives.
        workers: Number of processes, started when first needed; 0 computes here.
        remembered: Most molecules whose objectives are kept, by canonical SMILES; the ones not asked for longest go.
        own: A user's functions among them, by name.
    """

    def __init__(
        self, names: Sequence[str], *, workers: int, remembered: int, own: Mapping[str, Own] | None = None
    ) -> None:
        self.own = dict(own or {})
        self.names, self.workers, self.remembered = tuple(names), workers, remembered
        self.computed = 0
        self._known: OrderedDict[str, Scores] = OrderedDict()
        self._coming: dict[str, tuple[Future[list[Scores]], int]] = {}
        self._crew = Crew(functools.partial(scored, names=self.names, own=self.own), workers) if workers else None
        self._thread: ThreadPoolExecutor | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"names": self.names, "workers": self.workers, "remembered": self.remembered, "own": self.own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        names = state.pop("names")
        self.__init__(names, **state)  # type: ignore[misc]

    def begin(self, smiles: Sequence[str]) -> Callable[[], list[Scores]]:
        """Begin to score molecules, given by canonical SMILES; what is returned waits for all of them."""
        found = {s: self._known[s] for s in smiles if s in self._known}
        for s in found:
            self._known.move_to_end(s)
        missing = [s for s in dict.fromkeys(smiles) if s not in found and s not in self._coming]
        self.computed += len(missing)
        if self._crew is None:
            fresh = dict(zip(missing, scored(missing, self.names, self.own), strict=True))
            self._keep(fresh)
            found |= fresh
            return lambda: [found[s] for s in smiles]
        if missing:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "paretokit-molecules")
            future = self._thread.submit(self._computed, missing)
            self._coming |= {s: (future, i) for i, s in enumerate(missing)}
        coming = {s: self._coming[s] for s in smiles if s not in found}

        def finish() -> list[Scores]:
            fresh = {}
            for s, (future, place) in coming.items():
                try:
                    fresh[s] = future.result()[place]
                finally:
                    self._coming.pop(s, None)
            self._keep(fresh)
            return [found[s] if s in found else fresh[s] for s in smiles]

        return finish

    def close(self) -> None:
        """End the processes; what was begun is finished first, and the next call starts new ones."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        if self._crew is not None:
            self._crew.close()

    def _computed(self, smiles: list[str]) -> list[Scores]:
        """Return scores by the crew, in a few pieces a process so that all end together."""
        assert self._crew is not None
        size = max(1, -(-len(smiles) // (4 * self.workers)))
        outcomes = self._crew.map([smiles[i : i + size] for i in range(0, len(smiles), size)])
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
        return [scores for outcome in outcomes for scores in outcome.value]

    def _keep(self, fresh: Mapping[str, Scores]) -> None:
        self._known.update(fresh)
        while len(self._known) > self.remembered:
            self._known.popitem(last=False)
