import assert from "node:assert/strict";
import { test } from "node:test";

import { formatDuration, formatTime, formatValue, zoneName } from "../../static/dashboard/format.js";
import { HistoryLoader, chooseStep } from "../../static/dashboard/history.js";
import { Preferences } from "../../static/dashboard/preferences.js";
import { makeCsv } from "../../static/dashboard/table.js";
import { settle } from "./browser.js";
import { CPU, PNL, REGIME } from "./metrics.js";

test("what is signed has always its sign, zero has none, and a unit means nothing", () => {
  assert.equal(formatValue(PNL, 126692.1), "+126,692.10");
  assert.equal(formatValue(PNL, -0.5), "−0.50");
  assert.equal(formatValue(PNL, 0), "0.00");
  assert.equal(formatValue({ ...PNL, isSigned: false }, 126692.1), "126,692.10");
  assert.equal(formatValue({ ...CPU, isSigned: true }, 5), "+5.00");
});

test("no value is a dash, a real 0 is 0, a text is itself", () => {
  assert.equal(formatValue(CPU, null), "—");
  assert.equal(formatValue(CPU, 0), "0.00");
  assert.equal(formatValue(REGIME, "bull"), "bull");
});

test("durations", () => {
  assert.deepEqual([9.7, 61, 11_520, 187_200].map(formatDuration), ["9 s", "1 min", "3 h 12 min", "2 d 4 h"]);
});

test("times in UTC", () => {
  assert.equal(formatTime(1735174460.1, "utc"), "00:54:20");
  assert.equal(zoneName("utc"), "UTC");
});

test("short ranges are drawn snapshot by snapshot, long ones in buckets that jitter does not empty", () => {
  assert.equal(chooseStep(300, 3), null);
  assert.equal(chooseStep(3600, 3), 9);
  assert.equal(chooseStep(604_800, 3), 1512);
  assert.equal(chooseStep(300, 0.1), 0.75);
});

test("an address wins over what is kept, and is not kept; nonsense is passed over", () => {
  /** @type {any} */
  const storage = { kept: '{"theme":"light","zone":"mars"}', getItem: () => storage.kept, setItem: (/** @type {string} */ _, /** @type {string} */ text) => (storage.kept = text) };
  const preferences = new Preferences(storage, new URLSearchParams("theme=dark&kiosk=1&range=9y"));
  assert.deepEqual([preferences.theme, preferences.zone, preferences.range, preferences.isKiosk], ["dark", "local", "1h", true]);
  assert.equal(storage.kept, '{"theme":"light","zone":"mars"}');
});

test("a forbidden storage costs only the memory of it", () => {
  const preferences = new Preferences(null, new URLSearchParams());
  preferences.set("zone", "utc");
  assert.equal(preferences.zone, "utc");
});

test("CSV: UTC, one column per metric and source, no formula, no invented zero", () => {
  const row = { time: 1735174460, count: 2, isAfterGap: false, sources: { ai: ["redis", "mock"] }, values: { pnl: null, regime: { min: null, mean: null, max: null, last: '=1+"1"' } } };
  assert.equal(makeCsv([row], [PNL, REGIME], ["ai"]), 'time,snapshots,pnl,regime,source_ai\r\n2024-12-26T00:54:20.000Z,2,,"\'=1+""1""",mock+redis\r\n');
});

test("history that fails is tried again, and an answer to an older question is dropped", async () => {
  /** @type {any[]} */ const loaded = [];
  /** @type {number[]} */ const failures = [];
  /** @type {((answer: any) => void)[]} */ const answers = [];
  const fetcher = () => new Promise((resolve) => answers.push(resolve));
  const loader = new HistoryLoader("/h", { onHistory: (history) => loaded.push(history), onFailure: (wait) => failures.push(wait), fetch: /** @type {any} */ (fetcher) });
  void loader.load(300, null, () => 1000);
  void loader.load(3600, 9, () => 1000);
  answers[0]({ ok: true, json: async () => "old" });
  answers[1]({ ok: false, status: 503 });
  await settle();
  assert.deepEqual([loaded, failures], [[], [2]]);
  void loader.load(3600, 9, () => 1000);
  answers[2]({ ok: true, json: async () => "new" });
  await settle();
  assert.deepEqual(loaded, ["new"]);
});
