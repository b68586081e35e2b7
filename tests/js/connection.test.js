import assert from "node:assert/strict";
import { test } from "node:test";

import { LiveConnection } from "../../static/dashboard/connection.js";
import { Poller } from "../../static/dashboard/poller.js";
import { FakeBrowser, settle, snapshot } from "./browser.js";

/** A started connection, its browser, and what it reported. */
function connect() {
  const browser = new FakeBrowser();
  const connection = new LiveConnection({ url: "/stream/live", latestUrl: "/stream/latest", environment: browser.environment });
  /** @type {number[]} */ const seen = [];
  /** @type {any[]} */ const missing = [];
  connection.addEventListener("snapshot", (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    seen.push(detail.snapshot.timestamp);
    if (detail.missing) missing.push(detail.missing);
  });
  connection.start();
  return { browser, connection, seen, missing };
}

/** @param {FakeBrowser} browser  @param {number[]} timestamps */
function deliver(browser, ...timestamps) {
  browser.socket.open();
  for (const timestamp of timestamps) browser.socket.send(snapshot(timestamp));
}

test("reports each snapshot once, oldest first", () => {
  const { browser, seen } = connect();
  deliver(browser, 100, 103, 103, 100, 106);
  assert.deepEqual(seen, [100, 103, 106]);
});

test("a first connection asks for no past, a later one resumes after the last snapshot", async () => {
  const { browser } = connect();
  assert.equal(browser.socket.url, "/stream/live");
  deliver(browser, 100.125);
  browser.socket.end(1006);
  await browser.advance(1000);
  assert.equal(browser.socket.url, "/stream/live?since=100125");
});

test("a page that has a snapshot already asks for what came after it", () => {
  const browser = new FakeBrowser();
  new LiveConnection({ url: "/live", since: 99500, environment: browser.environment }).start();
  assert.equal(browser.socket.url, "/live?since=99500");
});

test("a server that does not understand `since` is asked without it", async () => {
  const { browser } = connect();
  deliver(browser, 100);
  browser.socket.end(4400);
  await browser.advance(1000);
  assert.equal(browser.socket.url, "/stream/live");
});

test("says where snapshots are missing", () => {
  const { browser, missing } = connect();
  browser.socket.open();
  browser.socket.send(snapshot(100));
  browser.socket.send(snapshot(109));
  assert.deepEqual(missing, [{ after: 100_000, before: 109_000, isGone: false }]);
});

test("says what is gone for good, as the server tells it", () => {
  const { browser, missing } = connect();
  deliver(browser, 100);
  browser.socket.send(snapshot(109, { missed: { after: 100_000, before: 109_000 } }));
  assert.deepEqual(missing, [{ after: 100_000, before: 109_000, isGone: true }]);
});

test("a snapshot that does not follow the last one here is told as such, whatever it follows", () => {
  const { browser, missing } = connect();
  deliver(browser, 97, 100);
  browser.socket.send(snapshot(103, { previous: 97_000, missed: { after: 100_000, before: 103_000 } }));
  assert.deepEqual(missing, [{ after: 100_000, before: 103_000, isGone: true }]);
});

test("a publisher that does not know what came before it may have left something out", () => {
  const { browser, missing } = connect();
  deliver(browser, 100);
  browser.socket.send(snapshot(103, { previous: null }));
  assert.deepEqual(missing, [{ after: 100_000, before: 103_000, isGone: false }]);
});

test("nothing is missing before the first of all", () => {
  const { browser, missing } = connect();
  browser.socket.open();
  browser.socket.send(snapshot(100, { previous: null }));
  assert.deepEqual(missing, []);
});

test("a clock that is set back, or ahead and back, makes nothing old and nothing missing", async () => {
  const { browser, seen, missing } = connect();
  deliver(browser, 10_000);
  browser.socket.send(snapshot(13_600, { previous: 10_000_000 }));
  browser.socket.send(snapshot(10_006, { id: 13_600_001, previous: 13_600_000 }));
  assert.deepEqual([seen, missing], [[10_000, 13_600, 10_006], []]);
  browser.socket.end(1006);
  await browser.advance(1000);
  assert.equal(browser.socket.url, "/stream/live?since=13600001");
});

