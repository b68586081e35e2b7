import assert from "node:assert/strict";
import { test } from "node:test";

import { Past } from "../../static/dashboard/past.js";
import { FakeBrowser, settle, snapshot } from "./browser.js";
import { CPU, PNL } from "./metrics.js";

const A_DAY_OF_SNAPSHOTS = 28_800;

/** Five minutes of past, raw; `tick()` brings the next snapshot, 3 s after the one before. */
function makePast({ range = 300 } = {}) {
  const browser = new FakeBrowser();
  let now = 1_000_000;
  const past = new Past([CPU, PNL], "/h", browser.environment, {
    range,
    interval: 3,
    now: () => now,
    onLoaded: () => {},
    onFailure: () => {},
  });
  const tick = (times = 1, isAfterMissing = false) => {
    for (let time = 0; time < times; time += 1) past.append(snapshot((now += 3)), { isAfterMissing });
  };
  return { browser, past, tick, times: () => past.rows.map(({ time }) => time) };
}

/** @param {any} history */
const answerWith = (history) => () => ({ ok: true, status: 200, json: async () => history });

/** @param {string} address  @returns {Record<string, string>} */
const parametersOf = (address) => Object.fromEntries(new URLSearchParams(address.split("?")[1]));

test("a day in a tab that nobody sees, or in which the table is shown, costs a range's memory", () => {
  const { past, tick } = makePast();
  tick(A_DAY_OF_SNAPSHOTS);
  assert.ok(past.rows.length >= 100 && past.rows.length <= 125, `${past.rows.length} rows`);
  assert.equal(past.rows.at(-1)?.time, past.window.to);
});

test("what has just come is shown, although the clock is estimated a moment late; not what a clock set back has left", () => {
  const { past, tick } = makePast();
  tick(20);
  const { now } = past;
  past.now = () => now() - 0.02;
  assert.equal(past.window.to, past.rows.at(-1)?.time);
  past.now = () => now() - 60;
  assert.equal(past.window.to, now() - 60);
});

test("a day of a paused page costs a range's memory, and what is shown stands still", () => {
  const { past, tick, times } = makePast();
  tick(200);
  past.hold(1_000_600);
  const [held, window] = [times(), past.window];
  tick(A_DAY_OF_SNAPSHOTS);
  assert.deepEqual([times(), past.window], [held, window]);
  past.release();
  assert.ok(past.rows.length <= 125, `${past.rows.length} rows`);
  assert.equal(past.rows.at(-1)?.time, past.window.to);
});

test("a pause in the middle of a bucket keeps that bucket as it was", async () => {
  const { browser, past, tick } = makePast({ range: 3600 });
  browser.answer = answerWith({ step: 9, rows: [] });
  past.load();
  await settle();
  tick();
  past.hold(1_000_003);
  const held = structuredClone(past.rows);
  tick(); // of the same bucket, which begins at 999,999
  assert.deepEqual(past.rows, held);
});

test("where history never answers a day of single snapshots stays bounded, too", () => {
  const { past, tick } = makePast({ range: 604_800 });
  tick(A_DAY_OF_SNAPSHOTS);
  assert.ok(past.rows.length <= 5_020, `${past.rows.length} rows`);
});

test("a shorter range forgets at once what is too old", () => {
  const { past, tick } = makePast({ range: 1800 });
  tick(600);
  past.show(300);
  assert.ok(past.rows.length <= 125, `${past.rows.length} rows`);
});

test("another range of a paused page is the one before the pause, and the live one is asked for when it ends", async () => {
  const { browser, past, tick, times } = makePast();
  tick(10);
  past.hold(1_000_030);
  tick(10);
  browser.answer = answerWith({ step: 9, rows: [{ time: 1_000_017, count: 3, sources: {} }] });
  past.show(3600);
  await settle();
  const held = parametersOf(browser.asked[0]);
  assert.deepEqual(held, { from: "996430.001", to: "1000030.001", step: "9" });
  assert.ok(times().includes(1_000_017) && Math.max(...times()) <= 1_000_030, String(times()));
  past.release();
  assert.equal(browser.asked.length, 2);
  assert.equal(parametersOf(browser.asked[1]).to, "1000061.000");
});

test("a pause before history is here gets it, too", async () => {
  const { browser, past, tick, times } = makePast();
  browser.answer = () => new Promise(() => {});
  past.load();
  tick(2);
  browser.answer = answerWith({ step: null, snapshots: [snapshot(1_000_000), snapshot(1_000_003)] });
  past.hold(1_000_006);
  await settle();
  assert.deepEqual(times(), [1_000_000, 1_000_003, 1_000_006]);
});

