"""The page of the explorer: markup, style, and the script that joins the two pictures."""

from __future__ import annotations

STYLE = """
:root { --ink: #222; --soft: #6b6b6b; --line: #e3e3e3; }
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem 1.4rem; color: var(--ink); font: 15px/1.45 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.3rem; margin: 0 0 .2rem; }
.soft { color: var(--soft); font-size: .88rem; margin: 0 0 .6rem; }
.bar { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; align-items: center; margin-bottom: .4rem; }
.pair { display: grid; grid-template-columns: minmax(20rem, 1fr) minmax(24rem, 1.25fr); gap: 1rem; }
.pair > div { height: 27rem; min-width: 0; }
@media (max-width: 56rem) { .pair { grid-template-columns: 1fr; } }
#decision { min-height: 4.2rem; background: #f6f7f8; padding: .6rem .9rem; white-space: pre-wrap;
  overflow-wrap: anywhere; font: 13px/1.45 ui-monospace, monospace; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th { text-align: left; border-bottom: 1.5px solid var(--ink); padding: .25rem .9rem .25rem 0; }
td { border-bottom: 1px solid var(--line); padding: .25rem .9rem .25rem 0; }
tbody tr { cursor: pointer; } tbody tr:hover { background: #f3f6f9; }
.scroll { max-height: 22rem; overflow: auto; margin-top: .8rem; }
button, select { font: inherit; }
"""

BODY = """
<div class="bar">
  <label>across <select id="x"></select></label> <label>up <select id="y"></select></label>
  <span id="count"></span> <button id="reset">show all</button>
</div>
<div class="pair"><div id="scatter"></div><div id="parallel"></div></div>
<p class="soft">Point at a solution to read its decision, click to keep it. Drag along an upright axis to brush; drag
over the scatter to select. What both leave is listed below. Upwards is better on every upright axis.</p>
<div id="decision">no solution picked</div>
<div class="scroll"><table><thead id="head"></thead><tbody id="rows"></tbody></table></div>
"""

