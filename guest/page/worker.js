// Starts the service worker, where the browser has any: on https and on this machine itself.

import { HOME } from "./storage.js";

// Beside the page, for the worker to take care of this chat and of no other of the same host name.
const here = { createScriptURL: () => "sw.js" };
const policy = globalThis.trustedTypes?.createPolicy("friends-chat-worker", here) ?? here;

export const hasWorker = "serviceWorker" in navigator;

// This chat's own worker. Until it is there, the browser takes that of a chat at the root for it, if there is one.
export async function ownWorker() {
  const registration = await navigator.serviceWorker.getRegistration();
  return registration && new URL(registration.scope).pathname === HOME ? registration : null;
}

// After everything that the friend waits for.
export function startWorker() {
  if (!hasWorker) return;
  addEventListener("load", () => {
    navigator.serviceWorker.register(policy.createScriptURL("")).catch(() => {
      // Only the page without a network is missed.
    });
  });
}
