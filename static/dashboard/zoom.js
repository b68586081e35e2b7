/**
 * What the charts are zoomed into: one stretch of time for all, in the page's address, with a sign and a way back.
 */

import { formatTime } from "./format.js";
import { setText } from "./text.js";

/** @typedef {{from: number, to: number}} Span  Unix seconds. */

/** Seconds; a shorter stretch shows nothing. */
const SHORTEST = 2;
/** The year 3000, as the server has it. */
const LATEST = 32_503_680_000;

/** @param {string|null} text Unix seconds, or ISO 8601 with a zone  @returns {number} NaN: neither */
function parseTime(text) {
  if (!text) return NaN;
  // A plus that was not written as %2B is a space.
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : /(Z|[ +-]\d\d:\d\d)$/.test(text) ? Date.parse(text.replace(" ", "+")) / 1000 : NaN;
  return seconds >= 0 && seconds <= LATEST ? seconds : NaN;
}

/** @param {URLSearchParams} address  @returns {Span|null} null: it names no stretch of time */
export function spanOfAddress(address) {
  const span = { from: parseTime(address.get("from")), to: parseTime(address.get("to")) };
  return span.to - span.from >= SHORTEST ? span : null;
}

/**
 * A longer or a shorter stretch, around a time of it.
 * @param {Span} span  @param {number} factor  @param {number} centre  @param {Span} range what is shown without zoom
 * @returns {Span|null} null: all of the range
 */
export function scaled(span, factor, centre, range) {
  const length = Math.max((span.to - span.from) * factor, SHORTEST);
  const part = Math.min(Math.max((centre - span.from) / (span.to - span.from), 0), 1);
  const from = centre - part * length;
  const to = from + length;
  const late = Math.max(to - Math.max(range.to, span.to), 0); // nothing is published in the future
  const found = { from: from - late, to: to - late };
  return found.from <= range.from && found.to >= range.to ? null : found;
}

export class Zoom {
  /** @type {Span|null} */ span = null;

  /**
   * @param {Document} document  @param {{zone: "local"|"utc"}} preferences  @param {() => Span} range what is shown unless zoomed
   * @param {(span: Span|null) => void} onChange
   */
  constructor(document, preferences, range, onChange) {
    this.document = document;
    this.preferences = preferences;
    this.range = range;
    this.onChange = onChange;
    // Who has drawn across a chart has the focus nowhere; on a chart itself the charts listen.
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && document.activeElement === document.body) this.to(null);
    });
    this.sign = /** @type {HTMLElement} */ (document.getElementById("zoomed"));
    this.when = /** @type {HTMLElement} */ (this.sign.querySelector(".when"));
    this.reset = /** @type {HTMLElement} */ (this.sign.querySelector(".reset"));
    this.reset.addEventListener("click", () => this.to(null));
    const scale = /** @type {HTMLElement} */ (document.getElementById("zoom"));
    this.zoomIn = /** @type {HTMLElement} */ (scale.querySelector('[data-zoom="in"]'));
    this.zoomIn.addEventListener("click", () => this.by(0.5));
    scale.querySelector('[data-zoom="out"]')?.addEventListener("click", () => this.by(2));
  }

  /** Take what the page's address says. */
  start() {
    const span = spanOfAddress(new URLSearchParams(this.document.location.search));
    if (span) this.to(span);
  }

  /** @param {number} factor  @param {number} [centre] Unix seconds; else: the newest without zoom, the middle with it */
  by(factor, centre) {
    const range = this.range();
    const shown = this.span ?? range;
    const around = centre ?? (this.span ? (shown.from + shown.to) / 2 : shown.to);
    if (factor < 1 || this.span) this.to(scaled(shown, factor, around, range));
  }

  /** @param {Span|null} span null: the range */
  to(span) {
    // Whole seconds, as in the address: whoever opens that sees the same.
    const whole = span && { from: Math.round(span.from), to: Math.round(span.to) };
    const wanted = whole && whole.to - whole.from >= SHORTEST ? whole : null;
    if (!wanted && !this.span) return;
    this.span = wanted;
    this.#writeAddress();
    this.show();
    this.onChange(wanted);
  }

  /** Say what is zoomed into; again after the zone changed. */
  show() {
    const { span, preferences } = this;
    const hadFocus = this.sign.contains(this.document.activeElement);
    this.sign.hidden = !span;
    this.document.body.classList.toggle("is-zoomed", !!span);
    if (!span && hadFocus) this.zoomIn.focus();
    if (!span) return;
    const [from, to] = [span.from, span.to].map((time) => formatTime(time, preferences.zone, "full"));
    const isSameDay = formatTime(span.from, preferences.zone, "day") === formatTime(span.to, preferences.zone, "day");
    setText(this.when, `Charts: ${from} to ${isSameDay ? formatTime(span.to, preferences.zone) : to}`);
  }

  #writeAddress() {
    const { defaultView, location } = this.document;
    const address = new URL(location.href);
    for (const name of /** @type {const} */ (["from", "to"])) {
      if (this.span) address.searchParams.set(name, this.span[name].toFixed(0));
      else address.searchParams.delete(name);
    }
    defaultView?.history.replaceState(defaultView.history.state, "", address);
  }
}
