/**
 * What the server says of itself, asked while something on the page is wrong: with its reasons a reader knows whom to ask.
 *
 * It is asked once when the page opens, then only while something lacks or is late and a little longer, until the
 * server calls itself well. A thousand pages that see the same hiccup do not ask at once: it must last, and each draws its
 * own moment.
 */

/** @typedef {import("./environment.js").HttpEnvironment} HttpEnvironment */
/** @typedef {{status: "ok"|"degraded"|"down", reasons: string[]}} Health */

/** Milliseconds that something must be wrong before it is asked about. */
const PATIENCE = 3_000;
/** Milliseconds between two questions, and by how much (as a share) each page differs from it. */
const ASK_EVERY = 10_000;
const SPREAD = 0.4;
/** The server answers within half a second and a little. */
const ANSWER_WITHIN = 5_000;

export class HealthWatch {
  /** @type {Health|null} The last answer; null: none, or it is too old to be told. */ latest = null;
  /** @type {any} */ #timer = null;
  #isTrouble = false;
  #isAsking = false;
  #wasAsked = false;

  /**
   * @param {string} url of health
   * @param {HttpEnvironment & {random: () => number}} environment
   * @param {() => void} onAnswer
   */
  constructor(url, environment, onAnswer) {
    this.url = url;
    this.environment = environment;
    this.onAnswer = onAnswer;
  }

  /** Whether something is wrong now, as far as the page can see. @param {boolean} isTrouble */
  note(isTrouble) {
    if (isTrouble === this.#isTrouble) return;
    this.#isTrouble = isTrouble;
    // What was true before is not now: ask again, and until the answer is here say nothing.
    this.latest = null;
    if (!isTrouble && !this.#wasAsked) return this.environment.clearTimeout(this.#timer);
    this.#wasAsked = false;
    this.#askIn(PATIENCE * (1 + this.environment.random() * SPREAD));
  }

  /** Ask now, and go on as long as there is a reason to. */
  async ask() {
    this.environment.clearTimeout(this.#timer);
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#wasAsked = true;
    const wasTrouble = this.#isTrouble;
    const health = await this.#fetch();
    this.#isAsking = false;
    // An answer to a question of other times tells nothing; one is on its way to the next.
    if (wasTrouble !== this.#isTrouble) return this.#askIn(PATIENCE);
    this.latest = health?.status === "ok" ? null : health;
    if (this.#isTrouble || this.latest) this.#askIn(ASK_EVERY * (1 + (this.environment.random() - 0.5) * SPREAD));
    this.onAnswer();
  }

  /** @param {number} delay milliseconds */
  #askIn(delay) {
    this.environment.clearTimeout(this.#timer);
    this.#timer = this.environment.setTimeout(() => void this.ask(), delay);
  }

  /** @returns {Promise<Health|null>} null where there is no answer that makes sense */
  async #fetch() {
    try {
      const response = await this.environment.fetch(this.url, { cache: "no-store", signal: this.environment.abortAfter(ANSWER_WITHIN) });
      const { status, reasons } = await response.json(); // one that is down answers 503, with its reasons
      return typeof status === "string" && Array.isArray(reasons) ? { status: /** @type {Health["status"]} */ (status), reasons } : null;
    } catch {
      return null;
    }
  }
}
