/** All that the page shows of what was: changes and figures, charts, table, CSV, and the way into them. */

import { Anchors } from "./anchors.js";
import { CardsPast } from "./cards_past.js";
import { Events } from "./events.js";
import { Past } from "./past.js";
import { startOfDay } from "./statistics.js";
import { Table } from "./table.js";
import { makeTimeline } from "./timeline.js";
import { Zoom } from "./zoom.js";

/** @typedef {import("./snapshot.js").Snapshot} Snapshot */
/**
 * @typedef {object} Present What is known of now.
 * @property {import("./cards.js").Cards} cards
 * @property {import("./preferences.js").Preferences} preferences
 * @property {number} interval  Seconds between two snapshots, until the first one says it.
 * @property {() => number} now  The publisher's clock, Unix seconds.
 * @property {(note: string) => void} onNote  What to know of history itself; empty: nothing.
 */

/** Milliseconds between two drawings: at 10 snapshots per second the eye gains nothing from more; less than the second that others come in. */
const DRAWN_EVERY = 900;
/** A row stands for so many times its length, or the interval, at most: what is longer is a gap. */
const LONGEST_ROW = 2.5;
const CHARTS_AGAIN_AFTER = 3000;
/** Milliseconds after which the charts show what arrived, should history not have answered by then. */
const HISTORY_PATIENCE = 5000;
/** Seconds back to what a range may be compared with. @type {[string, number][]} */
const COMPARED = [["day", 86_400], ["week", 604_800]];

export class Retrospect {
  /** @type {import("./charts.js").Charts|null} Loaded after the first numbers are on the page. */ charts = null;
  /** What there is of the past is known: until then no change and no range is shown. */ #isKnown = false;
  #drawnAt = -Infinity;
  /** What to know of history itself. */ #note = "";

  /**
   * @param {Document} document  @param {import("./catalogue.js").Catalogue} catalogue
   * @param {import("./environment.js").HttpEnvironment} environment  @param {Present} present
   */
  constructor(document, { metrics, groups, base, isShared }, environment, { cards, preferences, interval, now, onNote }) {
    const draw = () => this.draw();
    this.document = document;
    this.metrics = metrics;
    this.groups = groups.map(({ key }) => key);
    this.cards = new CardsPast(cards);
    this.preferences = preferences;
    this.now = now;
    this.onNote = onNote;
    this.table = new Table(document, metrics);
    this.csv = /** @type {HTMLAnchorElement} */ (document.getElementById("csv"));
    // Below a share link there are no events: who switched is not shared.
    this.events = isShared ? null : new Events(`${base}events`, environment, draw);
    this.anchors = new Anchors(metrics, `${base}history`, environment, draw);
    this.past = new Past(metrics, `${base}history`, environment, {
      range: preferences.range.seconds,
      interval,
      now,
      onLoaded: () => this.#onLoaded(),
      events: this.events,
      onFailure: () => this.#onAnswer(`History cannot be loaded: the charts show what ${this.past.isZoomed ? "is here" : "arrives"}.`),
    });
    this.zoom = new Zoom(document, preferences, () => this.past.window, (span) => {
      this.past.zoom(span);
      this.draw();
      this.onNote(this.#note);
    });
  }

  /** Ask for history, and load the charts. */
  start() {
    this.past.load();
    setTimeout(() => (this.#isKnown = true), HISTORY_PATIENCE);
    this.#compare();
    this.zoom.start();
    void this.#loadCharts();
  }

  /** After the first numbers: the charts are half of the page's bytes. */
  async #loadCharts() {
    try {
      const { Charts } = await import("./charts.js");
      this.charts = new Charts(this.document, this.metrics, this.preferences);
      this.charts.onZoom = (span) => this.zoom.to(span);
      this.charts.onScale = (factor, centre) => this.zoom.by(factor, centre);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      // The network broke between the page and its charts: numbers go on, charts come later.
      setTimeout(() => this.#loadCharts(), CHARTS_AGAIN_AFTER);
      return;
    }
    this.draw();
  }

  /** @param {Snapshot} snapshot  @param {{isAfterMissing: boolean, clockStep: number}} how as for {@link Past.append} */
  append(snapshot, how) {
    this.anchors.note(snapshot);
    this.past.append(snapshot, how);
  }

  /** The numbers of a snapshot were just shown: nothing here may contradict them, the rest follows in time. @param {Snapshot} snapshot */
  follow(snapshot) {
    this.cards.include(snapshot);
    this.charts?.include(snapshot);
    if (performance.now() - this.#drawnAt >= DRAWN_EVERY) this.draw();
  }

  /** Stand still at a snapshot, or go on. @param {Snapshot|null} snapshot */
  hold(snapshot) {
    if (snapshot) this.past.hold(snapshot.timestamp);
    else this.past.release();
    this.draw();
  }

  draw() {
    if (this.document.visibilityState === "hidden" || !this.#isKnown) return;
    this.#drawnAt = performance.now();
    const { past, anchors } = this;
    const { zone, range } = this.preferences;
    const midnight = startOfDay(this.now(), zone);
    if (midnight > anchors.midnight) anchors.lookUpDay(midnight);
    // Asked once: a window that is computed later would begin later, and not show what the cards tell of.
    const { view, rowStep } = past;
    const window = past.isZoomed ? past.window : view.window;
    const longest = Math.max(rowStep ?? 0, past.interval) * LONGEST_ROW;
    const zoomed = past.isZoomed ? { rows: past.rowsInView, window: view.window, longest: view.length * LONGEST_ROW } : null;
    this.cards.show({ rows: past.rowsUntilNow, window, range: range.label, longest, zone, began: anchors.began, today: anchors.today, zoomed });
    const [rows, step] = past.isZoomed ? [view.rows, view.step] : [past.rows, rowStep];
    this.charts?.show(makeTimeline(rows, step, this.groups, window.to), view.window, view);
    this.csv.href = past.csvAddress;
    if (!this.table.section.hidden) this.table.show(past.rowsInView, view.step, zone);
  }

  #onLoaded() {
    this.anchors.lookUp(this.past.view.events);
    this.anchors.lookUpDay(startOfDay(this.now(), this.preferences.zone));
    this.#onAnswer("");
  }

  /** What there is of the past is here, or cannot be had for now. @param {string} note */
  #onAnswer(note) {
    this.#isKnown = true;
    this.#note = note;
    this.onNote(note);
    this.draw();
  }

  /** The reader chose otherwise. @param {string} name of the preference */
  onPreference(name) {
    if (name === "compare") this.#compare();
    if (name === "range") {
      this.zoom.to(null);
      this.past.show(this.preferences.range.seconds);
    }
    this.zoom.show();
    this.draw();
  }

  #compare() {
    this.past.compare(COMPARED.find(([choice]) => this.preferences.isChosen("compare", choice))?.[1] ?? 0);
  }

  /** @param {boolean} isShown */
  showTable(isShown) {
    this.table.section.hidden = !isShown;
    this.document.body.classList.toggle("shows-table", isShown);
    this.draw();
  }
}
