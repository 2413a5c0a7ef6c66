// Where the conversation is scrolled to: follows the end only when the friend is there, keeps the place when
// earlier messages are put above, and offers the way down otherwise.

import { t } from "./texts.js";

// Nearer to the end than this counts as being there.
const NEAR_PX = 48;
// Earlier messages are fetched this long before the friend reaches the top.
const AHEAD_PX = 600;

export class Scroll {
  #log;
  #pill;
  #pillText;
  #fresh = 0;
  #atEnd = true;
  #topPx = 0;
  #on;
  #size;

  // `on` has `older()`, called when earlier messages will soon be needed, and `end()`, when the end is seen.
  constructor(log, list, on) {
    this.#log = log;
    this.#on = on;
    this.#pill = document.getElementById("pill");
    this.#pillText = document.getElementById("pill-text");
    this.#log.onscroll = () => this.#moved();
    this.#pill.onclick = () => this.toEnd();
    // An answer that grows, the keyboard of a phone, a longer draft or a wider window: what was at the end stays there.
    // It is told after the layout and before the picture, so nothing is laid out for it alone.
    this.#size = new ResizeObserver(() => this.follow());
    this.#size.observe(log);
    this.#size.observe(list);
  }

  close() {
    this.#size.disconnect();
    this.#log.onscroll = null;
  }

  get isAtEnd() {
    return this.#atEnd;
  }

  get isNearTop() {
    return this.#log.scrollTop < AHEAD_PX;
  }

  follow() {
    if (this.#atEnd) this.#down();
  }

  toEnd() {
    this.#atEnd = true;
    this.#down();
    this.#show();
    this.#on.end();
  }

  // A message came; the pill counts it unless the end is in sight.
  arrived() {
    if (this.#atEnd) return this.#down();
    this.#fresh += 1;
    this.#show();
  }

  // Runs `change` (which puts messages above) so that what is in sight does not move.
  keepingPlace(change) {
    const below = this.#log.scrollHeight - this.#log.scrollTop;
    change();
    this.#log.scrollTop = this.#log.scrollHeight - below;
  }

  #down() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#topPx = this.#log.scrollTop;
  }

  #moved() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    const wentUp = scrollTop < this.#topPx;
    this.#topPx = scrollTop;
    if (scrollTop < AHEAD_PX) this.#on.older();
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    // Only the friend leaves the end; an answer that has just grown is about to be followed.
    if (atEnd === this.#atEnd || (!atEnd && !wentUp)) return;
    this.#atEnd = atEnd;
    this.#show();
    if (atEnd) this.#on.end();
  }

  #show() {
    if (this.#atEnd) this.#fresh = 0;
    this.#pill.hidden = this.#atEnd;
    this.#pill.classList.toggle("fresh", this.#fresh > 0);
    this.#pillText.textContent = t(this.#fresh > 0 ? "log.pill" : "log.pill-down");
  }
}
