/**
 * A range's past and present as rows, oldest first: what charts, changes and table all read.
 *
 * A row is one bucket of `step` seconds (or one snapshot, where `step` is null). History brings the past ones, live
 * snapshots make the newest. Snapshots are in the order of their ids, and known by them; buckets are in that of their
 * times, as history has them. So a publisher's clock that is set moves no row. Memory is bounded by the range: each
 * snapshot that is added also forgets what is too old, whether or not anybody looks.
 */

import { fromHistory, fromSnapshot, merge, roundTime } from "./row.js";
import { gapOfBuckets, seamOfSnapshots } from "./seams.js";

/** @typedef {import("./snapshot.js").Snapshot} Snapshot */
/** @typedef {import("./row.js").Row} Row */
/** @typedef {import("./row.js").Keyed} Keyed */

/** Seconds of single snapshots that are kept to join history (written a little later) to the live stream. */
const OVERLAP_S = 120;
const [FEWEST_OVERLAP, MOST_OVERLAP] = [10, 750];
/** Of so many seams something is remembered that the rows alone do not tell. */
const MOST_SEAMS = 100;
/** Two lengths of time that differ by so many intervals at most are one. */
const AS_LONG_AS = 3;
/** More rows than any range is drawn with: the bound where history does not answer and each snapshot stays a row. */
const MOST_ROWS = 5000;
/** Cutting the front of an array moves all of it: so many rows are cut at once. */
const CUT_AT_LEAST = 20;

export class RowStore {
  /** @type {Row[]} */ rows = [];
  /** @type {number|null} */ step = null;
  /** @type {Snapshot[]} The newest ones as they came. */ #recent = [];
  /** @type {{id: number, time: number, isGone: boolean, step: number}[]} Told of the seam before a snapshot. */ #told = [];

  /** @param {Keyed[]} metrics  @param {number} range seconds to keep, back from the newest snapshot */
  constructor(metrics, range) {
    this.metrics = metrics;
    this.range = range;
  }

  /** @returns {RowStore} the same rows, which stand still while these here go on */
  copy() {
    const copy = new RowStore(this.metrics, this.range);
    copy.step = this.step;
    copy.rows = structuredClone(this.rows);
    copy.#recent = [...this.#recent];
    copy.#told = [...this.#told];
    return copy;
  }

  /** Keep another length of time from now on. @param {number} range seconds */
  keep(range) {
    this.range = range;
    this.#prune();
  }

  /** @returns {Row|undefined} */
  get last() {
    return this.rows[this.rows.length - 1];
  }

