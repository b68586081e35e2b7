/** What a snapshot looks like on the wire, for the type checker; and the questions that a page asks it. */

/**
 * @typedef {Record<string, any> & {
 *   timestamp: number, id: number, previous: number|null, interval: number,
 *   sources: Record<string, string>, problems: Record<string, string>, observed: Record<string, number>,
 *   missed?: {after: number, before: number},
 * }} Snapshot `id` orders and resumes; `timestamp` is the publisher's clock; `missed`: what came between cannot be had.
 */

/** The source whose values are invented. */
export const SIMULATED = "mock";

/** @type {Record<string, string>} What a problem means, for people. */
const REASONS = {
  missing: "The source has no such value: its key is not there.",
  invalid: "The source's value is not a number that this metric can have, so it is not shown.",
  unreachable: "The source did not answer in time.",
  incomparable: "This link tells how the amount has changed, and has nothing to compare it with: when the link was made none was known, or one of the two is simulated.",
  stale: "The producer's heartbeat is too old: this is the last value that it wrote.",
};

/** @param {string} problem  @returns {string} one sentence */
export function explainProblem(problem) {
  return REASONS[problem] ?? `The source reports: ${problem}.`;
}

/**
 * @param {Snapshot} snapshot
 * @returns {string[]} the groups whose values are invented
 */
export function simulatedGroups(snapshot) {
  return Object.keys(snapshot.sources ?? {}).filter((group) => snapshot.sources[group] === SIMULATED);
}

/**
 * @param {Snapshot} snapshot
 * @param {{key: string, group: string}[]} metrics
 * @returns {string[]} the groups whose producer fell silent
 */
export function staleGroups(snapshot, metrics) {
  return [...new Set(metrics.filter(({ key }) => snapshot.problems?.[key] === "stale").map(({ group }) => group))];
}
