/**
 * The chosen range's past and present as rows, oldest first: what charts, sparklines, changes, table and CSV all read.
 *
 * A row is one bucket of `step` seconds (or one snapshot, where `step` is null). History brings the past ones, live
 * snapshots make the newest. Memory is bounded by the range: whoever appends also prunes.
 */

/** @typedef {import("./snapshot.js").Snapshot} Snapshot */
/** @typedef {{min: number|null, mean: number|null, max: number|null, last: any}} Summary */

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

export class RowStore {
  /** @type {Row[]} */ rows = [];
  /** @type {number|null} */ step = null;
  /** @type {Snapshot[]} The newest ones as they came. */ #recent = [];

  /** @param {string[]} keys the metrics' keys */
  constructor(keys) {
    this.keys = keys;
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
    const own = new RowStore(this.keys);
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
  }

  /** Forget rows that end before `time`. @param {number} time */
  prune(time) {
    const first = this.rows.findIndex((row) => row.time + (this.step ?? 0) >= time);
    // Not at each snapshot: cutting the front of an array moves all of it.
    if (first > 20) this.rows.splice(0, first);
    else if (first === -1) this.rows = [];
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
    const values = Object.fromEntries(this.keys.map((key) => [key, hasValue(bucket[key]) ? bucket[key] : null]));
    return { time: roundTime(bucket.time), count: bucket.count, sources: bucket.sources, isAfterGap: false, values };
  }

  /** @param {Snapshot} snapshot  @returns {Row} */
  #fromSnapshot(snapshot) {
    /** @type {Row["values"]} */
    const values = {};
    for (const key of this.keys) {
      const value = snapshot[key] ?? null;
      values[key] = value === null ? null : { min: value, mean: value, max: value, last: value };
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

/** @param {any} summary */
function hasValue(summary) {
  return summary !== null && summary !== undefined && (summary.last ?? summary.mean ?? null) !== null;
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
  for (const key of keys) {
    const added = row.values[key];
    const present = into.values[key];
    if (!added) continue;
    if (!present) into.values[key] = added;
    else if (typeof added.mean !== "number" || present.mean === null) into.values[key] = added;
    else {
      present.min = Math.min(present.min ?? Infinity, added.last);
      present.max = Math.max(present.max ?? -Infinity, added.last);
      present.mean = (present.mean * into.count + added.last) / (into.count + 1);
      present.last = added.last;
    }
  }
  into.count += 1;
}