test("a newer timestamp makes no older snapshot new", () => {
  const { browser, seen } = connect();
  deliver(browser, 100);
  browser.socket.send(snapshot(200, { id: 99_000 }));
  browser.socket.send(snapshot(200, { id: undefined }));
  assert.deepEqual(seen, [100]);
});

test("where the server answers that its sequence is another one, it begins again", () => {
  const { browser, seen, missing } = connect();
  deliver(browser, 100);
  browser.socket.send(snapshot(50, { missed: { after: 99_000, before: 50_000 } })); // said to somebody else
  browser.socket.send(snapshot(53, { missed: { after: 100_000, before: 53_000 } }));
  browser.socket.send(snapshot(56));
  assert.deepEqual(seen, [100, 53, 56]);
  assert.deepEqual(missing, [{ after: 100_000, before: 53_000, isGone: true }]);
});

test("says which snapshot is the first that a socket, or polling, brings", async () => {
  const { browser, connection } = connect();
  /** @type {boolean[]} */ const first = [];
  connection.addEventListener("snapshot", (event) => first.push(/** @type {CustomEvent} */ (event).detail.isFirst));
  deliver(browser, 100, 103, 106);
  browser.socket.end(1006);
  await browser.advance(1000);
  deliver(browser, 109, 112);
  let timestamp = 112;
  browser.answer = () => ({ ok: true, status: 200, json: async () => snapshot((timestamp += 3)) });
  for (let attempt = 0; attempt < 4; attempt += 1) {
    browser.socket.end(1006);
    if (attempt < 3) await browser.advance((connection.status.retryAt ?? 0) - browser.time);
  }
  await settle();
  browser.socket.end(1006); // the one that the first answer opened
  await browser.advance(6000);
  assert.deepEqual(first, [true, false, false, true, false, true, false]);
});

for (const code of [1000, 1006, 1009, 1012, 1013]) {
  test(`comes back after ${code}`, async () => {
    const { browser, connection } = connect();
    deliver(browser, 100);
    browser.socket.end(code);
    assert.equal(connection.status.phase, "waiting");
    await browser.advance(1000);
    assert.equal(browser.sockets.length, 2);
  });
}

test("a refusal (4403) stops it", async () => {
  const { browser, connection } = connect();
  deliver(browser, 100);
  browser.socket.end(4403);
  await browser.advance(600_000);
  assert.equal(connection.status.phase, "refused");
  assert.equal(browser.sockets.length, 1);
});

test("told to sign in again (4401), it asks once more without a word: a new password gave it a new session", async () => {
  const { browser, connection } = connect();
  for (let time = 100; time < 109; time += 3) {
    deliver(browser, time);
    browser.socket.end(4401);
    assert.equal(connection.status.isChecking, true);
    await browser.advance(1000);
    assert.match(browser.socket.url, new RegExp(`since=${time}`));
  }
});

test("told so twice, it stops until the tab is looked at again, then resumes where it was", async () => {
  const { browser, connection } = connect();
  deliver(browser, 100);
  browser.socket.end(4401);
  await browser.advance(1000);
  browser.socket.open();
  browser.socket.end(4401);
  await browser.advance(600_000);
  assert.equal(connection.status.phase, "refused");
  assert.equal(browser.sockets.length, 2);
  browser.document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(browser.sockets.length, 3);
  assert.match(browser.socket.url, /since=100/);
  browser.socket.end(4401);
  assert.equal(connection.status.phase, "refused");
});

