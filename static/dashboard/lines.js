/**
 * The lines of a metric's chart: what is real, what is simulated and what stood in for values, each a line of its own.
 *
 * In a line null breaks it, and undefined is passed over (a break of other groups only).
 */

import { isInvented } from "./row.js";

/** @typedef {import("./row.js").Row} Row */
/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {(number|null|undefined)[]} Line */
/** @typedef {{line: Line, low: Line, high: Line}} Banded  The mean in its band, from the lowest to the highest value. */
/** @typedef {{real: Banded, simulated: Banded, standIn: Line}} Lines */

/** @param {any} value  @returns {number|null} */
function numberOr(value) {
  return typeof value === "number" ? value : null;
}

/** @param {Row} row  @param {string} key  @returns {number|null} what a chart shows of a row: an own value, never what stood in */
export function plotted(row, key) {
  const summary = row.values[key];
  return numberOr(summary?.mean ?? summary?.last);
}

/** @param {Row} row  @param {Metric} metric  @returns {number|null} what stood in where the row has no value of its own */
export function standInOf(row, { key }) {
  return plotted(row, key) === null ? numberOr(row.values[key]?.standIn) : null;
}

/** @param {Timeline} timeline  @param {Metric} metric  @returns {Lines} */
export function linesOf(timeline, metric) {
  /** @returns {Banded} */
  const banded = () => ({ line: [], low: [], high: [] });
  const [real, simulated] = [banded(), banded()];
  /** @type {Line} */ const standIn = [];
  timeline.rows.forEach((row, index) => {
    if (!row) {
      const point = timeline.breaks[index]?.has(metric.group) ? null : undefined;
      for (const { line, low, high } of [real, simulated]) for (const part of [line, low, high]) part.push(point);
      standIn.push(point);
      return;
    }
    const value = plotted(row, metric.key);
    const summary = row.values[metric.key];
    const isSimulated = isInvented(row.sources[metric.group]);
    for (const [band, isOwn] of /** @type {[Banded, boolean][]} */ ([[real, !isSimulated], [simulated, isSimulated]])) {
      band.line.push(isOwn ? value : null);
      band.low.push(isOwn && value !== null ? (summary?.min ?? value) : null);
      band.high.push(isOwn && value !== null ? (summary?.max ?? value) : null);
    }
    standIn.push(standInOf(row, metric));
  });
  return { real, simulated, standIn };
}

/** Points without a neighbour to draw a line to: of them uPlot would draw nothing. @param {Line} line  @param {number} from index  @param {number} to index, included  @returns {number[]} their indexes */
export function lonePoints(line, from, to) {
  /** @type {number[]} */ const found = [];
  let isAfterPoint = false;
  let candidate = -1;
  for (let index = Math.max(from - 1, 0); index <= to; index += 1) {
    const value = line[index];
    if (value === undefined) continue;
    if (value === null) {
      if (candidate >= from) found.push(candidate);
      [candidate, isAfterPoint] = [-1, false];
      continue;
    }
    candidate = isAfterPoint ? -1 : index;
    isAfterPoint = true;
  }
  // The last one may go on behind the window.
  const next = line.slice(to + 1).find((value) => value !== undefined);
  if (candidate >= from && (next === undefined || next === null)) found.push(candidate);
  return found;
}
