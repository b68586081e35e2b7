/** The charts: one per numeric metric, with one window, one cursor and one zoom for all. */

import { Chart } from "./chart.js";
import { Colours } from "./chart_colours.js";
import { formatTime } from "./format.js";

/** @typedef {import("./chart.js").Plot} Plot */
/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./preferences.js").Preferences} Preferences */
/** @typedef {{from: number, to: number}} Window */

const ONE_DAY = 86_400;

export class Charts {
  /** @type {Timeline} */ timeline = { times: [], rows: [], breaks: [], gaps: [], switches: {}, steps: [], simulated: {} };
  /** @type {Window} */ live = { from: 0, to: 1 };
  /** @type {Window|null} */ zoom = null;
  #colours = new Colours();
  colour = this.#colours.get;
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
    this.#colours.forget();
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

  /** @param {Plot} plot */
  onSelect(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    this.zoomTo({ from: plot.posToVal(left, "x"), to: plot.posToVal(left + width, "x") });
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  /** Arrows move the cursor, + and − zoom around it, Escape resets. @param {KeyboardEvent} event  @param {Plot} plot */
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
