# mypy: disable-error-code="misc,no-untyped-call"
"""Fresh pymoo algorithms from plain options. Imported when a run begins, since it imports pymoo."""

from __future__ import annotations

import copy
import importlib
import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pymoo.core.crossover import Crossover
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.repair import Repair
from pymoo.core.sampling import Sampling
from pymoo.core.termination import NoTermination
from pymoo.termination.max_gen import MaximumGenerationTermination
from torch import Tensor

from paretokit.core import InputError, Problem, Rng, Space, to_min
from paretokit.core import _check as check
from paretokit.solvers.evolutionary._foreign import Entry, Floats
from paretokit.solvers.evolutionary._pymoo_table import OPERATORS

OURS = ("n_max_gen", "partitions")


class Bounds(PymooProblem):
    """What a pymoo algorithm may know of the problem: its size and bounds. It answers what it is told to.

    MOPSO_CD evaluates a population while it is set up and throws it away; it gets infinite values at no cost.
    """

    def __init__(self, problem: Problem) -> None:
        space = problem.space
        super().__init__(
            n_var=space.dim,
            n_obj=problem.n_objectives,
            n_ieq_constr=problem.n_constraints,
            xl=space.lower.numpy().copy(),
            xu=space.upper.numpy().copy(),
        )
        self.told: Floats | None = None

    def _evaluate(self, x: Any, out: Any, *args: Any, **kwargs: Any) -> None:
        m = self.n_obj
        answers = np.full((len(x), m + self.n_ieq_constr), np.inf) if self.told is None else self.told
        out["F"] = answers[:, :m]
        if self.n_ieq_constr:
            out["G"] = answers[:, m:]


class Seeded(Sampling):
    """Given rows first, then the usual sample; whole columns in equal shares."""

    def __init__(self, base: Any, space: Space, initial: Tensor | None) -> None:
        super().__init__()
        self.base, self.space, self.initial = base, space, initial

    def _do(self, problem: Any, n_samples: int, *args: Any, random_state: Any = None, **kwargs: Any) -> Floats:
        if self.space.is_real:
            drawn = np.asarray(self.base.do(problem, n_samples, random_state=random_state).get("X"), dtype=np.float64)
        else:
            unit = torch.from_numpy(random_state.random((n_samples, self.space.dim)))
            drawn = self.space.project(self.space.from_unit(unit)).numpy()
        if self.initial is not None:
            given = self.initial.numpy()[:n_samples]
            drawn[: len(given)] = given
        return drawn


