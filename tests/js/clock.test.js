import assert from "node:assert/strict";
import { test } from "node:test";

import { LocalClock, ServerClock, pageArrival } from "../../static/dashboard/clock.js";

test("a wrong clock on this machine shows no wrong time", () => {
  const clock = new ServerClock();
  clock.note(1_000_000, 5); // local time is anything
  clock.note(1_000_003, 8.4);
  assert.ok(Math.abs((clock.at(8.4) ?? 0) - 1_000_003.4) < 0.01);
});

test("a late message does not make later ones look young", () => {
  const clock = new ServerClock();
  clock.note(1000, 0);
  clock.note(1003, 600); // sent at 1003, held up for ten minutes
  assert.ok((clock.at(600) ?? 0) > 1599);
});

test("a page that was long on its way does not put the server's clock ahead", () => {
  const timing = /** @type {any} */ ({ getEntriesByType: () => [{ responseStart: 2050 }], now: () => 2300 });
  const clock = new ServerClock();
  clock.note(1000, pageArrival(timing) ?? 0); // opened at 0, stamped at 2, here at 2.05
  assert.ok(Math.abs((clock.at(2.05) ?? 0) - 1000) < 0.01);
  assert.equal(pageArrival(/** @type {any} */ ({ getEntriesByType: () => [], now: () => 2300 })), 2.3);
});

test("no note, no time", () => assert.equal(new ServerClock().at(5), null));

test("a page that the browser kept from an earlier visit is of no known age", () => {
  const timing = /** @type {any} */ ({ getEntriesByType: () => [{ responseStart: 20, transferSize: 0 }], now: () => 300 });
  assert.equal(pageArrival(timing), null);
});

test("a snapshot that is known to be new shows a clock that was set back, within its slack", () => {
  const clock = new ServerClock();
  clock.note(5000, 10);
  clock.limit(5000, 11, 0, 2);
  assert.ok(Math.abs((clock.at(11) ?? 0) - 5001) < 0.01);
  clock.limit(1404, 14, 0, 2);
  assert.ok(Math.abs((clock.at(14) ?? 0) - 1404) < 0.01);
});

test("time in which this machine slept counts, setting its clock back does not", () => {
  const read = { monotonic: 1_000, calendar: 5_000_000 };
  const clock = new LocalClock(() => read.monotonic, () => read.calendar);
  /** @param {number} monotonic  @param {number} calendar milliseconds */
  const pass = (monotonic, calendar) => {
    read.monotonic += monotonic;
    read.calendar += calendar;
    return clock.now();
  };
  assert.equal(pass(2_000, 2_000), 3);
  assert.equal(pass(1_000, 3_601_000), 3604);
  assert.equal(pass(1_000, -7_200_000), 3605);
  assert.equal(pass(1_000, 1_100), 3606);
});
