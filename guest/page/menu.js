// The menu in the header and its dialogs: settings, another device, notifications, the agent's notes, sign-out.

import * as api from "./api.js";
import * as notify from "./notify.js";
import { openNotes } from "./notes.js";
import { failure, language, t, timeOf } from "./texts.js";

// Modules around a QR code that are light, by its standard.
const QR_EDGE = 4;

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
    byId("menu-settings").onclick = () => this.#settings();
    byId("menu-device").onclick = () => this.#addDevice();
    byId("menu-notify").onclick = () => this.#notify();
    byId("menu-notes").onclick = () => this.#notes();
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
    byId("menu-notes").textContent = t("menu.notes");
    byId("menu-notify").hidden = notify.state() === "absent";
    this.#button.setAttribute("aria-expanded", String(on));
    if (on) this.#panel.querySelector("button").focus();
  }

  #show(dialog) {
    this.#open(false);
    this.#button.focus();
    dialog.showModal();
  }

  #settings() {
    const dialog = byId("settings-dialog");
    const field = byId("nickname");
    const choice = byId("language");
    const problem = byId("settings-error");
    dialog.querySelector("label").textContent = t("nickname.label");
    field.value = this.#nickname;
    choice.value = language;
    problem.textContent = "";
    field.oninput = () => { problem.textContent = ""; };
    byId("settings-form").onsubmit = async (event) => {
      event.preventDefault();
      problem.textContent = "";
      if (!(await this.#rename(field.value.trim(), problem))) return;
      if (choice.value !== language) {
        // All of the page is in its language, so it is loaded again.
        if (await this.#try(() => api.setLanguage(choice.value), problem)) location.reload();
        return;
      }
      this.#on.say(t("settings.saved"));
      dialog.close();
    };
    this.#show(dialog);
    field.select();
  }

  // Whether the friend has this nickname now.
  async #rename(nickname, problem) {
    if (nickname === this.#nickname) return true;
    const answer = await this.#try(() => api.setNickname(nickname), problem, "nickname.wrong");
    if (answer) this.setNickname(answer.nickname ?? nickname);
    return Boolean(answer);
  }

  async #addDevice() {
    const problem = byId("device-error");
    const fill = (lead, code, qr) => {
      byId("device-lead").textContent = lead;
      byId("device-code").textContent = code;
      draw(byId("device-qr"), qr);
    };
    fill("", "", null);
    problem.textContent = "";
    this.#show(byId("device-dialog"));
    const made = await this.#try(api.deviceCode, problem);
    if (!made) return;
    const address = new URL("chat", made.url).href;
    fill(t("device.lead", { address, time: timeOf(made.expires_at) }), made.code, made.qr);
  }

  #notes() {
    this.#show(byId("notes-dialog"));
    openNotes((action, problem, refused) => this.#try(action, problem, refused));
  }

  #notify() {
    notify.openDialog((action, problem) => this.#try(action, problem));
    this.#show(byId("notify-dialog"));
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

  // `refused` names what is said when the server does not accept what the friend has entered.
  async #try(action, problem, refused = "failed.now") {
    try {
      return await action();
    } catch (error) {
      if (error.kind === "signed-out") this.#on.over();
      else problem.textContent = error.kind === "refused" ? t(refused) : failure(error);
      return null;
    }
  }
}

// Draws a QR code with the light edge that cameras look for.
function draw(svg, qr) {
  const side = (qr?.size ?? 0) + 2 * QR_EDGE;
  svg.setAttribute("viewBox", `${-QR_EDGE} ${-QR_EDGE} ${side} ${side}`);
  svg.firstElementChild.setAttribute("d", qr?.path ?? "");
}
