/** What the page says of a metric over a length of time, of values from the source of the newest one and by one clock. */

import { changeOf, heldSince, plotted, sourceName } from "./timeline.js";

/** @typedef {import("./row.js").Row} Row */
/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {{from: number, to: number}} Window  Unix seconds. */

export { changeOf, heldSince };

/** @param {number} now Unix seconds  @param {"local"|"utc"} zone  @returns {number} the last midnight, Unix seconds */
export function startOfDay(now, zone) {
  const day = new Date(now * 1000);
  return (zone === "utc" ? day.setUTCHours(0, 0, 0, 0) : day.setHours(0, 0, 0, 0)) / 1000;
}

/** @param {Row[]} rows  @param {Metric} metric  @param {number} from  @returns {Row[]} those with a value, of the newest one's source and clock */
function comparable(rows, metric, from) {
  let index = rows.length - 1;
  const source = sourceName(rows[index]?.sources[metric.group]);
  while (index > 0 && sourceName(rows[index - 1].sources[metric.group]) === source && !rows[index].clockStep) index -= 1;
  return rows.slice(Math.max(index, 0)).filter((row) => row.time >= from && plotted(row, metric.key) !== null);
}

/**
 * @param {Row[]} rows  @param {Metric} metric  @param {Window} window
 * @returns {{low: number, high: number}|null} the true lowest and highest value, also within buckets; null: there is none
 */
export function rangeOf(rows, metric, { from }) {
  const known = comparable(rows, metric, from).map(({ values }) => values[metric.key]);
  const low = Math.min(...known.map((summary) => summary?.min ?? Infinity));
  const high = Math.max(...known.map((summary) => summary?.max ?? -Infinity));
  return known.length ? { low, high } : null;
}

/**
 * @param {Row[]} rows  @param {Metric} metric  @param {Window} window
 * @returns {{drawdown: number, peak: number}|null} how far the newest value lies below the highest one; 0 or more
 */
export function drawdownOf(rows, metric, window) {
  const end = rows.at(-1)?.values[metric.key]?.last;
  const range = rangeOf(rows, metric, window);
  return range && typeof end === "number" ? { drawdown: Math.max(range.high - end, 0), peak: range.high } : null;
}
