import assert from "node:assert/strict";
import { test } from "node:test";

import { HealthWatch } from "../../static/dashboard/health.js";
import { FakeBrowser } from "./browser.js";

/** @param {string} status  @param {string[]} reasons */
function answer(status, ...reasons) {
  return () => ({ ok: status !== "down", status: status === "down" ? 503 : 200, json: async () => ({ status, reasons }) });
}

function watch() {
  const browser = new FakeBrowser();
  const health = new HealthWatch("/stream/health", browser.environment, () => {});
  return { browser, health };
}

test("a hiccup asks nothing, trouble that lasts does, until the server is well again", async () => {
  const { browser, health } = watch();
  browser.answer = answer("degraded", "Redis: no answer.");
  health.note(true);
  await browser.advance(1_000);
  health.note(false);
  await browser.advance(60_000);
  assert.equal(browser.requests, 0);
  health.note(true);
  await browser.advance(60_000);
  assert.ok(browser.requests >= 5 && browser.requests <= 8, String(browser.requests));
  assert.deepEqual(health.latest, { status: "degraded", reasons: ["Redis: no answer."] });
  browser.answer = answer("ok");
  health.note(false);
  assert.equal(health.latest, null);
  const { requests } = browser;
  await browser.advance(120_000);
  assert.equal(browser.requests, requests + 1);
});

test("one that is down says why, one that does not answer says nothing", async () => {
  const { browser, health } = watch();
  browser.answer = answer("down", "No snapshot for 20 s.");
  await health.ask();
  assert.deepEqual(health.latest?.reasons, ["No snapshot for 20 s."]);
  browser.answer = () => ({ ok: false, status: 403, json: async () => JSON.parse("") });
  await browser.advance(15_000);
  assert.equal(health.latest, null);
});

test("an answer to a question of other times is not told, and asked for again", async () => {
  const { browser, health } = watch();
  /** @type {(answer: any) => void} */ let reply = () => {};
  browser.answer = () => new Promise((resolve) => (reply = resolve));
  health.note(true);
  const asked = health.ask();
  void health.ask(); // one question at a time
  health.note(false);
  assert.equal(browser.requests, 1);
  reply(answer("degraded", "Redis: no answer.")());
  await asked;
  assert.equal(health.latest, null);
  browser.answer = answer("ok");
  await browser.advance(5_000);
  assert.equal(browser.requests, 2);
});

test("an answer that makes no sense is none", async () => {
  const { browser, health } = watch();
  for (const body of [{ status: 5, reasons: [] }, { status: "down" }, {}]) {
    browser.answer = () => ({ ok: true, status: 200, json: async () => body });
    await health.ask();
    assert.equal(health.latest, null);
  }
});
