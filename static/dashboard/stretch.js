/** A stretch of time that does not move, from history: what is zoomed into, or what a range is compared with. */

import { HistoryLoader } from "./history.js";
import { RowStore } from "./rows.js";

/** @typedef {import("./row.js").Row} Row */

export class Stretch {
  /** @type {{from: number, to: number}|null} What was asked for; null: nothing. */ window = null;
  isLoaded = false;
  /** The last attempt to load it failed; the next one is due. */ hasFailed = false;
  /** @type {any[]} The switches in it, as history tells them. */ events = [];
  /** @type {RowStore} */ #store;

  /**
   * @param {import("./row.js").Keyed[]} metrics  @param {string} url of history
   * @param {import("./environment.js").HttpEnvironment} environment  @param {() => void} onLoaded
   * @param {(retryIn: number) => void} [onFailure] gets the seconds until the next attempt
   */
  constructor(metrics, url, environment, onLoaded, onFailure = () => {}) {
    this.#store = new RowStore(metrics, Infinity);
    this.loader = new HistoryLoader(url, environment, {
      onHistory: (history) => {
        if (!this.window) return;
        this.#store = new RowStore(metrics, Infinity);
        this.#store.replace(history);
        this.events = history.events ?? [];
        [this.isLoaded, this.hasFailed] = [true, false];
        onLoaded();
      },
      onFailure: (retryIn) => {
        this.hasFailed = true;
        onFailure(retryIn);
      },
    });
  }

  /** @returns {Row[]} oldest first */
  get rows() {
    return this.#store.rows;
  }

  /** @returns {number|null} */
  get step() {
    return this.#store.step;
  }

  /** @param {number} from  @param {number} to  @param {number|null} step seconds of a row; null: each is a snapshot */
  load(from, to, step) {
    this.forget();
    this.window = { from, to };
    void this.loader.load(to - from, step, () => to);
  }

  forget() {
    this.loader.stop();
    this.window = null;
    this.isLoaded = this.hasFailed = false;
  }
}
