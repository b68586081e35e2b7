/**
 * One row, and what it says of each metric: made of a snapshot or of a bucket of history, and of several as one.
 *
 * Numbers in it are real wherever any of the row is: what stood in for a value (a silent producer's last one, the
 * fallback) is kept apart, and so is what was simulated beside real values. A row that is simulated in full says so by
 * its sources. The server makes the same of the same snapshots (metrics/history/buckets.py).
 */

import { SIMULATED } from "./snapshot.js";

/** @typedef {{key: string, group: string}} Keyed A metric, as far as rows need it. */
/**
 * @typedef {object} Summary One metric in one row; a text has a last value only.
 * @property {number|null} min
 * @property {number|null} mean  Of the snapshots that had a value of their own.
 * @property {number|null} max
 * @property {any} last  The own value in the row's last snapshot, null where it had none.
 * @property {any} standIn  What the last snapshot showed in place of a value; null: nothing.
 * @property {Record<string, number>} problems  How many snapshots had which problem.
 * @property {number} count  Snapshots that had a value of their own: the weight of the mean.
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
 * @property {Record<string, Summary|null>} values  By metric; null: no value in this bucket, and no word why.
 */

/** The same bucket, computed here or there, has the same time. @param {number} time */
export function roundTime(time) {
  return Math.round(time * 1000) / 1000;
}

/** @param {string[]|undefined} kinds of source  @returns {boolean} whether all that they gave was invented */
export function isInvented(kinds) {
  return kinds?.length === 1 && kinds[0] === SIMULATED;
}

/** @param {any} bucket as history answers it  @param {Keyed[]} metrics  @returns {Row} */
export function fromHistory(bucket, metrics) {
  const values = Object.fromEntries(metrics.map(({ key }) => [key, summaryFromHistory(bucket[key], bucket.count)]));
  return { time: roundTime(bucket.time), id: null, count: bucket.count, sources: bucket.sources, gap: "", clockStep: 0, values };
}

/** @param {any} summary  @param {number} total snapshots in its bucket  @returns {Summary|null} */
function summaryFromHistory(summary, total) {
  const { min = null, mean = null, max = null, last = null, stand_in: standIn = null, problems = {} } = summary ?? {};
  const flawed = Object.values(problems).reduce((sum, count) => sum + Number(count), 0);
  if ((last ?? mean ?? standIn) === null && !flawed) return null;
  return { min, mean, max, last, standIn, problems, count: Math.max(total - flawed, mean === null ? 0 : 1) };
}

/** @param {Snapshot} snapshot  @param {Keyed[]} metrics  @param {number} time the row's  @returns {Row} */
export function fromSnapshot(snapshot, metrics, time) {
  /** @type {Row["values"]} */
  const values = {};
  for (const { key } of metrics) {
    const value = snapshot[key] ?? null;
    const problem = snapshot.problems?.[key];
    const own = problem ? null : value;
    const number = typeof own === "number" ? own : null;
    const problems = problem ? { [problem]: 1 } : {};
    const standIn = problem ? value : null;
    values[key] = value === null && !problem ? null : { min: number, mean: number, max: number, last: own, standIn, problems, count: own === null ? 0 : 1 };
  }
  const sources = Object.fromEntries(Object.entries(snapshot.sources ?? {}).map(([group, kind]) => [group, [kind]]));
  return { time, id: snapshot.id, count: 1, sources, gap: "", clockStep: 0, values };
}

/** @typedef {import("./snapshot.js").Snapshot} Snapshot */

/**
 * Put the snapshot in `row` into the bucket `into`.
 * @param {Row} into  @param {Row} row  @param {Keyed[]} metrics
 */
export function merge(into, row, metrics) {
  for (const { key, group } of metrics) {
    const present = into.values[key];
    const added = row.values[key];
    const [was, is] = [isInvented(into.sources[group]), isInvented(row.sources[group])];
    if (was === is || !into.sources[group]) into.values[key] = mergeSummaries(present, added);
    else if (was) into.values[key] = added; // what was real replaces what was simulated
    else into.values[key] = present && { ...present, last: null, standIn: null };
  }
  for (const [group, kinds] of Object.entries(row.sources)) {
    const known = (into.sources[group] ??= []);
    if (!known.includes(kinds[0])) known.push(kinds[0]);
  }
  into.count += 1;
}

/**
 * What the server makes of the same snapshots: no own value counts for nothing in a mean, but the last one may have none.
 * @param {Summary|null} present  @param {Summary|null} added of one later snapshot  @returns {Summary|null}
 */
function mergeSummaries(present, added) {
  if (!present) return added;
  if (!added) return { ...present, last: null, standIn: null };
  const problems = { ...present.problems };
  for (const [problem, count] of Object.entries(added.problems)) problems[problem] = (problems[problem] ?? 0) + count;
  if (added.mean === null) return { ...present, last: added.last, standIn: added.standIn, problems };
  if (present.mean === null) return { ...added, problems };
  return {
    min: Math.min(present.min ?? Infinity, added.last),
    mean: present.mean + (added.last - present.mean) / (present.count + 1),
    max: Math.max(present.max ?? -Infinity, added.last),
    last: added.last,
    standIn: null,
    problems,
    count: present.count + 1,
  };
}
