// One panel of the chart: axes, cases with their intervals, and lines through those that belong together.

const MARGIN = { left: 62, right: 12, top: 24, bottom: 40 };
const MOST_TICKS = 12;
const REACH = 24; // pixels around a case in which a pointer means it
const INTERVALS = { time_s: ["time_low_s", "time_high_s"] };
const TOGETHER = [ // columns that vary as one
  ["resolution", "height", "width", "image_size"],
  ["dim_qk", "dim_v", "scale"],
];

// `rows` are those of all panels that share its axes.
function drawPanel(panel, rows, chart) {
  const { width, height } = chart.size;
  const places = placing(rows, chart);
  const marks = panel.rows.map((row) => ({ row, ...places.of(row) }));
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group" },
    ...axisY(rows, places.y, chart), ...axisX(rows, places.x, chart),
    shape("text", { x: MARGIN.left, y: 14, class: "title" }, panel.title),
    ...lines(marks, chart), ...marks.flatMap((mark) => drawInterval(mark, places.y, chart)),
    ...marks.map((mark) => drawMark(mark, chart)));
  svg.setAttribute("aria-label", panel.title || chart.y.head);
  for (const kind of ["pointermove", "pointerdown"]) {
    svg.addEventListener(kind, (event) => chooseNearest(event, svg, marks, chart));
  }
  return svg;
}

// From values to pixels on both axes, and from a case to its place.
function placing(rows, chart) {
  const { x, y, state, size } = chart;
  const along = [MARGIN.left, size.width - MARGIN.right];
  const amounts = rows.map((row) => amount(x, row));
  const values = rows.flatMap((row) => [row[y.name], ...interval(y, row)]);
  const placeX = isNumber(x) ? scale(amounts, state.logx, along) : bands(distinct(x, rows), along);
  const placeY = scale(values, state.logy, [size.height - MARGIN.bottom, MARGIN.top]);
  const aside = isNumber(x) ? () => 0 : besides(chart, (along[1] - along[0]) / distinct(x, rows).length);
  const of = (row) => ({ x: placeX(amount(x, row)) + aside(row), y: placeY(row[y.name]) });
  return { x: placeX, y: placeY, of };
}

// Over a word, a colour's cases stand side by side with the others'.
function besides({ x, state, colours: { values } }, room) {
  if (values.length < 2 || state.colour === x.name) return () => 0;
  return (row) => 0.7 * room * ((values.indexOf(row[state.colour]) + 0.5) / values.length - 0.5);
}

function interval(y, row) {
  return (INTERVALS[y.name] ?? []).map((name) => row[name]).filter((value) => !empty(value));
}

function axisY(rows, place, { y, state, size }) {
  const right = size.width - MARGIN.right;
  const made = ticks(y, rows.map((row) => row[y.name]), state.logy).flatMap((value) => [
    shape("line", { class: "grid", x1: MARGIN.left, x2: right, y1: place(value), y2: place(value) }),
    shape("text", { x: MARGIN.left - 6, y: place(value) + 4, "text-anchor": "end" }, read(y, value)),
  ]);
  return [...made, shape("text", { x: right, y: 14, "text-anchor": "end" }, y.head)];
}

function axisX(rows, place, { x, state, size }) {
  const [left, right, bottom] = [MARGIN.left, size.width - MARGIN.right, size.height - MARGIN.bottom];
  const middle = (at, down, words) =>
    shape("text", { x: at, y: bottom + down, "text-anchor": "middle" }, words);
  return [
    shape("line", { class: "frame", x1: left, x2: right, y1: bottom, y2: bottom }),
    ...apart(labels(x, rows, place, state.logx)).map(({ at, words }) => middle(at, 15, words)),
    middle((left + right) / 2, 33, x.head),
  ];
}

// The values themselves where they are words or few.
function labels(x, rows, place, log) {
  const known = distinct(x, rows);
  if (!isNumber(x) || known.length <= MOST_TICKS) {
    return known.map((value) => ({ at: place(amount(x, { [x.name]: value })), words: read(x, value) }));
  }
  const written = ticks(x, rows.map((row) => amount(x, row)), log);
  return written.map((value) => ({ at: place(value), words: read(x, value) }));
}

// Of labels that would cover each other the later is left out.
function apart(all) {
  let end = -Infinity;
  return all.filter(({ at, words }) => {
    const half = 3.2 * words.length + 3;
    if (at - half < end) return false;
    end = at + half;
    return true;
  });
}

// Through cases that ask the same but for what x shows.
function lines(marks, { x, colours }) {
  if (!isNumber(x) || !x.asked) return [];
  const varying = TOGETHER.find((names) => names.includes(x.name)) ?? [x.name];
  const fixed = DATA.columns.filter((column) => column.asked && !varying.includes(column.name));
  const series = new Map();
  for (const mark of marks) {
    const key = JSON.stringify(fixed.map((column) => mark.row[column.name]));
    series.set(key, [...(series.get(key) ?? []), mark]);
  }
  return [...series.values()].filter((members) => members.length > 1).map((members) => shape("polyline", {
    class: "line",
    stroke: colours.of(members[0].row),
    points: members.sort((one, other) => one.x - other.x).map((mark) => `${mark.x},${mark.y}`).join(" "),
  }));
}

function drawInterval(mark, place, { y, colours }) {
  const [low, high] = interval(y, mark.row);
  if (high === undefined) return [];
  const ends = { x1: mark.x, x2: mark.x, y1: place(low), y2: place(high) };
  return [shape("line", { class: "interval", stroke: colours.of(mark.row), ...ends })];
}

function drawMark(mark, { y, colours, onChoose }) {
  const made = shape("circle", {
    class: "mark", cx: mark.x, cy: mark.y, r: 4, fill: colours.of(mark.row), "data-place": mark.row.place,
    tabindex: -1, role: "img", "aria-label": `${mark.row.case}: ${read(y, mark.row[y.name])}`,
  });
  made.addEventListener("focus", () => onChoose(mark.row));
  made.addEventListener("keydown", (event) => focusNext(event, made));
  return made;
}

// One stop of the tab key for the whole chart; arrows go from case to case.
function focusNext(event, mark) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const marks = [...find("chart").querySelectorAll(".mark")];
  const next = marks[marks.indexOf(mark) + step];
  if (!next) return;
  event.preventDefault();
  mark.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

function chooseNearest(event, svg, marks, { size, onChoose }) {
  const box = svg.getBoundingClientRect();
  const x = ((event.clientX - box.left) * size.width) / box.width;
  const y = ((event.clientY - box.top) * size.width) / box.width;
  const far = (mark) => Math.hypot(mark.x - x, mark.y - y);
  const nearest = marks.reduce((best, mark) => (far(mark) < far(best) ? mark : best), marks[0]);
  if (nearest && far(nearest) < REACH) onChoose(nearest.row);
}
