/** One metric's chart, and its text alternative. The only module that names uPlot, but for types. */

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { dropClipped, timeTicks, valueRange, valueSteps, valueTicks, widestOf } from "./chart_axis.js";
import { drawCompared } from "./chart_compare.js";
import { Labels } from "./chart_labels.js";
import { drawGaps, drawMarkers, drawSimulated, drawThresholds, nameThresholds } from "./chart_marks.js";
import { STRIP_HEIGHT, drawStrip } from "./chart_strip.js";
import { describeChart, describePoint, describeYouth, rangeShown, summarise } from "./words.js";
import { linesOf, lonePoints } from "./lines.js";
import { markersOf } from "./markers.js";
import { widened } from "./statistics.js";
import { setText } from "./text.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./markers.js").Marker} Marker */
/** @typedef {uPlot} Plot */
/**
 * @typedef {object} Shared What a chart has in common with all others.
 * @property {Timeline} timeline
 * @property {import("./past.js").Window} window
 * @property {import("./past.js").View} view
 * @property {import("./snapshot.js").Snapshot|null} latest  What was last shown as the newest numbers.
 * @property {Metric[]} texts  The metrics that are texts: the first is a strip below the large chart.
 * @property {number} now  The publisher's clock, Unix seconds.
 * @property {{zone: "local"|"utc"}} preferences
 * @property {(name: string) => string} colour  A colour of page.css by its name, as canvas understands it.
 * @property {(plot: Plot) => void} onSelect
 * @property {(event: KeyboardEvent, plot: Plot) => void} onKey
 * @property {() => void} onReset
 */

/** The places of the bands' edges among uPlot's series; no point of theirs is shown. */
const [REAL_HIGH, REAL_LOW, SIMULATED_HIGH, SIMULATED_LOW] = [2, 3, 5, 6];
/** Lines by their places, and how each is dashed, CSS pixels: uPlot takes them for the screen's, where they are dots. @type {[number, number[]][]} */
const DASHES = [[4, [5, 3]], [7, [1.5, 3]]];
const BAND_EDGES = [REAL_HIGH, REAL_LOW, SIMULATED_HIGH, SIMULATED_LOW];
/** The axis of a window that is shorter tells seconds, and needs more room for each label. */
const SECONDS_TOLD = 600;
/** So near to a marker, in pixels, the cursor points at it. */
const NEAR = 7;

export class Chart {
  /** What the value axis needs for its labels, CSS pixels. */ #axisWidth = 0;

