"""Tutorials and the Python in README and docs are run, and their links lead somewhere."""

from __future__ import annotations

import ast
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TUTORIALS = sorted((ROOT / "tutorials").glob("*.py"))
SLOW = {
    *("tutorials/02_morl.py", "tutorials/03_design.py", "tutorials/04_model_merging.py"),
    "tutorials/05_domain_adaptation.py",
    "tutorials/06_continual_learning.py",
}
WORDS = {"docs/reproductions.md"}  # tables only
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run in an empty folder, without windows, and leave no figure open."""
    import matplotlib as mpl

    monkeypatch.chdir(tmp_path)
    with mpl.rc_context({"backend": "agg"}):
        yield
        import matplotlib.pyplot as plt

        plt.close("all")


@pytest.mark.parametrize(
    "tutorial",
    [pytest.param(t, marks=[pytest.mark.slow] if name(t) in SLOW else [], id=name(t)) for t in TUTORIALS],
)
def test_tutorials_run(tutorial, capsys, monkeypatch):
    for variable in ("SDL_VIDEODRIVER", "SDL_AUDIODRIVER", "MUJOCO_GL"):  # set by tutorials; put back afterwards
        monkeypatch.setenv(variable, {"MUJOCO_GL": "egl"}.get(variable, "dummy"))
    runpy.run_path(str(tutorial))
    assert capsys.readouterr().out


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=name)
def test_tutorials_name_only_what_exists(tutorial):
    import paretokit as pk

    chains = set()
    for node in ast.walk(ast.parse(tutorial.read_text("utf-8"))):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if parts and isinstance(node, ast.Name) and node.id == "pk":
            chains.add(tuple(reversed(parts)))
    assert len(chains) > 5
    for chain in chains:
        found = pk
        for part in chain:
            found = getattr(found, part)


def test_options_of_solvers_in_slow_tutorials_are_known():
    import paretokit as pk

    solvers = {"CMORL", "MOGFN", "MORLD", "MultiPolicyQ", "NSGA2", "OPGFN"}
    solvers |= {"ExperienceReplay", "GEM", "IBCL", "PreferenceRehearsal", "VCL"}
    solvers |= {"AdaMerging", "PreferenceMerging", "SurrogateMerging", "TIES", "TaskArithmetic"}
    made = 0
    for tutorial in sorted(SLOW):
        for node in ast.walk(ast.parse((ROOT / tutorial).read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in solvers:
                known = set(getattr(pk.solvers, node.func.attr).__dataclass_fields__)
                assert {keyword.arg for keyword in node.keywords} <= known
                made += 1
    assert made > 5


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_in_pages_runs_from_top_to_bottom(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    assert blocks or name(page) in WORDS
    space = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, name(page), "exec", dont_inherit=True), space)


@pytest.mark.parametrize("page", LINKED, ids=name)
def test_links_lead_to_files(page):
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_readme_counts_solvers_and_the_demos_panels_right():
    import paretokit as pk
    from paretokit.cli._demo_panels import panels

    text = (ROOT / "README.md").read_text("utf-8")
    offered = [record for record in pk.solvers.list() if not record.excluded]
    count = {source: sum(r.source == source for r in offered) for source in ("pymoo", "pygmo")}
    assert f"any of {len(offered)} solvers" in text
    assert f"{count['pymoo']} algorithms of pymoo and {count['pygmo']} of pygmo" in text
    numbers = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    assert f"solves {numbers[len(panels())]} problems" in text
    adapters = f"{count['pymoo'] + count['pygmo']} algorithms of two libraries"
    assert adapters in (ROOT / "docs" / "choose-a-solver.md").read_text("utf-8")


def test_every_page_and_room_is_in_the_documentation():
    start = (ROOT / "docs" / "index.md").read_text("utf-8").splitlines()
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert not sorted(pages - set(start)), "name them in a toctree of docs/index.md"
    listed = (ROOT / "docs" / "api" / "index.md").read_text("utf-8").splitlines()
    rooms = set(json.loads((ROOT / "tests" / "surface.json").read_text("utf-8"))) - {"paretokit"}
    assert not sorted(rooms - set(listed)), "name them in docs/api/index.md"
    for room in rooms:
        page = ROOT / "docs" / "api" / f"{room}.md"
        assert f"<!-- names of paretokit.{room} -->" in page.read_text("utf-8"), room


def test_docstrings_of_plain_text_become_restructured_text(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import _reading

    plain = ["Claims a_ | b*.", "", "    x = 1", "", "Args:", "    y: `Row`s `[n, m]` *.", "", ".. math:: a_i |x|"]
    assert _reading.restructured(plain)[:-1] == [
        *("Claims a\\_ \\| b\\*.", "", "", "::", "", "    x = 1", "", "Args:"),
        *("    y: `Row`\\ s `[n, m]` \\*.", "", ".. math:: a_i |x|"),
    ]


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "html")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "html" / "api" / "scalarization.html").read_text("utf-8")
    assert "paretokit.scalarization.tchebycheff" in page
    assert 'class="math' in page
    assert "A first front" in (tmp_path / "html" / "index.html").read_text("utf-8")