test("what the stream missed is asked for once, a little later; in a pause at its end", async () => {
  const { browser, past, tick } = makePast();
  tick(3, true);
  assert.equal(browser.asked.length, 0);
  browser.answer = answerWith({ step: null, snapshots: [] });
  await browser.advance(3_000);
  assert.equal(browser.asked.length, 1);
  past.hold(1_000_009);
  tick(1, true);
  await browser.advance(3_000);
  assert.equal(browser.asked.length, 1);
  past.release();
  assert.equal(browser.asked.length, 2);
});

test("a clock that was set moves the range: history is asked what is in it", async () => {
  const { browser, past } = makePast();
  browser.answer = answerWith({ step: null, snapshots: [] });
  past.append(snapshot(1_000_003));
  past.append(snapshot(1_003_606, { previous: 1_000_003_000 }), { clockStep: 3600 });
  await browser.advance(3_000);
  assert.equal(browser.asked.length, 1);
  assert.equal(past.rows.at(-1)?.clockStep, 3600);
});

test("buckets from before the clock was set back do not count for the newest", async () => {
  const { browser, past, tick } = makePast({ range: 3600 });
  browser.answer = answerWith({ step: 9, rows: [{ time: 999_990, count: 3, sources: {} }, { time: 1_003_599, count: 1, sources: {} }] });
  past.load();
  await settle();
  tick();
  assert.deepEqual(past.rows.map(({ time }) => time), [999_990, 999_999, 1_003_599]);
  assert.deepEqual(past.rowsUntilNow.map(({ time }) => time), [999_990, 999_999]);
});

test("the CSV is the server's, of the window and in the step that are shown", async () => {
  const { browser, past, tick } = makePast();
  tick(10);
  assert.deepEqual(parametersOf(past.csvAddress), { format: "csv", from: "999730.000", to: "1000030.001" });
  browser.answer = answerWith({ step: 9, rows: [] });
  past.show(3600);
  await settle();
  assert.deepEqual(parametersOf(past.csvAddress), { format: "csv", from: "996430.000", to: "1000030.001", step: String(past.rowStep) });
  past.hold(1_000_027);
  assert.equal(parametersOf(past.csvAddress).to, "1000027.001");
});

/** A bucket of history. @param {number} time  @param {number} pnl */
const bucketAt = (time, pnl) => ({ time, count: 3, sources: { portfolio: ["redis"] }, pnl: { min: pnl, mean: pnl, max: pnl, last: pnl } });

test("until history is here the window says that it is awaited; a failure ends that, too", async () => {
  const { browser, past, tick } = makePast();
  tick(2);
  assert.equal(past.window.isLoading, true);
  past.load();
  await settle();
  assert.equal(past.window.isLoading, false);
  browser.answer = answerWith({ step: null, snapshots: [], oldest: 5 });
  past.show(3600);
  assert.equal(past.window.isLoading, true);
  await settle();
  assert.equal(past.window.isLoading, false);
});

test("a young history is shown at the width that it has, and says for how long there is one", async () => {
  const { browser, past, tick } = makePast({ range: 3600 });
  browser.answer = answerWith({ step: 9, rows: [], oldest: 1_000_003 });
  tick(20);
  past.load();
  await settle();
  // The first bucket stands at its beginning, and is seen.
  assert.deepEqual(past.window, { from: 999_999, to: 1_000_060, isLoading: false, collecting: 57 });
  const newborn = makePast();
  newborn.browser.answer = answerWith({ step: null, snapshots: [], oldest: 1_000_003 });
  newborn.tick();
  newborn.past.load();
  await settle();
  assert.deepEqual(newborn.past.window, { from: 999_973, to: 1_000_003, isLoading: false, collecting: 0 }); // ten intervals
  browser.answer = answerWith({ step: 9, rows: [], oldest: 900_000 });
  past.load();
  await settle();
  assert.deepEqual(past.window, { from: 996_460, to: 1_000_060, isLoading: false, collecting: null });
});

test("where nothing was stored when history was asked for, what came since is how long there is one", async () => {
  const { browser, past, tick } = makePast({ range: 3600 });
  browser.answer = answerWith({ step: 9, rows: [], oldest: null });
  past.load();
  await settle();
  assert.equal(past.window.collecting, null);
  tick(20);
  assert.equal(Math.round((past.window.collecting ?? 0) / 10), 6);
});

