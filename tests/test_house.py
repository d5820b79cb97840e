"""The rules of the house: what a reviewer would look for by hand."""

from __future__ import annotations

import ast
import configparser
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import paretokit

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "paretokit"
SOURCES = sorted(PACKAGE.rglob("*.py"))
ALL_FILES = [
    f for folder in ("paretokit", "tests", "benchmarks", "tutorials") for f in sorted((ROOT / folder).rglob("*.py"))
]
ROOMS = (
    *("core", "decision", "indicators", "nn", "plots", "problems"),
    *("problems.adaptation", "problems.continual", "problems.design"),
    *("problems.merging", "problems.morl", "problems.multitask", "run", "scalarization", "solvers"),
    *("solvers.adaptation", "solvers.continual", "solvers.gflownet", "solvers.gradient", "solvers.merging"),
    *("solvers.morl", "testing", "tuning", "bench"),
)
HEAVY = (
    *("RNA", "botorch", "gpytorch", "joblib", "matplotlib", "mo_gymnasium", "moocore", "numba", "pandas", "pygmo"),
    *("optuna", "pydantic", "pymoo", "rdkit", "scipy"),
)
# The contract's words: options go to the class that a name stands for, and are checked there against its own.
FORWARDERS = {"make", "pygmo", "pymoo"}
SURFACE = Path(__file__).parent / "surface.json"


def surface() -> dict[str, list[str]]:
    rooms = {"paretokit": paretokit, **{r: importlib.import_module(f"paretokit.{r}") for r in ROOMS}}
    return {name: list(room.__all__) for name, room in rooms.items()}


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_importing_the_package_imports_nothing_heavy():
    code = f"import paretokit, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_room_can_be_entered_without_anything_heavy():
    rooms = [f"paretokit.{room}" for room in ROOMS]
    code = f"import importlib, sys\nfor room in {rooms!r}: importlib.import_module(room)\n"
    code += f"print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_surface_is_the_recorded_one():
    recorded, found = json.loads(SURFACE.read_text("utf-8")), surface()
    for room in found:
        gone = sorted(set(recorded[room]) - set(found[room]))
        new = sorted(set(found[room]) - set(recorded[room]))
        assert not gone, f"{room} lost {gone}: deprecate first, or run `python tests/test_house.py` on purpose"
        assert not new, f"{room} has new names {new}: run `python tests/test_house.py` and commit tests/surface.json"
    assert recorded.keys() == found.keys()


@pytest.mark.parametrize("room", ["paretokit", *ROOMS])
def test_public_names_are_sorted_resolve_and_are_documented(room):
    module = paretokit if room == "paretokit" else importlib.import_module(f"paretokit.{room}")
    names = list(module.__all__)
    assert len(set(names)) == len(names)
    assert names == sorted(names) or names == sorted(names, key=_case)
    for name in names:
        item = getattr(module, name)
        if inspect.isclass(item) or inspect.isfunction(item):
            first = (item.__doc__ or "").strip().partition("\n")[0]
            assert first, f"{room}.{name} has no docstring"
            assert not first.startswith(f"{name}("), f"{room}.{name} has only the signature that dataclass writes"


