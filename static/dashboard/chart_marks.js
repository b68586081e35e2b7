/** What is drawn behind and over a chart's lines: gaps, simulated times, thresholds, and what happened when. */

/** @typedef {import("./markers.js").Marker} Marker */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./timeline.js").Span} Span */
/**
 * @typedef {object} Plot What is used of the charts library's plot.
 * @property {CanvasRenderingContext2D} ctx
 * @property {{left: number, top: number, width: number, height: number}} bbox  In the canvas's pixels.
 * @property {(value: number, scale: string, isCanvas: boolean) => number} valToPos
 */
/** @typedef {(name: string) => string} Palette  A colour of page.css by its name, as canvas understands it. */

/** Pixels between the stripes over simulated times. */
const STRIPE = 9;
/** A gap is never drawn narrower, in pixels: no line seems to cross it. */
const NARROWEST_GAP = 3;
const LABEL_PADDING = 4;

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

/** A horizontal line at each threshold that lies in the chart, its name on the side where it is crossed. @param {Plot} plot  @param {{value: number, name: string}[]} thresholds  @param {"above"|"below"} worse  @param {Palette} colour */
export function drawThresholds(plot, thresholds, worse, colour) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.font = fontOf(0.62);
  ctx.textAlign = "right";
  ctx.textBaseline = worse === "below" ? "top" : "bottom";
  for (const { value, name } of thresholds) {
    const y = Math.round(plot.valToPos(value, "y", true));
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = ctx.fillStyle = colour(name === "critical" ? "--offline" : "--delayed");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash(name === "critical" ? [] : [6 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    const isRoom = worse === "below" ? y + 12 * devicePixelRatio < bbox.top + bbox.height : y - 12 * devicePixelRatio > bbox.top;
    if (isRoom) ctx.fillText(name, bbox.left + bbox.width - 2 * devicePixelRatio, y);
  }
  ctx.restore();
}

/** A vertical line at each marker, and its label where that covers neither another mark nor the chart's edge. @param {Plot} plot  @param {Marker[]} markers  @param {Palette} colour */
export function drawMarkers(plot, markers, colour) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = fontOf(0.62);
  ctx.textBaseline = "top";
  ctx.textAlign = "left";
  const edge = bbox.left + bbox.width;
  const places = markers
    .map((marker) => ({ ...marker, x: Math.round(plot.valToPos(marker.time, "x", true)) }))
    .filter(({ x }) => x >= bbox.left && x <= edge);
  places.forEach(({ x, kind, label }, index) => {
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
    const start = x + 5 * ratio + LABEL_PADDING;
    const next = places[index + 1]?.x ?? edge;
    if (start + ctx.measureText(label).width + LABEL_PADDING <= next) ctx.fillText(label, start, bbox.top);
  });
  ctx.restore();
}

/** A font of the page's, in the canvas's whole pixels. @param {number} rem */
export function fontOf(rem) {
  const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return `${Math.round(rem * root * devicePixelRatio)}px system-ui, sans-serif`;
}
