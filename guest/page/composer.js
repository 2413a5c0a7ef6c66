// The field the friend writes in: its keys, its size, its limit, and the draft that is never lost.

import { messageBody } from "./api.js";
import { keep, recall } from "./storage.js";
import { counted, t } from "./texts.js";

// What the server takes as one request body; a message is counted as it is sent.
const BODY_BYTES = 64 * 1024;
const ID_BYTES = 64;
// From here on the friend is told how much is left.
const WARN_BYTES = 4 * 1024;
const DRAFT_DELAY_MS = 300;

const encoder = new TextEncoder();
const sizeOf = (text) => encoder.encode(JSON.stringify(messageBody(text, ""))).length + ID_BYTES;

export class Composer {
  #field = document.getElementById("message");
  #send = document.getElementById("send");
  #stop = document.getElementById("stop");
  #limit = document.getElementById("limit");
  #form = document.getElementById("composer");
  #key;
  #on;
  #timer = 0;
  #composing = false;

  // `on` has `send(text)` and `stop()`.
  constructor(username, on) {
    this.#key = `${username}:draft`;
    this.#on = on;
    this.#field.value = recall(this.#key) ?? "";
    this.#field.oninput = () => this.#changed();
    this.#field.onkeydown = (event) => this.#pressed(event);
    this.#field.oncompositionstart = () => { this.#composing = true; };
    this.#field.oncompositionend = () => { this.#composing = false; };
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    // A tap on the button must not close the keyboard of a phone.
    this.#send.onpointerdown = (event) => event.preventDefault();
    this.#stop.onclick = () => {
      this.#field.focus();
      on.stop();
    };
    addEventListener("pagehide", this.#keep);
    this.#show();
  }

  close() {
    this.#keep();
    removeEventListener("pagehide", this.#keep);
    this.#field.value = "";
    this.answering(false);
  }

  forget() {
    this.#field.value = "";
    this.close();
  }

  // The agent's name is known, or has changed.
  rename() {
    this.#field.placeholder = t("composer.placeholder");
  }

  focus() {
    // On a phone this would open the keyboard over the conversation.
    if (matchMedia("(pointer: fine)").matches) this.#field.focus();
  }

  answering(on) {
    if (!on && document.activeElement === this.#stop) this.#field.focus();
    this.#stop.hidden = !on;
  }

  #pressed(event) {
    // While an input method composes, Enter chooses a word; Safari says so by 229 only.
    if (event.key !== "Enter" || event.isComposing || this.#composing || event.keyCode === 229) return;
    if (event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const text = this.#field.value.trim();
    if (!text || sizeOf(text) > BODY_BYTES) return;
    this.#field.value = "";
    this.#show();
    this.#keep();
    this.#on.send(text);
  }

  #changed() {
    this.#show();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#keep, DRAFT_DELAY_MS);
  }

  #keep = () => {
    clearTimeout(this.#timer);
    keep(this.#key, this.#field.value);
  };

  #show() {
    const text = this.#field.value;
    // Empty, it is in the direction of the page, as its placeholder is.
    this.#field.dir = text ? "auto" : "";
    this.#fit();
    const left = BODY_BYTES - sizeOf(text.trim());
    this.#limit.textContent =
      left < 0 ? counted("composer.too-long", -left)
      : left < WARN_BYTES ? counted("composer.left", left)
      : "";
    this.#limit.classList.toggle("over", left < 0);
    this.#send.disabled = !text.trim() || left < 0;
  }

  // As high as its text. The form keeps its height meanwhile, or the conversation above would be scrolled away.
  #fit() {
    this.#form.style.height = `${this.#form.offsetHeight}px`;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
    this.#field.classList.toggle("tall", this.#field.scrollHeight > this.#field.clientHeight + 1);
    this.#form.style.height = "";
  }
}
