/** The page's colours, for canvases: they do not know CSS's custom properties. */

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
      this.#probe.style.color = `var(${name})`;
      colour = getComputedStyle(this.#probe).color;
      this.#known.set(name, colour);
    }
    return colour;
  };
}
