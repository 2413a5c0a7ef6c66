// What this browser keeps for itself: the draft, the outbox, small choices.
// Storage can be full, switched off or forbidden; then the page works on without it.

// The path below which this chat is. A browser keeps by host name what is stored, and others may be below other paths of it.
const HOME = new URL(".", location).pathname;

// A name that no other chat of the same host name uses: bare at the root, else behind the path. What stands between them
// can be part of neither.
export const own = (name) => (HOME === "/" ? name : `${HOME}:${name}`);

const PREFIX = own("friends-chat:");

export function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key));
  } catch {
    return null;
  }
}

export function keep(key, value) {
  try {
    if (value === null || value === "") localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Nothing to tell the friend: only a reload would miss it.
  }
}

// A random id that no other message of this friend has, also without a secure context.
export function freshId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
