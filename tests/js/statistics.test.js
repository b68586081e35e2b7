import assert from "node:assert/strict";
import { test } from "node:test";

import { Compared } from "../../static/dashboard/compared.js";
import { lonePoints } from "../../static/dashboard/lines.js";
import { markersOf } from "../../static/dashboard/markers.js";
import { RowStore } from "../../static/dashboard/rows.js";
import { changeOf, changeToday, drawdownOf, heldSince, startOfDay } from "../../static/dashboard/statistics.js";
import { makeTimeline } from "../../static/dashboard/timeline.js";
import { withAlpha } from "../../static/dashboard/chart_colours.js";
import { sourceName } from "../../static/dashboard/sources.js";
import { snapshot } from "./browser.js";
import { PNL, REGIME } from "./metrics.js";

const MOCK = { system: "host", ai: "mock", portfolio: "mock" };
const REDIS = { system: "host", ai: "redis", portfolio: "redis" };

/** @param {any[]} snapshots  @param {number|null} [step] */
function storeOf(snapshots, step = null) {
  const store = new RowStore([PNL], 1e6);
  store.step = step;
  for (const each of snapshots) store.append(each);
  return store;
}

test("a change is told at once after a switch, from the first snapshot of the new source", () => {
  const { rows } = storeOf([snapshot(1503, { pnl: 900, sources: MOCK }), snapshot(1506, { pnl: 10 }), snapshot(1509, { pnl: 12 })], 1512);
  assert.equal(changeOf(rows, PNL, 0), null);
  const began = { time: 1506, source: "redis", values: { pnl: 10 } };
  assert.deepEqual(changeOf(rows, PNL, 0, began), { change: 2, since: 1506, isSimulated: false });
  const other = { time: 1506, source: "simulated", values: { pnl: 10 } };
  assert.equal(changeOf(rows, PNL, 0, other), null);
  assert.equal(changeOf(rows, PNL, 1508, began), null); // it is older than what is asked for
});

test("a bucket with a switch in it begins before the present source: the change is counted from the switch", () => {
  const switched = [snapshot(1503, { pnl: 900, sources: MOCK }), snapshot(1506, { pnl: 10 }), snapshot(3030, { pnl: 15 })];
  const { rows } = storeOf(switched, 1512);
  const began = { time: 1506, source: "redis", values: { pnl: 10 } };
  assert.deepEqual(changeOf(rows, PNL, 0, began), { change: 5, since: 1506, isSimulated: false });
  assert.equal(changeOf(rows, PNL, 0)?.since, 0); // as far as the rows alone tell
});

test("no change is counted across a clock that was set", () => {
  const { store, first } = withClockSet();
  assert.deepEqual(changeOf(store.rows, PNL, 0), { change: 1, since: 93_603, isSimulated: false });
  assert.deepEqual(changeToday(store.rows, PNL, 86_400, first), { change: 1, since: 93_603, isSimulated: false });
});

/** Two values before the publisher's clock was set ahead by an hour, two after; and the day's first. */
function withClockSet() {
  const store = storeOf([snapshot(90_000, { pnl: 10 }), snapshot(90_003, { pnl: 11 })]);
  store.append(snapshot(93_603, { pnl: 12 }), 3600);
  store.append(snapshot(93_606, { pnl: 13 }));
  return { store, first: { time: 86_400, source: "redis", values: { pnl: 5 } } };
}

test("a day with a switch in it is counted from the switch", () => {
  const { rows } = storeOf([snapshot(89_997, { pnl: 900, sources: MOCK }), snapshot(90_000, { pnl: 10 }), snapshot(90_003, { pnl: 12 })]);
  const first = { time: 86_400, source: "redis", values: { pnl: 5 } };
  const began = { time: 90_000, source: "redis", values: { pnl: 10 } };
  assert.deepEqual(changeToday(rows, PNL, 86_400, first, began), { change: 2, since: 90_000, isSimulated: false });
});

test("a text that is the same on both sides of a gap has held, as far as is known", () => {
  const store = new RowStore([REGIME], 1e6);
  for (const [time, regime] of [[87, "bear"], [90, "bull"], [93, "bull"], [200, "bull"]]) store.append(snapshot(Number(time), { regime }));
  assert.deepEqual(heldSince(store.rows, REGIME), { since: 90, isAtLeast: false, gaps: 1 });
});

