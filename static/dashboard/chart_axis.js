/** What the charts' axes say: numbers and times that are told apart, at their steps. */

import { asShown, formatNumber, formatTime } from "./format.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./format.js").Zone} Zone */
/** @typedef {import("../vendor/uplot/uPlot.esm.js")} Plot */

const ONE_DAY = 86_400;
const MOST_DECIMALS = 9;
/** What a number is divided by, from so many on; and how many decimals it may then have before it is written out. */
const UNITS = [
  { from: 1e6, by: 1e6, sign: "M", decimals: 2 },
  { from: 1e4, by: 1e3, sign: "k", decimals: 1 },
];

/** @param {number} step  @returns {number} how many decimals multiples of `step` have */
export function decimalsOf(step) {
  for (let decimals = 0; decimals < MOST_DECIMALS; decimals += 1) {
    const scaled = step * 10 ** decimals;
    if (Math.round(scaled) >= 1 && Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled) return decimals;
  }
  return MOST_DECIMALS;
}

/** Every step that the charts library knows to count by: what is not in its own list it rounds to whole numbers. */
const STEPS = Array.from({ length: 25 }, (_, place) => [1, 2, 2.5, 5].map((times) => Number(`${times}e${place - 9}`))).flat();

/** @param {Metric} metric  @returns {number[]} the steps of its axis, as sent: no label has more decimals than its cards */
export function valueSteps(metric) {
  return STEPS.filter((step) => decimalsOf(asShown(metric, step)) <= metric.decimals);
}

/**
 * Labels of a value axis, each another one: `124.5k`, or `124,010` where thousands would not tell them apart.
 * @param {Metric} metric  @param {number[]} values multiples of `step`, as sent  @param {number} step  @returns {string[]}
 */
export function valueTicks(metric, values, step) {
  const shown = values.map((value) => asShown(metric, value));
  const between = asShown(metric, step);
  const largest = Math.max(...shown.map(Math.abs));
  const unit = UNITS.find(({ from, by, decimals }) => largest >= from && decimalsOf(between / by) <= decimals);
  const decimals = decimalsOf(between / (unit?.by ?? 1));
  return shown.map((value) => formatNumber(value / (unit?.by ?? 1), decimals) + (unit && value ? unit.sign : ""));
}

/** @param {number} time  @param {Zone} zone  @returns {string} */
function dayOf(time, zone) {
  return formatTime(time, zone, "day");
}

/**
 * Labels of a time axis. Where it shows another day than today, or several, the first and each new day say which.
 * @param {number[]} times Unix seconds  @param {number} step seconds  @param {Zone} zone  @param {number} now Unix seconds
 * @returns {string[]} a label may have two lines
 */
export function timeTicks(times, step, zone, now) {
  if (step >= ONE_DAY) return times.map((time) => dayOf(time, zone));
  const fraction = step < 1 ? decimalsOf(step) : 0;
  const today = dayOf(now, zone);
  const needsDay = times.some((time) => dayOf(time, zone) !== today);
  return times.map((time, index) => {
    // Half a millisecond is added: 0.3 is a little less than it says.
    const text = formatTime(time + (fraction ? 0.0005 : 0), zone, step < 60 ? "seconds" : "minutes");
    const part = fraction ? (((time % 1) + 1) % 1).toFixed(fraction).slice(1) : "";
    const isNewDay = index === 0 || dayOf(times[index - 1], zone) !== dayOf(time, zone);
    return text + part + (needsDay && isNewDay ? `\n${dayOf(time, zone)}` : "");
  });
}

/** So near to the values, as a part of what they span, a threshold belongs into the chart. */
const NEAR_THRESHOLD = 0.25;

/**
 * What a value axis shows: all values, a little air, and a threshold that they are near to; never more than the numbers
 * make sense of.
 * @param {Metric} metric  @param {number|null} low  @param {number|null} high
 * @returns {[number|null, number|null]} nulls: there is nothing to show, and no axis
 */
export function valueRange(metric, low, high) {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [null, null];
  const span = high - low;
  const near = [metric.warn, metric.critical].filter((line) => line !== null && line >= low - span * NEAR_THRESHOLD && line <= high + span * NEAR_THRESHOLD);
  const [least, most] = [Math.min(low, .../** @type {number[]} */ (near)), Math.max(high, .../** @type {number[]} */ (near))];
  const air = Math.max((most - least) * 0.08, 10 ** -metric.decimals / asShown(metric, 1));
  return [least >= 0 ? Math.max(least - air, 0) : least - air, most + air];
}

/** @param {Plot} plot  @param {string[]} labels  @returns {number} the widest one, CSS pixels */
export function widestOf(plot, labels) {
  plot.ctx.save();
  plot.ctx.font = /** @type {any} */ (plot.axes[1].font)?.[0] ?? plot.ctx.font;
  const widest = Math.max(0, ...labels.map((label) => (label ? plot.ctx.measureText(label).width : 0)));
  plot.ctx.restore();
  return Math.ceil(widest / devicePixelRatio);
}

/** A label that would be cut off at the right says nothing. @param {Plot} plot  @param {number[]} times  @param {string[]} labels */
export function dropClipped(plot, times, labels) {
  const { min, max } = plot.scales.x;
  const width = plot.bbox?.width / devicePixelRatio || plot.width - 60;
  const end = width + 12;
  return labels.map((label, index) => {
    const x = ((times[index] - (min ?? 0)) / ((max ?? 1) - (min ?? 0))) * width;
    return x + widestOf(plot, label.split("\n")) / 2 > end ? "" : label;
  });
}
