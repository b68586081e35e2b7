/** The page's colours, for canvases: they do not know CSS's custom properties, nor that a reader forced other colours. */

/**
 * What stands for a colour where the reader forces a palette: a system colour, and how much of it. Lines keep apart by
 * their dashes; what lies under or over them stays translucent.
 * @type {Record<string, [string, number]>}
 */
const FORCED = {
  "--grid": ["GrayText", 0.35],
  "--gap": ["GrayText", 0.3],
  "--accent": ["Highlight", 1],
  "--accent-fill": ["Highlight", 0.2],
  "--violet-hatch": ["CanvasText", 0.12],
  "--ink-faint": ["GrayText", 1],
  "--panel": ["Canvas", 1],
};

/** A colour of page.css as canvas understands it: light-dark() resolved. Asked once per theme. */
export class Colours {
  /** @type {Map<string, string>} */ #known = new Map();
  #probe = document.createElement("span");

  constructor() {
    this.#probe.hidden = true;
    document.body.append(this.#probe);
  }

  forget() {
    this.#known.clear();
  }

  /** @param {string} name */
  get = (name) => {
    let colour = this.#known.get(name);
    if (!colour) {
      const isForced = matchMedia("(forced-colors: active)").matches;
      const [system, alpha] = FORCED[name] ?? ["CanvasText", 1];
      this.#probe.style.color = isForced ? system : `var(${name})`;
      colour = getComputedStyle(this.#probe).color;
      if (isForced) colour = withAlpha(colour, alpha);
      this.#known.set(name, colour);
    }
    return colour;
  };
}

/** @param {string} colour `rgb(1, 2, 3)`  @param {number} alpha 0 to 1  @returns {string} */
export function withAlpha(colour, alpha) {
  const parts = colour.match(/[\d.]+/g)?.slice(0, 3);
  return parts && alpha < 1 ? `rgba(${parts.join(", ")}, ${alpha})` : colour;
}
