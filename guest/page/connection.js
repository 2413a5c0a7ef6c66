// The event stream: opened, watched, opened again after the last entry that was received.
// Promises every durable entry at least once, and says when the server cannot be heard.

import * as api from "./api.js";

// The server's heartbeat comes every 10 s; two may be missed.
const SILENCE_MS = 25_000;
// A stream that says nothing for this long after it was opened is held back by something in between.
const GREETING_MS = 10_000;
const POLL_MS = 4_000;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_LAST_MS = 30_000;
const SESSION_OVER = new Set(["revoked", "reinvited", "signed-out"]);
// Events that stand in the log, with its `id`.
export const DURABLE = new Set(["message", "reply", "nudge"]);

export class Connection {
  #source = null;
  #timer = 0;
  #watch = 0;
  #heardAtMs = 0;
  #greeted = false;
  #held = false;
  #failures = 0;
  #closed = true;
  #state = "";
  #username;
  #cursor;
  #on;

  // `on` has `event(event)`, `state("online" | "connecting" | "offline")`, `poll()` to fetch what is new
  // where no stream gets through, and `over(reason)` when the session has ended.
  constructor(username, cursor, on) {
    this.#username = username;
    this.#cursor = cursor;
    this.#on = on;
  }

  start() {
    this.#closed = false;
    this.#watch = setInterval(() => this.#look(), 2_000);
    addEventListener("online", this.check);
    addEventListener("offline", this.#offline);
    addEventListener("pageshow", this.check);
    addEventListener("pagehide", this.#hide);
    document.addEventListener("visibilitychange", this.check);
    this.#open();
  }

  stop() {
    this.#closed = true;
    clearInterval(this.#watch);
    removeEventListener("online", this.check);
    removeEventListener("offline", this.#offline);
    removeEventListener("pageshow", this.check);
    removeEventListener("pagehide", this.#hide);
    document.removeEventListener("visibilitychange", this.check);
    this.#drop();
  }

  // History was read up to this entry by other means.
  reached(id) {
    this.#cursor = Math.max(this.#cursor, id);
  }

  // Opens the stream anew for somebody who has everything up to this entry only.
  reopen(after) {
    this.#cursor = Math.min(this.#cursor, after);
    // Otherwise it is opened soon.
    if (this.#source) this.#open(this.#state);
  }

  // Makes sure now that the stream lives: after sleep, a tunnel, or a look at another application.
  check = () => {
    if (this.#closed || document.visibilityState === "hidden") return;
    const isTrusted = this.#greeted && this.#state !== "offline";
    if (this.#source && isTrusted && Date.now() - this.#heardAtMs < SILENCE_MS / 2) return;
    if (this.#source && !this.#greeted && Date.now() - this.#heardAtMs < 3_000) return;
    this.#failures = 0;
    this.#open();
  };

  // A page that is put aside keeps no connection, so that the browser can bring it back as it was.
  #hide = () => this.#drop();

  #offline = () => {
    if (!this.#closed) this.#say("offline");
  };

  #say(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#on.state(state);
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#greeted = false;
  }

  #open(state = "connecting") {
    this.#drop();
    this.#heardAtMs = Date.now();
    if (!this.#held && this.#state !== "offline") this.#say(state);
    const source = new EventSource(`api/stream?after=${this.#cursor}`);
    this.#source = source;
    source.addEventListener("heartbeat", () => this.#heard());
    source.addEventListener("message", (frame) => {
      if (source === this.#source) this.#receive(frame.data);
    });
    source.addEventListener("error", () => {
      if (source === this.#source) this.#lost();
    });
  }

  #heard() {
    this.#heardAtMs = Date.now();
    if (this.#greeted) this.#say("online");
  }

  #receive(data) {
    this.#heard();
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return;
    }
    if (event.type === "hello") {
      // Somebody else has signed in in this browser meanwhile.
      if (event.username !== this.#username) {
        this.#on.over("expired");
        return;
      }
      this.#greeted = true;
      this.#held = false;
      this.#failures = 0;
      this.#say("online");
    } else if (event.type === "end") {
      if (SESSION_OVER.has(event.reason)) this.#on.over(event.reason);
      else this.#lost();
      return;
    } else if (DURABLE.has(event.type)) {
      this.reached(event.id);
    }
    this.#on.event(event);
  }

  #look() {
    const silentMs = Date.now() - this.#heardAtMs;
    if (!this.#source || document.visibilityState === "hidden" && silentMs < SILENCE_MS) return;
    if (this.#greeted) {
      if (silentMs > SILENCE_MS) this.#lost();
    } else if (this.#held) {
      if (silentMs > SILENCE_MS * 2) this.#open();
    } else if (silentMs > GREETING_MS) {
      this.#held = true;
      this.#poll();
    }
  }

  // Keeps the held stream open beside the polling: should it come through after all, it takes over.
  async #poll() {
    if (!this.#held || this.#closed) return;
    try {
      await this.#on.poll();
      this.#say("online");
      setTimeout(() => this.#poll(), POLL_MS);
    } catch (error) {
      this.#held = false;
      if (error.kind === "signed-out") this.#on.over("expired");
      else this.#lost();
    }
  }

  #lost() {
    const wasGreeted = this.#greeted;
    this.#drop();
    if (this.#closed) return;
    // While history is asked instead, what becomes of the stream is nobody's concern.
    if (!this.#held) this.#say(navigator.onLine === false || this.#failures > 1 ? "offline" : "connecting");
    const ceiling = Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** this.#failures);
    this.#failures += 1;
    // Jitter, so that all pages do not come back in the same instant after a restart.
    const delay = ceiling * (0.5 + Math.random() * 0.5);
    this.#timer = setTimeout(() => (wasGreeted ? this.#open() : this.#ask()), delay);
  }

  // An event stream does not tell why it was refused; the status does.
  async #ask() {
    try {
      const { username } = await api.status();
      if (this.#closed || this.#source) return;
      if (username === this.#username) this.#open();
      else this.#on.over("expired");
    } catch {
      if (!this.#closed && !this.#source) this.#lost();
    }
  }
}
