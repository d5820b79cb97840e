"""The edge where a YAML text becomes a `Suite`: every mistake is one line that names file, line and key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from paretokit.bench._cells import Part
from paretokit.bench._suite import INDICATORS, Grid, Small, Suite
from paretokit.core import InputError, ParetoError, UnknownNameError
from paretokit.core import _check as check

_FLOAT = re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$")  # 2e4, which YAML 1.1 takes for text
_SHOWN = 60


def _counted(value: Any) -> Any:
    """Return the seeds 0, 1, … of a number."""
    return list(range(value)) if isinstance(value, int) and not isinstance(value, bool) else value


def _problem(value: Any) -> Any:
    return {"problem": value} if isinstance(value, str) else value


def _solver(value: Any) -> Any:
    return {"solver": value} if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Named(_Strict):
    name: str = ""
    options: dict[str, Any] = {}


class _Problem(_Named):
    problem: str

    def part(self) -> Part:
        return Part(kind="problem", ref=self.problem, options=self.options, label=self.name)


class _Solver(_Named):
    solver: str

    def part(self) -> Part:
        return Part(kind="solver", ref=self.solver, options=self.options, label=self.name)


_Seeds = Annotated[list[int], BeforeValidator(_counted)]
_Problems = list[Annotated[_Problem, BeforeValidator(_problem)]]
_Solvers = list[Annotated[_Solver, BeforeValidator(_solver)]]


class _Small(_Strict):
    problems: list[str] = []
    solvers: list[str] = []
    seeds: _Seeds = []
    budget: dict[str, Any] = {}

    def over(self, other: _Small) -> Small:
        """Return what is given here, and the other's elsewhere."""
        return Small(
            problems=tuple(self.problems or other.problems),
            solvers=tuple(self.solvers or other.solvers),
            seeds=tuple(self.seeds or other.seeds),
            budget=self.budget or other.budget,
        )


class _Grid(_Strict):
    problems: _Problems
    solvers: _Solvers
    seeds: _Seeds | None = None
    budget: dict[str, Any] | None = None
    small: _Small = _Small()


class _Suite(_Strict):
    name: str
    seeds: _Seeds = list(range(10))
    budget: dict[str, Any] = {}
    indicators: list[str] = list(INDICATORS)
    threads: int = 1
    group: int | None = None
    checkpoint: float = 30.0
    small: _Small = _Small()
    problems: _Problems | None = None
    solvers: _Solvers | None = None
    grids: list[_Grid] | None = None


def parsed(text: str, *, source: str, folder: str) -> Suite:
    """Return the suite of a YAML text; see `load_suite`."""
    tree, lines = _read(text, source)
    check.that(isinstance(tree, Mapping), source, "hold keys and values", type(tree).__name__, "such as `name: mine`")
    whole = "grids" in tree
    if whole and ("problems" in tree or "solvers" in tree):
        got = "`grids` beside `problems` or `solvers`"
        check.fail(source, "have grids, or problems and solvers", got, f"line {lines[('grids',)]}")
    model = _valid(_Suite, tree, lines, source)
    missing = [] if whole else [key for key in ("problems", "solvers") if key not in tree]
    if missing:
        hint = f"{source}; or `grids`, each with problems and solvers"
        raise InputError(check.message(missing[0], "be given", "nothing", hint))
    grids = model.grids
    if grids is None:
        grids = [_Grid.model_construct(problems=model.problems or [], solvers=model.solvers or [])]
    try:
        return Suite(
            name=model.name,
            grids=tuple(_grid(grid, model) for grid in grids),
            indicators=tuple(model.indicators),
            threads=model.threads,
            group=model.group,
            checkpoint=model.checkpoint,
            folder=folder,
            text=text,
        )
    except ParetoError as error:
        key = str(error).partition("`")[2].partition("`")[0]
        line = next((n for path, n in lines.items() if path and path[-1] in (key, f"{key}s")), 1)
        raise type(error)(f"{error} ({source}, line {line})") from error


def _grid(grid: _Grid, suite: _Suite) -> Grid:
    return Grid(
        problems=tuple(entry.part() for entry in grid.problems),
        solvers=tuple(entry.part() for entry in grid.solvers),
        seeds=tuple(suite.seeds if grid.seeds is None else grid.seeds),
        budget=suite.budget if grid.budget is None else grid.budget,
        small=grid.small.over(suite.small),
    )


_Model = TypeVar("_Model", bound=BaseModel)


def _valid(model: type[_Model], tree: Any, lines: Mapping[tuple[Any, ...], int], source: str) -> _Model:
    """Return the tree as a model, or raise the first mistake as one line."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    path = tuple(part for part in first["loc"] if part in {p for key in lines for p in key} or part == first["loc"][-1])
    line = next((lines[path[:k]] for k in range(len(path), -1, -1) if path[:k] in lines), 1)
    key = ".".join(str(part) for part in path)
    where = f"{source}, line {line}"
    if first["type"] == "extra_forbidden":
        owners: dict[Any, type[_Strict]] = {"problems": _Problem, "solvers": _Solver, "grids": _Grid, "small": _Small}
        owner = next((owners[p] for p in reversed(path[:-1]) if p in owners), _Suite)
        near = check.nearest(str(path[-1]), owner.model_fields) or f"known: {', '.join(owner.model_fields)}"
        raise UnknownNameError(check.message("key", "be a known name", repr(path[-1]), f"{near} {where}"))
    if first["type"] == "missing":
        raise InputError(check.message(key, "be given", "nothing", where))
    rule = first["msg"].removeprefix("Input should ")
    text = " ".join(repr(first["input"]).split())
    text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    raise InputError(check.message(key, rule, text, where))


def _read(text: str, source: str) -> tuple[Any, dict[tuple[Any, ...], int]]:
    """Return a YAML text as a tree, and the line of every path in it."""
    yaml: Any = check.package("yaml", extra="bench")

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # the package has no types
        """Reads 2e4 as a number, as YAML 1.2 does."""

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789"))
    try:
        node = yaml.compose(text, Loader=Loader)
        lines: dict[tuple[Any, ...], int] = {(): 1}
        if node is not None:
            _mark(yaml, node, (), lines, source)
        return yaml.load(text, Loader=Loader), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        said = getattr(error, "problem", None) or " ".join(str(error).split())
        raise InputError(check.message(source, "be YAML", f"{said} in {where}")) from error


def _mark(yaml: Any, node: Any, path: tuple[Any, ...], lines: dict[tuple[Any, ...], int], source: str) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, key.value)
            line = key.start_mark.line + 1
            got = f"{key.value!r} in line {lines.get(here)} and line {line}"
            check.that(here not in lines, source, "give every key once", got)
            lines[here] = line
            _mark(yaml, value, here, lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            lines[(*path, position)] = value.start_mark.line + 1
            _mark(yaml, value, (*path, position), lines, source)
