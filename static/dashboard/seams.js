/**
 * What lies between two rows that follow each other: nothing, a gap (and why), or that the publisher's clock was set.
 *
 * Single snapshots are chained by their ids: whether one is missing has nothing to do with their times.
 */

import { formatDuration } from "./format.js";

/**
 * @typedef {""|"silent"|"missing"|"gone"|"unknown"|"empty"} Gap
 * `silent`: nothing was published. `missing`: it was, and is not here. `gone`: nor can it be had any more. `unknown`:
 * not even the publisher knows. `empty`: no snapshot in a bucket, for any of these reasons.
 */

/** @type {Record<Gap, string>} A gap, for people. */
const GAPS = {
  "": "",
  silent: "gap: nothing was published",
  missing: "gap: snapshots are missing here",
  gone: "gap: not kept any more",
  unknown: "gap: what was published before is not known",
  empty: "gap: no snapshots",
};

/** So many intervals between two snapshots that follow each other, and the line is broken. */
const SILENT_INTERVALS = 2.5;
/** So many steps between the beginnings of two buckets, and one between them is empty. */
const EMPTY_STEPS = 1.5;

/** @param {Gap} gap  @returns {string} */
export function describeGap(gap) {
  return GAPS[gap];
}

/** What was done to a clock. @param {number} seconds ahead; back: negative  @returns {string} */
export function describeStep(seconds) {
  const duration = formatDuration(Math.round(Math.abs(seconds)));
  return seconds < 0 ? `set back by ${duration}` : `set ahead by ${duration}`;
}

/**
 * @param {{id: number|null, time: number}} before  the row of the snapshot before
 * @param {import("./snapshot.js").Snapshot} snapshot
 * @param {{isGone: boolean, step: number}} told  `isGone`: the server said that what came between is not kept. `step`:
 *   seconds that the clock was set, where that was seen live (ahead it cannot be told from the times alone); else 0.
 * @returns {{gap: Gap, step: number}}
 */
export function seamOfSnapshots(before, snapshot, { isGone, step }) {
  const { timestamp, previous, interval } = snapshot;
  const passed = timestamp - before.time;
  const seen = step || (passed < 0 ? passed - interval : 0);
  if (previous === before.id) {
    // Nothing is missing: still there is no line to draw over a time in which nothing was published.
    return { gap: !seen && passed > interval * SILENT_INTERVALS ? "silent" : "", step: seen };
  }
  if (isGone) return { gap: "gone", step: seen };
  return { gap: previous === null ? "unknown" : "missing", step: seen };
}

/** @param {number} before  @param {number} time  both starts of buckets  @param {number} length seconds of a bucket  @param {boolean} isGone  @returns {Gap} */
export function gapOfBuckets(before, time, length, isGone) {
  if (time - before <= length * EMPTY_STEPS) return "";
  return isGone ? "gone" : "empty";
}
