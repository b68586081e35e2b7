/** Words in a chart, only where they cover neither its lines, nor its marks, nor each other. */

/**
 * @typedef {object} Plot What is used of the charts library's plot.
 * @property {CanvasRenderingContext2D} ctx
 * @property {{left: number, top: number, width: number, height: number}} bbox  In the canvas's pixels.
 * @property {(value: number, scale: string, isCanvas: boolean) => number} valToPos
 */
/** @typedef {{left: number, right: number, top: number, bottom: number}} Box  In the canvas's pixels. */
/** @typedef {{x: number, y: number, align: "left"|"right", baseline: "top"|"bottom"}} Place */

/** Pixels between a word and what it must not touch. */
const AIR = 2;

export class Labels {
  /** @type {Box[]} */ #taken = [];
  /** @type {number[]|null} Where the times are; found when it is first asked. */ #places = null;

  /** @param {Plot} plot  @param {(number|null|undefined)[][]} [data]  The times, and the lines at each. */
  constructor(plot, [times = [], ...lines] = []) {
    this.plot = plot;
    this.times = times;
    this.lines = lines;
  }

  /** Nothing is to be written there. @param {Box} box */
  keep(box) {
    this.#taken.push(box);
  }

  /** @param {string} text in the font that is set  @param {number} size its height, pixels  @param {Place[]} places the best one first  @returns {boolean} whether there was room at one of them */
  write(text, size, places) {
    const { ctx } = this.plot;
    const width = ctx.measureText(text).width;
    for (const { x, y, align, baseline } of places) {
      const [left, top] = [align === "left" ? x : x - width, baseline === "top" ? y : y - size];
      const box = { left, right: left + width, top, bottom: top + size };
      if (!this.#isFree(box)) continue;
      ctx.textAlign = align;
      ctx.textBaseline = baseline;
      ctx.fillText(text, x, y);
      this.keep(box);
      return true;
    }
    return false;
  }

  /** @param {Box} box */
  #isFree({ left, right, top, bottom }) {
    const { bbox } = this.plot;
    if (left < bbox.left || right > bbox.left + bbox.width || top < bbox.top || bottom > bbox.top + bbox.height) return false;
    const air = AIR * devicePixelRatio;
    const wide = { left: left - air, right: right + air, top: top - air, bottom: bottom + air };
    return !this.#taken.some((box) => overlap(box, wide)) && !this.#crosses(wide);
  }

  /** Whether a line may run through it: each of its pieces is taken for the whole box around it. @param {Box} wide */
  #crosses(wide) {
    const { plot, times, lines } = this;
    const places = (this.#places ??= times.map((time) => plot.valToPos(/** @type {number} */ (time), "x", true)));
    return lines.some((line) => {
      /** @type {number|null} */ let before = null;
      for (const [index, value] of line.entries()) {
        if (value === undefined) continue;
        if (value === null) {
          before = null;
          continue;
        }
        const first = before ?? index;
        before = index;
        if (places[index] < wide.left || places[first] > wide.right) continue;
        const ends = [line[first], value].map((end) => plot.valToPos(/** @type {number} */ (end), "y", true));
        const piece = { left: places[first], right: places[index], top: Math.min(...ends), bottom: Math.max(...ends) };
        if (overlap(piece, wide)) return true;
      }
      return false;
    });
  }
}

/** @param {Box} a  @param {Box} b */
function overlap(a, b) {
  return a.left <= b.right && a.right >= b.left && a.top <= b.bottom && a.bottom >= b.top;
}
