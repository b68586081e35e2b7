/** The range's rows as a table, for screen readers and for copying. */

import { describeProblems } from "./words.js";
import { describeGap, describeStep, formatTime, formatValue, unitOf, zoneName } from "./format.js";
import { isInvented } from "./row.js";
import { sourceName } from "./sources.js";
import { setText } from "./text.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./row.js").Row} Row */
/** @typedef {"local"|"utc"} Zone */
/** @typedef {{text: string, className: string}} Cell */
/** @typedef {{key: string, time: string, cells: Cell[], note: string}} Line  A note has no cells: it says what lies between two rows. */

/** More rows would make the page slow; the CSV has all. */
const MOST_ROWS = 200;

/** @param {Row} row  @param {Metric} metric  @returns {Cell} the mean of a number, the last text; what stood in for it, and why */
function cellOf(row, metric) {
  const summary = row.values[metric.key];
  const own = summary ? (summary.mean ?? summary.last) : null;
  const isText = metric.type === "str";
  const value = formatValue(metric, own ?? summary?.standIn ?? null);
  const problems = summary ? describeProblems(summary.problems, row.count) : "";
  const isFallback = own === null && (summary?.standIn ?? null) !== null && !("stale" in (summary?.problems ?? {}));
  const why = problems && (isFallback ? ` (fallback: ${problems})` : ` (${problems})`);
  const classes = [problems && "flawed", isInvented(row.sources[metric.group]) && "simulated", isText && "text"];
  return { text: value + why, className: classes.filter(Boolean).join(" ") };
}

export class Table {
  /** @type {Map<string, HTMLElement>} The lines that are shown, by their keys. */ #shown = new Map();

  /** @param {Document} document  @param {Metric[]} metrics */
  constructor(document, metrics) {
    this.metrics = metrics;
    this.section = /** @type {HTMLElement} */ (document.getElementById("table"));
    this.hint = /** @type {HTMLElement} */ (document.getElementById("table-hint"));
    this.body = /** @type {HTMLElement} */ (this.section.querySelector("tbody"));
    for (const metric of metrics) {
      const unit = this.section.querySelector(`th[data-metric="${CSS.escape(metric.key)}"] .unit`);
      if (unit) setText(unit, unitOf(metric));
    }
  }

  /** @param {Row[]} rows oldest first  @param {number|null} step  @param {Zone} zone */
  show(rows, step, zone) {
    const selection = getSelection();
    // Somebody is copying: rows that move would tear the selection away.
    if (selection && !selection.isCollapsed && this.section.contains(selection.anchorNode)) return;
    const newest = rows.slice(-MOST_ROWS).reverse();
    const kind = step === null ? "snapshots" : `means of ${step} s`;
    setText(this.hint, `Newest first, ${kind}, times in ${zoneName(zone)}; the newest ${newest.length} of ${rows.length} rows.`);
    this.#replaceLines(newest.flatMap((row) => this.#linesOf(row, zone)));
  }

  /** Touch only what changed: who reads the table line by line is not thrown out. @param {Line[]} lines */
  #replaceLines(lines) {
    const wanted = new Set(lines.map(({ key }) => key));
    for (const [key, element] of this.#shown) {
      if (wanted.has(key)) continue;
      element.remove();
      this.#shown.delete(key);
    }
    /** @type {Element|null} */ let next = this.body.firstElementChild;
    for (const line of lines) {
      let element = this.#shown.get(line.key);
      if (element && element === next) next = next.nextElementSibling;
      else {
        element ??= this.#makeLine(line);
        this.#shown.set(line.key, element);
        this.body.insertBefore(element, next);
      }
      this.#fill(element, line);
    }
  }

  /** @param {Row} row  @param {Zone} zone  @returns {Line[]} the row, and below it what lies before it: a gap, a clock that was set */
  #linesOf(row, zone) {
    const time = formatTime(row.time, zone, "full");
    const sources = Object.keys(row.sources).map((group) => `${group}: ${sourceName(row.sources[group])}`).join(", ");
    const key = String(row.id ?? `bucket ${row.time}`);
    const cells = [...this.metrics.map((metric) => cellOf(row, metric)), { text: sources, className: "" }];
    const notes = [describeGap(row.gap), row.clockStep ? `the publisher's clock was ${describeStep(row.clockStep)}` : ""];
    return [
      { key, time, cells, note: "" },
      ...notes.filter(Boolean).map((note, index) => ({ key: `${key} note ${index}`, time: "", cells: [], note })),
    ];
  }

  /** @param {Line} line  @returns {HTMLElement} */
  #makeLine({ cells, note }) {
    const element = document.createElement("tr");
    if (note) {
      element.className = "gap";
      const cell = document.createElement("td");
      cell.colSpan = this.metrics.length + 2;
      // What scrolls sideways keeps it in sight.
      cell.append(document.createElement("span"));
      element.append(cell);
      return element;
    }
    const when = document.createElement("th");
    when.scope = "row";
    element.append(when, ...cells.map(() => document.createElement("td")));
    return element;
  }

  /** @param {HTMLElement} element  @param {Line} line */
  #fill(element, { time, cells, note }) {
    if (note) return setText(/** @type {Element} */ (element.querySelector("span")), note);
    setText(element.children[0], time);
    cells.forEach(({ text, className }, index) => {
      const cell = element.children[index + 1];
      setText(cell, text);
      if (cell.className !== className) cell.className = className;
    });
  }
}
