// Starts the service worker, where the browser has any: on https and on this machine itself. It lies beside the page and
// takes care of what is below there, which is this chat and no other one of the same host name.

const here = { createScriptURL: () => "sw.js" };
const policy = globalThis.trustedTypes?.createPolicy("friends-chat-worker", here) ?? here;

export const hasWorker = "serviceWorker" in navigator;

// Its registration, after everything that the friend waits for; nothing where it fails, which only a page without a network
// or a notification misses. The browser itself would name the worker of a chat at the root until this one is there.
export const worker = hasWorker && new Promise((resolve) => {
  addEventListener("load", () => {
    navigator.serviceWorker.register(policy.createScriptURL("")).then(resolve, () => resolve());
  });
});
