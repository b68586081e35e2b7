import assert from "node:assert/strict";
import { test } from "node:test";

import { KeptSnapshot } from "../../static/dashboard/kept.js";

/** @returns {any} */
const makeStorage = () => {
  const items = new Map();
  return { getItem: (/** @type {string} */ key) => items.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ text) => items.set(key, text) };
};
/** @param {number} id  @returns {any} */
const snapshot = (id) => ({ id, timestamp: id / 1000 });
/** @param {KeptSnapshot} kept  @returns {number|undefined} the id that a page of id 1 would show */
function recalled(kept) {
  const catalogue = /** @type {any} */ ({ latest: snapshot(1), latestAge: 0.5 });
  kept.recall(catalogue);
  assert.equal(catalogue.latestAge, null);
  return catalogue.latest?.id;
}

test("the first snapshot is kept at once, the newest when the page is left, and few between", () => {
  let now = 0;
  const window = new EventTarget();
  const kept = new KeptSnapshot(makeStorage(), window, () => now);
  kept.note(snapshot(2));
  assert.equal(recalled(kept), 2);
  now = 9_000;
  kept.note(snapshot(3));
  assert.equal(recalled(kept), 2);
  now = 10_000;
  kept.note(snapshot(4));
  assert.equal(recalled(kept), 4);
  kept.note(snapshot(5));
  window.dispatchEvent(new Event("pagehide"));
  assert.equal(recalled(kept), 5);
});

test("without a storage, or with nonsense in it, the page's own snapshot is shown, of unknown age", () => {
  assert.equal(recalled(new KeptSnapshot(null, new EventTarget())), 1);
  const broken = { getItem: () => "{", setItem: () => { throw new Error("full"); } };
  const kept = new KeptSnapshot(/** @type {any} */ (broken), new EventTarget());
  kept.note(snapshot(2));
  assert.equal(recalled(kept), 1);
});
