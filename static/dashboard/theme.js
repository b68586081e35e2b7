/** Which theme canvases are drawn in: they keep the colours of their drawing, whatever CSS says later (on paper, say). */

/** @typedef {import("./preferences.js").Preferences} Preferences */

/**
 * Keep `data-drawn` on the root element at `dark` or `light`, and call `onChange` when canvases must be drawn again.
 * @param {Document} document  @param {Preferences} preferences  @param {() => void} onChange
 */
export function watchTheme(document, preferences, onChange) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const note = () => {
    // Browsers print in light: by then it is too late to draw again, and afterwards nothing has changed.
    if (paper.matches) return;
    const isDark = preferences.theme === "auto" ? dark.matches : preferences.theme === "dark";
    document.documentElement.dataset.drawn = isDark ? "dark" : "light";
    onChange();
  };
  dark.addEventListener("change", note);
  preferences.addEventListener("change", (event) => {
    if (["theme", "profit"].includes(/** @type {CustomEvent} */ (event).detail)) note();
  });
  note();
}
