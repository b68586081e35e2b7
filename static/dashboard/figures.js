/** The figures beside the large number: what the day brought, and what the range held. */

import { setDirection } from "./direction.js";
import { asShown, formatNumber, formatValue } from "./format.js";
import { drawdownOf, rangeOf } from "./statistics.js";
import { setText } from "./text.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./row.js").Row} Row */
/** @typedef {{change: number, since: string}} Day  `since`: the time of day that it is counted from; empty: midnight. */

export class Figures {
  /** @param {Element} element the list  @param {Metric} metric */
  constructor(element, metric) {
    this.metric = metric;
    /** @param {string} name */
    const part = (name) => /** @type {HTMLElement} */ (element.querySelector(`[data-figure="${name}"]`));
    this.today = part("today");
    this.todayName = part("today-name");
    this.high = part("high");
    this.low = part("low");
    this.peak = part("peak");
  }

  /** @param {Row[]} rows  @param {{from: number, to: number}} window  @param {Day|null} today  @param {boolean} isKnown whether there is enough of a past */
  show(rows, window, today, isKnown) {
    const { metric } = this;
    const range = isKnown ? rangeOf(rows, metric, window) : null;
    const fall = isKnown ? drawdownOf(rows, metric, window) : null;
    setText(this.high, range ? formatValue(metric, range.high) : "—");
    setText(this.low, range ? formatValue(metric, range.low) : "—");
    setText(this.todayName, today?.since ? `Since ${today.since}` : "Today");
    this.#showChange(this.peak, fall && -fall.drawdown);
    this.#showChange(this.today, today && today.change);
  }

  /** @param {HTMLElement} element  @param {number|null} change as sent */
  #showChange(element, change) {
    const { metric } = this;
    const shown = change === null ? null : asShown(metric, change);
    setText(element, shown === null ? "—" : formatNumber(shown + 0, metric.decimals, true));
    setDirection(element, metric.isSigned ? shown : null, metric.decimals);
  }
}
