// One event stream for all tabs of a friend in this browser: the tab that holds a lock keeps it and tells the others.
// Each tab knows how far it has everything, so that a change of the leading tab leaves no gap. Where the browser
// lacks what sharing needs (Web Locks exist in secure contexts only), each tab keeps a stream of its own.

import { Connection, DURABLE } from "./connection.js";
import { own } from "./storage.js";

const BEAT_MS = 2_000;
// A leading tab that was not heard for this long is gone or frozen.
const SILENCE_MS = 25_000;
// To a tab in the background that is told late: browsers let timers there run once a minute.
const HIDDEN_SILENCE_MS = 150_000;
// One that is asked answers within this time, also in the background, unless it is frozen.
const ANSWER_MS = 3_000;
// A stream that was opened anew for a tab has reached it after this time, or something is wrong.
const JOIN_AGAIN_MS = 10_000;

const isInSight = () => document.visibilityState === "visible";

export class Feed {
  #username;
  // Of the lock and of the channel.
  #name;
  #on;
  #cursor = 0;
  #state = "connecting";
  #channel = null;
  // The stream, while this tab leads.
  #connection = null;
  // Gives up the lock, or waiting for it.
  #leave = null;
  #heardAtMs = 0;
  #joinedAtMs = 0;
  #timer = 0;

  // `on` is as for a `Connection`.
  constructor(username, on) {
    this.#username = username;
    this.#name = own(`friends-chat:${username}`);
    this.#on = on;
  }

  start() {
    if (!navigator.locks || !globalThis.BroadcastChannel) {
      this.#lead();
      return;
    }
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#told(data);
    this.#timer = setInterval(() => this.#look(), BEAT_MS);
    document.addEventListener("visibilitychange", this.#seen);
    document.addEventListener("freeze", this.#rest);
    document.addEventListener("resume", this.#wake);
    addEventListener("pagehide", this.#rest);
    addEventListener("pageshow", this.#wake);
    this.#wake();
  }

  // Ends this tab's part. With a `reason` the session is over for the other tabs as well.
  stop(reason) {
    if (reason) this.#tell({ kind: "over", reason });
    clearInterval(this.#timer);
    document.removeEventListener("visibilitychange", this.#seen);
    document.removeEventListener("freeze", this.#rest);
    document.removeEventListener("resume", this.#wake);
    removeEventListener("pagehide", this.#rest);
    removeEventListener("pageshow", this.#wake);
    this.#rest();
    this.#connection?.stop();
    this.#channel?.close();
    this.#channel = null;
  }

  // Whether this tab does what one tab of the browser has to do.
  get leads() {
    return this.#connection !== null;
  }

  // History was read up to this entry by other means.
  reached(id) {
    this.#cursor = Math.max(this.#cursor, id);
    this.#connection?.reached(id);
  }

  #tell(message) {
    this.#channel?.postMessage(message);
  }

  #wake = () => {
    if (this.#leave) return;
    this.#heardAtMs = Date.now();
    this.#queue(false);
    this.#join();
  };

  // A tab that is put aside can hear nothing, so it must not be the one that listens for all.
  #rest = () => this.#leave?.();

  // Waits for the lock and leads while it is held; `steal` takes it from a tab that does not do its part.
  #queue(steal) {
    this.#leave?.();
    const leaving = new AbortController();
    const leave = () => {
      if (this.#leave === leave) this.#leave = null;
      leaving.abort();
    };
    this.#leave = leave;
    const held = () => {
      if (leaving.signal.aborted) return undefined;
      this.#lead();
      return new Promise((resolve) => {
        leaving.signal.addEventListener("abort", () => {
          this.#follow();
          resolve();
        });
      });
    };
    // The standard lets a request be stolen or given up, not both.
    const options = steal ? { steal: true } : { signal: leaving.signal };
    navigator.locks.request(this.#name, options, held).catch(() => {
      // Given up by this tab, or stolen by another: then this one follows.
      if (this.#leave !== leave) return;
      leave();
      if (this.#channel) this.#queue(false);
    });
  }

  #lead() {
    this.#connection = new Connection(this.#username, this.#cursor, {
      event: (event) => {
        this.#tell({ kind: "event", event });
        this.#receive(event);
      },
      state: (state) => {
        this.#linked(state);
        this.#beat();
      },
      poll: () => {
        this.#tell({ kind: "poll" });
        return this.#on.poll();
      },
      over: (reason) => this.#on.over(reason),
    });
    this.#connection.start();
  }

  #follow() {
    this.#connection?.stop();
    this.#connection = null;
    this.#heardAtMs = Date.now();
  }

  #receive(event) {
    if (DURABLE.has(event.type)) this.#cursor = Math.max(this.#cursor, event.id);
    this.#on.event(event);
  }

  #linked(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#on.state(state);
  }

  #beat() {
    this.#tell({ kind: "beat", state: this.#state, cursor: this.#cursor, inSight: isInSight() });
  }

  // Has the leading tab open the stream anew, so that this tab hears how things stand and what it missed.
  #join() {
    this.#joinedAtMs = Date.now();
    this.#tell({ kind: "join", after: this.#cursor });
  }

  #told(message) {
    if (message.kind === "over") {
      this.stop();
      this.#on.over(message.reason);
    } else if (this.#connection) {
      if (message.kind === "join") this.#connection.reopen(message.after);
      else if (message.kind === "ask") this.#beat();
    } else if (this.#leave) {
      this.#heard(message);
    }
  }

  #heard(message) {
    if (message.kind === "join" || message.kind === "ask") return;
    this.#heardAtMs = Date.now();
    if (message.kind === "event") {
      this.#receive(message.event);
    } else if (message.kind === "poll") {
      // The leading tab meets the same failure and says what follows from it.
      this.#on.poll().catch(() => {});
    } else if (message.state !== "online" && !message.inSight && isInSight()) {
      // Browsers slow down the timers of a tab in the background, so this one comes back sooner.
      this.#queue(true);
    } else {
      this.#linked(message.state);
      if (message.cursor > this.#cursor && Date.now() - this.#joinedAtMs > JOIN_AGAIN_MS) this.#join();
    }
  }

  #look() {
    if (this.#connection) return this.#beat();
    const patienceMs = isInSight() ? SILENCE_MS : HIDDEN_SILENCE_MS;
    if (this.#leave && Date.now() - this.#heardAtMs > patienceMs) this.#queue(true);
  }

  #seen = () => {
    if (this.#connection) {
      this.#beat();
    } else if (isInSight()) {
      this.#heardAtMs = Math.min(this.#heardAtMs, Date.now() - SILENCE_MS + ANSWER_MS);
      this.#tell({ kind: "ask" });
    }
  };
}