test("backs off from 0.5 s to 20 s with full jitter, and never gives up", async () => {
  const { browser, connection } = connect();
  for (const chance of [0, 1]) {
    browser.chance = chance;
    /** @type {number[]} */ const delays = [];
    for (let attempt = 0; attempt < 60; attempt += 1) {
      browser.socket.end(1006);
      const delay = (connection.status.retryAt ?? 0) - browser.time;
      delays.push(delay);
      await browser.advance(delay);
    }
    if (chance === 0) assert.deepEqual([...new Set(delays)], [500]);
    else assert.equal(Math.max(...delays), 20_000);
  }
  assert.equal(browser.sockets.length, 121);
});

test("after a snapshot the next failure starts small again", async () => {
  const { browser, connection } = connect();
  browser.chance = 1;
  for (let attempt = 0; attempt < 8; attempt += 1) {
    browser.socket.end(1006);
    await browser.advance(20_000);
  }
  deliver(browser, 100);
  assert.equal(connection.status.attempt, 0);
  browser.socket.end(1006);
  assert.equal((connection.status.retryAt ?? 0) - browser.time, 1000);
});

test("replaces a socket that is open but silent, and keeps one only", async () => {
  const { browser, connection } = connect();
  deliver(browser, 100);
  await browser.advance(10_400);
  assert.equal(browser.sockets.length, 1);
  await browser.advance(200);
  assert.equal(browser.sockets.length, 2);
  assert.equal(browser.openSockets, 1);
  assert.equal(connection.status.isChecking, true);
});

test("waits longer each time where a new socket brings nothing new either", async () => {
  const { browser } = connect();
  deliver(browser, 100);
  for (let round = 0; round < 20; round += 1) {
    await browser.advance(10_500);
    if (browser.socket.onopen) deliver(browser, 100);
  }
  assert.ok(browser.sockets.length <= 6, `${browser.sockets.length} sockets in 210 s`);
});

test("a server that never answers the handshake is given up after 10 s", async () => {
  const { browser, connection } = connect();
  await browser.advance(10_100);
  assert.equal(connection.status.phase, "waiting");
  assert.equal(browser.openSockets, 0);
});

test("time in a frozen tab is no silence: the socket may first prove that it lives", async () => {
  const { browser } = connect();
  deliver(browser, 100);
  await browser.freeze(3_600_000);
  assert.equal(browser.sockets.length, 1);
  browser.socket.send(snapshot(3700));
  await browser.advance(4_600);
  assert.equal(browser.sockets.length, 1);
});

test("a socket that died with the frozen tab is replaced soon", async () => {
  const { browser } = connect();
  deliver(browser, 100);
  await browser.freeze(3_600_000);
  await browser.advance(4_600);
  assert.equal(browser.sockets.length, 2);
});

for (const [target, name] of /** @type {const} */ ([["window", "online"], ["window", "pageshow"], ["document", "visibilitychange"], ["document", "resume"]])) {
  test(`\`${name}\` ends the waiting`, () => {
    const { browser } = connect();
    deliver(browser, 100);
    browser.socket.end(1006);
    browser[target].dispatchEvent(new Event(name));
    browser[target].dispatchEvent(new Event(name));
    assert.equal(browser.sockets.length, 2);
  });
}

test("a tab that is being hidden retries nothing", () => {
  const { browser } = connect();
  browser.socket.end(1006);
  browser.document.visibilityState = "hidden";
  browser.document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(browser.sockets.length, 1);
});

test("retrying by hand while it connects makes no second socket", () => {
  const { browser, connection } = connect();
  connection.retryNow();
  connection.retryNow();
  assert.equal(browser.openSockets, 1);
});

