import assert from "node:assert/strict";
import { test } from "node:test";

import { computeState } from "../../static/dashboard/state.js";

const NO_FAULTS = { total: 12, absent: 0, fallbacks: 0, unknown: 0, kinds: [] };

/** @param {Partial<import("../../static/dashboard/state.js").Evidence>} change  @param {object} [connection] */
function stateOf(change, connection = {}) {
  return computeState({
    age: 1,
    interval: 3,
    connection: { phase: "open", mode: "socket", attempt: 0, retryAt: null, isChecking: false, pollingSince: null, reason: "", ...connection },
    isShared: false,
    isOnline: true,
    isWaking: false,
    staleGroups: [],
    faults: NO_FAULTS,
    health: null,
    polledFor: 0,
    paused: null,
    retryIn: null,
    lastTime: "14:00:00",
    note: "",
    waited: 1,
    ...change,
  });
}

for (const [age, name] of /** @type {const} */ ([[0, "live"], [5.9, "live"], [6, "delayed"], [15, "delayed"], [15.1, "stale"], [9000, "stale"]])) {
  test(`${age} s after the last of snapshots every 3 s: ${name}`, () => assert.equal(stateOf({ age }).name, name));
}

test("an open socket alone is no evidence", () => assert.equal(stateOf({ age: null, lastTime: "" }).name, "connecting"));

test("values from history are not called live, and after five intervals of silence stale", () => {
  assert.equal(stateOf({ age: null, waited: 15 }).name, "connecting");
  assert.match(stateOf({ age: null, waited: 15 }).advice, /of 14:00:00/);
  assert.equal(stateOf({ age: null, waited: 15.1 }).name, "stale");
  assert.equal(stateOf({ age: null, waited: 9000, lastTime: "" }).name, "connecting");
});

test("values from history stay the last values where the connection breaks", () => {
  assert.match(stateOf({ age: null }, { phase: "waiting", attempt: 1, reason: "no connection" }).advice, /last values/);
});

test("a publisher's clock that was set is said, and is no reason not to be live", () => {
  const state = stateOf({ note: "The publisher's clock was set back by 1 h." });
  assert.equal(state.name, "live");
  assert.match(state.advice, /set back by 1 h/);
});

test("a delay says how long ago, staleness says when", () => {
  assert.match(stateOf({ age: 9 }).detail, /updated 9 s ago/);
  assert.match(stateOf({ age: 60 }).detail, /14:00:00/);
});

test("live needs fresh values, too", () => {
  const state = stateOf({ staleGroups: ["AI"] });
  assert.equal(state.name, "delayed");
  assert.match(state.advice, /AI/);
});

test("what lacks a value, or shows a fallback, is degraded, with how many and why", () => {
  const state = stateOf({ faults: { ...NO_FAULTS, absent: 9, kinds: ["unreachable"] } });
  assert.deepEqual([state.name, state.shape, state.label], ["degraded", "◆", "DEGRADED"]);
  assert.equal(state.advice, "9 of 12 values are missing (unreachable).");
  const fallbacks = stateOf({ faults: { ...NO_FAULTS, fallbacks: 1, kinds: ["missing"] }, staleGroups: ["AI"] });
  assert.equal(fallbacks.name, "degraded");
  assert.equal(fallbacks.advice, "1 is a fallback (missing). Silent producer: AI.");
});

test("what this host cannot know is no failure, and not plain live either", () => {
  const state = stateOf({ faults: { ...NO_FAULTS, unknown: 1, kinds: ["missing"] } });
  assert.deepEqual([state.name, state.label], ["live", "LIVE, 1 MISSING"]);
});

test("the server's reasons are told, and a server that is not well is not plain live", () => {
  const health = { status: /** @type {const} */ ("degraded"), reasons: ["History: 40 snapshots wait for the database."] };
  const state = stateOf({ health });
  assert.equal(state.label, "LIVE, DEGRADED");
  assert.deepEqual(state.reasons, health.reasons);
  assert.deepEqual(stateOf({ age: 60, health }).reasons, health.reasons);
  assert.deepEqual(stateOf({ health }, { phase: "waiting", reason: "no connection" }).reasons, []);
});

test("paused is not called live, and tells what goes on behind it", () => {
  const paused = { time: "14:00:00", newer: 3 };
  const state = stateOf({ paused });
  assert.deepEqual([state.name, state.label, state.detail], ["paused", "PAUSED", "at 14:00:00, 3 newer"]);
  assert.match(stateOf({ paused, age: 60 }).advice, /Behind it: STALE/);
  assert.equal(stateOf({ paused }, { phase: "waiting", reason: "no connection" }).canRetry, true);
});

test("a broken socket: attempt and countdown", () => {
  const state = stateOf({ retryIn: 6.2 }, { phase: "waiting", attempt: 3, reason: "no connection" });
  assert.equal(stateOf({}, { phase: "connecting", attempt: 4, reason: "no connection" }).name, "reconnecting");
  assert.equal(stateOf({}, { phase: "connecting", attempt: 1 }).name, "connecting");
  assert.equal(state.name, "reconnecting");
  assert.equal(state.detail, "attempt 3, next in 7 s");
});

test("a silent socket being replaced is judged by age, not called broken", () => {
  assert.equal(stateOf({ age: 12 }, { phase: "connecting", isChecking: true }).name, "delayed");
});

test("a browser without network is told so, unless snapshots arrive all the same", () => {
  assert.equal(stateOf({ isOnline: false }, { phase: "waiting" }).name, "offline");
  assert.equal(stateOf({ isOnline: false }).name, "live");
});

test("a refusal wins over everything", () => assert.equal(stateOf({ age: 0 }, { phase: "refused", reason: "sign in again" }).name, "refused"));

test("polling is live, and says so; that a proxy is to blame only after a while", () => {
  const state = stateOf({ polledFor: 5 }, { mode: "polling", phase: "waiting" });
  assert.deepEqual([state.name, state.detail, state.advice], ["live", "polling", ""]);
  assert.match(stateOf({ polledFor: 20 }, { mode: "polling", phase: "waiting" }).advice, /Polling.*roxy/);
});

test("time in a frozen tab is not staleness", () => {
  assert.equal(stateOf({ age: 3600, isWaking: true }).name, "reconnecting");
  assert.equal(stateOf({ age: 3600, isWaking: false }).name, "stale");
});

test("what is read out does not change each second", () => {
  for (const age of [1, 8, 60]) assert.equal(stateOf({ age }).advice, stateOf({ age: age + 1 }).advice);
});

test("a share link that ends is told so, and not to sign in", () => {
  const state = stateOf({ isShared: true }, { phase: "refused", reason: "sign in again" });
  assert.deepEqual([state.name, state.label], ["refused", "LINK ENDED"]);
  assert.match(state.advice, /ask whoever gave it to you/);
});
