/** What is marked in a chart at a time: switches of source with who did it, staff's notes, clocks that were set. */

import { describeStep } from "./format.js";
import { sourceName } from "./sources.js";

/** @typedef {import("./timeline.js").Timeline} Timeline */
/**
 * @typedef {object} PastEvent As `/stream/events` answers it.
 * @property {number} time  Unix seconds.
 * @property {string} kind  `switch` or `note`.
 * @property {string|null} group  null: it concerns all.
 * @property {string|null} by
 * @property {string} text  Of a switch: `mock -> redis`.
 */
/** @typedef {{time: number, kind: "switch"|"note"|"clock", label: string, detail: string}} Marker  `label` beside it, `detail` where it is pointed at. */

/** A switch is seen in the rows so many of their lengths after it was decided, at most. */
const SEEN_WITHIN = 2.5;

/** Events of `/stream/history`, from servers that have no `/stream/events`. @param {any[]} events  @returns {PastEvent[]} */
export function eventsOfHistory(events) {
  return events.map(({ time, group, from, to, by }) => ({ time, kind: "switch", group, by, text: `${from} -> ${to}` }));
}

/** @param {PastEvent} event  @returns {Marker} */
function markerOf({ time, kind, by, text }) {
  const who = by ? `, by ${by}` : "";
  if (kind === "note") return { time, kind, label: text, detail: `“${text}”${who}` };
  const [from, to] = text.split(/\s*(?:->|→)\s*/).map((kinds) => sourceName([kinds]));
  if (to === undefined) return { time, kind: "switch", label: text, detail: `${text}${who}` };
  return { time, kind: "switch", label: to, detail: `${from} → ${to}${who}` };
}

/**
 * @param {Timeline} timeline  @param {PastEvent[]} events  @param {string} group of the metric
 * @param {number} length seconds of a row
 * @returns {Marker[]} by time; a switch that somebody made is told once, by the event
 */
export function markersOf(timeline, events, group, length) {
  const own = events.filter((event) => event.group === null || event.group === group);
  const switches = own.filter(({ kind }) => kind !== "note");
  const seen = (timeline.switches[group] ?? []).filter(
    ({ time }) => !switches.some((event) => time >= event.time - length && time <= event.time + SEEN_WITHIN * length),
  );
  return [
    ...own.map(markerOf),
    ...seen.map(({ time, from, to }) => /** @type {Marker} */ ({ time, kind: "switch", label: to, detail: `${from} → ${to}` })),
    ...timeline.steps.map(({ time, seconds }) => {
      const text = `clock ${describeStep(seconds)}`;
      return /** @type {Marker} */ ({ time, kind: "clock", label: text, detail: text });
    }),
  ].sort((a, b) => a.time - b.time);
}
