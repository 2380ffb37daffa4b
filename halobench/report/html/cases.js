"use strict";
// The cases of the run, and how elements of the page are made of them: always as text, never as markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const COLUMNS = new Map(DATA.columns.map((column) => [column.name, column]));
const CASES = DATA.rows.map((values, place) => ({ place, ...named(values) }));

function named(values) {
  return Object.fromEntries(DATA.columns.map((column, place) => [column.name, values[place]]));
}

function empty(value) {
  return value === null || value === undefined || value === "";
}

function isNumber(column) {
  return column.kind !== "word";
}

// What a case is sorted and drawn by: of a resolution the side of a square as large.
function amount(column, row) {
  const value = row[column.name];
  if (column.kind !== "resolution" || empty(value)) return value;
  const [height, width] = value.split("x").map(Number);
  return Math.sqrt(height * width);
}

// Empty ones last, whichever way the others go; implementations as in every legend.
function compare(column, direction) {
  const names = Object.keys(DATA.colours);
  const key = (row) => (column.name === "implementation" && row.implementation
    ? names.indexOf(row.implementation) : amount(column, row));
  return (one, other) => {
    const [a, b] = [key(one), key(other)];
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    return direction * (typeof a === "number" ? a - b : a.localeCompare(b));
  };
}

// The values that occur, each once, in order.
function distinct(column, rows) {
  return [...new Set([...rows].sort(compare(column, 1)).map((row) => row[column.name]))];
}

function between(value, least, most) {
  return least <= value && value <= most;
}

function find(id) {
  return document.getElementById(id);
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function shape(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
