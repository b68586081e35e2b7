/** Text on the page. */

/** Touch the page only where something changed. @param {Element} element  @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
