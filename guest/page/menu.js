// The menu in the header and its dialogs: nickname, another device, sign-out.

import * as api from "./api.js";
import { t, timeOf } from "./texts.js";

const byId = (id) => document.getElementById(id);

export class Menu {
  #button = byId("menu-button");
  #panel = byId("menu");
  #nickname = "";
  #on;

  // `on` has `signedOut()`, `over()` when the session turns out to be gone, and `say(text)`.
  constructor(on) {
    this.#on = on;
    this.#button.onclick = () => this.#open(this.#panel.hidden);
    this.#button.parentElement.onkeydown = (event) => {
      if (event.key !== "Escape" || this.#panel.hidden) return;
      this.#open(false);
      this.#button.focus();
    };
    this.#button.parentElement.onfocusout = ({ relatedTarget }) => {
      if (relatedTarget && !this.#button.parentElement.contains(relatedTarget)) this.#open(false);
    };
    document.addEventListener("pointerdown", this.#outside);
    byId("menu-nickname").onclick = () => this.#rename();
    byId("menu-device").onclick = () => this.#addDevice();
    byId("menu-signout").onclick = () => this.#leave();
    for (const button of document.querySelectorAll("dialog [data-close]")) {
      button.onclick = () => button.closest("dialog").close();
    }
  }

  close() {
    this.#open(false);
    document.removeEventListener("pointerdown", this.#outside);
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  }

  setNickname(nickname) {
    this.#nickname = nickname;
    byId("my-name").textContent = nickname;
  }

  #outside = (event) => {
    if (!this.#button.parentElement.contains(event.target)) this.#open(false);
  };

  #open(on) {
    this.#panel.hidden = !on;
    this.#button.setAttribute("aria-expanded", String(on));
    if (on) this.#panel.querySelector("button").focus();
  }

  #show(dialog) {
    this.#open(false);
    this.#button.focus();
    dialog.showModal();
  }

  #rename() {
    const dialog = byId("nickname-dialog");
    const field = byId("nickname");
    const problem = byId("nickname-error");
    dialog.querySelector("label").textContent = t("nickname.label");
    field.value = this.#nickname;
    problem.textContent = "";
    field.oninput = () => { problem.textContent = ""; };
    byId("nickname-form").onsubmit = async (event) => {
      event.preventDefault();
      const nickname = field.value.trim();
      if (!nickname || nickname === this.#nickname) {
        if (nickname) dialog.close();
        else problem.textContent = t("nickname.wrong");
        return;
      }
      const answer = await this.#try(() => api.setNickname(nickname), problem);
      if (!answer) return;
      this.setNickname(answer.nickname ?? nickname);
      this.#on.say(t("nickname.saved"));
      dialog.close();
    };
    this.#show(dialog);
    field.select();
  }

  async #addDevice() {
    const problem = byId("device-error");
    const fill = (lead, code) => {
      byId("device-lead").textContent = lead;
      byId("device-code").textContent = code;
    };
    fill("", "");
    problem.textContent = "";
    this.#show(byId("device-dialog"));
    const made = await this.#try(api.deviceCode, problem);
    if (!made) return;
    const address = new URL("/chat", made.url).href;
    fill(t("device.lead", { address, time: timeOf(made.expires_at) }), made.code);
  }

  #leave() {
    const dialog = byId("signout-dialog");
    const problem = byId("signout-error");
    problem.textContent = "";
    byId("signout-form").onsubmit = async (event) => {
      event.preventDefault();
      if (await this.#try(api.signOut, problem)) this.#on.signedOut();
    };
    this.#show(dialog);
  }

  async #try(action, problem) {
    try {
      return await action();
    } catch (error) {
      if (error.kind === "signed-out") this.#on.over();
      else if (error.kind === "refused") problem.textContent = error.message || t("failed.now");
      else problem.textContent = t(error.kind === "offline" ? "signin.offline" : "failed.now");
      return null;
    }
  }
}
