import assert from "node:assert/strict";
import { test } from "node:test";

import { RowStore } from "../../static/dashboard/rows.js";
import { sparkPath } from "../../static/dashboard/sparkline.js";
import { changeOf, heldSince, linesOf, makeTimeline } from "../../static/dashboard/timeline.js";
import { snapshot } from "./browser.js";
import { PNL, REGIME } from "./metrics.js";

const GROUPS = ["system", "ai", "portfolio"];

/** @param {any[]} snapshots  @param {number|null} [step] */
function storeOf(snapshots, step = null) {
  const store = new RowStore(["cpu", "pnl", "regime"], 3600);
  store.step = step;
  for (const each of snapshots) store.append(each);
  return store;
}

/** @param {number} time  @param {number} count  @param {number} value */
function bucket(time, count, value) {
  const summary = { min: value, mean: value, max: value, last: value };
  return { time, count, sources: { system: ["host"], ai: ["redis"], portfolio: ["redis"] }, cpu: summary, pnl: summary, regime: { last: "bull" } };
}

/** @param {RowStore} store */
function timelineOf(store) {
  return makeTimeline(store.rows, store.step, GROUPS);
}

test("snapshots of one bucket become one row with their mean, lowest, highest and last", () => {
  const store = storeOf([snapshot(90, { pnl: 1 }), snapshot(93, { pnl: 5 }), snapshot(96, { pnl: 3 }), snapshot(99, { pnl: 7 })], 9);
  assert.deepEqual(store.rows.map(({ time, count }) => [time, count]), [[90, 3], [99, 1]]);
  assert.deepEqual(store.rows[0].values.pnl, { min: 1, mean: 3, max: 5, last: 3, count: 3 });
});

test("no value counts for nothing in a bucket's mean", () => {
  for (const values of [[10, null, 20], [null, 10, 20]]) {
    const store = storeOf(values.map((pnl, index) => snapshot(90 + 3 * index, { pnl })), 9);
    assert.deepEqual(store.rows[0].values.pnl, { min: 10, mean: 15, max: 20, last: 20, count: 2 });
    assert.equal(store.rows[0].count, 3);
  }
});

test("a bucket's last value is the one in its last snapshot, null where it was", () => {
  const last = { pnl: null, regime: null };
  const store = storeOf([snapshot(90, { pnl: 10, regime: "bull" }), snapshot(93, { pnl: 20, regime: "bull" }), snapshot(96, last)], 9);
  assert.deepEqual(store.rows[0].values.pnl, { min: 10, mean: 15, max: 20, last: null, count: 2 });
  assert.equal(store.rows[0].values.regime, null);
  assert.equal(changeOf(store.rows, PNL, 0), null);
  assert.equal(heldSince(store.rows, REGIME), null);
});

test("a real 0 is 0 and null stays null", () => {
  const store = storeOf([snapshot(90, { pnl: 0 }), snapshot(93, { pnl: null })]);
  assert.deepEqual(linesOf(timelineOf(store), PNL).real, [0, null]);
});

test("a gap breaks the lines and is shaded", () => {
  const timeline = timelineOf(storeOf([snapshot(90), snapshot(93), snapshot(120), snapshot(123)]));
  assert.deepEqual(timeline.gaps, [{ from: 93, to: 120 }]);
  assert.deepEqual(linesOf(timeline, PNL).real, [2, 2, null, 2, 2]);
});

test("time in which nothing was published is a gap, although no snapshot is missing", () => {
  const timeline = timelineOf(storeOf([snapshot(90), snapshot(93), snapshot(120, { previous: 93 })]));
  assert.deepEqual(timeline.gaps, [{ from: 93, to: 120 }]);
});

test("an empty bucket is a gap", () => {
  const store = storeOf([], 9);
  store.replace({ step: 9, rows: [bucket(90, 3, 1), bucket(99, 3, 1), bucket(126, 3, 1)] });
  assert.deepEqual(timelineOf(store).gaps, [{ from: 108, to: 126 }]);
});

