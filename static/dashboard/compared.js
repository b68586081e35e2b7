/** The same hours of another day: its rows, moved to the times that are shown. */

import { formatDuration } from "./format.js";
import { plotted } from "./lines.js";
import { isInvented } from "./row.js";
import { sourceName } from "./sources.js";

/** @typedef {import("./row.js").Row} Row */
/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {{time: number, value: number, source: string, isReal: boolean}} ComparedPoint */

export class Compared {
  /**
   * @param {Row[]} rows of then  @param {number} offset seconds from then to now  @param {number|null} step seconds of a row
   */
  constructor(rows, offset, step) {
    this.rows = rows;
    this.offset = offset;
    this.half = (step ?? 0) / 2;
  }

  /** @returns {string} `1 d before` */
  get name() {
    return `${formatDuration(this.offset)} before`;
  }

  /** @param {Metric} metric  @returns {ComparedPoint[][]} lines, at the times that are shown; what stood in for values is in none */
  lines(metric) {
    /** @type {ComparedPoint[][]} */ const lines = [];
    let isOpen = false;
    for (const row of this.rows) {
      const value = plotted(row, metric.key);
      const kinds = row.sources[metric.group] ?? [];
      const source = sourceName(isInvented(kinds) ? kinds : kinds.filter((kind) => kind !== "mock"));
      const last = lines.at(-1)?.at(-1);
      if (value === null) {
        isOpen = false;
        continue;
      }
      if (!isOpen || row.gap || row.clockStep || last?.source !== source) lines.push([]);
      lines.at(-1)?.push({ time: row.time + this.half + this.offset, value, source, isReal: !isInvented(kinds) });
      isOpen = true;
    }
    return lines;
  }

  /** @param {Metric} metric  @param {{from: number, to: number}} window  @returns {{low: number, high: number}|null} */
  extent(metric, { from, to }) {
    const values = this.lines(metric).flat().filter(({ time }) => time >= from && time <= to).map(({ value }) => value);
    return values.length ? { low: Math.min(...values), high: Math.max(...values) } : null;
  }
}
