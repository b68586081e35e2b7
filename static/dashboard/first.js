/**
 * What stands between the page and its first picture, and no more: the colours that the reader chose, and a wall's size
 * of type (what may be chosen says preferences.js). The numbers are in the page already. When they stand on the screen
 * this brings the rest: 40 modules that are asked for at the same time would double the wait for them.
 */

/** Milliseconds after which a tab that nobody sees, and so draws nothing, has the rest, too. */
const BRING_WITHIN = 500;

function showWishes() {
  const address = new URLSearchParams(location.search);
  /** @type {Record<string, string>} */
  let kept = {};
  try {
    kept = JSON.parse(window.localStorage.getItem("quantum-trader-dashboard") ?? "{}") ?? {};
  } catch {
    // The browser forbids it, or nothing readable is kept there: the defaults do.
  }
  const { dataset } = document.documentElement;
  for (const name of ["theme", "profit"]) dataset[name] = address.get(name) ?? kept[name] ?? "";
  if (["1", "true", "yes"].includes(address.get("kiosk") ?? "")) dataset.kiosk = "";
}

function bringRest() {
  const rest = document.querySelector("#rest");
  if (!(rest instanceof HTMLTemplateElement)) return;
  document.head.append(rest.content);
  rest.remove();
}

showWishes();
document.addEventListener("DOMContentLoaded", () => {
  setTimeout(bringRest, BRING_WITHIN);
  requestAnimationFrame(() => setTimeout(bringRest));
});
