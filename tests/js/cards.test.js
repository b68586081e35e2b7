import assert from "node:assert/strict";
import { test } from "node:test";

import { arrowOf } from "../../static/dashboard/direction.js";
import { lanesOf } from "../../static/dashboard/lanes.js";
import { levelOf } from "../../static/dashboard/level.js";
import { findFaults, kindOf } from "../../static/dashboard/snapshot.js";
import { changeOf, drawdownOf, originOf, rangeOf, startOfDay } from "../../static/dashboard/statistics.js";
import { RowStore } from "../../static/dashboard/rows.js";
import { snapshot } from "./browser.js";
import { CPU, PNL, REGIME } from "./metrics.js";

const METRICS = [CPU, PNL, REGIME];

/** @param {any[]} snapshots */
function rowsOf(...snapshots) {
  const store = new RowStore(METRICS, 3600);
  for (const each of snapshots) store.append(each);
  return store.rows;
}

test("a value is worth a look from its line on, in the direction in which it gets worse", () => {
  assert.deepEqual([84.9, 85, 95].map((value) => levelOf(CPU, value)?.name), [undefined, "warn", "critical"]);
  const accuracy = { ...CPU, isPercent: true, unit: "ratio", decimals: 1, warn: 0.65, critical: 0.55, worse: /** @type {const} */ ("below") };
  assert.deepEqual([0.66, 0.65, 0.5].map((value) => levelOf(accuracy, value)?.name), [undefined, "warn", "critical"]);
  assert.equal(levelOf(accuracy, 0.5)?.text, "Critical: at or below 55.0 %.");
  for (const value of [null, "bull"]) assert.equal(levelOf(CPU, value), null);
  assert.equal(levelOf(PNL, -1e9), null);
});

test("the shapes of a change are those of the number that is shown", () => {
  assert.deepEqual([-1, 0, 0.004, 1].map((change) => arrowOf(change, 2)), ["▼", "■", "■", "▲"]);
});

test("a value is real and of its time only without a problem and from a source that invents nothing", () => {
  const redis = { sources: { portfolio: "redis" } };
  assert.equal(kindOf(snapshot(3, redis), PNL), "");
  assert.equal(kindOf(snapshot(3, { sources: { portfolio: "mock" } }), PNL), "simulated");
  assert.equal(kindOf(snapshot(3, { ...redis, problems: { pnl: "stale" } }), PNL), "stale");
  assert.equal(kindOf(snapshot(3, { ...redis, problems: { pnl: "invalid" } }), PNL), "fallback");
  assert.equal(kindOf(snapshot(3, { ...redis, pnl: null, problems: { pnl: "invalid" } }), PNL), "missing");
});

test("what lacks is counted, what this host cannot know apart from it", () => {
  const lacking = snapshot(3, { cpu: null, pnl: null, regime: "bull", problems: { cpu: "missing", pnl: "unreachable", regime: "missing" } });
  assert.deepEqual(findFaults(lacking, METRICS), { total: 3, absent: 1, fallbacks: 1, unknown: 1, kinds: ["missing", "unreachable"] });
  assert.deepEqual(findFaults(null, METRICS), { total: 3, absent: 0, fallbacks: 0, unknown: 0, kinds: [] });
});

test("a text's lanes: in the catalogue's order, each with its share of the known time, what is invented apart", () => {
  const bear = snapshot(0, { regime: "bear", sources: { ai: "mock" } });
  const rows = rowsOf(bear, snapshot(3, { regime: "bull" }), snapshot(6, { regime: "panic" }), snapshot(9, { regime: "bull" }), snapshot(60, { regime: "bull" }));
  const lanes = lanesOf(rows, REGIME, { from: 0, to: 63 }, 6);
  assert.deepEqual(lanes.map(({ text, isNow }) => [text, isNow]), [["bull", true], ["bear", false], ["panic", false]]);
  // A gap is known to nobody, and what was simulated is no part of what was real.
  assert.deepEqual(lanes.map(({ share }) => Math.round(share * 15)), [12, 0, 3]);
  assert.equal(lanes[1].real, "");
  assert.match(lanes[1].simulated, /^M0\.0 5H/);
});

test("range and fall from the peak are of the newest one's source only", () => {
  const simulated = snapshot(0, { pnl: 900, sources: { portfolio: "mock" } });
  const rows = rowsOf(simulated, snapshot(3, { pnl: 10 }), snapshot(6, { pnl: 30 }), snapshot(9, { pnl: 25 }));
  const window = { from: 0, to: 9 };
  assert.equal(rangeOf(rows, PNL, window)?.high, 30);
  assert.equal(rangeOf(rows, PNL, window)?.low, 10);
  assert.equal(drawdownOf(rows, PNL, window)?.drawdown, 5);
  assert.equal(rangeOf(rowsOf(snapshot(3, { pnl: null })), PNL, window), null);
});

test("all figures of a card are of one source, whatever else its time had", () => {
  const [redis, host, mock] = ["redis", "host", "mock"].map((portfolio) => ({ portfolio }));
  /** @param {[number, any][]} values */
  const figures = (...values) => {
    const rows = rowsOf(...values.map(([pnl, sources], index) => snapshot(3 * index, { pnl, sources })));
    const range = rangeOf(rows, PNL, { from: 0, to: 99 }, originOf(rows[rows.length - 1], PNL));
    return [range?.low, range?.high, range?.origin, range?.isOfAll, changeOf(rows, PNL, 0)?.change, drawdownOf(rows, PNL, { from: 0, to: 99 })?.drawdown];
  };
  assert.deepEqual(figures([50, redis], [900, mock], [700, mock]), [700, 900, "simulated", false, -200, 200]);
  assert.deepEqual(figures([1, host], [30, redis], [20, redis]), [20, 30, "redis", false, -10, 10]);
  // The peak lies before what was simulated; the change says how far back it goes.
  assert.deepEqual(figures([50, redis], [900, mock], [20, redis], [30, redis]), [20, 50, "redis", false, 10, 20]);
});

test("of a past that is looked at for itself a range is real where it can be, and names its sources", () => {
  const rows = rowsOf(...["host", "redis", "mock"].map((portfolio, index) => snapshot(3 * index, { pnl: index, sources: { portfolio } })));
  assert.deepEqual(rangeOf(rows, PNL, { from: 0, to: 99 }), { low: 0, high: 1, isSimulated: false, origin: "host and redis", isOfAll: false });
});

test("a day begins at midnight of the zone that is chosen", () => {
  assert.equal(startOfDay(1735174460.1, "utc"), 1735171200);
});
