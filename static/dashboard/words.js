/** What a chart says in words: beside its title, under the cursor, to a screen reader. */

import { describeGap, formatDuration, formatTime, formatValue, unitOf } from "./format.js";
import { plotted, standInOf } from "./lines.js";
import { isInvented } from "./row.js";
import { SIMULATED } from "./snapshot.js";
import { originOf, rangeOf, widened } from "./statistics.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./row.js").Row} Row */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./markers.js").Marker} Marker */
/**
 * @typedef {object} Shared What all charts show.
 * @property {Timeline} timeline
 * @property {import("./past.js").Window} window
 * @property {import("./past.js").View} view
 * @property {import("./snapshot.js").Snapshot|null} latest  What was last shown as the newest numbers.
 * @property {{zone: "local"|"utc"}} preferences
 */

/** @param {Metric} metric  @param {any} value */
function withUnit(metric, value) {
  return `${formatValue(metric, value)} ${unitOf(metric)}`.trimEnd();
}

/** @param {Shared} charts  @returns {Row[]} the rows in the window */
function shownRows({ timeline, window }) {
  return /** @type {Row[]} */ (timeline.rows.filter((row, index) => row && timeline.times[index] >= window.from && timeline.times[index] <= window.to));
}

/** @typedef {import("./statistics.js").Range} Range */

/** The window's true lowest and highest: the newest number never lies outside of them. @param {Shared} charts  @param {Metric} metric  @returns {Range|null} */
export function rangeShown(charts, metric) {
  if (charts.window.isLoading) return null;
  const rows = shownRows(charts);
  const { latest, view } = charts;
  const isLive = !view.isZoomed && rows.length > 0;
  const range = rangeOf(rows, metric, { from: -Infinity, to: Infinity }, isLive ? originOf(rows[rows.length - 1], metric) : null);
  return isLive && latest ? widened(range, latest, metric) : range;
}

/**
 * What must be said of where a figure comes from: nothing where the card that it stands in says the same.
 * @param {boolean} isSimulated  @param {boolean} isMarked the card is marked as simulated  @returns {""|"real"|"simulated"}
 */
export function originWord(isSimulated, isMarked) {
  if (isSimulated === isMarked) return "";
  return isSimulated ? "simulated" : "real";
}

/** The same for a range: of which source it is, too, where there were others. @param {Range} range  @param {boolean} isMarked  @returns {string} */
export function originOfRange({ isOfAll, isSimulated, origin }, isMarked) {
  return isOfAll ? originWord(isSimulated, isMarked) : origin;
}

/** How long there has been a history, where that is less than the range. @param {Shared} charts  @returns {string} */
export function describeYouth({ window }) {
  return window.collecting === null ? "" : `collecting for ${formatDuration(window.collecting)}`;
}

/** @param {Shared} charts  @param {Metric} metric  @param {Range|null} range  @param {boolean} [isMarked] as for {@link originWord}  @returns {string} `min 41, max 959 ms` */
export function summarise(charts, metric, range, isMarked = false) {
  if (charts.window.isLoading) return "loading…";
  if (!range) return shownRows(charts).length ? "no values of its own" : "nothing is kept of this time";
  const [low, high] = [formatValue(metric, range.low), withUnit(metric, range.high)];
  const text = low === formatValue(metric, range.high) ? `${high} throughout` : `min ${low}, max ${high}`;
  return [originOfRange(range, isMarked), text].filter(Boolean).join(": ");
}

/** @param {Record<string, number>} problems  @param {number} count snapshots in the row  @returns {string} `stale`, `3 of 20 stale` */
export function describeProblems(problems, count) {
  return Object.entries(problems)
    .map(([problem, times]) => (times >= count ? problem : `${times} of ${count} ${problem}`))
    .join(", ");
}

/** What a row says of a metric. @param {Row} row  @param {Metric} metric  @param {boolean} [isMarked] as for {@link originWord}  @returns {string} */
export function describeValue(row, metric, isMarked = false) {
  const summary = row.values[metric.key];
  const problems = summary ? describeProblems(summary.problems, row.count) : "";
  const standIn = standInOf(row, metric);
  if (standIn !== null) {
    const isOld = "stale" in (summary?.problems ?? {});
    return `${withUnit(metric, standIn)} ${isOld ? problems : `fallback: ${problems}`}`;
  }
  const value = plotted(row, metric.key);
  if (value === null) return `— ${problems}`.trimEnd();
  const [low, high] = [summary?.min ?? value, summary?.max ?? value];
  const isSpread = formatValue(metric, low) !== formatValue(metric, high);
  const kinds = row.sources[metric.group] ?? [];
  return [
    isSpread ? `mean ${formatValue(metric, value)}, ${formatValue(metric, low)} to ${withUnit(metric, high)}` : withUnit(metric, value),
    originWord(isInvented(kinds), isMarked),
    !isInvented(kinds) && kinds.includes(SIMULATED) ? "without simulated ones" : "",
    problems,
  ].filter(Boolean).join(", ");
}

/**
 * What is at a point of the chart.
 * @param {Timeline} timeline  @param {number} index  @param {Metric} metric
 * @param {{zone: "local"|"utc", now: number, marker?: Marker, isMarked?: boolean}} how
 * @returns {string}
 */
export function describePoint(timeline, index, metric, { zone, now, marker, isMarked }) {
  const row = timeline.rows[index];
  const at = timeline.times[index];
  const day = formatTime(at, zone, "day");
  const time = (day === formatTime(now, zone, "day") ? "" : `${day} `) + formatTime(at, zone, row && row.id === null ? "minutes" : "seconds");
  const next = timeline.rows[index + 1];
  const between = next?.gap ? describeGap(next.gap) : "another source";
  return [row ? describeValue(row, metric, isMarked) : between, time, marker?.detail].filter(Boolean).join(" · ");
}

/** The text alternative. @param {Shared} charts  @param {Metric} metric  @param {Marker[]} markers  @returns {string} */
export function describeChart(charts, metric, markers) {
  const { timeline, window, preferences } = charts;
  const rows = shownRows(charts);
  /** @param {{from: number, to: number}} span */
  const isInside = (span) => span.to > window.from && span.from < window.to;
  const gaps = timeline.gaps.filter(isInside).length;
  const isSimulated = timeline.simulated[metric.group]?.some(isInside);
  const isAllSimulated = isSimulated && rows.every((row) => isInvented(row.sources[metric.group]));
  const problems = new Set(rows.flatMap((row) => Object.keys(row.values[metric.key]?.problems ?? {})));
  const times = [window.from, window.to].map((time) => formatTime(time, preferences.zone, "full"));
  const range = rangeShown(charts, metric);
  // Beside what is simulated now the chart has real values.
  const real = range?.isSimulated && !range.isOfAll ? rangeOf(rows, metric, { from: -Infinity, to: Infinity }) : null;
  return [
    `${metric.label}: ${[summarise(charts, metric, range), describeYouth(charts)].filter(Boolean).join(", ")}, ${times.join(" to ")}`,
    ...(real && !real.isSimulated ? [summarise(charts, metric, real)] : []),
    ...(gaps ? [`${gaps} ${gaps === 1 ? "gap" : "gaps"}`] : []),
    ...markers.filter(({ time }) => time > window.from && time < window.to).map(({ detail }) => detail),
    ...(charts.view.compared ? [`compared with ${charts.view.compared.name}`] : []),
    ...(isSimulated ? [isAllSimulated ? "simulated" : "in part simulated"] : []),
    ...(problems.size ? [`in part ${[...problems].join(", ")}`] : []),
  ].join("; ");
}