test("simulated is never joined to real, nor one source to another", () => {
  const mock = { system: "host", ai: "redis", portfolio: "mock" };
  const store = storeOf([snapshot(90), snapshot(93, { sources: mock }), snapshot(96, { sources: mock }), snapshot(99)]);
  const timeline = timelineOf(store);
  const lines = linesOf(timeline, PNL);
  assert.deepEqual(lines.real, [2, null, null, null, null, 2]);
  assert.deepEqual(lines.simulated, [null, null, 2, 2, null, null]);
  assert.deepEqual(timeline.switches.portfolio.map(({ time, to }) => [time, to]), [[93, "mock"], [99, "redis"]]);
  assert.deepEqual(timeline.switches.ai, []);
});

test("a switch in another group does not break this one's line", () => {
  const store = storeOf([snapshot(90), snapshot(93, { sources: { system: "mock", ai: "redis", portfolio: "redis" } })]);
  assert.deepEqual(linesOf(timelineOf(store), PNL).real, [2, undefined, 2]);
});

test("a bucket with invented and real values belongs to neither line, and is one switch", () => {
  const mock = { system: "host", ai: "redis", portfolio: "mock" };
  const store = storeOf([snapshot(90, { sources: mock }), snapshot(99, { sources: mock }), snapshot(102), snapshot(108)], 9);
  const timeline = timelineOf(store);
  assert.deepEqual(linesOf(timeline, PNL).real.filter((value) => typeof value === "number"), [2]);
  assert.equal(linesOf(timeline, PNL).simulated.filter((value) => typeof value === "number").length, 1);
  assert.deepEqual(timeline.switches.portfolio.map(({ to }) => to), ["redis"]);
});

test("history and live snapshots join without a gap and without counting one twice", () => {
  const store = storeOf([snapshot(105, { pnl: 4 }), snapshot(108, { pnl: 4 })], 9);
  store.replace({ step: 9, rows: [bucket(90, 3, 1), bucket(99, 2, 1)] });
  assert.deepEqual(store.rows.map(({ time, count }) => [time, count]), [[90, 3], [99, 2], [108, 1]]);
  assert.deepEqual(timelineOf(store).gaps, []);
});

test("raw history is continued by the snapshots that it does not have yet", () => {
  const store = storeOf([snapshot(96), snapshot(99), snapshot(102)]);
  store.replace({ step: null, snapshots: [snapshot(90), snapshot(93), snapshot(96)] });
  assert.deepEqual(store.rows.map(({ time }) => time), [90, 93, 96, 99, 102]);
  assert.deepEqual(timelineOf(store).gaps, []);
});

test("a change is counted within one source only", () => {
  const mock = { system: "host", ai: "redis", portfolio: "mock" };
  const store = storeOf([snapshot(90, { pnl: 900, sources: mock }), snapshot(93, { pnl: 10 }), snapshot(96, { pnl: 12 }), snapshot(99, { pnl: 15 })]);
  assert.deepEqual(changeOf(store.rows, PNL, 0), { change: 5, since: 93 });
});

test("how long a text has held is not claimed across a gap", () => {
  const bull = { regime: "bull" };
  const store = storeOf([snapshot(90, bull), snapshot(93, { regime: "bear" }), snapshot(96, bull), snapshot(99, bull)]);
  assert.deepEqual(heldSince(store.rows, REGIME), { since: 96, isAtLeast: false });
  store.append(snapshot(150, bull));
  assert.deepEqual(heldSince(store.rows, REGIME), { since: 150, isAtLeast: true });
});

test("a sparkline breaks where the data does", () => {
  const path = sparkPath([0, 1, 2, 3, 4], [1, 2, null, 4, undefined], { from: 0, to: 4, low: 1, high: 4 });
  assert.equal(path.match(/M/g)?.length, 2);
});
