// Starts the service worker, where the browser has any: on https and on this machine itself.

const here = { createScriptURL: () => "/sw.js" };
const policy = globalThis.trustedTypes?.createPolicy("friends-chat-worker", here) ?? here;

export const hasWorker = "serviceWorker" in navigator;

// After everything that the friend waits for.
export function startWorker() {
  if (!hasWorker) return;
  addEventListener("load", () => {
    navigator.serviceWorker.register(policy.createScriptURL("")).catch(() => {
      // Only the page without a network is missed.
    });
  });
}
