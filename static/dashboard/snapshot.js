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

/** The source that reads the machine which publishes. */
const HOST = "host";

/**
 * @typedef {object} Faults What the newest values lack.
 * @property {number} total  Metrics there are.
 * @property {number} absent  Metrics without a value.
 * @property {number} fallbacks  Metrics that show what staff chose to show instead of one.
 * @property {number} unknown  Metrics that this host cannot know (its containers, from inside one): no failure.
 * @property {string[]} kinds  The problems behind them.
 */

/** @param {Snapshot|null} snapshot  @param {{key: string, group: string}[]} metrics  @returns {Faults} */
export function findFaults(snapshot, metrics) {
  /** @type {Faults} */
  const faults = { total: metrics.length, absent: 0, fallbacks: 0, unknown: 0, kinds: [] };
  for (const { key, group } of snapshot ? metrics : []) {
    const problem = snapshot?.problems?.[key] ?? "";
    const isAbsent = (snapshot?.[key] ?? null) === null;
    if (!isAbsent && (!problem || problem === "stale")) continue;
    if (!isAbsent) faults.fallbacks += 1;
    else if (problem === "missing" && snapshot?.sources?.[group] === HOST) faults.unknown += 1;
    else faults.absent += 1;
    if (problem && !faults.kinds.includes(problem)) faults.kinds.push(problem);
  }
  return faults;
}

/** @typedef {""|"simulated"|"stale"|"fallback"|"missing"} Kind What a value is; empty: real, and of its snapshot's time. */

/** @param {Snapshot} snapshot  @param {{key: string, group: string}} metric  @returns {Kind} */
export function kindOf(snapshot, { key, group }) {
  const problem = snapshot.problems?.[key] ?? "";
  if ((snapshot[key] ?? null) === null) return "missing";
  if (snapshot.sources?.[group] === SIMULATED) return "simulated";
  if (problem === "stale") return "stale";
  return problem ? "fallback" : "";
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
