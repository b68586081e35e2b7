/**
 * What the page says of a metric over a length of time: change, lowest and highest, fall from the peak, how long a text
 * has held.
 *
 * All of values of their own: what stood in for one (stale, a fallback) counts for nothing. All figures of a card are of
 * one source, that of its newest number, and say so where the same time has values of another one. Only where the past is
 * looked at for itself (zoomed) there is no such source: a range is then of the real values, if there are any.
 */

import { plotted } from "./lines.js";
import { isInvented } from "./row.js";
import { sourceName } from "./sources.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./row.js").Row} Row */
/** @typedef {{from: number, to: number}} Window  Unix seconds. */
/** @typedef {{time: number, source: string, values: Record<string, any>}} Anchor  One snapshot that a change is counted from. */
/**
 * @typedef {object} Range
 * @property {number} low  @property {number} high
 * @property {boolean} isSimulated
 * @property {string} origin  The sources that it is of, for people.
 * @property {boolean} isOfAll  The same time has no values of another source.
 */
/** @typedef {{change: number, since: number, isSimulated: boolean}} Change  `since`: Unix seconds. */

/** @param {Row} row  @param {Metric} metric  @returns {string} where its numbers come from: of a mixed bucket the real source */
export function originOf(row, metric) {
  const kinds = row.sources[metric.group] ?? [];
  return kinds.length < 2 || isInvented(kinds) ? sourceName(kinds) : sourceName(kinds.filter((kind) => kind !== "mock"));
}

/**
 * How a metric changed over the rows since `from`, as far back as its values come from the source of the newest one and
 * their times from a clock that was not set.
 * @param {Row[]} rows  @param {Metric} metric  @param {number} from Unix seconds
 * @param {Anchor|null} [began]  The first snapshot from the present source, where it is known: it tells the change at once
 *   after a switch, when the rows hold no bucket of the new source yet.
 * @returns {Change|null} null where there are not two values to compare: the newest one is none of its own, say
 */
export function changeOf(rows, metric, from, began = null) {
  const newest = rows[rows.length - 1];
  const end = newest?.values[metric.key]?.last;
  if (typeof end !== "number") return null;
  const origin = originOf(newest, metric);
  /** @type {Row|null} */ let first = null;
  let isWhole = true;
  for (let index = rows.length - 2; index >= 0 && rows[index].time >= from; index -= 1) {
    isWhole = originOf(rows[index], metric) === origin && !rows[index + 1].clockStep;
    if (!isWhole) break;
    if (plotted(rows[index], metric.key) !== null) first = rows[index];
  }
  const isSimulated = isInvented(newest.sources[metric.group]);
  const anchor = began && began.source === origin && began.time >= from ? began.values[metric.key] : null;
  if (began && typeof anchor === "number" && (!first || began.time < first.time || isMixed(first, metric))) {
    return { change: end - anchor, since: began.time, isSimulated };
  }
  const start = first?.values[metric.key]?.last ?? (first && plotted(first, metric.key));
  return first && typeof start === "number" ? { change: end - start, since: first.time, isSimulated } : null;
}

/** @param {Row} row  @param {Metric} metric */
function isMixed(row, metric) {
  return (row.sources[metric.group]?.length ?? 0) > 1;
}

/**
 * The change since the day began.
 * @param {Row[]} rows  @param {Metric} metric  @param {number} midnight Unix seconds, as of {@link startOfDay}
 * @param {Anchor|null} first  The day's first snapshot, where it is known and the rows do not go back so far.
 * @param {Anchor|null} [began]  As for {@link changeOf}: a day with a switch in it is counted from the switch.
 * @returns {Change|null}  `since` after midnight: the day is not known from its beginning
 */
export function changeToday(rows, metric, midnight, first, began = null) {
  const change = changeOf(rows, metric, midnight, began);
  const newest = rows[rows.length - 1];
  const end = newest?.values[metric.key]?.last;
  const start = first?.values[metric.key];
  if (!first || typeof start !== "number" || typeof end !== "number" || first.time < midnight) return change;
  const isSame = first.source === originOf(newest, metric) && (!began || began.time <= first.time);
  if (!isSame || rows.some(({ time, clockStep }) => clockStep && time > midnight)) return change;
  if (change && change.since <= first.time) return change;
  return { change: end - start, since: first.time, isSimulated: isInvented(newest.sources[metric.group]) };
}

