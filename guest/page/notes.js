// The dialog with what the agent has noted about the friend, each note with a way to have it removed.

import * as api from "./api.js";
import { t } from "./texts.js";

const byId = (id) => document.getElementById(id);

function item(note, remove) {
  const text = document.createElement("span");
  text.dir = "auto";
  text.textContent = note;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link";
  button.textContent = t("notes.remove");
  button.setAttribute("aria-label", t("notes.remove-one", { note }));
  button.onclick = remove;
  const line = document.createElement("li");
  line.append(text, button);
  return line;
}

// Fills the dialog, which is open. `attempt(action, problem, refused)` resolves to null where the action failed and that was
// said, with the text `refused` where the server would not do it.
export async function openNotes(attempt) {
  const list = byId("notes");
  const problem = byId("notes-error");
  const status = byId("notes-status");
  const say = () => { byId("notes-lead").textContent = t(list.childElementCount ? "notes.lead" : "notes.none"); };

  async function show() {
    const answer = await attempt(api.notes, problem);
    if (!answer) return;
    list.replaceChildren(...answer.notes.map((note) => item(note, (event) => remove(note, event.currentTarget))));
    say();
  }

  async function remove(note, button) {
    const line = button.parentElement;
    problem.textContent = "";
    status.textContent = "";
    button.disabled = true;
    const done = await attempt(() => api.forgetNote(note), problem, "notes.gone");
    if (!done) {
      button.disabled = false;
      // It may have been removed elsewhere meanwhile.
      return show();
    }
    // Whoever uses the keyboard goes on where the note was.
    const next = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    (next?.querySelector("button") ?? byId("notes-close")).focus();
    status.textContent = t("notes.removed");
    say();
  }

  byId("notes-title").textContent = t("notes.title");
  byId("notes-lead").textContent = "";
  problem.textContent = "";
  status.textContent = "";
  list.replaceChildren();
  await show();
}
