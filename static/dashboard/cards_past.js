/** What the cards show of the past: the change, a text's age, the large one's figures, a text's lanes. */

import { isNumeric } from "./catalogue.js";
import { arrowOf, setDirection } from "./direction.js";
import { Figures } from "./figures.js";
import { asShown, formatDuration, formatNumber } from "./format.js";
import { Lanes } from "./lanes.js";
import { changeOf, heldSince } from "./statistics.js";
import { setText } from "./text.js";

/** @typedef {import("./row.js").Row} Row */
/** @typedef {import("./statistics.js").Anchor} Anchor */

/**
 * @typedef {object} PastView What the cards show of the past.
 * @property {Row[]} rows  Oldest first.
 * @property {import("./past.js").Window} window
 * @property {string} range  Its length, for people.
 * @property {number} longest  Seconds that one row may stand for.
 * @property {Record<string, Anchor>} began  The first snapshot from the present source, by group.
 * @property {Record<string, Anchor>} today  The day's first snapshot, by group.
 * @property {import("./format.js").Zone} zone  Whose days and times they are.
 * @property {{rows: Row[], window: {from: number, to: number}, longest: number}|null} zoomed  What the charts show instead of the range.
 */

/** Seconds after which a change over less than the range is worth telling. */
const YOUNG_S = 10;

class CardPast {
  /** @param {import("./cards.js").Card} card */
  constructor({ element, metric, change }) {
    this.element = element;
    this.metric = metric;
    this.change = change;
    const [figures, lanes] = [element.querySelector(".figures"), element.querySelector(".lanes")];
    this.figures = figures && new Figures(figures, metric);
    this.lanes = lanes && new Lanes(lanes, metric);
  }

  /** @param {PastView} past */
  show({ rows, window, range, longest, zone, began, today, zoomed }) {
    const { metric } = this;
    const [source, day] = [began[metric.group], today[metric.group]];
    // Beside charts of another time it is said of which the figures are.
    const span = zoomed ? `last ${range}` : "";
    this.figures?.show(rows, window, zone, this.element.classList.contains("is-simulated"), span, day, source);
    if (zoomed) this.lanes?.show(zoomed.rows, zoomed.window, zoomed.longest, false);
    else this.lanes?.show(rows, window, longest, true);
    if (isNumeric(metric)) this.#showChange(rows, window, span ? `the ${span}` : range, source);
    else {
      const held = heldSince(rows, metric);
      setText(this.change, held ? `for ${held.isAtLeast ? "at least " : ""}${formatDuration(window.to - held.since)}` : "");
    }
  }

  /** @param {Row[]} rows  @param {PastView["window"]} window  @param {string} range  @param {Anchor|undefined} began */
  #showChange(rows, window, range, began) {
    const { metric } = this;
    const found = changeOf(rows, metric, window.from, began);
    // The change of a part of the range says so: after a switch of source, or while history is young.
    const isPart = found && (window.collecting !== null || found.since - window.from > Math.max((window.to - window.from) * 0.05, 5));
    if (!found || (isPart && window.to - found.since < YOUNG_S)) {
      // The large one has it beside its chart.
      setText(this.change, window.collecting === null || this.figures ? "" : `collecting for ${formatDuration(window.collecting)}`);
      setDirection(this.change, null, 0);
      return;
    }
    const change = asShown(metric, found.change);
    const over = isPart ? formatDuration(window.to - found.since) : range;
    setText(this.change, `${arrowOf(change, metric.decimals)} ${formatNumber(change, metric.decimals, true)} in ${over}`);
    if (metric.isSigned) setDirection(this.change, change, metric.decimals);
  }
}

export class CardsPast {
  /** @param {import("./cards.js").Cards} cards */
  constructor({ cards }) {
    this.cards = cards.map((card) => new CardPast(card));
  }

  /** The live number never lies outside of what is said of its range. @param {import("./snapshot.js").Snapshot} snapshot of now */
  include(snapshot) {
    for (const { figures } of this.cards) figures?.include(snapshot);
  }

  /** @param {PastView} past */
  show(past) {
    for (const card of this.cards) card.show(past);
  }
}
