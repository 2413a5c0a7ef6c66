// The sign-in view: one field for the invite code, and sentences that say what to do.

import * as api from "./api.js";
import { copy } from "./rich.js";
import { failure, language, span, t } from "./texts.js";

// What a person pastes or types, reduced to the code: a whole link, spaces and dashes of any kind are fine.
export function codeFrom(typed) {
  const link = /[?&#]invite=([^&#\s]+)/i.exec(typed);
  let code = link ? link[1] : typed;
  try {
    code = decodeURIComponent(code);
  } catch {
    // Not percent-encoded then.
  }
  return code.normalize("NFKC").replace(/[\s\p{Pd}\u200b-\u200f\u2060\ufeff"'.,<>]/gu, "").toUpperCase();
}

const SENTENCES = { "signed-out": "signin.wrong", refused: "signin.wrong", limited: "signin.limited", down: "signin.down", offline: "signin.offline" };

export function openSignIn(onSignedIn) {
  const form = document.getElementById("signin-form");
  const field = document.getElementById("code");
  const button = document.getElementById("redeem");
  const problem = document.getElementById("code-error");
  document.getElementById("signin-title").textContent = t("signin.title");
  document.title = t("signin.title");

  const complain = (text) => {
    problem.textContent = text;
    field.setAttribute("aria-invalid", String(Boolean(text)));
    if (text) field.focus();
  };
  const busy = (on) => {
    button.disabled = on;
    button.textContent = t(on ? "signin.busy" : "signin.go");
  };
  const redeem = async () => {
    const code = codeFrom(field.value);
    if (!code) return complain(t("signin.empty"));
    complain("");
    busy(true);
    try {
      const session = await api.redeem(code);
      field.value = "";
      onSignedIn(session);
    } catch (error) {
      complain(t(SENTENCES[error.kind], { wait: span(error.retryAfterMs) }));
    } finally {
      busy(false);
    }
  };

  complain("");
  busy(false);
  field.oninput = () => complain("");
  field.onpaste = (event) => {
    const code = codeFrom(event.clipboardData.getData("text"));
    if (!code) return;
    event.preventDefault();
    field.value = code;
    complain("");
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    if (!button.disabled) redeem();
  };
  offerAsking();
  offerLanguages();
  if (matchMedia("(pointer: fine)").matches) field.focus();
}

// A request for a new invite, to be sent the way the first one came: there is no other way to whoever invited.
function offerAsking() {
  const byId = (id) => document.getElementById(id);
  byId("ask-text").hidden = true;
  byId("ask").onclick = async () => {
    // Marks of direction beside an address would become part of the link.
    const text = t("ask.text", { address: new URL("chat", location.href).href }).replace(/[\u2068\u2069]/g, "");
    if (navigator.share && (await navigator.share({ text }).then(() => true, ({ name }) => name === "AbortError"))) return;
    byId("ask-done").textContent = t((await copy(text)) ? "ask.copied" : "ask.by-hand");
    byId("ask-text").textContent = text;
    byId("ask-text").hidden = false;
  };
}

// The choice of a language. All of the page changes with it, so it is loaded again.
function offerLanguages() {
  const field = document.getElementById("signin-language");
  field.value = language;
  field.onchange = async () => {
    try {
      await api.setLanguage(field.value);
      location.reload();
    } catch (error) {
      field.value = language;
      document.getElementById("code-error").textContent = failure(error);
    }
  };
}
