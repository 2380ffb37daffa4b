// From values to places on an axis, and which values are written there.

// From values to pixels; where all values are one it stands in the middle.
function scale(values, log, [from, to]) {
  const measure = log ? Math.log : (value) => value;
  const [low, high] = extent(values).map(measure);
  const pad = low === high ? 1 : 0.06 * (high - low);
  const size = high - low + 2 * pad;
  return (value) => from + ((to - from) * (measure(value) - low + pad)) / size;
}

// Places of words, side by side.
function bands(values, [from, to]) {
  const step = (to - from) / values.length;
  return (value) => from + step * (values.indexOf(value) + 0.5);
}

function extent(values) {
  const wider = ([low, high], value) => [Math.min(low, value), Math.max(high, value)];
  return values.reduce(wider, [Infinity, -Infinity]);
}

function ticks(column, values, log) {
  const [low, high] = extent(values);
  if (low === high) return [low];
  const units = DATA.units[column.kind] ?? [["", 1]];
  const [, unit] = units.find((entry) => high >= entry[1]) ?? units.at(-1);
  const ends = [low / unit, high / unit];
  const even = log ? logTicks(...ends, column.kind === "bytes") : [];
  const found = even.length > 1 ? even : linearTicks(...ends);
  return found.map((value) => value * unit);
}

function linearTicks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((digit) => digit * power >= rough);
  return range(Math.ceil(low / step), Math.floor(high / step)).map((count) => count * step);
}

// Powers of two for bytes; else 1, 2 and 5 of each power of ten, or the powers alone where there are many.
function logTicks(low, high, binary) {
  const base = binary ? 2 : 10;
  const [first, last] = [low, high].map((value) => Math.log(value) / Math.log(base));
  const stride = Math.ceil((last - first) / 8);
  const digits = binary || last - first > 2.5 ? [1] : [1, 2, 5];
  const counts = range(Math.floor(first / stride), Math.ceil(last / stride));
  const found = counts.flatMap((count) => digits.map((digit) => digit * base ** (count * stride)));
  return found.filter((value) => between(value, low, high));
}

function range(first, last) {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => first + place);
}