SCRIPT = """
(function () {
  'use strict';
  var data = JSON.parse(document.getElementById('data').textContent);
  var n = data.values.length, m = data.objectives.length, most = 200;
  var scatter = document.getElementById('scatter'), parallel = document.getElementById('parallel');
  var xs = document.getElementById('x'), ys = document.getElementById('y');
  var lasso = null, kept = null;
  var rowsOf = data.fronts.map(function (_, k) {
    return data.owner.reduce(function (rows, owner, i) { if (owner === k) { rows.push(i); } return rows; }, []);
  });
  var column = function (j, rows) { return rows.map(function (i) { return data.values[i][j]; }); };
  var everything = data.values.map(function (_, i) { return i; });
  var short = function (v) { return Number(v.toPrecision(6)).toString(); };

  data.objectives.forEach(function (o, j) {
    [xs, ys].forEach(function (box) { box.add(new Option(o.label, j)); });
  });
  xs.value = 0; ys.value = Math.min(1, m - 1);

  function say(i) {
    var lines = data.objectives.map(function (o, j) { return o.label + ' = ' + short(data.values[i][j]); });
    var name = data.fronts[data.owner[i]];
    return (name ? name + ', ' : '') + 'solution ' + data.row[i] + '\\n' + lines.join('   ') + '\\n' + data.decision[i];
  }
  function show(i) { if (kept === null) { document.getElementById('decision').textContent = say(i); } }
  function keep(i) {
    kept = i; document.getElementById('decision').textContent = say(i);
    document.body.dataset.kept = String(i);
  }

  function traces() {
    return data.fronts.map(function (name, k) {
      return {
        type: 'scatter', mode: 'markers', name: data.safe[k] || 'front', customdata: rowsOf[k],
        x: column(+xs.value, rowsOf[k]), y: column(+ys.value, rowsOf[k]),
        text: rowsOf[k].map(function (i) { return data.tip[i]; }),
        hovertemplate: '%{x:.6g}, %{y:.6g}<br>%{text}<extra>' + data.safe[k] + '</extra>',
        marker: { size: 8, color: data.colors[k] }, selected: { marker: { opacity: 1 } },
        unselected: { marker: { opacity: 0.12, color: '#888888' } }
      };
    });
  }
  function layout() {
    var axis = function (j) {
      return { title: { text: data.objectives[j].axis }, zeroline: false, gridcolor: '#e4e4e4', automargin: true };
    };
    return {
      margin: { l: 60, r: 15, t: 30, b: 55 }, dragmode: 'select', hovermode: 'closest', plot_bgcolor: '#ffffff',
      showlegend: data.fronts.length > 1, legend: { orientation: 'h', y: 1.1 },
      xaxis: axis(+xs.value), yaxis: axis(+ys.value)
    };
  }
  var k = data.fronts.length;
  var scale = [[0, '#d9d9d9'], [0.5 / (k + 0.5), '#d9d9d9']];
  data.colors.forEach(function (color, c) {
    scale.push([(c + 0.5) / (k + 0.5), color], [(c + 1.5) / (k + 0.5) > 1 ? 1 : (c + 1.5) / (k + 0.5), color]);
  });
  var hues = function (chosen) {
    var within = new Set(chosen);
    return everything.map(function (i) { return within.has(i) ? data.owner[i] + 1 : 0; });
  };
  var dimensions = data.objectives.map(function (o, j) {
    return { label: o.label, values: column(j, everything), range: o.range };
  });
  var options = { responsive: true, displaylogo: false };

  function brushed() {
    return everything.filter(function (i) {
      return parallel.data[0].dimensions.every(function (d, j) {
        var range = d.constraintrange;
        if (!range || !range.length) { return true; }
        var several = Array.isArray(range[0]) ? range : [range], v = data.values[i][j];
        return several.some(function (r) { return v >= Math.min(r[0], r[1]) && v <= Math.max(r[0], r[1]); });
      });
    });
  }
  function refresh() {
    var within = lasso === null ? null : new Set(lasso);
    var chosen = brushed().filter(function (i) { return within === null || within.has(i); });
    var all = chosen.length === n, has = new Set(chosen);
    var marks = rowsOf.map(function (rows) {
      if (all) { return null; }
      return rows.reduce(function (out, i, place) { if (has.has(i)) { out.push(place); } return out; }, []);
    });
    Plotly.restyle(scatter, { selectedpoints: marks });
    Plotly.restyle(parallel, { 'line.color': [hues(chosen)] });
    document.getElementById('count').textContent = chosen.length + ' of ' + n + ' solutions selected';
    document.body.dataset.selected = JSON.stringify(chosen);
    var body = document.getElementById('rows'); body.textContent = '';
    chosen.slice(0, most).forEach(function (i) {
      var line = body.insertRow();
      [data.fronts[data.owner[i]], String(data.row[i])].concat(data.values[i].map(short), [data.short[i]])
        .forEach(function (text) { line.insertCell().textContent = text; });
      line.onclick = function () { keep(i); };
    });
  }
  var head = document.getElementById('head').insertRow();
  ['', 'row'].concat(data.objectives.map(function (o) { return o.label; }), ['decision']).forEach(function (text) {
    var cell = document.createElement('th'); cell.textContent = text; head.appendChild(cell);
  });

  Plotly.newPlot(scatter, traces(), layout(), options);
  Plotly.newPlot(parallel, [{
    type: 'parcoords', dimensions: dimensions,
    line: { color: hues(everything), colorscale: scale, cmin: 0, cmax: k + 0.5 }
  }], { margin: { l: 70, r: 70, t: 60, b: 30 } }, { responsive: true, displayModeBar: false }).then(function () {
    parallel.on('plotly_restyle', function (e) {
      if (Object.keys(e[0]).some(function (name) { return name.indexOf('constraintrange') >= 0; })) { refresh(); }
    });
    document.body.dataset.ready = 'yes';
    refresh();
  });
  function listen() {
    scatter.on('plotly_hover', function (e) { show(e.points[0].customdata); });
    scatter.on('plotly_click', function (e) { keep(e.points[0].customdata); });
    scatter.on('plotly_selected', function (e) {
      var drawn = e && e.points && (e.range || e.lassoPoints);
      lasso = drawn ? e.points.map(function (p) { return p.customdata; }) : null; refresh();
    });
    scatter.on('plotly_deselect', function () { lasso = null; refresh(); });
  }
  listen();
  [xs, ys].forEach(function (box) {
    box.onchange = function () { lasso = null; Plotly.react(scatter, traces(), layout(), options).then(refresh); };
  });
  document.getElementById('reset').onclick = function () {
    lasso = null; kept = null; document.getElementById('decision').textContent = 'no solution picked';
    delete document.body.dataset.kept;
    var none = {};
    dimensions.forEach(function (_, j) { none['dimensions[' + j + '].constraintrange'] = null; });
    Plotly.restyle(parallel, none).then(function () {
      Plotly.react(scatter, traces(), Object.assign(layout(), { selections: [] }), options).then(refresh);
    });
  };
})();
"""