class Nearest(Repair):
    """Offspring moved to the nearest decision of the space."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space

    def _do(self, problem: Any, X: Any, **kwargs: Any) -> Floats:
        moved: Floats = self.space.project(torch.from_numpy(np.asarray(X, dtype=np.float64))).numpy()
        return moved


class CategoryCrossover(Crossover):
    """The given crossover, with unordered columns exchanged uniformly between the parents."""

    def __init__(self, inner: Any, columns: NDArray[np.int64]) -> None:
        super().__init__(inner.n_parents, inner.n_offsprings)
        self.prob, self.inner, self.columns = inner.prob, inner, columns

    def _do(self, problem: Any, X: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        children = self.inner._do(problem, X, *args, random_state=random_state, **kwargs)
        parent = random_state.integers(self.n_parents, size=(X.shape[1], len(self.columns)))
        mating = np.arange(X.shape[1])[:, None]
        for child in range(self.n_offsprings):
            source = (parent + child) % self.n_parents
            children[child][:, self.columns] = X[source, mating, self.columns[None, :]]
        return children


class CategoryMutation(Mutation):
    """The given mutation, with unordered columns drawn anew with probability 1 / d each."""

    def __init__(self, inner: Any, columns: NDArray[np.int64]) -> None:
        super().__init__()
        self.prob, self.inner, self.columns = inner.prob, inner, columns

    def _do(self, problem: Any, X: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        mutated = self.inner._do(problem, X, *args, random_state=random_state, **kwargs)
        shape = (len(X), len(self.columns))
        low, high = problem.xl[self.columns], problem.xu[self.columns]
        drawn = low + np.floor(random_state.random(shape) * (high - low + 1))
        flips = random_state.random(shape) < 1 / problem.n_var
        mutated[:, self.columns] = np.where(flips, drawn, X[:, self.columns])
        return mutated


class SeededTruncation:
    """pymoo's archive truncation, drawing from the run's generator (its own draws a seed from the system)."""

    def __init__(self, inner: Any, random_state: Any) -> None:
        self.inner, self.random_state = inner, random_state

    def __call__(self, sols: Any, k: int) -> Any:
        return self.inner.survival.do(self.inner.problem, sols, n_survive=k, random_state=self.random_state)


def lattice_size(m: int, partitions: int) -> int:
    """Return the number of points of the simplex lattice, ``C(partitions + m - 1, m - 1)``."""
    return math.comb(partitions + m - 1, m - 1)


def directions(m: int, options: Mapping[str, Any]) -> Floats:
    """Return reference directions `[k, m]`: given, a lattice of given partitions, or about a hundred of them.

    By default 99, 12, 7 and 5 partitions for 2 to 5 objectives, and from 6 on two layers (3 and 2 partitions, or
    2 and 1 above 10 objectives), as Deb and Jain (IEEE TEVC 18(4), 2014) chose them.
    """
    from pymoo.util.ref_dirs import get_reference_directions

    given = options.get("ref_dirs")
    if given is not None:
        rows = np.asarray(given, dtype=np.float64)
        check.shape(rows.ndim == 2 and rows.shape[1] == m, "ref_dirs", f"have shape [k, {m}]", rows.shape)
        check.that(bool((rows >= 0).all() and (rows.sum(1) > 0).all()), "ref_dirs", "be weights", rows[:3].tolist())
        return rows
    partitions = options.get("partitions")
    if partitions is not None:
        check.at_least(1, partitions=partitions)
    elif m <= 5:
        partitions = {2: 99, 3: 12, 4: 7, 5: 5}[m]
    if partitions is not None:
        return np.asarray(get_reference_directions("das-dennis", m, n_partitions=partitions), dtype=np.float64)
    outer, inner = (3, 2) if m <= 10 else (2, 1)
    layers = [get_reference_directions("das-dennis", m, n_partitions=p) for p in (outer, inner)]
    return np.concatenate([layers[0], layers[1] * 0.5 + 0.5 / m])


def operator(kind: str, spec: Any) -> Any:
    """Return a fresh operator for ``"SBX"`` or ``{"name": "SBX", "eta": 15}``."""
    record = {"name": spec} if isinstance(spec, str) else dict(spec) if isinstance(spec, Mapping) else {}
    check.that("name" in record, kind, "be a name or a dict with a name", repr(spec), 'e.g. {"name": "SBX", "eta": 15}')
    name = record.pop("name")
    check.known(str(name), OPERATORS[kind], kind=kind)
    path, allowed = OPERATORS[kind][name]
    check.options(record, allowed, owner=f"{kind} {name}")
    return load(path)(**record)


def load(path: str) -> Any:
    """Return the class at ``module:Class``."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _arguments(problem: Problem, name: str, foreign: Any, entry: Entry, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return constructor arguments: the user's, made into pymoo's objects, and copies of shared default objects."""
    arguments = {k: v for k, v in options.items() if k not in OURS}
    for parameter in inspect.signature(foreign).parameters.values():
        if (
            parameter.name not in arguments
            and hasattr(parameter.default, "__dict__")
            and not isinstance(parameter.default, type)
        ):
            arguments[parameter.name] = copy.deepcopy(parameter.default)
    if name == "SPEA2":  # its default survival keeps what it normalized by from one run to the next
        arguments["survival"] = load("pymoo.algorithms.moo.spea2:SPEA2Survival")(normalize=True)
    for kind in OPERATORS:
        if options.get(kind) is not None:
            arguments[kind] = operator(kind, options[kind])
    if "ref_dirs" in entry.options:
        rows = directions(problem.n_objectives, options)
        size = options.get("pop_size")
        if size is not None:
            check.at_least(len(rows), pop_size=size)
        arguments["ref_dirs"] = rows
    if "ref_points" in entry.options:
        arguments["ref_points"] = _reference_points(problem, options)
    if options.get("weights") is not None:
        arguments["weights"] = check.point("weights", options["weights"], problem.n_objectives).numpy()
    return arguments