test("polls where sockets never open but HTTP answers, and returns to the socket", async () => {
  const { browser, connection, seen } = connect();
  let timestamp = 100;
  browser.answer = () => ({ ok: true, status: 200, json: async () => snapshot((timestamp += 3)) });
  for (let attempt = 0; attempt < 3; attempt += 1) {
    browser.socket.end(1006);
    if (attempt < 2) await browser.advance((connection.status.retryAt ?? 0) - browser.time);
  }
  await settle();
  browser.socket.end(1006);
  await browser.advance(3_000);
  assert.equal(connection.status.mode, "polling");
  assert.deepEqual(seen, [106]);
  assert.notEqual(connection.status.pollingSince, null);
  await browser.advance(20_000);
  deliver(browser, 500);
  assert.equal(connection.status.pollingSince, null);
  assert.equal(connection.status.mode, "socket");
  const { requests } = browser;
  await browser.advance(9_000);
  assert.equal(browser.requests, requests);
});

test("a poll that succeeds is a reason to try a socket at once, and only the first of them", async () => {
  const { browser, connection, seen } = connect();
  browser.chance = 1; // the longest waits
  for (let attempt = 0; attempt < 6; attempt += 1) {
    browser.socket.end(1006);
    if (attempt < 5) await browser.advance((connection.status.retryAt ?? 0) - browser.time);
  }
  assert.equal(connection.status.mode, "socket");
  const attempts = browser.sockets.length;
  let timestamp = 100;
  browser.answer = () => ({ ok: true, status: 200, json: async () => snapshot((timestamp += 3)) });
  await browser.advance(3_000);
  assert.equal(connection.status.phase, "connecting");
  assert.equal(browser.sockets.length, attempts + 1);
  assert.deepEqual(seen, []); // the socket brings it, with all that was missed
  browser.socket.end(1006);
  await browser.advance(9_000);
  assert.equal(browser.sockets.length, attempts + 1);
  assert.deepEqual(seen, [106, 109, 112]);
  assert.ok(browser.time - (connection.status.pollingSince ?? Infinity) >= 6_000);
});

test("a poll that never gets an answer is given up, and the next one may succeed", async () => {
  const { browser, connection, seen } = connect();
  browser.answer = () => new Promise(() => {});
  for (let attempt = 0; attempt < 3; attempt += 1) {
    browser.socket.end(1006);
    if (attempt < 2) await browser.advance((connection.status.retryAt ?? 0) - browser.time);
  }
  assert.equal(browser.requests, 1);
  await browser.advance(9_900);
  assert.equal(browser.requests, 1);
  browser.answer = () => ({ ok: true, status: 200, json: async () => snapshot(103) });
  await browser.advance(6_200);
  assert.deepEqual(seen, [103]);
  assert.equal(connection.status.mode, "polling");
});

test("a poll under way is given up where polling ends", async () => {
  const { browser, connection } = connect();
  /** @type {AbortSignal|undefined} */ let signal;
  const { environment } = connection;
  connection.poller = new Poller("/latest", { ...environment, fetch: (_, options) => new Promise(() => (signal = options?.signal ?? undefined)) }, /** @type {any} */ ({}));
  connection.poller.start(3);
  assert.equal(signal?.aborted, false);
  deliver(browser, 100);
  assert.equal(signal?.aborted, true);
});

test("does not claim to poll where HTTP fails as well", async () => {
  const { browser, connection } = connect();
  for (let attempt = 0; attempt < 5; attempt += 1) {
    browser.socket.end(1006);
    await browser.advance(20_000);
  }
  assert.equal(connection.status.mode, "socket");
});

test("a refusal over HTTP stops it", async () => {
  const { browser, connection } = connect();
  browser.answer = () => ({ ok: false, status: 403 });
  for (let attempt = 0; attempt < 3; attempt += 1) {
    browser.socket.end(1006);
    await browser.advance(20_000);
  }
  assert.equal(connection.status.phase, "refused");
});

test("stop() closes the socket and lets nothing come after", async () => {
  const { browser, connection, seen } = connect();
  deliver(browser, 100);
  const { socket } = browser;
  connection.stop();
  socket.send(snapshot(103));
  await browser.advance(60_000);
  assert.deepEqual(seen, [100]);
  assert.equal(browser.openSockets, 0);
  assert.equal(browser.timers.length, 0);
});
