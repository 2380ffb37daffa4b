// The table of all cases: sorted by any column, any column hidden, copied as CSV.

function tableColumns(state) {
  const shown = state.columns.split(",");
  return DATA.columns.filter((column) => shown.includes(column.name));
}

function sorted(rows, state) {
  const column = COLUMNS.get(state.sort.replace(/^-/, ""));
  return column ? [...rows].sort(compare(column, state.sort.startsWith("-") ? -1 : 1)) : rows;
}

// The order after the next click: up, down, as measured.
function nextSort(sort, name) {
  if (sort === name) return `-${name}`;
  return sort === `-${name}` ? "" : name;
}

function drawTable(rows, state, onSort, onChoose) {
  const columns = tableColumns(state);
  drawHead(columns, state, onSort);
  const made = sorted(rows, state).map((row) => bodyRow(row, columns, onChoose));
  find("table").tBodies[0].replaceChildren(...made);
  find("count").textContent = `${rows.length} of ${CASES.length} cases`;
}

// Head cells stay as they are while the columns do, so that the focus stays on them.
function drawHead(columns, state, onSort) {
  const head = find("table").tHead;
  if (head.dataset.columns !== state.columns) {
    head.dataset.columns = state.columns;
    head.replaceChildren(element("tr", {}, ...columns.map((column) => headCell(column, onSort))));
  }
  for (const cell of head.rows[0].cells) {
    const { name } = cell.dataset;
    const way = { [name]: "ascending", [`-${name}`]: "descending" }[state.sort];
    if (way) cell.setAttribute("aria-sort", way);
    else cell.removeAttribute("aria-sort");
  }
}

function headCell(column, onSort) {
  const button = element("button", { type: "button", title: `sort by ${column.name}` }, column.head);
  button.addEventListener("click", () => onSort(column.name));
  const cell = element("th", { scope: "col", className: isNumber(column) ? "number" : "" }, button);
  Object.assign(cell.dataset, { name: column.name, head: column.head });
  return cell;
}

function bodyRow(row, columns, onChoose) {
  const cells = columns.map((column, place) => bodyCell(column, row, place === 0));
  const made = element("tr", { className: row.status === "ok" ? "" : "bad" }, ...cells);
  made.dataset.place = row.place;
  made.addEventListener("click", () => onChoose(row));
  return made;
}

// The first cell is a button, for those who use no mouse.
function bodyCell(column, row, first) {
  const value = row[column.name];
  const words = read(column, value);
  const content = first ? element("button", { type: "button", title: row.case }, words) : words;
  if (!isNumber(column)) return element("td", { className: column.name }, content);
  return element("td", { className: `number ${column.name}`, title: exactly(column, value) }, content);
}

// What is shown, in base units under the names of results.csv.
function csv(rows, state) {
  const columns = tableColumns(state);
  const lines = sorted(rows, state).map((row) => columns.map((column) => quoted(row[column.name])));
  return [columns.map((column) => column.name), ...lines].map((cells) => `${cells.join(",")}\n`).join("");
}

function quoted(value) {
  const written = empty(value) ? "" : String(value);
  return /[",\n\r]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written;
}

function makeColumnChoice(onChange) {
  for (const column of DATA.columns) {
    const box = element("input", { type: "checkbox", value: column.name, id: `column_${column.name}` });
    box.addEventListener("change", onChange);
    const label = element("label", { className: "tick", title: column.name }, box, ` ${column.head}`);
    find("columns").append(label);
  }
}

function checkedColumns() {
  return [...find("columns").querySelectorAll("input:checked")].map((box) => box.value).join(",");
}
