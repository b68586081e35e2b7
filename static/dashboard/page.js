/** The page: brings connection, rows, cards, charts and table together. */

import { Anchors } from "./anchors.js";
import { Cards } from "./cards.js";
import { readCatalogue } from "./catalogue.js";
import { LocalClock, ServerClock, pageArrival } from "./clock.js";
import { LiveConnection } from "./connection.js";
import { bindControls, keepAwake } from "./controls.js";
import { browserEnvironment } from "./environment.js";
import { Events } from "./events.js";
import { describeStep, formatTime, formatValue, zoneName } from "./format.js";
import { Freshness } from "./freshness.js";
import { HealthWatch } from "./health.js";
import { Indicator } from "./indicator.js";
import { Past } from "./past.js";
import { KeptSnapshot, isKept } from "./kept.js";
import { Preferences, openStorage } from "./preferences.js";
import { findFaults, kindOf, simulatedGroups, staleGroups } from "./snapshot.js";
import { startOfDay } from "./statistics.js";
import { computeState } from "./state.js";
import { Table } from "./table.js";
import { setText } from "./text.js";
import { watchTheme } from "./theme.js";
import { makeTimeline } from "./timeline.js";
import { Zoom } from "./zoom.js";

/** @typedef {import("./snapshot.js").Snapshot} Snapshot */

/** Milliseconds between two looks at the evidence; a look that comes this late was held back with the tab. */
const LOOK_EVERY = 500;
const FROZEN_AFTER_S = 3;
/** Milliseconds between two drawings of the past: at 10 snapshots per second the eye gains nothing from more. */
const PAST_EVERY = 1000;
/** A row stands for so many times its length, or the interval, at most: what is longer is a gap. */
const LONGEST_ROW = 2.5;
const CHARTS_AGAIN_AFTER = 3000;
/** Milliseconds after which the charts show what arrived, should history not have answered by then. */
const PAST_PATIENCE = 5000;
/** Seconds back to what a range may be compared with. @type {[string, number][]} */
const COMPARED = [["day", 86_400], ["week", 604_800]];
/** Seconds for which it is said beside the state that the publisher's clock was set. */
const CLOCK_NOTE_FOR = 60;

const catalogue = readCatalogue(document);
const kept = new KeptSnapshot(openStorage(), window);
if (isKept(document)) kept.recall(catalogue);
const { metrics } = catalogue;
const groups = catalogue.groups.map(({ key }) => key);
const groupLabels = new Map(catalogue.groups.map(({ key, label }) => [key, label]));
const interval = catalogue.latest?.interval ?? catalogue.interval;
const environment = browserEnvironment();
/** @param {string[]} keys of groups */
const labelsOf = (keys) => keys.map((key) => groupLabels.get(key) ?? key);
const headlineMetric = metrics.find(({ isHero }) => isHero) ?? metrics[0];

