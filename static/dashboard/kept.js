/**
 * The newest snapshot, kept in this browser: what the page shows that the service worker brings where there is no
 * network. Such a page is marked, so that nothing on it is taken for new.
 */

/** @typedef {import("./catalogue.js").Catalogue} Catalogue */
/** @typedef {import("./snapshot.js").Snapshot} Snapshot */

const STORED_AS = "quantum-trader-dashboard-latest";
/** Milliseconds between two writes: a machine that dies loses no more. */
const WRITE_EVERY = 10_000;

/** @param {Document} document  @returns {boolean} whether this page was kept here and is not the server's answer */
export function isKept(document) {
  return document.documentElement.hasAttribute("data-kept");
}

export class KeptSnapshot {
  /** @type {Snapshot|null} */ #unwritten = null;
  #writtenAt = -Infinity;

  /** @param {Storage|null} storage  @param {EventTarget} window told when the page is left  @param {() => number} now milliseconds */
  constructor(storage, window, now = () => performance.now()) {
    this.storage = storage;
    this.now = now;
    window.addEventListener("pagehide", () => this.#write());
  }

  /** @param {Snapshot} snapshot the newest */
  note(snapshot) {
    this.#unwritten = snapshot;
    if (this.now() - this.#writtenAt >= WRITE_EVERY) this.#write();
  }

  /** Give a kept page the newest snapshot there was, of an age that nobody knows. @param {Catalogue} catalogue */
  recall(catalogue) {
    catalogue.latestAge = null;
    try {
      catalogue.latest = JSON.parse(this.storage?.getItem(STORED_AS) ?? "null") ?? catalogue.latest;
    } catch {
      // Nothing readable is kept: the page's own snapshot does.
    }
  }

  #write() {
    if (!this.#unwritten) return;
    try {
      this.storage?.setItem(STORED_AS, JSON.stringify(this.#unwritten));
    } catch {
      // The storage is full or refused: the page's own snapshot will do.
    }
    this.#writtenAt = this.now();
    this.#unwritten = null;
  }
}