test("what is zoomed into is asked for in the step that fits, and is what CSV and table are of", async () => {
  const { browser, past, tick } = makePast({ range: 604_800 });
  browser.answer = answerWith({ step: 1512, rows: [bucketAt(998_000, 1)], oldest: 5 });
  past.load();
  tick(1);
  await settle();
  browser.answer = answerWith({ step: 27, rows: [bucketAt(989_010, 2), bucketAt(989_037, 3)], oldest: 5, events: [{ time: 989_020, group: "ai", from: "mock", to: "redis", by: "ada" }] });
  past.zoom({ from: 989_000, to: 999_800 });
  assert.equal(past.view.step, 1512); // until the answer is here
  await settle();
  assert.deepEqual(parametersOf(browser.asked[1]), { from: "989000.000", to: "999800.000", step: "27" });
  assert.deepEqual([past.view.step, past.rowsInView.length, past.view.events[0].text], [27, 2, "mock -> redis"]);
  assert.deepEqual(parametersOf(past.csvAddress), { format: "csv", from: "989000.000", to: "999800.001", step: "27" });
  assert.equal(past.rowStep, 1512); // cards go on with the range
  past.zoom(null);
  assert.deepEqual([past.view.step, past.isZoomed], [1512, false]);
});

test("a zoom that shows single snapshots already asks nothing", async () => {
  const { browser, past, tick } = makePast();
  browser.answer = answerWith({ step: null, snapshots: [], oldest: 5 });
  past.load();
  tick(50);
  await settle();
  past.zoom({ from: 1_000_060, to: 1_000_090 });
  await settle();
  assert.equal(browser.asked.length, 1);
  assert.ok(past.rowsInView.length >= 10 && past.rowsInView.length <= 12, String(past.rowsInView.length));
  past.zoom({ from: 100_060, to: 100_090 }); // outside of the range
  assert.equal(browser.asked.length, 2);
});

test("of a time that is not here yet nothing is claimed, and a failure says so", async () => {
  const { browser, past, tick } = makePast();
  browser.answer = answerWith({ step: null, snapshots: [], oldest: 5 });
  past.zoom({ from: 999_990, to: 1_000_000 });
  assert.equal(past.view.window.isLoading, true); // the range itself is awaited
  past.load();
  await settle();
  tick(3);
  assert.equal(past.view.window.isLoading, false);
  browser.answer = () => ({ ok: false, status: 503 });
  past.zoom({ from: 100_060, to: 100_090 }); // outside of the range
  assert.equal(past.view.window.isLoading, true);
  await settle();
  assert.equal(past.view.window.isLoading, false);
  browser.answer = answerWith({ step: null, snapshots: [snapshot(100_071)], oldest: 5 });
  await browser.advance(10_000);
  assert.deepEqual([past.view.window.isLoading, past.rowsInView.length], [false, 1]);
});

test("a wall that shows a past time goes on showing it when the range has moved on", async () => {
  const { browser, past, tick } = makePast();
  browser.answer = answerWith({ step: null, snapshots: [], oldest: 5 });
  past.load();
  tick(100);
  await settle();
  const zoom = { from: 1_000_060, to: 1_000_090 };
  past.zoom(zoom);
  assert.equal(browser.asked.length, 1);
  browser.answer = answerWith({ step: null, snapshots: [1_000_063, 1_000_066].map((time) => snapshot(time)), oldest: 5 });
  tick(1000);
  await settle();
  assert.equal(browser.asked.length, 2);
  assert.deepEqual(past.rowsInView.map(({ time }) => time), [1_000_063, 1_000_066]);
});

test("the same hours of yesterday are asked for in the same step, and again when the window has moved on", async () => {
  const { browser, past, tick } = makePast();
  browser.answer = answerWith({ step: null, snapshots: [snapshot(913_500)], oldest: 5 });
  past.compare(86_400);
  await settle();
  assert.deepEqual(parametersOf(browser.asked[0]), { from: "913300.000", to: "913630.000" });
  assert.equal(past.view.compared?.lines(PNL)[0][0].time, 999_900);
  tick(11);
  assert.equal(browser.asked.length, 2);
  past.compare(0);
  assert.equal(past.view.compared, null);
});

test("a paused page shows nothing of what came later, whichever range is chosen", async () => {
  const { browser, past, tick } = makePast();
  tick(10);
  past.hold(1_000_030);
  tick(30);
  browser.answer = answerWith({ step: 9, rows: [bucketAt(1_000_017, 1)], oldest: 5 });
  for (const range of [3600, 21_600, 300]) {
    past.show(range);
    await settle();
    assert.ok(past.view.rows.every(({ time }) => time <= 1_000_030), String(range));
    assert.equal(past.view.window.to, 1_000_030);
  }
});