class Page {
  preferences = new Preferences(catalogue, openStorage(), new URLSearchParams(location.search));
  local = new LocalClock();
  clock = new ServerClock();
  freshness = new Freshness(this.clock);
  cards = new Cards(document, metrics);
  table = new Table(document, metrics);
  indicator = new Indicator(document);
  csv = /** @type {HTMLAnchorElement} */ (document.getElementById("csv"));
  connection = new LiveConnection({
    url: `${catalogue.base}live`,
    latestUrl: `${catalogue.base}latest`,
    interval,
    since: catalogue.latest?.id,
    environment,
  });
  events = catalogue.isShared ? null : new Events(`${catalogue.base}events`, environment, () => this.#drawPast());
  anchors = new Anchors(metrics, `${catalogue.base}history`, environment, () => this.#drawPast());
  past = new Past(metrics, `${catalogue.base}history`, environment, {
    range: this.preferences.range.seconds,
    interval,
    now: () => this.now,
    onLoaded: () => this.#onLoaded(),
    events: this.events,
    onFailure: () => this.#onPast("History cannot be loaded: the charts show what arrives."),
  });
  health = new HealthWatch(`${catalogue.base}health`, environment, () => this.#look());
  zoom = new Zoom(document, this.preferences, () => this.past.window, (span) => {
    this.past.zoom(span);
    this.#drawPast();
  });
  /** @type {import("./charts.js").Charts|null} Loaded after the first numbers are on the page. */ charts = null;
  /** @type {Snapshot|null} */ latest = null;
  /** @type {Snapshot|null} What is shown while the page is paused. */ held = null;
  missedWhilePaused = 0;
  clockNote = { text: "", until: -Infinity };
  historyNote = "";
  /** What there is of the past is known: until then no change and no range is shown. */ #isPastKnown = false;
  wokeAt = -Infinity;
  lookedAt = this.local.now();
  arrivedAt = isKept(document) ? null : pageArrival();
  /** When the newest snapshot, or else the page, was here. */ heardAt = this.arrivedAt ?? 0;
  #isFrameDue = false;
  #pastDrawnAt = -Infinity;

  start() {
    if (this.arrivedAt !== null && catalogue.latestAge === null) this.clock.note(catalogue.served, this.arrivedAt);
    this.freshness.notePage(catalogue.latest, catalogue.latestAge, this.arrivedAt);
    bindControls(document, this.preferences, {
      pause: (isPaused) => this.#pause(isPaused),
      table: (isShown) => this.#showTable(isShown),
      retry: () => this.connection.retryNow(),
    });
    if (this.preferences.isKiosk) keepAwake(document);
    this.preferences.addEventListener("change", (event) => this.#onPreference(/** @type {CustomEvent} */ (event).detail));
    watchTheme(document, this.preferences, () => this.charts?.recolour());
    this.connection.addEventListener("snapshot", (event) => this.#onSnapshot(/** @type {CustomEvent} */ (event).detail));
    this.connection.addEventListener("status", () => this.#look());
    for (const name of ["online", "offline"]) window.addEventListener(name, () => this.#look());
    document.addEventListener("visibilitychange", () => this.#onVisible());
    if (catalogue.latest) this.#take(catalogue.latest, false, 0);
    this.connection.start();
    setInterval(() => this.#look(), LOOK_EVERY);
    this.#look();
    const loadPast = () => {
      this.past.load();
      setTimeout(() => (this.#isPastKnown = true), PAST_PATIENCE);
      this.#compare();
      this.zoom.start();
      void this.#loadCharts();
      void this.health.ask();
    };
    if ("requestIdleCallback" in window) requestIdleCallback(loadPast, { timeout: 300 });
    else setTimeout(loadPast, 100);
  }

  /** After the first numbers: the charts are half of the page's bytes. */
  async #loadCharts() {
    try {
      const { Charts } = await import("./charts.js");
      this.charts = new Charts(document, metrics, this.preferences);
      this.charts.onZoom = (span) => this.zoom.to(span);
      this.charts.onScale = (factor, centre) => this.zoom.by(factor, centre);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      // The network broke between the page and its charts: numbers go on, charts come later.
      setTimeout(() => this.#loadCharts(), CHARTS_AGAIN_AFTER);
      return;
    }
    this.#drawPast();
  }

  /** @returns {number} the publisher's clock, by which snapshots have their times; Unix seconds */
  get now() {
    return this.clock.at(this.local.now()) ?? Date.now() / 1000;
  }

  /** @param {{snapshot: Snapshot, missing: import("./sequence.js").Missing|null, isFirst: boolean}} arrival */
  #onSnapshot({ snapshot, missing, isFirst }) {
    this.heardAt = this.local.now();
    kept.note(snapshot);
    const step = this.freshness.note(snapshot, this.heardAt, isFirst);
    if (step) this.clockNote = { text: `The publisher's clock was ${describeStep(step)}.`, until: this.heardAt + CLOCK_NOTE_FOR };
    this.#take(snapshot, missing !== null, step);
  }

  /** @param {Snapshot} snapshot  @param {boolean} isAfterMissing  @param {number} clockStep */
  #take(snapshot, isAfterMissing, clockStep) {
    const isFirst = this.latest === null;
    this.latest = snapshot;
    this.anchors.note(snapshot);
    this.past.append(snapshot, { isAfterMissing, clockStep });
    if (this.held) {
      this.missedWhilePaused += 1;
      return;
    }
    if (isFirst) this.#paint();
    else this.#requestFrame();
  }

  #requestFrame() {
    if (this.#isFrameDue) return;
    this.#isFrameDue = true;
    // In a hidden tab no frame comes: nothing is drawn there.
    requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    this.#isFrameDue = false;
    const snapshot = this.held ?? this.latest;
    if (!snapshot) return;
    this.cards.show(snapshot, this.now);
    if (!this.held) this.indicator.pulse();
    this.#look();
    if (performance.now() - this.#pastDrawnAt >= PAST_EVERY) this.#drawPast();
  }

  #drawPast() {
    if (document.visibilityState === "hidden" || !this.#isPastKnown) return;
    this.#pastDrawnAt = performance.now();
    const { past, anchors } = this;
    const { zone, range } = this.preferences;
    const midnight = startOfDay(this.now, zone);
    if (midnight > anchors.midnight) anchors.lookUpDay(midnight);
    const { view, rowStep, window } = past;
    const longest = Math.max(rowStep ?? 0, this.connection.interval) * LONGEST_ROW;
    this.cards.showPast({ rows: past.rowsUntilNow, window, range: range.label, longest, zone, began: anchors.began, today: anchors.today });
    this.charts?.show(makeTimeline(past.isZoomed ? view.rows : past.rows, past.isZoomed ? view.step : rowStep, groups, window.to), view.window, view);
    this.csv.href = past.csvAddress;
    if (!this.table.section.hidden) this.table.show(past.rowsInView, view.step, zone);
  }

  /** Look at the evidence, and say what it allows to say. */
  #look() {
    const local = this.local.now();
    if (local - this.lookedAt > FROZEN_AFTER_S) this.wokeAt = local;
    this.lookedAt = local;
    const { latest, connection } = this;
    const { status, interval } = connection;
    const retryAt = status.retryAt;
    const shown = this.held ?? latest;
    const { zone } = this.preferences;
    const state = computeState({
      age: this.freshness.ageAt(local),
      waited: local - this.heardAt,
      interval,
      connection: status,
      isShared: catalogue.isShared,
      isOnline: navigator.onLine,
      isWaking: local - this.wokeAt < Math.max(2 * interval, 3),
      staleGroups: shown ? labelsOf(staleGroups(shown, metrics)) : [],
      faults: findFaults(shown, metrics),
      health: this.health.latest,
      polledFor: status.pollingSince === null ? 0 : (environment.now() - status.pollingSince) / 1000,
      retryIn: retryAt === null ? null : (retryAt - environment.now()) / 1000,
      lastTime: latest ? formatTime(latest.timestamp, zone) : "",
      note: [local < this.clockNote.until ? this.clockNote.text : "", this.historyNote].filter(Boolean).join(" "),
      paused: this.held && { time: formatTime(this.held.timestamp, zone), newer: this.missedWhilePaused },
    });
    this.health.note(state.isTrouble);
    const headline = shown ? formatValue(headlineMetric, shown[headlineMetric.key]) : "";
    this.indicator.show(state, shown && labelsOf(simulatedGroups(shown)), headline, shown ? kindOf(shown, headlineMetric) : "");
    setText(/** @type {Element} */ (document.querySelector("#clock .time")), formatTime(this.now, zone));
    setText(/** @type {Element} */ (document.querySelector("#clock .zone")), zoneName(zone));
  }

  #onLoaded() {
    this.anchors.lookUp(this.past.view.events);
    this.anchors.lookUpDay(startOfDay(this.now, this.preferences.zone));
    this.#onPast("");
  }

  /** What there is of the past is here, or cannot be had for now. @param {string} note */
  #onPast(note) {
    this.#isPastKnown = true;
    this.historyNote = note;
    this.#look();
    this.#drawPast();
  }

  /** @param {string} name */
  #onPreference(name) {
    if (name === "compare") this.#compare();
    if (name === "range") {
      this.zoom.to(null);
      this.past.show(this.preferences.range.seconds);
    }
    this.zoom.show();
    this.#look();
    this.#drawPast();
  }

  #compare() {
    this.past.compare(COMPARED.find(([choice]) => this.preferences.isChosen("compare", choice))?.[1] ?? 0);
  }

  #onVisible() {
    if (document.visibilityState === "hidden") return;
    this.#look();
    this.#requestFrame();
    this.#drawPast();
  }

  /** @param {boolean} isPaused */
  #pause(isPaused) {
    this.held = isPaused ? this.latest : null;
    if (this.held) this.past.hold(this.held.timestamp);
    else this.past.release();
    this.missedWhilePaused = 0;
    this.#pastDrawnAt = -Infinity;
    this.#paint();
  }

  /** @param {boolean} isShown */
  #showTable(isShown) {
    this.table.section.hidden = !isShown;
    document.body.classList.toggle("shows-table", isShown);
    this.#drawPast();
  }
}

new Page().start();
