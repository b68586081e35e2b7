/** The lowest and the highest value of some lines, breaks passed over. */

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
