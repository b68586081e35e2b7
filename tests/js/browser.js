/** A browser small enough to steer: a clock that is turned by hand, sockets that are opened and broken by hand. */

export class FakeSocket {
  /** @type {any} */ onopen = null;
  /** @type {any} */ onmessage = null;
  /** @type {any} */ onclose = null;
  isClosed = false;

  /** @param {string} url */
  constructor(url) {
    this.url = url;
  }

  close() {
    this.isClosed = true;
  }

  open() {
    this.onopen?.({});
  }

  /** @param {number} code */
  end(code) {
    this.isClosed = true;
    this.onclose?.({ code });
  }

  /** @param {object} snapshot */
  send(snapshot) {
    this.onmessage?.({ data: JSON.stringify(snapshot) });
  }
}

/** An environment for LiveConnection, with `advance(ms)`, `freeze(ms)`, `sockets` and `answer` for HTTP. */
export class FakeBrowser {
  /** @type {FakeSocket[]} */ sockets = [];
  /** @type {{at: number, callback: () => void}[]} */ timers = [];
  time = 0;
  window = new EventTarget();
  document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  /** @type {() => any} A response, or a promise of one. */ answer = () => ({ ok: false, status: 503 });
  requests = 0;
  /** @type {string[]} The addresses of the requests. */ asked = [];
  chance = 0.5;

  /** @type {import("../../static/dashboard/environment.js").Environment} */
  get environment() {
    return {
      openSocket: (url) => {
        const socket = new FakeSocket(url);
        this.sockets.push(socket);
        return /** @type {any} */ (socket);
      },
      fetch: async (url, { signal } = {}) => {
        this.requests += 1;
        this.asked.push(url);
        return Promise.race([this.answer(), aborted(signal)]);
      },
      setTimeout: (callback, delay) => {
        const timer = { at: this.time + delay, callback };
        this.timers.push(timer);
        return timer;
      },
      clearTimeout: (timer) => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
      abortAfter: (delay) => {
        const controller = new AbortController();
        this.timers.push({ at: this.time + delay, callback: () => controller.abort(new DOMException("late", "TimeoutError")) });
        return controller.signal;
      },
      now: () => this.time,
      random: () => this.chance,
      window: this.window,
      document: this.document,
    };
  }

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }

  get openSockets() {
    return this.sockets.filter((socket) => !socket.isClosed).length;
  }

  /** Let `ms` pass, each timer on time. @param {number} ms */
  async advance(ms) {
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.at);
      next.callback();
      await settle();
    }
    this.time = end;
    await settle();
  }

  /** Let `ms` pass in a frozen tab: timers come late, all at its end. @param {number} ms */
  async freeze(ms) {
    this.time += ms;
    await this.advance(0);
  }
}

/** A promise that is broken when the request is given up. @param {AbortSignal|null|undefined} signal */
function aborted(signal) {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
}

/** Let pending promises run. */
export async function settle() {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

/**
 * A snapshot that follows the one 3 s before it, of a publisher whose clock was never set: its id is its time.
 * @param {number} timestamp  @param {object} [more]  @returns {any}
 */
export function snapshot(timestamp, more = {}) {
  const sources = { system: "host", ai: "redis", portfolio: "redis" };
  const id = timestamp * 1000;
  return { timestamp, id, previous: id - 3000, interval: 3, cpu: 1, pnl: 2, sources, problems: {}, observed: {}, ...more };
}