  /**
   * Start again from what `/stream/history` answered, and put the live snapshots that it does not have yet on top.
   * @param {{step: number|null, rows?: any[], snapshots?: Snapshot[]}} history
   */
  replace(history) {
    const { rows: live, step: formerStep } = this;
    this.step = history.step;
    this.rows = [];
    if (history.step === null) {
      // Each once, whichever brought it: history may have what we missed, and not yet, or no more, what we have.
      const known = new Map([...(history.snapshots ?? []), ...this.#recent].map((snapshot) => [snapshot.id, snapshot]));
      for (const snapshot of [...known.values()].sort((a, b) => a.id - b.id)) this.#add(snapshot);
      return;
    }
    this.rows = (history.rows ?? []).map((bucket) => fromHistory(bucket, this.metrics));
    this.#overlay(formerStep === history.step ? live : []);
  }

  /** Of each bucket the fuller version wins: ours, made of live snapshots, or the server's. @param {Row[]} former */
  #overlay(former) {
    const own = new RowStore(this.metrics, this.range);
    own.step = this.step;
    for (const snapshot of this.#recent) own.#add(snapshot);
    const kept = new Map(former.slice(-2).map((row) => [row.time, row]));
    for (const row of own.rows) {
      const other = kept.get(row.time);
      kept.set(row.time, other && other.count > row.count ? other : row);
    }
    for (const [time, row] of [...kept].sort(([a], [b]) => a - b)) {
      const index = this.rows.findLastIndex((candidate) => candidate.time <= time);
      const present = this.rows[index];
      if (present?.time !== time) this.rows.splice(index + 1, 0, row);
      else if (row.count > present.count) this.rows[index] = { ...row, gap: present.gap };
    }
    this.rows.forEach((_, index) => this.#joinBucket(index));
  }

  /**
   * Add one live snapshot, which follows all before. One with a smaller id is the first of another sequence, to which
   * nothing here belongs.
   * @param {Snapshot} snapshot  @param {number} [clockStep] seconds that the publisher's clock was set ahead before it
   */
  append(snapshot, clockStep = 0) {
    const newest = this.#recent.at(-1);
    if (newest && snapshot.id < newest.id) [this.rows, this.#recent] = [[], []];
    this.#recent.push(snapshot);
    const overlap = Math.min(Math.max(Math.ceil(OVERLAP_S / snapshot.interval), FEWEST_OVERLAP), MOST_OVERLAP);
    if (this.#recent.length > 2 * overlap) this.#recent = this.#recent.slice(-overlap);
    if (snapshot.missed || clockStep) {
      this.#told.push({ id: snapshot.id, time: snapshot.timestamp, isGone: !!snapshot.missed, step: clockStep });
      this.#told = this.#told.slice(-MOST_SEAMS);
    }
    this.#add(snapshot);
    this.#prune();
  }

  /** Forget rows that end before the range. */
  #prune() {
    const newest = this.#recent.at(-1)?.timestamp ?? this.last?.time ?? 0;
    const kept = this.rows.findIndex((row) => row.time + (this.step ?? 0) >= newest - this.range);
    const old = Math.max(kept, this.rows.length - MOST_ROWS);
    if (old > CUT_AT_LEAST) this.rows.splice(0, old);
  }

  /** @param {Snapshot} snapshot */
  #add(snapshot) {
    if (this.step === null) return this.#addSingle(snapshot);
    const row = fromSnapshot(snapshot, this.metrics, this.#bucketOf(snapshot.timestamp));
    const index = this.rows.findLastIndex(({ time }) => time <= row.time);
    const present = this.rows[index];
    if (present?.time === row.time) return merge(present, row, this.metrics);
    this.rows.splice(index + 1, 0, row); // the last, unless the clock was set back
    this.#joinBucket(index + 1);
    this.#joinBucket(index + 2);
  }

  /** @param {Snapshot} snapshot */
  #addSingle(snapshot) {
    const row = fromSnapshot(snapshot, this.metrics, snapshot.timestamp);
    const before = this.last;
    if (before) {
      const told = this.#told.find(({ id }) => id === snapshot.id);
      const seam = seamOfSnapshots(before, snapshot, { isGone: told?.isGone ?? false, step: told?.step ?? 0 });
      [row.gap, row.clockStep] = [seam.gap, seam.step];
      if (seam.step < 0) this.#explainSilence(-seam.step, snapshot.interval);
    }
    this.rows.push(row);
  }

  /**
   * The clock was set back by `step` seconds: if that is what the last silence was long, it was set ahead there.
   * @param {number} step  @param {number} interval
   */
  #explainSilence(step, interval) {
    const index = this.rows.findLastIndex(({ gap }) => gap === "silent");
    if (index < 1) return;
    const row = this.rows[index];
    const ahead = row.time - this.rows[index - 1].time - interval;
    if (Math.abs(ahead - step) <= AS_LONG_AS * interval) [row.gap, row.clockStep] = ["", ahead];
  }

  /** Say of the bucket at `index` what lies between it and the one before. @param {number} index */
  #joinBucket(index) {
    const [before, row] = [this.rows[index - 1], this.rows[index]];
    if (!row || this.step === null) return;
    const told = this.#told.filter(({ time }) => this.#bucketOf(time) === row.time);
    row.gap = before ? gapOfBuckets(before.time, row.time, this.step, told.some(({ isGone }) => isGone)) : "";
    row.clockStep = told.find(({ step }) => step)?.step ?? 0;
  }

  /** @param {number} timestamp  @returns {number} when its bucket begins */
  #bucketOf(timestamp) {
    const step = this.step ?? 0.001;
    return roundTime(Math.floor(timestamp / step) * step);
  }
}
