/** Fingers and keys on a chart, turned into what they mean. */

/** @typedef {{from: number, to: number}} Span */
/**
 * @typedef {object} Gestures
 * @property {() => Span} window  What the chart shows, Unix seconds.
 * @property {(part: number) => void} point  One finger points at a part of the width, 0 to 1.
 * @property {(span: Span) => void} preview  Two fingers hold two times where they are.
 * @property {(span: Span) => void} zoom  They let go.
 */

/** Fingers nearer than that part of the width tell no length. */
const NEAREST = 0.03;

/**
 * The stretch of time in which two times lie under two fingers.
 * @param {[number, number]} times Unix seconds  @param {[number, number]} parts of the width, 0 to 1  @returns {Span|null}
 */
export function spanUnder(times, parts) {
  if (Math.abs(parts[1] - parts[0]) < NEAREST || times[0] === times[1]) return null;
  const length = (times[1] - times[0]) / (parts[1] - parts[0]);
  const from = times[0] - parts[0] * length;
  return length > 0 ? { from, to: from + length } : null;
}

/** @param {HTMLElement} over the chart's area  @param {Gestures} gestures */
export function bindTouch(over, { window, point, preview, zoom }) {
  /** @type {Map<number, number>} Where each finger is, as a part of the width. */ const fingers = new Map();
  /** @type {[number, number]|null} The times that two fingers hold. */ let held = null;
  /** @type {Span|null} */ let span = null;
  /** @param {PointerEvent} event */
  const partOf = (event) => {
    const { left, width } = over.getBoundingClientRect();
    return (event.clientX - left) / width;
  };
  /** @returns {[number, number]} */
  const parts = () => /** @type {[number, number]} */ ([...fingers.values()].slice(0, 2));
  over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, partOf(event));
    if (fingers.size !== 2) return;
    const { from, to } = window();
    held = /** @type {[number, number]} */ (parts().map((part) => from + part * (to - from)));
  });
  over.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, partOf(event));
    if (!held) return point(partOf(event));
    span = spanUnder(held, parts()) ?? span;
    if (span) preview(span);
  });
  /** @param {PointerEvent} event */
  const end = (event) => {
    if (!fingers.delete(event.pointerId) || !held) return;
    held = null;
    if (span) zoom(span);
    span = null;
  };
  for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) over.addEventListener(name, end);
}
