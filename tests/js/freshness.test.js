import assert from "node:assert/strict";
import { test } from "node:test";

import { ServerClock } from "../../static/dashboard/clock.js";
import { Freshness } from "../../static/dashboard/freshness.js";
import { snapshot } from "./browser.js";

const T = 1_000_000;
const HOUR = 3600;

/** A publisher, every 3 s, and a page that came 1 s after it was opened, with a snapshot that was 1 s old. */
function open({ age = /** @type {number|null} */ (1), at = /** @type {number|null} */ (1), hasLatest = true } = {}) {
  const clock = new ServerClock();
  const freshness = new Freshness(clock);
  let id = T * 1000;
  let now = 1;
  /** How far the publisher's clock is off, in seconds. */ let off = 0;
  freshness.notePage(hasLatest ? snapshot(T) : null, age, at);
  return {
    clock,
    freshness,
    age: () => freshness.ageAt(now),
    /** @param {number} seconds */
    pass: (seconds) => (now += seconds),
    /** @param {number} seconds */
    setClock: (seconds) => (off += seconds),
    /** One comes, published `late` seconds ago. @param {{late?: number, isFirst?: boolean}} [how] */
    receive: ({ late = 0, isFirst = false } = {}) => {
      const previous = id;
      const timestamp = T + now - late + off; // it was T when the page was opened
      id = Math.max(timestamp * 1000, id + 1);
      return freshness.note(snapshot(timestamp, { id, previous }), now, isFirst);
    },
  };
}

/** Snapshots at their pace. @param {ReturnType<typeof open>} stream  @param {number} count  @returns {number[]} the clock's steps */
function goOn(stream, count) {
  return Array.from({ length: count }, () => {
    stream.pass(3);
    return stream.receive();
  });
}

test("an age is counted from the arrival", () => {
  const stream = open();
  goOn(stream, 3);
  assert.equal(stream.age(), 0);
  stream.pass(7);
  assert.equal(stream.age(), 7);
});

test("the page's own snapshot is as old as its server says", () => {
  const stream = open({ age: 40 });
  stream.pass(2);
  assert.equal(stream.age(), 42);
});

test("one that the server read from history is of no known age, the first that comes after it is new", () => {
  const stream = open({ age: null });
  assert.equal(stream.age(), null);
  stream.pass(1);
  stream.receive({ isFirst: true });
  assert.ok((stream.age() ?? Infinity) <= 1);
});

test("after a server that was away for an hour no clock was set", () => {
  const stream = open({ age: null });
  stream.setClock(HOUR); // as it looks: what history had last was that much earlier
  stream.pass(1);
  assert.equal(stream.receive({ isFirst: true }), 0);
});

test("a page without a snapshot is no older than its first one", () => {
  const stream = open({ age: null, hasLatest: false });
  assert.equal(stream.age(), null);
  stream.pass(2);
  stream.receive({ isFirst: true });
  assert.ok((stream.age() ?? Infinity) <= 2);
});

for (const [what, step] of /** @type {const} */ ([["back", -HOUR], ["ahead", HOUR]])) {
  test(`a clock set ${what} by an hour makes a live stream no older, and is told once`, () => {
    const stream = open();
    goOn(stream, 5);
    stream.setClock(step);
    const [told, ...rest] = goOn(stream, 4);
    assert.ok(Math.abs(told - step) < 0.1, String(told));
    assert.deepEqual(rest, [0, 0, 0]);
    assert.ok((stream.age() ?? Infinity) < 0.1);
    assert.ok(Math.abs((stream.clock.at(28) ?? 0) - (T + 28 + step)) < 0.1);
  });

  test(`a clock set ${what} by an hour makes no dead stream live`, () => {
    const stream = open();
    goOn(stream, 5);
    stream.setClock(step);
    stream.receive();
    stream.pass(60);
    assert.ok((stream.age() ?? 0) >= 60);
  });
}

test("a clock that is ahead for one snapshot and then back is told twice", () => {
  const stream = open();
  goOn(stream, 5);
  stream.setClock(HOUR);
  const [ahead] = goOn(stream, 1);
  stream.setClock(-HOUR);
  const [back, none] = goOn(stream, 2);
  assert.ok(ahead > 3599 && back < -3599 && none === 0);
  assert.equal(stream.age(), 0);
});

test("what a server sends from memory is not new because it comes now", () => {
  const stream = open();
  goOn(stream, 5);
  stream.pass(1800); // without a connection; the publisher stopped 20 min ago
  for (let late = 1797; late >= 1200; late -= 3) stream.receive({ late, isFirst: late === 1797 });
  assert.ok((stream.age() ?? 0) >= 1199, String(stream.age()));
});

test("nor is the one that waited for a frozen tab, alone", () => {
  const stream = open();
  goOn(stream, 5);
  stream.pass(HOUR);
  stream.receive({ late: HOUR - 3 });
  assert.ok((stream.age() ?? 0) >= HOUR - 4);
});

test("after what was missed the newest counts", () => {
  const stream = open();
  goOn(stream, 5);
  stream.pass(60);
  for (let late = 57; late >= 0; late -= 3) stream.receive({ late, isFirst: late === 57 });
  assert.ok((stream.age() ?? Infinity) < 0.1);
});

test("a clock that was set back while the connection was away makes nothing older than that was long", () => {
  const stream = open();
  goOn(stream, 5);
  stream.setClock(-HOUR);
  stream.pass(9);
  stream.receive({ isFirst: true });
  assert.ok((stream.age() ?? Infinity) <= 9);
  goOn(stream, 2);
  assert.equal(stream.age(), 0);
});

test("a clock that was set back by less than the connection was away is found out by the publisher's pace", () => {
  const stream = open();
  goOn(stream, 5);
  stream.setClock(-1200);
  stream.pass(1800);
  assert.equal(stream.receive({ isFirst: true }), 0);
  assert.ok((stream.age() ?? 0) > 1000); // nothing tells it from one that is 20 min old
  goOn(stream, 2);
  assert.equal(stream.age(), 0);
  assert.ok(Math.abs((stream.clock.at(1822) ?? 0) - (T + 1822 - 1200)) < 1);
});

test("after what was missed the publisher's clock is the one that it was set to", () => {
  const stream = open();
  goOn(stream, 5);
  stream.setClock(-HOUR);
  stream.pass(1800);
  stream.receive({ late: 1, isFirst: true });
  stream.receive();
  assert.ok(Math.abs((stream.clock.at(1816) ?? 0) - (T + 1816 - HOUR)) < 0.1);
});

test("a publisher that was silent and goes on did not set its clock", () => {
  const stream = open();
  goOn(stream, 5);
  stream.pass(600);
  assert.equal(stream.receive(), 0);
  assert.equal(stream.age(), 0);
});

test("what waited while the publisher was silent, and all that came after, sets no clock", () => {
  const stream = open();
  goOn(stream, 5);
  stream.pass(1000);
  assert.equal(stream.receive({ late: 900 }), 0);
  assert.equal(stream.receive({ late: 0 }), 0);
});

test("a page that the browser kept is of no known age until the stream goes at its pace", () => {
  const stream = open({ at: null });
  assert.equal(stream.age(), null);
  stream.receive({ late: 500, isFirst: true });
  stream.receive({ late: 497 });
  assert.equal(stream.age(), null);
  goOn(stream, 2);
  assert.equal(stream.age(), 0);
});

test("another sequence says nothing of the clock", () => {
  const stream = open();
  goOn(stream, 5);
  stream.pass(3);
  assert.equal(stream.freshness.note(snapshot(500_000, { previous: null }), 19, false), 0);
});
