// Where the page begins: finds out whether the friend is signed in and shows the view for it.

import * as api from "./api.js";
import { Chat } from "./chat.js";
import { openSignIn } from "./signin.js";
import { openJoin } from "./join.js";
import { keep, recall } from "./storage.js";
import { localise, setAgent, span, t } from "./texts.js";
import "./worker.js";

const RETRY_MS = 3_000;
const SLOW_MS = 800;
// Who is signed in here, so that the chat opens without a connection too.
const SESSION = "session";

const byId = (id) => document.getElementById(id);

function show(view) {
  for (const id of ["starting", "signin", "join", "chat"]) byId(id).hidden = id !== view;
}

function bringBanner(text) {
  byId("banner-text").textContent = text;
  byId("banner").hidden = !text;
}

function startChat(session) {
  // What the server had to say about a link is said in the chat as well.
  bringBanner(byId("notice").textContent.trim());
  show("chat");
  keep(SESSION, session);
  new Chat(session, (reason) => {
    keep(SESSION, null);
    byId("notice").textContent = t(`ended.${reason}`);
    startSignIn();
  });
}

function startSignIn() {
  show("signin");
  openSignIn((session) => {
    byId("notice").textContent = "";
    startChat(session);
  });
}

// Goes on as whoever this browser is signed in as, or asks for a code.
function goOn(session) {
  if (session.authenticated) return startChat(session);
  keep(SESSION, null);
  startSignIn();
}

// A link that has not signed in by itself wants to be asked about, unless the server has said already what is wrong.
async function startWith(code, session) {
  if (!code || byId("notice").textContent.trim()) return goOn(session);
  const invite = await api.invite(code).catch((error) => {
    if (error.kind === "offline" || error.kind === "down") throw error;
    byId("notice").textContent = t(error.kind === "limited" ? "signin.limited" : "join.invalid", { wait: span(error.retryAfterMs) });
    return null;
  });
  if (!invite || invite.username === session.username) return goOn(session);
  show("join");
  openJoin({ code, invite, session, onJoined: startChat, onStay: () => goOn(session) });
}

async function start() {
  localise();
  byId("banner-close").onclick = () => bringBanner("");
  const code = new URLSearchParams(location.search).get("invite");
  // An invite code belongs neither into the address bar nor into the browser's history.
  if (location.search) history.replaceState(null, "", location.pathname);
  const slow = setTimeout(() => { byId("starting-text").textContent = t("start.slow"); }, SLOW_MS);
  for (;;) {
    try {
      const session = await api.status();
      clearTimeout(slow);
      setAgent(session.agent || "");
      return await startWith(code, session);
    } catch {
      clearTimeout(slow);
      const session = recall(SESSION);
      if (session?.username && !code) {
        setAgent(session.agent || "");
        return startChat(session);
      }
      byId("starting-text").textContent = t("start.unreachable");
      await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
    }
  }
}

// The keyboard of an iPhone covers the page instead of shrinking it; this is the height that is left.
function fitViewport() {
  const { height, offsetTop, scale } = visualViewport;
  if (scale > 1.01) return;
  document.documentElement.style.setProperty("--height", `${height}px`);
  if (offsetTop) scrollTo(0, 0);
}

addEventListener("keydown", ({ key }) => document.documentElement.toggleAttribute("data-by-keys", key === "Tab"));
addEventListener("pointerdown", () => document.documentElement.removeAttribute("data-by-keys"));

if (globalThis.visualViewport && /iP(hone|ad|od)/.test(navigator.userAgent)) {
  visualViewport.addEventListener("resize", fitViewport);
}

start();