  /** @param {Element} figure  @param {Metric} metric  @param {Shared} charts */
  constructor(figure, metric, charts) {
    this.metric = metric;
    this.charts = charts;
    this.isLarge = figure.classList.contains("large");
    this.card = figure.closest(".card");
    this.host = /** @type {HTMLElement} */ (figure.querySelector(".plot"));
    this.at = /** @type {HTMLElement} */ (figure.querySelector(".at"));
    this.isSeen = false;
    this.isDue = false;
    /** @type {Marker[]} */ this.markers = [];
    this.summary = "";
    /** @type {import("./statistics.js").Range|null} */ this.range = null;
    this.strip = this.isLarge ? charts.texts[0] : undefined;
    this.plot = new uPlot(this.#options(), [[], [], [], [], [], [], [], []], this.host);
    // uPlot's own double click would fit the axis to the data, past our window.
    this.plot.over.addEventListener("dblclick", () => charts.onReset());
    this.host.addEventListener("keydown", (event) => charts.onKey(event, this.plot));
  }

  /** @returns {uPlot.Options} */
  #options() {
    const { metric, charts } = this;
    const get = charts.colour;
    // A wall screen has a larger root font: axes grow with it. uPlot reads whole pixels only.
    const scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const size = Math.round(11 * scale);
    const axis = { stroke: () => get("--ink-faint"), font: `${size}px system-ui, sans-serif`, ticks: { show: false } };
    const width = this.isLarge ? 1.8 : 1.4;
    /** @param {string} colour  @returns {uPlot.Series} */
    const line = (colour) => ({
      stroke: () => get(colour),
      width,
      spanGaps: false,
      points: {
        show: true,
        size: 3 * width,
        fill: () => get(colour),
        filter: (plot, index) => lonePoints(/** @type {any} */ (plot.data[index]), .../** @type {[number, number]} */ (plot.series[0].idxs)),
      },
    });
    /** @type {uPlot.Series} */ const edge = { width: 0, spanGaps: false, points: { show: false } };
    const real = line(this.isLarge ? "--ink" : "--accent");
    /** @type {Labels} Of the drawing that is being made. */ let labels;
    const strip = this.strip ? STRIP_HEIGHT * scale : 0;
    const thresholds = /** @type {const} */ (["critical", "warn"]).flatMap((name) => {
      const value = metric[name];
      return value === null ? [] : [{ value, name }];
    });
    return {
      ...this.#size(),
      legend: { show: false },
      padding: [8, 12, 0, 0],
      cursor: {
        sync: { key: "charts" },
        drag: { x: true, y: false, setScale: false },
        points: { size: 6, width: 2, show: cursorPoint },
        y: this.isLarge,
        bind: { dblclick: () => null },
      },
      scales: { x: { time: true }, y: { range: (_, low, high) => this.#range(low, high) } },
      tzDate: (time) => (charts.preferences.zone === "utc" ? uPlot.tzDate(new Date(time * 1e3), "Etc/UTC") : new Date(time * 1e3)),
      axes: [
        {
          ...axis,
          grid: { show: false },
          gap: 5 + strip,
          size: (plot, labels) => strip + 6 + (size + 4) * ((labels ?? []).some((label) => label?.includes("\n")) ? 2 : 1),
          space: (_plot, _axis, from, to) => (to - from < SECONDS_TOLD ? 76 : 58) * scale,
          values: (plot, times, _axis, _space, step) => dropClipped(plot, times, timeTicks(times, step, charts.preferences.zone, charts.now)),
        },
        {
          ...axis,
          grid: { stroke: () => get("--grid"), width: 1 },
          size: (plot, labels) => (this.#axisWidth = widestOf(plot, labels ?? []) + 12),
          space: (this.isLarge ? 36 : 24) * scale,
          incrs: valueSteps(metric),
          values: (_, values, _axis, _space, step) => valueTicks(metric, values, step),
        },
      ],
      series: [{}, real, edge, edge, line("--violet"), edge, edge, line("--delayed")],
      bands: [
        { series: [REAL_HIGH, REAL_LOW], fill: () => get("--accent-fill") },
        { series: [SIMULATED_HIGH, SIMULATED_LOW], fill: () => get("--violet-hatch") },
      ],
      hooks: {
        drawClear: [
          (plot) => {
            for (const [place, dash] of DASHES) plot.series[place].dash = dash.map((part) => part * devicePixelRatio);
            drawSimulated(plot, charts.timeline.simulated[metric.group] ?? [], get);
            labels = new Labels(plot, /** @type {any} */ (plot.data));
            if (charts.view.compared) drawCompared(plot, charts.view.compared, charts.timeline, metric, get, labels);
          },
        ],
        draw: [
          (plot) => {
            drawGaps(plot, charts.timeline.gaps, get);
            drawThresholds(plot, thresholds, get, labels);
            drawMarkers(plot, this.markers, get, labels);
            nameThresholds(plot, thresholds, metric.worse, get, labels);
            if (this.strip) drawStrip(plot, charts.timeline, this.strip, charts.view.length, get);
          },
        ],
        setCursor: [(plot) => this.showAt(plot.cursor.idx)],
        setSelect: [(plot) => charts.onSelect(plot)],
      },
    };
  }

  /** @param {number|null} low  @param {number|null} high  @returns {[number|null, number|null]} */
  #range(low, high) {
    const { view, window } = this.charts;
    const compared = view.compared?.extent(this.metric, window);
    const seen = [low, high, compared?.low, compared?.high, ...this.#beside(window)].filter((value) => typeof value === "number");
    return low === null || high === null ? [null, null] : valueRange(this.metric, Math.min(...seen), Math.max(...seen));
  }

  /** The points just outside of the window: lines lead to them. @param {import("./past.js").Window} window  @returns {(number|null|undefined)[]} */
  #beside({ from, to }) {
    const [times = [], ...lines] = this.plot?.data ?? [];
    const [before, after] = [times.findLastIndex((time) => time < from), times.findIndex((time) => time > to)];
    return lines.flatMap((line) => [line[before], line[after]]);
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
    setText(this.at, keepNumbersWhole(this.textAt(index, this.#isMarked) || this.summary));
  }

  /** @param {number|null|undefined} index  @param {boolean} [isMarked] the reader sees that the card is  @returns {string} what is at a time; empty: nothing is pointed at */
  textAt(index, isMarked = false) {
    const { timeline, preferences, now } = this.charts;
    if (index === null || index === undefined || index >= timeline.times.length) return "";
    const left = this.plot.cursor.left ?? -NEAR * 2;
    const marker = this.markers.find(({ time }) => Math.abs(this.plot.valToPos(time, "x") - left) < NEAR);
    return describePoint(timeline, index, this.metric, { zone: preferences.zone, now, marker, isMarked });
  }

  /** The card beside it is marked as simulated: what it holds need not say so again. */
  get #isMarked() {
    return this.card?.classList.contains("is-simulated") ?? false;
  }

  /** The live number never lies outside of what is said of the chart. @param {import("./snapshot.js").Snapshot} snapshot of now */
  include(snapshot) {
    const range = this.charts.view.isZoomed ? this.range : widened(this.range, snapshot, this.metric);
    if (range === this.range) return;
    this.range = range;
    this.#summarise();
  }

  #summarise() {
    const { charts, metric, range } = this;
    const isToldAbove = this.isLarge && !charts.view.isZoomed && !charts.window.isLoading; // by the figures
    const youth = this.isLarge ? describeYouth(charts) : "";
    const whole = isToldAbove ? "" : summarise(charts, metric, range, this.#isMarked);
    const told = this.isLarge ? whole : whole.replace(/^simulated: /, "sim: "); // as the cards' own marks: there is little room
    const text = told && this.isLarge && charts.view.isZoomed ? `zoomed: ${told}` : told;
    this.summary = [text, youth].filter(Boolean).join(" · ");
    if (this.plot.cursor.idx === null || this.plot.cursor.idx === undefined) this.showAt(null);
  }

  draw() {
    this.isDue = false;
    const { timeline, window, view } = this.charts;
    if (this.#isWaiting) return;
    const { real, simulated, standIn } = linesOf(timeline, this.metric);
    this.markers = markersOf(timeline, view.events, this.metric.group, view.length);
    const data = [timeline.times, real.line, real.high, real.low, simulated.line, simulated.high, simulated.low, standIn];
    this.plot.batch(() => {
      this.plot.setData(/** @type {any} */ (window.isLoading ? data.map(() => []) : data), false);
      this.plot.setScale("x", { min: window.from, max: window.to });
    });
    // uPlot gives up after three rounds, when the last one's labels may have no room yet.
    if (Math.abs(this.plot.bbox.left / devicePixelRatio - this.#axisWidth) > 1) this.plot.setSize(this.#size());
  }

  /** What was drawn stays until there is something else to draw. */
  get #isWaiting() {
    return this.charts.window.isLoading && this.plot.data[0].length > 0;
  }

  /** Say what was drawn. */
  describe() {
    if (this.#isWaiting) return setText(this.at, "loading…");
    const { window } = this.charts;
    this.host.dataset.window = `${window.from} ${window.to}`;
    this.range = rangeShown(this.charts, this.metric);
    this.#summarise();
    const label = describeChart(this.charts, this.metric, this.markers);
    if (this.host.getAttribute("aria-label") !== label) this.host.setAttribute("aria-label", label);
  }
}

/** Where there is no room for all, a number is missing with what belongs to it: "max 1…" never was. @param {string} text */
function keepNumbersWhole(text) {
  return text.replace(/ (?=[−+\d])|(?<=\d) (?!·)/g, "\u00a0");
}

/** A dot at the lines, none at the bands' edges. @param {Plot} plot  @param {number} index of a series  @returns {HTMLElement} */
function cursorPoint(plot, index) {
  const dot = document.createElement("div");
  dot.hidden = BAND_EDGES.includes(index);
  return dot;
}
