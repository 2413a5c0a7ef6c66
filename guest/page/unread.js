// What the friend has not seen yet: counted in the title and on the icon, marked in the conversation, and
// acknowledged to the server as soon as it has been in sight.

import * as api from "./api.js";
import { closeUpTo } from "./notify.js";

const SETTLE_MS = 400;
const RETRY_MS = 5_000;

export class Unread {
  #favicon = document.getElementById("favicon");
  #icon = this.#favicon.getAttribute("href");
  #ids = new Set();
  #acknowledged = 0;
  #name = "";
  #timer = 0;
  #inSight;

  // `inSight()` tells whether the newest message is in front of the friend's eyes.
  constructor(inSight) {
    this.#inSight = inSight;
    document.addEventListener("visibilitychange", this.look);
    addEventListener("focus", this.look);
  }

  close() {
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.look);
    removeEventListener("focus", this.look);
    this.#ids.clear();
    this.#show();
  }

  setName(name) {
    this.#name = name;
    this.#show();
  }

  get count() {
    return this.#ids.size;
  }

  add(id) {
    if (id > this.#acknowledged) this.#ids.add(id);
    this.look();
  }

  // Everything up to `id` was seen, here or on another device.
  seenUpTo(id) {
    this.#acknowledged = Math.max(this.#acknowledged, id);
    closeUpTo(id);
    for (const one of this.#ids) if (one <= id) this.#ids.delete(one);
    this.#show();
  }

  look = () => {
    this.#show();
    clearTimeout(this.#timer);
    // A short while, so that a glance in passing or the next message at once makes one request of it.
    if (this.#ids.size && this.#inSight()) this.#timer = setTimeout(() => this.#acknowledge(), SETTLE_MS);
  };

  async #acknowledge() {
    if (!this.#ids.size || !this.#inSight()) return;
    const latest = Math.max(...this.#ids);
    try {
      await api.seen(latest);
      this.seenUpTo(latest);
    } catch (error) {
      if (error.kind !== "signed-out") this.#timer = setTimeout(this.look, RETRY_MS);
    }
  }

  #show() {
    const away = document.visibilityState === "hidden" || !this.#inSight();
    const count = away ? this.#ids.size : 0;
    document.title = count ? `(${count}) ${this.#name}` : this.#name;
    const icon = count ? "assets/icon-unread.svg" : this.#icon;
    if (this.#favicon.getAttribute("href") !== icon) this.#favicon.href = icon;
  }
}
