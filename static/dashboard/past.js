/** What lies behind the newest snapshot, as far back as was chosen: going on with the stream, or held still. */

import { Compared } from "./compared.js";
import { HistoryLoader, chooseStep } from "./history.js";
import { eventsOfHistory } from "./markers.js";
import { RowStore } from "./rows.js";
import { Stretch } from "./stretch.js";

/** @typedef {import("./environment.js").HttpEnvironment} HttpEnvironment */
/** @typedef {import("./snapshot.js").Snapshot} Snapshot */
/** @typedef {import("./row.js").Row} Row */
/**
 * @typedef {object} Window
 * @property {number} from  Unix seconds.
 * @property {number} to
 * @property {boolean} isLoading  What lies in it is not here yet.
 * @property {number|null} collecting  History is younger than the range: for so many seconds there is something; else null.
 */
/**
 * @typedef {object} View What charts, table and CSV show: the range, or what is zoomed into.
 * @property {Row[]} rows
 * @property {number|null} step  Seconds of a row; null: each is one snapshot.
 * @property {number} length  The same, also for snapshots.
 * @property {Window} window
 * @property {boolean} isZoomed
 * @property {import("./markers.js").PastEvent[]} events
 * @property {Compared|null} compared
 */

/** Seconds after which history has what the stream missed. */
const REFILL_AFTER_S = 3;
/** So many seconds the clock here may be behind the server's: history is asked for them, too, and what came of them is shown. */
const CLOCK_SLACK_S = 1;
/** A young history is drawn at least so many intervals wide. */
const FEWEST_INTERVALS = 10;
/** Of what a range is compared with, this part of it more is loaded: the window moves on. */
const AHEAD = 0.1;
/** The end of a range is excluded: to include a snapshot it lies this much behind it. Timestamps have milliseconds. */
const JUST_AFTER_S = 0.001;

/**
 * The rows to show. Live ones go on also where nobody sees them (a hidden tab, a table, a pause) and stay bounded by
 * the range; while the page is paused, what is shown is a copy that stands still.
 */
export class Past {
  /** @type {RowStore} */ #live;
  /** @type {{rows: RowStore, at: number}|null} While paused: the copy, and the moment (Unix seconds). */ #held = null;
  /** @type {RowStore} Who gets the answer that is awaited. */ #asking;
  /** The live rows lack something that only history can tell, and it is not being asked. */ #isLiveIncomplete = false;
  /** @type {any} */ #refill = null;
  /** The range was chosen, and neither is its history here nor has asking for it failed. */ #isAwaited = true;
  /** @type {number|null|undefined} The lowest time in history; null: there was nothing; undefined: it did not say. */ #oldest;
  /** @type {import("./markers.js").PastEvent[]} */ #switches = [];
  /** @type {{from: number, to: number}|null} */ #zoom = null;
  /** @type {Snapshot|null} The newest one. */ #newest = null;
  /** Seconds from what is compared with until now; 0: nothing is. */ #offset = 0;

  /**
   * @param {import("./row.js").Keyed[]} metrics
   * @param {string} url of history
   * @param {HttpEnvironment} environment
   * @param {{range: number, interval: number, now: () => number, onLoaded: () => void,
   *   onFailure: (retryIn: number) => void, events?: import("./events.js").Events|null}} options  `range`:
   *   seconds to show. `interval`: seconds between snapshots, until the first one says it. `now`: the publisher's clock, Unix seconds. `onFailure` gets the seconds until the next
   *   attempt.
   */
  constructor(metrics, url, environment, { range, interval, now, onLoaded, onFailure, events = null }) {
    this.url = url;
    this.environment = environment;
    this.interval = interval;
    this.now = now;
    this.#live = this.#asking = new RowStore(metrics, range);
    this.events = events;
    this.loader = new HistoryLoader(url, environment, {
      onHistory: (history) => {
        this.#asking.replace(history);
        this.#oldest = history.oldest;
        this.#switches = eventsOfHistory(history.events ?? []);
        this.#isAwaited = false;
        onLoaded();
      },
      onFailure: (retryIn) => {
        this.#isAwaited = false;
        onFailure(retryIn);
      },
    });
    this.detail = new Stretch(metrics, url, environment, onLoaded, onFailure);
    this.former = new Stretch(metrics, url, environment, onLoaded);
    this.step = chooseStep(range, interval);
  }

