/** The figures beside the large number: what the day brought, and what the range held. */

import { setDirection } from "./direction.js";
import { asShown, formatNumber, formatTime, formatValue } from "./format.js";
import { changeToday, drawdownOf, originOf, rangeOf, startOfDay, widened } from "./statistics.js";
import { setText } from "./text.js";
import { originOfRange } from "./words.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./row.js").Row} Row */
/** @typedef {import("./statistics.js").Anchor} Anchor */

/** Seconds after midnight by which the first value must have been there for a change to be today's. */
const WHOLE_DAY_WITHIN_S = 900;

export class Figures {
  /** @param {Element} element the list  @param {Metric} metric */
  constructor(element, metric) {
    this.metric = metric;
    /** @param {string} name */
    const part = (name) => /** @type {HTMLElement} */ (element.querySelector(`[data-figure="${name}"]`));
    this.today = part("today");
    this.todayName = part("today-name");
    this.high = part("high");
    this.highName = part("high-name");
    this.low = part("low");
    this.lowName = part("low-name");
    this.peak = part("peak");
    /** @type {import("./statistics.js").Range|null} */ this.range = null;
  }

  /**
   * @param {Row[]} rows  @param {{from: number, to: number}} window  @param {import("./format.js").Zone} zone
   * @param {boolean} isMarked the card is marked as simulated  @param {string} span what to say of which time they are
   * @param {Anchor} [first] the day's first snapshot  @param {Anchor} [began] the first one from the present source
   */
  show(rows, window, zone, isMarked, span, first, began) {
    const { metric } = this;
    // One row is no range yet.
    this.range = rows.length > 1 ? rangeOf(rows, metric, window, originOf(rows[rows.length - 1], metric)) : null;
    const fall = this.range && drawdownOf(rows, metric, window);
    this.#showRange();
    const origin = this.range ? originOfRange(this.range, isMarked) : "";
    setText(this.highName, ["High", origin, span].filter(Boolean).join(", "));
    setText(this.lowName, ["Low", origin, span].filter(Boolean).join(", "));
    for (const element of [this.high, this.low]) element.dataset.origin = origin && (this.range?.isSimulated ? "simulated" : "real");
    this.#showChange(this.peak, fall && -fall.drawdown);
    const midnight = startOfDay(window.to, zone);
    const today = changeToday(rows, metric, midnight, first ?? null, began);
    const isWhole = !today || today.since - midnight < WHOLE_DAY_WITHIN_S;
    setText(this.todayName, isWhole ? "Today" : `Since ${formatTime(today.since, zone, "minutes")}`);
    this.#showChange(this.today, today && today.change);
  }

  /** The live number never lies outside of the range. @param {import("./snapshot.js").Snapshot} snapshot of now */
  include(snapshot) {
    this.range = widened(this.range, snapshot, this.metric);
    this.#showRange();
  }

  #showRange() {
    const { metric, range } = this;
    setText(this.high, range ? formatValue(metric, range.high) : "—");
    setText(this.low, range ? formatValue(metric, range.low) : "—");
  }

  /** @param {HTMLElement} element  @param {number|null} change as sent */
  #showChange(element, change) {
    const { metric } = this;
    const shown = change === null ? null : asShown(metric, change);
    setText(element, shown === null ? "—" : formatNumber(shown + 0, metric.decimals, true));
    setDirection(element, metric.isSigned ? shown : null, metric.decimals);
  }
}
