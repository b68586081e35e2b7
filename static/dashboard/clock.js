/**
 * The server's clock as seen from here, so that a wrong clock on this machine never makes a false age.
 *
 * A message stamped T by the server cannot arrive before T: each arrival bounds how far the two clocks differ, and the
 * smallest bound is the best. Local time is monotonic (`performance.now`): setting this machine's clock changes nothing.
 */

/** How fast the bound may grow: more than two quartz clocks drift apart (seconds per second). */
const DRIFT = 2e-4;

/** All times in seconds. */
export class ServerClock {
  /** @type {number|null} Local minus server time. */ #difference = null;
  #notedAt = 0;

  /**
   * The server stamped `serverTime` on something that was here at `localTime`.
   * @param {number} serverTime  @param {number} localTime
   */
  note(serverTime, localTime) {
    const bound = localTime - serverTime;
    const known = this.#differenceAt(localTime);
    if (known === null || bound < known) {
      this.#difference = bound;
      this.#notedAt = localTime;
    }
  }

  /** @param {number} localTime  @returns {number|null} what the server's clock shows, null before the first note */
  at(localTime) {
    const difference = this.#differenceAt(localTime);
    return difference === null ? null : localTime - difference;
  }

  /** @param {number} localTime */
  #differenceAt(localTime) {
    return this.#difference === null ? null : this.#difference + DRIFT * Math.max(localTime - this.#notedAt, 0);
  }
}

/** @returns {number} seconds since this page was opened: monotonic */
export function localTime() {
  return performance.now() / 1000;
}

/**
 * When the page itself was here, on the clock of {@link localTime}. The server stamped it somewhere between the opening
 * (0) and this; only the later of the two bounds the clocks' difference the way a message does.
 * @param {Performance} [timing]  @returns {number} seconds
 */
export function pageArrival(timing = performance) {
  const navigation = /** @type {PerformanceNavigationTiming|undefined} */ (timing.getEntriesByType("navigation")[0]);
  return (navigation?.responseStart || timing.now()) / 1000;
}
