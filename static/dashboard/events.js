/** Who switched a source, and what staff noted: asked of the server for the range that is shown. */

/** @typedef {import("./markers.js").PastEvent} PastEvent */

/** Milliseconds until an answer must be here. */
const ANSWER_WITHIN = 10_000;

export class Events {
  /** @type {PastEvent[]} By time. */ list = [];
  /** The server has no such address: history's own events are all there are. */ isAbsent = false;

  /** @param {string} url  @param {import("./environment.js").HttpEnvironment} environment  @param {() => void} onLoaded */
  constructor(url, environment, onLoaded) {
    this.url = url;
    this.environment = environment;
    this.onLoaded = onLoaded;
  }

  /** @param {number} from  @param {number} to  Unix seconds */
  async ask(from, to) {
    if (this.isAbsent) return;
    try {
      const query = new URLSearchParams({ from: from.toFixed(3), to: to.toFixed(3) });
      const response = await this.environment.fetch(`${this.url}?${query}`, { signal: this.environment.abortAfter(ANSWER_WITHIN) });
      this.isAbsent = response.status === 404;
      if (!response.ok) return;
      this.list = (await response.json()).events;
    } catch {
      return; // they are asked for again with the next range: the chart is true without them
    }
    this.onLoaded();
  }
}
