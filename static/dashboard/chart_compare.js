/** The faint line of the same hours of another day, behind a chart's own. */

import { LABEL, fontOf, sizeOf } from "./chart_marks.js";
import { isInvented } from "./row.js";
import { sourceName } from "./sources.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./timeline.js").Timeline} Timeline */

/**
 * Dashed where it came from another source than what it is compared with; violet where it was simulated.
 * @param {import("./chart_marks.js").Plot} plot  @param {import("./compared.js").Compared} compared  @param {Timeline} timeline
 * @param {Metric} metric  @param {(name: string) => string} colour  @param {import("./chart_labels.js").Labels} labels
 */
export function drawCompared(plot, compared, timeline, metric, colour, labels) {
  const { ctx, bbox } = plot;
  const newest = timeline.rows.findLast((row) => row !== null);
  const kinds = newest?.sources[metric.group] ?? [];
  const source = sourceName(isInvented(kinds) ? kinds : kinds.filter((kind) => kind !== "mock"));
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineWidth = devicePixelRatio;
  ctx.globalAlpha = 0.55;
  const lines = compared.lines(metric);
  for (const line of lines) {
    ctx.strokeStyle = colour(line[0].isReal ? "--ink-faint" : "--violet");
    ctx.setLineDash(line[0].source === source ? [] : [2 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    for (const { time, value } of line) ctx.lineTo(plot.valToPos(time, "x", true), plot.valToPos(value, "y", true));
    ctx.stroke();
  }
  const first = lines.flat().find(({ time }) => plot.valToPos(time, "x", true) > bbox.left);
  if (first) {
    const [x, y, away] = [bbox.left + 4 * devicePixelRatio, plot.valToPos(first.value, "y", true), 3 * devicePixelRatio];
    ctx.globalAlpha = 1;
    ctx.font = fontOf(LABEL);
    ctx.fillStyle = colour("--ink-faint");
    labels.write(compared.name, sizeOf(LABEL), [
      { x, y: y - away, align: "left", baseline: "bottom" },
      { x, y: y + away, align: "left", baseline: "top" },
    ]);
  }
  ctx.restore();
}