def _reference_points(problem: Problem, options: Mapping[str, Any]) -> Floats:
    m = problem.n_objectives
    points = torch.as_tensor(options["ref_points"], dtype=torch.float64)
    check.shape(points.ndim == 2 and points.shape[1] == m, "ref_points", f"have shape [k, {m}]", tuple(points.shape))
    size = options.get("pop_per_ref_point")
    if size is not None:
        fitting = [lattice_size(m, p) for p in range(1, 100)]
        near = sorted(fitting, key=lambda count: abs(count - size))[:2]
        check.that(
            size in fitting, "pop_per_ref_point", f"be a lattice size for {m} objectives", size, f"nearest: {near}"
        )
    flipped: Floats = to_min(points, problem.objectives).numpy()
    return flipped


def build(
    problem: Problem, name: str, entry: Entry, options: Mapping[str, Any], rng: Rng, initial: Tensor | None
) -> Any:
    """Return a fresh, seeded, set up pymoo algorithm.

    Raises:
        InputError: If pymoo refuses an option's value; the message is pymoo's.
    """
    foreign = load(entry.path)
    arguments = _arguments(problem, name, foreign, entry, options)
    space = problem.space
    if not space.is_real and entry.kinds == 2:
        arguments["repair"] = Nearest(space)
    try:
        algorithm = foreign(**arguments)
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"pymoo's {name} refuses its options: {error}") from error
    if hasattr(algorithm, "initialization"):
        algorithm.initialization.sampling = Seeded(algorithm.initialization.sampling, space, initial)
    else:
        algorithm.sampling = Seeded(algorithm.sampling, space, initial)
    unordered = np.flatnonzero((space.kinds == 2).numpy())
    if len(unordered) and entry.kinds == 2:
        mating = algorithm.mating
        mating.crossover = CategoryCrossover(mating.crossover, unordered)
        mating.mutation = CategoryMutation(mating.mutation, unordered)
    schedule = options.get("n_max_gen")
    algorithm.setup(
        Bounds(problem),
        seed=rng.child("pymoo").seed32,
        termination=NoTermination() if schedule is None else MaximumGenerationTermination(schedule),
    )
    if name == "CMOPSO":
        algorithm.elites.truncation = SeededTruncation(algorithm.elites.truncation, algorithm.random_state)
    return algorithm


def rows_of(infills: Any) -> Floats:
    """Return what an algorithm asks for, a population or one individual, as `[n, d]`."""
    return np.atleast_2d(np.asarray(infills.get("X"), dtype=np.float64))


def tell(algorithm: Any, infills: Any, out: Floats) -> None:
    """Hand the answers `[n, m + k]` back."""
    algorithm.problem.told = out
    algorithm.evaluator.eval(algorithm.problem, infills)
    algorithm.problem.told = None
    algorithm.tell(infills=infills)


def answer_of(algorithm: Any, name: str) -> tuple[Floats, Floats]:
    """Return rows and answers of the final population, or of the archive where the method keeps one."""
    chosen: Any = algorithm.archive if name == "MOPSO_CD" else algorithm.pop
    if chosen is None or len(chosen) == 0:
        return np.zeros((0, algorithm.problem.n_var)), np.zeros((0, algorithm.problem.n_obj))
    population = Population.create(*chosen)
    parts = population.get("F", "G") if algorithm.problem.n_ieq_constr else (population.get("F"),)
    return np.asarray(population.get("X"), dtype=np.float64), np.concatenate(parts, 1).astype(np.float64)
