/** The cards: one metric's value, change, sparkline, source and problem. */

import { isNumeric } from "./catalogue.js";
import { asShown, formatDuration, formatNumber, formatValue, unitOf } from "./format.js";
import { SIMULATED, explainProblem } from "./snapshot.js";
import { extent, sparkPath } from "./sparkline.js";
import { setText } from "./text.js";
import { changeOf, heldSince, linesOf } from "./timeline.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./snapshot.js").Snapshot} Snapshot */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./row.js").Row} Row */

class Card {
  /** @param {HTMLElement} element  @param {Metric} metric */
  constructor(element, metric) {
    this.element = element;
    this.metric = metric;
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.value = part(".value");
    this.tag = part(".tag");
    this.change = part(".change");
    this.age = part(".age");
    this.why = part(".why");
    this.problem = part(".problem");
    this.tip = part(".tip");
    this.real = element.querySelector(".spark .real");
    this.simulated = element.querySelector(".spark .simulated");
    part(".unit").textContent = unitOf(metric);
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
    const source = snapshot.sources?.[metric.group] ?? "";
    setText(this.value, formatValue(metric, value));
    if (metric.isSigned) setDirection(this.value, value, metric.decimals);
    this.element.classList.toggle("is-simulated", source === SIMULATED);
    this.element.classList.toggle("is-stale", problem === "stale");
    this.tag.classList.toggle("simulated", source === SIMULATED);
    setText(this.tag, source === SIMULATED ? "SIMULATED" : source);
    this.why.hidden = !problem;
    const isFallback = problem !== "" && problem !== "stale" && value !== null;
    setText(this.problem, isFallback ? `fallback: ${problem}` : problem);
    setText(this.tip, problem ? explainProblem(problem) + (isFallback ? " Shown: the fallback that staff chose." : "") : "");
    const observed = snapshot.observed?.[metric.group];
    setText(this.age, problem === "stale" && observed ? `${formatDuration(now - observed)} old` : "");
  }

  /** @param {Row[]} rows  @param {Timeline} timeline  @param {{from: number, to: number}} window  @param {string} range */
  showPast(rows, timeline, window, range) {
    const { metric } = this;
    if (!isNumeric(metric)) {
      const held = heldSince(rows, metric);
      const duration = held && formatDuration(window.to - held.since);
      setText(this.change, held ? `for ${held.isAtLeast ? "at least " : ""}${duration}` : "");
      return;
    }
    const found = changeOf(rows, metric, window.from);
    const change = found && { ...found, change: asShown(metric, found.change) };
    // The change of a part of the range says so: after a switch of source, or while history is young.
    const isPart = change && change.since - window.from > Math.max((window.to - window.from) * 0.05, 5);
    const over = change && (isPart ? formatDuration(window.to - change.since) : range);
    setText(this.change, change ? `${arrow(change.change, metric.decimals)} ${formatNumber(change.change, metric.decimals, true)} in ${over}` : "");
    if (metric.isSigned) setDirection(this.change, change?.change ?? null, metric.decimals);
    if (!this.real || !this.simulated) return;
    const lines = linesOf(timeline, metric);
    const bounds = extent([lines.real, lines.simulated]);
    const frame = bounds && { ...window, ...bounds };
    this.real.setAttribute("d", frame ? sparkPath(timeline.times, lines.real, frame) : "");
    this.simulated.setAttribute("d", frame ? sparkPath(timeline.times, lines.simulated, frame) : "");
  }
}

/** @param {number} change  @param {number} decimals as shown */
function directionOf(change, decimals) {
  return Math.sign(Number(change.toFixed(decimals)));
}

/** @param {number} change  @param {number} decimals */
function arrow(change, decimals) {
  return ["▼", "■", "▲"][directionOf(change, decimals) + 1];
}

/** @param {HTMLElement} element  @param {number|null} value  @param {number} decimals */
function setDirection(element, value, decimals) {
  const direction = value === null ? 0 : directionOf(value, decimals);
  element.classList.toggle("up", direction > 0);
  element.classList.toggle("down", direction < 0);
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

  /** @param {Row[]} rows  @param {Timeline} timeline  @param {{from: number, to: number}} window  @param {string} range */
  showPast(rows, timeline, window, range) {
    for (const card of this.cards) card.showPast(rows, timeline, window, range);
  }
}
