// The joining view: asks before a link signs in, where it must not do so by itself.

import * as api from "./api.js";
import { span, t } from "./texts.js";

const SENTENCES = { "signed-out": "join.invalid", limited: "signin.limited", offline: "signin.offline" };

// `invite` says whom the code invites, `session` whom this browser is signed in as, if anybody.
export function openJoin({ code, invite, session, onJoined, onStay }) {
  const go = document.getElementById("join-go");
  const stay = document.getElementById("join-stay");
  const problem = document.getElementById("join-error");
  const names = { name: invite.nickname, current: session.nickname ?? "" };
  const say = (id, key) => { document.getElementById(id).textContent = t(key, names); };

  document.title = t("signin.title");
  say("join-title", "signin.title");
  say("join-lead", session.authenticated ? "join.lead-switch" : "join.lead");
  say("join-go", "join.go");
  say("join-stay", "join.stay");
  say("join-error", "");
  stay.hidden = !session.authenticated;
  stay.onclick = onStay;
  document.getElementById("join-form").onsubmit = async (event) => {
    event.preventDefault();
    if (go.disabled) return;
    go.disabled = true;
    say("join-go", "join.busy");
    say("join-error", "");
    try {
      onJoined(await api.redeem(code, true));
    } catch (error) {
      problem.textContent = t(SENTENCES[error.kind] ?? "signin.down", { wait: span(error.retryAfterMs) });
    } finally {
      go.disabled = false;
      say("join-go", "join.go");
    }
  };
}
