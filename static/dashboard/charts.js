/** The charts: one per numeric metric, with one cursor and one zoom for all. The only module that names uPlot. */

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { drawBehind, drawSwitches } from "./chart_marks.js";
import { setText } from "./text.js";
import { formatNumber, formatTime, formatValue, unitOf } from "./format.js";
import { extent } from "./sparkline.js";
import { linesOf } from "./timeline.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./preferences.js").Preferences} Preferences */
/** @typedef {{from: number, to: number}} Window */

const ONE_DAY = 86_400;

/** A colour of page.css as canvas understands it: light-dark() resolved. Asked once per theme. */
class Colours {
  /** @type {Map<string, string>} */ #known = new Map();
  #probe = document.createElement("span");

  constructor() {
    this.#probe.hidden = true;
    document.body.append(this.#probe);
  }

  forget() {
    this.#known.clear();
  }

  /** @param {string} name */
  get = (name) => {
    let colour = this.#known.get(name);
    if (!colour) {
      this.#probe.style.color = `var(${name})`;
      colour = getComputedStyle(this.#probe).color;
      this.#known.set(name, colour);
    }
    return colour;
  };
}

/** @param {number} value  @param {number} decimals  @returns {string} short, for an axis: `125.3k` */
function formatTick(value, decimals) {
  if (Math.abs(value) >= 1e6) return `${formatNumber(value / 1e6, 2)}M`;
  if (Math.abs(value) >= 1e4) return `${formatNumber(value / 1e3, 1)}k`;
  return formatNumber(value, decimals);
}

class Chart {
  /** @param {Element} figure  @param {Metric} metric  @param {Charts} charts */
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
    const { get } = charts.colours;
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
        draw: [(plot) => drawSwitches(plot, charts.timeline, metric.group, get)],
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
      ...(isSimulated ? ["in part or in full simulated"] : []),
    ].join("; ");
    if (this.host.getAttribute("aria-label") !== label) this.host.setAttribute("aria-label", label);
  }
}

export class Charts {
  /** @type {Timeline} */ timeline = { times: [], rows: [], breaks: [], gaps: [], switches: {}, simulated: {} };
  /** @type {Window} */ live = { from: 0, to: 1 };
  /** @type {Window|null} */ zoom = null;
  colours = new Colours();
  #frame = 0;

  /** @param {Document} document  @param {Metric[]} metrics  @param {Preferences} preferences */
  constructor(document, metrics, preferences) {
    this.preferences = preferences;
    const byKey = new Map(metrics.map((metric) => [metric.key, metric]));
    this.charts = [...document.querySelectorAll("figure.chart")].flatMap((figure) => {
      const metric = byKey.get(figure.getAttribute("data-metric") ?? "");
      return metric ? [new Chart(figure, metric, this)] : [];
    });
    const byHost = new Map(this.charts.map((chart) => [/** @type {Element} */ (chart.host), chart]));
    const seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const chart = byHost.get(target);
        if (chart) chart.isSeen = isIntersecting;
      }
      this.#request();
    }, { rootMargin: "100px" });
    const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => byHost.get(target)?.fit()));
    for (const { host } of this.charts) {
      seen.observe(host);
      resized.observe(host);
    }
  }

  get window() {
    return this.zoom ?? this.live;
  }

  get isLong() {
    return this.window.to - this.window.from > ONE_DAY / 2;
  }

  /** @param {number} time */
  formatTick(time) {
    const length = this.window.to - this.window.from;
    const parts = length > 2 * ONE_DAY ? "day" : length < 600 ? "seconds" : "minutes";
    return formatTime(time, this.preferences.zone, parts);
  }

  /** Show new data; drawn in the next frame, and only where it is seen. @param {Timeline} timeline  @param {Window} live */
  show(timeline, live) {
    this.timeline = timeline;
    this.live = live;
    this.redraw();
  }

  /** Draw everything again: the theme, the zone or the window changed. */
  redraw() {
    for (const chart of this.charts) chart.isDue = true;
    this.#request();
  }

  recolour() {
    this.colours.forget();
    this.redraw();
  }

  #request() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      for (const chart of this.charts) if (chart.isDue && chart.isSeen) chart.draw();
    });
  }

  /** @param {Window|null} window null: back to the live one */
  zoomTo(window) {
    this.zoom = window && window.to - window.from >= 1 ? window : null;
    this.redraw();
  }

  /** @param {uPlot} plot */
  onSelect(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    this.zoomTo({ from: plot.posToVal(left, "x"), to: plot.posToVal(left + width, "x") });
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  /** Arrows move the cursor, + and − zoom around it, Escape resets. @param {KeyboardEvent} event  @param {uPlot} plot */
  onKey(event, plot) {
    const { times } = this.timeline;
    const { from, to } = this.window;
    const index = plot.cursor.idx ?? times.length - 1;
    const centre = times[index] ?? to;
    /** @param {number} factor */
    const zoomBy = (factor) => {
      const half = ((to - from) * factor) / 2;
      const window = { from: Math.max(centre - half, this.live.from), to: Math.min(centre + half, this.live.to) };
      this.zoomTo(window.from <= this.live.from && window.to >= this.live.to ? null : window);
    };
    /** @param {number} step */
    const move = (step) => {
      const time = times[Math.min(Math.max(index + step, 0), times.length - 1)];
      if (time === undefined) return;
      for (const chart of this.charts) chart.plot.setCursor({ left: chart.plot.valToPos(time, "x"), top: 1 });
    };
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowLeft: () => move(event.shiftKey ? -10 : -1),
      ArrowRight: () => move(event.shiftKey ? 10 : 1),
      "+": () => zoomBy(0.5),
      "-": () => zoomBy(2),
      Escape: () => this.zoomTo(null),
    };
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    action();
  }
}
