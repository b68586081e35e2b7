/** One metric's chart, and its text alternative. The only module that names uPlot, but for types. */

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { drawBehind, drawMoments } from "./chart_marks.js";
import { describeStep, formatNumber, formatTime, formatValue, unitOf } from "./format.js";
import { extent } from "./chart_extent.js";
import { setText } from "./text.js";
import { linesOf } from "./timeline.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {uPlot} Plot */
/**
 * @typedef {object} Shared What a chart has in common with all others.
 * @property {Timeline} timeline
 * @property {{from: number, to: number}} window  Unix seconds.
 * @property {boolean} isLong  The window is so long that a time needs its day.
 * @property {{zone: "local"|"utc"}} preferences
 * @property {(name: string) => string} colour  A colour of page.css by its name, as canvas understands it.
 * @property {(time: number) => string} formatTick
 * @property {(window: null) => void} zoomTo  null: back to the live window.
 * @property {(plot: Plot) => void} onSelect
 * @property {(event: KeyboardEvent, plot: Plot) => void} onKey
 */

/** @param {number} value  @param {number} decimals  @returns {string} short, for an axis: `125.3k` */
function formatTick(value, decimals) {
  if (Math.abs(value) >= 1e6) return `${formatNumber(value / 1e6, 2)}M`;
  if (Math.abs(value) >= 1e4) return `${formatNumber(value / 1e3, 1)}k`;
  return formatNumber(value, decimals);
}

export class Chart {
  /** @param {Element} figure  @param {Metric} metric  @param {Shared} charts */
  constructor(figure, metric, charts) {
    this.metric = metric;
    this.charts = charts;
    this.isLarge = figure.classList.contains("large");
    this.host = /** @type {HTMLElement} */ (figure.querySelector(".plot"));
    this.at = /** @type {HTMLElement} */ (figure.querySelector(".at"));
    this.isSeen = false;
    this.isDue = false;
    this.plot = new uPlot(this.#options(), [[], [], []], this.host);
    // uPlot's own double click would fit the axis to the data, past our window.
    this.plot.over.addEventListener("dblclick", () => charts.zoomTo(null));
    this.host.addEventListener("keydown", (event) => charts.onKey(event, this.plot));
  }

  /** @returns {uPlot.Options} */
  #options() {
    const { metric, charts } = this;
    const get = charts.colour;
    // A wall screen has a larger root font: axes grow with it.
    const scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const stroke = this.isLarge ? "--ink" : "--accent";
    const axis = { stroke: () => get("--ink-faint"), font: `${11 * scale}px system-ui, sans-serif`, ticks: { show: false } };
    const grid = { stroke: () => get("--grid"), width: 1 };
    const points = { show: false };
    return {
      ...this.#size(),
      legend: { show: false },
      padding: [8, 16, 0, 0],
      cursor: {
        sync: { key: "charts" },
        drag: { x: true, y: false, setScale: false },
        points: { size: 6 },
        y: this.isLarge,
        bind: { dblclick: () => null },
      },
      scales: { x: { time: true } },
      tzDate: (time) => (charts.preferences.zone === "utc" ? uPlot.tzDate(new Date(time * 1e3), "Etc/UTC") : new Date(time * 1e3)),
      axes: [
        { ...axis, grid: { show: false }, size: 22 * scale, space: 70 * scale, values: (_, splits) => splits.map((time) => charts.formatTick(time)) },
        {
          ...axis,
          grid,
          size: (this.isLarge ? 58 : 44) * scale,
          space: (this.isLarge ? 36 : 24) * scale,
          values: (_, splits, _axis, _space, step) => {
            const decimals = Math.max(0, Math.min(Math.ceil(-Math.log10(step || 1) - 1e-9), 6));
            return splits.map((value) => formatTick(value, decimals));
          },
        },
      ],
      series: [
        {},
        { stroke: () => get(stroke), width: this.isLarge ? 1.8 : 1.4, fill: () => get("--accent-fill"), spanGaps: false, points },
        { stroke: () => get("--violet"), width: this.isLarge ? 1.8 : 1.4, dash: [5, 3], spanGaps: false, points },
      ].map((series, index) => (index && !this.isLarge ? { ...series, fill: undefined } : series)),
      hooks: {
        drawClear: [(plot) => drawBehind(plot, charts.timeline, metric.group, get)],
        draw: [(plot) => drawMoments(plot, charts.timeline, metric.group, get)],
        setCursor: [(plot) => this.showAt(plot.cursor.idx)],
        setSelect: [(plot) => charts.onSelect(plot)],
      },
    };
  }

  #size() {
    return { width: Math.max(this.host.clientWidth, 80), height: Math.max(this.host.clientHeight, 60) };
  }

  fit() {
    const size = this.#size();
    if (size.width !== this.plot.width || size.height !== this.plot.height) this.plot.setSize(size);
  }

  /** Beside the title: the value under the cursor, or the window's lowest and highest. @param {number|null|undefined} index */
  showAt(index) {
    const { timeline, preferences } = this.charts;
    if (index === null || index === undefined || index >= timeline.times.length) return setText(this.at, this.summary);
    const row = timeline.rows[index];
    const time = formatTime(timeline.times[index], preferences.zone, this.charts.isLong ? "full" : "seconds");
    const summary = row?.values[this.metric.key];
    const value = row ? formatValue(this.metric, summary ? (summary.mean ?? summary.last) : null) : "gap";
    setText(this.at, `${time}  ${value} ${unitOf(this.metric)}`.trimEnd());
  }

  summary = "";

  draw() {
    this.isDue = false;
    const { timeline, window } = this.charts;
    const { real, simulated } = linesOf(timeline, this.metric);
    this.plot.batch(() => {
      this.plot.setData([timeline.times, real, simulated], false);
      this.plot.setScale("x", { min: window.from, max: window.to });
    });
    this.#describe([real, simulated]);
    if (!this.plot.cursor.idx) this.showAt(null);
  }

  /** The text alternative. @param {(number|null|undefined)[][]} lines */
  #describe(lines) {
    const { timeline, window, preferences } = this.charts;
    const isInside = timeline.times.map((time) => time >= window.from && time <= window.to);
    const bounds = extent(lines.map((line) => line.filter((_, index) => isInside[index])));
    const unit = unitOf(this.metric);
    this.summary = bounds
      ? `${formatValue(this.metric, bounds.low)} to ${formatValue(this.metric, bounds.high)} ${unit}`.trimEnd()
      : "no data";
    const times = [window.from, window.to].map((time) => formatTime(time, preferences.zone, "full"));
    const gaps = timeline.gaps.filter((gap) => gap.to > window.from && gap.from < window.to).length;
    const isSimulated = timeline.simulated[this.metric.group]?.some((span) => span.to > window.from);
    const label = [
      `${this.metric.label}: ${this.summary}, ${times.join(" to ")}`,
      ...(gaps ? [`${gaps} ${gaps === 1 ? "gap" : "gaps"}`] : []),
      ...timeline.steps.filter(({ time }) => time > window.from && time < window.to).map(({ seconds }) => `clock ${describeStep(seconds)}`),
      ...(isSimulated ? ["in part or in full simulated"] : []),
    ].join("; ");
    if (this.host.getAttribute("aria-label") !== label) this.host.setAttribute("aria-label", label);
  }
}
