"""The page to look around in a front, and what a browser makes of it."""

import json
import shutil

import numpy as np
import pytest
import torch

import paretokit as pk
from paretokit import plots
from paretokit.core import Front, InputError, Objective


def two_fronts():
    draw = np.random.default_rng(0)
    objectives = (Objective("cost", unit="EUR"), Objective("yield", sense="max"), Objective("time"))
    fronts = {}
    for name, shift in (("first", 0.0), ("second <b>", 0.2)):
        points = draw.random((30, 3))
        points = points / np.linalg.norm(points, axis=1, keepdims=True) + shift
        fronts[name] = Front.from_values(points * [1, -1, 1], objectives=objectives, x=draw.random((30, 2)))
    return fronts


def test_the_data_are_values_owners_and_decisions_with_the_better_end_upwards():
    fronts = two_fronts()
    data = plots.explorer_data(fronts)
    values = torch.cat([f.values for f in fronts.values()])
    assert data["values"] == values.tolist()
    assert data["owner"] == [0] * len(fronts["first"]) + [1] * len(fronts["second <b>"])
    assert [o["label"] for o in data["objectives"]] == ["cost [EUR]", "yield", "time"]
    lows, highs = values.amin(0).tolist(), values.amax(0).tolist()
    assert data["objectives"][0]["range"] == [highs[0], lows[0]]
    assert data["objectives"][1]["range"] == [lows[1], highs[1]]
    assert data["decision"][0].startswith("x = (0.")
    assert data["safe"] == ["first", "second &lt;b&gt;"]


def test_designs_are_told_in_the_problems_words():
    problem = pk.problems.make("ngrams-v1")
    result = pk.solve(problem, pk.solvers.RandomSearch(pop_size=20), budget=pk.Budget(iterations=2), progress=False)
    assert plots.explorer_data(result.front)["decision"] == problem.describe_decisions(result.front.x)
    front = Front.from_values([[0.0, 1.0], [1.0, 0.0]])
    assert plots.explorer_data(front)["decision"] == ["no decision is kept"] * 2


def test_a_flat_objective_has_a_range():
    data = plots.explorer_data(Front.from_values([[1.0, 2.0]]))
    assert data["objectives"][0]["range"] == [1.5, 0.5]


def test_the_page_is_one_file_and_text_cannot_leave_its_place(tmp_path):
    pytest.importorskip("plotly")
    front = Front.from_values([[0.0, 1.0], [1.0, 0.0]], objectives=["</script><i>", "<!--"])
    page = plots.explorer(front, tmp_path / "page.html", title="a <b> & c").read_text(encoding="utf-8")
    assert "<title>a &lt;b&gt; &amp; c</title>" in page
    assert "</script><i>" not in page
    payload = page.split('<script id="data" type="application/json">')[1].split("</script>")[0]
    assert json.loads(payload)["objectives"][0]["label"] == "</script><i>"


@pytest.mark.parametrize(
    ("front", "line"),
    [
        (Front.from_values([[1.0]]), "`front` must have at least two objectives; got 1"),
        (Front.from_values(np.zeros((0, 2))), "`front` must hold a point; got none"),
        (3, "`front` must be a front or hold at least one|not iterable"),
    ],
)
def test_bad_fronts_get_one_line(front, line):
    with pytest.raises((InputError, TypeError), match=line):
        plots.explorer_data(front)


def test_the_folder_must_exist(tmp_path):
    with pytest.raises(InputError, match="`path` must lie in an existing folder; got .*nowhere"):
        plots.explorer(Front.from_values([[0.0, 1.0]]), tmp_path / "nowhere" / "page.html")


@pytest.fixture
def page(tmp_path):
    """The page of two fronts in a headless Chromium: playwright's own, or the system's."""
    pytest.importorskip("plotly")
    api = pytest.importorskip("playwright.sync_api")
    file = plots.explorer(two_fronts(), tmp_path / "page.html")
    system = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    options = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with api.sync_playwright() as player:
        try:
            browser = player.chromium.launch(executable_path=system, args=options)
        except api.Error as error:
            pytest.skip(f"no Chromium here: {str(error).splitlines()[0]}")
        opened = browser.new_page(viewport={"width": 1300, "height": 950})
        faults = []
        opened.on("pageerror", lambda fault: faults.append(str(fault)))
        opened.goto(file.as_uri(), wait_until="commit")
        opened.wait_for_function(
            "document.body.dataset.ready === 'yes' && document.body.dataset.selected", timeout=120_000
        )
        yield opened
        assert faults == []
        browser.close()


