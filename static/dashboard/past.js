/** What lies behind the newest snapshot, as far back as was chosen: going on with the stream, or held still. */

import { HistoryLoader, chooseStep } from "./history.js";
import { RowStore } from "./rows.js";

/** @typedef {import("./environment.js").HttpEnvironment} HttpEnvironment */
/** @typedef {import("./snapshot.js").Snapshot} Snapshot */
/** @typedef {import("./row.js").Row} Row */

/** Seconds after which history has what the stream missed. */
const REFILL_AFTER_S = 3;
/** History is asked for so many seconds more than the clock shows: ours may be behind the server's. */
const CLOCK_SLACK_S = 1;
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

  /**
   * @param {string[]} keys the metrics' keys
   * @param {string} url of history
   * @param {HttpEnvironment} environment
   * @param {{range: number, interval: number, now: () => number, onLoaded: () => void,
   *   onFailure: (retryIn: number) => void}} options  `range`: seconds to show. `interval`: seconds between snapshots,
   *   until the first one says it. `now`: the publisher's clock, Unix seconds. `onFailure` gets the seconds until the next
   *   attempt.
   */
  constructor(keys, url, environment, { range, interval, now, onLoaded, onFailure }) {
    this.url = url;
    this.environment = environment;
    this.interval = interval;
    this.now = now;
    this.#live = this.#asking = new RowStore(keys, range);
    this.loader = new HistoryLoader(url, environment, {
      onHistory: (history) => {
        this.#asking.replace(history);
        onLoaded();
      },
      onFailure,
    });
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

  /** @returns {{from: number, to: number}} what the charts show unless zoomed */
  get window() {
    const to = this.#held?.at ?? this.now();
    return { from: to - this.#shown.range, to };
  }

  /** @returns {string} where the server has the window as CSV, with the rows that are shown once history is here */
  get csvAddress() {
    const { from, to } = this.window;
    const query = new URLSearchParams({ format: "csv", from: from.toFixed(3), to: (to + JUST_AFTER_S).toFixed(3) });
    if (this.step !== null) query.set("step", String(this.step));
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
  }

  /** Show another length of time. @param {number} range seconds */
  show(range) {
    this.#live.keep(range);
    this.#held?.rows.keep(range);
    this.load();
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
