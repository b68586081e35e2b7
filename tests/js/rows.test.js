import assert from "node:assert/strict";
import { test } from "node:test";

import { RowStore } from "../../static/dashboard/rows.js";
import { describeGap, describeStep } from "../../static/dashboard/format.js";
import { linesOf } from "../../static/dashboard/lines.js";
import { changeOf, heldSince } from "../../static/dashboard/statistics.js";
import { makeTimeline } from "../../static/dashboard/timeline.js";
import { snapshot } from "./browser.js";
import { CPU, PNL, REGIME } from "./metrics.js";

const GROUPS = ["system", "ai", "portfolio"];

/** @param {any[]} snapshots  @param {number|null} [step] */
function storeOf(snapshots, step = null) {
  const store = new RowStore([CPU, PNL, REGIME], 3600);
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
  assert.deepEqual(store.rows[0].values.pnl, { min: 1, mean: 3, max: 5, last: 3, standIn: null, problems: {}, count: 3 });
});

test("no value counts for nothing in a bucket's mean", () => {
  for (const values of [[10, null, 20], [null, 10, 20]]) {
    const store = storeOf(values.map((pnl, index) => snapshot(90 + 3 * index, { pnl })), 9);
    assert.deepEqual(store.rows[0].values.pnl, { min: 10, mean: 15, max: 20, last: 20, standIn: null, problems: {}, count: 2 });
    assert.equal(store.rows[0].count, 3);
  }
});

test("a bucket's last value is the one in its last snapshot, null where it was", () => {
  const last = { pnl: null, regime: null };
  const store = storeOf([snapshot(90, { pnl: 10, regime: "bull" }), snapshot(93, { pnl: 20, regime: "bull" }), snapshot(96, last)], 9);
  assert.deepEqual(store.rows[0].values.pnl, { min: 10, mean: 15, max: 20, last: null, standIn: null, problems: {}, count: 2 });
  assert.equal(store.rows[0].values.regime?.last, null);
  assert.equal(changeOf(store.rows, PNL, 0), null);
  assert.equal(heldSince(store.rows, REGIME), null);
});

test("a real 0 is 0 and null stays null", () => {
  const store = storeOf([snapshot(90, { pnl: 0 }), snapshot(93, { pnl: null })]);
  assert.deepEqual(linesOf(timelineOf(store), PNL).real.line, [0, null]);
});

test("a gap breaks the lines and is shaded", () => {
  const timeline = timelineOf(storeOf([snapshot(90), snapshot(93), snapshot(120), snapshot(123)]));
  assert.deepEqual(timeline.gaps, [{ from: 93, to: 120 }]);
  assert.deepEqual(linesOf(timeline, PNL).real.line, [2, 2, null, 2, 2]);
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
  assert.deepEqual(lines.real.line, [2, null, null, null, null, 2]);
  assert.deepEqual(lines.simulated.line, [null, null, 2, 2, null, null]);
  assert.deepEqual(timeline.switches.portfolio.map(({ time, to }) => [time, to]), [[93, "simulated"], [99, "redis"]]);
  assert.deepEqual(timeline.switches.ai, []);
});

test("a switch in another group does not break this one's line", () => {
  const store = storeOf([snapshot(90), snapshot(93, { sources: { system: "mock", ai: "redis", portfolio: "redis" } })]);
  assert.deepEqual(linesOf(timelineOf(store), PNL).real.line, [2, undefined, 2]);
});

