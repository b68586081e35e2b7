/** The small line on a card: the range at a glance, with the breaks that the charts have. */

/** More points than this are not seen on a card. */
const MOST_POINTS = 90;

/**
 * SVG path data for a 100 × 24 box.
 * @param {number[]} times
 * @param {(number|null|undefined)[]} values  null breaks the line, undefined is passed over
 * @param {{from: number, to: number, low: number, high: number}} frame what the box shows
 * @returns {string}
 */
export function sparkPath(times, values, { from, to, low, high }) {
  const stride = Math.max(Math.ceil(times.length / MOST_POINTS), 1);
  const width = to - from || 1;
  const height = high - low;
  let path = "";
  let isOpen = false;
  let passed = 0;
  times.forEach((time, index) => {
    const value = values[index];
    if (value === undefined || time < from) return;
    if (value === null) {
      isOpen = false;
      passed = 0;
      return;
    }
    passed += 1;
    // Every stride-th point, but always the first after a break and the last before one.
    const isEnd = index + 1 === times.length || values[index + 1] === null;
    if (isOpen && !isEnd && passed % stride) return;
    const x = ((time - from) / width) * 100;
    const y = height ? 22 - ((value - low) / height) * 20 : 12;
    const point = `${x.toFixed(1)} ${y.toFixed(1)}`;
    path += isOpen ? `L${point}` : `M${point}h0.01`; // h0.01: a point that stands alone is seen
    isOpen = true;
  });
  return path;
}

/** @param {(number|null|undefined)[][]} lines  @returns {{low: number, high: number}|null} null: nothing to draw */
export function extent(lines) {
  let [low, high] = [Infinity, -Infinity];
  for (const line of lines) {
    for (const value of line) {
      if (value === null || value === undefined) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? { low, high } : null;
}
