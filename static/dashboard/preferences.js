/** What the reader chose: kept in this browser; an address like `/?kiosk=1&range=24h&theme=dark` wins without being kept. */

/** @typedef {import("./catalogue.js").Range} Range */
/** @typedef {import("./catalogue.js").Preference} Preference */

const STORED_AS = "quantum-trader-dashboard";

export class Preferences extends EventTarget {
  /** @type {Record<string, string>} */ #chosen = {};

  /**
   * @param {{preferences: Preference[], ranges: Range[]}} declared what there is to choose from
   * @param {Storage|null} storage  @param {URLSearchParams} address
   */
  constructor({ preferences, ranges }, storage, address) {
    super();
    this.declared = preferences;
    this.ranges = ranges;
    this.storage = storage;
    this.isKiosk = ["1", "true", "yes"].includes(address.get("kiosk") ?? "");
    /** @type {Record<string, string>} */
    let stored = {};
    try {
      stored = JSON.parse(storage?.getItem(STORED_AS) ?? "{}") ?? {};
    } catch {
      // Nothing readable is kept there: the defaults do.
    }
    for (const { name, default: standard } of preferences) {
      const wish = [address.get(name), stored[name]].find((value) => value && this.#isChoice(name, value));
      this.#chosen[name] = wish ?? standard;
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

  /** @returns {Range} */
  get range() {
    return this.ranges.find(({ key }) => key === this.#chosen.range) ?? this.ranges[0];
  }

  /** @param {string} name  @param {string} value  @returns {boolean} whether that is the choice */
  isChosen(name, value) {
    return this.#chosen[name] === value;
  }

  /** Keep a choice and tell it to the page (event `change` with the name). @param {string} name  @param {string} value */
  set(name, value) {
    if (!this.#isChoice(name, value) || this.#chosen[name] === value) return;
    this.#chosen[name] = value;
    try {
      this.storage?.setItem(STORED_AS, JSON.stringify(this.#chosen));
    } catch {
      // A full or forbidden storage: the choice holds until the page is closed.
    }
    this.dispatchEvent(new CustomEvent("change", { detail: name }));
  }

  /** @param {string} name  @param {string} value */
  #isChoice(name, value) {
    return this.declared.find((preference) => preference.name === name)?.choices.some(([choice]) => choice === value) ?? false;
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
