import assert from "node:assert/strict";
import { test } from "node:test";

import { decimalsOf, timeTicks, valueRange, valueSteps, valueTicks } from "../../static/dashboard/chart_axis.js";
import { CPU, PNL, RISK } from "./metrics.js";

/** @param {number} from  @param {number} step  @param {number} count */
const multiples = (from, step, count) => Array.from({ length: count }, (_, index) => Math.round((from + index * step) * 1e9) / 1e9);

test("ticks have as many decimals as their step has", () => {
  assert.deepEqual(valueTicks(PNL, [5, 7.5, 10], 2.5), ["5.0", "7.5", "10.0"]);
  assert.deepEqual(valueTicks(PNL, [0, 0.25, 0.5], 0.25), ["0.00", "0.25", "0.50"]);
  assert.deepEqual([2.5, 0.25, 20, 0.1, 1].map(decimalsOf), [1, 2, 0, 1, 0]);
});

test("thousands and millions are short, unless they would look alike", () => {
  assert.deepEqual(valueTicks(PNL, [124_000, 124_500], 500), ["124.0k", "124.5k"]);
  assert.deepEqual(valueTicks(PNL, [124_000, 124_010, 124_020], 10), ["124,000", "124,010", "124,020"]);
  assert.deepEqual(valueTicks(PNL, [0, 5_000, 10_000], 5_000), ["0", "5k", "10k"]);
  assert.deepEqual(valueTicks(PNL, [-120e6, -110e6], 10e6), ["−120M", "−110M"]);
});

test("no two ticks of an axis say the same, at any height and step", () => {
  for (const start of [0, 0.001, 41, 9_990, 124_000, 999_000, 126_692_000, -480_000_000]) {
    for (const step of [0.001, 0.025, 0.5, 1, 2.5, 10, 25, 500, 2_500, 1e6]) {
      const labels = valueTicks(PNL, multiples(Math.floor(start / step) * step, step, 5), step);
      assert.equal(new Set(labels).size, 5, `${labels} at ${step}`);
    }
  }
});

test("times within a second are told apart, and long steps say days only", () => {
  const now = 1_735_174_500;
  assert.deepEqual(timeTicks([1_735_174_460, 1_735_174_460.5, 1_735_174_461], 0.5, "utc", now), ["00:54:20.0", "00:54:20.5", "00:54:21.0"]);
  assert.deepEqual(timeTicks([1_735_174_460, 1_735_174_470], 10, "utc", now), ["00:54:20", "00:54:30"]);
  assert.deepEqual(timeTicks([1_735_171_200], 86_400, "utc", now), ["26 Dec"]);
});

test("another day than today is named, and each day that begins", () => {
  const now = 1_735_174_500; // 26 Dec
  assert.deepEqual(timeTicks([1_735_167_600, 1_735_171_200, 1_735_174_400], 3_600, "utc", now), ["23:00\n25 Dec", "00:00\n26 Dec", "00:53"]);
  assert.deepEqual(timeTicks([1_735_171_200, 1_735_174_400], 3_600, "utc", now), ["00:00", "00:53"]);
  assert.deepEqual(timeTicks([1_735_171_200, 1_735_174_400], 3_600, "utc", now + 86_400), ["00:00\n26 Dec", "00:53"]);
});

test("ratios are told in percent, as on the cards, and in no finer steps than those", () => {
  assert.deepEqual(valueTicks(RISK, [0.25, 0.3, 0.35], 0.05), ["25", "30", "35"]);
  assert.equal(Math.min(...valueSteps(RISK)), 0.01);
  assert.ok(!valueSteps(RISK).includes(0.025)); // 2.5 %: the card has no decimals
  assert.equal(Math.min(...valueSteps(PNL)), 0.01);
});

test("an axis holds all its values, is made of nothing where there are none, and invents no zero", () => {
  assert.deepEqual(valueRange(PNL, null, null), [null, null]);
  const [low, high] = valueRange(PNL, 126_051.75, 126_051.75);
  assert.ok(low !== null && high !== null && low < 126_051.75 && high > 126_051.75 && high - low < 1);
});

/** @param {[number|null, number|null]} range */
const lengthOf = ([low, high]) => (high ?? NaN) - (low ?? NaN);

test("data fills its axis: a threshold far away does not make it flat, nor does a percent for want of decimals", () => {
  assert.ok(lengthOf(valueRange(RISK, 0.28, 0.32)) < 0.08); // warn: 0.5
  assert.ok(lengthOf(valueRange(CPU, 20, 30)) < 15); // warn: 85
  assert.deepEqual(valueRange(CPU, 0, 0), [0, 0.01]); // nothing below what can be
});

test("a threshold that the values come near to is in the chart", () => {
  const [, high] = valueRange(CPU, 40, 80);
  assert.ok(high !== null && high > 85 && high < 95); // warn, but not critical
});