test("today's change is counted from the day's first value, of the same source", () => {
  const { rows } = storeOf([snapshot(90_000, { pnl: 10 }), snapshot(90_003, { pnl: 12 })]);
  const first = { time: 86_400, source: "redis", values: { pnl: 5 } };
  assert.deepEqual(changeToday(rows, PNL, 86_400, first), { change: 7, since: 86_400, isSimulated: false });
  assert.deepEqual(changeToday(rows, PNL, 86_400, null), { change: 2, since: 90_000, isSimulated: false });
  assert.deepEqual(changeToday(rows, PNL, 86_400, { ...first, source: "simulated" }), { change: 2, since: 90_000, isSimulated: false });
  const { TZ } = process.env;
  process.env.TZ = "Asia/Tokyo";
  assert.equal(startOfDay(90_003, "utc"), 86_400);
  assert.equal(startOfDay(90_003, "local"), 54_000);
  if (TZ === undefined) delete process.env.TZ;
  else process.env.TZ = TZ;
});

test("the fall from the peak is measured from the highest value, within buckets, too", () => {
  const { rows } = storeOf([100, 130, 90, 110].map((pnl, index) => snapshot(90 + 3 * index, { pnl })), 60);
  assert.deepEqual(drawdownOf(rows, PNL, { from: 0, to: 200 }), { drawdown: 20, peak: 130, at: 60, isSimulated: false });
});

test("points without neighbours are found, and no others", () => {
  assert.deepEqual(lonePoints([1, null, 2, 3, null, undefined, 4, null], 0, 7), [0, 6]);
  assert.deepEqual(lonePoints([1, undefined, 2], 0, 2), []);
  assert.deepEqual(lonePoints([null, 5], 0, 1), [1]);
  assert.deepEqual(lonePoints([1, 2, 3], 1, 1), []);
});

test("a switch is marked once, with who made it, and other groups' are not", () => {
  const store = storeOf([snapshot(90, { sources: MOCK }), snapshot(93, { sources: REDIS })]);
  const timeline = makeTimeline(store.rows, null, ["portfolio"]);
  const events = [
    { time: 91.5, kind: "switch", group: "portfolio", by: "ada", text: "mock -> redis" },
    { time: 92, kind: "switch", group: "ai", by: "bob", text: "mock -> redis" },
    { time: 95, kind: "note", group: null, by: "ada", text: "deployed 1.4" },
  ];
  assert.deepEqual(
    markersOf(timeline, events, "portfolio", 3).map(({ kind, label, detail }) => [kind, label, detail]),
    [["switch", "redis", "simulated → redis, by ada"], ["note", "deployed 1.4", "“deployed 1.4”, by ada"]],
  );
  assert.deepEqual(markersOf(timeline, [], "portfolio", 3).map(({ detail }) => detail), ["simulated → redis"]);
});

test("sources are named in words", () => {
  assert.equal(sourceName(["mock", "redis"]), "redis and simulated");
  assert.equal(sourceName(["mock"]), "simulated");
  assert.equal(sourceName(undefined), "unknown");
});

test("another day is moved to the hours that are shown, and breaks where it broke", () => {
  const then = storeOf([snapshot(90, { pnl: 1 }), snapshot(93, { pnl: 2 }), snapshot(120, { pnl: 3 }), snapshot(123, { pnl: 4, sources: MOCK })]);
  const lines = new Compared(then.rows, 1_000, null).lines(PNL);
  assert.deepEqual(lines.map((line) => line.map(({ time, value }) => [time, value])), [[[1_090, 1], [1_093, 2]], [[1_120, 3]], [[1_123, 4]]]);
  assert.deepEqual(lines.map(([{ source, isReal }]) => [source, isReal]), [["redis", true], ["redis", true], ["simulated", false]]);
});

test("the newest bucket, which is still filling, is drawn where it is and not in the future", () => {
  const store = storeOf([snapshot(90), snapshot(1_513)], 1_512);
  assert.deepEqual(makeTimeline(store.rows, 1_512, ["portfolio"], 1_513).times, [756, 1_513]);
});

test("what lies over the lines stays translucent where colours are forced", () => {
  assert.equal(withAlpha("rgb(1, 2, 3)", 0.2), "rgba(1, 2, 3, 0.2)");
  assert.equal(withAlpha("rgb(1, 2, 3)", 1), "rgb(1, 2, 3)");
});
