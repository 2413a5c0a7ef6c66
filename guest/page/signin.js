// The sign-in view: one field for the invite code, and sentences that say what to do.

import * as api from "./api.js";
import { span, t } from "./texts.js";

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
  form.onsubmit = (event) => {
    event.preventDefault();
    if (!button.disabled) redeem();
  };
  if (matchMedia("(pointer: fine)").matches) field.focus();
}
