/** The two clocks that the page reads: this machine's, for ages, and the publisher's, for times. All in seconds. */

/** So much more by the calendar than by the stopwatch, between two readings, and this machine has slept. */
const SLEPT_AT_LEAST = 3;
/** How fast the bound may grow: more than two quartz clocks drift apart (seconds per second). */
const DRIFT = 2e-4;

/**
 * Seconds since this page was opened, monotonic, in which a sleep of this machine counts, too.
 *
 * `performance.now()` alone stands still while some machines sleep: numbers from before would look fresh. What the
 * calendar is ahead after a while without a reading is taken for sleep. Setting this machine's clock ahead looks the
 * same, and makes numbers older than they are until the next one comes; setting it back changes nothing.
 */
export class LocalClock {
  #slept = 0;

  /** @param {() => number} monotonic  @param {() => number} calendar  both in milliseconds */
  constructor(monotonic = () => performance.now(), calendar = () => Date.now()) {
    this.monotonic = monotonic;
    this.calendar = calendar;
    this.read = { monotonic: monotonic(), calendar: calendar() };
  }

  /** @returns {number} */
  now() {
    const read = { monotonic: this.monotonic(), calendar: this.calendar() };
    const unseen = (read.calendar - this.read.calendar - (read.monotonic - this.read.monotonic)) / 1000;
    if (unseen > SLEPT_AT_LEAST) this.#slept += unseen;
    this.read = read;
    return read.monotonic / 1000 + this.#slept;
  }
}

/**
 * The publisher's clock as seen from here, so that a wrong clock on this machine never shows a wrong time.
 *
 * A snapshot stamped T cannot arrive before T: each arrival bounds how far the two clocks differ, and the smallest
 * bound is the best. One that is known to be no older than so many seconds bounds it from the other side: by that it is
 * seen that the publisher's clock was set back.
 */
export class ServerClock {
  /** @type {number|null} Local minus the publisher's time. */ #difference = null;
  #notedAt = 0;
  /** Whether it was ever read from a snapshot known to be new: an age may be computed by it. */
  isTrusted = false;

  /**
   * Something stamped `stamped` is here at `localTime`.
   * @param {number} stamped  @param {number} localTime
   */
  note(stamped, localTime) {
    const bound = localTime - stamped;
    const known = this.#differenceAt(localTime);
    if (known === null || bound < known) this.#set(bound, localTime);
  }

  /**
   * Something stamped `stamped` is here at `localTime` and no older than `age`; `slack` seconds of error are normal.
   * @param {number} stamped  @param {number} localTime  @param {number} age  @param {number} slack
   */
  limit(stamped, localTime, age, slack) {
    const bound = localTime - stamped - age;
    const known = this.#differenceAt(localTime);
    if (known !== null && bound > known + slack) this.#set(bound, localTime);
  }

  /** Forget all: the publisher's clock was set. */
  forget() {
    this.#difference = null;
    this.isTrusted = false;
  }

  /** @param {number} localTime  @returns {number|null} what the publisher's clock shows, null before the first note */
  at(localTime) {
    const difference = this.#differenceAt(localTime);
    return difference === null ? null : localTime - difference;
  }

  /** @param {number} difference  @param {number} localTime */
  #set(difference, localTime) {
    this.#difference = difference;
    this.#notedAt = localTime;
  }

  /** @param {number} localTime */
  #differenceAt(localTime) {
    return this.#difference === null ? null : this.#difference + DRIFT * Math.max(localTime - this.#notedAt, 0);
  }
}

/**
 * When the page itself was here, in seconds since it was opened. The server made it somewhere between the opening (0)
 * and this; only the later of the two bounds the clocks' difference the way a snapshot does.
 * @param {Performance} [timing]  @returns {number|null} null where the browser kept it from an earlier visit: nobody
 *   knows how old it is
 */
export function pageArrival(timing = performance) {
  const navigation = /** @type {PerformanceNavigationTiming|undefined} */ (timing.getEntriesByType("navigation")[0]);
  if (navigation?.transferSize === 0) return null;
  return (navigation?.responseStart || timing.now()) / 1000;
}
