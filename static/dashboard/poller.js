/** The way out where WebSockets do not get through (an old proxy, a refused origin): ask for the newest snapshot. */

/** @typedef {import("./environment.js").HttpEnvironment} HttpEnvironment */
/** @typedef {import("./snapshot.js").Snapshot} Snapshot */

/** Milliseconds until an answer must be here in full: what hangs is given up and asked for again. */
const ANSWER_WITHIN = 10_000;

/** Asks `url` once per interval from `start()` to `stop()`; one request at a time. */
export class Poller {
  /** @type {any} */ #timer = null;
  /** @type {AbortController|null} From `start()` to `stop()`. */ #running = null;

  /**
   * @param {string} url
   * @param {HttpEnvironment} environment
   * @param {{onSnapshot: (snapshot: Snapshot) => void, onRefused: () => void, onLost: () => void}} handlers
   *   `onRefused`: HTTP 401, 403 or, for a share link that has ended, 404. `onLost`: no answer that makes sense, or none in time; it goes on asking.
   */
  constructor(url, environment, handlers) {
    this.url = url;
    this.environment = environment;
    this.handlers = handlers;
  }

  /** @param {number} interval seconds between two requests */
  start(interval) {
    if (this.#running) return;
    this.#running = new AbortController();
    void this.#poll(this.#running.signal, Math.max(interval, 0.5) * 1000);
  }

  stop() {
    this.#running?.abort();
    this.#running = null;
    this.environment.clearTimeout(this.#timer);
  }

  /** @param {AbortSignal} stopped  @param {number} delay */
  async #poll(stopped, delay) {
    try {
      const signal = AbortSignal.any([stopped, this.environment.abortAfter(ANSWER_WITHIN)]);
      const response = await this.environment.fetch(this.url, { cache: "no-cache", signal });
      if (stopped.aborted) return;
      if ([401, 403, 404].includes(response.status)) return this.handlers.onRefused();
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const snapshot = await response.json();
      if (stopped.aborted) return;
      this.handlers.onSnapshot(snapshot);
    } catch {
      if (stopped.aborted) return;
      this.handlers.onLost();
    }
    if (stopped.aborted) return; // by a handler
    this.#timer = this.environment.setTimeout(() => this.#poll(stopped, delay), delay);
  }
}
