// Notifications of what the agent has written while the friend does not look. The service worker shows them: woken
// by a push service when no page is open, else told by the page that leads. One message has one tag, so that a browser
// shows it once. The browser asks for permission only on the friend's click.

import * as api from "./api.js";
import { keep, own, recall } from "./storage.js";
import { language, t } from "./texts.js";
import { hasWorker, worker } from "./worker.js";

const CHOICE = "notify";
// What the worker needs to know of the friend; it is gone with the session.
const WORDS = { cache: own("friend"), path: "words" };

const canNotify = hasWorker && "Notification" in globalThis;

// "on", "off", "blocked", "home-screen" (iOS notifies from there only) or "absent", which all is without https.
export function state() {
  if (navigator.standalone === false && !("PushManager" in globalThis)) return "home-screen";
  if (!isSecureContext || !canNotify) return "absent";
  if (Notification.permission === "denied") return "blocked";
  return Notification.permission === "granted" && recall(CHOICE) ? "on" : "off";
}

// Call it in a click. Without a push service it is "on" while a page is open.
async function turnOn() {
  if ((await Notification.requestPermission()) !== "granted") return;
  keep(CHOICE, true);
  // A push service that cannot be reached takes its time to say so.
  renew();
}

async function turnOff() {
  await api.notificationsOff();
  await forget();
}

// Tells the worker what it needs, and the server where this browser is woken, which may have moved.
export async function renew() {
  if (state() !== "on") return;
  try {
    const cache = await caches.open(WORDS.cache);
    const words = { agent: t("speaker.agent"), text: t("notify.message"), lang: language, dir: document.documentElement.dir };
    await cache.put(WORDS.path, Response.json(words));
    const { key } = await api.notifications();
    if (key) await api.notificationsOn(await subscription(key));
  } catch {
    // No push service in reach, or no worker yet: open pages notify all the same, and the next start tries again.
  }
}

async function subscription(key) {
  await navigator.serviceWorker.ready;
  const { pushManager } = await worker;
  const subscribe = () => pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  return subscribe().catch(async (error) => {
    // The server had another key when this browser subscribed.
    if (error.name !== "InvalidStateError") throw error;
    await (await pushManager.getSubscription())?.unsubscribe();
    return subscribe();
  });
}

// Runs `use(registration)` where there is a worker. Nothing that a friend could do follows from its failure.
async function withWorker(use) {
  if (!isSecureContext || !canNotify) return;
  try {
    const registration = await worker;
    if (registration?.active) await use(registration);
  } catch {
    // Storage or notifications were taken from the page meanwhile.
  }
}

// Has a message shown that came while this page is hidden.
export function show(id, text) {
  if (state() !== "on" || document.visibilityState === "visible") return;
  withWorker(({ active }) => active.postMessage({ id, text }));
}

// Takes away what was seen, here or elsewhere.
export function closeUpTo(id) {
  return withWorker(async (registration) => {
    for (const shown of await registration.getNotifications()) if (shown.data.id <= id) shown.close();
  });
}

// Leaves nothing of the friend behind.
export async function forget() {
  if (!recall(CHOICE)) return;
  keep(CHOICE, null);
  await withWorker(async ({ pushManager }) => {
    await caches.delete(WORDS.cache);
    await (await pushManager.getSubscription())?.unsubscribe();
  });
  await closeUpTo(Infinity);
}

// Fills the dialog that says how it stands and what can be done. `attempt` is as for `openNotes`.
export function openDialog(attempt) {
  const byId = (name) => document.getElementById(`notify-${name}`);
  const go = byId("go");
  const write = () => {
    const now = state();
    byId("lead").textContent = t(`notify.${now}`);
    go.hidden = now !== "on" && now !== "off";
    go.textContent = t(now === "on" ? "notify.turn-off" : "notify.turn-on");
  };
  const problem = byId("error");
  problem.textContent = "";
  byId("form").onsubmit = async (event) => {
    if (event.submitter !== go) return;
    event.preventDefault();
    problem.textContent = "";
    await attempt(state() === "on" ? turnOff : turnOn, problem);
    write();
  };
  write();
}
