// Every sentence the page says, by language, and how dates and times are written.
// A language is complete or absent; what is not in here comes from the server.

const CATALOGUE = {
  en: {
    "start.slow": "Opening the chat…",
    "start.unreachable": "The chat cannot be reached. Trying again…",

    "signin.title": "Chat with {agent}",
    "signin.lead": "Enter the invite code you were given.",
    "signin.label": "Invite code",
    "signin.go": "Start chatting",
    "signin.hint": "Capital letters, spaces and dashes do not matter. You can also paste the whole link.",
    "signin.empty": "Type or paste your invite code first.",
    "signin.wrong": "This code does not work. Check it for typing mistakes. Each code works once and only for some days; if this one was used before, ask the person who invited you for a new one.",
    "signin.limited": "Too many tries. Please wait {wait} and try again.",
    "signin.offline": "No connection. Check your internet and try again.",
    "signin.down": "The chat is not available right now. Please try again in a few minutes.",
    "signin.busy": "Checking…",

    "join.lead": "{name}, you are invited to this private chat.",
    "join.lead-switch": "This link is for {name}. On this device you are signed in as {current}: joining as {name} signs {current} out here.",
    "join.go": "Join as {name}",
    "join.busy": "Joining…",
    "join.stay": "Stay signed in as {current}",
    "join.invalid": "This invite link is not valid any more. Links work once and for a limited time: please ask for a new one.",

    "ended.revoked": "Your access to this chat was ended. If that is a surprise, ask the person who invited you.",
    "ended.reinvited": "You have been given a new invite, so the old sign-in has ended. Open the new link, or enter its code here.",
    "ended.signed-out": "You are signed out.",
    "ended.expired": "You are no longer signed in on this device. Ask the person who invited you for a new invite.",

    "menu.open": "Menu",
    "menu.signed-in": "Signed in as",
    "menu.nickname": "Change nickname",
    "menu.device": "Use another device",
    "menu.sign-out": "Sign out",
    "banner.close": "Close",
    "dialog.cancel": "Cancel",

    "nickname.title": "Your nickname",
    "nickname.label": "This is how {agent} knows you",
    "nickname.save": "Save",
    "nickname.wrong": "A nickname has 1 to 64 characters.",
    "nickname.saved": "Nickname saved.",
    "failed.now": "That did not work just now. Please try again.",

    "device.title": "Chat on another device",
    "device.lead": "Open {address} there and enter this code. It works once, until {time}. Show it to nobody: it lets its user in as you.",
    "device.done": "Done",

    "signout.title": "Sign out here?",
    "signout.lead": "To come back you will need a new invite. Your conversation stays.",
    "signout.go": "Sign out",

    "presence.online": "online",
    "presence.connecting": "connecting…",
    "presence.offline": "no connection, trying again…",
    "presence.answering": "writing…",

    "log.label": "Conversation",
    "log.news": "New messages",
    "log.older": "Loading earlier messages…",
    "log.empty": "Say hello to {agent}!",
    "log.new": "New",
    "log.pill": "New messages",
    "log.pill-down": "Latest",
    "speaker.agent": "{agent}",
    "log.unreachable": "The conversation could not be loaded. Trying again…",

    "composer.form": "Write a message",
    "composer.label": "Message",
    "composer.placeholder": "Message {agent}",
    "composer.send": "Send",
    "composer.stop": "Stop the answer",
    "composer.left": "{count} characters left",
    "composer.too-long": "Too long by {count} characters. Please shorten it or send it in parts.",

    "state.sending": "Sending…",
    "state.waiting": "Waiting for connection…",
    "state.busy": "A moment, then it is sent…",
    "state.sent": "Sent",
    "state.stopped": "Stopped",
    "state.failed": "No answer came.",
    "state.unsent": "Not sent.",
    "state.retry": "Try again",
    "state.discard": "Delete",

    "nudge.label": "News from {agent}",
    "nudge.high": "Important",
    "nudge.urgent": "Urgent",

    "code.copy": "Copy",
    "code.copied": "Copied",

    "wait.seconds.one": "{count} second",
    "wait.seconds.other": "{count} seconds",
    "wait.minutes.one": "{count} minute",
    "wait.minutes.other": "{count} minutes",
  },
};

const RIGHT_TO_LEFT = new Set(["ar", "fa", "he", "ur"]);

const wanted = navigator.languages?.length ? navigator.languages : [navigator.language ?? "en"];
export const language = wanted.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => tag in CATALOGUE) ?? "en";
const texts = CATALOGUE[language];
// The friend's own way to write dates, as long as it is of the page's language.
const locale = wanted.find((tag) => tag.toLowerCase().split("-")[0] === language) ?? language;

const shared = { agent: "" };

// Names that may stand in any sentence, such as the agent's.
export function setName(key, value) {
  shared[key] = value;
}

export function t(key, values) {
  const all = { ...shared, ...values };
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(all[name] ?? ""));
}

const plural = new Intl.PluralRules(locale);

// A name that keeps its own direction of writing inside a sentence.
export const isolated = (name) => `\u2068${name}\u2069`;

// A span of time in words, rounded up so that waiting that long is enough.
export function span(milliseconds) {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  const [unit, count] = seconds < 100 ? ["seconds", seconds] : ["minutes", Math.ceil(seconds / 60)];
  const key = `wait.${unit}.${plural.select(count)}`;
  return t(key in texts ? key : `wait.${unit}.other`, { count: count.toLocaleString(locale) });
}

export function number(value) {
  return value.toLocaleString(locale);
}

const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" });
const near = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const thisYear = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const anyYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });

export const timeOf = (at) => clock.format(at);
export const momentOf = (at) => full.format(at);

// The local calendar day as one comparable text.
export function dayKey(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

export function dayName(at, now = Date.now()) {
  const date = new Date(at);
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  const key = dayKey(at);
  const back = key === dayKey(now) ? 0 : key === dayKey(yesterday) ? -1 : null;
  if (back !== null) {
    const word = near.format(back, "day");
    return word.charAt(0).toLocaleUpperCase(locale) + word.slice(1);
  }
  return (date.getFullYear() === new Date(now).getFullYear() ? thisYear : anyYear).format(date);
}

// Fills in what the markup names by `data-text` and `data-label`.
export function localise(root = document) {
  document.documentElement.lang = language;
  document.documentElement.dir = RIGHT_TO_LEFT.has(language) ? "rtl" : "ltr";
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
    if (element.localName === "button") element.title = t(element.dataset.label);
  }
}
