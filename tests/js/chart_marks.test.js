import assert from "node:assert/strict";
import { test } from "node:test";

import { Labels } from "../../static/dashboard/chart_labels.js";
import { drawGaps, drawMarkers, drawThresholds, nameThresholds } from "../../static/dashboard/chart_marks.js";

Object.assign(globalThis, { devicePixelRatio: 1, document: { documentElement: {} }, getComputedStyle: () => ({ fontSize: "16px" }) });

/** A plot of 100 × 50 pixels at 10, 10 that notes what is done to it: a time and a value are pixels. */
function makePlot() {
  /** @type {any[][]} */ const done = [];
  const ctx = new Proxy(/** @type {any} */ ({ measureText: (/** @type {string} */ text) => ({ width: 6 * text.length }) }), {
    get: (target, name) => target[name] ?? ((/** @type {any[]} */ ...words) => done.push([name, ...words])),
    set: () => true,
  });
  return { plot: { ctx, bbox: { left: 10, top: 10, width: 100, height: 50 }, valToPos: (/** @type {number} */ value) => value }, done };
}

const colour = (/** @type {string} */ name) => name;
/** @param {any[][]} done */
const textsIn = (done) => done.filter(([name]) => name === "fillText").map(([, text]) => text);
/** @param {number} time  @param {string} label  @returns {import("../../static/dashboard/markers.js").Marker} */
const markerAt = (time, label) => ({ time, kind: "switch", label, detail: "" });

test("a label is left out where it would be struck through by the next mark or by the edge", () => {
  const { plot, done } = makePlot();
  drawMarkers(plot, [markerAt(12, "simulated"), markerAt(40, "redis"), markerAt(95, "host")], colour, new Labels(plot));
  assert.deepEqual(textsIn(done), ["redis"]);
});

test("what lies outside of the chart is not marked", () => {
  const { plot, done } = makePlot();
  drawMarkers(plot, [markerAt(5, "a"), markerAt(111, "b")], colour, new Labels(plot));
  assert.deepEqual(done.filter(([name]) => name === "stroke"), []);
});

test("a gap of less than a pixel clears three", () => {
  const { plot, done } = makePlot();
  drawGaps(plot, [{ from: 50, to: 50.2 }], colour);
  const [, left, top, width, height] = done.find(([name]) => name === "clearRect") ?? [];
  assert.deepEqual([Math.round(left * 10) / 10, top, Math.round(width * 10) / 10, height], [48.6, 10, 3, 50]);
});

/** @typedef {import("../../static/dashboard/chart_marks.js").Threshold} Threshold */

/** @param {Threshold[]} thresholds  @param {"above"|"below"} worse  @param {any[]} [data]  @returns {any[][]} what is done to the plot */
function drawnThresholds(thresholds, worse, data) {
  const { plot, done } = makePlot();
  const labels = new Labels(plot, data);
  drawThresholds(plot, thresholds, colour, labels);
  nameThresholds(plot, thresholds, worse, colour, labels);
  return done;
}

/** @param {any[][]} done */
const placesIn = (done) => done.filter(([name]) => name === "fillText").map(([, ...words]) => words);

test("thresholds are drawn and named where they lie in the chart", () => {
  const done = drawnThresholds([{ value: 40, name: "warn" }, { value: 200, name: "critical" }], "above");
  assert.deepEqual(placesIn(done), [["warn", 107, 37]]);
  assert.deepEqual(done.filter(([name]) => name === "lineTo"), [["lineTo", 110, 40]]);
});

test("the name of a threshold goes to the other side, or away, where it would cover something", () => {
  const line = /** @type {Threshold} */ ({ value: 40, name: "warn" });
  // Data runs where the name would stand at first: above the line at the right; then all along it.
  assert.deepEqual(placesIn(drawnThresholds([line], "above", [[80, 110], [34, 34]])), [["warn", 13, 37]]);
  assert.deepEqual(placesIn(drawnThresholds([line], "above", [[10, 110], [34, 34]])), [["warn", 107, 43]]);
  assert.deepEqual(placesIn(drawnThresholds([line], "above", [[10, 110], [34, 34], [46, 46]])), []);
  // Two lines that lie close: each has its name on its own side, and none covers the other.
  const both = drawnThresholds([{ value: 34, name: "critical" }, { value: 40, name: "warn" }], "above");
  assert.deepEqual(placesIn(both), [["critical", 107, 31], ["warn", 107, 43]]);
});
