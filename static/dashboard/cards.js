/** The cards: one metric's value, what it is (real, simulated, old, missing), its change and its past. */

import { isNumeric } from "./catalogue.js";
import { arrowOf, setDirection } from "./direction.js";
import { Figures } from "./figures.js";
import { asShown, formatDuration, formatNumber, formatValue, unitOf } from "./format.js";
import { Lanes } from "./lanes.js";
import { levelOf } from "./level.js";
import { SIMULATED, explainProblem, kindOf } from "./snapshot.js";
import { changeOf, heldSince } from "./statistics.js";
import { setText } from "./text.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./snapshot.js").Snapshot} Snapshot */
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

class Card {
  /** @param {HTMLElement} element  @param {Metric} metric */
  constructor(element, metric) {
    this.element = element;
    this.metric = metric;
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.value = part(".value");
    this.kind = part(".kind");
    this.present = part(".present");
    this.tag = part(".tag");
    this.level = part(".level");
    this.change = part(".change");
    this.age = part(".age");
    this.why = part(".why");
    this.problem = part(".problem");
    this.tip = part(".tip");
    const [figures, lanes] = [part(".figures"), part(".lanes")];
    this.figures = figures && new Figures(figures, metric);
    this.lanes = lanes && new Lanes(lanes, metric);
    setText(part(".unit"), unitOf(metric));
    this.problem.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.problem.setAttribute("data-dismissed", "");
    });
    this.problem.addEventListener("blur", () => this.problem.removeAttribute("data-dismissed"));
  }

  /** @param {Snapshot} snapshot  @param {number} now the server's clock */
  show(snapshot, now) {
    const { metric } = this;
    const value = snapshot[metric.key] ?? null;
    const problem = snapshot.problems?.[metric.key] ?? "";
    const kind = kindOf(snapshot, metric);
    this.#showValue(formatValue(metric, value));
    if (metric.isSigned) setDirection(this.value, value, metric.decimals);
    const isSimulated = snapshot.sources?.[metric.group] === SIMULATED;
    this.element.classList.toggle("is-simulated", isSimulated);
    for (const name of ["stale", "fallback", "missing"]) this.element.classList.toggle(`is-${name}`, kind === name);
    setText(this.tag, isSimulated ? "sim" : kind === "fallback" ? "fallback" : "");
    setText(this.kind, kind);
    this.why.hidden = !problem;
    setText(this.problem, kind === "fallback" ? `instead: ${problem}` : problem);
    setText(this.tip, problem ? explainProblem(problem) + (kind === "fallback" ? " Shown: the fallback that staff chose." : "") : "");
    const observed = snapshot.observed?.[metric.group];
    setText(this.age, problem === "stale" && observed ? `${formatDuration(now - observed)} old` : "");
    this.figures?.include(snapshot);
    this.#showLevel(kind === "" || kind === "simulated" ? value : null);
  }

  /** @param {string} text */
  #showValue(text) {
    if (text.length !== this.value.textContent?.length) this.value.style.setProperty("--length", String(text.length));
    setText(this.value, text);
  }

  /** @param {any} value of now; null: there is none to judge */
  #showLevel(value) {
    const level = levelOf(this.metric, value);
    this.level.hidden = !level;
    this.element.classList.toggle("is-warn", level?.name === "warn");
    this.element.classList.toggle("is-critical", level?.name === "critical");
    setText(this.level, level ? `${level.shape} ${level.name}` : "");
    this.level.title = level?.text ?? "";
  }

  /** @param {PastView} past */
  showPast({ rows, window, range, longest, zone, began, today, zoomed }) {
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

/** All cards of the page, and the name of the source beside each group's title. */
export class Cards {
  /** @param {Document} document  @param {Metric[]} metrics */
  constructor(document, metrics) {
    this.cards = metrics.flatMap((metric) => {
      const element = document.querySelector(`.card[data-metric="${CSS.escape(metric.key)}"]`);
      return element instanceof HTMLElement ? [new Card(element, metric)] : [];
    });
    this.groupSources = [...document.querySelectorAll("[data-group]")].map((section) => ({
      group: section.getAttribute("data-group") ?? "",
      element: /** @type {Element} */ (section.querySelector(".group-source")),
    }));
  }

  /** @param {Snapshot} snapshot  @param {number} now the server's clock, Unix seconds */
  show(snapshot, now) {
    for (const card of this.cards) card.show(snapshot, now);
    for (const { group, element } of this.groupSources) {
      const source = snapshot.sources?.[group] ?? "";
      setText(element, source === SIMULATED ? "simulated, not real" : source && `from ${source}`);
      element.classList.toggle("simulated", source === SIMULATED);
    }
  }

  /** Of when the numbers are, where the charts show another time. @param {string} when empty: the same */
  mark(when) {
    for (const card of this.cards) setText(card.present, when);
  }

  /** @param {PastView} past */
  showPast(past) {
    for (const card of this.cards) card.showPast(past);
  }
}
