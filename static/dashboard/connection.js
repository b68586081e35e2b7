/**
 * One live connection to a stream of snapshots, for as long as the page is open. Usable by any page:
 *
 *     const connection = new LiveConnection({ url: "/stream/live", latestUrl: "/stream/latest" });
 *     connection.addEventListener("snapshot", (event) => console.log(event.detail.snapshot.cpu));
 *     connection.start();
 *
 * What it promises: every snapshot is reported once, oldest first; at most one socket exists; it comes back by itself
 * after anything but a refusal, resumes where it was, and says where something is missing. What it does not promise:
 * that nothing is missing. The server keeps a limited past, and polling sees only the newest snapshot.
 */

import { Backoff } from "./backoff.js";
import { browserEnvironment } from "./environment.js";
import { Poller } from "./poller.js";
import { Sequence } from "./sequence.js";

/** @typedef {import("./environment.js").Environment} Environment */
/** @typedef {import("./snapshot.js").Snapshot} Snapshot */

/**
 * @typedef {object} Status What the connection is doing.
 * @property {"idle"|"connecting"|"open"|"waiting"|"refused"} phase  `waiting`: until the next attempt.
 * @property {"socket"|"polling"} mode  `polling`: sockets do not get through, HTTP does.
 * @property {number} attempt  Attempts since the last snapshot; 0 when all is well.
 * @property {number|null} retryAt  When the next attempt starts, on the clock of `environment.now` (milliseconds).
 * @property {boolean} isChecking  A socket that fell silent is being replaced; nothing is known to be wrong yet.
 * @property {number|null} pollingSince  When polling began to work and sockets did not, on the same clock; null: they do.
 * @property {string} reason  Why the last socket ended, for people; empty when all is well.
 */

/** The session ended, or a new password gives this browser another one: then the cookie is here a moment later. */
const SIGN_IN_AGAIN = 4401;
const ASK_AGAIN_AFTER = 1_000;
/** Closings that mean: you may not read this. */
const REFUSALS = new Map([
  [SIGN_IN_AGAIN, "sign in again"],
  [4403, "you may not read this dashboard"],
]);
/** The server did not understand our `since`. */
const BAD_SINCE = 4400;
/** Milliseconds until a socket must be open. */
const OPEN_WITHIN = 10_000;
/** Silent for so many intervals (and at least so many milliseconds): the socket is replaced. */
const SILENT_INTERVALS = 3.5;
const SILENT_AT_LEAST = 3_000;
const SILENT_AT_MOST = 60_000;
/** A timer so late (milliseconds) was held back with the tab: its time does not count. */
const FROZEN_AFTER = 2_500;
/** Sockets that must fail in a row, without ever opening, before HTTP is tried. */
const POLL_AFTER = 3;

/**
 * Events: `snapshot` with `{snapshot, missing, isFirst}`; `status` with a {@link Status}, whenever it changes.
 * `missing`: what was published and not received before it (a `Missing` of sequence.js: ids, and whether it is gone for
 * good), else null. `isFirst`: nothing was heard before it over the same socket (or by polling), so that the server may
 * have had it for long.
 */
export class LiveConnection extends EventTarget {
  /** @type {WebSocket|null} */ #socket = null;
  /** @type {any} */ #retryTimer = null;
  /** @type {any} */ #watchdog = null;
  /** @type {Sequence} */ #sequence;
  /** @type {WebSocket|Poller|null} What the last message came over. */ #heardFrom = null;
  #mayResume = true;
  #neverOpened = 0;
  /** The last poll was answered. */ #isAnswered = false;
  /** Asked once more after being told to sign in again, and nothing came since. */ #hasAskedAgain = false;
  #fruitless = 0;
  #heardAt = 0;
  #started = false;

