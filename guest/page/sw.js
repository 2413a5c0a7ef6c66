// The service worker: opens the page when the network is away, and notifies when no page is open.
//
// Every build has a cache of its own, made whole before it is used. Page and files cannot be of different builds,
// because the page names its files by the build's version. What is not in the list stays on the network: all of
// `/api/`, and invite links, which work once. The page is kept in the language that it was last read in.

// What is below here is this chat's. `own` is that of `storage.js`, which a worker cannot import everywhere yet.
const { href: HOME, pathname } = new URL(".", location);
const own = (name) => (pathname === "/" ? name : `${pathname}:${name}`);

const VERSION = "{version}";
const FILES = "{files}".split(" ").map((name) => `assets/${VERSION}/${name}`);
const SHELLS = own("shell-");
const SHELL = SHELLS + VERSION;
const CATALOGUE = new RegExp(`assets/${VERSION}/texts\\.[\\w-]+\\.js`);
const PAGE = "chat";
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
  await Promise.all(names.filter((name) => name.startsWith(SHELLS) && name !== SHELL).map((name) => caches.delete(name)));
}

addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method !== "GET" || !url.startsWith(HOME)) return;
  const [path] = url.slice(HOME.length).split("#");
  if (mode === "navigate") {
    if (path === PAGE || !path) event.respondWith(page(event));
  } else if (path.startsWith("assets/")) {
    event.respondWith(file(event.request, path));
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
  const name = path.slice("assets/".length);
  return (await kept(name.includes("/") ? path : `assets/${VERSION}/${name}`)) ?? fetch(request);
}

async function kept(path) {
  const cache = await caches.open(SHELL);
  return cache.match(path, { ignoreVary: true });
}

// What a push service brings says only that there is something. What it is comes over the friend's session.
addEventListener("push", (event) => event.waitUntil(unseen().then(show)));

// A page that is hidden tells what came; another one may be in sight.
addEventListener("message", (event) => event.waitUntil(showIfHidden(event.data)));

async function unseen() {
  try {
    const response = await fetch("api/notifications", { cache: "no-store" });
    return response.ok ? (await response.json()).unseen : null;
  } catch {
    return null;
  }
}

async function showIfHidden(entry) {
  const pages = await clients.matchAll({ type: "window" });
  if (!pages.some(({ visibilityState }) => visibilityState === "visible")) await show(entry);
}

// Shows how an entry begins. A push has to show something, also when there is nothing to be read any more.
async function show(entry) {
  const words = await caches.match("words", { cacheName: own("friend") }).then((kept) => kept?.json());
  await registration.showNotification(words?.agent ?? "Friends Chat", {
    body: entry?.text ?? words?.text ?? "You have a new message.",
    lang: words?.lang ?? "en",
    dir: words?.dir ?? "auto",
    // A browser tells notifications of one host name apart by their tags alone.
    tag: own(entry ? `entry-${entry.id}` : "news"),
    icon: "assets/icon-192.png",
    data: { id: entry?.id ?? 0 },
  });
}

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(clients.matchAll({ type: "window" }).then(([open]) => (open ? open.focus() : clients.openWindow(PAGE))));
});
