// The chart: any column over any other, a colour and a panel for each value of two more.

const MOST_GROUPS = 24; // panels, colours, words along x
const MOST_ACROSS = 3;
const LEAST_WIDTH = 360;
const GAP = 12;
const PLAIN = "#7a828c"; // of cases that no colour stands for

const MEASURED = DATA.columns.filter((column) => isNumber(column) && !column.asked);
const GROUPING = DATA.columns.filter((column) => distinct(column, CASES).length <= MOST_GROUPS);
const ALONG = DATA.columns.filter((column) => isNumber(column) || GROUPING.includes(column));

function makeAxes() {
  const options = (columns) => columns.map((column) => option([column.name, column.head]));
  find("y").append(...options(MEASURED));
  find("x").append(...options(ALONG));
  for (const id of ["colour", "facet"]) find(id).append(option(["", "nothing"]), ...options(GROUPING));
}

function drawChart(rows, state, onChoose) {
  const [x, y] = [COLUMNS.get(state.x), COLUMNS.get(state.y)];
  if (!y) return; // nothing was measured
  const shown = rows.filter((row) => drawable(x, row, state.logx) && drawable(y, row, state.logy));
  const panels = grouped(shown, COLUMNS.get(state.facet));
  const colours = coloured(shown, COLUMNS.get(state.colour));
  const chart = { x, y, state, colours, size: layOut(panels.length), onChoose };
  find("chart").replaceChildren(...panels.map((panel) => drawPanel(panel, alike(panel, panels), chart)));
  find("chart").querySelector(".mark")?.setAttribute("tabindex", "0");
  find("legend").replaceChildren(...colours.legend.map(legendEntry));
  find("drawn").textContent = `${shown.length} of ${rows.length} cases drawn`
    + (shown.length < rows.length ? `; the others have no ${y.head} over ${x.head} that can be drawn` : "");
}

// A logarithm has no place for zero.
function drawable(column, row, log) {
  const value = amount(column, row);
  return !isNumber(column) || (!empty(value) && (!log || value > 0));
}

function grouped(rows, column) {
  if (!column) return [{ title: "", rows }];
  return distinct(column, rows).map((value) => ({
    title: `${column.head}: ${read(column, value)}`,
    rows: rows.filter((row) => row[column.name] === value),
  }));
}

// Panels of one kind of workload share their axes.
function alike(panel, panels) {
  const kinds = ({ rows }) => [...new Set(rows.map((row) => row.workload))].sort().join();
  return panels.filter((other) => kinds(other) === kinds(panel)).flatMap((other) => other.rows);
}

// As many panels side by side as stay readable, in rows as full as can be.
function layOut(panels) {
  const room = find("chart").clientWidth;
  const most = Math.max(1, Math.min(MOST_ACROSS, Math.floor(room / LEAST_WIDTH)));
  const across = Math.max(1, Math.ceil(panels / Math.ceil(panels / most)));
  find("chart").style.gridTemplateColumns = `repeat(${across}, minmax(0, 1fr))`;
  const width = Math.floor((room - GAP * (across - 1)) / across);
  return { width, height: Math.round(Math.min(420, Math.max(260, 0.65 * width))) };
}

// Implementations have the colours of the figures; other values take those in turn.
function coloured(rows, column) {
  const values = column ? distinct(column, rows) : [];
  const own = column?.name === "implementation" ? DATA.colours : {};
  const turn = (place) => DATA.palette[place % DATA.palette.length];
  const hue = (value, place) => (empty(value) ? PLAIN : own[value] ?? turn(place));
  const hues = new Map(values.map((value, place) => [value, hue(value, place)]));
  return {
    values,
    of: (row) => hues.get(row[column?.name]) ?? PLAIN,
    legend: values.map((value) => [read(column, value), hues.get(value)]),
  };
}

function legendEntry([words, colour]) {
  const dot = element("i", {});
  dot.style.background = colour;
  return element("li", {}, dot, words);
}
