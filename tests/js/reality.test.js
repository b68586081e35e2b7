/** What is not real never looks real: every way in which a value is not, in everything that is made of rows. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { describeValue, originWord, rangeShown, summarise } from "../../static/dashboard/words.js";
import { runsOf } from "../../static/dashboard/chart_strip.js";
import { linesOf } from "../../static/dashboard/lines.js";
import { RowStore } from "../../static/dashboard/rows.js";
import { changeOf, changeToday, drawdownOf, heldSince, rangeOf, widened } from "../../static/dashboard/statistics.js";
import { makeTimeline } from "../../static/dashboard/timeline.js";
import { snapshot } from "./browser.js";
import { CPU, PNL, REGIME } from "./metrics.js";

const GROUPS = ["system", "ai", "portfolio"];
const ALL = { from: 0, to: 1e6 };
const MOCK = { system: "host", ai: "mock", portfolio: "mock" };

/** @param {string} problem  @param {number|null} pnl  @param {string|null} regime */
const flawed = (problem, pnl, regime) => ({ pnl, regime, problems: { pnl: problem, regime: problem } });
/** Whatever may stand among the real values 100, 110 and "bull". @type {Record<string, any>} */
const UNREAL = {
  simulated: { pnl: 900, regime: "bear", sources: MOCK },
  fallback: flawed("unreachable", 900, "bear"),
  stale: flawed("stale", 900, "bear"),
  missing: flawed("missing", null, null),
  invalid: flawed("invalid", null, null),
  unreachable: flawed("unreachable", null, null),
};

/** @param {any[]} snapshots  @param {number|null} step */
function rowsOf(snapshots, step) {
  const store = new RowStore([CPU, PNL, REGIME], 3600);
  store.step = step;
  for (const each of snapshots) store.append(each);
  return store.rows;
}

/** Four snapshots, of which the one at `place` is not real. @param {any} unreal  @param {number} place */
function among(unreal, place) {
  const values = [{ pnl: 100 }, { pnl: 104 }, { pnl: 106 }, { pnl: 110 }].map((value) => ({ ...value, regime: "bull" }));
  return values.map((value, index) => snapshot(90 + 3 * index, index === place ? unreal : value));
}

for (const [name, unreal] of Object.entries(UNREAL)) {
  for (const step of [null, 60]) {
    const kind = step === null ? "single snapshots" : "a bucket";

    test(`${name}, in ${kind}: range, band and drawdown are of real values`, () => {
      const rows = rowsOf(among(unreal, 1), step);
      assert.deepEqual(rangeOf(rows, PNL, ALL, "redis"), { low: 100, high: 110, isSimulated: false, origin: "redis", isOfAll: name !== "simulated" });
      assert.equal(drawdownOf(rows, PNL, ALL)?.drawdown, 0);
      const { real } = linesOf(makeTimeline(rows, step, GROUPS), PNL);
      for (const line of [real.line, real.low, real.high]) {
        assert.ok(line.every((value) => value === null || value === undefined || (value >= 100 && value <= 110)), String(line));
      }
    });

    test(`${name}, in ${kind}: the newest value, if not real, has no change and no drawdown of its own`, () => {
      const rows = rowsOf(among(unreal, 3), step);
      const found = changeOf(rows, PNL, 0);
      assert.ok(found === null || found.isSimulated, JSON.stringify(found));
      assert.ok(drawdownOf(rows, PNL, ALL) === null || name === "simulated");
      const held = heldSince(rows, REGIME);
      assert.ok(held === null || name === "simulated");
    });
  }

  test(`${name}: a change is not counted from it`, () => {
    const rows = rowsOf(among(unreal, 0), null);
    assert.deepEqual(changeOf(rows, PNL, 0), { change: 6, since: 93, isSimulated: false });
    assert.deepEqual(changeToday(rows, PNL, 0, null), { change: 6, since: 93, isSimulated: false });
  });

  test(`${name}: what the chart draws and says of it is apart`, () => {
    const rows = rowsOf(among(unreal, 1), null);
    const timeline = makeTimeline(rows, null, GROUPS);
    const { real, simulated, standIn } = linesOf(timeline, PNL);
    const at = timeline.rows.indexOf(rows[1]);
    assert.equal(real.line[at], null);
    assert.equal(simulated.line[at], name === "simulated" ? 900 : null);
    assert.equal(standIn[at], ["fallback", "stale"].includes(name) ? 900 : null);
    const said = describeValue(rows[1], PNL);
    assert.match(said, new RegExp(Object.values(unreal.problems ?? { pnl: "simulated" })[0]));
    if (name === "fallback") assert.match(said, /fallback/);
    const charts = /** @type {any} */ ({ timeline, window: { ...ALL, isLoading: false, collecting: null }, view: { isZoomed: false } });
    const range = rangeShown(charts, PNL);
    assert.equal(summarise(charts, PNL, range), name === "simulated" ? "redis: min +100.00, max +110.00" : "min +100.00, max +110.00");
    // Beside a card that says that it is simulated, what is real says so.
    assert.match(summarise(charts, PNL, range, true), /^(real|redis): min \+100.00, max \+110.00$/);
  });

  test(`${name}: a text that is not real is a run of its own in the strip`, () => {
    const timeline = makeTimeline(rowsOf(among(unreal, 1), null), null, GROUPS);
    const runs = runsOf(timeline, REGIME, 3).filter(({ isReal }) => isReal);
    assert.ok(runs.every(({ text }) => text === "bull"));
    assert.ok(runs.every(({ from, to }) => to <= 93 || from >= 96), JSON.stringify(runs));
  });
}

