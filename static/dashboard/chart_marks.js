/** What is drawn behind and over a chart's lines: gaps, simulated times, thresholds, and what happened when. */

/** @typedef {import("./chart_labels.js").Labels} Labels */
/** @typedef {import("./markers.js").Marker} Marker */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./timeline.js").Span} Span */
/** @typedef {import("./chart_labels.js").Plot} Plot */
/** @typedef {(name: string) => string} Palette  A colour of page.css by its name, as canvas understands it. */

/** Pixels between the stripes over simulated times. */
const STRIPE = 9;
/** A gap is never drawn narrower, in pixels: no line seems to cross it. */
const NARROWEST_GAP = 3;
const LABEL_PADDING = 4;
/** The size of words in charts, rem. */
export const LABEL = 0.62;

/** @param {Plot} plot  @param {Span} span  @param {number} [least] pixels  @returns {[number, number]|null} canvas x and width */
export function across(plot, { from, to }, least = 0) {
  const { left, width } = plot.bbox;
  const [first, last] = [plot.valToPos(from, "x", true), plot.valToPos(to, "x", true)];
  const missing = Math.max((least * devicePixelRatio - (last - first)) / 2, 0);
  const start = Math.max(first - missing, left);
  const end = Math.min(last + missing, left + width);
  return end > start ? [start, end - start] : null;
}

/** Hatch what is simulated. @param {Plot} plot  @param {Span[]} spans  @param {Palette} colour */
export function drawSimulated(plot, spans, colour) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour("--violet-hatch");
  ctx.lineWidth = devicePixelRatio * 3;
  const stripe = STRIPE * devicePixelRatio;
  for (const span of spans) {
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

/** Leave nothing but grey where nothing is known: over the lines, whose ends would meet in a narrow gap. @param {Plot} plot  @param {Span[]} gaps  @param {Palette} colour */
export function drawGaps(plot, gaps, colour) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = colour("--gap");
  for (const gap of gaps) {
    const place = across(plot, gap, NARROWEST_GAP);
    if (!place) continue;
    ctx.clearRect(place[0], bbox.top, place[1], bbox.height);
    ctx.fillRect(place[0], bbox.top, place[1], bbox.height);
  }
  ctx.restore();
}

/** @typedef {{value: number, name: "warn"|"critical"}} Threshold */

/** The thresholds that lie in the chart, and where. @param {Plot} plot  @param {Threshold[]} thresholds  @returns {(Threshold & {y: number})[]} */
function inside({ bbox, valToPos }, thresholds) {
  return thresholds
    .map((threshold) => ({ ...threshold, y: Math.round(valToPos(threshold.value, "y", true)) }))
    .filter(({ y }) => y >= bbox.top && y <= bbox.top + bbox.height);
}

/** A horizontal line at each threshold that lies in the chart. @param {Plot} plot  @param {Threshold[]} thresholds  @param {Palette} colour  @param {Labels} labels */
export function drawThresholds(plot, thresholds, colour, labels) {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const { y, name } of inside(plot, thresholds)) {
    ctx.strokeStyle = colour(`--${name}`);
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash(name === "critical" ? [] : [6 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    labels.keep({ left: bbox.left, right: bbox.left + bbox.width, top: y, bottom: y });
  }
  ctx.restore();
}

/** Its name, on the side where it is crossed if there is room. @param {Plot} plot  @param {Threshold[]} thresholds  @param {"above"|"below"} worse  @param {Palette} colour  @param {Labels} labels */
export function nameThresholds(plot, thresholds, worse, colour, labels) {
  const { ctx, bbox } = plot;
  const away = 3 * devicePixelRatio;
  ctx.save();
  ctx.font = fontOf(LABEL);
  for (const { y, name } of inside(plot, thresholds)) {
    const above = /** @type {const} */ ({ y: y - away, baseline: "bottom" });
    const below = /** @type {const} */ ({ y: y + away, baseline: "top" });
    const ends = /** @type {const} */ ([{ x: bbox.left + bbox.width - away, align: "right" }, { x: bbox.left + away, align: "left" }]);
    const sides = worse === "below" ? [below, above] : [above, below];
    ctx.fillStyle = colour(`--${name}`);
    labels.write(name, sizeOf(LABEL), sides.flatMap((side) => ends.map((end) => ({ ...side, ...end }))));
  }
  ctx.restore();
}

/** A vertical line at each marker, and its label where that covers nothing else. @param {Plot} plot  @param {Marker[]} markers  @param {Palette} colour  @param {Labels} labels */
export function drawMarkers(plot, markers, colour, labels) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = fontOf(LABEL);
  const places = markers
    .map((marker) => ({ ...marker, x: Math.round(plot.valToPos(marker.time, "x", true)) }))
    .filter(({ x }) => x >= bbox.left && x <= bbox.left + bbox.width);
  for (const { x } of places) labels.keep({ left: x, right: x, top: bbox.top, bottom: bbox.top + bbox.height });
  for (const { x, kind, label } of places) {
    ctx.strokeStyle = ctx.fillStyle = colour(kind === "note" ? "--accent" : "--ink-soft");
    ctx.lineWidth = ratio;
    ctx.setLineDash(kind === "note" ? [] : [2 * ratio, 2 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.beginPath(); // a flag, so that it is found
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x + 5 * ratio, bbox.top + 3.5 * ratio);
    ctx.lineTo(x, bbox.top + 7 * ratio);
    ctx.fill();
    labels.write(label, sizeOf(LABEL), [{ x: x + 5 * ratio + LABEL_PADDING, y: bbox.top, align: "left", baseline: "top" }]);
  }
  ctx.restore();
}

/** CSS pixels of the root's type; 0: not asked since it may have changed. Asking makes the browser work out all styles. */
let rootSize = 0;

/** The root's type may have another size. */
export function forgetSizes() {
  rootSize = 0;
}

/** @param {number} rem  @returns {number} the canvas's whole pixels */
export function sizeOf(rem) {
  rootSize ||= parseFloat(getComputedStyle(document.documentElement).fontSize);
  return Math.round(rem * rootSize * devicePixelRatio);
}

/** A font of the page's, in the canvas's whole pixels. @param {number} rem */
export function fontOf(rem) {
  return `${sizeOf(rem)}px system-ui, sans-serif`;
}
