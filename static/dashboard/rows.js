/**
 * A range's past and present as rows, oldest first: what charts, sparklines, changes and table all read.
 *
 * A row is one bucket of `step` seconds (or one snapshot, where `step` is null). History brings the past ones, live
 * snapshots make the newest. Memory is bounded by the range: each snapshot that is added also forgets what is too old,
 * whether or not anybody looks.
 */

/** @typedef {import("./snapshot.js").Snapshot} Snapshot */
/**
 * @typedef {object} Summary One metric in one row; a text has a last value only.
 * @property {number|null} min
 * @property {number|null} mean  Of the snapshots that had a value.
 * @property {number|null} max
 * @property {any} last  The value in the row's last snapshot, null where it was.
 * @property {number} count  Snapshots that had a value: the weight of the mean.
 */

/**
 * @typedef {object} Row
 * @property {number} time  Start of the bucket, or the snapshot's timestamp; Unix seconds.
 * @property {number} count  Snapshots in it.
 * @property {Record<string, string[]>} sources  The kinds of source that occur in it, by group.
 * @property {boolean} isAfterGap  Snapshots are missing between the row before and this one.
 * @property {Record<string, Summary|null>} values  By metric; null: no value in this bucket.
 */

/** Seconds of raw snapshots that are kept to join history (written a little later) to the live stream. */
const OVERLAP_S = 120;
const OVERLAP_SNAPSHOTS = 1500;
/** More rows than any range is drawn with: the bound where history does not answer and each snapshot stays a row. */
const MOST_ROWS = 5000;
/** Cutting the front of an array moves all of it: so many rows are cut at once. */
const CUT_AT_LEAST = 20;

export class RowStore {
  /** @type {Row[]} */ rows = [];
  /** @type {number|null} */ step = null;
  /** @type {Snapshot[]} The newest ones as they came. */ #recent = [];

  /** @param {string[]} keys the metrics' keys  @param {number} range seconds to keep, back from the newest snapshot */
  constructor(keys, range) {
    this.keys = keys;
    this.range = range;
  }

  /** @returns {RowStore} the same rows, which stand still while these here go on */
  copy() {
    const copy = new RowStore(this.keys, this.range);
    copy.step = this.step;
    copy.rows = structuredClone(this.rows);
    copy.#recent = [...this.#recent];
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
      for (const snapshot of history.snapshots ?? []) this.#add(snapshot);
      const newest = this.last?.time ?? -Infinity;
      for (const snapshot of this.#recent) if (snapshot.timestamp > newest) this.#add(snapshot);
      return;
    }
    for (const row of history.rows ?? []) this.#push(this.#fromHistory(row));
    this.#overlay(formerStep === history.step ? live : []);
  }

  /** Of each bucket the fuller version wins: ours, made of live snapshots, or the server's. @param {Row[]} former */
  #overlay(former) {
    const own = new RowStore(this.keys, this.range);
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
      else if (row.count > present.count) this.rows[index] = { ...row, isAfterGap: present.isAfterGap };
    }
    this.rows.forEach((row, index) => (row.isAfterGap = index > 0 && this.#isGap(this.rows[index - 1], row)));
  }

  /** Add one live snapshot, newer than all before. @param {Snapshot} snapshot */
  append(snapshot) {
    this.#recent.push(snapshot);
    if (this.#recent.length > OVERLAP_SNAPSHOTS || this.#recent[0].timestamp < snapshot.timestamp - 2 * OVERLAP_S) {
      const oldest = snapshot.timestamp - OVERLAP_S;
      this.#recent = this.#recent.filter((kept) => kept.timestamp >= oldest).slice(-OVERLAP_SNAPSHOTS / 2);
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
    const row = this.#fromSnapshot(snapshot);
    const last = this.last;
    if (this.step !== null && last && last.time === row.time) merge(last, row, this.keys);
    else this.#push(row, snapshot);
  }

  /** @param {Row} row  @param {Snapshot} [snapshot] */
  #push(row, snapshot) {
    const last = this.last;
    row.isAfterGap = last !== undefined && this.#isGap(last, row, snapshot);
    this.rows.push(row);
  }

  /** @param {Row} before  @param {Row} row  @param {Snapshot} [snapshot] */
  #isGap(before, row, snapshot) {
    if (this.step === null) {
      if (!snapshot) return false;
      const isMissing = snapshot.previous != null && snapshot.previous !== before.time;
      // Nothing was published meanwhile, nothing is missing: still there is no line to draw over that time.
      return isMissing || row.time - before.time > snapshot.interval * 2.5;
    }
    return row.time - before.time > this.step * 1.5;
  }

  /** @param {any} bucket  @returns {Row} */
  #fromHistory(bucket) {
    const values = Object.fromEntries(this.keys.map((key) => [key, fromHistory(bucket[key], bucket.count)]));
    return { time: roundTime(bucket.time), count: bucket.count, sources: bucket.sources, isAfterGap: false, values };
  }

  /** @param {Snapshot} snapshot  @returns {Row} */
  #fromSnapshot(snapshot) {
    /** @type {Row["values"]} */
    const values = {};
    for (const key of this.keys) {
      const value = snapshot[key] ?? null;
      const number = typeof value === "number" ? value : null;
      values[key] = value === null ? null : { min: number, mean: number, max: number, last: value, count: 1 };
    }
    const sources = Object.fromEntries(Object.entries(snapshot.sources ?? {}).map(([group, kind]) => [group, [kind]]));
    const time = this.step === null ? snapshot.timestamp : roundTime(Math.floor(snapshot.timestamp / this.step) * this.step);
    return { time, count: 1, sources, isAfterGap: false, values };
  }
}

/** The same bucket, computed here or there, has the same time. @param {number} time */
function roundTime(time) {
  return Math.round(time * 1000) / 1000;
}

/**
 * @param {any} summary as history answers it  @param {number} count snapshots in its bucket
 * @returns {Summary|null}
 */
function fromHistory(summary, count) {
  const { min = null, mean = null, max = null, last = null } = summary ?? {};
  // History does not say how many snapshots had a value. It matters only for the bucket that is still filling.
  return (last ?? mean) === null ? null : { min, mean, max, last, count };
}

/**
 * Put the snapshot in `row` into the bucket `into`.
 * @param {Row} into  @param {Row} row  @param {string[]} keys
 */
function merge(into, row, keys) {
  for (const [group, kinds] of Object.entries(row.sources)) {
    const known = (into.sources[group] ??= []);
    if (!known.includes(kinds[0])) known.push(kinds[0]);
  }
  for (const key of keys) into.values[key] = mergeSummaries(into.values[key], row.values[key]);
  into.count += 1;
}

/**
 * What the server makes of the same snapshots: no value counts for nothing in a mean, but it can be the last one.
 * @param {Summary|null} present  @param {Summary|null} added of one later snapshot  @returns {Summary|null}
 */
function mergeSummaries(present, added) {
  if (!present || present.mean === null) return added;
  if (!added || added.mean === null) return { ...present, last: null };
  return {
    min: Math.min(present.min ?? Infinity, added.last),
    mean: present.mean + (added.last - present.mean) / (present.count + 1),
    max: Math.max(present.max ?? -Infinity, added.last),
    last: added.last,
    count: present.count + 1,
  };
}
