/**
 * Single snapshots that a change is counted from: each group's first one from its present source, and the day's first.
 *
 * The rows of a long range are too coarse for that: after a switch it would take up to two of them until a change is known.
 */

/** @typedef {import("./snapshot.js").Snapshot} Snapshot */
/** @typedef {import("./statistics.js").Anchor} Anchor */

/** Milliseconds until an answer must be here. */
const ANSWER_WITHIN = 10_000;
/** The first snapshot after a moment comes within so many intervals. */
const WITHIN_INTERVALS = 10;

/** @param {Snapshot} snapshot  @param {{key: string, group: string}[]} metrics  @param {string} group  @returns {Anchor} */
function anchorOf(snapshot, metrics, group) {
  const own = metrics.filter((metric) => metric.group === group && !snapshot.problems?.[metric.key]);
  const kind = snapshot.sources[group];
  return {
    time: snapshot.timestamp,
    source: kind === "mock" ? "simulated" : kind,
    values: Object.fromEntries(own.map(({ key }) => [key, snapshot[key] ?? null])),
  };
}

export class Anchors {
  /** @type {Record<string, Anchor>} By group: the first snapshot from the present source. */ began = {};
  /** @type {Record<string, Anchor>} By group: the day's first snapshot. */ today = {};
  /** @type {Snapshot|null} */ #latest = null;
  /** When the day of `today` began, Unix seconds. */ midnight = -Infinity;
  /** @type {Set<string>} Moments that were asked for. */ #asked = new Set();

  /**
   * @param {{key: string, group: string}[]} metrics  @param {string} url of history
   * @param {import("./environment.js").HttpEnvironment} environment  @param {() => void} onLoaded
   */
  constructor(metrics, url, environment, onLoaded) {
    this.metrics = metrics;
    this.groups = [...new Set(metrics.map(({ group }) => group))];
    this.url = url;
    this.environment = environment;
    this.onLoaded = onLoaded;
  }

  /** @param {Snapshot} snapshot that was published next */
  note(snapshot) {
    const before = this.#latest;
    this.#latest = snapshot;
    if (!before) return;
    for (const group of this.groups) {
      if (before.sources[group] !== snapshot.sources[group]) this.began[group] = anchorOf(snapshot, this.metrics, group);
    }
  }

  /** Look up the latest switch of each group. @param {import("./markers.js").PastEvent[]} events by time */
  lookUp(events) {
    for (const group of this.groups) {
      const last = events.findLast((event) => event.kind === "switch" && event.group === group);
      const kind = last?.text.split(/\s*(?:->|→)\s*/)[1];
      if (!last || (this.began[group]?.time ?? -Infinity) >= last.time) continue;
      void this.#ask(`${group} ${last.time}`, last.time, (snapshots) => {
        const first = snapshots.find(({ sources }) => sources[group] === kind);
        if (first && (this.began[group]?.time ?? -Infinity) < last.time) this.began[group] = anchorOf(first, this.metrics, group);
      });
    }
  }

  /** Look up the day's first snapshot, once a day; again where that failed. @param {number} midnight Unix seconds */
  lookUpDay(midnight) {
    if (midnight !== this.midnight) this.today = {};
    this.midnight = midnight;
    void this.#ask(`day ${midnight}`, midnight, ([first]) => {
      if (first && midnight === this.midnight) {
        this.today = Object.fromEntries(this.groups.filter((group) => first.sources[group]).map((group) => [group, anchorOf(first, this.metrics, group)]));
      }
    });
  }

  /** @param {string} name  @param {number} from  @param {(snapshots: Snapshot[]) => void} take */
  async #ask(name, from, take) {
    if (this.#asked.has(name)) return;
    this.#asked.add(name);
    const to = from + WITHIN_INTERVALS * Math.max(this.#latest?.interval ?? 3, 1);
    const query = new URLSearchParams({ from: from.toFixed(3), to: to.toFixed(3) });
    try {
      const response = await this.environment.fetch(`${this.url}?${query}`, { signal: this.environment.abortAfter(ANSWER_WITHIN) });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      take((await response.json()).snapshots);
    } catch {
      this.#asked.delete(name); // the next look asks again
      return;
    }
    this.onLoaded();
  }
}
