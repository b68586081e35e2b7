/** The kinds of source, in words. */

import { SIMULATED } from "./snapshot.js";

/** @param {string} kind  @returns {string} */
function nameOf(kind) {
  return kind === SIMULATED ? "simulated" : kind;
}

/** A text for a row's source: `redis`, or `redis and simulated` for a bucket with both. @param {string[]|undefined} kinds */
export function sourceName(kinds) {
  if (!kinds?.length) return "unknown";
  if (kinds.length === 1) return nameOf(kinds[0]);
  return kinds.map(nameOf).sort().join(" and ");
}
