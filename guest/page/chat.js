// One signed-in conversation from opening to end: history, stream, outbox and composer put together.

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { Feed } from "./feed.js";
import { Menu } from "./menu.js";
import * as notify from "./notify.js";
import { Outbox } from "./outbox.js";
import { Scroll } from "./scroll.js";
import { setAgent, t } from "./texts.js";
import { Unread } from "./unread.js";

const PAGE = 50;
const HISTORY_RETRY_MS = 3_000;
// A connection that comes back within this time was never worth a word.
const PATIENCE_MS = 2_000;

const byId = (id) => document.getElementById(id);

export class Chat {
  #presence = byId("presence");
  #presenceTimer = 0;
  #link = "connecting";
  #shownLink = "connecting";
  #more = false;
  #loadingOlder = false;
  #refreshing = null;
  #loaded = false;
  // The conversation could not be read yet.
  #isAway = false;
  #greeted = false;
  #closed = false;
  #onEnd;

  // `onEnd(reason)` is called once, when the session is over.
  constructor(session, onEnd) {
    this.#onEnd = onEnd;
    const log = byId("log");
    const list = byId("entries");
    const over = () => this.end("expired");
    this.conversation = new Conversation(list, {
      retry: (entry) => this.#retry(entry),
      discard: (entry) => this.#discard(entry),
    });
    this.menu = new Menu({
      signedOut: () => this.end("signed-out"),
      over,
      say: (text) => this.#announce(text),
    });
    this.composer = new Composer(session.username, {
      send: (text) => this.outbox.add(text),
      stop: () => api.stopAnswer().catch(() => this.#announce(t("failed.now"))),
    });
    this.scroll = new Scroll(log, list, {
      older: () => this.#older(),
      end: () => this.unread.look(),
    });
    this.unread = new Unread(() => document.visibilityState === "visible" && this.scroll.isAtEnd);
    this.outbox = new Outbox(session.username, {
      change: (item) => this.#pending(item),
      accepted: (item, id) => this.#accepted(item, id),
      over,
    });
    this.feed = new Feed(session.username, {
      event: (event) => this.#receive(event),
      state: (state) => this.#linked(state),
      poll: () => this.#refresh(),
      over: (reason) => this.end(reason),
    });
    this.#name(session.agent);
    this.menu.setNickname(session.nickname || session.username);
    document.addEventListener("visibilitychange", this.#seenAgain);
    addEventListener("pageshow", this.#seenAgain);
    this.#begin();
  }

  end(reason) {
    if (this.#closed) return;
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.#seenAgain);
    removeEventListener("pageshow", this.#seenAgain);
    clearTimeout(this.#presenceTimer);
    this.feed.stop(reason);
    this.menu.close();
    this.scroll.close();
    this.unread.close();
    // The stream may say so before the answer to signing out does.
    if (reason === "signed-out") {
      this.composer.forget();
      this.outbox.forget();
    } else {
      this.composer.close();
      this.outbox.close();
    }
    notify.forget();
    byId("entries").replaceChildren();
    byId("announcer").replaceChildren();
    byId("older").hidden = true;
    byId("empty").hidden = true;
    this.#onEnd(reason);
  }

  async #begin() {
    for (const item of this.outbox.items()) this.conversation.putPending(item);
    this.#linked("connecting");
    for (;;) {
      try {
        await this.#refresh();
        break;
      } catch (error) {
        if (this.#closed) return;
        if (error.kind === "signed-out") return this.end("expired");
        this.#isAway = true;
        this.#changed();
        this.#say(t("log.unreachable"));
        await new Promise((resolve) => { setTimeout(resolve, HISTORY_RETRY_MS); });
        if (this.#closed) return;
      }
    }
    this.#loaded = true;
    this.#isAway = false;
    this.#changed();
    this.scroll.toEnd();
    this.feed.start();
    notify.renew();
    this.outbox.flush();
    this.composer.focus();
  }

  // Reads the newest page of the log and makes the conversation agree with it. Calls at the same time are one.
  #refresh() {
    this.#refreshing ??= this.#readNewest().finally(() => { this.#refreshing = null; });
    return this.#refreshing;
  }

  async #readNewest() {
    const { entries, more } = await api.history(0, PAGE);
    if (this.#closed) return;
    const oldest = entries.at(-1);
    // Nothing in common with what is shown: there is a gap between them, so begin anew from here.
    const apart = oldest && more && this.conversation.newestId > 0 && oldest.id > this.conversation.newestId;
    if (apart) this.conversation.clear();
    if (apart || !this.#loaded) this.#setMore(more);
    for (const entry of entries.toReversed?.() ?? [...entries].reverse()) this.#put(entry, this.#loaded);
    if (entries.length) this.feed.reached(entries[0].id);
    this.conversation.sweep();
    this.#changed();
    this.scroll.follow();
  }

  async #older() {
    if (!this.#loaded || this.#loadingOlder) return;
    this.#loadingOlder = true;
    try {
      while (this.#more && this.scroll.isNearTop) {
        const { entries, more } = await api.history(this.conversation.oldestId, PAGE);
        if (this.#closed) return;
        this.scroll.keepingPlace(() => {
          for (const entry of entries) this.conversation.put(entry);
          this.#setMore(more && entries.length > 0);
        });
      }
    } catch (error) {
      if (error.kind === "signed-out") return this.end("expired");
      // The connection's return or the next scroll asks again.
    } finally {
      this.#loadingOlder = false;
    }
  }

  #setMore(more) {
    this.#more = more;
    byId("older").hidden = !more;
  }

  #receive(event) {
    switch (event.type) {
      case "hello": return this.#hello(event);
      case "message": return this.#put({ ...event, role: "friend" }, true);
      case "reply": return this.#reply(event);
      case "nudge": return this.#put({ ...event, role: "nudge", text: event.content, at: event.timestamp }, true);
      case "state": return this.#state(event.message, event.state);
      case "status": return this.conversation.status(event.message, event.content);
      case "text": return this.#piece(event);
      case "restarted": return this.conversation.restarted(event.message);
      case "done": return this.#state(event.message, "answered");
      case "error": return this.#state(event.message, "failed");
      case "seen": return this.unread.seenUpTo(event.id);
      case "nickname": return this.menu.setNickname(event.nickname);
      case "resync": return this.#catchUp();
      default: return undefined;
    }
  }

  #hello(event) {
    this.#name(event.name);
    if (event.nickname) this.menu.setNickname(event.nickname);
    this.conversation.expectAnew();
    // What became of a message while nobody listened is in the history only.
    if (this.conversation.waits) this.#catchUp();
    if (!this.#greeted) this.#markUnread(event.unread);
    this.#greeted = true;
    this.outbox.flush();
    this.#older();
  }

  #reply(event) {
    this.#put({ ...event, role: "agent" }, true);
    this.#state(event.message, "answered");
  }

  #piece({ message, content }) {
    const wasAnswering = this.conversation.isAnswering;
    this.conversation.piece(message, content);
    if (!wasAnswering) this.#changed();
  }

  #state(id, state) {
    const before = this.conversation.find(id)?.state;
    if (state === "answered" && (before === "stopped" || before === "failed")) return;
    this.conversation.state(id, state);
    const isOver = state === "stopped" || state === "failed" || state === "answered";
    if (isOver && this.conversation.isLive(id)) this.#catchUp();
    if (state === "failed" && before !== "failed") this.#announce(t("state.failed"));
    this.#changed();
    this.scroll.follow();
  }

  #put(data, isNews) {
    const { entry, isFresh } = this.conversation.put(data);
    // A proxy may hold back the answer that says the same.
    if (data.client_id) this.outbox.remove(data.client_id);
    if (isFresh && isNews) {
      if (data.role !== "friend") {
        if (!this.unread.count && document.visibilityState === "hidden") this.#mark(entry);
        this.unread.add(data.id);
        this.#announce(`${t(data.role === "nudge" ? "nudge.label" : "speaker.agent")}: ${entry.words}`);
        if (this.feed.leads) notify.show(data.id, entry.words);
        this.scroll.arrived();
      } else {
        this.scroll.follow();
      }
    }
    this.#changed();
  }

  #catchUp() {
    this.#refresh().catch((error) => {
      if (error.kind === "signed-out") this.end("expired");
      // Otherwise the stream is about to fail too, and its return leads here again.
    });
  }

  // What came before this page was opened and was not seen.
  #markUnread(count) {
    if (!count) return;
    const waiting = this.conversation.entriesFromEnd().filter((one) => one.id && one.role !== "friend").slice(0, count);
    if (!waiting.length) return;
    this.#mark(waiting.at(-1));
    for (const entry of waiting) this.unread.add(entry.id);
  }

  #mark(entry) {
    this.marked?.markNew(false);
    this.marked = entry;
    entry.markNew(true);
  }

  #pending(item) {
    const isNew = !this.conversation.hasClient(item.id);
    this.conversation.putPending(item);
    this.#changed();
    if (isNew) {
      this.marked?.markNew(false);
      this.scroll.toEnd();
    }
  }

  #accepted(item, id) {
    if (id === null) return;
    const known = this.conversation.find(id);
    this.#put({ id, role: "friend", text: item.text, at: known?.at ?? item.at, client_id: item.id, state: known?.state || "queued" }, true);
  }

  #retry(entry) {
    if (entry.state === "unsent") this.outbox.retry(entry.clientId);
    else this.outbox.add(entry.text);
  }

  #discard(entry) {
    this.outbox.remove(entry.clientId);
    this.conversation.removePending(entry);
    this.#changed();
  }

  #name(given) {
    if (!given) return;
    const name = setAgent(given);
    byId("agent-name").textContent = name;
    byId("avatar").textContent = Array.from(name.replace(/^the\s+/i, ""))[0]?.toLocaleUpperCase() ?? "";
    this.composer.rename();
    this.unread.setName(name);
  }

  #linked(state) {
    this.#link = state;
    if (state === "online") {
      clearTimeout(this.#presenceTimer);
      this.#presenceTimer = 0;
      this.#shownLink = state;
    } else if (this.#shownLink !== "online") {
      this.#shownLink = state;
    } else {
      this.#presenceTimer ||= setTimeout(() => {
        this.#presenceTimer = 0;
        this.#shownLink = this.#link;
        this.#changed();
      }, PATIENCE_MS);
    }
    this.#changed();
  }

  #changed() {
    const answering = this.conversation.isAnswering;
    this.composer.answering(answering);
    byId("empty").textContent = t(this.#isAway ? "log.offline" : "log.empty");
    byId("empty").hidden = !(this.#loaded || this.#isAway) || !this.conversation.isEmpty;
    const link = this.#shownLink;
    this.#presence.dataset.link = link;
    this.#say(t(`presence.${link === "online" && answering ? "answering" : link}`));
  }

  #say(text) {
    if (this.#presence.textContent !== text) this.#presence.textContent = text;
  }

  // Reads a whole message to those who listen to the page.
  #announce(text) {
    const line = document.createElement("p");
    line.textContent = text;
    const announcer = byId("announcer");
    announcer.append(line);
    while (announcer.childElementCount > 3) announcer.firstElementChild.remove();
  }

  #seenAgain = ({ persisted }) => {
    if (document.visibilityState !== "visible") return;
    this.conversation.redate();
    // The stream brings what comes later, but not to a page that the browser had put aside.
    if (persisted || this.conversation.waits) this.#catchUp();
  };
}
