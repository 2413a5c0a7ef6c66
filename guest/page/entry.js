// One message on the page: its bubble, its time and state, and what surrounds it (day, "new" mark).

import { rendered } from "./rich.js";
import { dayKey, dayName, failure, momentOf, t, timeOf } from "./texts.js";

const GROUP_MS = 5 * 60_000;
// States in which an own message still waits for something.
export const OPEN = new Set(["waiting", "sending", "busy", "queued", "answering"]);

// What is written under a message in each state; an answered one needs no words.
const SAID = {
  waiting: "state.waiting",
  sending: "state.sending",
  busy: "state.busy",
  queued: "state.sent",
  answering: "state.sent",
  stopped: "state.stopped",
  failed: "state.failed",
  unsent: "state.unsent",
};

// However fast pieces come, the page is written to no more often than this.
const WRITE_MS = 40;
// An answer on its way is written in blocks of about this many characters: a piece has only its block laid out anew.
const BLOCK_LENGTH = 2_000;

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export class Entry {
  id = 0;
  clientId = "";
  state = "";
  reason = "";
  #day = null;
  #mark = null;
  #shown = null;
  #pieces = null;
  #pending = "";
  #timer = 0;

  // `role` is "friend", "agent" or "nudge"; `actions` has `retry(entry)` and `discard(entry)`.
  constructor(role, at, actions) {
    this.role = role;
    this.at = at;
    this.actions = actions;
    this.element = make("li", `entry ${role}`);
    this.element.entry = this;
    this.bubble = make("div", "bubble");
    this.body = make("div", "body");
    this.body.dir = "auto";
    this.meta = make("div", "meta");
    this.bubble.append(this.body);
    this.element.append(this.bubble, this.meta);
    this.setTime(at);
  }

  setTime(at) {
    this.at = at;
    this.time ??= make("time");
    this.time.textContent = timeOf(at);
    this.time.dateTime = new Date(at).toISOString();
    this.bubble.title = momentOf(at);
    if (!this.time.isConnected) this.meta.prepend(this.time);
  }

  setText(text) {
    this.text = text;
    this.body.classList.add("verbatim");
    if (this.#shown !== text) this.body.textContent = text;
    this.#shown = text;
  }

  // What it says, without the buttons in it.
  get words() {
    const body = this.body.cloneNode(true);
    for (const button of body.querySelectorAll("button")) button.remove();
    return body.textContent.trim();
  }

  // The complete message as the server rendered it; plain text where it has none.
  setContent(text, html) {
    if (!html) return this.setText(text);
    this.text = text;
    clearTimeout(this.#timer);
    this.#pieces = null;
    if (this.#shown === html) return;
    this.#shown = html;
    this.element.classList.remove("live");
    this.body.classList.remove("verbatim");
    this.body.replaceChildren(rendered(html));
  }

  setNudge(priority) {
    this.label ??= this.bubble.insertBefore(make("p", "label"), this.body);
    this.label.textContent = t("nudge.label");
    const loud = priority === "high" || priority === "urgent";
    this.element.classList.toggle("loud", loud);
    if (loud) this.label.append(" ", make("strong", "", t(`nudge.${priority}`)));
  }

  setState(state, reason = "") {
    if (state === this.state && reason === this.reason) return;
    this.state = state;
    this.reason = reason;
    this.element.dataset.state = state;
    this.meta.replaceChildren(this.time);
    const words = SAID[state] && t(SAID[state]);
    if (words) this.meta.append(make("span", "state", reason ? `${words} ${failure({ kind: reason })}` : words));
    if (state === "failed" || state === "unsent") this.#action("retry");
    if (state === "unsent") this.#action("discard");
  }

  #action(name) {
    const button = make("button", "link", t(`state.${name}`));
    button.type = "button";
    button.addEventListener("click", () => this.actions[name](this));
    this.meta.append(button);
  }

  // An answer on its way: dots until the first piece, then the pieces as they come.
  goLive() {
    this.element.classList.add("live");
    this.element.setAttribute("aria-hidden", "true");
    this.hint = make("span", "hint-text");
    const dots = make("span", "dots");
    dots.append(make("i"), make("i"), make("i"));
    this.body.replaceChildren(dots, this.hint);
  }

  status(text) {
    if (!this.#pieces && this.hint) this.hint.textContent = text;
  }

  // Only what is new is written, unless it takes the place of what is there.
  piece(text, isAnew) {
    if (isAnew) {
      this.#pieces = null;
      this.#pending = "";
    }
    this.#pending += text;
    this.#timer ||= setTimeout(() => this.#write(), WRITE_MS);
  }

  #write() {
    this.#timer = 0;
    if (!this.#pieces) {
      this.body.classList.add("verbatim");
      this.body.replaceChildren();
    }
    for (const line of this.#pending.match(/[^\n]*\n|[^\n]+/g) ?? []) {
      if (!this.#pieces || (this.#pieces.length > BLOCK_LENGTH && this.#pieces.data.endsWith("\n"))) {
        this.#pieces = document.createTextNode("");
        make("div").append(this.#pieces);
        this.body.append(this.#pieces.parentNode);
      }
      this.#pieces.appendData(line);
    }
    this.#pending = "";
  }

  settle() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.element.classList.remove("live");
    this.element.removeAttribute("aria-hidden");
  }

  // Sets what depends on the neighbours: the day above, and whether this continues a group.
  place(previous) {
    const newDay = !previous || dayKey(previous.at) !== dayKey(this.at);
    if (newDay) {
      this.#day ??= make("div", "day");
      this.#day.textContent = dayName(this.at);
      this.element.prepend(this.#day);
    } else {
      this.#day?.remove();
    }
    const joined = !newDay && !this.#mark?.isConnected && previous.role === this.role && this.at - previous.at < GROUP_MS;
    this.element.classList.toggle("joined", joined);
    previous?.element.classList.toggle("continued", joined);
  }

  markNew(on) {
    if (on) {
      this.#mark ??= make("div", "new", t("log.new"));
      this.bubble.before(this.#mark);
    } else {
      this.#mark?.remove();
    }
  }
}
