/** One row, and what it says of each metric: made of a snapshot or of a bucket of history, and of several as one. */

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
 * @typedef {""|"silent"|"missing"|"gone"|"unknown"|"empty"} Gap Why there is nothing between a row and the one before.
 * `silent`: nothing was published. `missing`: it was, and is not here. `gone`: nor can it be had any more. `unknown`:
 * not even the publisher knows. `empty`: no snapshot in a bucket, for any of these reasons.
 */

/**
 * @typedef {object} Row
 * @property {number} time  Start of the bucket, or the snapshot's timestamp; Unix seconds.
 * @property {number|null} id  Of the snapshot; null: it is a bucket.
 * @property {number} count  Snapshots in it.
 * @property {Record<string, string[]>} sources  The kinds of source that occur in it, by group.
 * @property {Gap} gap  Empty: nothing lacks.
 * @property {number} clockStep  Seconds that the publisher's clock was set ahead (back: negative) between them.
 * @property {Record<string, Summary|null>} values  By metric; null: no value in this bucket.
 */

/** The same bucket, computed here or there, has the same time. @param {number} time */
export function roundTime(time) {
  return Math.round(time * 1000) / 1000;
}

/** @param {any} bucket as history answers it  @param {string[]} keys the metrics' keys  @returns {Row} */
export function fromHistory(bucket, keys) {
  const values = Object.fromEntries(keys.map((key) => [key, summaryFromHistory(bucket[key], bucket.count)]));
  return { time: roundTime(bucket.time), id: null, count: bucket.count, sources: bucket.sources, gap: "", clockStep: 0, values };
}

/** @param {any} summary  @param {number} count snapshots in its bucket  @returns {Summary|null} */
function summaryFromHistory(summary, count) {
  const { min = null, mean = null, max = null, last = null } = summary ?? {};
  // History does not say how many snapshots had a value. It matters only for the bucket that is still filling.
  return (last ?? mean) === null ? null : { min, mean, max, last, count };
}

/** @param {Snapshot} snapshot  @param {string[]} keys the metrics' keys  @param {number} time the row's  @returns {Row} */
export function fromSnapshot(snapshot, keys, time) {
  /** @type {Row["values"]} */
  const values = {};
  for (const key of keys) {
    const value = snapshot[key] ?? null;
    const number = typeof value === "number" ? value : null;
    values[key] = value === null ? null : { min: number, mean: number, max: number, last: value, count: 1 };
  }
  const sources = Object.fromEntries(Object.entries(snapshot.sources ?? {}).map(([group, kind]) => [group, [kind]]));
  return { time, id: snapshot.id, count: 1, sources, gap: "", clockStep: 0, values };
}

/**
 * Put the snapshot in `row` into the bucket `into`.
 * @param {Row} into  @param {Row} row  @param {string[]} keys
 */
export function merge(into, row, keys) {
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
