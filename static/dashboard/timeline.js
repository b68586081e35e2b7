/**
 * Rows turned into what is drawn: points, breaks, gaps and switches of source.
 *
 * The promise: a line never joins simulated to real, nor one source to another, nor the two sides of a gap, nor two
 * readings of a clock that was set. Time runs one way in a chart: where the publisher's clock was set back, what is
 * drawn of the times that come again is what was published later. The table has both.
 */

import { isInvented } from "./row.js";
import { SIMULATED } from "./snapshot.js";
import { sourceName } from "./sources.js";

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

/**
 * @param {Row[]} rows  @param {number|null} step seconds of a bucket
 * @param {string[]} groups  @param {number} [until] the end of what is shown, Unix seconds: the newest bucket, which is still
 *   filling, is drawn before it  @returns {Timeline}
 */
export function makeTimeline(rows, step, groups, until = Infinity) {
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
    const at = row.time <= until ? Math.min(row.time + length / 2, until) : row.time + length / 2;
    if (drawnUntil >= at) rewind(timeline, row.time, at - row.time);
    if (before) {
      const changed = groups.filter((group) => sourceName(before?.sources[group]) !== sourceName(row.sources[group]));
      const ending = groups.filter((group) => endsLine(before?.sources[group], row.sources[group]));
      const endsAll = row.gap !== "" || row.clockStep !== 0;
      if (endsAll || ending.length) addBreak(timeline, at, new Set(endsAll ? groups : ending));
      if (row.gap && row.time > before.time + length) timeline.gaps.push({ from: before.time + length, to: row.time });
      if (row.clockStep) timeline.steps.push({ time: row.time, seconds: row.clockStep });
      for (const group of changed) noteSwitch(timeline, group, before, row);
    }
    for (const group of groups) noteSimulated(timeline.simulated[group], row, before, step, group);
    timeline.times.push(at);
    timeline.rows.push(row);
    timeline.breaks.push(null);
    before = row;
  }
  return timeline;
}

/** No line joins two sources. What is simulated in a mixed bucket is in no line. @param {string[]|undefined} before  @param {string[]|undefined} after  @returns {boolean} */
function endsLine(before, after) {
  const [former, latter] = [before, after].map((kinds) => (isInvented(kinds) ? kinds : kinds?.filter((kind) => kind !== SIMULATED)));
  return sourceName(former) !== sourceName(latter);
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
