// Requests to the server, each with a deadline. Addresses are relative to the page, which may be below a path. Every failure
// is an `ApiError` whose kind says what to do.

const DEADLINE_MS = 20_000;
const RETRY_AFTER_DEFAULT_MS = 5_000;

// Kinds: "offline" (no answer), "signed-out", "limited" (wait `retryAfterMs`), "down" (try later), "too-long" and
// "refused" (the same request will never do). `message` is the server's sentence, in English: not for a friend.
export class ApiError extends Error {
  constructor(kind, message = "", retryAfterMs = 0) {
    super(message);
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

async function failure(response) {
  const sentence = await response.json().then((body) => String(body.error ?? ""), () => "");
  const seconds = Number(response.headers.get("Retry-After"));
  const retryAfterMs = seconds > 0 ? seconds * 1000 : RETRY_AFTER_DEFAULT_MS;
  if (response.status === 401) return new ApiError("signed-out", sentence);
  if (response.status === 429) return new ApiError("limited", sentence, retryAfterMs);
  if (response.status >= 500 || response.status === 408) return new ApiError("down", sentence, retryAfterMs);
  return new ApiError(response.status === 413 ? "too-long" : "refused", sentence);
}

// Runs `use(response)` under the deadline; leaving it lets go of the connection.
async function request(path, body, use) {
  const leaving = new AbortController();
  const timer = setTimeout(() => leaving.abort(), DEADLINE_MS);
  const options = { signal: leaving.signal, cache: "no-store" };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(path, options);
    if (!response.ok) throw await failure(response);
    return await use(response);
  } catch (error) {
    throw error instanceof ApiError ? error : new ApiError("offline", String(error));
  } finally {
    clearTimeout(timer);
    leaving.abort();
  }
}

const asJson = (response) => response.json();

export const status = () => request("api/auth/status", undefined, asJson);
export const invite = (code) => request("api/auth/invite", { code }, asJson);
// `change` lets a browser that is signed in as somebody else change over.
export const redeem = (code, change = false) => request("api/auth/redeem", { code, switch: change }, asJson);
export const deviceCode = () => request("api/auth/link", {}, asJson);
export const signOut = () => request("api/auth/logout", {}, asJson);
export const setNickname = (nickname) => request("api/nickname", { nickname }, asJson);
export const setLanguage = (language) => request("api/language", { language }, asJson);
export const notes = () => request("api/notes", undefined, asJson);
export const forgetNote = (note) => request("api/notes/forget", { note }, asJson);
export const stopAnswer = () => request("api/chat/stop", {}, asJson);
export const notifications = () => request("api/notifications", undefined, asJson);
export const notificationsOn = (subscription) => request("api/notifications/on", subscription, asJson);
export const notificationsOff = () => request("api/notifications/off", {}, asJson);
export const seen = (id) => request("api/seen", { id }, asJson);

export function history(before, limit) {
  const query = new URLSearchParams({ limit });
  if (before) query.set("before", before);
  return request(`api/history?${query}`, undefined, asJson);
}

// The body of a message as sent; its length is what the server's limit counts.
export const messageBody = (message, id) => ({ message, id, stream: true });

// Sends a message and resolves to its entry id once the server has it on disk. The answer itself comes by
// the event stream, so reading ends there; that does not stop the answer. Safe to repeat with the same id.
export const send = (message, id) => request("api/chat", messageBody(message, id), async (response) => {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    held += decoder.decode(value, { stream: !done });
    const lines = held.split("\n");
    held = done ? "" : lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const event = JSON.parse(line.slice(5));
      if (event.type === "accepted") return event.id;
      if (event.type === "error") throw new ApiError("refused", event.error);
      // A server that does not say `accepted` has it all the same: it answers.
      return null;
    }
    if (done) throw new ApiError("offline", "the answer ended before it began");
  }
});