test("a bucket with invented and real values is real without the invented ones, and is one switch", () => {
  const mock = { system: "host", ai: "redis", portfolio: "mock" };
  const store = storeOf([snapshot(90, { sources: mock }), snapshot(99, { sources: mock }), snapshot(102), snapshot(108)], 9);
  const timeline = timelineOf(store);
  assert.deepEqual(linesOf(timeline, PNL).real.line.filter((value) => typeof value === "number"), [2, 2]);
  assert.equal(linesOf(timeline, PNL).simulated.line.filter((value) => typeof value === "number").length, 1);
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

test("history and live snapshots are one by their ids, whatever their clocks showed", () => {
  // The clock was an hour ahead for one snapshot.
  const ahead = snapshot(3699, { previous: 96_000 });
  const back = snapshot(102, { id: 3_699_001, previous: 3_699_000 });
  const next = snapshot(105, { id: 3_699_002, previous: 3_699_001 });
  const store = storeOf([ahead, back, next]);
  store.replace({ step: null, snapshots: [snapshot(93), snapshot(96), back] });
  assert.deepEqual(store.rows.map(({ time }) => time), [93, 96, 3699, 102, 105]);
  assert.deepEqual(store.rows.map(({ gap }) => gap), ["", "", "", "", ""]);
  assert.deepEqual(store.rows.map(({ clockStep }) => clockStep), [0, 0, 3600, -3600, 0]);
});

test("two snapshots of one time are two", () => {
  const again = snapshot(93, { id: 96_001, previous: 96_000 });
  const store = storeOf([again]);
  store.replace({ step: null, snapshots: [snapshot(90), snapshot(93), snapshot(96)] });
  assert.deepEqual(store.rows.map(({ time }) => time), [90, 93, 96, 93]);
});

test("what history has filled in meanwhile is no gap any more, and nothing is twice", () => {
  const store = storeOf([snapshot(90), snapshot(93), snapshot(105), snapshot(108)]);
  assert.equal(store.rows[2].gap, "missing");
  store.replace({ step: null, snapshots: [snapshot(90), snapshot(93), snapshot(96), snapshot(99), snapshot(102), snapshot(105)] });
  assert.deepEqual(store.rows.map(({ time }) => time), [90, 93, 96, 99, 102, 105, 108]);
  assert.ok(store.rows.every(({ gap }) => gap === ""));
});

test("what the server said is gone stays gone when history is read again, as rows and as buckets", () => {
  const missed = { after: 93_000, before: 150_000 };
  const store = storeOf([snapshot(90), snapshot(93), snapshot(150, { missed }), snapshot(153)]);
  for (let round = 0; round < 2; round += 1) {
    assert.deepEqual(store.rows.map(({ gap }) => gap), ["", "", "gone", ""]);
    store.replace({ step: null, snapshots: [90, 93, 150, 153].map((time) => snapshot(time)) });
  }
  store.replace({ step: 9, rows: [bucket(90, 2, 1), bucket(144, 2, 1)] });
  assert.deepEqual(store.rows.map(({ gap }) => gap), ["", "gone", ""]); // 153 is in a bucket of its own
  assert.equal(describeGap("gone"), "gap: not kept any more");
});

test("a publisher that does not know what came before it leaves a gap of its own kind", () => {
  const store = storeOf([snapshot(90), snapshot(93, { previous: null })]);
  assert.deepEqual(store.rows.map(({ gap }) => gap), ["", "unknown"]);
});

test("a bucket that the clock comes back to is filled on, and the buckets stay in time's order", () => {
  const store = storeOf([snapshot(90), snapshot(3699, { previous: 90_000 })], 9);
  store.append(snapshot(93, { id: 3_699_001, previous: 3_699_000 }), -3609);
  store.append(snapshot(102, { id: 3_699_002, previous: 3_699_001 }));
  assert.deepEqual(store.rows.map(({ time, count }) => [time, count]), [[90, 2], [99, 1], [3699, 1]]);
  assert.deepEqual(store.rows.map(({ gap }) => gap), ["", "", "empty"]);
});

test("a gap between buckets that the clock comes back to is filled", () => {
  const store = storeOf([snapshot(90), snapshot(108, { previous: 90_000 })], 9);
  assert.deepEqual(store.rows.map(({ gap }) => gap), ["", "empty"]);
  store.append(snapshot(100, { id: 108_001, previous: 108_000 }), -11);
  assert.deepEqual(store.rows.map(({ gap }) => gap), ["", "", ""]);
});

test("the first of another sequence begins anew", () => {
  const store = storeOf([snapshot(90), snapshot(93)]);
  store.append(snapshot(50, { missed: { after: 93_000, before: 50_000 } }));
  store.append(snapshot(53));
  assert.deepEqual(store.rows.map(({ time, gap }) => [time, gap]), [[50, ""], [53, ""]]);
});

test("where the clock was set back the line breaks, goes on, and time runs one way", () => {
  const store = storeOf([snapshot(90), snapshot(93), snapshot(96), snapshot(99)]);
  store.append(snapshot(94, { id: 99_001, previous: 99_000 }), -8);
  store.append(snapshot(97, { id: 99_002, previous: 99_001, pnl: 5 }));
  const timeline = timelineOf(store);
  assert.deepEqual(timeline.times, [90, 93, 93.5, 94, 97]);
  assert.deepEqual(linesOf(timeline, PNL).real.line, [2, 2, null, 2, 5]);
  assert.deepEqual(timeline.steps, [{ time: 94, seconds: -8 }]);
  assert.deepEqual(timeline.gaps, []);
  assert.equal(store.rows.length, 6); // the table has all
});

test("a silence stays one where the clock is set back by something else afterwards", () => {
  const store = storeOf([snapshot(90), snapshot(7290, { previous: 90_000 })]);
  store.append(snapshot(7200, { id: 7_290_001, previous: 7_290_000 }));
  assert.deepEqual(store.rows.map(({ gap }) => gap), ["", "silent", ""]);
  assert.deepEqual(timelineOf(store).gaps, [{ from: 90, to: 7200 }]);
});

test("what was marked in the times that come again goes with them", () => {
  const mock = { system: "host", ai: "redis", portfolio: "mock" };
  const store = storeOf([snapshot(90), snapshot(93), snapshot(3696, { previous: 93_000, sources: mock })]);
  store.append(snapshot(99, { id: 3_696_001, previous: 3_696_000 }));
  const timeline = timelineOf(store);
  assert.deepEqual(timeline.times, [90, 93, 96, 99]);
  assert.deepEqual([timeline.gaps, timeline.simulated.portfolio], [[], []]);
  assert.deepEqual(timeline.steps.map(({ time }) => time), [99]);
});

test("where the clock was seen to be set ahead it is no silence", () => {
  const store = storeOf([snapshot(90), snapshot(93)]);
  store.append(snapshot(3696, { previous: 93_000 }), 3600);
  assert.deepEqual([store.rows[2].gap, store.rows[2].clockStep], ["", 3600]);
  const timeline = timelineOf(store);
  assert.deepEqual([timeline.gaps, timeline.steps], [[], [{ time: 3696, seconds: 3600 }]]);
  assert.deepEqual(linesOf(timeline, PNL).real.line, [2, 2, null, 2]);
  assert.equal(describeStep(3599.9), "set ahead by 1 h");
});

test("times go on strictly increasing, whatever the clock does", () => {
  let random = 1;
  for (let round = 0; round < 200; round += 1) {
    const store = new RowStore([PNL], 1e9);
    store.step = round % 3 === 0 ? 9 : null;
    let id = 0;
    for (let time = 1000, count = 0; count < 40; count += 1) {
      random = (random * 48_271) % 2_147_483_647;
      time += random % 5 ? 3 : (random % 61) - 30;
      store.append(snapshot(time, { id: (id += 1), previous: id - 1 }));
    }
    const { times, rows, breaks } = timelineOf(store);
    assert.ok(times.every((time, index) => index === 0 || time > times[index - 1]), String(times));
    assert.ok(times.length === rows.length && rows.length === breaks.length);
  }
});

test("neither a change nor a holding is claimed across a clock that was set", () => {
  const bull = { regime: "bull" };
  const store = storeOf([snapshot(90, { pnl: 1, ...bull }), snapshot(93, { pnl: 2, ...bull })]);
  store.append(snapshot(80, { id: 93_001, previous: 93_000, pnl: 10, ...bull }), -16);
  store.append(snapshot(83, { id: 93_002, previous: 93_001, pnl: 13, ...bull }));
  assert.deepEqual(changeOf(store.rows, PNL, 0), { change: 3, since: 80, isSimulated: false });
  assert.deepEqual(heldSince(store.rows, REGIME), { since: 80, isAtLeast: true, gaps: 0 });
});

test("a change is counted within one source only", () => {
  const mock = { system: "host", ai: "redis", portfolio: "mock" };
  const store = storeOf([snapshot(90, { pnl: 900, sources: mock }), snapshot(93, { pnl: 10 }), snapshot(96, { pnl: 12 }), snapshot(99, { pnl: 15 })]);
  assert.deepEqual(changeOf(store.rows, PNL, 0), { change: 5, since: 93, isSimulated: false });
});

test("how long a text has held goes on behind a gap with the same on both sides, and says so", () => {
  const bull = { regime: "bull" };
  const store = storeOf([snapshot(90, bull), snapshot(93, { regime: "bear" }), snapshot(96, bull), snapshot(99, bull)]);
  assert.deepEqual(heldSince(store.rows, REGIME), { since: 96, isAtLeast: false, gaps: 0 });
  store.append(snapshot(150, bull));
  assert.deepEqual(heldSince(store.rows, REGIME), { since: 96, isAtLeast: false, gaps: 1 });
});
