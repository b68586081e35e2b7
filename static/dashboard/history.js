/** Brings a range's past from `/stream/history`, and says when it cannot. */

/** @typedef {import("./environment.js").HttpEnvironment} HttpEnvironment */

/** About how many points a range is drawn with. */
const POINTS = 400;
/** A bucket holds at least so many snapshots: an empty one is then a gap and not jitter. */
const SNAPSHOTS_PER_BUCKET = 3;
const LARGEST_RAW = 700;
/** Milliseconds until an answer must be here in full. A week of snapshots is summed up in a few seconds. */
const ANSWER_WITHIN = 30_000;
/** Milliseconds between attempts after a failure. */
const RETRY_FIRST = 2_000;
const RETRY_LONGEST = 60_000;

/**
 * @param {number} range seconds  @param {number} interval seconds between snapshots
 * @returns {number|null} seconds per bucket; null: so few snapshots that each is drawn
 */
export function chooseStep(range, interval) {
  if (range / interval <= LARGEST_RAW) return null;
  const step = Math.max(range / POINTS, interval * SNAPSHOTS_PER_BUCKET);
  return step > 1 ? Math.ceil(step) : Math.ceil(step * 100) / 100;
}

export class HistoryLoader {
  /** @type {AbortController|null} From `load()` until its answer is here. */ #request = null;
  /** @type {any} */ #timer = null;
  #failures = 0;

  /**
   * @param {string} url
   * @param {HttpEnvironment} environment
   * @param {{onHistory: (history: any) => void, onFailure: (retryIn: number) => void}} handlers
   *   `onFailure` gets the seconds until the next attempt.
   */
  constructor(url, environment, handlers) {
    this.url = url;
    this.environment = environment;
    this.handlers = handlers;
  }

  /** @returns {boolean} whether an answer is still awaited, or the next attempt to get one */
  get isLoading() {
    return this.#request !== null;
  }

  /** Give up what is awaited. */
  stop() {
    this.#request?.abort();
    this.#request = null;
    this.environment.clearTimeout(this.#timer);
  }

  /**
   * Load `range` seconds; a load under way is given up. Failures are retried until it works.
   * @param {number} range seconds  @param {number|null} step as of {@link chooseStep}
   * @param {() => number} end of the range, excluded, at each attempt; the server's clock, Unix seconds
   */
  async load(range, step, end) {
    this.#request?.abort();
    this.environment.clearTimeout(this.#timer);
    const request = (this.#request = new AbortController());
    const to = end();
    const query = new URLSearchParams({ from: (to - range).toFixed(3), to: to.toFixed(3) });
    if (step !== null) query.set("step", String(step));
    let history;
    try {
      const signal = AbortSignal.any([request.signal, this.environment.abortAfter(ANSWER_WITHIN)]);
      const response = await this.environment.fetch(`${this.url}?${query}`, { signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      history = await response.json();
    } catch {
      if (request.signal.aborted) return;
      const delay = Math.min(RETRY_FIRST * 2 ** this.#failures, RETRY_LONGEST);
      this.#failures = Math.min(this.#failures + 1, 10);
      this.handlers.onFailure(delay / 1000);
      this.#timer = this.environment.setTimeout(() => this.load(range, step, end), delay);
      return;
    }
    if (request.signal.aborted) return;
    this.#request = null;
    this.#failures = 0;
    this.handlers.onHistory(history);
  }
}
