// The conversation on the page, in the order of the log: each entry once, whichever way it came.

import { Entry, OPEN } from "./entry.js";

const FINAL = new Set(["answered", "stopped", "failed"]);

export class Conversation {
  #list;
  #actions;
  #byId = new Map();
  #byClient = new Map();
  #live = new Map();
  #stale = new Set();

  constructor(list, actions) {
    this.#list = list;
    this.#actions = actions;
  }

  get newestId() {
    let newest = 0;
    for (const id of this.#byId.keys()) newest = Math.max(newest, id);
    return newest;
  }

  get oldestId() {
    for (const element of this.#list.children) if (element.entry.id) return element.entry.id;
    return 0;
  }

  get isEmpty() {
    return this.#list.childElementCount === 0;
  }

  // Whether something was sent of which the outcome is open.
  get waits() {
    for (const entry of this.#byId.values()) if (entry.role === "friend" && OPEN.has(entry.state)) return true;
    return this.#live.size > 0;
  }

  get isAnswering() {
    return this.#live.size > 0;
  }

  isLive(id) {
    return this.#live.has(id);
  }

  hasClient(clientId) {
    return this.#byClient.has(clientId);
  }

  find(id) {
    return this.#byId.get(id);
  }

  clear() {
    for (const element of [...this.#list.children]) if (element.entry.id) element.remove();
    for (const entry of this.#byId.values()) this.#byClient.delete(entry.clientId);
    this.#byId.clear();
    this.redate();
  }

  // An entry of the log. Returns it, with `isFresh` telling whether it was not there before.
  put(data) {
    let entry = this.#byId.get(data.id) ?? (data.client_id && this.#byClient.get(data.client_id));
    if (!entry && data.role === "agent" && data.message) entry = this.#settled(data.message);
    const isFresh = !this.#byId.has(data.id);
    if (!entry) entry = new Entry(data.role, data.at, this.#actions);
    const moved = entry.id !== data.id || !entry.element.isConnected;
    entry.id = data.id;
    this.#byId.set(data.id, entry);
    if (data.client_id) {
      entry.clientId = data.client_id;
      this.#byClient.set(data.client_id, entry);
    }
    if (entry.at !== data.at) entry.setTime(data.at);
    if (data.role === "friend") {
      entry.setText(data.text);
      // What was heard live may be later than what history was asked for before it.
      if (data.state && !FINAL.has(entry.state)) this.state(data.id, data.state);
    } else {
      entry.setContent(data.text, data.html);
      if (data.role === "nudge") entry.setNudge(data.priority);
    }
    if (moved) this.#insert(entry);
    return { entry, isFresh };
  }

  // A message of the outbox, which has no place in the log yet.
  putPending(item) {
    let entry = this.#byClient.get(item.id);
    if (entry?.id) return entry;
    if (!entry) {
      entry = new Entry("friend", item.at, this.#actions);
      entry.clientId = item.id;
      entry.setText(item.text);
      this.#byClient.set(item.id, entry);
      this.#insert(entry);
    }
    entry.setState(item.state, item.reason);
    return entry;
  }

  removePending(entry) {
    this.#byClient.delete(entry.clientId);
    this.#takeOut(entry);
  }

  state(id, state) {
    const entry = this.#byId.get(id);
    if (!entry || entry.role !== "friend") return;
    entry.setState(state);
    if (state === "answering") this.#liveFor(id);
  }

  status(id, text) {
    this.#liveFor(id)?.status(text);
  }

  piece(id, text) {
    const entry = this.#liveFor(id);
    if (!entry) return;
    entry.piece(text, this.#stale.delete(id));
  }

  // What is shown stays until there is something instead.
  restarted(id) {
    if (this.#live.has(id)) this.#stale.add(id);
  }

  // The stream was opened anew: it begins with the whole text so far, which replaces what is shown.
  expectAnew() {
    for (const id of this.#live.keys()) this.#stale.add(id);
  }

  // Takes away the answers on their way whose messages are done, once history has what became of them.
  sweep() {
    for (const [id, entry] of this.#live) {
      if (OPEN.has(this.#byId.get(id)?.state)) continue;
      this.#live.delete(id);
      entry.settle();
      this.#takeOut(entry);
    }
  }

  // Day names and groups, for instance after midnight.
  redate() {
    let previous;
    for (const { entry } of this.#list.children) {
      entry.place(previous);
      previous = entry;
    }
  }

  entriesFromEnd() {
    return Array.from(this.#list.children, ({ entry }) => entry).reverse();
  }

  #liveFor(id) {
    const known = this.#live.get(id);
    if (known) return known;
    const asked = this.#byId.get(id);
    // Late pieces of an answer that is there already say nothing new.
    if (asked && FINAL.has(asked.state)) return null;
    const entry = new Entry("agent", Date.now(), this.#actions);
    entry.goLive();
    this.#live.set(id, entry);
    this.#insert(entry);
    return entry;
  }

  #settled(message) {
    const entry = this.#live.get(message);
    if (!entry) return undefined;
    this.#live.delete(message);
    this.#stale.delete(message);
    entry.settle();
    return entry;
  }

  // Logged entries by id, then what is on its way: answers before own messages not yet confirmed.
  #insert(entry) {
    const rank = (one) => one.id || (one.role === "agent" ? Number.MAX_SAFE_INTEGER - 1 : Number.MAX_SAFE_INTEGER);
    const own = rank(entry);
    const old = entry.element.isConnected ? entry.element.nextElementSibling : null;
    let before = this.#list.lastElementChild;
    while (before && (before === entry.element || rank(before.entry) > own)) before = before.previousElementSibling;
    const spot = before ? before.nextElementSibling : this.#list.firstElementChild;
    if (spot !== entry.element) this.#list.insertBefore(entry.element, spot);
    if (old && old !== entry.element) old.entry.place(old.previousElementSibling?.entry);
    entry.place(entry.element.previousElementSibling?.entry);
    entry.element.nextElementSibling?.entry.place(entry);
  }

  #takeOut(entry) {
    const { previousElementSibling: previous, nextElementSibling: next } = entry.element;
    entry.element.remove();
    if (next) next.entry.place(previous?.entry);
    else previous?.classList.remove("continued");
  }
}
