import assert from "node:assert/strict";
import { test } from "node:test";

import { formatDuration, formatTime, formatValue, unitOf, zoneName } from "../../static/dashboard/format.js";
import { CPU, PNL, REGIME } from "./metrics.js";

test("what is signed has always its sign, zero has none, and a unit means nothing", () => {
  assert.equal(formatValue(PNL, 126692.1), "+126,692.10");
  assert.equal(formatValue(PNL, -0.5), "−0.50");
  assert.equal(formatValue(PNL, 0), "0.00");
  assert.equal(formatValue({ ...PNL, isSigned: false }, 126692.1), "126,692.10");
  assert.equal(formatValue({ ...CPU, isSigned: true }, 5), "+5.00");
});

test("what is sent as a ratio is shown as percent, with its decimals", () => {
  const accuracy = { ...CPU, unit: "ratio", isPercent: true, decimals: 1 };
  assert.equal(formatValue(accuracy, 0.784), "78.4");
  assert.equal(formatValue({ ...accuracy, decimals: 0 }, 0.07), "7"); // 0.07 × 100 is 7.000000000000001
  assert.equal(unitOf(accuracy), "%");
  assert.equal(unitOf(PNL), "");
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
