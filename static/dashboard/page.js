/** The page: brings the connection, the state of the numbers, the cards and what lies behind them together. */

import { Cards } from "./cards.js";
import { readCatalogue } from "./catalogue.js";
import { LocalClock, ServerClock, pageArrival } from "./clock.js";
import { LiveConnection } from "./connection.js";
import { bindControls, keepAwake } from "./controls.js";
import { browserEnvironment } from "./environment.js";
import { describeStep, formatTime, formatValue, zoneName } from "./format.js";
import { Freshness } from "./freshness.js";
import { HealthWatch } from "./health.js";
import { Indicator } from "./indicator.js";
import { KeptSnapshot, isKept } from "./kept.js";
import { Preferences, openStorage } from "./preferences.js";
import { Retrospect } from "./retrospect.js";
import { findFaults, kindOf, simulatedGroups, staleGroups } from "./snapshot.js";
import { computeState } from "./state.js";
import { setText } from "./text.js";
import { watchTheme } from "./theme.js";

/** @typedef {import("./snapshot.js").Snapshot} Snapshot */

/** Milliseconds between two looks at the evidence; a look that comes this late was held back with the tab. */
const LOOK_EVERY = 500;
const FROZEN_AFTER_S = 3;
/** Seconds for which it is said beside the state that the publisher's clock was set. */
const CLOCK_NOTE_FOR = 60;

const catalogue = readCatalogue(document);
const kept = new KeptSnapshot(openStorage(), window);
if (isKept(document)) kept.recall(catalogue);
const { metrics } = catalogue;
const groupLabels = new Map(catalogue.groups.map(({ key, label }) => [key, label]));
const interval = catalogue.latest?.interval ?? catalogue.interval;
const environment = browserEnvironment();
/** @param {string[]} keys of groups */
const labelsOf = (keys) => keys.map((key) => groupLabels.get(key) ?? key);
const headlineMetric = metrics.find(({ isHero }) => isHero) ?? metrics[0];

/** Of when the numbers are. @param {import("./state.js").State["name"]} state  @returns {string} */
function nameOfPresent(state) {
  if (state === "paused") return "paused";
  return ["live", "degraded", "delayed"].includes(state) ? "now" : "last";
}

class Page {
  preferences = new Preferences(catalogue, openStorage(), new URLSearchParams(location.search));
  local = new LocalClock();
  clock = new ServerClock();
  freshness = new Freshness(this.clock);
  cards = new Cards(document, metrics);
  indicator = new Indicator(document);
  connection = new LiveConnection({
    url: `${catalogue.base}live`,
    latestUrl: `${catalogue.base}latest`,
    interval,
    since: catalogue.latest?.id,
    environment,
  });
  retrospect = new Retrospect(document, catalogue, environment, {
    cards: this.cards,
    preferences: this.preferences,
    interval,
    now: () => this.now,
    onNote: (note) => {
      this.historyNote = note;
      this.#look();
    },
  });
  health = new HealthWatch(`${catalogue.base}health`, environment, () => this.#look());
  /** @type {Snapshot|null} */ latest = null;
  /** @type {Snapshot|null} What is shown while the page is paused. */ held = null;
  missedWhilePaused = 0;
  clockNote = { text: "", until: -Infinity };
  historyNote = "";
  wokeAt = -Infinity;
  lookedAt = this.local.now();
  arrivedAt = isKept(document) ? null : pageArrival();
  /** When the newest snapshot, or else the page, was here. */ heardAt = this.arrivedAt ?? 0;
  #isFrameDue = false;

  start() {
    if (this.arrivedAt !== null && catalogue.latestAge === null) this.clock.note(catalogue.served, this.arrivedAt);
    this.freshness.notePage(catalogue.latest, catalogue.latestAge, this.arrivedAt);
    bindControls(document, this.preferences, {
      pause: (isPaused) => this.#pause(isPaused),
      table: (isShown) => this.retrospect.showTable(isShown),
      retry: () => this.connection.retryNow(),
    });
    if (this.preferences.isKiosk) keepAwake(document);
    this.preferences.addEventListener("change", (event) => this.#onPreference(/** @type {CustomEvent} */ (event).detail));
    watchTheme(document, this.preferences, () => this.retrospect.charts?.recolour());
    this.connection.addEventListener("snapshot", (event) => this.#onSnapshot(/** @type {CustomEvent} */ (event).detail));
    this.connection.addEventListener("status", () => this.#look());
    for (const name of ["online", "offline"]) window.addEventListener(name, () => this.#look());
    document.addEventListener("visibilitychange", () => this.#onVisible());
    if (catalogue.latest) this.#take(catalogue.latest, false, 0);
    this.connection.start();
    setInterval(() => this.#look(), LOOK_EVERY);
    this.#look();
    const loadPast = () => {
      this.retrospect.start();
      void this.health.ask();
    };
    if ("requestIdleCallback" in window) requestIdleCallback(loadPast, { timeout: 300 });
    else setTimeout(loadPast, 100);
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
    this.retrospect.append(snapshot, { isAfterMissing, clockStep });
    if (this.held) {
      this.missedWhilePaused += 1;
      return;
    }
    if (isFirst) this.#paint();
    else this.#requestFrame();
    // Nor timers, but once a minute; messages come as ever, and keep the title and the icon those of now.
    if (document.visibilityState === "hidden" && this.local.now() - this.lookedAt >= LOOK_EVERY / 1000) this.#look();
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
    this.retrospect.follow(snapshot);
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
    this.cards.mark(this.retrospect.past.isZoomed ? nameOfPresent(state.name) : "");
    const headline = shown ? formatValue(headlineMetric, shown[headlineMetric.key]) : "";
    this.indicator.show(state, shown && labelsOf(simulatedGroups(shown)), headline, shown ? kindOf(shown, headlineMetric) : "");
    setText(/** @type {Element} */ (document.querySelector("#clock .time")), formatTime(this.now, zone));
    setText(/** @type {Element} */ (document.querySelector("#clock .zone")), zoneName(zone));
  }

  /** @param {string} name */
  #onPreference(name) {
    this.#look();
    this.retrospect.onPreference(name);
  }

  #onVisible() {
    if (document.visibilityState === "hidden") return;
    this.#look();
    this.#requestFrame();
    this.retrospect.draw();
  }

  /** @param {boolean} isPaused */
  #pause(isPaused) {
    this.held = isPaused ? this.latest : null;
    this.missedWhilePaused = 0;
    this.retrospect.hold(this.held);
    this.#paint();
  }
}

new Page().start();
