/**
 * What the page may claim about its numbers: a pure function of the evidence.
 *
 * Ages are those of freshness.js, which says what proves them. Where the age of the last values is not known, the page
 * waits for a snapshot that shows it, and after five intervals takes silence for what it is.
 */

import { formatDuration } from "./format.js";

/** @typedef {import("./connection.js").Status} Status */

/**
 * @typedef {object} Evidence
 * @property {number|null} age  Seconds since the newest snapshot was published; null: not known, or there is none.
 * @property {number} waited  Seconds since the page, or the newest snapshot, was here.
 * @property {number} interval  Seconds between two snapshots.
 * @property {Status} connection
 * @property {boolean} isOnline  What the browser says of its network.
 * @property {boolean} isWaking  The tab was frozen until a moment ago: what it missed is on its way.
 * @property {string[]} staleGroups  Names of the groups whose producer fell silent.
 * @property {number} absent  How many metrics have no value.
 * @property {number|null} retryIn  Seconds until the next attempt.
 * @property {string} lastTime  The newest snapshot's time, as shown; empty: there is none.
 * @property {string} clockNote  That the publisher's clock was set; empty: it was not, of late.
 */

/**
 * @typedef {object} State
 * @property {"live"|"delayed"|"stale"|"reconnecting"|"offline"|"refused"|"connecting"} name
 * @property {string} shape  One character: the state without colour.
 * @property {string} label
 * @property {string} advice  What to know or do; changes only with the state, so it may be read out.
 * @property {string} detail  Ages and countdowns; changes every second.
 */

/** Below this many seconds nothing counts as late: browsers' timers and networks jitter. */
const SHORTEST_PATIENCE = 1;
const POLLING_ADVICE =
  "Polling: WebSockets do not get through. A proxy may need Upgrade headers, or this page's origin is not allowed.";

/** @param {Evidence} evidence  @returns {State} */
export function computeState(evidence) {
  const { connection, age } = evidence;
  if (connection.phase === "refused") {
    const label = connection.reason === "sign in again" ? "SIGNED OUT" : "NOT ALLOWED";
    return state("refused", "✕", label, `The server says: ${connection.reason}. These are the last values.`, "");
  }
  const isPolling = connection.mode === "polling";
  const isDown = connection.phase === "waiting" || (connection.phase === "connecting" && !connection.isChecking);
  if (isDown && !isPolling) return stateWithoutConnection(evidence);
  if (age === null) return stateOfUnknownAge(evidence);
  return stateByAge(evidence, age, isPolling ? POLLING_ADVICE : "");
}

/** @param {Evidence} evidence  @returns {State} */
function stateOfUnknownAge({ interval, waited, lastTime }) {
  if (!lastTime) return state("connecting", "↻", "CONNECTING", "Waiting for the first snapshot.", "");
  if (waited > 5 * patienceFor(interval)) return state("stale", "■", "STALE", "No new snapshot arrives.", `last ${lastTime}`);
  return state("connecting", "↻", "CONNECTING", `These values are of ${lastTime}. Waiting for new ones.`, "");
}

/** @param {Evidence} evidence  @returns {State} */
function stateWithoutConnection({ isOnline, connection, retryIn, lastTime }) {
  const since = lastTime && `last ${lastTime}`;
  if (!isOnline) return state("offline", "✕", "OFFLINE", "Your browser has no network. Check it; this page returns by itself.", since);
  if (connection.phase === "connecting" && connection.reason === "") {
    return state("connecting", "↻", "CONNECTING", lastTime === "" ? "Waiting for the first snapshot." : "", "");
  }
  const countdown = retryIn === null ? "trying now" : `next in ${Math.max(Math.ceil(retryIn), 0)} s`;
  const attempt = `attempt ${Math.max(connection.attempt, 1)}, ${countdown}`;
  return state("reconnecting", "↻", "RECONNECTING", lastTime === "" ? "" : "These are the last values.", attempt);
}

/** @param {Evidence} evidence  @param {number} age  @param {string} advice  @returns {State} */
function stateByAge({ interval, isWaking, staleGroups, absent, lastTime, clockNote }, age, advice) {
  const patience = patienceFor(interval);
  const updated = `updated ${formatDuration(age)} ago`;
  if (isWaking && age >= 2 * patience) {
    return state("reconnecting", "↻", "RECONNECTING", "This tab was asleep: catching up.", "");
  }
  if (age > 5 * patience) {
    return state("stale", "■", "STALE", advice || "No new snapshot arrives.", `last ${lastTime}, ${formatDuration(age)} ago`);
  }
  if (age >= 2 * patience) return state("delayed", "◐", "DELAYED", advice, updated);
  if (staleGroups.length) {
    const silent = `Silent producer: ${staleGroups.join(", ")}.`;
    return state("delayed", "◐", "DELAYED", advice || silent, "last values kept");
  }
  const absence = absent ? `${absent} ${absent === 1 ? "value is" : "values are"} missing: see the cards.` : "";
  const notes = [clockNote, absence].filter(Boolean).join(" ");
  return state("live", "●", "LIVE", advice || notes, advice ? "polling" : "");
}

/** @param {number} interval  @returns {number} seconds that count as one interval */
function patienceFor(interval) {
  return Math.max(interval, SHORTEST_PATIENCE / 2);
}

/**
 * @param {State["name"]} name  @param {string} shape  @param {string} label  @param {string} advice
 * @param {string} detail  @returns {State}
 */
function state(name, shape, label, advice, detail) {
  return { name, shape, label, advice, detail };
}
