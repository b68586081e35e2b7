/** How long to wait between attempts, so that a thousand pages do not come back in the same second. */

/** Milliseconds. */
const SHORTEST = 500;
const LONGEST = 20_000;

/** Exponential back-off with full jitter: each delay is drawn between 0.5 s and a bound that doubles up to 20 s. */
export class Backoff {
  #attempts = 0;

  /** @param {() => number} random 0 to 1 */
  constructor(random) {
    this.random = random;
  }

  /** @returns {number} milliseconds until the next attempt */
  next() {
    const bound = Math.min(LONGEST, SHORTEST * 2 ** (this.#attempts + 1));
    this.#attempts = Math.min(this.#attempts + 1, 20); // 2 ** attempts stays a number, for ever
    return SHORTEST + this.random() * (bound - SHORTEST);
  }

  /** All is well: the next failure starts small again. */
  reset() {
    this.#attempts = 0;
  }
}
