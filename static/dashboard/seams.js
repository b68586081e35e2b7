/**
 * What lies between two rows that follow each other: nothing, a gap (and why), or that the publisher's clock was set.
 *
 * Single snapshots are chained by their ids: whether one is missing has nothing to do with their times.
 */

/** @typedef {import("./row.js").Gap} Gap */

/** So many intervals between two snapshots that follow each other, and the line is broken. */
const SILENT_INTERVALS = 2.5;
/** So many steps between the beginnings of two buckets, and one between them is empty. */
const EMPTY_STEPS = 1.5;

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
