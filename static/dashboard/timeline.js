/**
 * Rows turned into what is drawn: points, breaks, gaps and switches of source.
 *
 * The promise: a line never joins simulated to real, nor one source to another, nor the two sides of a gap, nor two
 * readings of a clock that was set. Time runs one way in a chart: where the publisher's clock was set back, what is
 * drawn of the times that come again is what was published later. The table has both.
 */

import { SIMULATED } from "./snapshot.js";

/** @typedef {import("./row.js").Row} Row */
/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {{time: number, group: string, from: string, to: string}} Switch */
/** @typedef {{from: number, to: number}} Span */

/**
 * @typedef {object} Timeline
 * @property {number[]} times  Strictly increasing, shared by all charts.
 * @property {(Row|null)[]} rows  The row at each time; null at a break.
 * @property {(Set<string>|null)[]} breaks  At a break: the groups whose lines end there; null elsewhere.
 * @property {Span[]} gaps
 * @property {Record<string, Switch[]>} switches  By group.
 * @property {{time: number, seconds: number}[]} steps  When the publisher's clock was set, and by how much (back: negative).
 * @property {Record<string, Span[]>} simulated  By group: when values were invented, in full or in part.
 */

/** A text for a row's source: `redis`, or `mock+redis` for a bucket with both. @param {string[]|undefined} kinds */
export function sourceName(kinds) {
  return kinds?.length ? [...kinds].sort().join("+") : "unknown";
}

/**
 * @param {Row[]} rows  @param {number|null} step seconds of a bucket
 * @param {string[]} groups  @returns {Timeline}
 */
export function makeTimeline(rows, step, groups) {
  /** @type {Timeline} */
  const timeline = { times: [], rows: [], breaks: [], gaps: [], switches: {}, steps: [], simulated: {} };
  for (const group of groups) {
    timeline.switches[group] = [];
    timeline.simulated[group] = [];
  }
  const length = step ?? 0;
  /** @type {Row|null} */
  let before = null;
  for (const row of rows) {
    const drawnUntil = timeline.times.at(-1) ?? -Infinity;
    if (drawnUntil >= row.time + length / 2) rewind(timeline, row.time, length / 2);
    if (before) {
      const changed = groups.filter((group) => sourceName(before?.sources[group]) !== sourceName(row.sources[group]));
      const endsAll = row.gap !== "" || row.clockStep !== 0;
      if (endsAll || changed.length) addBreak(timeline, row.time + length / 2, new Set(endsAll ? groups : changed));
      if (row.gap && row.time > before.time + length) timeline.gaps.push({ from: before.time + length, to: row.time });
      if (row.clockStep) timeline.steps.push({ time: row.time, seconds: row.clockStep });
      for (const group of changed) noteSwitch(timeline, group, before, row);
    }
    for (const group of groups) noteSimulated(timeline.simulated[group], row, before, step, group);
    timeline.times.push(row.time + length / 2);
    timeline.rows.push(row);
    timeline.breaks.push(null);
    before = row;
  }
  return timeline;
}

/** End the lines of `groups` between the last point and the one at `time`. @param {Timeline} timeline  @param {number} time  @param {Set<string>} groups */
function addBreak(timeline, time, groups) {
  const last = timeline.times.at(-1);
  if (last === undefined) return;
  timeline.times.push((last + time) / 2);
  timeline.rows.push(null);
  timeline.breaks.push(groups);
}

/** Draw nothing at `time` and after it. @param {Timeline} timeline  @param {number} time of a row  @param {number} half a bucket's length */
function rewind(timeline, time, half) {
  const { times, rows, breaks } = timeline;
  while (times.length && times[times.length - 1] >= time + half) {
    times.pop();
    rows.pop();
    breaks.pop();
  }
  /** @param {Span[]} spans */
  const cut = (spans) => spans.filter(({ from }) => from < time).map(({ from, to }) => ({ from, to: Math.min(to, time) }));
  timeline.gaps = cut(timeline.gaps);
  timeline.steps = timeline.steps.filter((other) => other.time < time);
  for (const group of Object.keys(timeline.switches)) {
    timeline.switches[group] = timeline.switches[group].filter((other) => other.time < time);
    timeline.simulated[group] = cut(timeline.simulated[group]);
  }
}

