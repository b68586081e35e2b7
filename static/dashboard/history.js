/** Brings the chosen range's past from `/stream/history`, and says when it cannot. */

/** The ranges to choose from, in seconds. @type {Record<string, number>} */
export const RANGES = { "5m": 300, "1h": 3600, "6h": 21_600, "24h": 86_400, "7d": 604_800 };

/** About how many points a range is drawn with. */
const POINTS = 400;
/** A bucket holds at least so many snapshots: an empty one is then a gap and not jitter. */
const SNAPSHOTS_PER_BUCKET = 3;
const LARGEST_RAW = 700;
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
  /** @type {AbortController|null} */ #request = null;
  /** @type {any} */ #timer = null;
  #failures = 0;

  /**
   * @param {string} url
   * @param {{onHistory: (history: any) => void, onFailure: (retryIn: number) => void,
   *   fetch?: typeof fetch}} options  `onFailure` gets the seconds until the next attempt.
   */
  constructor(url, { onHistory, onFailure, fetch: fetcher = (...args) => fetch(...args) }) {
    this.url = url;
    this.onHistory = onHistory;
    this.onFailure = onFailure;
    this.fetch = fetcher;
  }

  /**
   * Load the last `range` seconds; a load under way is given up. Failures are retried until it works.
   * @param {number} range seconds  @param {number|null} step as of {@link chooseStep}
   * @param {() => number} now the server's clock, Unix seconds
   */
  async load(range, step, now) {
    this.#request?.abort();
    clearTimeout(this.#timer);
    const request = (this.#request = new AbortController());
    const to = now();
    const query = new URLSearchParams({ from: (to - range).toFixed(3), to: (to + 1).toFixed(3) });
    if (step !== null) query.set("step", String(step));
    let history;
    try {
      const response = await this.fetch(`${this.url}?${query}`, { signal: request.signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      history = await response.json();
    } catch {
      if (request.signal.aborted) return;
      const delay = Math.min(RETRY_FIRST * 2 ** this.#failures, RETRY_LONGEST);
      this.#failures = Math.min(this.#failures + 1, 10);
      this.onFailure(delay / 1000);
      this.#timer = setTimeout(() => this.load(range, step, now), delay);
      return;
    }
    if (request.signal.aborted) return;
    this.#failures = 0;
    this.onHistory(history);
  }
}
