/** Which theme is on: for canvases, which keep the colours of their drawing, and for the browser's own bar around the page. */

/** @typedef {import("./preferences.js").Preferences} Preferences */

/**
 * Keep `data-drawn` on the root element at `dark` or `light` and the browser's bar in the colour of ours, and call
 * `onChange` when canvases must be drawn again.
 * @param {Document} document  @param {Preferences} preferences  @param {() => void} onChange
 */
export function watchTheme(document, preferences, onChange) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  /** @type {NodeListOf<HTMLMetaElement>} */ const bars = document.querySelectorAll('meta[name="theme-color"]');
  const note = () => {
    // Browsers print in light: by then it is too late to draw again, and afterwards nothing has changed.
    if (paper.matches) return;
    const isDark = preferences.theme === "auto" ? dark.matches : preferences.theme === "dark";
    document.documentElement.dataset.drawn = isDark ? "dark" : "light";
    const { backgroundColor } = getComputedStyle(/** @type {Element} */ (document.querySelector(".brand")));
    for (const bar of bars) bar.content = backgroundColor;
    onChange();
  };
  dark.addEventListener("change", note);
  preferences.addEventListener("change", (event) => {
    if (["theme", "profit"].includes(/** @type {CustomEvent} */ (event).detail)) note();
  });
  note();
}
