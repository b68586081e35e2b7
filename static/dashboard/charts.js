/** The charts: one per numeric metric, with one window, one cursor and one zoom for all. */

import { isNumeric } from "./catalogue.js";
import { Chart } from "./chart.js";
import { Colours } from "./chart_colours.js";
import { bindTouch } from "./chart_input.js";
import { forgetSizes } from "./chart_marks.js";
import { setText } from "./text.js";

/** @typedef {import("./chart.js").Plot} Plot */
/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./preferences.js").Preferences} Preferences */
/** @typedef {import("./past.js").View} View */
/** @typedef {{from: number, to: number}} Span */

/** CSS pixels: what is drawn across fewer is a click. */
const NARROWEST_DRAG = 5;
/** Milliseconds between two sentences to a screen reader: who holds an arrow key hears where it stops. */
const SAY_EVERY = 400;

export class Charts {
  /** @type {Timeline} */ timeline = { times: [], rows: [], breaks: [], gaps: [], switches: {}, steps: [], simulated: {} };
  /** @type {import("./past.js").Window} */ window = { from: 0, to: 1, isLoading: true, collecting: null };
  /** @type {View} */ view = { rows: [], step: null, length: 0, window: this.window, isZoomed: false, events: [], compared: null };
  /** @type {import("./snapshot.js").Snapshot|null} */ latest = null;
  /** Somebody wants to see another stretch of time; null: the range. @type {(span: Span|null) => void} */ onZoom = () => {};
  /** Somebody wants to see a longer or a shorter one. @type {(factor: number, centre: number) => void} */ onScale = () => {};
  #colours = new Colours();
  colour = this.#colours.get;
  #frame = 0;
  /** @type {any} */ #saying = null;

  /** @param {Document} document  @param {Metric[]} metrics  @param {Preferences} preferences */
  constructor(document, metrics, preferences) {
    this.preferences = preferences;
    this.texts = metrics.filter((metric) => !isNumeric(metric));
    this.said = document.getElementById("chart-said");
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
    for (const { host, plot } of this.charts) {
      seen.observe(host);
      resized.observe(host);
      bindTouch(plot.over, {
        window: () => this.window,
        point: (part) => this.#pointAt(this.window.from + part * (this.window.to - this.window.from)),
        preview: (span) => {
          this.window = { ...this.window, ...span };
          this.redraw();
        },
        zoom: (span) => this.zoomTo(span),
      });
    }
    addEventListener("resize", forgetSizes);
    matchMedia("(forced-colors: active)").addEventListener("change", () => this.recolour());
  }

  /** @returns {number} to tell today from other days, Unix seconds */
  get now() {
    return Date.now() / 1000;
  }

  /** Show new data; drawn in the next frame, and only where it is seen. @param {Timeline} timeline  @param {import("./past.js").Window} window  @param {View} view */
  show(timeline, window, view) {
    this.timeline = timeline;
    this.window = window;
    this.view = view;
    this.redraw();
  }

  /** What was just shown as the newest numbers is part of what the charts say. @param {import("./snapshot.js").Snapshot} snapshot */
  include(snapshot) {
    this.latest = snapshot;
    for (const chart of this.charts) chart.include(snapshot);
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
      const due = this.charts.filter(({ isDue, isSeen }) => isDue && isSeen);
      // First all canvases, then all words: a canvas that is drawn after a word has the browser work out styles anew.
      for (const chart of due) chart.draw();
      for (const chart of due) chart.describe();
    });
  }

  /** @param {Span|null} window null: back to the live one */
  zoomTo(window) {
    this.onZoom(window);
  }

  onReset() {
    this.zoomTo(null);
  }

  /** @param {Plot} plot */
  onSelect(plot) {
    const { left, width } = plot.select;
    const span = { from: plot.posToVal(left, "x"), to: plot.posToVal(left + width, "x") };
    // The others show the same selection; none may stay, whatever comes of it.
    for (const chart of this.charts) chart.plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (width >= NARROWEST_DRAG) this.zoomTo(span);
  }

  /** @param {number} time */
  #pointAt(time) {
    for (const { plot } of this.charts) plot.setCursor({ left: plot.valToPos(time, "x"), top: 1 });
  }

  /** Arrows move the cursor, + and − zoom around it, Escape resets. @param {KeyboardEvent} event  @param {Plot} plot */
  onKey(event, plot) {
    const { times, rows } = this.timeline;
    const { from, to } = this.window;
    const inside = times.flatMap((time, index) => (rows[index] && time >= from && time <= to ? [index] : []));
    const present = plot.cursor.idx ?? null;
    /** @param {number} step */
    const move = (step) => {
      const place = present === null ? inside.length : inside.findIndex((index) => index >= present);
      const index = inside[Math.min(Math.max((place < 0 ? inside.length : place) + step, 0), inside.length - 1)];
      if (index === undefined) return;
      this.#pointAt(times[index]);
      this.#say(this.charts.find((chart) => chart.plot === plot), index);
    };
    const centre = (present === null ? undefined : times[present]) ?? to;
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowLeft: () => move(event.shiftKey ? -10 : -1),
      ArrowRight: () => move(event.shiftKey ? 10 : 1),
      "+": () => this.onScale(0.5, centre),
      "-": () => this.onScale(2, centre),
      Escape: () => this.zoomTo(null),
    };
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    action();
  }

  /** Say what the cursor points at. @param {Chart|undefined} chart  @param {number} index */
  #say(chart, index) {
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => {
      if (this.said && chart) setText(this.said, `${chart.metric.label}: ${chart.textAt(index)}`);
    }, SAY_EVERY);
  }
}