/** @param {Timeline} timeline  @param {string} group  @param {Row} before  @param {Row} row */
function noteSwitch(timeline, group, before, row) {
  const [from, to] = [sourceName(before.sources[group]), sourceName(row.sources[group])];
  const last = timeline.switches[group].at(-1);
  if (last && last.to === from && (before.sources[group]?.length ?? 0) > 1) {
    last.to = to; // a mixed bucket holds the switch itself: leaving it is not another one, it tells whereto
    return;
  }
  timeline.switches[group].push({ time: row.time, group, from, to });
}

/** @param {Span[]} spans  @param {Row} row  @param {Row|null} before  @param {number|null} step  @param {string} group */
function noteSimulated(spans, row, before, step, group) {
  if (!row.sources[group]?.includes(SIMULATED)) return;
  const end = row.time + (step ?? 0);
  const open = spans[spans.length - 1];
  const goesOn = before && !row.gap && !row.clockStep && before.sources[group]?.includes(SIMULATED);
  if (open && goesOn) open.to = end;
  else spans.push({ from: row.time, to: end });
}

/** @param {Row} row  @param {string} key  @returns {number|null} what a chart shows of a row */
export function plotted(row, key) {
  const summary = row.values[key];
  const value = summary?.mean ?? summary?.last ?? null;
  return typeof value === "number" ? value : null;
}

/**
 * The two lines of a metric. In them null breaks the line and undefined is passed over (a break of other groups only).
 * A bucket with both invented and real values belongs to neither line.
 * @param {Timeline} timeline  @param {Metric} metric
 * @returns {{real: (number|null|undefined)[], simulated: (number|null|undefined)[]}}
 */
export function linesOf(timeline, metric) {
  /** @type {(number|null|undefined)[]} */ const real = [];
  /** @type {(number|null|undefined)[]} */ const simulated = [];
  timeline.rows.forEach((row, index) => {
    if (!row) {
      const point = timeline.breaks[index]?.has(metric.group) ? null : undefined;
      real.push(point);
      simulated.push(point);
      return;
    }
    const kinds = row.sources[metric.group] ?? [];
    const value = plotted(row, metric.key);
    const isInvented = kinds.includes(SIMULATED);
    real.push(isInvented ? null : value);
    simulated.push(isInvented && kinds.length === 1 ? value : null);
  });
  return { real, simulated };
}

/**
 * How a metric changed over the rows since `from`, as far back as its values come from the source of the newest one and
 * their times from a clock that was not set.
 * @param {Row[]} rows  @param {Metric} metric  @param {number} from Unix seconds
 * @returns {{change: number, since: number}|null} null where there are not two values to compare
 */
export function changeOf(rows, metric, from) {
  const newest = rows[rows.length - 1];
  const end = newest?.values[metric.key]?.last;
  if (typeof end !== "number") return null;
  const source = sourceName(newest.sources[metric.group]);
  /** @type {Row|null} */
  let first = null;
  for (let index = rows.length - 2; index >= 0 && rows[index].time >= from; index -= 1) {
    if (sourceName(rows[index].sources[metric.group]) !== source || rows[index + 1].clockStep) break;
    if (plotted(rows[index], metric.key) !== null) first = rows[index];
  }
  const start = first?.values[metric.key]?.last ?? (first && plotted(first, metric.key));
  return first && typeof start === "number" ? { change: end - start, since: first.time } : null;
}

/**
 * How long a text has held, as far as is known without a gap and from one source.
 * @param {Row[]} rows  @param {Metric} metric
 * @returns {{since: number, isAtLeast: boolean}|null} `isAtLeast`: it may have held longer than the rows tell
 */
export function heldSince(rows, metric) {
  const newest = rows[rows.length - 1];
  const text = newest?.values[metric.key]?.last ?? null;
  if (text === null) return null;
  const source = sourceName(newest.sources[metric.group]);
  for (let index = rows.length - 1; index > 0; index -= 1) {
    const [before, row] = [rows[index - 1], rows[index]];
    const isUnknown = row.gap !== "" || row.clockStep !== 0 || sourceName(before.sources[metric.group]) !== source;
    if (isUnknown || (before.values[metric.key]?.last ?? null) !== text) return { since: row.time, isAtLeast: isUnknown };
  }
  return { since: rows[0].time, isAtLeast: true };
}
