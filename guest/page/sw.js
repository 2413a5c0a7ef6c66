// The service worker: opens the page when the network is away.
//
// Every build has a cache of its own, made whole before it is used. Page and files cannot be of different builds,
// because the page names its files by the build's version. What is not in the list stays on the network: all of
// `/api/`, and invite links, which work once. The page is kept in the language that it was last read in.

const VERSION = "{version}";
const FILES = "{files}".split(" ").map((name) => `/assets/${VERSION}/${name}`);
const SHELL = `shell-${VERSION}`;
const CATALOGUE = new RegExp(`/assets/${VERSION}/texts\\.[\\w-]+\\.js`);
const PAGE = "/chat";
// A network that takes longer is taken to be away.
const PATIENCE_MS = 3_000;

// A new build takes over at once: the pages of the old one have all their files.
addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(keepAll());
});

async function keepAll() {
  const cache = await caches.open(SHELL);
  await cache.addAll(FILES);
  if (!await keepPage(await fetch(PAGE))) throw new Error("the page is of another build already");
}

// Keeps a page of this build, with the catalogue of its language.
async function keepPage(response) {
  const cache = await caches.open(SHELL);
  const [catalogue] = (await response.clone().text()).match(CATALOGUE) ?? [];
  if (!catalogue) return false;
  await cache.add(catalogue);
  await cache.put(PAGE, response);
  return true;
}

addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([clients.claim(), forgetOthers()]));
});

async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith("shell-") && name !== SHELL).map((name) => caches.delete(name)));
}

addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname, search } = new URL(url);
  if (method !== "GET" || origin !== location.origin) return;
  if (mode === "navigate") {
    if ((pathname === PAGE || pathname === "/") && !search) event.respondWith(page(event));
  } else if (pathname.startsWith("/assets/")) {
    event.respondWith(file(event.request, pathname));
  }
});

// From the network, so that a new build is seen at the next load; what is kept serves while there is none.
async function page(event) {
  const answer = fetch(event.request).catch(() => null);
  const late = new Promise((resolve) => { setTimeout(resolve, PATIENCE_MS, null); });
  const response = await Promise.race([answer, late]);
  if (response && response.status < 500) {
    if (response.ok) event.waitUntil(keepIfOtherLanguage(response.clone()));
    return response;
  }
  return (await kept(PAGE)) ?? (await answer) ?? Response.error();
}

async function keepIfOtherLanguage(response) {
  const before = await kept(PAGE);
  const language = (page) => page?.headers.get("content-language");
  if (language(before) !== language(response)) await keepPage(response);
}

async function file(request, path) {
  const name = path.slice("/assets/".length);
  return (await kept(name.includes("/") ? path : `/assets/${VERSION}/${name}`)) ?? fetch(request);
}

async function kept(path) {
  const cache = await caches.open(SHELL);
  return cache.match(path, { ignoreVary: true });
}
