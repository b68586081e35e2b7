/**
 * The service worker: where there is no network, it brings the page that was here last, marked as kept.
 *
 * The network is asked first for everything; what is kept answers only where nothing else does, so no page from before
 * an upgrade is shown after it. What is neither the page nor one of its files (the stream, history, the admin) never
 * passes here. The server writes `self.release` above this text: `name`, another one after each upgrade, the address of
 * the `page`, and those of its `files`.
 */

const worker = /** @type {any} */ (self);
/** @type {{name: string, page: string, files: string[]}} */
const release = worker.release;
/** What a proxy answers while the server behind it is away. */
const AWAY = new Set([502, 503, 504]);
/** Of how the page was sent, not of the page; and what would make it another one for each browser. */
const FOREIGN_HEADERS = ["Content-Encoding", "Content-Length", "Set-Cookie", "Vary"];

worker.addEventListener("install", (/** @type {any} */ event) => event.waitUntil(install()));
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== worker.location.origin) return;
  if (mode === "navigate" && pathname === release.page) event.respondWith(bringPage(event));
  else if (release.files.includes(pathname)) event.respondWith(bringFile(event.request));
});

/** Keep the whole release, or fail and be tried again; then take over from the one before, whose server is gone. */
async function install() {
  const cache = await caches.open(release.name);
  await cache.addAll(release.files);
  await keepPage(await fetch(release.page));
  await worker.skipWaiting();
}

async function activate() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== release.name).map((name) => caches.delete(name)));
  // Where it is on, and the server away, Firefox shows its own error and asks no worker for what it kept.
  await worker.registration.navigationPreload?.disable();
}

/** @param {any} event  @returns {Promise<Response>} */
async function bringPage(event) {
  try {
    const response = await fetch(event.request);
    if (AWAY.has(response.status)) return (await findKept(release.page)) ?? response;
    event.waitUntil(keepPage(response.clone()));
    return response;
  } catch {
    return (await findKept(release.page)) ?? Response.error();
  }
}

/** @param {Request} request  @returns {Promise<Response>} */
async function bringFile(request) {
  try {
    return await fetch(request);
  } catch {
    return (await findKept(request)) ?? Response.error();
  }
}

/** @param {Request|string} request  @returns {Promise<Response|undefined>} */
async function findKept(request) {
  const cache = await caches.open(release.name);
  return cache.match(request, { ignoreVary: true });
}

/** Keep the page with its mark; where it is refused, or elsewhere by now, keep none. @param {Response} response */
async function keepPage(response) {
  const cache = await caches.open(release.name);
  if (!response.ok) {
    if (response.status < 500) await cache.delete(release.page);
    return;
  }
  const headers = new Headers(response.headers);
  for (const name of FOREIGN_HEADERS) headers.delete(name);
  const text = (await response.text()).replace("<html", "<html data-kept");
  await cache.put(release.page, new Response(text, { headers }));
}