  get #shown() {
    return this.#held?.rows ?? this.#live;
  }

  /** @returns {Row[]} oldest first */
  get rows() {
    return this.#shown.rows;
  }

  /** @returns {Row[]} those without buckets that a publisher's clock filled before it was set back */
  get rowsUntilNow() {
    const { rows, rowStep, window } = this;
    return rowStep !== null && rows.length && rows[rows.length - 1].time > window.to ? rows.filter(({ time }) => time <= window.to) : rows;
  }

  /** @returns {number|null} seconds of a row; null: each is one snapshot */
  get rowStep() {
    return this.#shown.step;
  }

  /** @returns {Window} the range; of a young history, what there is of it */
  get window() {
    const now = this.now();
    const newest = this.rows[this.rows.length - 1]?.time ?? now;
    // What has just come is in it, although the time now, which is an estimate, may be a moment before that.
    const to = this.#held?.at ?? (newest > now && newest - now < CLOCK_SLACK_S ? newest : now);
    const from = to - this.#shown.range;
    const isLoading = this.#isAwaited;
    // Where nothing was stored yet, what came live is all there is.
    const oldest = this.#oldest === null ? this.rows[0]?.time : this.#oldest;
    if (isLoading || oldest === undefined || oldest <= from) return { from, to, isLoading, collecting: null };
    // A bucket stands at its beginning, before its first snapshot.
    const first = Math.min(oldest, this.rows[0]?.time ?? oldest, to - FEWEST_INTERVALS * this.interval);
    return { from: Math.max(first, from), to, isLoading, collecting: Math.max(to - oldest, 0) };
  }

  /** @returns {View} */
  get view() {
    const { detail } = this;
    const isFiner = this.#zoom !== null && detail.isLoaded;
    const isLoading = !isFiner && !detail.hasFailed && (this.#isAwaited || (detail.window !== null && !this.#holdsZoom));
    const window = this.#zoom ? { ...this.#zoom, isLoading, collecting: null } : this.window;
    const step = isFiner ? detail.step : this.rowStep;
    const own = isFiner ? eventsOfHistory(detail.events) : this.#switches;
    const events = this.events && !this.events.isAbsent ? this.events.list : own;
    const compared = this.#offset && this.former.isLoaded ? new Compared(this.former.rows, this.#offset, this.former.step) : null;
    return { rows: isFiner ? detail.rows : this.rows, step, length: step ?? this.interval, window, isZoomed: this.isZoomed, events, compared };
  }

  /** @returns {Row[]} those of the view that lie in its window */
  get rowsInView() {
    const { rows, window, length } = this.view;
    return this.#zoom ? rows.filter(({ time }) => time + length > window.from && time <= window.to) : rows;
  }

  /** @returns {boolean} */
  get isZoomed() {
    return this.#zoom !== null;
  }

  /** Show a part of the range, or any other time, in the step that fits. @param {{from: number, to: number}|null} window null: the range again */
  zoom(window) {
    this.#zoom = window;
    this.detail.forget();
    const step = window && chooseStep(window.to - window.from, this.interval);
    if (window && (!this.#holdsZoom || (step ?? 0) < (this.rowStep ?? 0))) this.#loadDetail(window);
    this.#loadFormer();
  }

  /** @returns {boolean} whether the rows of the range go back to what is zoomed into */
  get #holdsZoom() {
    const { from, to } = this.window;
    return this.#zoom !== null && this.#zoom.from >= from && this.#zoom.to <= to;
  }

  /** @param {{from: number, to: number}} zoom */
  #loadDetail({ from, to }) {
    const range = this.window;
    this.detail.load(from, to, chooseStep(to - from, this.interval));
    void this.events?.ask(Math.min(from, range.from), Math.max(to, range.to));
  }

  /** Compare with what was so many seconds before. @param {number} offset 0: with nothing */
  compare(offset) {
    this.#offset = offset;
    this.#loadFormer();
  }

  #loadFormer() {
    this.former.forget();
    if (!this.#offset) return;
    const { from, to } = this.#zoom ?? this.window;
    this.former.load(from - this.#offset, to - this.#offset + (to - from) * AHEAD, chooseStep(to - from, this.interval));
  }

  /** @returns {string} where the server has the window as CSV, with the rows that are shown once history is here */
  get csvAddress() {
    const { from, to } = this.#zoom ?? { from: this.window.to - this.#shown.range, to: this.window.to };
    const query = new URLSearchParams({ format: "csv", from: from.toFixed(3), to: (to + JUST_AFTER_S).toFixed(3) });
    const step = this.#zoom ? chooseStep(to - from, this.interval) : this.step;
    if (step !== null) query.set("step", String(step));
    return `${this.url}?${query}`;
  }

  /**
   * @param {Snapshot} snapshot
   * @param {{isAfterMissing?: boolean, clockStep?: number}} [how] `isAfterMissing`: others before it did not arrive.
   *   `clockStep`: seconds that the publisher's clock was set before it, and so the range with it: ask what is in it.
   */
  append(snapshot, { isAfterMissing = false, clockStep = 0 } = {}) {
    this.interval = snapshot.interval || this.interval;
    this.#live.append(snapshot, clockStep);
    if (isAfterMissing || clockStep) this.#refillSoon();
    const before = this.#newest ?? snapshot;
    this.#newest = snapshot;
    const isSwitched = Object.keys(snapshot.sources ?? {}).some((group) => snapshot.sources[group] !== before.sources?.[group]);
    if (isSwitched) void this.events?.ask(this.window.from, this.now() + CLOCK_SLACK_S);
    // The range moves on, and forgets what is zoomed into.
    if (this.#zoom && !this.detail.window && this.#zoom.from < this.window.from) this.#loadDetail(this.#zoom);
    const { window } = this.former;
    if (window && !this.#zoom && !this.#held && this.now() - this.#offset > window.to) this.#loadFormer();
  }

  /** Ask history for all of the range. */
  load() {
    const held = this.#held;
    const { range } = this.#shown;
    this.step = chooseStep(range, this.interval);
    this.#asking = this.#shown;
    this.#isLiveIncomplete = held !== null;
    const end = held ? () => held.at + JUST_AFTER_S : () => this.now() + CLOCK_SLACK_S;
    void this.loader.load(range, this.step, end);
    void this.events?.ask(end() - range, end());
  }

  /** Show another length of time. @param {number} range seconds */
  show(range) {
    this.#live.keep(range);
    this.#held?.rows.keep(range);
    this.#isAwaited = true;
    this.#zoom = null;
    this.detail.forget();
    this.load();
    this.#loadFormer();
  }

  /** Stand still at `time`. @param {number} time of the newest snapshot, Unix seconds */
  hold(time) {
    this.#held = { rows: this.#live.copy(), at: time };
    if (this.loader.isLoading) this.load();
  }

  /** Go on with what arrived meanwhile. */
  release() {
    this.#held = null;
    if (this.#isLiveIncomplete) this.load();
  }

  /** History is written a little after the stream: ask it, once, for what is missing. */
  #refillSoon() {
    if (this.#refill !== null) return;
    this.#refill = this.environment.setTimeout(() => {
      this.#refill = null;
      if (this.#held) this.#isLiveIncomplete = true;
      else this.load();
    }, Math.max(REFILL_AFTER_S, this.interval) * 1000);
  }
}
