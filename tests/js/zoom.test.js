import assert from "node:assert/strict";
import { test } from "node:test";

import { spanUnder } from "../../static/dashboard/chart_input.js";
import { scaled, spanOfAddress } from "../../static/dashboard/zoom.js";

const RANGE = { from: 1_000, to: 2_000 };

test("an address names a stretch of time in Unix seconds or in ISO 8601", () => {
  /** @param {string} query */
  const span = (query) => spanOfAddress(new URLSearchParams(query));
  assert.deepEqual(span("from=1735174400&to=1735174500.5"), { from: 1_735_174_400, to: 1_735_174_500.5 });
  assert.deepEqual(span("from=2024-12-26T00:54:20Z&to=2024-12-26T01:54:20Z"), { from: 1_735_174_460, to: 1_735_178_060 });
  assert.deepEqual(span("from=2024-12-26T02:54:20+02:00&to=2024-12-26T01:54:20%2B00:00"), { from: 1_735_174_460, to: 1_735_178_060 });
  for (const wrong of ["", "from=1", "from=2&to=1", "from=a&to=b", "from=5&to=6", "from=2024-12-26&to=2024-12-27", "from=-5&to=9", "from=1&to=1e99", "from=1&to=99999999999", "from=1960-01-01T00:00:00Z&to=1970-01-02T00:00:00Z"]) {
    assert.equal(span(wrong), null, wrong);
  }
});

test("zooming out ends at the range, and nothing zooms into the future", () => {
  assert.deepEqual(scaled(RANGE, 0.5, 2_000, RANGE), { from: 1_500, to: 2_000 });
  assert.deepEqual(scaled(RANGE, 0.5, 1_500, RANGE), { from: 1_250, to: 1_750 });
  assert.deepEqual(scaled(RANGE, 0.5, 1_250, RANGE), { from: 1_125, to: 1_625 }); // what is pointed at stays there
  assert.deepEqual(scaled({ from: 1_500, to: 1_503 }, 0.1, 1_503, RANGE), { from: 1_501, to: 1_503 }); // shorter shows nothing
  assert.deepEqual(scaled({ from: 1_500, to: 2_000 }, 2, 1_750, RANGE), null);
  assert.deepEqual(scaled({ from: 1_800, to: 2_000 }, 2, 1_900, RANGE), { from: 1_600, to: 2_000 });
  assert.deepEqual(scaled({ from: 100, to: 200 }, 2, 150, RANGE), { from: 50, to: 250 });
});

test("two fingers hold the times that they touch", () => {
  assert.deepEqual(spanUnder([1_400, 1_600], [0, 1]), { from: 1_400, to: 1_600 });
  assert.deepEqual(spanUnder([1_250, 1_750], [0.25, 0.75]), { from: 1_000, to: 2_000 });
  assert.equal(spanUnder([1_400, 1_600], [0.5, 0.5]), null);
  assert.equal(spanUnder([1_400, 1_600], [0.6, 0.4]), null); // they crossed
});
