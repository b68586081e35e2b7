/** Has the service worker keep this page, and a kept page give way to the server's as soon as there is one. */

/** Milliseconds between two looks whether the server is back, and within which it must answer. */
const LOOK_EVERY = 5_000;

/** Milliseconds in which the page's modules, and its charts after them, are mostly here. */
const REGISTER_AFTER = 1_000;

/** A kept page is of another time, and maybe of another version: show the server's, also where that is a refusal. */
async function giveWay() {
  try {
    const signal = AbortSignal.timeout(LOOK_EVERY);
    const { status } = await fetch(location.pathname, { method: "HEAD", cache: "no-store", signal });
    if (status < 500) location.reload();
  } catch {
    // Still no network, or no server.
  }
}

if (document.documentElement.hasAttribute("data-kept")) {
  setInterval(giveWay, LOOK_EVERY);
  window.addEventListener("online", giveWay);
}
// The one script address that this page names by a text: its policy lets it (Trusted Types), and no other.
const { trustedTypes } = /** @type {any} */ (window); // not everywhere
const trusted = trustedTypes?.createPolicy("offline", { createScriptURL: () => "/service-worker.js" });
// Not before the page has what it needs; and without (no HTTPS, storage refused) it is a page like any other.
setTimeout(() => {
  const worker = trusted?.createScriptURL("") ?? "/service-worker.js";
  navigator.serviceWorker?.register(worker, { updateViaCache: "none" }).catch(() => {});
}, REGISTER_AFTER);
