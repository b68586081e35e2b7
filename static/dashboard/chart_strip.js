/** A text over time, as a strip below the large chart: a colour, a height and, where there is room, the word for each. */

import { across, fontOf } from "./chart_marks.js";
import { lookOf } from "./lanes.js";
import { isInvented } from "./row.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {{from: number, to: number, text: string, isReal: boolean}} Run */

/** CSS pixels at the usual size of type. */
export const STRIP_HEIGHT = 16;
/**
 * How long which text held; a gap, a row without one, another source end a run.
 * @param {Timeline} timeline  @param {Metric} metric  @param {number} length seconds of a row  @returns {Run[]}
 */
export function runsOf(timeline, metric, length) {
  /** @type {Run[]} */ const runs = [];
  let isOpen = false;
  timeline.rows.forEach((row, index) => {
    if (!row) {
      if (timeline.breaks[index]?.has(metric.group)) isOpen = false;
      return;
    }
    const summary = row.values[metric.key];
    const text = summary?.last ?? summary?.standIn ?? null;
    const isReal = (summary?.last ?? null) !== null && !isInvented(row.sources[metric.group]);
    const last = runs[runs.length - 1];
    const end = row.time + length;
    if (text === null) isOpen = false;
    else if (isOpen && last.text === text && last.isReal === isReal) last.to = end;
    else {
      if (isOpen) last.to = row.time;
      runs.push({ from: row.time, to: end, text, isReal });
      isOpen = true;
    }
  });
  return runs;
}

/**
 * @param {import("./chart_marks.js").Plot} plot  @param {Timeline} timeline  @param {Metric} metric  @param {number} length
 * @param {(name: string) => string} colour
 */
export function drawStrip(plot, timeline, metric, length, colour) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const runs = runsOf(timeline, metric, length);
  const top = bbox.top + bbox.height + 3 * ratio;
  const height = (STRIP_HEIGHT - 3) * ratio;
  ctx.save();
  ctx.font = fontOf(0.62);
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const { from, to, text, isReal } of runs) {
    const place = across(plot, { from, to }, 1);
    if (!place) continue;
    const [left, width] = place;
    const look = lookOf(text, metric.texts ?? []);
    const tone = colour(look.tone);
    ctx.globalAlpha = isReal ? 0.28 : 0.1;
    ctx.fillStyle = tone;
    ctx.fillRect(left, top, width, height);
    ctx.globalAlpha = 1;
    // Its height tells it apart without colour; what is not real is dashed.
    const y = top + (1 - look.height) * (height - 2 * ratio) + ratio;
    ctx.strokeStyle = tone;
    ctx.lineWidth = 2 * ratio;
    ctx.setLineDash(isReal ? [] : [4 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(left + width, y);
    ctx.stroke();
    ctx.fillStyle = colour("--ink");
    const room = width - 6 * ratio;
    const word = [isReal ? text : `${text}, not real`, text].find((candidate) => ctx.measureText(candidate).width <= room);
    if (!word) continue;
    ctx.setLineDash([]);
    ctx.strokeStyle = colour("--panel"); // around the word: its own line shall not strike it through
    ctx.lineWidth = 3 * ratio;
    ctx.strokeText(word, left + 3 * ratio, top + height / 2);
    ctx.fillText(word, left + 3 * ratio, top + height / 2);
  }
  ctx.restore();
}
