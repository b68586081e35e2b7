/** Whether a value has come so far that it is worth a look, by what the catalogue declares. */

import { formatValue, unitOf } from "./format.js";

/** @typedef {import("./catalogue.js").Metric} Metric */
/** @typedef {{name: "warn"|"critical", shape: string, text: string}} Level `text`: one sentence. */

/** @param {Metric} metric  @param {number|string|null} value as sent  @returns {Level|null} null: nothing to say */
export function levelOf(metric, value) {
  if (typeof value !== "number") return null;
  /** @param {number|null} line */
  const isBeyond = (line) => line !== null && (metric.worse === "above" ? value >= line : value <= line);
  /** @param {number|null} line */
  const explain = (line) => `${metric.worse === "above" ? "At or above" : "At or below"} ${formatValue(metric, line)} ${unitOf(metric)}`.trimEnd();
  if (isBeyond(metric.critical)) return { name: "critical", shape: "▲", text: `Critical: ${explain(metric.critical).toLowerCase()}.` };
  if (isBeyond(metric.warn)) return { name: "warn", shape: "△", text: `Warning: ${explain(metric.warn).toLowerCase()}.` };
  return null;
}
