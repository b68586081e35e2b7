import assert from "node:assert/strict";
import { test } from "node:test";

import { Anchors } from "../../static/dashboard/anchors.js";
import { Events } from "../../static/dashboard/events.js";
import { FakeBrowser, settle, snapshot } from "./browser.js";
import { CPU, PNL } from "./metrics.js";

const MOCK = { system: "host", ai: "mock", portfolio: "mock" };

/** @param {any} body  @param {number} [status] */
const answerWith = (body, status = 200) => () => ({ ok: status === 200, status, json: async () => body });

function makeAnchors() {
  const browser = new FakeBrowser();
  let loads = 0;
  const anchors = new Anchors([CPU, PNL], "/h", browser.environment, () => (loads += 1));
  return { browser, anchors, loads: () => loads };
}

test("a switch that is seen live begins with the very snapshot, without what is not its own", () => {
  const { anchors } = makeAnchors();
  anchors.note(snapshot(90, { sources: MOCK }));
  anchors.note(snapshot(93, { pnl: 7, cpu: 1 }));
  assert.deepEqual(anchors.began, { portfolio: { time: 93, source: "redis", values: { pnl: 7 } } });
  anchors.note(snapshot(96, { sources: MOCK, pnl: 9 }));
  anchors.note(snapshot(99, { pnl: 900, problems: { pnl: "stale" } }));
  assert.deepEqual(anchors.began.portfolio, { time: 99, source: "redis", values: {} });
});

test("a switch from before the page is looked up once, and again where that failed", async () => {
  const { browser, anchors, loads } = makeAnchors();
  const events = [{ time: 91, kind: "switch", group: "portfolio", by: "ada", text: "mock -> redis" }];
  anchors.lookUp(events);
  await settle();
  assert.equal(loads(), 0);
  browser.answer = answerWith({ snapshots: [snapshot(91.5, { sources: MOCK }), snapshot(94, { pnl: 5 })] });
  for (let round = 0; round < 3; round += 1) {
    anchors.lookUp(events);
    await settle();
  }
  assert.equal(browser.asked.length, 2);
  assert.deepEqual(anchors.began.portfolio, { time: 94, source: "redis", values: { pnl: 5 } });
});

test("the day's first snapshot is looked up once a day", async () => {
  const { browser, anchors } = makeAnchors();
  browser.answer = answerWith({ snapshots: [snapshot(86_401, { pnl: 5 })] });
  anchors.lookUpDay(86_400);
  anchors.lookUpDay(86_400);
  await settle();
  assert.equal(browser.asked.length, 1);
  assert.deepEqual(anchors.today.portfolio, { time: 86_401, source: "redis", values: { pnl: 5 } });
  anchors.lookUpDay(172_800);
  assert.deepEqual(anchors.today, {});
});

test("a server without events is asked for them once", async () => {
  const browser = new FakeBrowser();
  const events = new Events("/e", browser.environment, () => {});
  browser.answer = answerWith(null, 404);
  for (let round = 0; round < 3; round += 1) await events.ask(1, 2);
  assert.deepEqual([browser.asked.length, events.isAbsent, events.list], [1, true, []]);
});

test("events that come are kept, and those that fail change nothing", async () => {
  const browser = new FakeBrowser();
  const events = new Events("/e", browser.environment, () => {});
  browser.answer = answerWith({ events: [{ time: 1, kind: "note", group: null, by: "ada", text: "deployed" }] });
  await events.ask(1, 2);
  browser.answer = answerWith(null, 503);
  await events.ask(1, 3);
  assert.deepEqual(browser.asked, ["/e?from=1.000&to=2.000", "/e?from=1.000&to=3.000"]);
  assert.deepEqual(events.list.map(({ text }) => text), ["deployed"]);
});