def _case(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: the order in which ruff sorts `__all__`."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("room", ["paretokit", *ROOMS])
def test_public_functions_take_few_positional_arguments_and_no_open_keywords(room):
    module = paretokit if room == "paretokit" else importlib.import_module(f"paretokit.{room}")
    for name in module.__all__:
        item = getattr(module, name)
        if not inspect.isfunction(item):
            continue
        parameters = inspect.signature(item).parameters.values()
        if name not in FORWARDERS:
            assert not any(p.kind is p.VAR_KEYWORD for p in parameters), f"{room}.{name} takes **keywords"
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        assert len(positional) <= 3, f"{room}.{name} takes {len(positional)} positional arguments"


@pytest.mark.parametrize("file", ALL_FILES, ids=relative)
def test_no_file_is_longer_than_400_lines(file):
    lines = len(file.read_text("utf-8").splitlines())
    assert lines <= 400, f"{relative(file)} has {lines} lines; give a concept its own module"


def _calls(tree: ast.AST) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


FORBIDDEN = re.compile(
    r"^(np|numpy)\.random\.(?!(Generator|default_rng|SeedSequence|PCG64|Philox|get_state|set_state)$)"
    r"|^torch\.(manual_seed|seed|set_default_\w+)$|^random\.\w+$|^pickle\.\w+$|^(eval|exec|breakpoint)$"
    r"|^warnings\.filterwarnings$"
)
# The guard around foreign code that reads global generators: it seeds and restores them.
GUARDS = {
    "paretokit/solvers/evolutionary/_foreign.py",
    "paretokit/problems/_foreign.py",
    "paretokit/problems/morl/_live.py",
}


@pytest.mark.parametrize("file", SOURCES, ids=relative)
def test_the_library_prints_nothing_seeds_nothing_and_hides_no_error(file):
    tree = ast.parse(file.read_text("utf-8"))
    calls = _calls(tree)
    if "cli" not in file.parts:
        assert "print" not in calls
    if relative(file) not in GUARDS:
        assert not [call for call in calls if FORBIDDEN.match(call)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except in line {node.lineno}"
            blanket = ast.unparse(node.type) in ("Exception", "BaseException")
            kept = node.name is not None or any(isinstance(n, ast.Raise) for n in ast.walk(node))
            assert not blanket or kept, f"line {node.lineno} swallows every error"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            roots = {name.partition(".")[0] for name in names}
            assert not roots & {"pickle", "problems", "solvers", "indicators"}, f"line {node.lineno}: {names}"


@pytest.mark.parametrize("file", SOURCES, ids=relative)
def test_modules_start_with_a_docstring_and_hold_no_mutable_state(file):
    tree = ast.parse(file.read_text("utf-8"))
    if not tree.body:
        return
    assert ast.get_docstring(tree), "no docstring"
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Global)], "`global` is module state"


def test_the_doors_lead_to_the_rooms():
    for name in ("indicators", "problems", "solvers"):
        link = ROOT / name
        assert link.is_symlink()
        assert os.readlink(link) == f"paretokit/{name}"  # noqa: PTH115 - the text of the link, unresolved


def test_tools_walk_each_file_once():
    shown = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--show-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    files = [Path(line).relative_to(ROOT).parts[0] for line in shown]
    assert "paretokit" in files
    assert not {"indicators", "problems", "solvers"} & set(files)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    assert settings["mypy"]["files"] == ["paretokit"]
    assert settings["pytest"]["ini_options"]["testpaths"] == ["tests"]


def test_constraints_pin_and_satisfy_every_requirement():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    asked = config["options"]["install_requires"].splitlines()
    asked += [line for extra in config["options.extras_require"].values() for line in extra.splitlines()]
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = {_name(q.name): q for q in map(Requirement, (x for x in lines if x and not x.startswith("#")))}
    for requirement in (Requirement(line) for line in asked if line and not line.startswith("#")):
        if requirement.name == "paretokit":
            continue
        pin = pins[_name(requirement.name)]
        (version,) = (s.version for s in pin.specifier if s.operator == "==")
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} against {version}"
        assert "+" not in version, f"{pin} has a local version, which no index holds"


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def test_citation_and_package_agree_on_version_and_licence():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"version: {paretokit.__version__}\n" in citation
    assert "license: MIT" in citation
    assert (
        (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License\n\nCopyright (c) 2026 The paretokit developers")
    )


def test_every_make_target_is_told_by_help():
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = next(line for line in text.splitlines() if line.startswith(".PHONY:")).split()[1:]
    shown = re.findall(r"^([a-z-]+):.*  ## ", text, flags=re.MULTILINE)
    assert sorted(phony) == sorted(shown)
    for command in re.findall(r"`?make ([a-z-]+)", (ROOT / "README.md").read_text("utf-8")):
        assert command in phony


if __name__ == "__main__":
    SURFACE.write_text(json.dumps(surface(), indent=1) + "\n", encoding="utf-8")
