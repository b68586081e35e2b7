/**
 * How old the newest snapshot is: by when it came, and by what is known of its age when it came.
 *
 * A clock that is set, the publisher's or this machine's, must make no dead stream look alive and no live one dead; and
 * what a server sends from memory, after a reconnection or to a tab that was frozen, is not new because it comes now.
 * So a snapshot's age at its arrival is the least that one of these proves:
 *
 * 1. None, where it came at the publisher's pace: the second in a row, over one socket, half an interval to two
 *    intervals after the one before. What is sent from memory comes faster, what waited for this tab all at once.
 * 2. The age of the one before it, by now: a newer one was published later.
 * 3. What the publisher's clock shows by now less its timestamp, as long as that clock is known from snapshots that were
 *    new, and was not set back since.
 *
 * Where none of them holds the age is not known. The page's own snapshot comes with its age on the server, and whatever
 * is newer than it came after the page.
 */

/** @typedef {import("./clock.js").ServerClock} ServerClock */
/** @typedef {import("./snapshot.js").Snapshot} Snapshot */

/** Snapshots in a row at the publisher's pace that prove that the stream goes on now. */
const PROOF = 2;
/** Pace, in intervals after the snapshot before. */
const [SOONEST, LATEST] = [0.5, 2];
/** So many intervals (and at least so many seconds) that no wait explains: the publisher's clock was set ahead. */
const AHEAD_INTERVALS = 3;
const AHEAD_AT_LEAST = 2;
/** Intervals (and at least seconds) that the publisher's clock as seen from here may be wrong. */
const SLACK_INTERVALS = 2;
const SLACK_AT_LEAST = 1;

/** Times and ages in seconds; times on this machine's clock (LocalClock). */
export class Freshness {
  /** @type {Snapshot|null} */ #newest = null;
  /** When `#age` held. */ #at = 0;
  /** No snapshot newer than the newest is older than this was at `#at`; it has this age where that is known. */
  #age = Infinity;
  #isKnown = false;
  #inPace = 0;

  /** @param {ServerClock} clock the publisher's, which is learned from what comes */
  constructor(clock) {
    this.clock = clock;
  }

  /**
   * The page was here at `at` (null: nobody knows when it was made), with the newest snapshot that its server had.
   * @param {Snapshot|null} latest
   * @param {number|null} age seconds since it came to that server; null: it read it from history, at its start
   * @param {number|null} at
   */
  notePage(latest, age, at) {
    this.#newest = latest;
    if (at === null) return;
    this.#at = at;
    this.#age = age ?? 0;
    this.#isKnown = latest !== null && age !== null;
    if (!latest || age === null) return;
    this.clock.note(latest.timestamp + age, at);
    this.clock.isTrusted = true;
  }

  /**
   * `snapshot`, the newest, came at `at`.
   * @param {Snapshot} snapshot
   * @param {number} at
   * @param {boolean} isFirst nothing came before it over the same socket
   * @returns {number} seconds that the publisher's clock was set ahead (or back: negative) before it; 0: it was not
   */
  note(snapshot, at, isFirst) {
    const { id, timestamp, interval } = snapshot;
    const before = this.#newest;
    const wait = at - this.#at;
    const isPaced = !isFirst && wait >= SOONEST * interval && wait <= LATEST * interval;
    this.#inPace = isPaced ? this.#inPace + 1 : 0;
    const step = this.#stepTo(snapshot, wait);
    const atMost = before && id < before.id ? Infinity : this.#age + wait; // a smaller id: another sequence
    this.#age = this.#inPace >= PROOF ? 0 : Math.min(atMost, this.#ageByClock(timestamp, at));
    this.#isKnown = Number.isFinite(this.#age);
    this.#at = at;
    this.#newest = snapshot;
    this.#learnClock(snapshot, at, step < 0);
    return step;
  }

  /** @param {number} at  @returns {number|null} seconds since the newest snapshot was published; null: not known */
  ageAt(at) {
    return this.#isKnown ? this.#age + at - this.#at : null;
  }

  /** @param {number} timestamp  @param {number} at */
  #ageByClock(timestamp, at) {
    return this.clock.isTrusted ? Math.max((this.clock.at(at) ?? 0) - timestamp, 0) : Infinity;
  }

  /** @param {Snapshot} snapshot  @param {number} at  @param {boolean} wasSetBack */
  #learnClock({ timestamp, interval }, at, wasSetBack) {
    if (wasSetBack) this.clock.forget();
    this.clock.note(timestamp, at);
    if (!this.#isKnown) return;
    this.clock.limit(timestamp, at, this.#age, Math.max(SLACK_INTERVALS * interval, SLACK_AT_LEAST));
    if (this.#age <= interval) this.clock.isTrusted = true;
  }

  /** @param {Snapshot} snapshot  @param {number} wait  @returns {number} */
  #stepTo({ id, timestamp, interval }, wait) {
    const before = this.#newest;
    if (!before || id < before.id) return 0;
    const passed = timestamp - before.timestamp;
    if (passed < 0) return passed - wait; // the later one by its id has the earlier time: nothing else explains it
    // More time than has gone by since the one before was published can be told only where its age is known.
    if (!this.#isKnown) return 0;
    const unexplained = passed - wait - this.#age;
    return unexplained > Math.max(AHEAD_INTERVALS * interval, AHEAD_AT_LEAST) ? unexplained : 0;
  }
}
