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
 * @property {boolean} isShared  The page is what a share link shows.
 * @property {boolean} isOnline  What the browser says of its network.
 * @property {boolean} isWaking  The tab was frozen until a moment ago: what it missed is on its way.
 * @property {string[]} staleGroups  Names of the groups whose producer fell silent.
 * @property {import("./snapshot.js").Faults} faults  What the values themselves lack.
 * @property {import("./health.js").Health|null} health  What the server says of itself; null: not asked, or all is well.
 * @property {number} polledFor  Seconds for which polling has worked where sockets did not; 0: they do.
 * @property {number|null} retryIn  Seconds until the next attempt.
 * @property {string} lastTime  The newest snapshot's time, as shown; empty: there is none.
 * @property {string} note  What else to know: that the publisher's clock was set, that history cannot be had.
 * @property {{time: string, newer: number}|null} paused  Since when the numbers are held still, and how many came since.
 */

/**
 * @typedef {object} State
 * @property {"live"|"degraded"|"delayed"|"stale"|"reconnecting"|"offline"|"refused"|"connecting"|"paused"} name
 * @property {string} shape  One character: the state without colour.
 * @property {string} label
 * @property {string} advice  What to know or do; changes only with the state, so it may be read out.
 * @property {string} detail  Ages and countdowns; changes every second.
 * @property {string[]} reasons  What the server says is wrong, a sentence each.
 * @property {boolean} isTrouble  Snapshots come and something is wrong all the same: the server may know what.
 * @property {boolean} canRetry  Trying at once may help.
 */

/** Below this many seconds nothing counts as late: browsers' timers and networks jitter. */
const SHORTEST_PATIENCE = 1;
/** Polling for so many seconds is no restart any more. */
const BLOCKED_AFTER = 20;
const BLOCKED_ADVICE =
  "Polling: WebSockets do not get through. A proxy may need Upgrade headers, or this page's origin is not allowed.";

/** @param {Evidence} evidence  @returns {State} */
export function computeState(evidence) {
  const state = stateOfStream(evidence);
  const { paused } = evidence;
  if (!paused) return state;
  const behind = state.name === "live" ? state.advice : `Behind it: ${state.label}. ${state.advice}`.trim();
  return { ...state, name: "paused", shape: "❚❚", label: "PAUSED", advice: behind, detail: `at ${paused.time}, ${paused.newer} newer` };
}

/** @param {Evidence} evidence  @returns {State} */
function stateOfStream(evidence) {
  const { connection, age } = evidence;
  if (connection.phase === "refused" && evidence.isShared) {
    return state("refused", "✕", "LINK ENDED", "This link was revoked or has expired: ask whoever gave it to you for a new one.", "");
  }
  if (connection.phase === "refused") {
    const label = connection.reason === "sign in again" ? "SIGNED OUT" : "NOT ALLOWED";
    return state("refused", "✕", label, `The server says: ${connection.reason}. These are the last values.`, "");
  }
  const isPolling = connection.mode === "polling";
  const isDown = connection.phase === "waiting" || (connection.phase === "connecting" && !connection.isChecking);
  if (isDown && !isPolling) return stateWithoutConnection(evidence);
  if (age === null) return stateOfUnknownAge(evidence);
  return { ...stateByAge(evidence, age), reasons: evidence.health?.reasons ?? [] };
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

/** @param {Evidence} evidence  @param {number} age  @returns {State} */
function stateByAge(evidence, age) {
  const { interval, isWaking, staleGroups, faults, health, polledFor, lastTime, note } = evidence;
  const patience = patienceFor(interval);
  const isPolling = evidence.connection.mode === "polling";
  const blocked = polledFor >= BLOCKED_AFTER ? BLOCKED_ADVICE : "";
  if (isWaking && age >= 2 * patience) {
    return state("reconnecting", "↻", "RECONNECTING", "This tab was asleep: catching up.", "");
  }
  if (age > 5 * patience) {
    return state("stale", "■", "STALE", blocked || "No new snapshot arrives.", `last ${lastTime}, ${formatDuration(age)} ago`);
  }
  if (age >= 2 * patience) return state("delayed", "◐", "DELAYED", blocked, `updated ${formatDuration(age)} ago`);
  const silent = staleGroups.length ? `Silent producer: ${staleGroups.join(", ")}.` : "";
  const lacking = describeFaults(faults);
  const notes = [blocked, note, lacking, silent].filter(Boolean).join(" ");
  const detail = isPolling ? "polling" : "";
  if (faults.absent || faults.fallbacks) return state("degraded", "◆", "DEGRADED", notes, detail);
  if (silent) return state("delayed", "◐", "DELAYED", notes, "last values kept");
  if (health && health.status !== "ok") return state("live", "●", "LIVE, DEGRADED", `${notes} The server is not well.`.trim(), detail);
  const label = faults.unknown ? `LIVE, ${faults.unknown} MISSING` : "LIVE";
  return state("live", "●", label, notes, detail);
}

/** @param {import("./snapshot.js").Faults} faults  @returns {string} a sentence; empty where nothing lacks */
function describeFaults({ absent, fallbacks, unknown, total, kinds }) {
  const missing = absent + unknown;
  const reasons = kinds.length ? ` (${kinds.join(", ")})` : "";
  const parts = [
    missing ? `${missing} of ${total} ${missing === 1 ? "value is" : "values are"} missing${reasons}` : "",
    fallbacks ? `${fallbacks} ${fallbacks === 1 ? "is a fallback" : "are fallbacks"}${missing ? "" : reasons}` : "",
  ].filter(Boolean);
  return parts.length ? `${parts.join(", ")}.` : "";
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
  return { name, shape, label, advice, detail, reasons: [], isTrouble: ["degraded", "delayed", "stale"].includes(name), canRetry: name === "reconnecting" || name === "offline" };
}
