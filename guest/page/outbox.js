// Messages the friend has sent and the server has not yet confirmed. Kept across reloads, sent in order,
// repeated under the same client id until confirmed, so that none is lost and none is counted twice.

import * as api from "./api.js";
import { freshId, keep, recall } from "./storage.js";

const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_LAST_MS = 30_000;
// A server that keeps failing is not asked for ever without the friend's word.
const TRIES = 6;
// What the server says of the message itself, and would say again.
const FINAL = new Set(["refused", "too-long"]);

export class Outbox {
  #key;
  #on;
  #busy = false;
  #timer = 0;
  #failures = 0;
  #closed = false;

  // `on` has `change(item)`, `accepted(item, id)` and `over()`. An item is `{id, text, at, state, reason}`
  // with state "waiting", "sending", "busy" or "unsent"; the reason of the last is the kind of an `ApiError`.
  constructor(username, on) {
    this.#key = `${username}:outbox`;
    this.#on = on;
  }

  // Other tabs write the same list, so it is read anew each time.
  items() {
    const items = recall(this.#key);
    return Array.isArray(items) ? items : [];
  }

  add(text) {
    const item = { id: freshId(), text, at: Date.now(), state: "waiting" };
    keep(this.#key, [...this.items(), item]);
    this.#on.change(item);
    this.flush();
  }

  retry(id) {
    this.#update(id, { state: "waiting", reason: "" });
    this.#failures = 0;
    this.flush();
  }

  remove(id) {
    const items = this.items();
    const rest = items.filter((item) => item.id !== id);
    if (rest.length < items.length) keep(this.#key, rest.length ? rest : null);
  }

  forget() {
    this.close();
    keep(this.#key, null);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  // Sends what waits, one after the other. Call it whenever there is hope.
  async flush() {
    if (this.#busy || this.#closed) return;
    this.#busy = true;
    clearTimeout(this.#timer);
    try {
      for (;;) {
        const item = this.items().find(({ state }) => state !== "unsent");
        if (!item || this.#closed || !(await this.#send(item))) break;
      }
    } finally {
      this.#busy = false;
    }
  }

  async #send(item) {
    this.#on.change({ ...item, state: "sending" });
    try {
      const id = await api.send(item.text, item.id);
      this.remove(item.id);
      this.#failures = 0;
      this.#on.accepted(item, id);
      return true;
    } catch (error) {
      return this.#failed(item, error);
    }
  }

  // Whether the next one may be tried at once.
  #failed(item, error) {
    if (this.#closed) return false;
    if (error.kind === "signed-out") {
      this.#on.over();
      return false;
    }
    this.#failures += 1;
    if (FINAL.has(error.kind) || (error.kind === "down" && this.#failures >= TRIES)) {
      this.#failures = 0;
      this.#update(item.id, { state: "unsent", reason: error.kind });
      return true;
    }
    this.#on.change({ ...item, state: error.kind === "offline" ? "waiting" : "busy" });
    const backoff = Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** this.#failures) * (0.5 + Math.random() * 0.5);
    this.#timer = setTimeout(() => this.flush(), Math.max(backoff, error.retryAfterMs));
    return false;
  }

  #update(id, change) {
    const items = this.items().map((item) => (item.id === id ? { ...item, ...change } : item));
    keep(this.#key, items);
    const item = items.find((one) => one.id === id);
    if (item) this.#on.change(item);
  }
}
