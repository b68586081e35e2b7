import assert from "node:assert/strict";
import { test } from "node:test";

import { HistoryLoader, chooseStep } from "../../static/dashboard/history.js";
import { FakeBrowser, settle } from "./browser.js";

/** A loader, its browser, and what it reported. */
function makeLoader() {
  const browser = new FakeBrowser();
  /** @type {any[]} */ const loaded = [];
  /** @type {number[]} */ const failures = [];
  const loader = new HistoryLoader("/h", browser.environment, {
    onHistory: (history) => loaded.push(history),
    onFailure: (wait) => failures.push(wait),
  });
  return { browser, loader, loaded, failures };
}

/** @param {any} history */
const answerWith = (history) => ({ ok: true, status: 200, json: async () => history });

test("short ranges are drawn snapshot by snapshot, long ones in buckets that jitter does not empty", () => {
  assert.equal(chooseStep(300, 3), null);
  assert.equal(chooseStep(3600, 3), 9);
  assert.equal(chooseStep(604_800, 3), 1512);
  assert.equal(chooseStep(300, 0.1), 0.75);
});

test("history that fails is tried again until it works", async () => {
  const { browser, loader, loaded, failures } = makeLoader();
  void loader.load(3600, 9, () => 1000);
  await settle();
  assert.deepEqual([loaded, failures, loader.isLoading], [[], [2], true]);
  browser.answer = () => answerWith("new");
  await browser.advance(2_000);
  assert.deepEqual([loaded, loader.isLoading], [["new"], false]);
});

test("an answer to an older question is dropped", async () => {
  const { browser, loader, loaded } = makeLoader();
  /** @type {((answer: any) => void)[]} */ const answers = [];
  browser.answer = () => new Promise((resolve) => answers.push(resolve));
  void loader.load(300, null, () => 1000);
  void loader.load(3600, 9, () => 1000);
  answers[0](answerWith("old"));
  answers[1](answerWith("new"));
  await settle();
  assert.deepEqual(loaded, ["new"]);
});

test("a server that takes the question and never answers is asked again", async () => {
  const { browser, loader, loaded, failures } = makeLoader();
  browser.answer = () => new Promise(() => {});
  void loader.load(300, null, () => 1000);
  await browser.advance(30_100);
  assert.deepEqual(failures, [2]);
  browser.answer = () => answerWith("late, but here");
  await browser.advance(2_000);
  assert.deepEqual(loaded, ["late, but here"]);
});
