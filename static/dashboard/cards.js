/** The cards' present: one metric's value, and what it is (real, simulated, old, missing). Their past: cards_past.js. */

import { setDirection } from "./direction.js";
import { formatDuration, formatValue, unitOf } from "./format.js";
import { levelOf } from "./level.js";
import { SIMULATED, explainProblem, kindOf } from "./snapshot.js";
import { setText } from "./text.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./snapshot.js").Snapshot} Snapshot */

/** Characters that fit into the narrowest card, and into the large one, at the usual size of type. */
const [LONG, LONG_BESIDE_FIGURES] = [4, 9];

export class Card {
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
    this.isLarge = element.classList.contains("hero");
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
    this.#showLevel(kind === "" || kind === "simulated" ? value : null);
  }

  /** @param {string} text */
  #showValue(text) {
    const { length } = text;
    if (length !== this.value.textContent?.length) {
      this.element.classList.toggle("is-long", length > (this.isLarge ? LONG_BESIDE_FIGURES : LONG));
      this.value.dataset.length = String(length);
    }
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
}
