// Every sentence the page says, in the language that the server chose, and how dates and times are written in it.
// A language is complete or absent; what is not in here comes from the server.

export const language = document.documentElement.lang;
const isRightToLeft = document.documentElement.dir === "rtl";

let texts = {};

// Called once, by the catalogue, before the page begins.
export function speak(catalogue) {
  texts = catalogue;
}

// Language and script of a tag, which is how two tags are told to be read by the same people.
function written(tag) {
  try {
    const { language: spoken, script } = new Intl.Locale(tag).maximize();
    return `${spoken}-${script}`;
  } catch {
    return "";
  }
}

// The friend's own way to write dates, as long as it is of the page's language.
const locale = (navigator.languages ?? []).find((tag) => written(tag) === written(language)) ?? language;

// What the server calls an agent that its owner gave no name.
const UNNAMED = "the agent";

const shared = { agent: "" };

// The agent's name, which may stand in any sentence. Returns it as it is shown.
export function setAgent(name) {
  shared.agent = name === UNNAMED ? t("agent.unnamed") : name;
  return shared.agent;
}

// A value that keeps its own direction of writing inside a sentence of another.
const isolated = (value) => (isRightToLeft || /[\u0590-\u08ff\ufb1d-\ufefc]/.test(value) ? `\u2068${value}\u2069` : value);

export function t(key, values) {
  const all = { ...shared, ...values };
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => isolated(String(all[name] ?? "")));
}

const plural = new Intl.PluralRules(locale);

// A sentence about a number of things.
export function counted(key, count) {
  const form = `${key}.${plural.select(count)}`;
  return t(form in texts ? form : `${key}.other`, { count: count.toLocaleString(locale) });
}

// A span of time in words, rounded up so that waiting that long is enough.
export function span(milliseconds) {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  const [unit, count] = seconds < 100 ? ["seconds", seconds] : ["minutes", Math.ceil(seconds / 60)];
  return counted(`wait.${unit}`, count);
}

const FAILURES = {
  offline: "signin.offline",
  limited: "signin.limited",
  down: "failed.down",
  "too-long": "failed.too-long",
};

// What to do about what failed, by the kind of an `ApiError`.
export function failure({ kind, retryAfterMs = 0 }) {
  return t(FAILURES[kind] ?? "failed.now", { wait: span(retryAfterMs) });
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
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
    if (element.localName === "button") element.title = t(element.dataset.label);
  }
}