test("where nothing is real the figures say that they are of simulated values", () => {
  const rows = rowsOf([100, 104].map((pnl, index) => snapshot(90 + 3 * index, { pnl, sources: MOCK })), null);
  assert.deepEqual(rangeOf(rows, PNL, ALL), { low: 100, high: 104, isSimulated: true, origin: "simulated", isOfAll: true });
  assert.deepEqual(changeOf(rows, PNL, 0), { change: 4, since: 90, isSimulated: true });
});

test("a bucket of history keeps apart what the server kept apart", () => {
  const store = new RowStore([PNL], 3600);
  const sources = { portfolio: ["redis"] };
  const gone = { min: null, mean: null, max: null, last: null, stand_in: 900, problems: { stale: 3 } };
  const part = { min: 41, mean: 84, max: 959, last: null, stand_in: 900, problems: { stale: 1 } };
  store.replace({ step: 9, rows: [{ time: 90, count: 3, sources, pnl: part }, { time: 99, count: 3, sources, pnl: gone }] });
  const timeline = makeTimeline(store.rows, 9, ["portfolio"]);
  const { real, standIn } = linesOf(timeline, PNL);
  assert.deepEqual([real.line, real.low, real.high], [[84, null], [41, null], [959, null]]);
  assert.deepEqual(standIn, [null, 900]);
  assert.deepEqual(rangeOf(store.rows, PNL, ALL), { low: 41, high: 959, isSimulated: false, origin: "redis", isOfAll: true });
  assert.equal(describeValue(store.rows[0], PNL), "mean +84.00, +41.00 to +959.00, 1 of 3 stale");
  assert.equal(describeValue(store.rows[1], PNL), "+900.00 stale");
});

test("a live snapshot that is not real changes nothing of the bucket's numbers", () => {
  const store = new RowStore([PNL], 3600);
  store.replace({ step: 9, rows: [{ time: 90, count: 1, sources: { portfolio: ["redis"] }, pnl: { min: 100, mean: 100, max: 100, last: 100 } }] });
  store.append(snapshot(93, UNREAL.stale));
  store.append(snapshot(96, { pnl: 102 }));
  const summary = store.rows[0].values.pnl;
  assert.deepEqual([summary?.min, summary?.mean, summary?.max, summary?.last], [100, 101, 102, 102]);
  assert.deepEqual(summary?.problems, { stale: 1 });
});

test("where a figure comes from is said unless its card says the same", () => {
  assert.deepEqual([originWord(true, true), originWord(false, false)], ["", ""]);
  assert.deepEqual([originWord(true, false), originWord(false, true)], ["simulated", "real"]);
  const invented = rowsOf([snapshot(90, { pnl: 100, sources: MOCK })], null)[0];
  assert.deepEqual([describeValue(invented, PNL), describeValue(invented, PNL, true)], ["+100.00, simulated", "+100.00"]);
  const real = rowsOf([snapshot(90, { pnl: 100 })], null)[0];
  assert.deepEqual([describeValue(real, PNL), describeValue(real, PNL, true)], ["+100.00", "+100.00, real"]);
});

test("a range holds the live number at once, if it is one of its own and of the same origin", () => {
  const range = { low: 100, high: 110, isSimulated: false, origin: "redis", isOfAll: true };
  assert.deepEqual(widened(range, snapshot(99, { pnl: 120 }), PNL), { ...range, high: 120 });
  assert.deepEqual(widened(range, snapshot(99, { pnl: 90 }), PNL), { ...range, low: 90 });
  assert.equal(widened(range, snapshot(99, { pnl: 120, sources: { portfolio: "host" } }), PNL), range);
  for (const unreal of Object.values(UNREAL)) assert.equal(widened(range, snapshot(99, unreal), PNL), range);
  assert.equal(widened(null, snapshot(99, { pnl: 120 }), PNL), null);
});