  /**
   * @param {{url: string, latestUrl?: string, interval?: number, since?: number|null, environment?: Environment}} options
   *   `url`: the stream (a path, or ws://…, wss://…). `latestUrl`: where one snapshot is had by HTTP; without it there
   *   is no polling. `interval`: seconds between snapshots, until the first one says it. `since`: the id of the newest
   *   snapshot that the caller has already.
   */
  constructor({ url, latestUrl, interval = 3, since = null, environment = browserEnvironment() }) {
    super();
    this.url = url;
    this.interval = interval;
    this.#sequence = new Sequence(since);
    this.environment = environment;
    this.backoff = new Backoff(environment.random);
    /** @type {Status} */
    this.status = { phase: "idle", mode: "socket", attempt: 0, retryAt: null, isChecking: false, pollingSince: null, reason: "" };
    this.poller = latestUrl
      ? new Poller(latestUrl, environment, {
          onSnapshot: (snapshot) => this.#onPolled(snapshot),
          onRefused: () => this.#refuse("sign in again"),
          onLost: () => this.#onPollLost(),
        })
      : null;
  }

  /** Connect, and stay connected until `stop()`. */
  start() {
    if (this.#started) return;
    this.#started = true;
    const { window, document } = this.environment;
    window.addEventListener("online", this.#hurry);
    window.addEventListener("pageshow", this.#wake);
    document.addEventListener("resume", this.#wake);
    document.addEventListener("visibilitychange", this.#wake);
    this.#connect();
  }

  /** Close the socket and do nothing more. */
  stop() {
    this.#started = false;
    const { window, document } = this.environment;
    window.removeEventListener("online", this.#hurry);
    window.removeEventListener("pageshow", this.#wake);
    document.removeEventListener("resume", this.#wake);
    document.removeEventListener("visibilitychange", this.#wake);
    this.#abandon();
    this.#stopPolling();
    this.#report({ phase: "idle", mode: "socket", retryAt: null, isChecking: false, pollingSince: null });
  }

  /** Try now instead of when the back-off ends. Does nothing while a socket is open. */
  retryNow() {
    if (this.#started && this.status.phase !== "open") this.#connect();
  }

  #hurry = () => {
    if (this.status.phase === "waiting") this.#connect();
    else this.#wake();
  };

  /** The tab is seen again: do not wait for a timer that may have been held back. */
  #wake = () => {
    if (this.environment.document.visibilityState === "hidden") return;
    if (this.status.phase === "waiting") this.#connect();
    else if (this.status.phase === "refused") this.#connect({ isChecking: true }); // somebody may have signed in meanwhile
    else if (this.status.phase === "open" && this.#silence() > this.interval * 1500) this.#watch(this.#grace());
  };

  #silence() {
    return this.environment.now() - this.#heardAt;
  }

  /** Milliseconds in which a socket that was frozen with its tab may prove that it lives. */
  #grace() {
    return Math.max(this.interval * 1500, 2000);
  }

  #address() {
    const { last } = this.#sequence;
    if (last === null || !this.#mayResume) return this.url;
    return `${this.url}${this.url.includes("?") ? "&" : "?"}since=${last}`;
  }

  #connect({ isChecking = false } = {}) {
    this.#abandon();
    /** @type {WebSocket} */
    let socket;
    try {
      socket = this.environment.openSocket(this.#address());
    } catch {
      this.#comeBack("the address of the stream is wrong");
      return;
    }
    this.#socket = socket;
    let hasOpened = false;
    this.#report({ phase: "connecting", attempt: this.status.attempt + 1, retryAt: null, isChecking });
    this.#watch(OPEN_WITHIN);
    socket.onopen = () => {
      hasOpened = true;
      this.#neverOpened = 0;
      this.#report({ phase: "open", isChecking: false });
      this.#watch(this.#silentLimit());
    };
    socket.onmessage = ({ data }) => {
      this.#heardAt = this.environment.now();
      this.#watch(this.#silentLimit());
      this.#stopPolling();
      this.#hasAskedAgain = false;
      this.#accept(JSON.parse(data));
    };
    socket.onclose = ({ code }) => {
      if (!hasOpened) this.#neverOpened += 1;
      this.#abandon();
      if (code === SIGN_IN_AGAIN && !this.#hasAskedAgain) {
        this.#hasAskedAgain = true;
        this.#report({ phase: "connecting", retryAt: null, isChecking: true });
        this.#retryTimer = this.environment.setTimeout(() => this.#connect({ isChecking: true }), ASK_AGAIN_AFTER);
        return;
      }
      const refusal = REFUSALS.get(code);
      if (refusal) return this.#refuse(refusal);
      if (code === BAD_SINCE) this.#mayResume = false;
      this.#comeBack(code === 1012 ? "the server restarts" : hasOpened ? "the connection broke" : "no connection");
    };
  }

  /** Let go of the socket and of all timers: nothing of them is heard again. */
  #abandon() {
    this.environment.clearTimeout(this.#retryTimer);
    this.environment.clearTimeout(this.#watchdog);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {string} reason */
  #comeBack(reason) {
    const delay = this.backoff.next();
    this.#report({ phase: "waiting", retryAt: this.environment.now() + delay, isChecking: false, reason });
    this.#retryTimer = this.environment.setTimeout(() => this.#connect(), delay);
    if (this.#neverOpened >= POLL_AFTER) this.poller?.start(this.interval);
  }

  /**
   * The server answers. Where it was only away, a socket opens now, and brings all that was missed; this snapshot would
   * make a hole before it. Where none opens, the next poll counts, and the back-off goes on.
   * @param {Snapshot} snapshot
   */
  #onPolled(snapshot) {
    const isBack = !this.#isAnswered;
    this.#isAnswered = true;
    if (isBack && this.status.phase === "waiting") this.#connect();
    else this.#accept(snapshot);
  }

  #onPollLost() {
    this.#isAnswered = false;
    this.#report({ mode: "socket", pollingSince: null });
  }

  /** @param {string} reason */
  #refuse(reason) {
    this.#abandon();
    this.#stopPolling();
    this.#report({ phase: "refused", mode: "socket", retryAt: null, isChecking: false, pollingSince: null, reason });
  }

  #stopPolling() {
    this.#isAnswered = false;
    this.poller?.stop();
  }

  #silentLimit() {
    const limit = Math.max(this.interval * 1000 * SILENT_INTERVALS, SILENT_AT_LEAST);
    // A publisher that stopped is not helped by reconnecting: after each vain attempt, wait twice as long.
    return Math.max(limit, Math.min(limit * 2 ** this.#fruitless, SILENT_AT_MOST));
  }

  /** Replace the socket unless something is heard within `limit` milliseconds. @param {number} limit */
  #watch(limit) {
    this.environment.clearTimeout(this.#watchdog);
    const due = this.environment.now() + limit;
    this.#watchdog = this.environment.setTimeout(() => {
      if (this.environment.now() - due > FROZEN_AFTER) return this.#watch(this.#grace());
      if (this.status.phase === "connecting") {
        this.#neverOpened += 1;
        this.#abandon();
        return this.#comeBack("the server does not answer");
      }
      this.#fruitless += 1;
      this.#connect({ isChecking: true });
    }, limit);
  }

  /** Report a snapshot unless it is known already. @param {Snapshot} snapshot */
  #accept(snapshot) {
    const socket = this.status.phase === "open" ? this.#socket : null;
    const from = socket ?? this.poller;
    const isFirst = from !== this.#heardFrom;
    this.#heardFrom = from;
    const taken = this.#sequence.take(snapshot);
    if (!taken) return;
    this.#mayResume = true;
    this.interval = snapshot.interval || this.interval;
    if (socket) {
      this.#fruitless = 0;
      this.backoff.reset();
      if (this.status.attempt || this.status.mode === "polling") {
        this.#report({ mode: "socket", attempt: 0, pollingSince: null, reason: "" });
      }
    } else if (this.status.mode !== "polling") {
      this.#report({ mode: "polling", pollingSince: this.environment.now() });
    }
    this.dispatchEvent(new CustomEvent("snapshot", { detail: { snapshot, missing: taken.missing, isFirst } }));
  }

  /** @param {Partial<Status>} change */
  #report(change) {
    this.status = { ...this.status, ...change };
    this.dispatchEvent(new CustomEvent("status", { detail: this.status }));
  }
}
