/** Which way a number goes, as shown: by a class, and by a shape for those who see no colour. */

/** @param {number} value  @param {number} decimals as shown  @returns {-1|0|1} */
function directionOf(value, decimals) {
  return /** @type {-1|0|1} */ (Math.sign(Number(value.toFixed(decimals))));
}

/** @param {number} value  @param {number} decimals  @returns {string} */
export function arrowOf(value, decimals) {
  return ["▼", "■", "▲"][directionOf(value, decimals) + 1];
}

/** Colour `element` by the sign of `value`. @param {Element} element  @param {number|null} value  @param {number} decimals */
export function setDirection(element, value, decimals) {
  const direction = value === null ? 0 : directionOf(value, decimals);
  element.classList.toggle("up", direction > 0);
  element.classList.toggle("down", direction < 0);
}
