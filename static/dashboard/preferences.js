/** What the reader chose: kept in this browser; an address like `/?kiosk=1&range=24h&theme=dark` wins without being kept. */

import { RANGES } from "./history.js";

const STORED_AS = "quantum-trader-dashboard";

/** The choices of each preference; the first is the default. @type {Record<string, string[]>} */
const CHOICES = {
  theme: ["auto", "light", "dark"],
  profit: ["green-up", "red-up"],
  zone: ["local", "utc"],
  range: ["1h", ...Object.keys(RANGES).filter((range) => range !== "1h")],
};

export class Preferences extends EventTarget {
  /** @type {Record<string, string>} */ #chosen = {};

  /** @param {Storage|null} storage  @param {URLSearchParams} address */
  constructor(storage, address) {
    super();
    this.storage = storage;
    this.isKiosk = ["1", "true", "yes"].includes(address.get("kiosk") ?? "");
    /** @type {Record<string, string>} */
    let stored = {};
    try {
      stored = JSON.parse(storage?.getItem(STORED_AS) ?? "{}") ?? {};
    } catch {
      // Nothing readable is kept there: the defaults do.
    }
    for (const [name, choices] of Object.entries(CHOICES)) {
      const wish = [address.get(name), stored[name]].find((value) => value && choices.includes(value));
      this.#chosen[name] = wish ?? choices[0];
    }
  }

  get theme() {
    return this.#chosen.theme;
  }

  get profit() {
    return this.#chosen.profit;
  }

  /** @returns {"local"|"utc"} */
  get zone() {
    return this.#chosen.zone === "utc" ? "utc" : "local";
  }

  get range() {
    return this.#chosen.range;
  }

  /** @returns {number} the chosen range in seconds */
  get rangeSeconds() {
    return RANGES[this.range];
  }

  /** Keep a choice and tell it to the page (event `change` with the name). @param {string} name  @param {string} value */
  set(name, value) {
    if (!CHOICES[name]?.includes(value) || this.#chosen[name] === value) return;
    this.#chosen[name] = value;
    try {
      this.storage?.setItem(STORED_AS, JSON.stringify(this.#chosen));
    } catch {
      // A full or forbidden storage: the choice holds until the page is closed.
    }
    this.dispatchEvent(new CustomEvent("change", { detail: name }));
  }
}

/** @returns {Storage|null} null where the browser forbids it (the mere access may throw) */
export function openStorage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
