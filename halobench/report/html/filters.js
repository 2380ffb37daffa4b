// Which cases are shown, in the chart and in the table: those that hold all words, and have every choice.

const MOST_CHOICES = 30;
const CHOICES = DATA.columns.filter((column) => column.shown && (column.asked || column.name === "status")
  && between(distinct(column, CASES).length, 2, MOST_CHOICES));
const FILTERS = ["search", ...CHOICES.map((column) => `only_${column.name}`)];
const WORDS = CASES.map((row) => DATA.columns.filter((column) => column.name !== "command")
  .map((column) => read(column, row[column.name])).join(" ").toLowerCase());

function matching(state) {
  const wanted = state.search.toLowerCase().split(/\s+/);
  const chosen = CHOICES.filter((column) => state[`only_${column.name}`] !== "");
  return CASES.filter((row) => wanted.every((word) => WORDS[row.place].includes(word))
    && chosen.every((column) => read(column, row[column.name]) === state[`only_${column.name}`]));
}

// A choice for each column of words, and of numbers with few values, in which the cases differ.
function makeFilters() {
  for (const column of CHOICES) {
    const values = distinct(column, CASES).map((value) => read(column, value));
    const options = [["", "all"], ...values.map((value) => [value, value])];
    const choice = element("select", { id: `only_${column.name}` }, ...options.map(option));
    find("reset").before(element("label", {}, `${column.head} `, choice));
  }
}

function option([value, words]) {
  return element("option", { value }, words);
}
