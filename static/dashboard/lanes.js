/** A text's past: a lane for each of its values, with when it held and for what share of the time that is known. */

import { isInvented } from "./row.js";
import { originOf } from "./statistics.js";
import { setText } from "./text.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {import("./row.js").Row} Row */
/**
 * @typedef {object} Lane
 * @property {string} text
 * @property {number} share  Of the time that is known from the present source, as all figures of a card.
 * @property {boolean} isNow
 * @property {string} real  @property {string} simulated  Paths in a box of 1000 × 10.
 */

/** More values than these are not told apart at a glance. */
const MOST_LANES = 4;
const WIDTH = 1000;
/** Colours of page.css: of the first declared text, the last one, those between, and any other. */
const [FIRST, LAST, BETWEEN, OTHER] = ["--lane-1", "--lane-3", "--lane-2", "--lane-4"];

/**
 * How a text looks, always the same: declared ones stand from the top to the bottom, in their order.
 * @param {string} text  @param {string[]} declared  @returns {{tone: string, height: number}} `height`: 0 at the bottom to 1
 */
export function lookOf(text, declared) {
  const place = declared.indexOf(text);
  if (place < 0) return { tone: OTHER, height: 0.5 };
  const last = declared.length - 1;
  return { tone: place === 0 ? FIRST : place === last ? LAST : BETWEEN, height: last ? 1 - place / last : 1 };
}

/**
 * @param {Row[]} rows oldest first  @param {Metric} metric  @param {{from: number, to: number}} window
 * @param {number} longest seconds that one row may hold for: what is longer is a gap
 * @returns {Lane[]} those that the catalogue names first, the others as they occurred
 */
export function lanesOf(rows, metric, { from, to }, longest) {
  /** @type {Map<string, {length: number, real: string, simulated: string}>} */
  const found = new Map();
  const newest = rows.at(-1);
  const present = newest && originOf(newest, metric);
  let known = 0;
  rows.forEach((row, index) => {
    const text = row.values[metric.key]?.last;
    const next = rows[index + 1];
    const start = Math.max(row.time, from);
    const end = Math.min(next && !next.clockStep ? next.time : to, row.time + longest, to);
    if (typeof text !== "string" || end <= start) return;
    const lane = found.get(text) ?? { length: 0, real: "", simulated: "" };
    const x = (((start - from) / (to - from)) * WIDTH).toFixed(1);
    const path = `M${x} 5H${(((end - from) / (to - from)) * WIDTH).toFixed(1)}`;
    if (isInvented(row.sources[metric.group])) lane.simulated += path;
    else lane.real += path;
    if (originOf(row, metric) === present) {
      lane.length += end - start;
      known += end - start;
    }
    found.set(text, lane);
  });
  const now = newest?.values[metric.key]?.last;
  const texts = [...metric.texts.filter((text) => found.has(text)), ...[...found.keys()].filter((text) => !metric.texts.includes(text))];
  return texts.slice(0, MOST_LANES).map((text) => {
    const { length = 0, real = "", simulated = "" } = found.get(text) ?? {};
    return { text, share: known ? length / known : 0, isNow: text === now, real, simulated };
  });
}

/** @param {string} name  @param {string} className  @returns {SVGElement} */
function drawn(name, className) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  element.setAttribute("class", className);
  return element;
}

/** The lanes in a card. */
export class Lanes {
  /** @type {{item: HTMLElement, name: HTMLElement, share: HTMLElement, real: Element, simulated: Element}[]} */ #items = [];

  /** @param {Element} list  @param {Metric} metric */
  constructor(list, metric) {
    this.list = list;
    this.metric = metric;
  }

  /** @param {Row[]} rows  @param {{from: number, to: number}} window  @param {number} longest  @param {boolean} isNow the newest row is of now */
  show(rows, window, longest, isNow) {
    const lanes = lanesOf(rows, this.metric, window, longest);
    while (this.#items.length < lanes.length) this.#items.push(this.#makeItem());
    this.#items.forEach(({ item, name, share, real, simulated }, index) => {
      const lane = lanes[index];
      item.hidden = !lane;
      if (!lane) return;
      item.dataset.tone = lookOf(lane.text, this.metric.texts).tone;
      item.classList.toggle("is-now", isNow && lane.isNow);
      setText(name, lane.text);
      setText(share, lane.share ? `${Math.round(lane.share * 100)} %` : lane.real ? "real" : "simulated");
      real.setAttribute("d", lane.real);
      simulated.setAttribute("d", lane.simulated);
    });
  }

  #makeItem() {
    const item = document.createElement("li");
    const [name, share] = ["name", "share"].map((className) => {
      const part = document.createElement("span");
      part.className = className;
      return part;
    });
    const picture = drawn("svg", "lane");
    picture.setAttribute("viewBox", `0 0 ${WIDTH} 10`);
    picture.setAttribute("preserveAspectRatio", "none");
    picture.setAttribute("aria-hidden", "true");
    const [real, simulated] = [drawn("path", "real"), drawn("path", "simulated")];
    picture.append(real, simulated);
    item.append(name, " ", share, picture);
    this.list.append(item);
    return { item, name, share, real, simulated };
  }
}
