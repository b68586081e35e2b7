/** The state in the bar, in the page's title and in its favicon. */

import { setText } from "./text.js";

/** @typedef {import("./state.js").State} State */

/** Colours of the favicon: it lies on the browser's own ground, which our theme does not know. @type {Record<State["name"], string>} */
const ICON_COLOURS = {
  live: "#16a3b5",
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
  delayed: '<path d="M16 6a10 10 0 0 0 0 20z"/><circle cx="16" cy="16" r="9" fill="none" stroke="COLOUR" stroke-width="3"/>',
  stale: '<rect x="7" y="7" width="18" height="18"/>',
  reconnecting: '<path d="M16 6a10 10 0 1 0 10 10" fill="none" stroke="COLOUR" stroke-width="4"/><path d="M15 0l9 6-9 6z"/>',
  connecting: '<path d="M16 6a10 10 0 1 0 10 10" fill="none" stroke="COLOUR" stroke-width="4"/>',
  offline: '<path d="M7 7l18 18M25 7L7 25" stroke="COLOUR" stroke-width="5"/>',
  refused: '<path d="M7 7l18 18M25 7L7 25" stroke="COLOUR" stroke-width="5"/>',
};

/** @param {State["name"]} name  @returns {string} a data URL */
export function makeIcon(name) {
  const shape = ICON_SHAPES[name].replaceAll("COLOUR", ICON_COLOURS[name]);
  const image = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="${ICON_COLOURS[name]}">${shape}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(image)}`;
}

export class Indicator {
  /** @type {string} */ #shown = "";
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
    this.signIn = part("#sign-in");
    this.icon = /** @type {HTMLLinkElement} */ (part('link[rel="icon"]'));
  }

  /** @param {State} state  @param {string[]} simulated labels of the groups that are invented  @param {string} headline the title's number */
  show(state, simulated, headline) {
    setText(this.label, state.label);
    setText(this.shape, state.shape);
    setText(this.advice, state.advice);
    setText(this.detail, state.detail);
    const note = simulated.length ? `SIMULATED: ${simulated.join(", ")}` : "";
    this.note.hidden = !note;
    setText(this.note, note);
    this.retry.hidden = state.name !== "reconnecting" && state.name !== "offline";
    this.signIn.hidden = state.name !== "refused";
    const prefix = state.name === "live" ? state.shape : `${state.shape} ${state.label}`;
    const title = `${prefix} ${headline}${simulated.length ? " (simulated)" : ""} · Quantum Trader Dashboard`.replace("  ", " ");
    if (this.document.title !== title) this.document.title = title;
    if (this.#shown === state.name) return;
    this.#shown = state.name;
    this.state.dataset.state = this.document.body.dataset.state = state.name;
    this.icon.href = makeIcon(state.name);
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