def selected(page):
    return json.loads(page.evaluate("document.body.dataset.selected"))


def drag(page, start, stop):
    page.mouse.move(*start)
    page.mouse.down()
    for part in (0.25, 0.5, 0.75, 1.0):
        page.mouse.move(*(a + part * (b - a) for a, b in zip(start, stop, strict=True)))
    page.mouse.up()
    page.wait_for_timeout(1500)


@pytest.mark.slow
def test_in_a_browser_brushing_and_selecting_are_joined(page):
    data = plots.explorer_data(two_fronts())
    values = np.array(data["values"])
    assert selected(page) == list(range(len(values)))

    box = page.locator("#parallel .axis-brush").nth(1).bounding_box()  # of "yield", which is maximized
    x = box["x"] + box["width"] / 2
    drag(page, (x, box["y"] + 0.1 * box["height"]), (x, box["y"] + 0.55 * box["height"]))
    low, high = page.evaluate("document.getElementById('parallel').data[0].dimensions[1].constraintrange")
    brushed = np.nonzero((values[:, 1] >= low) & (values[:, 1] <= high))[0].tolist()
    ends = data["objectives"][1]["range"]
    assert low == pytest.approx(ends[1] - 0.55 * (ends[1] - ends[0]), abs=0.1 * (ends[1] - ends[0]))
    assert 0 < len(brushed) < len(values)
    assert selected(page) == brushed
    assert page.locator("#count").inner_text() == f"{len(brushed)} of {len(values)} solutions selected"
    assert page.locator("#rows tr").count() == len(brushed)
    marks = page.evaluate("document.getElementById('scatter').data.map(t => t.selectedpoints)")
    first = data["owner"].count(0)
    assert [*marks[0], *(first + k for k in marks[1])] == brushed
    hues = page.evaluate("Array.from(document.getElementById('parallel').data[0].line.color)")
    assert [k for k, hue in enumerate(hues) if hue > 0] == brushed

    area = page.locator("#scatter .nsewdrag").bounding_box()
    left, top = area["x"] + 2, area["y"] + 2
    drag(page, (left, top), (left + 0.5 * area["width"], top + area["height"] - 4))
    middle = page.evaluate(
        "(() => { const a = document.getElementById('scatter')._fullLayout.xaxis; return a.p2d(a._length / 2 + 2); })()"
    )
    both = [k for k in brushed if values[k, 0] <= middle]
    assert 0 < len(both) < len(brushed)
    assert selected(page) == both

    page.locator("#rows tr").first.click()
    assert page.evaluate("document.body.dataset.kept") == str(both[0])
    assert data["decision"][both[0]] in page.locator("#decision").inner_text()

    page.locator("#reset").click()
    page.wait_for_function(f"JSON.parse(document.body.dataset.selected).length === {len(values)}", timeout=30_000)
    assert page.locator("#decision").inner_text() == "no solution picked"


@pytest.mark.slow
def test_in_a_browser_pointing_at_a_solution_tells_its_decision(page):
    data = plots.explorer_data(two_fronts())
    place = page.evaluate(
        "(() => { const d = document.getElementById('scatter'), l = d._fullLayout, b = d.getBoundingClientRect();"
        "return [b.left + l.xaxis._offset + l.xaxis.d2p(d.data[0].x[0]),"
        " b.top + l.yaxis._offset + l.yaxis.d2p(d.data[0].y[0])]; })()"
    )
    page.mouse.move(place[0] + 3, place[1])
    page.mouse.move(*place)
    page.wait_for_function("document.getElementById('decision').textContent.indexOf('x = ') > 0", timeout=30_000)
    shown = page.locator("#decision").inner_text()
    near = [text for text in data["decision"] if text in shown]
    assert near
    page.locator("#x").select_option("2")
    page.wait_for_timeout(1000)
    assert page.evaluate("document.getElementById('scatter').layout.xaxis.title.text") == "← time"
