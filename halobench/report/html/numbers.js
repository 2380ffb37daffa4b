// Numbers as people read them, as halobench/units.py writes them; units and prefixes come with the data.

const NOTHING = "-";

const READ = {
  word: (value) => String(value),
  resolution: (value) => String(value),
  number: three,
  seconds: (value) => prefixed(value, DATA.units.seconds),
  bytes: (value) => prefixed(value, DATA.units.bytes),
  flop: (value) => prefixed(value, DATA.units.flop),
  count: (value) => prefixed(value, DATA.units.count),
  ratio: (value) => `${three(value)}x`,
  percent: (value) => `${(100 * value).toFixed(1)}%`,
  spread: (value) => `±${(100 * value).toFixed(1)}%`,
};
const BASE = { seconds: " s", bytes: " B", flop: " FLOP" };

function read(column, value) {
  return empty(value) ? NOTHING : READ[column.kind](value);
}

// In full, in the base unit.
function exactly(column, value) {
  return empty(value) ? "" : `${value}${BASE[column.kind] ?? ""}`;
}

// Three digits, never an exponent.
function three(value) {
  const places = Math.max(0, 2 - Number(value.toExponential(2).split("e")[1]));
  const written = value.toFixed(Math.min(places, 100));
  return places ? written.replace(/\.?0+$/, "") : written;
}

function prefixed(value, units) {
  const size = Math.abs(value);
  const rounded = Math.max(size, Number(size.toPrecision(3))); // or 999.9 µs would be 1000 µs
  const [unit, scale] = units.find((entry) => rounded >= entry[1]) ?? units.at(-1);
  return `${three(value / scale)} ${unit}`.trimEnd();
}
