/** The way out where WebSockets do not get through (an old proxy, a refused origin): ask for the newest snapshot. */

/** @typedef {import("./snapshot.js").Snapshot} Snapshot */

/**
 * @typedef {object} PollerEnvironment
 * @property {(url: string, options?: object) => Promise<Response>} fetch
 * @property {(callback: () => void, delay: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */

/** Asks `url` once per interval from `start()` to `stop()`; one request at a time. */
export class Poller {
  /** @type {any} */ #timer = null;
  #isRunning = false;
  #round = 0;

  /**
   * @param {string} url
   * @param {PollerEnvironment} environment
   * @param {{onSnapshot: (snapshot: Snapshot) => void, onRefused: () => void, onLost: () => void}} handlers
   *   `onRefused`: HTTP 401 or 403. `onLost`: no answer that makes sense; it goes on asking.
   */
  constructor(url, environment, handlers) {
    this.url = url;
    this.environment = environment;
    this.handlers = handlers;
  }

  /** @param {number} interval seconds between two requests */
  start(interval) {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#round += 1;
    this.#poll(this.#round, Math.max(interval, 0.5) * 1000);
  }

  stop() {
    this.#isRunning = false;
    this.environment.clearTimeout(this.#timer);
  }

  /** @param {number} round  @param {number} delay */
  async #poll(round, delay) {
    const isCurrent = () => this.#isRunning && round === this.#round;
    try {
      const response = await this.environment.fetch(this.url, { cache: "no-cache" });
      if (!isCurrent()) return;
      if (response.status === 401 || response.status === 403) return this.handlers.onRefused();
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const snapshot = await response.json();
      if (!isCurrent()) return;
      this.handlers.onSnapshot(snapshot);
    } catch {
      if (!isCurrent()) return;
      this.handlers.onLost();
    }
    this.#timer = this.environment.setTimeout(() => this.#poll(round, delay), delay);
  }
}
