import assert from "node:assert/strict";
import { test } from "node:test";

import { Past } from "../../static/dashboard/past.js";
import { FakeBrowser, settle, snapshot } from "./browser.js";

const A_DAY_OF_SNAPSHOTS = 28_800;

/** Five minutes of past, raw; `tick()` brings the next snapshot, 3 s after the one before. */
function makePast({ range = 300 } = {}) {
  const browser = new FakeBrowser();
  let now = 1_000_000;
  const past = new Past(["cpu", "pnl"], "/h", browser.environment, {
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
