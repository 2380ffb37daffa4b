// The state of the page, kept in its address, and what each control does to it.

const UNFILTERED = Object.fromEntries(FILTERS.map((name) => [name, ""]));
const FIRST = {
  ...UNFILTERED,
  sort: "",
  columns: DATA.columns.filter((column) => column.shown).map((column) => column.name).join(","),
  x: preferred(ALONG, "resolution"),
  y: preferred(MEASURED, "time_s"),
  colour: preferred(GROUPING, "implementation", "model"),
  facet: preferred(GROUPING, "direction"),
  logx: "1",
  logy: "1",
};
const ALLOWED = { x: ALONG, y: MEASURED };
const state = { ...FIRST };

function preferred(columns, ...names) {
  return names.find((name) => columns.includes(COLUMNS.get(name))) ?? columns[0]?.name ?? "";
}

// Of the address only what is known; it holds what differs from the page as it opens.
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(FIRST)) {
    const value = given.get(name) ?? FIRST[name];
    const allowed = !ALLOWED[name] || ALLOWED[name].includes(COLUMNS.get(value));
    state[name] = allowed ? value : FIRST[name];
  }
}

function writeAddress() {
  const changed = Object.entries(state).filter(([name, value]) => value !== FIRST[name]);
  if (changed.length || location.hash.includes("=")) {
    history.replaceState(null, "", changed.length ? `#${new URLSearchParams(changed)}` : "#explorer");
  }
}

function showState() {
  for (const name of ["x", "y", "colour", "facet", ...FILTERS]) find(name).value = state[name];
  for (const name of ["logx", "logy"]) find(name).checked = state[name] !== "";
  for (const name of FILTERS) find(name).classList.toggle("used", state[name] !== "");
  const columns = state.columns.split(",");
  for (const box of find("columns").querySelectorAll("input")) box.checked = columns.includes(box.value);
  find("logx").disabled = !isNumber(COLUMNS.get(state.x));
}

function draw() {
  const rows = matching(state);
  showState();
  drawTable(rows, state, (name) => change({ sort: nextSort(state.sort, name) }), choose);
  drawChart(rows, state, choose);
}

function change(changes) {
  Object.assign(state, changes);
  writeAddress();
  draw();
}

// The chosen case, in words; marked in the chart and in the table.
function choose(row) {
  for (const marked of document.querySelectorAll(".chosen")) marked.classList.remove("chosen");
  for (const same of document.querySelectorAll(`[data-place="${row.place}"]`)) same.classList.add("chosen");
  const entry = ([term, words]) => [element("dt", {}, term), element("dd", {}, words)];
  find("chosen").querySelector("dl").replaceChildren(...described(row).flatMap(entry));
  find("chosen").hidden = false;
}

function described(row) {
  const entries = [["case", element("code", {}, row.case)]];
  if (!empty(row.time_s)) entries.push(["time", timeOf(row)]);
  for (const name of [state.y, state.x]) {
    const column = COLUMNS.get(name);
    if (empty(row[name]) || column.asked || name === "time_s") continue;
    entries.push([column.head, `${read(column, row[name])} (${exactly(column, row[name])})`]);
  }
  if (!empty(row.reason)) entries.push([row.status, row.reason]);
  if (!empty(row.traceback)) entries.push(["traceback", element("pre", {}, row.traceback)]);
  const again = row.command ? [["again with", element("code", {}, ...optionByOption(row.command))]] : [];
  return [...entries, ...again];
}

function timeOf(row) {
  const [low, high] = [row.time_low_s, row.time_high_s];
  const interval = empty(low) ? "" : `, 95 % interval ${READ.seconds(low)} to ${READ.seconds(high)}`;
  return `${READ.seconds(row.time_s)}${interval}; ${row.samples} samples`;
}

// A line is broken between options, not within one.
function optionByOption(command) {
  return command.split(/ (?=--)/).flatMap((words) => [element("span", {}, words), " "]);
}

async function copy() {
  try {
    await navigator.clipboard.writeText(csv(matching(state), state));
    find("copied").textContent = "copied";
  } catch (refused) {
    find("copied").textContent = `not copied: ${refused.message}`;
  }
}

function listen() {
  for (const form of [find("filters"), find("axes")]) {
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", ({ target }) => change({ [target.id]: given(target) }));
  }
  find("reset").addEventListener("click", () => change(UNFILTERED));
  find("copy").addEventListener("click", copy);
  find("close").addEventListener("click", () => { find("chosen").hidden = true; });
  addEventListener("resize", () => drawChart(matching(state), state, choose));
  addEventListener("hashchange", () => { if (location.hash.includes("=")) { readAddress(); draw(); } });
}

function given(control) {
  if (control.type !== "checkbox") return control.value;
  return control.checked ? "1" : "";
}

find("ask").hidden = false;
makeFilters();
makeAxes();
makeColumnChoice(() => change({ columns: checkedColumns() }));
listen();
readAddress();
draw();
