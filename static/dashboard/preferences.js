/**
 * What the reader chose: kept in this browser. An address like `/?kiosk=1&range=24h&theme=dark` wins without being kept,
 * also where something else is chosen later.
 */

/** @typedef {import("./catalogue.js").Range} Range */
/** @typedef {import("./catalogue.js").Preference} Preference */

const STORED_AS = "quantum-trader-dashboard";

export class Preferences extends EventTarget {
  /** @type {Record<string, string>} What was chosen here, now or earlier: all that is ever kept. */ #chosen = {};
  /** @type {Record<string, string>} What the address wishes, until another choice is made. */ #wished = {};

  /**
   * @param {{preferences: Preference[], ranges: Range[]}} declared what there is to choose from
   * @param {Storage|null} storage  @param {URLSearchParams} address
   */
  constructor({ preferences, ranges }, storage, address) {
    super();
    /** @type {Preference[]} */
    this.declared = preferences;
    this.ranges = ranges;
    this.storage = storage;
    this.isKiosk = ["1", "true", "yes"].includes(address.get("kiosk") ?? "");
    /** @type {any} */
    let stored = null;
    try {
      stored = JSON.parse(storage?.getItem(STORED_AS) ?? "null");
    } catch {
      // Nothing readable is kept there: the defaults do.
    }
    for (const { name } of preferences) {
      const [wish, kept] = [address.get(name), stored?.[name]];
      if (wish !== null && this.#isChoice(name, wish)) this.#wished[name] = wish;
      if (this.#isChoice(name, kept)) this.#chosen[name] = kept;
    }
  }

  get theme() {
    return this.#valueOf("theme");
  }

  get profit() {
    return this.#valueOf("profit");
  }

  /** @returns {"local"|"utc"} */
  get zone() {
    return this.#valueOf("zone") === "utc" ? "utc" : "local";
  }

  /** @returns {Range} */
  get range() {
    return this.ranges.find(({ key }) => key === this.#valueOf("range")) ?? this.ranges[0];
  }

  /** @param {string} name  @param {string} value  @returns {boolean} whether that is the choice */
  isChosen(name, value) {
    return this.#valueOf(name) === value;
  }

  /** Keep a choice and tell it to the page (event `change` with the name). @param {string} name  @param {string} value */
  set(name, value) {
    if (!this.#isChoice(name, value) || this.isChosen(name, value)) return;
    this.#chosen[name] = value;
    delete this.#wished[name];
    try {
      this.storage?.setItem(STORED_AS, JSON.stringify(this.#chosen));
    } catch {
      // A full or forbidden storage: the choice holds until the page is closed.
    }
    this.dispatchEvent(new CustomEvent("change", { detail: name }));
  }

  /** @param {string} name */
  #valueOf(name) {
    return this.#wished[name] ?? this.#chosen[name] ?? this.declared.find((preference) => preference.name === name)?.default ?? "";
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
