/** The bar's controls: each turns a touch or a key into one call, and shows what is chosen. */

/** @typedef {import("./preferences.js").Preferences} Preferences */

/**
 * @typedef {object} Actions
 * @property {(isPaused: boolean) => void} pause
 * @property {(isShown: boolean) => void} table
 * @property {() => void} retry
 */

/** @param {Document} document  @param {Preferences} preferences  @param {Actions} actions */
export function bindControls(document, preferences, actions) {
  /** @param {string} id */
  const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

  /** @param {string} id  @param {(isOn: boolean) => void} act */
  const bindToggle = (id, act) => {
    const button = part(id);
    button.addEventListener("click", () => {
      const isOn = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(isOn));
      act(isOn);
    });
  };
  bindToggle("pause", actions.pause);
  bindToggle("table-toggle", actions.table);
  part("retry").addEventListener("click", actions.retry);
  part("clock").addEventListener("click", () => preferences.set("zone", preferences.zone === "utc" ? "local" : "utc"));
  bindFullScreen(document, part("fullscreen"));
  bindSheet(part("settings"));
  bindSheet(part("reasons"));

  /** @type {NodeListOf<HTMLInputElement>} */
  const choices = document.querySelectorAll('#ranges input, #settings input[type="radio"]');
  const showChosen = () => {
    for (const input of choices) {
      input.checked = preferences.isChosen(input.name, input.value);
    }
    document.documentElement.dataset.theme = preferences.theme;
    document.documentElement.dataset.profit = preferences.profit;
  };
  for (const input of choices) input.addEventListener("change", () => preferences.set(input.name, input.value));
  preferences.addEventListener("change", showChosen);
  showChosen();
}

/** @param {Document} document  @param {HTMLElement} button */
function bindFullScreen(document, button) {
  button.hidden = !document.fullscreenEnabled;
  button.addEventListener("click", () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else document.documentElement.requestFullscreen().catch(() => (button.hidden = true));
  });
  document.addEventListener("fullscreenchange", () => {
    button.setAttribute("aria-pressed", String(document.fullscreenElement !== null));
  });
}

/** Escape and a touch elsewhere close the sheet. @param {HTMLElement} sheet */
function bindSheet(sheet) {
  const close = () => sheet.removeAttribute("open");
  sheet.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !sheet.hasAttribute("open")) return;
    close();
    sheet.querySelector("summary")?.focus();
  });
  sheet.ownerDocument.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Node && !sheet.contains(event.target)) close();
  });
}

/** A screen on a wall does not go to sleep. @param {Document} document */
export function keepAwake(document) {
  const ask = () => {
    if (document.visibilityState === "visible") navigator.wakeLock?.request("screen").catch(() => {});
  };
  document.addEventListener("visibilitychange", ask);
  ask();
}
