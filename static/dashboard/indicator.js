/** The state in the bar, in the page's title and in its favicon. */

import { setText } from "./text.js";

/** @typedef {import("./state.js").State} State */

/** Colours of the favicon: it lies on the browser's own ground, which our theme does not know. @type {Record<State["name"], string>} */
const ICON_COLOURS = {
  live: "#16a3b5",
  degraded: "#d99a1f",
  paused: "#8a94a6",
  delayed: "#d99a1f",
  stale: "#e0702a",
  reconnecting: "#5b8def",
  connecting: "#5b8def",
  offline: "#d6438a",
  refused: "#d6438a",
};

/** The states' shapes again, drawn: a favicon has no font to rely on. @type {Record<State["name"], string>} */
const ICON_SHAPES = {
  live: '<circle cx="16" cy="16" r="10"/>',
  degraded: '<path d="M16 4l12 12-12 12-12-12z"/>',
  paused: '<path d="M8 6h6v20h-6zM18 6h6v20h-6z"/>',
  delayed: '<path d="M16 6a10 10 0 0 0 0 20z"/><circle cx="16" cy="16" r="9" fill="none" stroke="COLOUR" stroke-width="3"/>',
  stale: '<rect x="7" y="7" width="18" height="18"/>',
  reconnecting: '<path d="M16 6a10 10 0 1 0 10 10" fill="none" stroke="COLOUR" stroke-width="4"/><path d="M15 0l9 6-9 6z"/>',
  connecting: '<path d="M16 6a10 10 0 1 0 10 10" fill="none" stroke="COLOUR" stroke-width="4"/>',
  offline: '<path d="M7 7l18 18M25 7L7 25" stroke="COLOUR" stroke-width="5"/>',
  refused: '<path d="M7 7l18 18M25 7L7 25" stroke="COLOUR" stroke-width="5"/>',
};

/** Invented numbers that come in time: no full dot, and the colour that they have on the page. */
const SIMULATED_ICON = '<circle cx="16" cy="16" r="11" fill="none" stroke="#9a7bff" stroke-width="5" stroke-dasharray="7 4.5"/>';

/** @param {State["name"]} name  @param {boolean} isSimulated  @returns {string} a data URL */
export function makeIcon(name, isSimulated) {
  const drawn = name === "live" && isSimulated ? SIMULATED_ICON : ICON_SHAPES[name];
  const shape = drawn.replaceAll("COLOUR", ICON_COLOURS[name]);
  const image = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="${ICON_COLOURS[name]}">${shape}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(image)}`;
}

export class Indicator {
  /** @type {string} */ #shown = "";
  /** @type {string} */ #explained = "";
  #pulsedAt = -Infinity;

  /** @param {Document} document */
  constructor(document) {
    this.document = document;
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector));
    this.state = part("#state");
    this.shape = part("#state .shape");
    this.label = part("#state .label");
    this.advice = part("#state .advice");
    this.note = part("#state .simulated-note");
    this.detail = part("#detail");
    this.retry = part("#retry");
    this.reasons = part("#reasons");
    this.reasonCount = part("#reasons summary");
    this.reasonList = part("#reasons ul");
    this.signIn = part("#sign-in");
    this.icon = /** @type {HTMLLinkElement} */ (part('link[rel="icon"]'));
  }

  /**
   * @param {State} state
   * @param {string[]|null} simulated labels of the groups that are invented; null: there are no values yet
   * @param {string} headline the title's number
   * @param {import("./snapshot.js").Kind} kind what that number is
   */
  show(state, simulated, headline, kind) {
    setText(this.label, state.label);
    setText(this.shape, state.shape);
    setText(this.advice, state.advice);
    this.advice.title = state.advice;
    setText(this.detail, state.detail);
    setText(this.note, simulated?.length ? `▨ SIMULATED: ${simulated.join(", ")}. Invented, not real.` : simulated ? "No simulated source" : "");
    this.note.classList.toggle("simulated", !!simulated?.length);
    this.#showReasons(state);
    this.retry.hidden = !state.canRetry;
    this.signIn.hidden = state.name !== "refused";
    const prefix = state.label === "LIVE" ? state.shape : `${state.shape} ${state.label}`;
    const what = kind && kind !== "missing" ? ` (${kind})` : "";
    const title = `${prefix} ${headline}${what} · Quantum Trader Dashboard`.replace("  ", " ");
    if (this.document.title !== title) this.document.title = title;
    const shown = `${state.name} ${kind}`;
    if (this.#shown === shown) return;
    this.#shown = shown;
    this.state.dataset.state = this.document.body.dataset.state = state.name;
    this.icon.href = makeIcon(state.name, kind === "simulated");
  }

  /** The whole advice and the server's reasons, over the page and not in it. @param {State} state */
  #showReasons({ advice, reasons }) {
    const sentences = [advice, ...reasons].filter(Boolean);
    this.reasons.hidden = !sentences.length;
    setText(this.reasonCount, reasons.length ? `${reasons.length} ${reasons.length === 1 ? "reason" : "reasons"}` : "Why?");
    if (sentences.join() === this.#explained) return;
    this.#explained = sentences.join();
    this.reasonList.replaceChildren(
      ...sentences.map((sentence) => {
        const item = this.document.createElement("li");
        item.textContent = sentence;
        return item;
      }),
    );
  }

  /** One soft pulse: a snapshot came. At most one a second: at ten it would flicker, and animate without end. */
  pulse() {
    const now = performance.now();
    if (now - this.#pulsedAt < 1000) return;
    this.#pulsedAt = now;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.shape.animate([{ transform: "scale(1.45)" }, { transform: "scale(1)" }], { duration: 600, easing: "ease-out" });
  }
}
