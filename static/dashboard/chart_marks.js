/** What is drawn behind and over a chart's lines: gaps, simulated times, switches of source, a clock that was set. */

import { describeStep } from "./format.js";

/** @typedef {import("./timeline.js").Timeline} Timeline */
/**
 * @typedef {object} Plot What is used of the charts library's plot.
 * @property {CanvasRenderingContext2D} ctx
 * @property {{left: number, top: number, width: number, height: number}} bbox  In the canvas's pixels.
 * @property {(value: number, scale: string, isCanvas: boolean) => number} valToPos
 */
/** @typedef {(name: string) => string} Palette  A colour of page.css by its name, as canvas understands it. */

/** Pixels between the stripes over simulated times. */
const STRIPE = 9;

/** @param {Plot} plot  @param {{from: number, to: number}} span  @returns {[number, number]|null} canvas x and width */
function across(plot, { from, to }) {
  const { left, width } = plot.bbox;
  const start = Math.max(plot.valToPos(from, "x", true), left);
  const end = Math.min(plot.valToPos(to, "x", true), left + width);
  return end > start ? [start, end - start] : null;
}

/** Shade gaps and hatch simulated times. @param {Plot} plot  @param {Timeline} timeline  @param {string} group  @param {Palette} colour */
export function drawBehind(plot, timeline, group, colour) {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const gap of timeline.gaps) {
    const place = across(plot, gap);
    if (!place) continue;
    ctx.fillStyle = colour("--gap");
    ctx.fillRect(place[0], bbox.top, place[1], bbox.height);
  }
  ctx.strokeStyle = colour("--violet-hatch");
  ctx.lineWidth = devicePixelRatio * 3;
  const stripe = STRIPE * devicePixelRatio;
  for (const span of timeline.simulated[group] ?? []) {
    const place = across(plot, span);
    if (!place) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(place[0], bbox.top, place[1], bbox.height);
    ctx.clip();
    ctx.beginPath();
    // From the plot's own left edge: the stripes do not swim when the span moves.
    for (let x = bbox.left - bbox.height; x < bbox.left + bbox.width; x += stripe) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}

/** A vertical line at each switch, with the new source's name, and where the publisher's clock was set. @param {Plot} plot  @param {Timeline} timeline  @param {string} group  @param {Palette} colour */
export function drawMoments(plot, timeline, group, colour) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour("--ink-soft");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 2 * devicePixelRatio]);
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  ctx.font = `${0.62 * rem * devicePixelRatio}px sans-serif`;
  ctx.textBaseline = "top";
  let free = -Infinity;
  const switches = (timeline.switches[group] ?? []).map(({ time, to }) => ({ time, text: to.replace("mock", "simulated") }));
  const steps = timeline.steps.map(({ time, seconds }) => ({ time, text: `clock ${describeStep(seconds)}` }));
  for (const { time, text } of [...switches, ...steps].sort((a, b) => a.time - b.time)) {
    const x = Math.round(plot.valToPos(time, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const width = ctx.measureText(text).width;
    const isRight = x + width + 8 < bbox.left + bbox.width;
    if (x < free) continue; // labels never write over each other
    ctx.textAlign = isRight ? "left" : "right";
    ctx.fillText(text, x + (isRight ? 4 : -4), bbox.top + 1);
    free = x + width + 8;
  }
  ctx.restore();
}
