/** What the modules need from a browser, in one place: a test brings its own, with a clock that it turns by hand. */

/**
 * @typedef {object} HttpEnvironment
 * @property {(url: string, options?: RequestInit) => Promise<Response>} fetch
 * @property {(callback: () => void, delay: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {(delay: number) => AbortSignal} abortAfter  A signal that aborts by itself, after so many milliseconds.
 */

/**
 * @typedef {HttpEnvironment & SocketEnvironment} Environment
 * @typedef {object} SocketEnvironment
 * @property {(url: string) => WebSocket} openSocket
 * @property {() => number} now  Milliseconds, monotonic.
 * @property {() => number} random  0 to 1.
 * @property {EventTarget} window
 * @property {EventTarget & {visibilityState: string}} document
 */

/** @returns {Environment} the browser's own */
export function browserEnvironment() {
  return {
    openSocket: (url) => new WebSocket(url),
    fetch: (url, options) => fetch(url, options),
    setTimeout: (callback, delay) => setTimeout(callback, delay),
    clearTimeout: (timer) => clearTimeout(timer),
    abortAfter: (delay) => AbortSignal.timeout(delay),
    now: () => performance.now(),
    random: Math.random,
    window,
    document,
  };
}
