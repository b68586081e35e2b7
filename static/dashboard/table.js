/** The range's rows as a table, for screen readers and for copying. */

import { setText } from "./text.js";
import { describeGap, describeStep, formatTime, formatValue, zoneName } from "./format.js";
import { SIMULATED } from "./snapshot.js";
import { sourceName } from "./timeline.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./row.js").Row} Row */

/** More rows would make the page slow; the CSV has all. */
const MOST_ROWS = 200;

/** @param {Row} row  @param {Metric} metric  @returns {any} the mean of a number, the last text */
function valueIn(row, metric) {
  const summary = row.values[metric.key];
  return summary ? (summary.mean ?? summary.last) : null;
}

export class Table {
  /** @param {Document} document  @param {Metric[]} metrics */
  constructor(document, metrics) {
    this.metrics = metrics;
    this.section = /** @type {HTMLElement} */ (document.getElementById("table"));
    this.hint = /** @type {HTMLElement} */ (document.getElementById("table-hint"));
    this.body = /** @type {HTMLElement} */ (this.section.querySelector("tbody"));
  }

  /** @param {Row[]} rows oldest first  @param {number|null} step  @param {"local"|"utc"} zone */
  show(rows, step, zone) {
    const selection = getSelection();
    // Somebody is copying: rows that move would tear the selection away.
    if (selection && !selection.isCollapsed && this.section.contains(selection.anchorNode)) return;
    const newest = rows.slice(-MOST_ROWS).reverse();
    const kind = step === null ? "snapshots" : `means of ${step} s`;
    setText(this.hint, `Newest first, ${kind}, times in ${zoneName(zone)}; the newest ${newest.length} of ${rows.length} rows.`);
    this.body.replaceChildren(...newest.flatMap((row) => this.#rowsOf(row, zone)));
  }

  /** @param {Row} row  @param {"local"|"utc"} zone  @returns {HTMLElement[]} the row, and below it what lies before it: a gap, a clock that was set */
  #rowsOf(row, zone) {
    const line = document.createElement("tr");
    const when = document.createElement("th");
    when.scope = "row";
    when.textContent = formatTime(row.time, zone, "full");
    line.append(when);
    for (const metric of this.metrics) {
      const cell = document.createElement("td");
      cell.textContent = formatValue(metric, valueIn(row, metric));
      cell.classList.toggle("simulated", row.sources[metric.group]?.includes(SIMULATED) ?? false);
      cell.classList.toggle("text", metric.type === "str");
      line.append(cell);
    }
    const sources = document.createElement("td");
    sources.textContent = Object.keys(row.sources).map((group) => `${group}: ${sourceName(row.sources[group])}`).join(", ");
    line.append(sources);
    const notes = [describeGap(row.gap), row.clockStep ? `the publisher's clock was ${describeStep(row.clockStep)}` : ""];
    return [line, ...notes.filter(Boolean).map((note) => this.#noteOf(note))];
  }

  /** @param {string} text  @returns {HTMLElement} a row that says what lies between two others */
  #noteOf(text) {
    const note = document.createElement("tr");
    note.className = "gap";
    const cell = document.createElement("td");
    cell.colSpan = this.metrics.length + 2;
    cell.textContent = text;
    note.append(cell);
    return note;
  }
}