/** @param {number} now Unix seconds  @param {"local"|"utc"} zone  @returns {number} the last midnight, Unix seconds */
export function startOfDay(now, zone) {
  const day = new Date(now * 1000);
  return (zone === "utc" ? day.setUTCHours(0, 0, 0, 0) : day.setHours(0, 0, 0, 0)) / 1000;
}

/**
 * The true lowest and highest value, also within buckets.
 * @param {Row[]} rows  @param {Metric} metric  @param {Window} window
 * @param {string|null} [present]  Of which source, as of {@link originOf}; null, or it has none: real ones where there are any.
 * @returns {Range|null} null: no value of its own in it
 */
export function rangeOf(rows, metric, { from, to }, present = null) {
  const known = rows.filter((row) => row.time >= from && row.time <= to && plotted(row, metric.key) !== null);
  if (!known.length) return null;
  const real = known.filter((row) => !isInvented(row.sources[metric.group]));
  const own = present === null ? [] : known.filter((row) => originOf(row, metric) === present);
  const chosen = own.length ? own : real.length ? real : known;
  let [low, high] = [Infinity, -Infinity];
  for (const row of chosen) {
    const value = /** @type {number} */ (plotted(row, metric.key));
    low = Math.min(low, row.values[metric.key]?.min ?? value);
    high = Math.max(high, row.values[metric.key]?.max ?? value);
  }
  const origins = new Set(chosen.map((row) => originOf(row, metric)));
  const isOfAll = chosen.length === known.length && origins.size === 1 && !isMixed(chosen[0], metric);
  return { low, high, isSimulated: isInvented(chosen[0].sources[metric.group]), origin: [...origins].sort().join(" and "), isOfAll };
}

/**
 * A range with a value that came since it was computed.
 * @param {Range|null} range  @param {import("./snapshot.js").Snapshot} snapshot  @param {Metric} metric
 * @returns {Range|null} the same one where the value lies in it, is none of its own or of another origin
 */
export function widened(range, snapshot, metric) {
  const value = snapshot[metric.key];
  if (!range || typeof value !== "number" || snapshot.problems?.[metric.key]) return range;
  if (!range.origin.split(" and ").includes(sourceName([snapshot.sources?.[metric.group] ?? ""]))) return range;
  if (value >= range.low && value <= range.high) return range;
  return { ...range, low: Math.min(range.low, value), high: Math.max(range.high, value) };
}

/**
 * How far the newest value lies below the highest one before it, of the same source: also of a time before another one.
 * @param {Row[]} rows  @param {Metric} metric  @param {Window} window
 * @returns {{drawdown: number, peak: number, at: number, isSimulated: boolean}|null}  `drawdown`: 0 or more. `at`: the
 *   time of the peak's row. null: the newest value is none of its own
 */
export function drawdownOf(rows, metric, window) {
  const newest = rows[rows.length - 1];
  const end = newest?.values[metric.key]?.last;
  if (typeof end !== "number") return null;
  const origin = originOf(newest, metric);
  let [peak, at] = [end, newest.time];
  for (let index = rows.length - 1; index >= 0 && rows[index].time >= window.from; index -= 1) {
    if (originOf(rows[index], metric) !== origin) continue;
    const high = rows[index].values[metric.key]?.max ?? plotted(rows[index], metric.key) ?? -Infinity;
    if (high > peak) [peak, at] = [high, rows[index].time];
  }
  return { drawdown: peak - end, peak, at, isSimulated: isInvented(newest.sources[metric.group]) };
}

/**
 * How long a text has held, of one source and by one clock.
 * @param {Row[]} rows  @param {Metric} metric
 * @returns {{since: number, isAtLeast: boolean, gaps: number}|null}  `isAtLeast`: it may have held longer than the rows
 *   tell. `gaps`: how many times within it nothing is known; on both sides it was the same. null: no text of its own
 */
export function heldSince(rows, metric) {
  const newest = rows[rows.length - 1];
  const text = newest?.values[metric.key]?.last ?? null;
  if (text === null) return null;
  const origin = originOf(newest, metric);
  let gaps = 0;
  for (let index = rows.length - 1; index > 0; index -= 1) {
    const [before, row] = [rows[index - 1], rows[index]];
    const isUnknown = row.clockStep !== 0 || originOf(before, metric) !== origin;
    if (isUnknown || (before.values[metric.key]?.last ?? null) !== text) return { since: row.time, isAtLeast: isUnknown, gaps };
    if (row.gap !== "") gaps += 1;
  }
  return { since: rows[0].time, isAtLeast: true, gaps };
}
