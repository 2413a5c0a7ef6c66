// The server's rendered, sanitised Markdown becomes elements here and nowhere else.

import { t } from "./texts.js";

const passThrough = { createHTML: (html) => html };
// The one place that may turn text into markup; the header names this policy and no other.
const policy = globalThis.trustedTypes?.createPolicy("friends-chat", passThrough) ?? passThrough;

const COPIED_SHOWN_MS = 1_500;

export function rendered(html) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(html);
  const content = template.content;
  for (const link of content.querySelectorAll("a[href]")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
  }
  for (const table of content.querySelectorAll("table")) framed(table, "wide");
  for (const block of content.querySelectorAll("pre")) {
    block.tabIndex = 0;
    framed(block, "code").append(copyButton(block));
  }
  return content;
}

function framed(element, name) {
  const frame = document.createElement("div");
  frame.className = name;
  element.replaceWith(frame);
  frame.append(element);
  return frame;
}

function copyButton(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = t("code.copy");
  button.addEventListener("click", async () => {
    if (!(await copy(block.textContent))) return;
    button.textContent = t("code.copied");
    setTimeout(() => { button.textContent = t("code.copy"); }, COPIED_SHOWN_MS);
  });
  return button;
}

// Whether a text could be put on the clipboard.
export async function copy(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(() => true, () => false);
  }
  // Plain HTTP on a home network has no clipboard interface; the old way still works there.
  const carrier = document.createElement("textarea");
  carrier.value = text;
  carrier.className = "unseen";
  document.body.append(carrier);
  carrier.select();
  const done = document.execCommand("copy");
  carrier.remove();
  return done;
}
