import assert from "node:assert/strict";
import { test } from "node:test";

import { Preferences } from "../../static/dashboard/preferences.js";

const DECLARED = {
  ranges: [
    { key: "5m", label: "5 min", seconds: 300 },
    { key: "1h", label: "1 h", seconds: 3600 },
  ],
  /** @type {import("../../static/dashboard/catalogue.js").Preference[]} */
  preferences: [
    { name: "range", label: "Range", choices: [["5m", "5 min"], ["1h", "1 h"]], default: "1h" },
    { name: "theme", label: "Colours", choices: [["auto", "System"], ["light", "Light"], ["dark", "Dark"]], default: "auto" },
    { name: "zone", label: "Times", choices: [["local", "Local"], ["utc", "UTC"]], default: "local" },
  ],
};

test("an address wins over what is kept, and is not kept; nonsense is passed over", () => {
  /** @type {any} */
  const storage = { kept: '{"theme":"light","zone":"mars"}', getItem: () => storage.kept, setItem: (/** @type {string} */ _, /** @type {string} */ text) => (storage.kept = text) };
  const preferences = new Preferences(DECLARED, storage, new URLSearchParams("theme=dark&kiosk=1&range=9y"));
  assert.deepEqual([preferences.theme, preferences.zone, preferences.range.key, preferences.isKiosk], ["dark", "local", "1h", true]);
  assert.equal(storage.kept, '{"theme":"light","zone":"mars"}');
});

test("choosing one thing does not keep what the address said of another", () => {
  /** @type {any} */
  const storage = { kept: null, getItem: () => storage.kept, setItem: (/** @type {string} */ _, /** @type {string} */ text) => (storage.kept = text) };
  const preferences = new Preferences(DECLARED, storage, new URLSearchParams("theme=dark&range=5m"));
  preferences.set("zone", "utc");
  assert.deepEqual(JSON.parse(storage.kept), { zone: "utc" });
  assert.deepEqual([preferences.theme, preferences.range.key, preferences.zone], ["dark", "5m", "utc"]);
  preferences.set("range", "1h");
  assert.deepEqual(JSON.parse(storage.kept), { zone: "utc", range: "1h" });
  assert.equal(preferences.range.key, "1h");
  preferences.set("zone", "local");
  assert.deepEqual(JSON.parse(storage.kept), { zone: "local", range: "1h" });
});

test("what is kept there and is no choice of ours costs nothing", () => {
  for (const kept of ['"dark"', "[1]", "{", "null", "7"]) {
    /** @type {any} */ const storage = { getItem: () => kept, setItem: () => {} };
    const preferences = new Preferences(DECLARED, storage, new URLSearchParams());
    preferences.set("zone", "utc");
    assert.deepEqual([preferences.theme, preferences.zone], ["auto", "utc"]);
  }
});

test("a forbidden storage costs only the memory of it", () => {
  const preferences = new Preferences(DECLARED, null, new URLSearchParams());
  preferences.set("zone", "utc");
  assert.equal(preferences.zone, "utc");
});

test("ranges and choices are the ones that the server declares", () => {
  const [range, theme, zone] = DECLARED.preferences;
  /** @type {import("../../static/dashboard/catalogue.js").Preference} */
  const fortnights = { ...range, choices: [...range.choices, ["14d", "2 weeks"]], default: "5m" };
  const declared = { ranges: [...DECLARED.ranges, { key: "14d", label: "2 weeks", seconds: 1_209_600 }], preferences: [fortnights, theme, zone] };
  const preferences = new Preferences(declared, null, new URLSearchParams());
  assert.equal(preferences.range.seconds, 300);
  /** @type {string[]} */ const changed = [];
  preferences.addEventListener("change", (event) => changed.push(/** @type {CustomEvent} */ (event).detail));
  preferences.set("range", "14d");
  preferences.set("range", "1y");
  preferences.set("profit", "red-up"); // not declared here
  assert.deepEqual([preferences.range.seconds, preferences.range.label, changed], [1_209_600, "2 weeks", ["range"]]);
});
